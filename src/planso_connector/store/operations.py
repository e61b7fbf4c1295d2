"""
SQL of the outbox: record, claim, mark as sent, postpone and settle operations. Each function is one step of an
operation's life cycle (see `domain.operation`), in the caller's transaction.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from planso_connector.domain.clock import Instant, format_instant, latest_plausible_expiry, parse_instant
from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.saving.verdicts import Difference
from planso_connector.store import change_feed, save_evidence
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.operation_rows import json_or_none, operation_from_row, operation_to_row
from planso_connector.store.order_rows import sanitize_text
from planso_connector.store.tables import operations, orders
from planso_connector.store.write_stops import IS_STOPPED

c = operations.c
_OF_WORKSHOP = c.workshop == bindparam("of_workshop")
_IS_ID = _OF_WORKSHOP, c.id == bindparam("of_id")
_IS_ORDER = c.order_id == bindparam("of_order", type_=BigInteger)
_PENDING = c.state == OperationState.PENDING.value
_IS_HELD = and_(_PENDING, c.holder == bindparam("of_holder"), c.held_until > bindparam("now"))

_INSERT = insert(operations).values({column.name: bindparam(column.name, type_=column.type) for column in c})
_GET = select(operations).where(*_IS_ID)
_IS_DELETED = (
    select(orders.c.id)
    .where(orders.c.workshop == c.workshop, orders.c.id == c.order_id, orders.c.deleted_at.is_not(None))
    .exists()
)
_CREATED_ORDERS = select(c.order_id).where(
    _OF_WORKSHOP, c.action == Action.CREATE.value, c.order_id.is_not(None), c.id != bindparam("except_id"), ~_IS_DELETED
)
# Unsorted: to sort, SQLite would scan the workshop's whole index by creation.
_PENDING_OF_ORDER = select(operations).where(_OF_WORKSHOP, _PENDING, _IS_ORDER)
_ORDERS_PENDING = select(c.order_id).where(_OF_WORKSHOP, _PENDING, c.order_id.is_not(None)).distinct()
_PENDING_AFTER = select(c.id).where(_OF_WORKSHOP, _PENDING).limit(1).offset(bindparam("skipped", type_=Integer))
_LATEST_CREATED_AT = select(func.max(c.created_at).label("created_at")).where(_OF_WORKSHOP, _IS_ORDER)
_IS_UNCLAIMED = or_(c.held_until.is_(None), c.held_until <= bindparam("now"), c.held_until > bindparam("latest_expiry"))
_IS_AFTER_NEXT_AT = or_(c.next_at <= bindparam("now"), c.next_at > bindparam("latest_expiry"))
_other = operations.alias("other")
_OTHERS_PENDING = select(_other.c.id).where(
    _other.c.workshop == c.workshop, _other.c.order_id == c.order_id, _other.c.state == OperationState.PENDING.value
)
_IS_OLDEST = ~(
    _OTHERS_PENDING.where(
        # A restore, which a person approved, goes before the writes that the stop of its order holds back.
        c.controls.is_(None),
        tuple_(_other.c.created_at, _other.c.id) < tuple_(c.created_at, c.id),
    ).exists()
)
# A later operation can be claimed first: before this one was committed, or before this create had an order id.
_HAS_NO_OTHER_CLAIM = ~(
    _OTHERS_PENDING.where(
        _other.c.held_until > bindparam("now"), _other.c.held_until <= bindparam("latest_expiry")
    ).exists()
)
# What may have been sent is claimed all the same, to be looked for in PlanSo; it is not sent again.
_MAY_PROCEED = or_(c.sent_at.is_not(None), and_(bindparam("can_send", type_=Integer) == 1, ~IS_STOPPED))
_DUE = _OF_WORKSHOP, _PENDING, _IS_AFTER_NEXT_AT, _IS_UNCLAIMED, _MAY_PROCEED
_CLAIMABLE = (
    select(operations)
    .where(*_DUE, _IS_OLDEST, _HAS_NO_OTHER_CLAIM)
    .order_by(c.next_at, c.created_at, c.id)
    .limit(bindparam("at_most", type_=BigInteger))
    # In PostgreSQL a slow holder may change a row between this and the claim: rows locked by others are skipped.
    .with_for_update(of=operations, skip_locked=True)
)
_ANY_HELD = (
    select(c.id)
    .where(_OF_WORKSHOP, _PENDING, c.held_until > bindparam("now"), c.held_until <= bindparam("latest_expiry"))
    .limit(1)
)
_DUE_WORKSHOPS = select(c.workshop).where(_PENDING, _IS_AFTER_NEXT_AT, _IS_UNCLAIMED, _MAY_PROCEED).group_by(c.workshop)
"""Of the whole installation, by the index of pending operations."""
_CLAIM = (
    update(operations)
    .where(*_IS_ID)
    .values(holder=bindparam("holder"), held_until=bindparam("held_until"), attempts=c.attempts + 1)
)
_NO_CLAIM: dict[str, None] = {"holder": None, "held_until": None}
_RENEW = update(operations).where(*_IS_ID, _IS_HELD).values(held_until=bindparam("until"))
_MARK_SENT = (
    update(operations)
    .where(*_IS_ID, _IS_HELD, ~IS_STOPPED)
    .values(
        sent_at=bindparam("sent_at"),
        first_sent_at=func.coalesce(c.first_sent_at, bindparam("sent_at", type_=Text)),
        before=bindparam("before", type_=Text),
        sent=bindparam("sent", type_=Text),
    )
)
_IS_NOT_SENT = bindparam("sent_at", type_=Text).is_(None)
_POSTPONE = (
    update(operations)
    .where(*_IS_ID, _PENDING, c.holder == bindparam("of_holder"))
    .values(
        next_at=bindparam("next_at"),
        message=bindparam("message"),
        order_id=func.coalesce(bindparam("order_id", type_=BigInteger), c.order_id),
        sent_at=bindparam("sent_at", type_=Text),
        sent=bindparam("sent", type_=Text),
        **{name: case((_IS_NOT_SENT, None), else_=c[name]) for name in ("before", "first_sent_at")},
        **_NO_CLAIM,
    )
)
_MARK_RESTORED = (
    update(operations)
    .where(_PENDING)
    .values(
        restored_at=bindparam("now"),
        sent_at=func.coalesce(c.sent_at, bindparam("now", type_=Text)),
        first_sent_at=func.coalesce(c.first_sent_at, bindparam("now", type_=Text)),
        next_at=bindparam("now"),
        **_NO_CLAIM,
    )
)
_RELEASE = update(operations).where(_OF_WORKSHOP, _PENDING, c.holder == bindparam("of_holder")).values(**_NO_CLAIM)
_NOTHING_SENT = bindparam("nothing_sent", type_=BigInteger) == 1
_SETTLE = (
    update(operations)
    .where(*_IS_ID, _PENDING)
    .values(
        state=bindparam("state"),
        message=bindparam("message"),
        notes=func.coalesce(bindparam("notes", type_=Text), c.notes),
        before=case((_NOTHING_SENT, None), else_=func.coalesce(bindparam("before", type_=Text), c.before)),
        sent_at=case((_NOTHING_SENT, None), else_=c.sent_at),
        first_sent_at=case((_NOTHING_SENT, None), else_=c.first_sent_at),
        order_id=func.coalesce(bindparam("order_id", type_=BigInteger), c.order_id),
        failure=bindparam("failure", type_=Text),
        settled_at=bindparam("settled_at"),
        differences=bindparam("differences", type_=Text),
        sent=None,
        **_NO_CLAIM,
    )
)
_SETTLE_HELD = _SETTLE.where(c.holder == bindparam("of_holder"))
_CANCEL = _SETTLE.where(c.sent_at.is_(None))


def record(tx: Transaction, operation: Operation) -> Operation:
    """Insert a new operation, with a `created_at` later than that of every other of its order. Return it as stored."""
    lock_order(tx, operation.order_id)
    row = operation_to_row(operation)
    row |= {column: sanitize_text(row[column]) for column in ("message", "notes", "caller")}
    row |= {"action": operation.action.value, "state": operation.state.value}
    row |= {column: row[column] or "" for column in ("deadline_at", "next_at")}
    row["created_at"] = _next_created_at(tx, operation)
    tx.execute(_INSERT, **row, holder=None, held_until=None)
    return operation_from_row(tx.fetch_all(_GET, of_id=operation.id)[0])


def lock_order(tx: Transaction, order_id: int | None) -> None:
    """Until the transaction ends, no other records an operation of this order: the later one sees the earlier."""
    if order_id is not None:
        tx.lock(f"operations {tx.workshop} {order_id}")


def _next_created_at(tx: Transaction, operation: Operation) -> Instant:
    """`created_at`, or just after the order's last one where the clock was set back: it decides who is first."""
    assert operation.created_at is not None, "operations are recorded with their time"
    if operation.order_id is None:
        return operation.created_at
    last: str | None = tx.fetch_all(_LATEST_CREATED_AT, of_order=operation.order_id)[0]["created_at"]
    if last is None or last < operation.created_at:
        return operation.created_at
    return format_instant(parse_instant(last) + timedelta(microseconds=1))


def claim(
    tx: Transaction, *, holder: str, now: Instant, until: Instant, at_most: int, can_send: bool = True
) -> list[Operation]:
    """
    Claim up to `at_most` due operations for `holder` until `until`, longest due first: of each order the oldest pending
    one, and none while another of the order is claimed. While writes are stopped, or without `can_send`, only those
    that may have been sent already, to be looked for in PlanSo. One at a time until a save of this workshop was found
    clean: an unexpected way of saving damages one order then, not several.
    """
    tx.lock(f"claim {tx.workshop}")
    due = find_claimable(tx, now=now, at_most=at_most, can_send=can_send)
    if due:
        tx.execute_many(_CLAIM, [{"holder": holder, "held_until": until, "of_id": row["id"]} for row in due])
    return [replace(operation, attempts=operation.attempts + 1) for operation in map(operation_from_row, due)]


def find_claimable(tx: Transaction, *, now: Instant, at_most: int, can_send: bool) -> list[Row]:
    """What `claim` claims."""
    times = {"now": now, "latest_expiry": latest_plausible_expiry(now)}
    due = tx.fetch_all(_CLAIMABLE, **times, at_most=at_most, can_send=int(can_send))
    if due and not save_evidence.has_clean_save(tx):
        return [] if tx.fetch_all(_ANY_HELD, **times) else due[:1]
    return due


def list_due_workshops(tx: Transaction, *, now: Instant, can_send: bool = True) -> list[str]:
    """
    The workshops in which `claim` may find an operation; those that wait for another of their order count too. For a
    transaction of the whole installation.
    """
    times = {"now": now, "latest_expiry": latest_plausible_expiry(now)}
    return [row["workshop"] for row in tx.fetch_all(_DUE_WORKSHOPS, **times, can_send=int(can_send))]


def renew(tx: Transaction, ids: Iterable[str], *, holder: str, now: Instant, until: Instant) -> set[str]:
    """Extend the claims that `holder` still has, and return their ids; operations of lost claims must not be sent."""
    key = {"of_holder": holder, "now": now, "until": until}
    return {operation_id for operation_id in sorted(ids) if tx.execute(_RENEW, of_id=operation_id, **key) == 1}


def mark_sent(
    tx: Transaction,
    operation_id: str,
    *,
    holder: str,
    now: Instant,
    before: Mapping[str, Value] | None,
    sent: Mapping[str, Any] | None,
) -> bool:
    """
    Mark an operation as possibly sent from now on. False, with nothing changed, where the claim is lost, the operation
    was cancelled or its writes are stopped: then it must not be sent.
    """
    values = {"sent_at": now, "before": json_or_none(before), "sent": json_or_none(sent)}
    return tx.execute(_MARK_SENT, of_id=operation_id, of_holder=holder, now=now, **values) == 1


def postpone(
    tx: Transaction,
    operation_id: str,
    *,
    holder: str,
    next_at: Instant,
    message: str,
    sent_at: Instant | None,
    sent: Mapping[str, Any] | None = None,
    order_id: int | None = None,
) -> bool:
    """
    End the claim; the operation is due again at `next_at`. `sent_at` and `sent` are of the last send, None where PlanSo
    certainly has nothing of it; `order_id` is the number that PlanSo gave to a created order. False where the claim
    is lost.
    """
    values = {"next_at": next_at, "message": sanitize_text(message), "sent_at": sent_at, "sent": json_or_none(sent)}
    return tx.execute(_POSTPONE, of_id=operation_id, of_holder=holder, order_id=order_id, **values) == 1


def mark_restored(tx: Transaction, *, now: Instant) -> int:
    """
    After the whole database was restored from a backup: mark the pending operations of all workshops as possibly sent,
    so that they are looked for and not sent again. Return their number.
    """
    return tx.execute(_MARK_RESTORED, now=now)


def release(tx: Transaction, *, holder: str) -> int:
    """End all of the holder's claims, and return their number."""
    return tx.execute(_RELEASE, of_holder=holder)


def settle(
    tx: Transaction,
    operation_id: str,
    *,
    holder: str,
    state: OperationState,
    now: Instant,
    nothing_sent: bool = False,
    message: str = "",
    notes: str = "",
    before: Mapping[str, Value] | None = None,
    order_id: int | None = None,
    failure: Mapping[str, object] | None = None,
    differences: Sequence[Difference] | None = None,
) -> bool:
    """
    Settle a pending operation. `notes`, unless empty, replace its own; `nothing_sent`: PlanSo certainly has nothing of
    it, marked or not; `order_id` is the number that PlanSo gave to a created order. False, with nothing changed, where
    it is settled already or the claim is lost.
    """
    values = {
        "state": state.value,
        "message": sanitize_text(message),
        "notes": sanitize_text(notes) if notes else None,
        "before": json_or_none(before),
        "order_id": order_id,
        "failure": json_or_none(failure),
        "differences": json_or_none([one.as_json() for one in differences] if differences is not None else None),
        "nothing_sent": int(nothing_sent),
    }
    if not tx.execute(_SETTLE_HELD, of_id=operation_id, of_holder=holder, settled_at=now, **values):
        return False
    change_feed.append_settled(tx, operation_id, state, at=now)
    return True


def cancel(tx: Transaction, operation_id: str, *, now: Instant, message: str, failure: Mapping[str, object]) -> bool:
    """Settle as refused a pending operation of which nothing was sent. False where it may have been, or is settled."""
    values = {"message": sanitize_text(message), "failure": json_or_none(failure), "nothing_sent": 1}
    unchanged = dict.fromkeys(("notes", "before", "order_id", "differences"))
    state = OperationState.REFUSED
    if not tx.execute(_CANCEL, of_id=operation_id, settled_at=now, state=state.value, **values, **unchanged):
        return False
    change_feed.append_settled(tx, operation_id, state, at=now)
    return True


def list_created_orders(tx: Transaction, *, except_id: str = "") -> set[int]:
    """
    The orders that creates made, without that of the operation `except_id`, and without those deleted since: PlanSo
    may give their numbers to others.
    """
    return {row["order_id"] for row in tx.fetch_all(_CREATED_ORDERS, except_id=except_id)}


def get(tx: Transaction, operation_id: str) -> Operation | None:
    found = tx.fetch_all(_GET, of_id=sanitize_text(operation_id))
    return operation_from_row(found[0]) if found else None


def list_pending_orders(tx: Transaction) -> set[int]:
    return {row["order_id"] for row in tx.fetch_all(_ORDERS_PENDING)}


def has_pending(tx: Transaction, *, at_least: int) -> bool:
    """Whether at least so many operations, 1 or more, are pending."""
    return bool(tx.fetch_all(_PENDING_AFTER, skipped=at_least - 1))


def list_pending(tx: Transaction, order_id: int) -> list[Operation]:
    """An order's pending operations, oldest first."""
    rows = tx.fetch_all(_PENDING_OF_ORDER, of_order=order_id)
    return [operation_from_row(row) for row in sorted(rows, key=lambda row: (row["created_at"], row["id"]))]


def list_page(
    tx: Transaction,
    *,
    order_id: int | None = None,
    state: OperationState | None = None,
    before: tuple[str, str] | None = None,
    limit: int = 50,
) -> list[Operation]:
    """A page of operations, newest first. `before` is `created_at` and id of the previous page's last one."""
    before_at, before_id = before or (None, None)
    filters = {"of_order": order_id, "of_state": state and state.value, "before_at": before_at, "before_id": before_id}
    given = {name: value for name, value in filters.items() if value is not None}
    statement = _PAGES[order_id is not None, state is not None, before is not None]
    return [operation_from_row(row) for row in tx.fetch_all(statement, at_most=limit, **given)]


def _select_page(of_order: bool, of_state: bool, is_next: bool) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = [_OF_WORKSHOP]
    if of_order:
        conditions.append(_IS_ORDER)
    if of_state:
        conditions.append(c.state == bindparam("of_state"))
    if is_next:
        conditions.append(tuple_(c.created_at, c.id) < tuple_(bindparam("before_at"), bindparam("before_id")))
    most = bindparam("at_most", type_=BigInteger)
    return select(operations).where(*conditions).order_by(c.created_at.desc(), c.id.desc()).limit(most)


_PAGES = {filters: _select_page(*filters) for filters in itertools.product((False, True), repeat=3)}
