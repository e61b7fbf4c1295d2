"""
Find each field in a form: by the column in a control's name, else by its label. What is ambiguous is reported, never
guessed: a label that occurs twice, a label and a column that disagree, a control with two labels.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from planso_connector.domain.fields import BY_PATH, MAX_LABEL_LENGTH, Value
from planso_connector.domain.order import PLATE, UnreadableValue
from planso_connector.planso.pages.column_names import group_by_column
from planso_connector.planso.pages.control import Control, FormEntry
from planso_connector.planso.pages.field_values import (
    STRICT_KINDS,
    FieldValues,
    find_unparsed,
    find_unreadable,
    is_empty_value,
    may_hold_plate,
)
from planso_connector.planso.pages.section_titles import Party, classify_party, find_nearest_party
from planso_connector.planso.pages.text import label_key
from planso_connector.planso.profile import Profile

_CUSTOMER_FIELDS = frozenset({"person", "phone", "email", "customer_category", "address_notes"}) | {
    path for path in BY_PATH if path.startswith("vehicle") and path != "vehicle.leasing"
}
"""Fields that are never those of another party: not found at all under the heading of an insurance."""
_OTHER_PARTY_FIELDS = frozenset(
    path
    for path in BY_PATH
    if path in ("insurance_adjuster", "deductible", "activate_invoice")
    or path.startswith(("rental_car_", "external_calculation"))
)
"""Fields that belong under the heading of an insurance, an adjuster or a rental car."""


@dataclass(eq=False, slots=True)
class FieldLocation:
    """
    Where one label or column of a field leads. `entries` are the candidates; where `ambiguity` is empty they all have
    one control name and are written together, and PlanSo keeps the last. `is_contested`: another field claims it.
    """

    name: str
    is_column: bool
    entries: tuple[FormEntry, ...]
    ambiguity: str = ""
    is_contested: bool = False

    @property
    def entry(self) -> FormEntry:
        return self.entries[-1]

    @property
    def candidates(self) -> tuple[FormEntry, ...]:
        """The entries and their alternatives, each for itself."""
        found = {entry.control.index: entry for entry in self.entries}
        for entry in self.entries:
            for other in entry.alternatives:
                found.setdefault(other.index, FormEntry(other.label or entry.label, entry.key, (other,)))
        return tuple(found.values())

    def includes_control(self, name: str) -> bool:
        """Whether a control of this name is among the candidates."""
        return any(
            control is not None and control.name == name
            for entry in self.candidates
            for control in (entry.control, entry.time_control)
        )


class FieldLocator:
    """Finds the fields of one form."""

    def __init__(self, entries: Sequence[FormEntry], controls: Sequence[Control], profile: Profile) -> None:
        self._profile = profile
        self._entries, self._controls = entries, controls
        self._locations: dict[str, list[FieldLocation]] = {}
        self._write_locations: dict[str, FieldLocation | None] = {}
        self._first: dict[str, FormEntry] = {}
        """The first entry of each label key."""
        self._repeated: dict[str, list[FormEntry]] = {}
        """All entries of the label keys that occur more than once."""
        for entry in entries:
            first = self._first.setdefault(entry.key, entry)
            if first is not entry:
                self._repeated.setdefault(entry.key, [first]).append(entry)
        self._by_column = group_by_column(controls, profile.fields_by_column)
        self._column_by_name = {controls[0].name: column for column, controls in self._by_column.items()}
        self.other_party_entries = [entry for entry in entries if _find_party(entry) is Party.OTHER]
        self._plain = {} if self._by_column else self._find_plain_entries()

    def _find_plain_entries(self) -> dict[str, FormEntry]:
        """The entries by key that leave nothing to decide: a label that occurs once, a name that is sent once."""
        counts = Counter(control.name for control in self._controls if control.is_sent)
        others = {entry.key for entry in self.other_party_entries}
        return {
            key: entry
            for key, entry in self._first.items()
            if not entry.ambiguity
            and key not in self._repeated
            and counts[entry.control.name] < 2
            and key not in others
        }

    @cached_property
    def _sent_by_name(self) -> dict[str, list[Control]]:
        found: dict[str, list[Control]] = {}
        for control in self._controls:
            if control.is_sent:
                found.setdefault(control.name, []).append(control)
        return found

    @cached_property
    def _entries_by_index(self) -> dict[int, list[FormEntry]]:
        """The entries of each control, by its index."""
        found: dict[int, list[FormEntry]] = {}
        for entry in self._entries:
            for control in (entry.control, entry.time_control):
                if control is not None:
                    found.setdefault(control.index, []).append(entry)
        return found

    def _find_entries(self, key: str) -> Sequence[FormEntry]:
        """The entries with this label key."""
        first = self._first.get(key)
        return self._repeated.get(key, (first,)) if first is not None else ()

    def labels(self, path: str) -> tuple[str, ...]:
        """The labels that are tried for a field."""
        return self._profile.labels[path]

    def locations(self, path: str) -> Sequence[FieldLocation]:
        """The field's locations in this form: its column, then its labels in the order in which they are tried."""
        found = self._locations.get(path)
        if found is None:
            found = self._locate_by_label(path)
            column = self._locate_by_column(path) if self._by_column else None
            if column is not None:
                name = column.entry.control.name
                found = [column, *(location for location in found if not location.includes_control(name))]
            self._locations[path] = found
        return found

    def _readable_locations(self, path: str) -> Sequence[FieldLocation]:
        """
        The locations that count for the field. A plate is looked for at a later label (`Fahrzeug`) only where that is
        empty or holds a plate: it is the vehicle's name elsewhere.
        """
        return self._filter_for_plate(self.locations(path)) if path == PLATE else self.locations(path)

    def read_labels(self) -> dict[str, str]:
        """What every label shows; of equal labels the first that is not empty, another party's last."""
        texts: dict[str, str] = {}
        other_ids = set(map(id, self.other_party_entries))
        for entry in self._entries:
            if len(entry.label) <= MAX_LABEL_LENGTH and not texts.get(entry.label):
                texts[entry.label] = "" if id(entry) in other_ids else entry.display_text
        for entry in self.other_party_entries:
            if entry.label in texts:
                texts[entry.label] = texts[entry.label] or entry.display_text
        return texts

    @property
    def labelled_paths(self) -> frozenset[str]:
        """The fields that the form has."""
        return frozenset(filter(self._has_field, BY_PATH))

    def _has_field(self, path: str) -> bool:
        return not self._plain.keys().isdisjoint(self._profile.label_keys[path]) or bool(self.locations(path))

    def write_target(self, path: str) -> FormEntry | None:
        """The entry that a write goes to, the one that PlanSo keeps; None where there is none, or it is ambiguous."""
        location = self.write_location(path)
        return location.entry if location is not None and not location.ambiguity else None

    def write_location(self, path: str) -> FieldLocation | None:
        """
        Where a write goes, to clear as well: the column, else the first label that is there. So a repeated request
        changes nothing, and another label's value (`Halter`, `Fahrzeugeingang (Ist)`) is never lost by it. Its
        `ambiguity` says why it must not be written.
        """
        if path not in self._write_locations:
            locations = self._readable_locations(path)
            self._write_locations[path] = self.check(path, locations[0]) if locations else None
        return self._write_locations[path]

    def read_all(self) -> FieldValues:
        found = FieldValues({}, {}, set())
        for path in BY_PATH:
            self.read_field(path, found)
        return found

    def read_field(self, path: str, found: FieldValues) -> None:
        """Add the field to what was found."""
        value, is_ambiguous = self.read_value(path)
        text = self.find_unreadable(path, value)
        found.values[path] = value if text is None else None
        if text is not None:
            found.unreadable[path] = text
        if is_ambiguous:
            found.ambiguous.add(path)

    def read_value(self, path: str) -> tuple[Value, bool]:
        """
        The field's canonical value, None where nothing holds one; and whether that is because several controls may
        hold the field and say different things, or several fields claim its control.
        """
        kind = BY_PATH[path].kind
        empty: Value = None
        if path != PLATE and self._plain:
            for key in self._profile.label_keys[path]:
                entry = self._plain.get(key)
                if entry is None and key in self._first:
                    break
                value = entry.read_value(kind) if entry is not None else None
                if not is_empty_value(value):
                    return value, False
                empty = value if empty is None else empty
            else:
                return empty, False
        for index, location in enumerate(self._readable_locations(path)):
            checked = self.write_location(path) if index == 0 else location
            if checked is not None and checked.ambiguity:
                candidates = [entry.read_value(kind) for entry in checked.candidates]
                if checked.is_contested or any(value != candidates[0] for value in candidates):
                    return None, True
            value = location.entry.read_value(kind)
            if not is_empty_value(value):
                return value, False
            empty = value if empty is None else empty
        return empty, False

    def find_unreadable(self, path: str, value: Value) -> UnreadableValue | None:
        """Content that is not the field's value, or too long to be kept; None for nothing."""
        return find_unreadable(path, value, lambda: self._find_unparsed(path))

    def _find_unparsed(self, path: str) -> str | None:
        """The text at one of the field's locations that its kind, a date or number, can't hold."""
        if BY_PATH[path].kind not in STRICT_KINDS:
            return None
        keys = [key for key in self._profile.label_keys[path] if key in self._first]
        if not self._by_column and all(key in self._plain for key in keys):
            entries = [self._plain[key] for key in keys]
        else:
            entries = [location.entry for location in self._readable_locations(path)]
        return find_unparsed(path, entries)

    def column_hints(self) -> list[tuple[str, str, Control]]:
        """Columns that may be a field's, which is not certain enough to use: path, column, control."""
        return [
            (path, column, controls[0])
            for column, controls in self._by_column.items()
            for path in self._profile.fields_by_candidate_column.get(column, ())
            if not self.locations(path)
        ]

    def find_other_party_title(self, path: str) -> str:
        """The title under which a label of the field means another party; empty where there is none."""
        entries = [entry for key in self._profile.label_keys[path] for entry in self._find_entries(key)]
        return next((entry.full_label or entry.heading for entry in entries if _find_party(entry) is Party.OTHER), "")

    def _locate_by_column(self, path: str) -> FieldLocation | None:
        for column in self._profile.columns.get(path, ()):
            controls = self._by_column.get(column.casefold())
            if controls:
                entries = self._add_equal_names(self._make_column_entry(controls))
                return FieldLocation(column, is_column=True, entries=entries)
        return None

    def _make_column_entry(self, controls: Sequence[Control]) -> FormEntry:
        """The controls of one name as an entry: radio buttons as one, a check box without its hidden zero."""
        radios = tuple(control for control in controls if control.type == "radio")
        first = next((control for control in controls if control.type != "hidden"), controls[-1])
        labelled = next(iter(self._entries_by_index.get((radios[0] if radios else first).index, ())), None)
        if labelled is None:
            return FormEntry(first.name, label_key(first.name), radios or (first,))
        return replace(labelled, alternatives=(), ambiguity="")

    def _locate_by_label(self, path: str) -> list[FieldLocation]:
        locations = []
        for label, key in zip(self._profile.labels[path], self._profile.label_keys[path], strict=True):
            entries = self._find_entries(key)
            location = _decide(path, label, entries) if entries else None
            if location is None:
                continue
            if location.ambiguity:
                location.is_contested = self._is_contested(path, location.entry)
            elif len(self._sent_by_name.get(location.entry.control.name, ())) > 1:
                location.entries = self._add_equal_names(location.entry)
            locations.append(location)
        return locations

    def _add_equal_names(self, entry: FormEntry) -> tuple[FormEntry, ...]:
        """
        An entry for each control of the name, in the form's order: PlanSo keeps the last of equal names. Without what
        comes before it for the case that it is not sent (a hidden zero), and without the members of a list.
        """
        control = entry.control
        controls = self._sent_by_name.get(control.name, ())
        if len(controls) < 2 or control.type == "radio":
            return (entry,)
        if control.type == "checkbox":
            same = [other for other in controls if other.type == "checkbox" and other.value == control.value]
        elif control.name.endswith("[]"):
            same = [other for other in controls if other.label == control.label and other.type == control.type]
        else:
            same = [
                other
                for other in controls
                if other.type != "hidden" or other.value == control.value or other.index >= control.index
            ]
        return tuple(
            entry if other is control else FormEntry(entry.label, entry.key, (other,), entry.full_label)
            for other in same
        )

    def _is_contested(self, path: str, entry: FormEntry) -> bool:
        """Whether a label of another field names the same control."""
        others = {other.key for other in self._entries_by_index.get(entry.control.index, ())}
        return not (others - set(self._profile.label_keys[path])).isdisjoint(self._profile.fields_by_label)

    def _filter_for_plate(self, locations: Sequence[FieldLocation]) -> list[FieldLocation]:
        first = self._profile.label_keys[PLATE][0]
        return [
            found for found in locations if found.is_column or found.entry.key == first or may_hold_plate(found.entry)
        ]

    def check(self, path: str, location: FieldLocation) -> FieldLocation:
        """The location, marked as ambiguous where a label and a column disagree."""
        if location.is_column:
            return self._compare_with_labels(path, location)
        column = None if location.ambiguity else self._column_by_name.get(location.entry.control.name)
        fields = self._profile.fields_by_column[column] if column is not None else ()
        if not fields or path in fields or any(location.entry.key in self._profile.label_keys[f] for f in fields):
            return location
        ambiguity = f"the control '{location.entry.control.name}' is named like the column of {' and '.join(fields)}"
        return FieldLocation(location.name, False, location.entries, ambiguity, is_contested=True)

    def _compare_with_labels(self, path: str, location: FieldLocation) -> FieldLocation:
        control, name, entries = location.entry.control, location.name, location.entries
        for index, other in enumerate(self._locate_by_label(path)):
            if other.includes_control(control.name):
                return location
            if path == PLATE and not self._filter_for_plate([other]):
                continue
            if (index or other.name != self.labels(path)[0]) and self._has_other_column(path, other):
                # `Halter` beside `Fahrername`: a label of its own column says nothing against the first.
                continue
            ambiguity = f"the label '{other.entry.label}' and the column '{name}' are different controls"
            return FieldLocation(name, True, (*other.entries, *entries), ambiguity)
        for entry in self._entries_by_index.get(control.index, ()):
            if entry.key in self._profile.fields_by_label:
                ambiguity = f"the column '{name}' is under the label '{entry.label}', which is another field's"
                return FieldLocation(name, True, entries, ambiguity, is_contested=True)
        return location

    def _has_other_column(self, path: str, location: FieldLocation) -> bool:
        column = self._column_by_name.get(location.entry.control.name)
        return column is not None and path not in self._profile.fields_by_column[column]


def _decide(path: str, label: str, entries: Sequence[FormEntry]) -> FieldLocation | None:
    """The location of one label; None where it only occurs where it means another party."""
    first = entries[0]
    if len(entries) == 1 and (path not in _CUSTOMER_FIELDS or _find_party(first) is not Party.OTHER):
        return FieldLocation(label, False, (first,), first.ambiguity)
    if path in _CUSTOMER_FIELDS:
        entries = [entry for entry in entries if _find_party(entry) is not Party.OTHER]
        if not entries:
            return None
    filters: list[Callable[[FormEntry], bool]] = [lambda entry: entry.is_sent, lambda entry: not entry.is_read_only]
    if path not in _OTHER_PARTY_FIELDS:
        filters.append(lambda entry: _find_party(entry) is not Party.OTHER)
        filters.append(lambda entry: _find_party(entry) is Party.CUSTOMER)
    for is_preferred in filters:
        if _count_names(entries) > 1:
            entries = list(filter(is_preferred, entries)) or entries
    if _count_names(entries) > 1:
        return FieldLocation(label, False, tuple(entries), f"the label '{label}' occurs more than once")
    ambiguity = next((entry.ambiguity for entry in entries if entry.ambiguity), "")
    return FieldLocation(label, False, tuple(entries), ambiguity)


def _count_names(entries: Iterable[FormEntry]) -> int:
    """How many control names there are; controls without one differ from each other."""
    return len({entry.control.name or f"\0{entry.control.index}" for entry in entries})


def _find_party(entry: FormEntry) -> Party | None:
    """Whose data an entry holds: by what else its label has, else by the nearest heading that names a party."""
    return (classify_party(entry.full_label) if entry.full_label else None) or find_nearest_party(
        entry.control.headings
    )
