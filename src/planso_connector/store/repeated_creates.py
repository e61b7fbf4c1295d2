"""
Find the operation that a request without an idempotency key repeats: a client that timed out sends the same create
again, and the order must not be there twice; a model calls a tool again within one phone call.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Column, ColumnElement, bindparam, or_, select

from planso_connector.domain.clock import CLOCK_TOLERANCE, format_instant, parse_instant
from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.order import VEHICLE_IDENTIFIERS
from planso_connector.store import operations as outbox
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.tables import operations, orders

WINDOW = timedelta(minutes=2)
"""How long after a create the same request is taken for a repetition of it."""

c = operations.c


def _is_living(state: Column[str]) -> ColumnElement[bool]:
    return or_(state == OperationState.PENDING.value, state == OperationState.CONFIRMED.value)


_other = operations.alias("other")
_IS_DELETED = (
    select(orders.c.id)
    .where(orders.c.workshop == c.workshop, orders.c.id == c.order_id, orders.c.deleted_at.is_not(None))
    .exists()
)
_IS_BEING_DELETED = (
    select(_other.c.id)
    .where(
        _other.c.workshop == c.workshop,
        _other.c.order_id == c.order_id,
        _other.c.action == Action.DELETE.value,
        _is_living(_other.c.state),
    )
    .exists()
)
_IS_SUPERSEDED = (
    select(_other.c.id)
    .where(
        c.action == Action.UPDATE.value,
        _other.c.workshop == c.workshop,
        _other.c.order_id == c.order_id,
        _other.c.created_at > c.created_at,
        _other.c.state != OperationState.REFUSED.value,
    )
    .exists()
)
"""Another write to the order came after an update: asking for the same once more changes it back."""
_REPEATED = (
    select(c.id)
    .where(
        c.workshop == bindparam("of_workshop"),
        c.content == bindparam("of_content"),
        c.created_at > bindparam("after"),
        c.created_at < bindparam("before"),
        c.caller == bindparam("of_caller"),
        _is_living(c.state),
        ~_IS_DELETED,
        ~_IS_BEING_DELETED,
        ~_IS_SUPERSEDED,
    )
    .order_by(c.created_at)  # with the id too, SQLite would walk all operations of these two minutes
    .limit(1)
)


def compute_content(
    action: Action, requested: Mapping[str, Value], unknown: Mapping[str, object], *, is_strict: bool
) -> str | None:
    """
    The fingerprint of a create that names a vehicle; None for any other: two people may well ask for it at once.
    Unknown members count, though they are left out: they may be what tells two requests apart. So does whether a
    duplicate is refused: who asks for that wants to be told of one.
    """
    if action is not Action.CREATE or not any(requested.get(path) for path in VEHICLE_IDENTIFIERS):
        return None
    text = to_json([dict(sorted(requested.items())), dict(sorted(unknown.items())), is_strict])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def find_repeated(tx: Transaction, operation: Operation, window: timedelta = WINDOW) -> Operation | None:
    """
    The earliest operation of this caller with the same content within `window`, pending or confirmed, whose order was
    neither deleted nor asked to be, and to whose order, if it is an update, no other write came since; None for an
    operation without content. In a writing transaction the content is locked until its end, so that of several at once
    one is recorded.
    """
    if operation.content is None or operation.created_at is None:
        return None
    tx.lock(f"content {tx.workshop} {operation.content}")
    now = parse_instant(operation.created_at)
    # What lies further ahead dates from before the clock was set back.
    times = {"after": format_instant(now - window), "before": format_instant(now + CLOCK_TOLERANCE)}
    found = tx.fetch_all(_REPEATED, of_content=operation.content, of_caller=sanitize_text(operation.caller), **times)
    return outbox.get(tx, found[0]["id"]) if found else None
