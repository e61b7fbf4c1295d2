"""
Page drift: tell changed markup from changed values, and keep the last good values where the markup changed.

Where a label is gone from an order's form, or all prices are gone, the mirror keeps their last values and reports a
doubt; a person can accept the page as it is. An unreadable date (`KW 51`) and a text that is too long are reported too,
but have no value: PlanSo does hold something else now.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from planso_connector.domain.order import LABEL_PREFIX, BoardEntry, FormReading, Order, PartsReading
from planso_connector.domain.part import Part


class DoubtKind(StrEnum):
    LABEL_GONE = "label_gone"
    """The order's form had this label at the last reading."""
    UNREADABLE = "unreadable"
    """Not a date or number: the field has no value, its text is in `fields`."""
    TOO_LONG = "too_long"
    """The field has no value; the order's doubts have the length."""
    TABLE_GONE = "table_gone"
    """The order had parts, and the page has neither table nor status."""
    PRICES_GONE = "prices_gone"
    """The parts had prices, and none has one now."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something doubtful about a page. `what`: the label, the field's path, or `price_each`; never a value."""

    page: str
    kind: DoubtKind
    what: str


def check_form(known: Order | None, form: FormReading) -> tuple[FormReading, tuple[Doubt, ...]]:
    """
    The form to store, and the doubts. Where labels are gone, their fields and texts keep the last good values. An
    unreadable field keeps none: callers would take the old day for what the form holds.
    """
    doubts = [
        Doubt("form", DoubtKind.UNREADABLE if isinstance(held, str) else DoubtKind.TOO_LONG, path)
        for path, held in form.unreadable.items()
    ]
    gone = [label for label in known.fields if label not in form.fields] if known is not None else []
    if known is None or not gone:
        return form, tuple(doubts)
    doubts = [*(Doubt("form", DoubtKind.LABEL_GONE, label) for label in gone), *doubts]
    values = dict(form.values)
    for path, held in known.values.items():
        if held is not None and values.get(path) is None and path not in form.labelled_paths:
            values[path] = held
    # In the mirror's order: the same labels in another order would be a new version.
    fields = {**{label: form.fields.get(label, held) for label, held in known.fields.items()}, **form.fields}
    lost = {
        *(path for path in known.values if path not in form.labelled_paths),
        *(f"{LABEL_PREFIX}{label}" for label in gone),
    }
    kept = {path: held for path, held in known.unreadable.items() if path in lost}
    return replace(form, values=values, fields=fields, unreadable={**kept, **form.unreadable}), tuple(doubts)


def check_parts(known: Sequence[Part], reading: PartsReading) -> tuple[PartsReading, tuple[Doubt, ...]]:
    """
    The parts to store, and the doubts: the last known parts where the page has no table, their last prices where all
    prices vanished at once.
    """
    if known and not reading.has_table and not reading.status:
        return replace(reading, parts=tuple(known)), (Doubt("parts", DoubtKind.TABLE_GONE, "table"),)
    held = {_identity(part): part for part in known if part.price_each or part.price_total}
    has_prices = any(part.price_each or part.price_total for part in reading.parts)
    if has_prices or not any(_identity(part) in held for part in reading.parts):
        return reading, ()
    parts = tuple(_with_prices_of(held.get(_identity(part)), part) for part in reading.parts)
    return replace(reading, parts=parts), (Doubt("parts", DoubtKind.PRICES_GONE, "price_each"),)


def find_oversized(entry: BoardEntry | None, parts: PartsReading | None) -> tuple[Doubt, ...]:
    """The doubts about texts of the list and the parts page that are too long."""
    listed = [Doubt("list", DoubtKind.TOO_LONG, name) for name, _ in (entry.too_long if entry is not None else ())]
    cells = [Doubt("parts", DoubtKind.TOO_LONG, name) for name in sorted(parts.too_long if parts is not None else ())]
    return (*listed, *cells)


def _identity(part: Part) -> tuple[str | None, str | None]:
    return part.row_id, part.part_no


def _with_prices_of(priced: Part | None, part: Part) -> Part:
    return part if priced is None else replace(part, price_each=priced.price_each, price_total=priced.price_total)
