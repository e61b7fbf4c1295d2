"""
Trust: what of a page is taken over, and what is left as it was because the page seems to have moved. Pure.

A label that an order had and its form has no more, prices that are all nought: the mirror keeps the last good value of
just these, and a doubt says so. A person can accept the page as it is. A date that no longer reads as one (`KW 51`) is
in doubt too, and so is what is too long to be kept, but no value is kept: something else stands there now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from planso_connector.domain.order import LABEL_PREFIX, BoardEntry, FormReading, Order, PartsReading
from planso_connector.domain.part import Part


class DoubtKind(StrEnum):
    LABEL_GONE = "label_gone"
    """The order's form had this label when it was last read."""
    UNREADABLE = "unreadable"
    """Something stands there that is no date or number: the field has no value, its text stands in `fields`."""
    TOO_LONG = "too_long"
    """More stands there than is kept: it has no value, and the order's doubts say how much there is."""
    TABLE_GONE = "table_gone"
    """The order had parts, and now the page holds no table and no status."""
    PRICES_GONE = "prices_gone"
    """Parts had prices, and now none has."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """`what` is the label, the field's path, or `price_each`; never a value."""

    page: str
    kind: DoubtKind
    what: str


def check_form(known: Order | None, form: FormReading) -> tuple[FormReading, tuple[Doubt, ...]]:
    """
    The reading, and the doubts. Where labels are gone, their fields and texts keep the last good values. What is
    unreadable keeps none: the old day would be told as if the form still held it.
    """
    doubts = [
        Doubt("form", DoubtKind.UNREADABLE if isinstance(doubt, str) else DoubtKind.TOO_LONG, path)
        for path, doubt in form.unreadable.items()
    ]
    gone = [label for label in known.fields if label not in form.fields] if known is not None else []
    if known is None or not gone:
        return form, tuple(doubts)
    doubts = [*(Doubt("form", DoubtKind.LABEL_GONE, label) for label in gone), *doubts]
    values = dict(form.values)
    for path, held in known.values.items():
        if held is not None and values.get(path) is None and path not in form.labelled_paths:
            values[path] = held
    # In the order that the mirror has them: an order that shows the same has no new version.
    fields = {**{label: form.fields.get(label, held) for label, held in known.fields.items()}, **form.fields}
    lost = {
        *(path for path in known.values if path not in form.labelled_paths),
        *(f"{LABEL_PREFIX}{label}" for label in gone),
    }
    kept = {path: doubt for path, doubt in known.unreadable.items() if path in lost}
    return replace(form, values=values, fields=fields, unreadable={**kept, **form.unreadable}), tuple(doubts)


def check_parts(known: Sequence[Part], reading: PartsReading) -> tuple[PartsReading, tuple[Doubt, ...]]:
    """The parts, or the last ones where the page holds no table; with their last prices where all vanished at once."""
    if known and not reading.has_table and not reading.status:
        return replace(reading, parts=tuple(known)), (Doubt("parts", DoubtKind.TABLE_GONE, "table"),)
    held = {_identity(part): part for part in known if part.price_each or part.price_total}
    if not held or not reading.parts or any(part.price_each or part.price_total for part in reading.parts):
        return reading, ()
    if not any(_identity(part) in held for part in reading.parts):
        return reading, ()
    parts = tuple(_priced(part, held.get(_identity(part))) for part in reading.parts)
    return replace(reading, parts=parts), (Doubt("parts", DoubtKind.PRICES_GONE, "price_each"),)


def find_oversized(entry: BoardEntry | None, parts: PartsReading | None) -> tuple[Doubt, ...]:
    """The doubts about what the list and the parts page hold too much of."""
    listed = [Doubt("list", DoubtKind.TOO_LONG, name) for name, _ in (entry.too_long if entry is not None else ())]
    cells = sorted(parts.too_long if parts is not None else ())
    return (*listed, *(Doubt("parts", DoubtKind.TOO_LONG, name) for name in cells))


def _identity(part: Part) -> tuple[str | None, str | None]:
    return part.row_id, part.part_no


def _priced(part: Part, held: Part | None) -> Part:
    if held is None:
        return part
    return replace(part, price_each=held.price_each, price_total=held.price_total)
