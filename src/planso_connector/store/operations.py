"""The history of writes: each is recorded before PlanSo hears of it, and settled once."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import BigInteger, Text, bindparam, func, insert, select, update

from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Action, Operation, State
from planso_connector.store.rendering import storable, to_json
from planso_connector.store.tables import operations
from planso_connector.store.transaction import Row, Transaction

_OF_WORKSHOP = operations.c.workshop == bindparam("of_workshop")
_RECORD = insert(operations).values({c.name: bindparam(c.name, type_=c.type) for c in operations.c})
_GET = select(operations).where(_OF_WORKSHOP, operations.c.id == bindparam("of_id"))
_PENDING = (
    select(operations)
    .where(_OF_WORKSHOP, operations.c.state == State.PENDING.value)
    .order_by(operations.c.created_at, operations.c.id)
)
_OF_ORDER = (
    select(operations)
    .where(_OF_WORKSHOP, operations.c.order_id == bindparam("of_order", type_=BigInteger))
    .order_by(operations.c.created_at.desc(), operations.c.id.desc())
    .limit(bindparam("at_most", type_=BigInteger))
)
_SETTLE = (
    update(operations)
    .where(_OF_WORKSHOP, operations.c.id == bindparam("of_id"), operations.c.state == State.PENDING.value)
    .values(
        state=bindparam("state"),
        message=bindparam("message"),
        before=func.coalesce(bindparam("before", type_=Text), operations.c.before),
        order_id=func.coalesce(bindparam("order_id", type_=BigInteger), operations.c.order_id),
        settled_at=bindparam("settled_at"),
    )
)


def record(tx: Transaction, workshop: str, operation: Operation) -> None:
    """Writes the operation down, as it is. Its id is new."""
    tx.run(
        _RECORD,
        workshop=workshop,
        id=operation.id,
        action=operation.action.value,
        order_id=operation.order_id,
        state=operation.state.value,
        asked=_json(operation.asked),
        before=_json(operation.before) if operation.before is not None else None,
        message=storable(operation.message),
        created_at=operation.created_at,
        settled_at=operation.settled_at,
    )


def settle(
    tx: Transaction,
    workshop: str,
    operation_id: str,
    *,
    state: State,
    now: str,
    message: str = "",
    before: Mapping[str, Value] | None = None,
    order_id: int | None = None,
) -> bool:
    """
    How a pending operation ended. `order_id` is the number that PlanSo gave to a created order. False, with
    nothing changed, when it is not there or not pending any more.
    """
    changed = tx.run(
        _SETTLE,
        of_workshop=workshop,
        of_id=operation_id,
        state=state.value,
        message=storable(message),
        before=_json(before) if before is not None else None,
        order_id=order_id,
        settled_at=now,
    )
    return changed == 1


def get(tx: Transaction, workshop: str, operation_id: str) -> Operation | None:
    found = tx.rows(_GET, of_workshop=workshop, of_id=storable(operation_id))
    return _operation(found[0]) if found else None


def pending(tx: Transaction, workshop: str) -> list[Operation]:
    """Those that are not settled, oldest first."""
    return [_operation(row) for row in tx.rows(_PENDING, of_workshop=workshop)]


def of_order(tx: Transaction, workshop: str, order_id: int, limit: int = 50) -> list[Operation]:
    """An order's last operations, newest first."""
    return [_operation(row) for row in tx.rows(_OF_ORDER, of_workshop=workshop, of_order=order_id, at_most=limit)]


def _json(values: Mapping[str, Value]) -> str:
    return storable(to_json(dict(values)))


def _operation(row: Row) -> Operation:
    return Operation(
        id=row["id"],
        action=Action(row["action"]),
        order_id=row["order_id"],
        asked=json.loads(row["asked"]),
        state=State(row["state"]),
        message=row["message"],
        created_at=row["created_at"],
        settled_at=row["settled_at"],
        before=json.loads(row["before"]) if row["before"] is not None else None,
    )
