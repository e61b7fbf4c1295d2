"""
Decide before acting: which controls of a form change so that it holds what was asked, and what can't be done.

Source: the PlanSo protocol's section 6. Pure; nothing is sent from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from planso_connector.domain import values
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.fields import BY_PATH, FieldKind, Value
from planso_connector.domain.notes import RequestNote
from planso_connector.domain.operation import FieldChange
from planso_connector.planso.pages import control_values
from planso_connector.planso.pages.control import Control, FormEntry
from planso_connector.planso.pages.field_locator import FieldLocation, FieldLocator

ControlValue = str | bool | tuple[int, ...]
"""A control's new state: an input's text, whether a box or radio button is checked, a select's chosen options."""

_IDENTIFYING = {
    "person": "name",
    "phone": "phone number",
    "email": "e-mail address",
    "vehicle_details.number_plate": "number plate",
    "vehicle_details.vin": "VIN",
}
"""Fields by which an order is found; who clears one by accident has to notice."""


@dataclass(frozen=True)
class ChangePlan:
    """
    What a save changes. `notes` are sentences for the caller, OwnNotes where they say nothing of the order; `wire` is
    the new state by the index of the control.
    """

    changes: tuple[FieldChange, ...] = ()
    notes: tuple[str, ...] = ()
    new_values: Mapping[int, ControlValue] = field(default_factory=dict)


def plan_field_changes(
    handles: FieldLocator, asked: Mapping[str, Value], *, unknowable: Sequence[Control] = (), only_changed: bool = False
) -> ChangePlan:
    """
    Raises Invalid with every field that the form can't take; then nothing must be sent. `unknowable` are the controls
    that a script fills: they would be blanked by a save of the whole form, which is therefore refused. Where only the
    changed controls are sent (`only_changed`), they matter only if they are asked for.
    """
    changes: list[FieldChange] = []
    notes: list[str] = []
    wire: dict[int, ControlValue] = {}
    problems: list[Problem] = []
    for path, value in asked.items():
        handle = handles.handle(path)
        if handle is None:
            if value is None:
                notes.append(RequestNote(f"{path}: {_no_label(handles, path)}; there is nothing to clear."))
            else:
                problems.append(_problem(path, "planso_label_missing", _no_label(handles, path)))
            continue
        if handle.ambiguity:
            problems.append(_problem(path, "planso_ambiguous", describe_ambiguity(handle)))
            continue
        entry = handle.entry
        try:
            new, note = _new_states(handle, path, value)
        except control_values.NotOffered as error:
            problems.append(_problem(path, "planso_not_offered", str(error)))
            continue
        if note:
            notes.append(RequestNote(f"{path} ('{entry.label}') {note}."))
        if new is not None and all(one.is_read_only for one in handle.entries):
            problems.append(_problem(path, "planso_read_only", f"PlanSo's '{entry.label}' is read only there"))
        elif new is not None:
            wire |= new
            changes.append(FieldChange(path, value, entry.read_value(BY_PATH[path].kind), entry.label))
        if value is None:
            notes += _cleared(handles, path, handle, is_change=new is not None)
    if wire:
        filled = [control for control in unknowable if not only_changed or control.index in wire]
        problems += [Problem(("body",), _filled(control), "planso_script_filled") for control in filled]
    if problems:
        raise Invalid(problems)
    return ChangePlan(tuple(changes), tuple(notes), wire)


def describe_ambiguity(handle: FieldLocation) -> str:
    """Why a field can't be written, with the controls that it may be."""
    candidates = ", ".join(map(describe_candidate, handle.candidates))
    return f"where PlanSo's form holds it can't be told: {handle.ambiguity}; candidates: {candidates}"


def describe_candidate(entry: FormEntry) -> str:
    """`'Telefon' under 'Kunde' (k_tel)`: label, heading and name."""
    heading = f" under '{entry.heading}'" if entry.heading else ""
    return f"'{entry.label}'{heading} ({entry.control.name or 'without a name'})"


def _filled(control: Control) -> str:
    label = f"'{control.label}' ({control.name})" if control.label else f"'{control.name}'"
    return (
        f"PlanSo fills {label} by a script after the page has loaded; saving the form would empty it, so nothing is "
        "sent. It can be written once a save of this form was learned or tried"
    )


def _new_states(handle: FieldLocation, path: str, value: Value) -> tuple[dict[int, ControlValue] | None, str]:
    """The new state of all controls of the name, None where the last, which PlanSo keeps, holds the value already."""
    new, note = _new_state(handle.entry, path, value)
    if new is None or len(handle.entries) == 1:
        return new, note
    for entry in handle.entries[:-1]:
        more, _ = _new_state(entry, path, value)
        new |= more or {}
    return new, note


def _new_state(entry: FormEntry, path: str, value: Value) -> tuple[dict[int, ControlValue] | None, str]:
    """The controls' new state, None where they hold the value already; and what is lost."""
    kind = BY_PATH[path].kind
    if entry.is_choice:
        if values.are_equal(kind, entry.read_value(kind), value):
            return None, ""
        chosen = control_values.choose_options(entry, kind, value)
        is_unknown = not entry.selected_indexes and entry.control.type == "hidden" and entry.control.value != ""
        if chosen == entry.selected_indexes and not is_unknown:
            return None, ""
        if entry.control.type != "radio":
            return {entry.control.index: chosen}, ""
        return {member.index: at in chosen for at, member in enumerate(entry.controls)}, ""
    if entry.control.type == "checkbox":
        checked = control_values.choose_checked(kind, value)
        return (None if checked == entry.control.checked else {entry.control.index: checked}), ""
    if entry.time_control is not None:
        return _two_inputs(entry, entry.time_control, kind, value)
    written = control_values.format_for_control(entry, kind, value)
    if control_values.holds_value(entry, kind, value):
        return None, written.note
    return {entry.control.index: written.text}, written.note


def _two_inputs(
    entry: FormEntry, clock: Control, kind: FieldKind, value: Value
) -> tuple[dict[int, ControlValue] | None, str]:
    """The new state of an input for the date and one for the time of day; a time alone leaves the date."""
    if values.are_equal(kind, entry.read_value(kind), value):
        return None, ""
    text = str(value or "")
    day, _, time = text.partition("T") if value is None or "-" in text else ("", "", text)
    if clock.value.count(":") < 2 and time.count(":") == 2:
        time = time.removesuffix(":00")
    new: dict[int, ControlValue] = {}
    parts = [(clock, FieldKind.TIME, time), *([(entry.control, FieldKind.DATE, day)] if day or value is None else [])]
    for control, part, asked in parts:
        one = FormEntry(entry.label, entry.key, (control,))
        if not control_values.holds_value(one, part, asked or None):
            new[control.index] = control_values.format_for_control(one, part, asked or None).text
    return new or None, ""


def _no_label(handles: FieldLocator, path: str) -> str:
    names = " or ".join(f"'{name}'" for name in handles.names(path))
    taken = handles.handles(path)
    if taken:
        return f"this PlanSo's form has no label of its own for it; '{taken[0].entry.label}' holds something else"
    title = handles.title_of_another(path)
    if title:
        return f"this PlanSo's form has a label {names} under '{title}' only, which is not the customer"
    return f"this PlanSo's form has no label {names}"


def _cleared(handles: FieldLocator, path: str, cleared: FieldLocation, *, is_change: bool) -> list[str]:
    """After a clear another label may still hold a value, and the field is read from there; else it is gone."""
    kind = BY_PATH[path].kind
    others = [
        handle.entry for handle in handles.handles(path) if not handle.includes_control(cleared.entry.control.name)
    ]
    supplying = [entry for entry in others if entry.read_value(kind) is not None]
    if supplying:
        return [f"{path}: '{cleared.entry.label}' is empty, and '{supplying[0].label}' still supplies a value."]
    if is_change and path in _IDENTIFYING:
        return [RequestNote(f"{path} is cleared: the order has no {_IDENTIFYING[path]} any more.")]
    return []


def _problem(path: str, kind: str, told: str) -> Problem:
    return Problem(loc=("body", *path.split(".")), msg=told, type=kind)
