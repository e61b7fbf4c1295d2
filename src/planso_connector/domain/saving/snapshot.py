"""Snapshot: the controls of a form in one reading, to be compared with another reading. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from planso_connector.domain.saving.text_damage import is_same_after_normalisation
from planso_connector.domain.values import is_empty_value

_ROW_NUMBERS = re.compile(r"(?:new[_-]?)?\d+")


@dataclass(frozen=True, slots=True)
class ControlState:
    """
    One control, or all that share a name. `column`: the name; `label_index`: how many equal labels precede it;
    `values`: what a browser would send; `shown`: what a person sees.
    """

    column: str
    label: str = ""
    label_index: int = 0
    values: tuple[str, ...] = ()
    shown: str = ""
    is_empty: bool = False
    """No text, the placeholder or first option, an unchecked box."""
    options: frozenset[tuple[str, str]] = frozenset()
    """Of a list, by value and text."""
    is_sent: bool = True
    """False where a browser does not send it: disabled, or without a name."""

    def is_identical(self, other: ControlState) -> bool:
        return (self.values, self.shown) == (other.values, other.shown)

    def is_equivalent(self, other: ControlState) -> bool:
        """Whether both hold the same, in whatever notation."""
        if self.is_empty and other.is_empty:
            return True
        if self.options or other.options:
            if self.options == other.options:
                return sorted(self.values) == sorted(other.values)
            # In a list that was rebuilt the option may have another id, but keeps its text.
            texts = [sorted(state.shown.split(", ")) for state in (self, other)]
            return self.is_empty == other.is_empty and texts[0] == texts[1]
        if len(self.values) > 1 or len(other.values) > 1:
            is_same_count = len(self.values) == len(other.values)
            return is_same_count and all(map(is_same_after_normalisation, self.values, other.values))
        return self.is_empty == other.is_empty and is_same_after_normalisation(self.shown, other.shown)

    @property
    def nonempty_values(self) -> list[str]:
        return [value for value in self.values if not is_empty_value(value)]

    @property
    def row_key(self) -> tuple[str, str]:
        """What stays when a row is inserted again: the label, and the name without the row's number."""
        return self.label, _ROW_NUMBERS.sub("#", self.column)

    def is_contained_in(self, other: ControlState) -> bool:
        return not self.is_empty and self.shown in other.shown


Snapshot = Mapping[str, ControlState]
"""The controls of one reading of a form, by `column`, in the form's order."""


def find_changed_columns(first: Snapshot, second: Snapshot) -> set[str]:
    """The columns that differ between two readings, or that only one has."""
    if first is second:
        return set()
    common = first.keys() & second.keys()
    return (first.keys() ^ second.keys()) | {
        column for column in common if not first[column].is_identical(second[column])
    }
