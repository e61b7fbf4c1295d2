"""The columns of each table."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from dataclasses import fields as dataclass_fields
from typing import Any

from planso_connector.domain.fields import MIRRORED, TEMPORAL_KINDS, FieldGroup, OrderField
from planso_connector.domain.part import Part
from planso_connector.rest.tables.cells import CellKind, Column, Row, to_cell
from planso_connector.store.history import HistoryEntry

_TEMPORAL_PATHS = frozenset(field.path for field in MIRRORED if field.kind in TEMPORAL_KINDS)


def _of_field(field: OrderField) -> Column:
    return Column(field.path, CellKind.TEMPORAL if field.path in _TEMPORAL_PATHS else CellKind.TEXT)


ORDER_COLUMNS: tuple[Column, ...] = (
    *map(Column, ("id", "short_name", "plate", "station_id", "station_state", "missing_parts", "archived")),
    *(_of_field(field) for field in MIRRORED if field.group is FieldGroup.ORDER),
    *(_of_field(field) for field in MIRRORED if field.group is FieldGroup.DETAILS),
    *(_of_field(field) for field in MIRRORED if field.group is FieldGroup.VEHICLE),
    Column("last_synced_at", CellKind.INSTANT),
    Column("version"),
)
"""The members of an order that are one value each; not `fields`, `doubts` and `pending`."""

PART_COLUMNS: tuple[Column, ...] = (
    *(
        Column(field.name, CellKind.TEMPORAL if field.name.endswith("_date") else CellKind.TEXT)
        for field in dataclass_fields(Part)
    ),
    Column("is_missing"),
)

HISTORY_COLUMNS = (
    Column("version"),
    Column("at", CellKind.INSTANT),
    Column("by"),
    Column("operation_id"),
    Column("field"),
    Column("label"),
    Column("before"),
    Column("after"),
)


def select_columns(names: Collection[str]) -> tuple[Column, ...]:
    """The columns of an order's members with these names, and `id`; all for none."""
    if not names:
        return ORDER_COLUMNS
    return tuple(column for column in ORDER_COLUMNS if column.name == "id" or column.name.partition(".")[0] in names)


def read_document_rows(columns: Sequence[Column], documents: Sequence[str]) -> list[Row]:
    """A row for each of these orders, which are JSON texts."""
    return [read_row(columns, json.loads(document)) for document in documents]


def read_row(columns: Sequence[Column], document: Mapping[str, Any]) -> Row:
    return [column.read(document) for column in columns]


def list_part_rows(parts: Sequence[Part]) -> list[Row]:
    return [read_row(PART_COLUMNS, {**asdict(part), "is_missing": part.is_missing}) for part in parts]


def list_history_rows(entries: Sequence[HistoryEntry]) -> list[Row]:
    """A row for each field that changed."""
    return [row for entry in entries for row in _iter_rows(entry)]


def _iter_rows(entry: HistoryEntry) -> Iterator[Row]:
    author = (entry.caller or "connector") if entry.operation else "PlanSo"
    for change in entry.changes:
        path = change.get("field", "")
        kind = CellKind.TEMPORAL if path in _TEMPORAL_PATHS else CellKind.TEXT
        yield [
            entry.version,
            to_cell(entry.at, CellKind.INSTANT),
            author,
            entry.operation,
            path or None,
            change.get("label"),
            to_cell(change["before"], kind),
            to_cell(change["after"], kind),
        ]
