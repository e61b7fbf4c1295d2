"""Lines are appended to texts and taken out of them again."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.fields import APPEND_FIELDS, BY_PATH
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.saving.appending import AppendableText, plan_undo, sign_appended_lines, target_fields

WORDS = st.text("aä b.", min_size=1, max_size=6).filter(lambda text: text.strip())
LINES = st.lists(WORDS, min_size=1, max_size=2).map(lambda lines: "\n".join(map(str.strip, lines)))
TEXTS = st.lists(st.text("aä b.", max_size=6), max_size=5).map(lambda lines: "\n".join(lines).strip())


@given(TEXTS, LINES, st.booleans())
def test_an_appended_line_is_removed_exactly(held: str, line: str, is_one_line: bool) -> None:
    """An appended line is counted, stands below the text, and removing it gives the text as it was."""
    text = AppendableText(" ".join(held.split()) if is_one_line else held, is_one_line=is_one_line)
    appended = AppendableText(text.with_line(line), is_one_line=is_one_line)
    assert appended.count_line(line) > text.count_line(line)
    assert appended.value.startswith(text.value)
    removed = appended.without_line(line)
    assert (removed or "").split() == text.value.split()
    if not is_one_line:
        assert (removed or "") == text.value


@given(TEXTS, LINES, LINES, LINES)
def test_other_lines_stay_when_a_line_is_removed(held: str, line: str, first: str, second: str) -> None:
    """Exactly the line is removed, whatever stands above and below it; a text without the line stays."""
    added = AppendableText(AppendableText(AppendableText(f"{first}\n{held}").with_line(line)).with_line(second))
    assert (added.without_line(line) or "").count("\n") == added.value.count("\n") - line.count("\n") - 1
    bare = AppendableText(held)
    if not bare.count_line(line):
        assert (bare.without_line(line) or "") == held


@pytest.mark.parametrize("written", ["Ruft  an.", " Ruft an. ", "Ruft an.\r", "Ruft\xa0an."])
def test_a_line_is_found_in_planso_s_notation(written: str) -> None:
    """Blanks may be collapsed and line breaks differ; a part of a line is no line."""
    text = AppendableText(f"Alt\r\n{written}\nRuft an. Bald.")
    assert text.count_line("Ruft an.") == 1
    assert text.without_line("Ruft an.") == "Alt\nRuft an. Bald."


def test_a_signed_line_names_the_day_and_the_key() -> None:
    """Only appended lines are signed; without a key's name, with the day alone."""
    requested = {"remarks_append": "Ruft an.", "person": "Jana"}
    assert sign_appended_lines(requested, "phone agent", date(2026, 11, 30)) == {
        "remarks_append": "Ruft an. (30.11.2026, phone agent)",
        "person": "Jana",
    }
    assert sign_appended_lines(requested, "", date(2026, 11, 30))["remarks_append"] == "Ruft an. (30.11.2026)"


def test_an_undo_removes_the_line_and_its_undo_appends_it_again() -> None:
    """Other fields of the same write get their former values, if they still hold the requested ones."""
    requested = {"remarks_append": "Ruft an.", "person": "Jana"}
    before = {"remarks": "Alt", "person": "Anna"}
    update = Operation("op_1", Action.UPDATE, 130, requested, OperationState.CONFIRMED, before=before)
    undo, base = plan_undo(update)
    assert (undo, base) == ({"remarks_remove": "Ruft an.", "person": "Anna"}, {"person": "Jana"})
    again, base = plan_undo(
        Operation("op_2", Action.UPDATE, 130, undo, OperationState.CONFIRMED, before={"remarks": "x"})
    )
    assert (again, base) == ({"remarks_append": "Ruft an."}, {})


def test_append_fields_belong_to_fields_of_an_order() -> None:
    """Each append field is named after a field of an order and has its kind and labels."""
    for field in APPEND_FIELDS:
        (target,) = target_fields([field.name])
        assert (BY_PATH[target].kind, BY_PATH[target].labels) == (field.kind, field.labels)
        assert field.name not in BY_PATH
