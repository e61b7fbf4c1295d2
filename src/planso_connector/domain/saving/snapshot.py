"""Snapshot: the controls of a form as one reading shows them, to be compared with another reading. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from planso_connector.domain.saving.text_damage import is_same_after_normalisation
from planso_connector.domain.values import is_empty_value

_NUMBERS = re.compile(r"(?:new[_-]?)?\d+")


@dataclass(frozen=True, slots=True)
class ControlState:
    """
    One control, or all that share a name. `values` is what a browser would send of it, `shown` what a person sees;
    `offer` are the options to choose from, by value and text; `place` counts equal labels.
    """

    column: str
    label: str = ""
    label_index: int = 0
    values: tuple[str, ...] = ()
    shown: str = ""
    is_empty: bool = False
    """No text, the placeholder or first option, an unchecked box."""
    options: frozenset[tuple[str, str]] = frozenset()
    is_sent: bool = True
    """Whether a browser sends it: not where it is disabled or has no name."""

    def is_identical(self, other: ControlState) -> bool:
        """Whether both hold the same, to the letter."""
        return (self.values, self.shown) == (other.values, other.shown)

    def is_equivalent(self, other: ControlState) -> bool:
        """Whether both hold the same, however it is written."""
        if self.is_empty and other.is_empty:
            return True
        if self.options or other.options:
            if self.options == other.options:
                return sorted(self.values) == sorted(other.values)
            # In a list that was made anew the id of an option may be another one; its text is what is meant.
            texts = [sorted(one.shown.split(", ")) for one in (self, other)]
            return self.is_empty == other.is_empty and texts[0] == texts[1]
        if len(self.values) > 1 or len(other.values) > 1:
            is_as_many = len(self.values) == len(other.values)
            return is_as_many and all(map(is_same_after_normalisation, self.values, other.values))
        return self.is_empty == other.is_empty and is_same_after_normalisation(self.shown, other.shown)

    @property
    def nonempty_values(self) -> list[str]:
        """The values that say something."""
        return [value for value in self.values if not is_empty_value(value)]

    @property
    def row_key(self) -> tuple[str, str]:
        """What a control keeps when its row is inserted anew: its label, and its name without the row's number."""
        return self.label, _NUMBERS.sub("#", self.column)

    def is_contained_in(self, other: ControlState) -> bool:
        """Whether what this control shows stands within what the other shows."""
        return not self.is_empty and self.shown in other.shown


Snapshot = Mapping[str, ControlState]
"""The controls of one reading of a form, by `column`, in the form's order."""


def find_changed_columns(one: Snapshot, other: Snapshot) -> set[str]:
    """The columns that two readings show differently, or that only one has."""
    both = one.keys() & other.keys()
    return (one.keys() ^ other.keys()) | {column for column in both if not one[column].is_identical(other[column])}
