from __future__ import annotations

import pytest

from planso_connector.domain.fields import BY_PATH
from planso_connector.domain.input_warnings import find_input_warnings
from planso_connector.domain.kba import normalize_key_numbers, parse_key_numbers
from planso_connector.domain.values import are_equal, parse_caller_value, parse_planso_value

KBA = BY_PATH["vehicle_details.kba"]
NOTATIONS = (
    "0603/BGU", "0603/bgu", "0603 BGU", "0603BGU", "0603-BGU", "603/BGU", "603bgu",
    "HSN 0603 TSN BGU", "HSN: 0603, TSN: BGU",
    " 0603 / BGU ", "0603/BGU00012", "0603 BGU000123", "KBA-Nr. 0603/BGU",
)  # fmt: skip


@pytest.mark.parametrize("text", NOTATIONS)
def test_every_notation_is_one_value(text: str) -> None:
    """From a caller and from PlanSo, so that another notation is no change; nothing is said about it."""
    assert parse_caller_value(KBA, text) == parse_planso_value(KBA.kind, text) == "0603/BGU"
    assert are_equal(KBA.kind, parse_caller_value(KBA, text), "0603/BGU")
    assert find_input_warnings({KBA.path: normalize_key_numbers(text)}) == []


@pytest.mark.parametrize("text", ["unbekannt", "0603", "BGU", "06033/BGU", "0603/BG", "WVWZZZ1KZAW123456", "7"])
def test_nonsense_is_kept_and_noted(text: str) -> None:
    """A text that is no HSN and TSN is written as given, and the answer says what is expected."""
    assert parse_key_numbers(text) is None
    assert parse_caller_value(KBA, text) == parse_planso_value(KBA.kind, text) == text
    (warning,) = find_input_warnings({KBA.path: text})
    assert "vehicle_details.kba does not look like KBA key numbers (HSN and TSN, such as 0603/BGU)" in warning
