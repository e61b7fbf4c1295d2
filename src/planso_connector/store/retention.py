"""
What is kept only for a time: each function lets go of some rows of one kind, older than an instant, and tells how many.
It is called again until it is 0.

Nothing goes that a pending operation may still need: itself, and what was recorded since the oldest one, of which the
search for a create's order and the noticing of edits are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, BindParameter, Column, ColumnElement, Delete, bindparam, delete, func, select, tuple_

from planso_connector.domain.operation import OperationState
from planso_connector.store import personal_data, sync_runs
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import access_log, history, operations, orders, unreadable_pages

BATCH = 200
"""Rows in one transaction."""
ORDER_BATCH = 20

_MOST = bindparam("at_most", type_=BigInteger)
_BEFORE: BindParameter[str] = bindparam("before")
_pending = operations.alias("pending")
_NEEDED_SINCE = func.coalesce(
    select(func.min(_pending.c.created_at))
    .where(_pending.c.workshop == bindparam("of_workshop"), _pending.c.state == OperationState.PENDING.value)
    .scalar_subquery(),
    "9999",
)


def _some(age: ColumnElement[str], keys: Sequence[Column[Any]], *conditions: ColumnElement[bool]) -> Delete:
    """Deletes the oldest. `keys` is the primary key but for the workshop."""
    table = keys[0].table
    here = table.c.workshop == bindparam("of_workshop")
    oldest = select(*keys).where(here, age < _BEFORE, *conditions).order_by(age).limit(_MOST)
    return delete(table).where(here, tuple_(*keys).in_(oldest) if len(keys) > 1 else keys[0].in_(oldest))


_OPERATIONS = _some(
    operations.c.created_at,
    [operations.c.id],
    operations.c.state != OperationState.PENDING.value,
    func.coalesce(operations.c.settled_at, operations.c.created_at) < _BEFORE,
    operations.c.created_at < bindparam("keys_before"),
    operations.c.created_at < _NEEDED_SINCE,
)
_CHANGES = _some(history.c.at, [history.c.order_id, history.c.version, history.c.by], history.c.at < _NEEDED_SINCE)
_KEPT_PAGES = _some(unreadable_pages.c.kept_at, [unreadable_pages.c.id])
_ACCESSES = _some(access_log.c.at, [access_log.c.at, access_log.c.id])
_TOMBSTONES = (
    select(orders.c.id)
    .where(
        orders.c.workshop == bindparam("of_workshop"),
        orders.c.deleted_at < _BEFORE,
        ~select(_pending.c.id)
        .where(
            _pending.c.workshop == orders.c.workshop,
            _pending.c.order_id == orders.c.id,
            _pending.c.state == OperationState.PENDING.value,
        )
        .exists(),
    )
    .order_by(orders.c.deleted_at)
    .limit(_MOST)
)


def drop_operations(tx: Transaction, *, before: str, keys_before: str) -> int:
    """Settled ones. `keys_before`: those that are younger stay, because their idempotency keys are good still."""
    return tx.execute(_OPERATIONS, before=before, keys_before=keys_before, at_most=BATCH)


def drop_history(tx: Transaction, *, before: str) -> int:
    return tx.execute(_CHANGES, before=before, at_most=BATCH)


def drop_unreadable_pages(tx: Transaction, *, before: str) -> int:
    return tx.execute(_KEPT_PAGES, before=before, at_most=BATCH)


def drop_access_log(tx: Transaction, *, before: str) -> int:
    return tx.execute(_ACCESSES, before=before, at_most=BATCH)


def drop_sync_runs(tx: Transaction, *, before: str) -> int:
    """But for the last that ended well and the last full one."""
    return sync_runs.drop_old(tx, before=before)


def drop_deleted_orders(tx: Transaction, *, before: str) -> int:
    """Orders that were deleted, with all that belongs to them, their history too."""
    found = tx.fetch_all(_TOMBSTONES, before=before, at_most=ORDER_BATCH)
    return sum(personal_data.drop_order(tx, row["id"], deleted_before=before) for row in found)
