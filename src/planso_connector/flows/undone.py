"""
Undone: which edits of people a save of ours undid, by what PlanSo showed before and after it. Pure.

Of a field only what was shown last before the save took effect counts: what is shown together with what the save
wrote came after it, and who takes that back wants it so. Nor did a save that never took effect undo anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from planso_connector.domain import values
from planso_connector.domain.errors import Invalid
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.operation import Operation
from planso_connector.domain.order import has_emptied
from planso_connector.planso.form import Form

Sent = Mapping[str, Sequence[Value]]
"""As in Operation."""


class Undone(NamedTuple):
    """An edit that a save of ours undid."""

    held: Value
    """What the field holds in its stead."""
    edit: Value


def same(path: str, one: Value, other: Value) -> bool:
    return values.same(BY_PATH[path].kind, one, other)


def of_save(sent: Sent | None, seen: Sent, form: Form, *, has_landed: bool) -> dict[str, Undone]:
    """
    Where `has_landed`, the fields that hold what was sent, and were seen otherwise since. And, landed or not, what that
    save was to put back, and is not there.
    """
    now = form.reading()
    found: dict[str, Undone] = {}
    for path, values_sent in (sent or {}).items():
        held = now.values.get(path)
        if path not in now.found - now.unreadable.keys() or not any(same(path, held, one) for one in values_sent):
            continue
        if not has_landed and len(values_sent) == 1:
            continue
        last = seen[path][-1] if seen.get(path) else values_sent[-1]
        if any(same(path, last, one) for one in values_sent):
            last = values_sent[-1]
        if not same(path, last, held):
            found[path] = Undone(held, last)
    return found


def has_landed(asked: Mapping[str, Value], sent: Sent | None, form: Form) -> bool:
    """Whether the form shows all that was written: what was asked, and what was put back along with it."""
    return not form.not_taken_over({**asked, **_back(sent)})


def before_it_landed(
    operation: Operation, sent: Sent | None, versions: Iterable[Mapping[str, Value]]
) -> dict[str, list[Value]]:
    """Of what each field became since it was sent, by version: until what was written shows."""
    asked = {path: value for path, value in operation.asked.items() if path in (operation.before or {})}
    written = _back(sent) or asked
    shown: dict[str, Value] = {}
    seen: dict[str, list[Value]] = {}
    for version in versions:
        shown.update(version)
        if written and all(path in shown and same(path, shown[path], value) for path, value in written.items()):
            break
        for path, value in version.items():
            seen.setdefault(path, []).append(value)
    return seen


def shown_before(forms: Iterable[Form], wanted: Mapping[str, Value], now: Form) -> dict[str, list[Value]]:
    """
    What these forms show in each field, as far as they do not show `wanted`, which was saved, yet. A form that has
    emptied is PlanSo's hiccup, and nobody's edit.
    """
    held = now.reading().values
    seen: dict[str, list[Value]] = {}
    for form in forms:
        if not form.is_blank and not has_emptied(held, form.reading()) and form.not_taken_over(wanted):
            add(seen, form)
    return seen


def still(undone: Mapping[str, Undone], form: Form) -> dict[str, Value]:
    """What of it is to be put back: not where somebody changed the field since, nor what the form can't take."""
    held = form.reading().values
    return {
        path: one.edit
        for path, one in undone.items()
        if same(path, held.get(path), one.held) and _is_writable(form, path, one.edit)
    }


def add(seen: dict[str, list[Value]], form: Form) -> None:
    reading = form.reading()
    for path in reading.found - reading.unreadable.keys():
        seen.setdefault(path, []).append(reading.values.get(path))


def missing(undone: Mapping[str, Undone], now: Form) -> list[str]:
    """What is not there again, and nobody changed since."""
    held = now.reading().values
    return [path for path, one in undone.items() if same(path, held.get(path), one.held)]


def told(undone: Mapping[str, Undone], now: Form) -> tuple[str, ...]:
    """For the caller."""
    held, lost = now.reading().values, missing(undone, now)
    back = [path for path, one in undone.items() if same(path, held.get(path), one.edit)]
    notes = [f"Put back what this write had undone: {', '.join(back)}."] if back else []
    if lost:
        notes.append(f"This write undid an edit in PlanSo, which could not be put back: {', '.join(lost)}.")
    return tuple(notes)


def _back(sent: Sent | None) -> dict[str, Value]:
    """What a save was to put back."""
    return {path: one[-1] for path, one in (sent or {}).items() if len(one) > 1}


def _is_writable(form: Form, path: str, value: Value) -> bool:
    try:
        form.plan({path: value})
    except Invalid:
        return False
    return True
