"""
Plan a save by control names and submitted values, as a damaged form's values before are written back. Pure.

`make_plan` in `planso.plan` is for fields and what they mean; here nothing is translated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.operation import FieldChange
from planso_connector.planso.pages.change_plan import ChangePlan, ControlValue
from planso_connector.planso.pages.control import Control
from planso_connector.planso.pages.markup import FormMarkup


def plan_control_values(page: FormMarkup, controls: Mapping[str, Sequence[str]]) -> ChangePlan:
    """
    What to change so that a browser would submit these values, in this order, for each control name.

    Raises Invalid that names each control that is not there, or can't submit them.
    """
    changes: list[FieldChange] = []
    wire: dict[int, ControlValue] = {}
    problems: list[Problem] = []
    labels = {member.index: entry.label for entry in page.entries for member in entry.controls}
    for name, wanted in controls.items():
        there = [control for control in page.controls if control.name == name and control.is_sent]
        if not there:
            problems.append(_problem(name, "planso_control_missing", f"this PlanSo's form has no control '{name}'"))
            continue
        state = next(_states(there, tuple(wanted)), None)
        if state is None:
            told = f"the control '{name}' of this PlanSo's form does not offer what it held"
            problems.append(_problem(name, "planso_not_offered", told))
            continue
        changed = {control.index: new for control, new in zip(there, state, strict=True) if new != _held(control)}
        if changed:
            wire |= changed
            held = ", ".join(value for control in there for value in submitted(control, _held(control)))
            label = next((labels[control.index] for control in there if control.index in labels), name)
            changes.append(FieldChange(name, ", ".join(wanted), held, label))
    if problems:
        raise Invalid(problems)
    return ChangePlan(tuple(changes), (), wire)


def submitted(control: Control, state: ControlValue) -> tuple[str, ...]:
    """The values that a browser submits for a control in this state."""
    if isinstance(state, str):
        return (state,)
    if isinstance(state, bool):
        return (control.value,) if state else ()
    return tuple(control.options[at].value for at in state)


def read_submitted_values(page: FormMarkup) -> dict[str, tuple[str, ...]]:
    """What a browser would submit of the form as it stands, by control name."""
    found: dict[str, tuple[str, ...]] = {}
    for control in page.controls:
        if control.is_sent:
            found[control.name] = (*found.get(control.name, ()), *submitted(control, _held(control)))
    return found


def _held(control: Control) -> ControlValue:
    if control.type == "select":
        return tuple(at for at in control.selected_indexes if not control.options[at].disabled)
    if control.type in ("checkbox", "radio"):
        return control.checked
    return control.value


def _states(controls: Sequence[Control], wanted: tuple[str, ...]) -> Iterator[tuple[ControlValue, ...]]:
    """The ways in which controls of one name submit exactly these values, in the form's order."""
    if not controls:
        if not wanted:
            yield ()
        return
    first, rest = controls[0], controls[1:]
    for state in _offered(first, wanted):
        took = submitted(first, state)
        if wanted[: len(took)] == took:
            yield from ((state, *others) for others in _states(rest, wanted[len(took) :]))


def _offered(control: Control, wanted: tuple[str, ...]) -> Iterator[ControlValue]:
    """The states of one control that may submit the beginning of `wanted`; as it stands first."""
    if control.type == "select":
        yield _held(control)
        if control.multiple:
            chosen = _in_order(control, wanted)
            yield from (chosen[:size] for size in range(len(chosen), -1, -1))
        else:
            yield from ((at,) for at, option in enumerate(control.options) if not option.disabled)
    elif control.type in ("checkbox", "radio"):
        yield True
        yield False
    elif wanted:
        yield wanted[0]


def _in_order(control: Control, wanted: tuple[str, ...]) -> tuple[int, ...]:
    """The options that submit the beginning of `wanted`; a browser submits them in their own order."""
    chosen: list[int] = []
    for at, option in enumerate(control.options):
        if not option.disabled and option.value == (*wanted, None)[len(chosen)]:
            chosen.append(at)
    return tuple(chosen)


def _problem(name: str, kind: str, told: str) -> Problem:
    return Problem(loc=("body", name), msg=told, type=kind)
