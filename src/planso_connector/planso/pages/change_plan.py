"""
Plan which controls of a form change so that it holds the requested field values. Nothing is sent from here. Source: the
PlanSo protocol's section 6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from planso_connector.domain import values
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.fields import BY_PATH, FieldKind, Value
from planso_connector.domain.messages import MESSAGES, Message
from planso_connector.domain.notes import RequestNote
from planso_connector.domain.operation import FieldChange
from planso_connector.planso.pages import control_values
from planso_connector.planso.pages.control import Control, FormEntry
from planso_connector.planso.pages.field_locator import FieldLocation, FieldLocator

ControlValue = str | bool | tuple[int, ...]
"""A control's new value: an input's text, whether a box or radio button is checked, the indexes of chosen options."""

_IDENTIFYING = {
    "person": "name",
    "phone": "phone number",
    "email": "e-mail address",
    "vehicle_details.number_plate": "number plate",
    "vehicle_details.vin": "VIN",
}
"""Fields by which an order is found: a caller who clears one by accident has to notice."""


@dataclass(frozen=True)
class ChangePlan:
    """
    What a save changes. `notes` are sentences for the caller, RequestNotes where they say nothing of the order;
    `new_values` are by the control's index.
    """

    changes: tuple[FieldChange, ...] = ()
    notes: tuple[str, ...] = ()
    new_values: Mapping[int, ControlValue] = field(default_factory=dict)


def plan_field_changes(
    locator: FieldLocator,
    requested: Mapping[str, Value],
    *,
    script_filled: Sequence[Control] = (),
    only_changed: bool = False,
) -> ChangePlan:
    """
    Plan the requested values by field path; None clears. Raises Invalid with every field that the form can't take.

    A save of the whole form would blank the `script_filled` controls, and is refused. Where only the changed controls
    are sent (`only_changed`), they matter only if they are requested.
    """
    planner = _FieldPlanner(locator)
    for path, value in requested.items():
        planner.plan(path, value)
    problems = planner.problems
    if planner.new_values:
        refused = [control for control in script_filled if not only_changed or control.index in planner.new_values]
        problems += [
            Problem.of(("body",), _describe_script_filled(control), "planso_script_filled") for control in refused
        ]
    if problems:
        raise Invalid(problems)
    return ChangePlan(tuple(planner.changes), tuple(planner.notes), planner.new_values)


class _FieldPlanner:
    def __init__(self, locator: FieldLocator) -> None:
        self._locator = locator
        self.changes: list[FieldChange] = []
        self.notes: list[str] = []
        self.new_values: dict[int, ControlValue] = {}
        self.problems: list[Problem] = []

    def plan(self, path: str, value: Value) -> None:
        location = self._locator.write_location(path)
        if location is None and value is None:
            self.notes.append(RequestNote(f"{path}: {self._describe_missing(path).en}; there is nothing to clear."))
        elif location is None:
            self._refuse(path, "planso_label_missing", self._describe_missing(path))
        elif location.ambiguity:
            candidates = ", ".join(map(describe_candidate, location.candidates))
            message = MESSAGES["planso_ambiguous"].format(reason=location.ambiguity, candidates=candidates)
            self._refuse(path, "planso_ambiguous", message)
        else:
            try:
                self._plan_located(path, value, location)
            except control_values.NotOffered as error:
                self._refuse(path, "planso_not_offered", error.message)

    def _plan_located(self, path: str, value: Value, location: FieldLocation) -> None:
        entry, kind = location.entry, BY_PATH[path].kind
        new_values, note = _plan_entry(entry, kind, value)
        if new_values:  # of equal names PlanSo keeps the last; the others go along
            for other in location.entries[:-1]:
                new_values |= _plan_entry(other, kind, value)[0]
        if note:
            self.notes.append(RequestNote(f"{path} ('{entry.label}') {note}."))
        if new_values and all(entry.is_read_only for entry in location.entries):
            self._refuse(path, "planso_read_only", MESSAGES["planso_read_only"].format(label=entry.label))
        elif new_values:
            self.new_values |= new_values
            self.changes.append(FieldChange(path, value, entry.read_value(kind), entry.label))
        if value is None:
            self._note_cleared(path, location, is_change=bool(new_values))

    def _note_cleared(self, path: str, cleared: FieldLocation, *, is_change: bool) -> None:
        """Note that the field is still read from another label; or that the order has no such value any more."""
        name, kind = cleared.entry.control.name, BY_PATH[path].kind
        others = [other.entry for other in self._locator.locations(path) if not other.includes_control(name)]
        other = next((entry for entry in others if entry.read_value(kind) is not None), None)
        if other is not None:
            self.notes.append(f"{path}: '{cleared.entry.label}' is empty, and '{other.label}' still supplies a value.")
        elif is_change and path in _IDENTIFYING:
            self.notes.append(RequestNote(f"{path} is cleared: the order has no {_IDENTIFYING[path]} any more."))

    def _describe_missing(self, path: str) -> Message:
        names = " or ".join(f"'{label}'" for label in self._locator.labels(path))
        locations = self._locator.locations(path)
        if locations:
            return MESSAGES["planso_label_taken"].format(label=locations[0].entry.label)
        title = self._locator.find_other_party_title(path)
        if title:
            return MESSAGES["planso_other_party"].format(names=names, title=title)
        return MESSAGES["planso_label_missing"].format(names=names)

    def _refuse(self, path: str, error_type: str, message: Message) -> None:
        self.problems.append(Problem.of(("body", *path.split(".")), message, error_type))


def describe_candidate(entry: FormEntry) -> str:
    """`'Telefon' under 'Kunde' (k_tel)`: label, heading and name."""
    heading = f" under '{entry.heading}'" if entry.heading else ""
    return f"'{entry.label}'{heading} ({entry.control.name or 'without a name'})"


def _describe_script_filled(control: Control) -> Message:
    label = f"'{control.label}' ({control.name})" if control.label else f"'{control.name}'"
    return MESSAGES["planso_script_filled"].format(label=label)


def _plan_entry(entry: FormEntry, kind: FieldKind, value: Value) -> tuple[dict[int, ControlValue], str]:
    """The new values of its controls, empty where they hold the value already; and a note on what is lost."""
    if entry.is_choice:
        return _plan_choice(entry, kind, value), ""
    if entry.control.type == "checkbox":
        checked = control_values.choose_checked(kind, value)
        return ({} if checked == entry.control.checked else {entry.control.index: checked}), ""
    if entry.time_control is not None:
        return _plan_date_and_time(entry, entry.time_control, kind, value), ""
    written = control_values.format_for_control(entry, kind, value)
    return ({} if control_values.holds_value(entry, kind, value) else {entry.control.index: written.text}), written.note


def _plan_choice(entry: FormEntry, kind: FieldKind, value: Value) -> dict[int, ControlValue]:
    if values.are_equal(kind, entry.read_value(kind), value):
        return {}
    chosen = control_values.choose_options(entry, kind, value)
    is_unknown = not entry.selected_indexes and entry.control.type == "hidden" and entry.control.value != ""
    if chosen == entry.selected_indexes and not is_unknown:
        return {}
    if entry.control.type == "radio":
        return {button.index: i in chosen for i, button in enumerate(entry.controls)}
    return {entry.control.index: chosen}


def _plan_date_and_time(
    entry: FormEntry, time_control: Control, kind: FieldKind, value: Value
) -> dict[int, ControlValue]:
    """The new values of an input for the date and one for the time of day; a time alone leaves the date."""
    if values.are_equal(kind, entry.read_value(kind), value):
        return {}
    day, time = control_values.split_moment(str(value or ""))
    if time_control.value.count(":") < 2 and time.count(":") == 2:
        time = time.removesuffix(":00")
    new_values: dict[int, ControlValue] = {}
    parts = [(time_control, FieldKind.TIME, time)]
    if day or value is None:
        parts.append((entry.control, FieldKind.DATE, day))
    for control, part_kind, part in parts:
        part_entry = FormEntry(entry.label, entry.key, (control,))
        if not control_values.holds_value(part_entry, part_kind, part or None):
            new_values[control.index] = control_values.format_for_control(part_entry, part_kind, part or None).text
    return new_values
