"""Texts that lines are added to and taken out of again."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.fields import APPEND_FIELDS, BY_PATH
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.saving.appending import AppendableText, plan_undo, sign_appended_lines, target_fields

WORDS = st.text("aä b.", min_size=1, max_size=6).filter(lambda text: text.strip())
LINES = st.lists(WORDS, min_size=1, max_size=2).map(lambda lines: "\n".join(one.strip() for one in lines))
HELD = st.lists(st.text("aä b.", max_size=6), max_size=5).map(lambda lines: "\n".join(lines).strip())


@given(HELD, LINES, st.booleans())
def test_what_is_appended_is_taken_out_exactly(held: str, line: str, is_one_line: bool) -> None:
    """The line stands in it more often than before, below all that stood there, and without it it is as it was."""
    text = AppendableText(" ".join(held.split()) if is_one_line else held, is_one_line=is_one_line)
    longer = AppendableText(text.with_line(line), is_one_line=is_one_line)
    assert longer.count_line(line) > text.count_line(line)
    assert longer.value.startswith(text.value)
    without = longer.without_line(line)
    assert (without or "").split() == text.value.split()
    if not is_one_line:
        assert (without or "") == text.value


@given(HELD, LINES, LINES, LINES)
def test_what_others_add_does_not_count(held: str, line: str, first: str, second: str) -> None:
    """Whatever stands above and below it by then, exactly this line is taken out; without it, nothing is."""
    added = AppendableText(AppendableText(AppendableText(f"{first}\n{held}").with_line(line)).with_line(second))
    assert (added.without_line(line) or "").count("\n") == added.value.count("\n") - line.count("\n") - 1
    bare = AppendableText(held)
    if not bare.count_line(line):
        assert (bare.without_line(line) or "") == held


@pytest.mark.parametrize("written", ["Ruft  an.", " Ruft an. ", "Ruft an.\r", "Ruft\xa0an."])
def test_a_line_is_found_as_planso_writes_it(written: str) -> None:
    """Blanks may be collapsed, and line ends written otherwise; a part of a line is no line."""
    text = AppendableText(f"Alt\r\n{written}\nRuft an. Bald.")
    assert text.count_line("Ruft an.") == 1
    assert text.without_line("Ruft an.") == "Alt\nRuft an. Bald."


def test_a_signed_line_names_the_day_and_the_key() -> None:
    """Only what is appended is signed; without keys the day alone."""
    asked = {"remarks_append": "Ruft an.", "person": "Jana"}
    assert sign_appended_lines(asked, "phone agent", date(2026, 11, 30)) == {
        "remarks_append": "Ruft an. (30.11.2026, phone agent)",
        "person": "Jana",
    }
    assert sign_appended_lines(asked, "", date(2026, 11, 30))["remarks_append"] == "Ruft an. (30.11.2026)"


def test_an_undo_takes_the_line_out_and_its_undo_adds_it_again() -> None:
    """Other fields of the same write get back what they held, where they hold what was asked still."""
    asked = {"remarks_append": "Ruft an.", "person": "Jana"}
    before = {"remarks": "Alt", "person": "Anna"}
    done = Operation("op_1", Action.UPDATE, 130, asked, OperationState.CONFIRMED, before=before)
    undo, base = plan_undo(done)
    assert (undo, base) == ({"remarks_remove": "Ruft an.", "person": "Anna"}, {"person": "Jana"})
    again, base = plan_undo(
        Operation("op_2", Action.UPDATE, 130, undo, OperationState.CONFIRMED, before={"remarks": "x"})
    )
    assert (again, base) == ({"remarks_append": "Ruft an."}, {})


def test_a_field_that_can_be_appended_to_is_one() -> None:
    """Each is named after a field of an order, and is of its kind and label."""
    for field in APPEND_FIELDS:
        (target,) = target_fields([field.name])
        assert (BY_PATH[target].kind, BY_PATH[target].labels) == (field.kind, field.labels)
        assert field.name not in BY_PATH
