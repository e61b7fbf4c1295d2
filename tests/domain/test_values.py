from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain import values
from planso_connector.domain.fields import BY_PATH, FIELDS, MIRRORED, Field, Kind, On, Value


@pytest.mark.parametrize("field", [f for f in FIELDS if f.on is not On.NONE], ids=lambda f: f.path)
def test_every_example_is_accepted_and_survives_planso(field: Field) -> None:
    """The example of each field is acceptable, and reads back from PlanSo's words as the same value."""
    assert isinstance(field.example, str | int | float)
    asked = values.accept(field, field.example)
    words = values.planso_words(field.kind, asked)
    assert values.same(field.kind, values.read(field.kind, words), asked)


def test_paths_and_columns_name_one_field() -> None:
    """No two fields share a path or a column."""
    assert len(BY_PATH) == len(FIELDS)
    assert len({f.column for f in MIRRORED}) == len(MIRRORED)


@given(st.text())
def test_whatever_planso_shows_is_read_without_a_fault(shown: str) -> None:
    """Any text is read to a value or to nothing, for every kind."""
    for kind in Kind:
        values.read(kind, shown)


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"])))
def test_one_line_is_taken_as_it_is(text: str) -> None:
    """Text without control characters is accepted whole, apart from outer white space; blanks alone clear nothing."""
    if text and not text.strip():
        with pytest.raises(ValueError, match="nothing but blanks"):
            values.accept(BY_PATH["person"], text)
    else:
        assert values.accept(BY_PATH["person"], text) == (text.strip() or None)


@pytest.mark.parametrize("text", ["a\x00b", "a\x07", "\ud800", "zwei\nZeilen", "a\tb", "a\x85b"])
def test_control_characters_are_refused_on_one_line(text: str) -> None:
    """NUL, control characters, lone surrogates and line breaks are refused, and the message names which."""
    with pytest.raises(ValueError, match=r"control character U\+|surrogate"):
        values.accept(BY_PATH["person"], text)


def test_line_breaks_are_at_home_in_long_texts() -> None:
    """Long texts take line breaks and nothing else of that sort."""
    assert values.accept(BY_PATH["remarks"], "eins\r\nzwei\ndrei") == "eins\r\nzwei\ndrei"
    with pytest.raises(ValueError, match=r"U\+0000"):
        values.accept(BY_PATH["remarks"], "a\x00")


@pytest.mark.parametrize(
    ("kind", "one", "other", "alike"),
    [
        (Kind.NUMBER, 11.3, 11.30000001, True),
        (Kind.NUMBER, 11.3, 11.4, False),
        (Kind.NUMBER, 0.0, None, False),
        (Kind.DATETIME, "2025-12-16", "2025-12-16T00:00:00", True),
        (Kind.DATE, "2025-12-16", "2025-12-16T08:00:00", False),
        (Kind.LONG_TEXT, "a\nb", "a\r\nb ", True),
        (Kind.TEXT, "Käß", "Ka\u0308ß", True),
        (Kind.TEXT, "Meyer", "meyer", False),
        (Kind.TEXT, None, "", True),
        (Kind.FLAG, None, False, True),
        (Kind.FLAG, True, False, False),
        (Kind.ID, 7, 7, True),
        (Kind.ID, 7, None, False),
    ],
)
def test_sameness(kind: Kind, one: Value, other: Value, alike: bool) -> None:
    """Two writings of one thing are the same; two things never are. It works both ways round."""
    assert values.same(kind, one, other) is alike
    assert values.same(kind, other, one) is alike


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.1, 1e9])
def test_hours_out_of_range_are_refused(number: float) -> None:
    """Hours are finite numbers from 0 up."""
    with pytest.raises(ValueError, match="accepted: a number from 0"):
        values.accept(BY_PATH["est_hours_karo"], number)
