"""Which values PlanSo may hold after a save for them to count as the requested ones."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from planso_connector.domain import values
from planso_connector.domain.fields import TEXT_KINDS, FieldKind, Value
from planso_connector.domain.saving.equivalence import is_equivalent


@pytest.mark.parametrize(
    ("kind", "requested", "held", "is_same"),
    [
        (FieldKind.IDENTIFIER, "wn-ae 2309", "WN-AE 2309", True),
        (FieldKind.IDENTIFIER, "WN-AE 2309", "WNAE2309", True),
        (FieldKind.IDENTIFIER, "WN AE2309", "WN-AE 2309", True),
        (FieldKind.IDENTIFIER, "B-NO 123", "BN-O 123", False),
        (FieldKind.IDENTIFIER, "TÜ-A 1", "TUE-A 1", False),
        (FieldKind.IDENTIFIER, "WN-AE 2309", "WN-AE 230", False),
        (FieldKind.IDENTIFIER, "wvwzzz1kzaw123456", "WVWZZZ1KZAW123456", True),
        (FieldKind.PHONE, "0151 234 5678", "+49 151 2345678", True),
        (FieldKind.PHONE, "+49151234", "0151 234", True),
        (FieldKind.PHONE, "07151/123-0", "07151 1230", True),
        (FieldKind.PHONE, "0151 234 (privat)", "0151 234", False),
        (FieldKind.PHONE, "0151 234 5678", "0151 234 567", False),
        (FieldKind.PHONE, "0151 234", "151234", False),
        (FieldKind.PHONE, "030 1 oder 030 2", "0301", False),
        (FieldKind.PHONE, "unbekannt", "Unbekannt", False),
        (FieldKind.EMAIL, "Jana.P@Example.de", "jana.p@example.de", True),
        (FieldKind.EMAIL, "jana@example.de", "jana@example.d", False),
        (FieldKind.TEXT, "Jana   Petersen", "Jana Petersen", True),
        (FieldKind.TEXT, "Jana Petersen", "JANA PETERSEN", False),
        (FieldKind.TEXT, "Käß", "K??", False),
        (FieldKind.TEXT, "Müller & Söhne", "Müller &amp; Söhne", False),
        (FieldKind.LONG_TEXT, "Ersatzwagen 🚗 da", "Ersatzwagen ", False),
        (FieldKind.LONG_TEXT, "a  b\nc", "a b\r\nc", True),
        (FieldKind.LONG_TEXT, "a\nb", "a b", False),
        (FieldKind.AMOUNT, "84210", "84.210", True),
        (FieldKind.AMOUNT, "84.210 km", "84210", True),
        (FieldKind.AMOUNT, "150", "150,00", True),
        (FieldKind.AMOUNT, "84210", "84.21", False),
        (FieldKind.AMOUNT, "999", "99", False),
        (FieldKind.AMOUNT, "96 PS", "96", False),
        (FieldKind.NUMBER, 999.0, 99.0, False),
        (FieldKind.NUMBER, 0.0, None, True),
        (FieldKind.NUMBER, 2.5, None, False),
        (FieldKind.DATE, "2026-12-09", "2026-12-09T00:00:00", True),
        (FieldKind.DATE, "2026-12-09T08:30:00", "2026-12-09", False),
        (FieldKind.DATE, "2026-12-09", "2026-12-10", False),
        (FieldKind.MONTH, "2027-03", "2027-03-01", True),
        (FieldKind.MONTH, "2027-03", "2027-03-02", False),
    ],
)
def test_equivalent_and_different_values(kind: FieldKind, requested: Value, held: Value, is_same: bool) -> None:
    """A value in PlanSo's own notation is equivalent; a truncated, capped, moved or garbled one never is."""
    assert is_equivalent(kind, requested, held) is is_same


@pytest.mark.parametrize(
    ("requested", "shown", "is_same"),
    [
        (12.345, "12,35", True),
        (12.345, "12,34", True),
        (12.345, "12,3", True),
        (12.345, "12.345", True),
        (12.6, "13", True),
        (12.345, "12,30", False),
        (12.345, "12,36", False),
        (12.6, "12", False),
        (0.125, "125", False),
        (0.004, "0,00", False),
        (1234.5, "1.234,5", True),
    ],
)
def test_a_number_may_be_rounded_to_the_shown_decimals(requested: float, shown: str, is_same: bool) -> None:
    """A number rounded to the decimals that PlanSo shows is equivalent; one rounded further, or to 0, is not."""
    assert (
        is_equivalent(FieldKind.NUMBER, requested, values.parse_planso_value(FieldKind.NUMBER, shown), shown) is is_same
    )


@given(st.sampled_from(sorted(TEXT_KINDS)), st.text(min_size=2, max_size=40), st.data())
def test_a_truncated_text_is_different(kind: FieldKind, text: str, data: st.DataObject) -> None:
    """A text without its end is not equivalent, unless only punctuation and blanks were cut off."""
    text = " ".join(text.split())
    beginning = text[: data.draw(st.integers(1, max(1, len(text) - 1)))]
    assume(any(character.isalnum() for character in text[len(beginning) :]))
    assume(kind is not FieldKind.AMOUNT or values.parse_amount(text) is None)
    assume(kind is not FieldKind.PHONE or any(character.isdigit() for character in beginning))
    assert not is_equivalent(kind, text, beginning)


@given(st.sampled_from(sorted(FieldKind)), st.text(max_size=40))
def test_every_value_is_equivalent_to_itself(kind: FieldKind, text: str) -> None:
    """Equivalence is reflexive for every value that PlanSo may show."""
    value = values.parse_planso_value(kind, text)
    assert is_equivalent(kind, value, value)
