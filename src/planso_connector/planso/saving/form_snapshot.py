"""Take the snapshot of a form, as it stands or as a plan would send it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from planso_connector.domain.saving.snapshot import ControlState
from planso_connector.domain.values import is_empty_value
from planso_connector.planso.pages.change_plan import ChangePlan, ControlValue
from planso_connector.planso.pages.control import NEVER_SENT_TYPES, Control, FormEntry
from planso_connector.planso.pages.form import Form, serialise_control


def take_snapshot(form: Form, plan: ChangePlan | None = None) -> dict[str, ControlState]:
    """
    Every control of the form by its name, in the form's order; one without a name by its label and place. Buttons and
    files hold nothing of the order.
    """
    entries, places = _entries(form)
    groups: dict[str, list[Control]] = {}
    for control in form.markup.controls:
        if control.type in NEVER_SENT_TYPES:
            continue
        entry = entries.get(control.index)
        column = control.name or (f"{entry.label} #{places[entry]}" if entry is not None else "")
        if column:
            groups.setdefault(column, []).append(control)
    wire = plan.new_values if plan is not None else {}
    states = {}
    for column, controls in groups.items():
        entry = next((entries[control.index] for control in controls if control.index in entries), None)
        label, place = (entry.label, places[entry]) if entry is not None else ("", 0)
        states[column] = _state(ControlState(column, label, place), controls, wire)
    return states


def _entries(form: Form) -> tuple[dict[int, FormEntry], dict[FormEntry, int]]:
    """The label of each control by the control's index, and how many labels of the same words stand before it."""
    seen: Counter[str] = Counter()
    found: dict[int, FormEntry] = {}
    places = {}
    for entry in form.markup.entries:
        places[entry] = seen[entry.key]
        seen[entry.key] += 1
        for member in entry.controls:
            found.setdefault(member.index, entry)
    return found, places


def _state(named: ControlState, controls: Sequence[Control], wire: Mapping[int, ControlValue]) -> ControlState:
    values: list[str] = []
    shown: list[str] = []
    is_empty, offer = True, frozenset[tuple[str, str]]()
    has_box = any(control.type == "checkbox" for control in controls)
    for control in controls:
        new = wire.get(control.index)
        filled = control.script_value if new is None and control.is_sent else None
        values += [filled.value] if filled is not None and filled.value is not None else serialise_control(control, new)
        if has_box and control.type == "hidden":
            continue  # what stands for the box while it is not checked
        text, nothing = _shown(control, new)
        is_empty = is_empty and nothing
        if text:
            shown.append(text)
        if control.options:
            offer = frozenset((option.value, option.text) for option in control.options)
    return replace(
        named,
        values=tuple(values),
        shown=", ".join(dict.fromkeys(shown)),
        is_empty=is_empty,
        options=offer,
        is_sent=any(control.is_sent for control in controls),
    )


def _shown(control: Control, new: ControlValue | None) -> tuple[str, bool]:
    """What a person sees, and whether it is nothing: what a script fills is something, also where it is not known."""
    if new is None and control.script_value is not None and control.type not in ("checkbox", "radio"):
        return control.script_value.text or control.script_value.value or "", False
    if control.type == "select":
        chosen = new if isinstance(new, tuple) else control.selected_indexes
        options = [(at, control.options[at]) for at in chosen]
        nothing = all(option.is_nothing(first=at == 0) or option.value in ("", "0") for at, option in options)
        return ", ".join(option.text for _, option in options), nothing
    if control.type in ("checkbox", "radio"):
        checked = new if isinstance(new, bool) else control.checked
        return (control.radio_label or "ja" if checked else ""), not checked
    text = new if isinstance(new, str) else control.value
    return text, is_empty_value(text)
