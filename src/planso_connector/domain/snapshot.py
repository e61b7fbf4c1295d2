"""Snapshot: the controls of a form as one reading shows them, to be compared with another reading. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from planso_connector.domain.text_damage import is_same_value

_NUMBERS = re.compile(r"(?:new[_-]?)?\d+")


@dataclass(frozen=True, slots=True)
class ControlState:
    """
    One control, or all that share a name. `values` is what a browser would send of it, `shown` what a person sees;
    `offer` tells one list of options from another, 0 where there is none; `place` counts equal labels.
    """

    column: str
    label: str = ""
    place: int = 0
    values: tuple[str, ...] = ()
    shown: str = ""
    is_empty: bool = False
    """No text, the placeholder or first option, an unchecked box."""
    offer: int = 0

    def is_like(self, other: ControlState) -> bool:
        """Whether both hold the same, to the letter."""
        return (self.values, self.shown) == (other.values, other.shown)

    def says_same(self, other: ControlState) -> bool:
        """Whether both hold the same, however it is written."""
        if self.is_empty and other.is_empty:
            return True
        if self.offer or other.offer:  # the id of an option may change, its text is what is meant
            return self.is_empty == other.is_empty and self.shown == other.shown
        if len(self.values) > 1 or len(other.values) > 1:
            return self.values == other.values
        return self.is_empty == other.is_empty and is_same_value(self.shown, other.shown)

    def is_row_of(self, other: ControlState) -> bool:
        """Whether `other` may be this control of a row that was inserted anew: the same value under a like name."""
        if self.is_empty or self.label != other.label or not self.says_same(other):
            return False
        return _NUMBERS.sub("#", self.column) == _NUMBERS.sub("#", other.column) or len(self.shown) > 2

    def is_part_of(self, other: ControlState) -> bool:
        """Whether what this control shows stands within what the other shows."""
        return not self.is_empty and self.shown in other.shown


Snapshot = Mapping[str, ControlState]
"""The controls of one reading of a form, by `column`, in the form's order."""


def changed_columns(one: Snapshot, other: Snapshot) -> set[str]:
    """The columns that two readings show differently, or that only one has."""
    both = one.keys() & other.keys()
    return (one.keys() ^ other.keys()) | {column for column in both if not one[column].is_like(other[column])}
