"""The forms in which searches compare text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.folding import fold, fold_asked_phone, fold_phone, fold_plate


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Özgür Yıldırım", "oezguer yildirim"),
        ("YILDIRIM", "Yıldırım"),
        ("Sinéad O’Neil", "Sinead O'Neil"),
        ("O`Neil", "O´Neil"),
        ("Schulze\u00adBeckinghausen", "schulzebeckinghausen"),
        ("Mül\u200bler", "Mueller"),
        ("Kristian Bjørnœ", "kristian bjoernoe"),
        ("Müller\u2011Lüdenscheidt", "mueller-luedenscheidt"),
        ("\u200eJana\u00a0Petersen\ufeff", "jana petersen"),
    ],
)
def test_what_looks_alike_is_one_text(written: str, asked: str) -> None:
    """Case, accents, the Turkish i, typographic apostrophes and hyphens, and invisible signs don't matter."""
    assert fold(written) == fold(asked)


@given(st.text(st.characters(codec="utf-8")) | st.text("aä\u0308\u0301\u034f\u0327²ﬁℌ가"))
def test_no_text_keeps_marks(text: str) -> None:
    """Whatever is folded has no combining mark and no joiner left, and folding it again changes nothing."""
    folded = fold(text)
    assert not any(unicodedata.combining(c) or c == "\u034f" for c in folded)
    assert fold(folded) == folded


def test_a_plate_has_no_invisible_signs() -> None:
    """A soft hyphen from PlanSo is no part of a plate."""
    assert fold_plate("HN-AB\u00ad 555") == "HNAB555"


@pytest.mark.parametrize("held", ["0171 3920023", "+49 171 3920023", "0049 (0)171/3920023", "491713920023"])
@pytest.mark.parametrize(
    "asked",
    [
        "491713920023",
        " 491713920023",
        "+491713920023",
        "00491713920023",
        "00 49 171 3920023",
        "01713920023",
        "1713920023",
        "(0171) 39 200 23",
        "0171392",
        " 49171",
        "tel:+49-171-3920023",
    ],
)
def test_a_number_is_found_by_any_prefix(held: str, asked: str) -> None:
    """`49...` without its plus, `+49...` unencoded in a URL, `0049...` and `0...` are one number."""
    assert fold_asked_phone(asked) in fold_phone(held)


def test_an_area_code_that_begins_with_49_is_no_country_code() -> None:
    """Leer's 0491 is found by its digits, with and without the zero."""
    held = fold_phone("0491 99887766")
    assert fold_asked_phone("0491 99887766") == "49199887766"
    assert fold_asked_phone("49199887766") in held
    assert fold_asked_phone("491") == "491"
