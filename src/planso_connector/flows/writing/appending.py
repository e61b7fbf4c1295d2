"""
Resolve appended lines against a form: what the fields have to hold after the save, and whether a line is there already.

A line counts as saved where it stands in the form more often than in the form that the operation was sent with: so an
answer that got lost appends nothing twice, and what others add to the text meanwhile is in nobody's way. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from planso_connector.domain.errors import FieldMismatch, Invalid, Problem
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.operation import Conflict, Operation
from planso_connector.domain.saving import appending
from planso_connector.domain.saving.appending import AppendableText
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form import Form


def resolve(
    asked: Mapping[str, Value], form: Form, sent_with: Mapping[str, Value] | None = None
) -> tuple[dict[str, Value], list[Conflict]]:
    """
    The fields with the values that they have to hold, and the lines that can't be taken out because they stand there no
    more. `sent_with` is what the fields held in the form that was sent before, None where nothing was. Raises Invalid
    for a line that makes a text too long.
    """
    resolved: dict[str, Value] = {}
    gone: list[Conflict] = []
    for path, value in asked.items():
        target = appending.target_field(path)
        if target == path:
            resolved[path] = value
            continue
        line, text = str(value), _text(form, target)
        before = _like(text, sent_with[target]) if sent_with is not None and target in sent_with else None
        if before is not None and _is_done(path, line, before, text):
            resolved[target] = text.value or None
        elif appending.is_append(path):
            resolved[target] = _within_bound(path, text.with_line(line))
        elif text.count_line(line):
            resolved[target] = text.without_line(line)
        else:
            gone.append(Conflict(target, line, text.value or None, None))
    return resolved, gone


def _within_bound(path: str, text: str) -> str:
    """Raises Invalid."""
    target = BY_PATH[appending.target_field(path)]
    if len(text) > target.max_length:
        told = f"{target.path} would have {len(text)} characters with this line; accepted: up to {target.max_length}"
        raise Invalid([Problem(("body", path), told, "string_too_long")])
    return text


def plan(form: Form, asked: Mapping[str, Value], resolved: Mapping[str, Value]) -> ChangePlan:
    """
    The form's plan for the resolved fields. Raises Invalid in the words of the request: of an appended line without the
    text around it, which the caller did not send.
    """
    try:
        return form.plan(resolved)
    except Invalid as error:
        paths = {appending.target_field(path): path for path in asked}
        raise Invalid([_in_words_of_request(one, paths.get(one.field, one.field)) for one in error.problems]) from None


def _in_words_of_request(problem: Problem, path: str) -> Problem:
    if path == problem.field:
        return problem
    return Problem(("body", path), f"PlanSo's form can't take a line in {problem.field}", problem.type)


def notes_on_notation(form: Form, asked: Mapping[str, Value], written: Mapping[str, Value], saved: Form) -> list[str]:
    """As `Form.normalised`; of a text with an appended line it is no note on the request alone."""
    own = form.describe_normalised({path: value for path, value in written.items() if path in asked}, saved)
    others = form.describe_normalised({path: value for path, value in written.items() if path not in asked}, saved)
    return [*own, *map(str, others)]


def is_line_saved(operation: Operation, kept: FieldMismatch, saved: Form, now: Form) -> bool:
    """Whether a field that does not hold what was written shows the line all the same: somebody changed the rest."""
    for path, value in operation.requested.items():
        if path != kept.field and appending.target_field(path) == kept.field:
            return _is_done(path, str(value), _text(saved, kept.field), _text(now, kept.field))
    return False


def written_values(operation: Operation) -> dict[str, Value]:
    """The fields that the operation changed, with what it wrote there."""
    before = operation.before or {}
    found: dict[str, Value] = {}
    for path, value in operation.requested.items():
        target = appending.target_field(path)
        if target not in before:
            continue
        if target == path:
            found[path] = value
        else:
            text = AppendableText(str(before[target] or ""))
            line = str(value)
            found[target] = text.with_line(line) if appending.is_append(path) else text.without_line(line)
    return found


def _is_done(path: str, line: str, before: AppendableText, now: AppendableText) -> bool:
    change = now.count_line(line) - before.count_line(line)
    return change > 0 if appending.is_append(path) else change < 0


def _text(form: Form, path: str) -> AppendableText:
    entry = form.write_target(path)
    if entry is None:
        return AppendableText("")
    return AppendableText(str(entry.read_value(BY_PATH[path].kind) or ""), is_one_line=entry.control.type != "textarea")


def _like(text: AppendableText, held: Value) -> AppendableText:
    return AppendableText(str(held or ""), is_one_line=text.is_one_line)
