"""The cells of a table: values of the mirror as dates, numbers, flags and texts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum, auto
from typing import Any

from pydantic_core import to_json

Cell = str | int | float | bool | date | datetime | time | None
"""A `datetime` with a zone is an instant, one without it is the workshop's local time."""
Row = list[Cell]


class CellKind(Enum):
    """What the texts of a column are."""

    TEXT = auto()
    TEMPORAL = auto()
    """A canonical day, day and time, time or month of `domain.german_formats`."""
    INSTANT = auto()
    """As `domain.clock.format_instant` writes it."""


@dataclass(frozen=True, slots=True)
class Column:
    """`name`: as in JSON answers, members of objects with a dot: `vehicle_details.vin`."""

    name: str
    kind: CellKind = CellKind.TEXT

    def read(self, document: Mapping[str, Any]) -> Cell:
        value: Any = document
        for name in self.name.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return to_cell(value, self.kind)


def to_cell(value: Any, kind: CellKind = CellKind.TEXT) -> Cell:
    if isinstance(value, str):
        if kind is CellKind.INSTANT:
            return datetime.fromisoformat(value) if value else None
        return parse_temporal(value) if kind is CellKind.TEMPORAL else value
    return value if value is None or isinstance(value, (bool, int, float)) else to_json(value).decode()


_MONTH = re.compile(r"(\d{4})-(\d\d)")
_TIME = re.compile(r"\d\d:\d\d(:\d\d)?")


def parse_temporal(text: str) -> Cell:
    """A canonical day, day and time, or time; a month as `12/2025`; any other text as it is."""
    if month := _MONTH.fullmatch(text):
        return f"{month[2]}/{month[1]}"
    try:
        if _TIME.fullmatch(text):
            return time.fromisoformat(text)
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        return text
