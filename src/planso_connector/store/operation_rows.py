"""Convert operations to rows of `operations` and back."""

import json
from dataclasses import fields
from typing import Any

from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.store.engine.transaction import Row
from planso_connector.store.order_rows import sanitize_text, to_json

_JSON_COLUMNS = frozenset({"asked", "before", "base", "failure", "sent", "differences", "controls", "identity"})
_COLUMN_OF = {field.name: field.name for field in fields(Operation)} | {"requested": "asked"}


def json_or_none(value: object) -> str | None:
    return sanitize_text(to_json(value)) if value is not None else None


def operation_to_row(operation: Operation) -> dict[str, Any]:
    row = {column: getattr(operation, name) for name, column in _COLUMN_OF.items()}
    return row | {column: json_or_none(row[column]) for column in _JSON_COLUMNS}


def operation_from_row(row: Row) -> Operation:
    values = {name: row[column] for name, column in _COLUMN_OF.items()}
    values |= {
        name: json.loads(row[column])
        for name, column in _COLUMN_OF.items()
        if column in _JSON_COLUMNS and row[column] is not None
    }
    values |= {name: row[name] or None for name in ("deadline_at", "next_at")}
    return Operation(**values | {"action": Action(row["action"]), "state": OperationState(row["state"])})
