"""
Resolve appended lines against a form: the values that its fields must hold after the save. Pure.

A line counts as saved where it occurs in the form more often than in the form that the operation was sent with. So a
lost response appends nothing twice, and text that others add meanwhile does not matter.
"""

from collections.abc import Mapping

from planso_connector.domain.errors import FieldMismatch, Invalid, Problem
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.messages import MESSAGES
from planso_connector.domain.operation import Conflict, Operation
from planso_connector.domain.saving import appending
from planso_connector.domain.saving.appending import AppendableText
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form_parser import Form


def resolve(
    requested: Mapping[str, Value], form: Form, sent_with: Mapping[str, Value] | None = None
) -> tuple[dict[str, Value], list[Conflict]]:
    """
    The values that fields must hold, and a conflict for each line that can't be removed because it is gone already.
    `sent_with` is what the fields held in the form of an earlier send, None where nothing was sent. Raises Invalid for
    a line that makes a text too long.
    """
    resolved: dict[str, Value] = {}
    conflicts: list[Conflict] = []
    for path, value in requested.items():
        target = appending.target_field(path)
        if target == path:
            resolved[path] = value
            continue
        line, text = str(value), _read_text(form, target)
        if sent_with is not None and target in sent_with:
            before = AppendableText(str(sent_with[target] or ""), is_one_line=text.is_one_line)
            if _is_done(path, line, before, text):
                resolved[target] = text.value or None
                continue
        if appending.is_append(path):
            resolved[target] = _check_length(path, text.with_line(line))
        elif text.count_line(line):
            resolved[target] = text.without_line(line)
        else:
            conflicts.append(Conflict(target, line, text.value or None, None))
    return resolved, conflicts


def _check_length(path: str, text: str) -> str:
    """Raises Invalid."""
    target = BY_PATH[appending.target_field(path)]
    if len(text) > target.max_length:
        bounds = {"field": target.path, "length": len(text), "most": target.max_length}
        raise Invalid([Problem.of(("body", path), MESSAGES["too_long_with_line"].format(**bounds), "string_too_long")])
    return text


def plan(form: Form, requested: Mapping[str, Value], resolved: Mapping[str, Value]) -> ChangePlan:
    """
    Plan the resolved values. Raises Invalid by the requested paths: for an appended line without the text around it,
    which the caller did not send.
    """
    try:
        return form.plan(resolved)
    except Invalid as error:
        path_of = {appending.target_field(path): path for path in requested}
        raise Invalid([_name_requested(problem, path_of.get(problem.field)) for problem in error.problems]) from None


def _name_requested(problem: Problem, path: str | None) -> Problem:
    if path in (None, problem.field):
        return problem
    message = MESSAGES["planso_form_line"].format(field=problem.field)
    return Problem.of(("body", str(path)), message, problem.type)


def describe_normalised(
    form: Form, requested: Mapping[str, Value], resolved: Mapping[str, Value], saved: Form
) -> list[str]:
    """As `Form.describe_normalised`; of a text with an appended line no RequestNote, as it quotes what was there."""
    own = form.describe_normalised({path: value for path, value in resolved.items() if path in requested}, saved)
    others = form.describe_normalised({path: value for path, value in resolved.items() if path not in requested}, saved)
    return [*own, *map(str, others)]


def is_line_saved(operation: Operation, mismatch: FieldMismatch, saved: Form, now: Form) -> bool:
    """Whether a field with another text than was written holds the line: somebody changed the rest of the text."""
    for path, value in operation.requested.items():
        if path != mismatch.field and appending.target_field(path) == mismatch.field:
            return _is_done(path, str(value), _read_text(saved, mismatch.field), _read_text(now, mismatch.field))
    return False


def written_values(operation: Operation) -> dict[str, Value]:
    """The fields that the operation changed, and the values that it wrote."""
    before = operation.before or {}
    written: dict[str, Value] = {}
    for path, value in operation.requested.items():
        target = appending.target_field(path)
        if target not in before:
            continue
        if target == path:
            written[path] = value
        else:
            text, line = AppendableText(str(before[target] or "")), str(value)
            written[target] = text.with_line(line) if appending.is_append(path) else text.without_line(line)
    return written


def _is_done(path: str, line: str, before: AppendableText, now: AppendableText) -> bool:
    change = now.count_line(line) - before.count_line(line)
    return change > 0 if appending.is_append(path) else change < 0


def _read_text(form: Form, path: str) -> AppendableText:
    entry = form.write_target(path)
    if entry is None:
        return AppendableText("")
    return AppendableText(str(entry.read_value(BY_PATH[path].kind) or ""), is_one_line=entry.control.type != "textarea")
