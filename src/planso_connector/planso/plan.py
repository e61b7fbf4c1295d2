"""
Decide before acting: which controls of a form change so that it holds what was asked, and what can't be done.

Source: the PlanSo protocol's section 6. Pure; nothing is sent from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from planso_connector.domain import values
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.notes import OwnNote
from planso_connector.domain.operation import Change
from planso_connector.domain.order import IDENTITY
from planso_connector.planso import writing
from planso_connector.planso.control import Entry
from planso_connector.planso.labels import FieldLabels

Wire = str | bool | tuple[int, ...]
"""A control's new state: an input's text, whether a box or radio button is checked, a select's chosen options."""


@dataclass(frozen=True)
class Plan:
    """
    What a save changes. `notes` are sentences for the caller, OwnNotes where they say nothing of the order; `wire` is
    the new state by the index of the control.
    """

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    wire: Mapping[int, Wire] = field(default_factory=dict)


def make_plan(labels: FieldLabels, asked: Mapping[str, Value]) -> Plan:
    """Raises Invalid with every field that the form can't take; then nothing must be sent."""
    changes: list[Change] = []
    notes: list[str] = []
    wire: dict[int, Wire] = {}
    problems: list[Problem] = []
    for path, value in asked.items():
        entry = labels.target(path)
        if entry is None:
            if value is None:
                notes.append(OwnNote(f"{path}: {_no_label(labels, path)}; there is nothing to clear."))
            else:
                problems.append(_problem(path, "planso_label_missing", _no_label(labels, path)))
            continue
        try:
            new, note = _new_state(entry, path, value)
        except writing.NotOffered as error:
            problems.append(_problem(path, "planso_not_offered", str(error)))
            continue
        if note:
            notes.append(OwnNote(f"{path} ('{entry.label}') {note}."))
        if new is not None and entry.is_locked:
            problems.append(_problem(path, "planso_read_only", f"PlanSo's '{entry.label}' is read only there"))
        elif new is not None:
            wire |= new
            changes.append(Change(path, value, entry.value(BY_PATH[path].kind), entry.label))
        notes += _still_supplied(labels, path, value, entry)
        if new is not None and value is None and path in IDENTITY:
            notes.append(f"{path} ('{entry.label}') is emptied.")
    if problems:
        raise Invalid(problems)
    return Plan(tuple(changes), tuple(notes), wire)


def _new_state(entry: Entry, path: str, value: Value) -> tuple[dict[int, Wire] | None, str]:
    """The controls' new state, None where they hold the value already; and what is lost."""
    kind = BY_PATH[path].kind
    if entry.is_choice:
        if values.same(kind, entry.value(kind), value):
            return None, ""
        chosen = writing.chosen_for(entry, kind, value)
        if chosen == entry.chosen:
            return None, ""
        if entry.control.type == "select":
            return {entry.control.index: chosen}, ""
        return {member.index: at in chosen for at, member in enumerate(entry.members)}, ""
    if entry.control.type == "checkbox":
        checked = writing.checked_for(kind, value)
        return (None if checked == entry.control.checked else {entry.control.index: checked}), ""
    written = writing.text_for(entry, kind, value)
    if writing.holds(entry, kind, value):
        return None, written.note
    return {entry.control.index: written.text}, written.note


def _no_label(labels: FieldLabels, path: str) -> str:
    names = " or ".join(f"'{name}'" for name in labels.names(path))
    taken = labels.entries(path)
    if taken:
        return f"this PlanSo's form has no label of its own for it; '{taken[0].label}' holds something else"
    return f"this PlanSo's form has no label {names}"


def _still_supplied(labels: FieldLabels, path: str, value: Value, cleared: Entry) -> list[str]:
    """After a clear another label may still hold a value, and the field is read from there."""
    if value is not None:
        return []
    kind = BY_PATH[path].kind
    others = [entry for entry in labels.entries(path) if entry is not cleared]
    return [
        f"{path}: '{cleared.label}' is empty, and '{entry.label}' still supplies a value."
        for entry in others
        if entry.value(kind) is not None
    ][:1]


def _problem(path: str, kind: str, told: str) -> Problem:
    return Problem(loc=("body", *path.split(".")), msg=told, type=kind)
