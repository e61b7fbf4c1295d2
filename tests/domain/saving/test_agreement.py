"""What PlanSo may make of a value, and what is no longer the same value."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from planso_connector.domain import values
from planso_connector.domain.fields import TEXTS, Kind, Value
from planso_connector.domain.saving.agreement import means_same


@pytest.mark.parametrize(
    ("kind", "asked", "held", "alike"),
    [
        (Kind.IDENTIFIER, "wn-ae 2309", "WN-AE 2309", True),
        (Kind.IDENTIFIER, "WN-AE 2309", "WNAE2309", True),
        (Kind.IDENTIFIER, "WN AE2309", "WN-AE 2309", True),
        (Kind.IDENTIFIER, "B-NO 123", "BN-O 123", False),
        (Kind.IDENTIFIER, "TÜ-A 1", "TUE-A 1", False),
        (Kind.IDENTIFIER, "WN-AE 2309", "WN-AE 230", False),
        (Kind.IDENTIFIER, "wvwzzz1kzaw123456", "WVWZZZ1KZAW123456", True),
        (Kind.PHONE, "0151 234 5678", "+49 151 2345678", True),
        (Kind.PHONE, "+49151234", "0151 234", True),
        (Kind.PHONE, "07151/123-0", "07151 1230", True),
        (Kind.PHONE, "0151 234 (privat)", "0151 234", False),
        (Kind.PHONE, "0151 234 5678", "0151 234 567", False),
        (Kind.PHONE, "0151 234", "151234", False),
        (Kind.PHONE, "030 1 oder 030 2", "0301", False),
        (Kind.PHONE, "unbekannt", "Unbekannt", False),
        (Kind.EMAIL, "Jana.P@Example.de", "jana.p@example.de", True),
        (Kind.EMAIL, "jana@example.de", "jana@example.d", False),
        (Kind.TEXT, "Jana   Petersen", "Jana Petersen", True),
        (Kind.TEXT, "Jana Petersen", "JANA PETERSEN", False),
        (Kind.TEXT, "Käß", "K??", False),
        (Kind.TEXT, "Müller & Söhne", "Müller &amp; Söhne", False),
        (Kind.LONG_TEXT, "Ersatzwagen 🚗 da", "Ersatzwagen ", False),
        (Kind.LONG_TEXT, "a  b\nc", "a b\r\nc", True),
        (Kind.LONG_TEXT, "a\nb", "a b", False),
        (Kind.AMOUNT, "84210", "84.210", True),
        (Kind.AMOUNT, "84.210 km", "84210", True),
        (Kind.AMOUNT, "150", "150,00", True),
        (Kind.AMOUNT, "84210", "84.21", False),
        (Kind.AMOUNT, "999", "99", False),
        (Kind.AMOUNT, "96 PS", "96", False),
        (Kind.NUMBER, 999.0, 99.0, False),
        (Kind.NUMBER, 0.0, None, True),
        (Kind.NUMBER, 2.5, None, False),
        (Kind.DATE, "2026-12-09", "2026-12-09T00:00:00", True),
        (Kind.DATE, "2026-12-09T08:30:00", "2026-12-09", False),
        (Kind.DATE, "2026-12-09", "2026-12-10", False),
        (Kind.MONTH, "2027-03", "2027-03-01", True),
        (Kind.MONTH, "2027-03", "2027-03-02", False),
    ],
)
def test_what_means_the_same(kind: Kind, asked: Value, held: Value, alike: bool) -> None:
    """PlanSo's own notation is the same value; what was cut, capped, moved or garbled never is."""
    assert means_same(kind, asked, held) is alike


@pytest.mark.parametrize(
    ("asked", "shown", "alike"),
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
def test_a_number_may_be_rounded_to_the_decimals_that_stand_there(asked: float, shown: str, alike: bool) -> None:
    """Rounding to what PlanSo shows is no other value; more than that is, and nothing becomes nought."""
    assert means_same(Kind.NUMBER, asked, values.read(Kind.NUMBER, shown), shown) is alike


@given(st.sampled_from(sorted(TEXTS)), st.text(min_size=2, max_size=40), st.data())
def test_a_text_that_was_cut_is_another(kind: Kind, text: str, data: st.DataObject) -> None:
    """Whatever is cut off, it does not mean the same, unless only what says nothing was cut."""
    text = " ".join(text.split())
    cut = text[: data.draw(st.integers(1, max(1, len(text) - 1)))]
    assume(any(character.isalnum() for character in text[len(cut) :]))
    assume(kind is not Kind.AMOUNT or values.amount(text) is None)
    assume(kind is not Kind.PHONE or any(character.isdigit() for character in cut))
    assert not means_same(kind, text, cut)


@given(st.sampled_from(sorted(Kind)), st.text(max_size=40))
def test_every_value_means_itself(kind: Kind, text: str) -> None:
    """Reflexive, for whatever PlanSo shows."""
    value = values.read(kind, text)
    assert means_same(kind, value, value)
