"""
Where a form holds which field: found by the column in a control's name, else by its label. What can't be told is said,
never guessed: a label that stands twice, a label and a column that disagree, a control with two labels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from planso_connector.domain.fields import BY_PATH, TEMPORAL_KINDS, FieldKind, Value
from planso_connector.domain.input_warnings import looks_like_plate
from planso_connector.domain.order import MAX_UNREADABLE_LENGTH, PLATE, OversizedText, UnreadableValue
from planso_connector.planso.pages.column_names import group_by_column
from planso_connector.planso.pages.control import Control, FormEntry
from planso_connector.planso.pages.section_titles import Party, classify_party, find_nearest_party
from planso_connector.planso.pages.text import label_key
from planso_connector.planso.profile import Profile

_STRICT = TEMPORAL_KINDS | {FieldKind.NUMBER}
_NOTHING = re.compile(r"[0\s\xa0.:/-]*")
"""An empty date or time; some databases show it as `00.00.0000`."""

_CUSTOMERS = frozenset({"person", "phone", "email", "customer_category", "address_notes"}) | {
    path for path in BY_PATH if path.startswith("vehicle") and path != "vehicle.leasing"
}
"""Fields that are never those of somebody else: not found at all under the heading of an insurance."""
_OF_OTHERS_TOO = re.compile(r"insurance_adjuster|deductible|rental_car_\w+|external_calculation\w*|activate_invoice")
"""Fields that stand under the heading of an insurance, an adjuster or a rental car by right."""


@dataclass(eq=False, slots=True)
class FieldLocation:
    """
    How one name of a field leads into the form. `entries` are the candidates; where `doubt` is empty they all have one
    name and are written together, the last of them is what PlanSo keeps. `is_contested`: another field claims it.
    """

    name: str
    """The label or the column that was looked for."""
    is_column: bool
    entries: tuple[FormEntry, ...]
    ambiguity: str = ""
    is_contested: bool = False

    @property
    def entry(self) -> FormEntry:
        return self.entries[-1]

    @property
    def candidates(self) -> tuple[FormEntry, ...]:
        """The entries and their rivals, each for itself."""
        found = {entry.control.index: entry for entry in self.entries}
        for entry in self.entries:
            for rival in entry.alternatives:
                found.setdefault(rival.index, FormEntry(rival.label or entry.label, entry.key, (rival,)))
        return tuple(found.values())

    def includes_control(self, name: str) -> bool:
        """Whether a control of this name is among the candidates."""
        return any(
            entry.control.name == name or (entry.time_control is not None and entry.time_control.name == name)
            for entry in self.candidates
        )


class FieldLocator:
    """The handles of one form by field."""

    def __init__(self, entries: Sequence[FormEntry], controls: Sequence[Control], profile: Profile) -> None:
        self._profile = profile
        self._entries, self._controls = entries, controls
        self._handles: dict[str, list[FieldLocation]] = {}
        self._targets: dict[str, FieldLocation | None] = {}
        self._first: dict[str, FormEntry] = {}
        """The first label of each key."""
        self._twins: dict[str, list[FormEntry]] = {}
        """All labels of the keys that stand more than once."""
        for entry in entries:
            first = self._first.setdefault(entry.key, entry)
            if first is not entry:
                self._twins.setdefault(entry.key, [first]).append(entry)
        self._by_column = group_by_column(controls, profile.fields_by_column)
        self._column_of = {held[0].name: column for column, held in self._by_column.items()}
        self.others = [entry for entry in entries if _party(entry) is Party.OTHER]
        """The labels that stand for somebody else than the customer."""
        self._plain = {} if self._by_column else self._plain_entries()

    def _plain_entries(self) -> dict[str, FormEntry]:
        """The entries by key that leave nothing to decide: a label that stands once, a name that is sent once."""
        names = [control.name for control in self._controls if control.is_sent]
        repeated = {name for name, count in Counter(names).items() if count > 1} if len(set(names)) < len(names) else ()
        plain = {
            key: entry
            for key, entry in self._first.items()
            if not entry.ambiguity and key not in self._twins and entry.control.name not in repeated
        }
        for entry in self.others:
            plain.pop(entry.key, None)
        return plain

    @cached_property
    def _by_name(self) -> dict[str, list[Control]]:
        """The sent controls of each name."""
        found: dict[str, list[Control]] = {}
        for control in self._controls:
            if control.is_sent:
                found.setdefault(control.name, []).append(control)
        return found

    @cached_property
    def _labels_by_control(self) -> dict[int, list[FormEntry]]:
        """The labels of each control, by its index."""
        found: dict[int, list[FormEntry]] = {}
        for entry in self._entries:
            found.setdefault(entry.control.index, []).append(entry)
            if entry.time_control is not None:
                found.setdefault(entry.time_control.index, []).append(entry)
        return found

    def _labels(self, key: str) -> Sequence[FormEntry]:
        """The labels of a key."""
        first = self._first.get(key)
        return self._twins.get(key, (first,)) if first is not None else ()

    def names(self, path: str) -> tuple[str, ...]:
        """The labels that are tried for a field."""
        return self._profile.labels[path]

    def columns(self, path: str) -> tuple[str, ...]:
        """The columns that are tried for a field."""
        return self._profile.columns.get(path, ())

    def handles(self, path: str) -> Sequence[FieldLocation]:
        """The field's handles in this form: its column, then its labels in the order in which they are tried."""
        found = self._handles.get(path)
        if found is None:
            labels = self._label_handles(path)
            column = self._column_handle(path) if self._by_column else None
            if column is not None:
                name = column.entry.control.name
                labels = [column, *(handle for handle in labels if not handle.includes_control(name))]
            found = self._handles[path] = labels
        return found

    def readable(self, path: str) -> Sequence[FieldLocation]:
        """
        The handles that count for the field. A plate is looked for at a later label (`Fahrzeug`) only where that is
        empty or holds a plate: it is the vehicle's name elsewhere.
        """
        return self._for_plates(self.handles(path)) if path == PLATE else self.handles(path)

    def is_found(self, path: str) -> bool:
        """Whether the form has a handle for the field."""
        return not self._plain.keys().isdisjoint(self._profile.label_keys[path]) or bool(self.handles(path))

    def entries(self, path: str) -> Sequence[FormEntry]:
        """What PlanSo keeps at each of the field's handles."""
        return [handle.entry for handle in self.handles(path)]

    def target(self, path: str) -> FormEntry | None:
        """What PlanSo keeps where a write goes; None where there is no such place, and where it can't be told."""
        handle = self.handle(path)
        return handle.entry if handle is not None and not handle.ambiguity else None

    def handle(self, path: str) -> FieldLocation | None:
        """
        Where a write goes, to clear as well: the column, else the first label that is there. So a repeated request
        changes nothing, and what another label holds (`Halter`, `Fahrzeugeingang (Ist)`) is nobody's by-catch. Its
        `doubt` says why it must not be written.
        """
        if path not in self._targets:
            handles = self.readable(path)
            self._targets[path] = self._checked(path, handles[0]) if handles else None
        return self._targets[path]

    def value(self, path: str) -> tuple[Value, bool]:
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
                if not _is_empty(value):
                    return value, False
                empty = value if empty is None else empty
            else:
                return empty, False
        handles = self.readable(path)
        for at, handle in enumerate(handles):
            target = self.handle(path) if at == 0 else handle
            if target is not None and target.ambiguity:
                held = [entry.read_value(kind) for entry in target.candidates]
                if target.is_contested or any(value != held[0] for value in held):
                    return None, True
            value = handle.entry.read_value(kind)
            if not _is_empty(value):
                return value, False
            empty = value if empty is None else empty
        return empty, False

    def doubt(self, path: str, value: Value) -> UnreadableValue | None:
        """What stands there that is not the field's value, or too long to be kept as it; None where nothing does."""
        if isinstance(value, str):
            return OversizedText.from_text(value) if len(value) > BY_PATH[path].max_length else None
        text = self._unreadable(path) if value is None else None
        return OversizedText.from_text(text) if text is not None and len(text) > MAX_UNREADABLE_LENGTH else text

    def _unreadable(self, path: str) -> str | None:
        """What stands at one of the field's handles that its kind, a date or number, can't hold; None where nothing."""
        kind = BY_PATH[path].kind
        if kind not in _STRICT:
            return None
        keys = [key for key in self._profile.label_keys[path] if key in self._first]
        if not self._by_column and all(key in self._plain for key in keys):
            entries = [self._plain[key] for key in keys]
        else:
            entries = [handle.entry for handle in self.readable(path)]
        for entry in entries:
            if (
                not entry.is_choice
                and _NOTHING.fullmatch(entry.display_text) is None
                and entry.read_value(kind) is None
            ):
                return entry.display_text.strip()
        return None

    def hints(self) -> list[tuple[str, str, Control]]:
        """Columns that may be a field's, which is not sure enough to use: field, column, control."""
        return [
            (path, column, held[0])
            for column, held in self._by_column.items()
            for path in self._profile.fields_by_unsure_column.get(column, ())
            if not self.handles(path)
        ]

    def title_of_another(self, path: str) -> str:
        """The title under which a label of the field stands for somebody else; empty where there is none."""
        found = [entry for key in self._profile.label_keys[path] for entry in self._labels(key)]
        return next((entry.full_label or entry.heading for entry in found if _party(entry) is Party.OTHER), "")

    def _column_handle(self, path: str) -> FieldLocation | None:
        for column in self.columns(path):
            controls = self._by_column.get(column.casefold())
            if controls:
                return FieldLocation(column, is_column=True, entries=self._same_name(self._entry_of(controls)))
        return None

    def _entry_of(self, controls: Sequence[Control]) -> FormEntry:
        """The controls of one name as an entry: radio buttons as one, a check box without its hidden zero."""
        radios = tuple(control for control in controls if control.type == "radio")
        first = next((one for one in controls if one.type != "hidden"), controls[-1])
        for known in self._labels_by_control.get((radios[0] if radios else first).index, ()):
            return FormEntry(known.label, known.key, known.controls, known.full_label, time_control=known.time_control)
        return FormEntry(first.name, label_key(first.name), radios or (first,))

    def _label_handles(self, path: str) -> list[FieldLocation]:
        found = []
        for name, key in zip(self._profile.labels[path], self._profile.label_keys[path], strict=True):
            twins = self._labels(key)
            if not twins:
                continue
            handle = _decided(path, name, twins)
            if handle is None:
                continue
            if handle.ambiguity:
                handle.is_contested = self._is_contested(path, handle.entry)
            elif len(self._by_name.get(handle.entry.control.name, ())) > 1:
                handle.entries = self._same_name(handle.entry)
            found.append(handle)
        return found

    def _same_name(self, entry: FormEntry) -> tuple[FormEntry, ...]:
        """
        An entry for each control of the name, in the form's order: PlanSo keeps the last of equal names. Without what
        comes before it for the case that it is not sent (a hidden zero), and without the members of a list.
        """
        control = entry.control
        controls = self._by_name.get(control.name, ())
        if len(controls) < 2 or control.type == "radio":
            return (entry,)
        if control.type == "checkbox":
            same = [one for one in controls if one.type == "checkbox" and one.value == control.value]
        elif control.name.endswith("[]"):
            same = [one for one in controls if one.label == control.label and one.type == control.type]
        else:
            same = [one for one in controls if one.type != "hidden" or one is control or one.value == control.value]
            known = {one.index for one in same}
            same += [one for one in controls if one.index > control.index and one.index not in known]
        same.sort(key=lambda one: one.index)
        return tuple(
            entry if one is control else FormEntry(entry.label, entry.key, (one,), entry.full_label) for one in same
        )

    def _is_contested(self, path: str, entry: FormEntry) -> bool:
        """Whether a label of another field names the same control."""
        keys = {label_key(name) for name in self.names(path)}
        others = {one.key for one in self._labels_by_control.get(entry.control.index, ())} - keys
        return any(key in self._profile.fields_by_label for key in others)

    def _for_plates(self, handles: Sequence[FieldLocation]) -> list[FieldLocation]:
        first = label_key(self.names(PLATE)[0])
        return [one for one in handles if one.is_column or one.entry.key == first or _may_hold_plate(one.entry)]

    def _checked(self, path: str, handle: FieldLocation) -> FieldLocation:
        """The handle with a doubt where a label and a column disagree."""
        if handle.is_column:
            return self._held_against_labels(path, handle)
        column = None if handle.ambiguity else self._column_of.get(handle.entry.control.name)
        if column is None:
            return handle
        fields = self._profile.fields_by_column[column]
        if not fields or path in fields:
            return handle
        if any(handle.entry.key in map(label_key, self.names(field)) for field in fields):
            return handle
        doubt = f"the control '{handle.entry.control.name}' is named like the column of {' and '.join(fields)}"
        return FieldLocation(handle.name, is_column=False, entries=handle.entries, ambiguity=doubt, is_contested=True)

    def _held_against_labels(self, path: str, handle: FieldLocation) -> FieldLocation:
        own = handle.entry.control
        for at, other in enumerate(self._label_handles(path)):
            if other.includes_control(own.name):
                return handle
            if path == PLATE and not self._for_plates([other]):
                continue
            if (at or other.name != self.names(path)[0]) and self._has_other_column(path, other):
                # `Halter` beside `Fahrername`: a label of its own column says nothing against the first.
                continue
            doubt = f"the label '{other.entry.label}' and the column '{handle.name}' are different controls"
            return FieldLocation(
                handle.name, is_column=True, entries=(*other.entries, *handle.entries), ambiguity=doubt
            )
        for label in self._labels_by_control.get(own.index, ()):
            if label.key in self._profile.fields_by_label:
                doubt = f"the column '{handle.name}' stands under the label '{label.label}', which is another field's"
                return FieldLocation(
                    handle.name, is_column=True, entries=handle.entries, ambiguity=doubt, is_contested=True
                )
        return handle

    def _has_other_column(self, path: str, handle: FieldLocation) -> bool:
        column = self._column_of.get(handle.entry.control.name)
        return column is not None and path not in self._profile.fields_by_column[column]


def _decided(path: str, name: str, twins: Sequence[FormEntry]) -> FieldLocation | None:
    """One label's handle, None where it stands only where it means somebody else."""
    first = twins[0]
    if len(twins) == 1 and (path not in _CUSTOMERS or _party(first) is not Party.OTHER):
        return FieldLocation(name, False, (first,), first.ambiguity)
    entries = list(twins)
    if path in _CUSTOMERS:
        entries = [entry for entry in entries if _party(entry) is not Party.OTHER]
        if not entries:
            return None
    if len(entries) > 1:
        for narrower in (_sent, _open, *(() if _OF_OTHERS_TOO.fullmatch(path) else (_not_others, _customers))):
            if len(_names(entries)) > 1:
                entries = narrower(entries) or entries
    if len(entries) > 1 and len(_names(entries)) > 1:
        return FieldLocation(
            name, is_column=False, entries=tuple(entries), ambiguity=f"the label '{name}' stands more than once"
        )
    doubt = next((entry.ambiguity for entry in entries if entry.ambiguity), "")
    return FieldLocation(name, is_column=False, entries=tuple(entries), ambiguity=doubt)


def _names(entries: Iterable[FormEntry]) -> set[str]:
    """The names of what is written; controls without one differ from each other."""
    return {entry.control.name or f"\0{entry.control.index}" for entry in entries}


def _sent(entries: Sequence[FormEntry]) -> list[FormEntry]:
    return [entry for entry in entries if entry.is_sent]


def _open(entries: Sequence[FormEntry]) -> list[FormEntry]:
    return [entry for entry in entries if not entry.is_read_only]


def _not_others(entries: Sequence[FormEntry]) -> list[FormEntry]:
    return [entry for entry in entries if _party(entry) is not Party.OTHER]


def _customers(entries: Sequence[FormEntry]) -> list[FormEntry]:
    return [entry for entry in entries if _party(entry) is Party.CUSTOMER]


def _party(entry: FormEntry) -> Party | None:
    """Of whom an entry speaks: by what else stands in its label, else by the nearest heading that names somebody."""
    if entry.full_label:
        return classify_party(entry.full_label) or find_nearest_party(entry.control.headings)
    return find_nearest_party(entry.control.headings)


def _may_hold_plate(entry: FormEntry) -> bool:
    return not entry.display_text.strip() or looks_like_plate(entry.display_text)


def _is_empty(value: Value) -> bool:
    return value is None or value is False or value == ""
