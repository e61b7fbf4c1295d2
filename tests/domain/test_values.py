from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain import values
from planso_connector.domain.fields import BY_PATH, FIELDS, MIRRORED, FieldKind, OrderField, RequestKind, Value


@pytest.mark.parametrize("field", [f for f in FIELDS if f.accepted_in is not RequestKind.NONE], ids=lambda f: f.path)
def test_every_example_is_accepted_and_survives_planso(field: OrderField) -> None:
    """The example of each field is acceptable, and reads back from PlanSo's words as the same value."""
    assert isinstance(field.example, str | int | float)
    asked = values.parse_caller_value(field, field.example)
    words = values.format_planso_value(field.kind, asked)
    assert values.are_equal(field.kind, values.parse_planso_value(field.kind, words), asked)


def test_paths_and_columns_name_one_field() -> None:
    """No two fields share a path or a column."""
    assert len(BY_PATH) == len(FIELDS)
    assert len({f.column for f in MIRRORED}) == len(MIRRORED)


@given(st.text())
def test_whatever_planso_shows_is_read_without_a_fault(shown: str) -> None:
    """Any text is read to a value or to nothing, for every kind."""
    for kind in FieldKind:
        values.parse_planso_value(kind, shown)


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"])))
def test_one_line_is_taken_as_it_is(text: str) -> None:
    """Text without control characters is accepted whole, apart from outer white space; blanks alone clear nothing."""
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


def test_line_breaks_are_at_home_in_long_texts() -> None:
    """Long texts take line breaks and nothing else of that sort."""
    assert values.parse_caller_value(BY_PATH["remarks"], "eins\r\nzwei\ndrei") == "eins\r\nzwei\ndrei"
    with pytest.raises(ValueError, match=r"U\+0000"):
        values.parse_caller_value(BY_PATH["remarks"], "a\x00")


@pytest.mark.parametrize(
    ("kind", "one", "other", "alike"),
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
def test_sameness(kind: FieldKind, one: Value, other: Value, alike: bool) -> None:
    """Two writings of one thing are the same; two things never are. It works both ways round."""
    assert values.are_equal(kind, one, other) is alike
    assert values.are_equal(kind, other, one) is alike


@pytest.mark.parametrize(
    "text", ["", "  ", "\xa0", "00.00.0000", "00.00.0000 00:00:00", "0000-00-00", "0000-00-00 00:00:00", "00:00",
             "0:00", "00:00:00", "0", "0,00", "0.00", "0,00 €", "0,00 h"],
)  # fmt: skip
def test_nothing_likes(text: str) -> None:
    """What databases show where nothing is."""
    assert values.is_empty_value(text)
    assert values.is_equivalent_text(text, "")


@pytest.mark.parametrize(
    "text", ["-", "x", "nein", "0,01", "1", "01.01.2026", "08:00", "00.00.0001", "0 km", ".", "0x", "H", "+"]
)
def test_what_says_something_is_not_nothing(text: str) -> None:
    """Whatever a person may have meant by it."""
    assert not values.is_empty_value(text)
    assert not values.is_equivalent_text(text, "")


@pytest.mark.parametrize(
    ("one", "other", "alike"),
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
def test_the_same_written_otherwise(one: str, other: str, alike: bool) -> None:
    """For controls of which nothing is known: notation is no change, everything else is. It works both ways round."""
    assert values.is_equivalent_text(one, other) is alike
    assert values.is_equivalent_text(other, one) is alike


@given(st.text(max_size=70))
def test_every_text_is_its_own_notation(text: str) -> None:
    """Reflexive, whatever PlanSo shows."""
    assert values.is_equivalent_text(text, text)


@given(
    st.text("0123456789.,:-/ +ja\n", max_size=20) | st.text(max_size=20),
    st.text("0123456789.,:-/ +ja\n", max_size=20) | st.text(max_size=20),
)
def test_same_notation_is_symmetric(one: str, other: str) -> None:
    """Which reading came first does not matter."""
    assert values.is_equivalent_text(one, other) is values.is_equivalent_text(other, one)


@given(st.text(st.characters(categories=["Lu", "Ll"]), min_size=1, max_size=20), st.integers(0, 19))
def test_a_lost_letter_is_never_notation(word: str, at: int) -> None:
    """A word without one of its letters is another word."""
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
def test_what_callers_write(path: str, given_text: str, canonical: str) -> None:
    """Ranges where a field is a time slot, years by what a field can be, amounts as they were given."""
    assert values.parse_caller_value(BY_PATH[path], given_text, today=date(2026, 11, 23)) == canonical


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.1, 1e9])
def test_hours_out_of_range_are_refused(number: float) -> None:
    """Hours are finite numbers from 0 up."""
    with pytest.raises(ValueError, match="accepted: a number from 0"):
        values.parse_caller_value(BY_PATH["est_hours_karo"], number)
