"""
Plan a save by control names and submitted values, as to write a damaged form's values back; nothing is translated.
`change_plan` plans by fields.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.messages import MESSAGES
from planso_connector.domain.operation import FieldChange
from planso_connector.planso.pages.change_plan import ChangePlan, ControlValue
from planso_connector.planso.pages.control import Control
from planso_connector.planso.pages.markup import FormMarkup


def plan_control_values(markup: FormMarkup, wanted: Mapping[str, Sequence[str]]) -> ChangePlan:
    """
    Plan what a browser has to submit, by control name and in this order.

    Raises Invalid that names each control that is not there, or can't submit these values.
    """
    changes: list[FieldChange] = []
    new_values: dict[int, ControlValue] = {}
    problems: list[Problem] = []
    labels = {control.index: entry.label for entry in markup.entries for control in entry.controls}
    for name, texts in wanted.items():
        controls = [control for control in markup.controls if control.name == name and control.is_sent]
        found = next(_find_values(controls, tuple(texts)), None) if controls else None
        if found is None:
            error_type = "planso_not_offered" if controls else "planso_control_missing"
            message = MESSAGES["planso_control_offer" if controls else "planso_control_missing"].format(name=name)
            problems.append(Problem.of(("body", name), message, error_type))
            continue
        current = {control.index: current_value(control) for control in controls}
        changed = {c.index: new for c, new in zip(controls, found, strict=True) if new != current[c.index]}
        if changed:
            new_values |= changed
            before = ", ".join(text for control in controls for text in sent_texts(control, current[control.index]))
            label = next((labels[control.index] for control in controls if control.index in labels), name)
            changes.append(FieldChange(name, ", ".join(texts), before, label))
    if problems:
        raise Invalid(problems)
    return ChangePlan(tuple(changes), (), new_values)


def read_submitted_values(markup: FormMarkup) -> dict[str, tuple[str, ...]]:
    """What a browser would submit of the unchanged form, by control name."""
    submitted: dict[str, tuple[str, ...]] = {}
    for control in markup.controls:
        if control.is_sent:
            submitted[control.name] = (*submitted.get(control.name, ()), *sent_texts(control, current_value(control)))
    return submitted


def sent_texts(control: Control, value: ControlValue) -> tuple[str, ...]:
    """The texts that a browser submits for a control with this value; none for an unchecked box."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bool):
        return (control.value,) if value else ()
    texts = tuple(control.options[i].value for i in value if not control.options[i].disabled)
    return (",".join(texts),) if control.type == "hidden" else texts


def serialise_control(control: Control, new_value: ControlValue | None, known: Collection[str] = ()) -> tuple[str, ...]:
    """
    What a browser sends for one control; nothing for an unchecked box. `known`: names of the controls of which it was
    seen that a browser sends what a script fills in.
    """
    if not control.is_sent and (new_value is None or not control.is_outside):
        return ()
    has_text = control.type not in ("select", "checkbox", "radio")
    if new_value is None and control.script_value is not None and control.name in known and has_text:
        return (control.script_value.value or "",)
    return sent_texts(control, current_value(control) if new_value is None else new_value)


def current_value(control: Control) -> ControlValue:
    if control.type == "select":
        return tuple(i for i in control.selected_indexes if not control.options[i].disabled)
    return control.checked if control.type in ("checkbox", "radio") else control.value


def _find_values(controls: Sequence[Control], texts: tuple[str, ...]) -> Iterator[tuple[ControlValue, ...]]:
    """The ways in which controls of one name submit exactly these texts, in the form's order."""
    if not controls:
        if not texts:
            yield ()
        return
    first, rest = controls[0], controls[1:]
    for value in _candidate_values(first, texts):
        submitted = sent_texts(first, value)
        if texts[: len(submitted)] == submitted:
            yield from ((value, *others) for others in _find_values(rest, texts[len(submitted) :]))


def _candidate_values(control: Control, texts: tuple[str, ...]) -> Iterator[ControlValue]:
    """The values of one control that may submit the beginning of `texts`; its current one first."""
    if control.type == "select":
        yield current_value(control)
        if control.multiple:
            chosen = _choose_in_order(control, texts)
            yield from (chosen[:size] for size in range(len(chosen), -1, -1))
        else:
            yield from ((i,) for i, option in enumerate(control.options) if not option.disabled)
    elif control.type in ("checkbox", "radio"):
        yield True
        yield False
    elif texts:
        yield texts[0]


def _choose_in_order(control: Control, texts: tuple[str, ...]) -> tuple[int, ...]:
    """The options that submit the beginning of `texts`; a browser submits them in their own order."""
    chosen: list[int] = []
    for i, option in enumerate(control.options):
        if not option.disabled and option.value == (*texts, None)[len(chosen)]:
            chosen.append(i)
    return tuple(chosen)
