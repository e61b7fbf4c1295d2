from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain import values
from planso_connector.domain.fields import BY_PATH, FIELDS, MIRRORED, FieldKind, OrderField, RequestKind, Value


@pytest.mark.parametrize("field", [f for f in FIELDS if f.accepted_in is not RequestKind.NONE], ids=lambda f: f.path)
def test_every_example_is_accepted_and_parses_back(field: OrderField) -> None:
    """Each field's example is accepted, and parses back from PlanSo's format as the same value."""
    assert isinstance(field.example, str | int | float)
    asked = values.parse_caller_value(field, field.example)
    words = values.format_planso_value(field.kind, asked)
    assert values.are_equal(field.kind, values.parse_planso_value(field.kind, words), asked)


def test_paths_and_columns_are_unique() -> None:
    """No two fields share a path or a column."""
    assert len(BY_PATH) == len(FIELDS)
    assert len({f.column for f in MIRRORED}) == len(MIRRORED)


@given(st.text())
def test_any_text_of_planso_is_parsed(shown: str) -> None:
    """Any text gives a value or None, for every kind of field."""
    for kind in FieldKind:
        values.parse_planso_value(kind, shown)


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"])))
def test_one_line_is_accepted_as_it_is(text: str) -> None:
    """Text without control characters is accepted, without white space around it; blanks alone are refused."""
    if text and not text.strip():
        with pytest.raises(ValueError, match="nothing but blanks"):
            values.parse_caller_value(BY_PATH["person"], text)
    else:
        assert values.parse_caller_value(BY_PATH["person"], text) == (text.strip() or None)


@pytest.mark.parametrize("text", ["a\x00b", "a\x07", "\ud800", "zwei\nZeilen", "a\tb", "a\x85b"])
def test_control_characters_are_refused_on_one_line(text: str) -> None:
    """NUL, control characters, lone surrogates and line breaks are refused, and the message names which."""
    with pytest.raises(ValueError, match=r"control character U\+|surrogate"):
        values.parse_caller_value(BY_PATH["person"], text)


def test_line_breaks_are_accepted_in_long_texts() -> None:
    """Long texts accept line breaks and no other control character."""
    assert values.parse_caller_value(BY_PATH["remarks"], "eins\r\nzwei\ndrei") == "eins\r\nzwei\ndrei"
    with pytest.raises(ValueError, match=r"U\+0000"):
        values.parse_caller_value(BY_PATH["remarks"], "a\x00")


@pytest.mark.parametrize(
    ("kind", "first", "second", "is_equal"),
    [
        (FieldKind.NUMBER, 11.3, 11.30000001, True),
        (FieldKind.NUMBER, 11.3, 11.4, False),
        (FieldKind.NUMBER, 0.0, None, False),
        (FieldKind.DATETIME, "2025-12-16", "2025-12-16T00:00:00", True),
        (FieldKind.DATE, "2025-12-16", "2025-12-16T08:00:00", False),
        (FieldKind.LONG_TEXT, "a\nb", "a\r\nb ", True),
        (FieldKind.TEXT, "Käß", "Ka\u0308ß", True),
        (FieldKind.TEXT, "Meyer", "meyer", False),
        (FieldKind.TEXT, None, "", True),
        (FieldKind.FLAG, None, False, True),
        (FieldKind.FLAG, True, False, False),
        (FieldKind.ID, 7, 7, True),
        (FieldKind.ID, 7, None, False),
        (FieldKind.AMOUNT, "84.210", "84210", True),
        (FieldKind.AMOUNT, "84210 km", "84.210", True),
        (FieldKind.AMOUNT, "84.21", "84210", False),
        (FieldKind.AMOUNT, "viele", "Viele", False),
        (FieldKind.TEXT, "84.210", "84210", False),
    ],
)
def test_equality(kind: FieldKind, first: Value, second: Value, is_equal: bool) -> None:
    """Two notations of one value are equal, two values are not, in either order."""
    assert values.are_equal(kind, first, second) is is_equal
    assert values.are_equal(kind, second, first) is is_equal


@pytest.mark.parametrize(
    "text", ["", "  ", "\xa0", "00.00.0000", "00.00.0000 00:00:00", "0000-00-00", "0000-00-00 00:00:00", "00:00",
             "0:00", "00:00:00", "0", "0,00", "0.00", "0,00 €", "0,00 h"],
)  # fmt: skip
def test_empty_values(text: str) -> None:
    """Texts that databases show for no value are empty, and equivalent to no text."""
    assert values.is_empty_value(text)
    assert values.is_equivalent_text(text, "")


@pytest.mark.parametrize(
    "text", ["-", "x", "nein", "0,01", "1", "01.01.2026", "08:00", "00.00.0001", "0 km", ".", "0x", "H", "+"]
)
def test_other_texts_are_no_empty_values(text: str) -> None:
    """Any text that a person may have meant is a value."""
    assert not values.is_empty_value(text)
    assert not values.is_equivalent_text(text, "")


@pytest.mark.parametrize(
    ("first", "second", "is_equal"),
    [
        ("16.12.2026", "2026-12-16", True),
        ("16.12.2026", "2026-12-16 00:00:00", True),
        ("16.12.26", "16.12.2026", True),
        ("01.07.65", "01.07.1965", True),
        ("16.12.2026 08:00", "2026-12-16 08:00:00", True),
        ("16.12.2026 08:00", "16.12.2026", False),
        ("16.12.2026", "17.12.2026", False),
        ("08:00", "08:00:00", True),
        ("08:00", "09:00", False),
        ("11,30", "11.3", True),
        ("11,30", "11,31", False),
        ("1.234,50", "1234.5", True),
        ("84.210", "84210", True),
        ("1.500", "1,5", True),
        ("1,5", "1500", False),
        ("01067", "1067", False),
        ("007", "7", False),
        ("1 2", "12", False),
        ("999", "99", False),
        ("0151 234567", "+49 (151) 234-567", True),
        ("0151 234567", "0151 23456", False),
        ("0151 234567", "151234567", False),
        ("ja", "1", True),
        ("on", "ja", True),
        ("ja", "nein", False),
        ("nein", "", False),
        ("a  b", "a b", True),
        ("a\r\nb", "a\nb", True),
        (" a ", "a", True),
        ("wn-ae 2309", "WN-AE 2309", False),
        ("WN-AE 2309", "WNAE2309", False),
        ("Käß", "K??", False),
        ("Ersatzwagen 🚗 da", "Ersatzwagen", False),
    ],
)
def test_equivalent_notations(first: str, second: str, is_equal: bool) -> None:
    """For controls of unknown kind another notation is no change, and anything else is, in either order."""
    assert values.is_equivalent_text(first, second) is is_equal
    assert values.is_equivalent_text(second, first) is is_equal


@given(st.text(max_size=70))
def test_equivalence_is_reflexive(text: str) -> None:
    """Every text is equivalent to itself."""
    assert values.is_equivalent_text(text, text)


@given(
    st.text("0123456789.,:-/ +ja\n", max_size=20) | st.text(max_size=20),
    st.text("0123456789.,:-/ +ja\n", max_size=20) | st.text(max_size=20),
)
def test_equivalence_is_symmetric(first: str, second: str) -> None:
    """The order of the texts doesn't matter."""
    assert values.is_equivalent_text(first, second) is values.is_equivalent_text(second, first)


@given(st.text(st.characters(categories=["Lu", "Ll"]), min_size=1, max_size=20), st.integers(0, 19))
def test_a_missing_letter_is_another_value(word: str, at: int) -> None:
    """A word without one of its letters is not equivalent to it."""
    at %= len(word)
    shorter = word[:at] + word[at + 1 :]
    assert values.is_equivalent_text(word, shorter) is (values.normalize_text(word) == values.normalize_text(shorter))


@pytest.mark.parametrize(
    ("path", "given_text", "canonical"),
    [
        ("repair_date_time_from", "05.12.2026 14:00-16:00", "2026-12-05T14:00:00"),
        ("repair_date_time_to", "05.12.2026 14:00-16:00", "2026-12-05T16:00:00"),
        ("repair_date_time_to", "14-16 Uhr", "16:00"),
        ("return_date_time", "16:00", "16:00"),
        ("vehicle_details.first_registration", "01.07.65", "1965-07-01"),
        ("vehicle_details.hu_au", "03/27", "2027-03"),
        ("vehicle_details.km_stand", "84.210", "84.210"),
    ],
)
def test_notations_that_callers_use(path: str, given_text: str, canonical: str) -> None:
    """Ranges for time slots, years of two digits by field, amounts unchanged."""
    assert values.parse_caller_value(BY_PATH[path], given_text, today=date(2026, 11, 23)) == canonical


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.1, 1e9])
def test_hours_out_of_range_are_refused(number: float) -> None:
    """Hours are finite numbers from 0 up."""
    with pytest.raises(ValueError, match="accepted: a number from 0"):
        values.parse_caller_value(BY_PATH["est_hours_karo"], number)
