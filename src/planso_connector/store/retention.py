"""
SQL that deletes expired rows. Each function deletes one batch of a kind, the rows older than an instant,
and returns how many it deleted; it is called again until that is 0.

Nothing is deleted that a pending operation may still need: the operation, and what was recorded since the oldest
pending one, which finding a create's order and noticing edits rely on.
"""

from typing import Any

from sqlalchemy import BigInteger, BindParameter, Column, ColumnElement, Delete, bindparam, delete, func, select, tuple_

from planso_connector.domain.clock import Instant
from planso_connector.domain.operation import OperationState
from planso_connector.store import personal_data, sync_runs
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import access_log, history, notices, operations, orders, unreadable_pages

BATCH = 200
"""Rows in one transaction."""
ORDER_BATCH = 20
"""Orders in one transaction, with all rows that belong to them."""

_MOST = bindparam("at_most", type_=BigInteger)
_BEFORE: BindParameter[str] = bindparam("before")
_pending = operations.alias("pending")
_NEEDED_SINCE = func.coalesce(
    select(func.min(_pending.c.created_at))
    .where(_pending.c.workshop == bindparam("of_workshop"), _pending.c.state == OperationState.PENDING.value)
    .scalar_subquery(),
    "9999",
)


def _delete_oldest(age: Column[Any], *conditions: ColumnElement[bool]) -> Delete:
    table = age.table
    keys = [column for column in table.primary_key if column.name != "workshop"]
    is_ours = table.c.workshop == bindparam("of_workshop")
    oldest = select(*keys).where(is_ours, age < _BEFORE, *conditions).order_by(age).limit(_MOST)
    return delete(table).where(is_ours, tuple_(*keys).in_(oldest) if len(keys) > 1 else keys[0].in_(oldest))


_OPERATIONS = _delete_oldest(
    operations.c.created_at,
    operations.c.state != OperationState.PENDING.value,
    func.coalesce(operations.c.settled_at, operations.c.created_at) < _BEFORE,
    operations.c.created_at < bindparam("keys_before"),
    operations.c.created_at < _NEEDED_SINCE,
)
_HISTORY = _delete_oldest(history.c.at, history.c.at < _NEEDED_SINCE)
_UNREADABLE_PAGES = _delete_oldest(unreadable_pages.c.kept_at)
_ACCESS_LOG = _delete_oldest(access_log.c.at)
_NOTICES = _delete_oldest(notices.c.done_at)
_DELETED_ORDERS = (
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


def drop_operations(tx: Transaction, before: Instant, keys_before: Instant) -> int:
    """Settled operations that were created before `keys_before`: later ones still answer for their idempotency key."""
    return tx.execute(_OPERATIONS, before=before, keys_before=keys_before, at_most=BATCH)


def drop_history(tx: Transaction, before: Instant) -> int:
    return tx.execute(_HISTORY, before=before, at_most=BATCH)


def drop_unreadable_pages(tx: Transaction, before: Instant) -> int:
    return tx.execute(_UNREADABLE_PAGES, before=before, at_most=BATCH)


def drop_access_log(tx: Transaction, before: Instant) -> int:
    return tx.execute(_ACCESS_LOG, before=before, at_most=BATCH)


def drop_notices(tx: Transaction, before: Instant) -> int:
    """Those that were done before; open ones stay."""
    return tx.execute(_NOTICES, before=before, at_most=BATCH)


def drop_sync_runs(tx: Transaction, before: Instant) -> int:
    """All but the last successful run and the last full one."""
    return sync_runs.drop_old(tx, before=before)


def drop_deleted_orders(tx: Transaction, before: Instant) -> int:
    """Orders that were deleted in PlanSo, with all rows that belong to them, their history included."""
    found = tx.fetch_all(_DELETED_ORDERS, before=before, at_most=ORDER_BATCH)
    return sum(personal_data.drop_order(tx, row["id"], deleted_before=before) for row in found)
