"""Take a snapshot of a form, as it was read or as a plan would send it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from planso_connector.domain.saving.snapshot import ControlState, Snapshot
from planso_connector.domain.values import is_empty_value
from planso_connector.planso.pages.change_plan import ChangePlan, ControlValue
from planso_connector.planso.pages.control import Control
from planso_connector.planso.pages.control_groups import group_controls
from planso_connector.planso.pages.control_plan import serialise_control
from planso_connector.planso.pages.markup import FormMarkup

if TYPE_CHECKING:
    from planso_connector.planso.pages.form_parser import Form

_BOX_TYPES = ("checkbox", "radio")


def take_snapshot(form: Form, plan: ChangePlan | None = None) -> Snapshot:
    """
    The state of every control by its name, in the form's order; one without a name by its label and label index.
    Buttons and file inputs are left out: they hold nothing of the order.
    """
    return form.columns.states if plan is None else form.columns.apply_plan(plan)


class _Column(NamedTuple):
    """The controls that share a name, with their label and how many equal labels precede it."""

    label: str
    label_index: int
    controls: Sequence[Control]


class FormColumns:
    """The controls of one form by column. A form that is compared several times builds their states once."""

    def __init__(self, markup: FormMarkup) -> None:
        groups = markup.contents.layout.control_groups if markup.contents is not None else group_controls(markup)
        controls = markup.controls
        self._columns = {
            group.name: _Column(group.label, group.label_index, [controls[index] for index in group.indexes])
            for group in groups
        }

    @cached_property
    def states(self) -> Snapshot:
        """The state of each column as the form was read."""
        return {name: _read_state(name, column) for name, column in self._columns.items()}

    def apply_plan(self, plan: ChangePlan) -> Snapshot:
        """The state of each column as the plan would send it: only those with a new value differ."""
        new_values = plan.new_values
        changed = {
            name: _build_state(name, column, new_values)
            for name, column in self._columns.items()
            if any(control.index in new_values for control in column.controls)
        }
        return {**self.states, **changed}


def _read_state(name: str, column: _Column) -> ControlState:
    """The state as it was read, remembered where one control has the name."""
    first = column.controls[0]
    if len(column.controls) > 1:
        return _build_state(name, column, {})
    if first.state is None:
        first.state = _build_state(name, column, {})
    return first.state


def _build_state(name: str, column: _Column, new_values: Mapping[int, ControlValue]) -> ControlState:
    values: list[str] = []
    shown: list[str] = []
    is_empty, options = True, frozenset[tuple[str, str]]()
    has_box = len(column.controls) > 1 and any(control.type == "checkbox" for control in column.controls)
    for control in column.controls:
        new = new_values.get(control.index)
        filled = control.script_value if new is None and control.is_sent else None
        values += [filled.value] if filled is not None and filled.value is not None else serialise_control(control, new)
        if has_box and control.type == "hidden":
            continue  # it is sent in place of an unchecked box
        text, is_control_empty = _read_shown(control, new)
        is_empty = is_empty and is_control_empty
        if text:
            shown.append(text)
        if control.options:
            options = frozenset((option.value, option.text) for option in control.options)
    is_sent = any(control.is_sent for control in column.controls)
    text = ", ".join(dict.fromkeys(shown)) if len(shown) > 1 else "".join(shown)
    return ControlState(name, column.label, column.label_index, tuple(values), text, is_empty, options, is_sent)


def _read_shown(control: Control, new: ControlValue | None) -> tuple[str, bool]:
    """What a person sees, and whether that is empty. What a script fills in is not empty, even where it is unknown."""
    if new is None and control.script_value is not None and control.type not in _BOX_TYPES:
        return control.script_value.text or control.script_value.value or "", False
    if control.type == "select":
        selected = new if isinstance(new, tuple) else control.selected_indexes
        chosen = [(index, control.options[index]) for index in selected]
        is_empty = all(option.is_nothing(first=index == 0) or option.value in ("", "0") for index, option in chosen)
        return ", ".join(option.text for _, option in chosen), is_empty
    if control.type in _BOX_TYPES:
        checked = new if isinstance(new, bool) else control.checked
        return (control.radio_label or "ja" if checked else ""), not checked
    text = new if isinstance(new, str) else control.value
    return text, is_empty_value(text)
