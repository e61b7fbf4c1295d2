"""
How the fields of a form are read, found once for all forms of a layout: from which labels, in which order. Fields that
leave something to decide, such as a label that occurs twice, are left to each form's `FieldLocator`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from planso_connector.domain.fields import BY_PATH, MAX_LABEL_LENGTH, Value
from planso_connector.domain.order import PLATE
from planso_connector.planso.pages.control import FormEntry
from planso_connector.planso.pages.field_locator import FieldLocator
from planso_connector.planso.pages.field_values import (
    STRICT_KINDS,
    FieldValues,
    find_unparsed,
    find_unreadable,
    is_empty_value,
    may_hold_plate,
)
from planso_connector.planso.profile import Profile

if TYPE_CHECKING:
    from planso_connector.planso.pages.markup import FormMarkup


class _Step(NamedTuple):
    """`entry`: the entry's place in the form. `only_plates`: it is passed over where it shows something else."""

    entry: int
    only_plates: bool


class FieldPlan:
    """
    `fields`: path, kind, longest text, and the entries to read, in turn, until one is not empty; None where contents
    decide. `labels`: the entries of each label.
    """

    def __init__(self, locator: FieldLocator, markup: FormMarkup, profile: Profile) -> None:
        self._sent_names = Counter(control.name for control in markup.controls if control.is_sent)
        self._profile = profile
        self.fields = [
            (path, definition.kind, definition.max_length, self._plan_field(locator, markup, path))
            for path, definition in BY_PATH.items()
        ]
        self.labels = _plan_labels(locator, markup)
        self.labelled_paths = locator.labelled_paths

    def _plan_field(self, locator: FieldLocator, markup: FormMarkup, path: str) -> tuple[_Step, ...] | None:
        """None where contents decide."""
        steps = []
        first_key = self._profile.label_keys[path][0]
        for index, location in enumerate(locator.locations(path)):
            checked = locator.check(path, location) if index == 0 or path == PLATE else location
            control = location.entry.control
            is_repeated = self._sent_names[control.name] > 1 and control.type != "radio"
            if checked.ambiguity or len(location.entries) > 1 or is_repeated or (path == PLATE and location.is_column):
                return None
            place = _find_place(markup, location.entry)
            if place is None:
                return None
            steps.append(_Step(place, path == PLATE and location.entry.key != first_key))
        return tuple(steps)


def _find_place(markup: FormMarkup, entry: FormEntry) -> int | None:
    """The place of an entry, or of one with the same controls: a column's has fewer notes."""
    for place, other in enumerate(markup.entries):
        if other is entry or (other.controls == entry.controls and other.time_control is entry.time_control):
            return place
    return None


def _plan_labels(locator: FieldLocator, markup: FormMarkup) -> list[tuple[str, tuple[int, ...]]]:
    """The entries of each label in the order in which they are looked at: another party's last."""
    other_ids = set(map(id, locator.other_party_entries))
    places: dict[str, tuple[list[int], list[int]]] = {}
    for place, entry in enumerate(markup.entries):
        if len(entry.label) <= MAX_LABEL_LENGTH:
            places.setdefault(entry.label, ([], []))[id(entry) in other_ids].append(place)
    return [(label, (*own, *others)) for label, (own, others) in places.items()]


class PlannedFields:
    """The fields of one form, read by its layout's plan: as `FieldLocator` reads them."""

    def __init__(self, plan: FieldPlan, markup: FormMarkup, make_locator: Callable[[], FieldLocator]) -> None:
        self._plan, self._entries, self._make_locator = plan, markup.entries, make_locator

    @cached_property
    def _locator(self) -> FieldLocator:
        return self._make_locator()

    @property
    def labelled_paths(self) -> frozenset[str]:
        return self._plan.labelled_paths

    def read_all(self) -> FieldValues:
        """As `FieldLocator.read_all`."""
        entries = self._entries
        found = FieldValues({}, {}, set())
        for path, kind, max_length, steps in self._plan.fields:
            if steps is None:
                self._locator.read_field(path, found)
                continue
            first: Value = None
            for place, only_plates in steps:
                entry = entries[place]
                if only_plates and not may_hold_plate(entry):
                    continue
                value = entry.read_value(kind)
                first = value if first is None else first
                if not is_empty_value(value):
                    first = value
                    break
            found.values[path] = first
            if (len(first) > max_length) if isinstance(first, str) else (first is None and kind in STRICT_KINDS):
                self._record_unreadable(path, first, steps, found)
        return found

    def _record_unreadable(self, path: str, value: Value, steps: Iterable[_Step], found: FieldValues) -> None:
        text = find_unreadable(path, value, lambda: find_unparsed(path, [self._entries[step.entry] for step in steps]))
        if text is not None:
            found.values[path], found.unreadable[path] = None, text

    def read_labels(self) -> dict[str, str]:
        """As `FieldLocator.read_labels`."""
        entries = self._entries
        texts = {}
        for label, places in self._plan.labels:
            text = entries[places[0]].display_text
            if not text and len(places) > 1:
                text = next(filter(None, (entries[place].display_text for place in places)), "")
            texts[label] = text
        return texts
