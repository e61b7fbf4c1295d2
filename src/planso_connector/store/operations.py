"""
The outbox: operations recorded, claimed, marked as sent, put back, settled. Each function is one step of an operation
in the caller's transaction; what they say together is in `domain.operation`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
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
from planso_connector.domain.saving.differences import Difference
from planso_connector.domain.stored_errors import is_invalid_request
from planso_connector.store import save_evidence
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.tables import operations, orders
from planso_connector.store.write_stops import IS_STOPPED

IDEMPOTENCY_KEY_LIFETIME = timedelta(days=7)
"""How long an idempotency key stands for its operation."""

c = operations.c
_OF_WORKSHOP = c.workshop == bindparam("of_workshop")
_IS = _OF_WORKSHOP, c.id == bindparam("of_id")
_PENDING = c.state == OperationState.PENDING.value
_MINE = and_(_PENDING, c.holder == bindparam("of_holder"), c.held_until > bindparam("now"))
_NEWEST_FIRST = c.created_at.desc(), c.id.desc()

_RECORD = insert(operations).values({one.name: bindparam(one.name, type_=one.type) for one in operations.c})
_GET = select(operations).where(*_IS)
_IS_DELETED = (
    select(orders.c.id)
    .where(orders.c.workshop == c.workshop, orders.c.id == c.order_id, orders.c.deleted_at.is_not(None))
    .exists()
)
_CREATED = select(c.order_id).where(
    _OF_WORKSHOP, c.action == Action.CREATE.value, c.order_id.is_not(None), c.id != bindparam("but"), ~_IS_DELETED
)
# Not sorted here: SQLite would go through all operations that there ever were in the index that has them so.
_PENDING_OF_ORDER = select(operations).where(
    _OF_WORKSHOP, _PENDING, c.order_id == bindparam("of_order", type_=BigInteger)
)
_ORDERS_PENDING = select(c.order_id).where(_OF_WORKSHOP, _PENDING, c.order_id.is_not(None)).distinct()
_PENDING_BEYOND = select(c.id).where(_OF_WORKSHOP, _PENDING).limit(1).offset(bindparam("already", type_=Integer))
_LATEST_OF_ORDER = select(func.max(c.created_at).label("at")).where(
    _OF_WORKSHOP, c.order_id == bindparam("of_order", type_=BigInteger)
)
_BY_KEY = select(operations).where(
    _OF_WORKSHOP,
    c.caller == bindparam("of_caller"),
    or_(c.idempotency_key == bindparam("of_key"), c.idempotency_key == bindparam("of_erased_key")),
)
_FORGET_KEY = update(operations).where(*_IS).values(idempotency_key=None)

_earlier = operations.alias("earlier")
_other = operations.alias("other")
_IS_FREE = or_(c.held_until.is_(None), c.held_until <= bindparam("now"), c.held_until > bindparam("too_far"))
_IS_TIME = or_(c.next_at <= bindparam("now"), c.next_at > bindparam("too_far"))
_IS_FIRST = ~(
    select(_earlier.c.id)
    .where(
        _earlier.c.workshop == c.workshop,
        _earlier.c.order_id == c.order_id,
        _earlier.c.state == OperationState.PENDING.value,
        # What a person approved to undo a damage goes before what the stopped order has waiting.
        c.controls.is_(None),
        tuple_(_earlier.c.created_at, _earlier.c.id) < tuple_(c.created_at, c.id),
    )
    .exists()
)
# One that was recorded a moment later, and claimed before this one was committed.
_IS_ALONE = ~(
    select(_other.c.id)
    .where(
        _other.c.workshop == c.workshop,
        _other.c.order_id == c.order_id,
        _other.c.state == OperationState.PENDING.value,
        _other.c.held_until > bindparam("now"),
        _other.c.held_until <= bindparam("too_far"),
    )
    .exists()
)
# What was sent and is not known to have landed is looked for in PlanSo all the same, and not sent again.
_MAY_GO_ON = or_(c.sent_at.is_not(None), and_(bindparam("sends", type_=Integer) == 1, ~IS_STOPPED))
_DUE = _OF_WORKSHOP, _PENDING, _IS_TIME, _IS_FREE, _MAY_GO_ON
_CLAIMABLE = (
    select(operations)
    .where(*_DUE, _IS_FIRST, _IS_ALONE)
    .order_by(c.next_at, c.created_at, c.id)
    .limit(bindparam("at_most", type_=BigInteger))
    # In PostgreSQL a slow holder's step may come between this and the claim: what is in somebody's hands is left alone.
    .with_for_update(of=operations, skip_locked=True)
)
_ANY_HELD = (
    select(c.id)
    .where(_OF_WORKSHOP, _PENDING, c.held_until > bindparam("now"), c.held_until <= bindparam("too_far"))
    .limit(1)
)
_ANY_DUE = select(c.id).where(*_DUE).limit(1)
_CLAIM = (
    update(operations)
    .where(*_IS)
    .values(holder=bindparam("holder"), held_until=bindparam("held_until"), attempts=c.attempts + 1)
)
_RENEW = update(operations).where(*_IS, _MINE).values(held_until=bindparam("until"))
_MARK_SENT = (
    update(operations)
    .where(*_IS, _MINE, ~IS_STOPPED)
    .values(
        sent_at=bindparam("sent_at"),
        first_sent_at=func.coalesce(c.first_sent_at, bindparam("sent_at", type_=Text)),
        before=bindparam("before", type_=Text),
        sent=bindparam("sent", type_=Text),
    )
)
_OF_A_SEND = ("before", "first_sent_at")
_PUT_BACK = (
    update(operations)
    .where(*_IS, _PENDING, c.holder == bindparam("of_holder"))
    .values(
        next_at=bindparam("next_at"),
        message=bindparam("message"),
        order_id=func.coalesce(bindparam("order_id", type_=BigInteger), c.order_id),
        sent_at=bindparam("sent_at", type_=Text),
        sent=bindparam("sent", type_=Text),
        **{name: case((bindparam("sent_at", type_=Text).is_(None), None), else_=c[name]) for name in _OF_A_SEND},
        holder=None,
        held_until=None,
    )
)
_RESTORE = (
    update(operations)
    .where(_PENDING)
    .values(
        restored_at=bindparam("now"),
        sent_at=func.coalesce(c.sent_at, bindparam("now", type_=Text)),
        first_sent_at=func.coalesce(c.first_sent_at, bindparam("now", type_=Text)),
        next_at=bindparam("now"),
        holder=None,
        held_until=None,
    )
)
_RELEASE = (
    update(operations)
    .where(_OF_WORKSHOP, _PENDING, c.holder == bindparam("of_holder"))
    .values(holder=None, held_until=None)
)
_NOTHING_SENT = bindparam("nothing_sent", type_=BigInteger) == 1
_SETTLE = (
    update(operations)
    .where(*_IS, _PENDING)
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
        holder=None,
        held_until=None,
    )
)
_SETTLE_HELD = _SETTLE.where(c.holder == bindparam("of_holder"))
_CANCEL = _SETTLE.where(c.sent_at.is_(None))


def record(tx: Transaction, operation: Operation) -> Operation:
    """
    Writes the operation down as it is, later than all that its order has; its id is new. The operation as it stands.
    """
    lock_order(tx, operation.order_id)
    created_at = _later_than_the_last(tx, operation)
    tx.execute(
        _RECORD,
        id=operation.id,
        action=operation.action.value,
        order_id=operation.order_id,
        state=operation.state.value,
        asked=_json(operation.requested),
        before=_json(operation.before),
        message=sanitize_text(operation.message),
        notes=sanitize_text(operation.notes),
        caller=sanitize_text(operation.caller),
        idempotency_key=operation.idempotency_key,
        request=operation.request,
        created_at=created_at,
        deadline_at=operation.deadline_at or "",
        next_at=operation.next_at or "",
        attempts=operation.attempts,
        base=_json(operation.base),
        undoes=operation.undoes,
        failure=to_json(operation.failure) if operation.failure is not None else None,
        settled_at=operation.settled_at,
        sent_at=operation.sent_at,
        first_sent_at=operation.first_sent_at,
        sent=_json(operation.sent),
        restored_at=operation.restored_at,
        differences=_json_list(operation.differences),
        controls=_json(operation.controls),
        identity=_json(operation.identity),
        holder=None,
        held_until=None,
    )
    return _operation(tx.fetch_all(_GET, of_id=operation.id)[0])


def lock_order(tx: Transaction, order_id: int | None) -> None:
    """So that no two operations of one order are recorded at once, and the later one sees the earlier."""
    if order_id is not None:
        tx.lock(f"operations {tx.workshop} {order_id}")


def _later_than_the_last(tx: Transaction, operation: Operation) -> Instant:
    """The order of operations must hold also where the clock is set back."""
    assert operation.created_at is not None, "operations are recorded with their time"
    if operation.order_id is None:
        return operation.created_at
    last: str | None = tx.fetch_all(_LATEST_OF_ORDER, of_order=operation.order_id)[0]["at"]
    if last is None or last < operation.created_at:
        return operation.created_at
    return format_instant(parse_instant(last) + timedelta(microseconds=1))


def find_by_key(tx: Transaction, caller: str, key: str, *, now: str) -> Operation | None:
    """
    The operation that this caller's idempotency key stands for. In a writing transaction nobody else can take the key
    until this one ends. A key that was kept for long enough is free again, and one whose request PlanSo's form could
    not take is not used up: 422 is told before anything is done.
    """
    tx.lock(f"key {tx.workshop} {caller} {key}")
    found = tx.fetch_all(_BY_KEY, of_caller=sanitize_text(caller), of_key=key, of_erased_key=erase_key(key))
    if not found:
        return None
    operation = _operation(found[0])
    is_young = parse_instant(found[0]["created_at"]) + IDEMPOTENCY_KEY_LIFETIME > parse_instant(now)
    is_kept = is_young or operation.state is OperationState.PENDING
    if is_kept and not is_invalid_request(operation.failure):
        return operation
    tx.execute(_FORGET_KEY, of_id=operation.id)
    return None


def erase_key(key: str) -> str:
    """What stands for a key in an operation that was erased. Of an erased key, that key itself."""
    is_erased = re.fullmatch(r"erased:[0-9a-f]{64}", key)
    return key if is_erased else f"erased:{hashlib.sha256(key.encode()).hexdigest()}"


def claim(tx: Transaction, *, holder: str, now: str, until: str, at_most: int, sends: bool = True) -> list[Operation]:
    """
    Those that are due and nobody's, longest due first: of each order only the first that is pending, and none where
    another of the order is under way. They are `holder`'s until `until`. Of those whose writes are stopped, and where
    this process never `sends`, only what was sent before: to be looked for. One at a time until a save of this workshop
    was compared clean: a PlanSo that saves otherwise than expected damages one order then, not several.
    """
    tx.lock(f"claim {tx.workshop}")
    due = tx.fetch_all(_CLAIMABLE, now=now, too_far=latest_plausible_expiry(now), at_most=at_most, sends=int(sends))
    if due and not save_evidence.has_clean_save(tx):
        is_any_held = bool(tx.fetch_all(_ANY_HELD, now=now, too_far=latest_plausible_expiry(now)))
        due = [] if is_any_held else due[:1]
    claimed = [_operation(row) for row in due]
    if claimed:
        held = {"holder": holder, "held_until": until}
        tx.execute_many(_CLAIM, [{**held, "of_id": operation.id} for operation in claimed])
    return [replace(operation, attempts=operation.attempts + 1) for operation in claimed]


def is_any_due(tx: Transaction, *, now: str, sends: bool = True) -> bool:
    """Whether one may be claimable, as `claim`: those that wait for another of their order count."""
    return bool(tx.fetch_all(_ANY_DUE, now=now, too_far=latest_plausible_expiry(now), sends=int(sends)))


def renew(tx: Transaction, ids: Iterable[str], *, holder: str, now: str, until: str) -> set[str]:
    """Keeps them for longer. Those that are still `holder`'s; what is missing was lost, and must not be sent."""
    key = {"of_holder": holder, "now": now, "until": until}
    return {one for one in sorted(ids) if tx.execute(_RENEW, of_id=one, **key) == 1}


def mark_sent(
    tx: Transaction,
    operation_id: str,
    *,
    holder: str,
    now: str,
    before: Mapping[str, Value] | None,
    sent: Mapping[str, Any] | None,
) -> bool:
    """
    From now on PlanSo may have it. False, with nothing changed, where it is not `holder`'s any more, was cancelled, or
    writes of it are stopped: then nothing must be sent.
    """
    changed = tx.execute(
        _MARK_SENT,
        of_id=operation_id,
        of_holder=holder,
        now=now,
        sent_at=now,
        before=_json(before),
        sent=_json(sent),
    )
    return changed == 1


def postpone(
    tx: Transaction,
    operation_id: str,
    *,
    holder: str,
    next_at: str,
    message: str,
    sent_at: str | None,
    sent: Mapping[str, Any] | None = None,
    order_id: int | None = None,
) -> bool:
    """
    To be tried again. `sent_at` and `sent` tell of what was sent last, None where PlanSo surely has nothing of it;
    `order_id` is the number that PlanSo gave to a created order. False where it is not `holder`'s any more.
    """
    changed = tx.execute(
        _PUT_BACK,
        of_id=operation_id,
        of_holder=holder,
        next_at=next_at,
        message=sanitize_text(message),
        sent_at=sent_at,
        sent=_json(sent),
        order_id=order_id,
    )
    return changed == 1


def mark_restored(tx: Transaction, *, now: str) -> int:
    """
    The database, all its workshops, was restored from a backup: what is pending may have been sent since, and is only
    looked for from now on. How many.
    """
    return tx.execute(_RESTORE, now=now)


def release(tx: Transaction, *, holder: str) -> int:
    """Gives back all that `holder` claimed. How many."""
    return tx.execute(_RELEASE, of_holder=holder)


def settle(
    tx: Transaction,
    operation_id: str,
    *,
    holder: str,
    state: OperationState,
    now: str,
    nothing_sent: bool = False,
    message: str = "",
    notes: str = "",
    before: Mapping[str, Value] | None = None,
    order_id: int | None = None,
    failure: Mapping[str, object] | None = None,
    differences: Sequence[Difference] | None = None,
) -> bool:
    """
    How a pending operation ended. `notes` replace those that it has, if there are any; `nothing_sent`: PlanSo surely
    has nothing of it, marked or not; `order_id` is the number that PlanSo gave to a created order. False, with nothing
    changed, when it is not pending any more or not `holder`'s.
    """
    end = _end(operation_id, state, now, message, before, order_id, failure, differences)
    noted = sanitize_text(notes) if notes else None
    return tx.execute(_SETTLE_HELD, of_holder=holder, nothing_sent=int(nothing_sent), notes=noted, **end) == 1


def cancel(tx: Transaction, operation_id: str, *, now: str, message: str, failure: Row) -> bool:
    """Ends a pending operation of which nothing was sent. False where something may have been, or it is not pending."""
    end = _end(operation_id, OperationState.REFUSED, now, message, None, None, failure)
    return tx.execute(_CANCEL, nothing_sent=1, notes=None, **end) == 1


def _end(
    operation_id: str,
    state: OperationState,
    now: str,
    message: str,
    before: Mapping[str, Value] | None,
    order_id: int | None,
    failure: Mapping[str, object] | None,
    differences: Sequence[Difference] | None = None,
) -> dict[str, Any]:
    return {
        "of_id": operation_id,
        "state": state.value,
        "message": sanitize_text(message),
        "before": _json(before),
        "order_id": order_id,
        "failure": sanitize_text(to_json(failure)) if failure is not None else None,
        "settled_at": now,
        "differences": sanitize_text(to_json([one.as_json() for one in differences]))
        if differences is not None
        else None,
    }


def list_created_orders(tx: Transaction, *, but: str = "") -> set[int]:
    """
    The orders that creates made; but that of one operation. Not those that were deleted since: PlanSo may give their
    numbers to others.
    """
    return {row["order_id"] for row in tx.fetch_all(_CREATED, but=but)}


def get(tx: Transaction, operation_id: str) -> Operation | None:
    found = tx.fetch_all(_GET, of_id=sanitize_text(operation_id))
    return _operation(found[0]) if found else None


def list_pending_orders(tx: Transaction) -> set[int]:
    """The orders that have a pending operation."""
    return {row["order_id"] for row in tx.fetch_all(_ORDERS_PENDING)}


def has_pending(tx: Transaction, *, at_least: int) -> bool:
    """Whether so many operations are pending; from 1."""
    return bool(tx.fetch_all(_PENDING_BEYOND, already=at_least - 1))


def list_pending(tx: Transaction, order_id: int) -> list[Operation]:
    """An order's pending operations, oldest first."""
    rows = tx.fetch_all(_PENDING_OF_ORDER, of_order=order_id)
    return [_operation(row) for row in sorted(rows, key=lambda row: (row["created_at"], row["id"]))]


def list_page(
    tx: Transaction,
    *,
    order_id: int | None = None,
    state: OperationState | None = None,
    before: tuple[str, str] | None = None,
    limit: int = 50,
) -> list[Operation]:
    """Newest first. `before` is the instant and the id of the last one of the page before."""
    wanted = (order_id is not None, state is not None, before is not None)
    parameters: dict[str, object] = {"at_most": limit}
    if order_id is not None:
        parameters["of_order"] = order_id
    if state is not None:
        parameters["of_state"] = state.value
    if before is not None:
        parameters["before_at"], parameters["before_id"] = before
    return [_operation(row) for row in tx.fetch_all(_PAGES[wanted], **parameters)]


def _page_of(by_order: bool, by_state: bool, further: bool) -> Any:
    conditions: list[ColumnElement[bool]] = [_OF_WORKSHOP]
    if by_order:
        conditions.append(c.order_id == bindparam("of_order", type_=BigInteger))
    if by_state:
        conditions.append(c.state == bindparam("of_state"))
    if further:
        conditions.append(tuple_(c.created_at, c.id) < tuple_(bindparam("before_at"), bindparam("before_id")))
    most = bindparam("at_most", type_=BigInteger)
    return select(operations).where(*conditions).order_by(*_NEWEST_FIRST).limit(most)


_BOTH = (False, True)
_PAGES = {(a, b, c): _page_of(a, b, c) for a in _BOTH for b in _BOTH for c in _BOTH}


def _json(values: Mapping[str, object] | None) -> str | None:
    return sanitize_text(to_json(dict(values))) if values is not None else None


def _json_list(values: Sequence[Mapping[str, object]] | None) -> str | None:
    return sanitize_text(to_json([dict(one) for one in values])) if values is not None else None


def _loaded(text: str | None) -> Any:
    return json.loads(text) if text is not None else None


def _operation(row: Row) -> Operation:
    return Operation(
        id=row["id"],
        action=Action(row["action"]),
        order_id=row["order_id"],
        requested=json.loads(row["asked"]),
        state=OperationState(row["state"]),
        message=row["message"],
        notes=row["notes"],
        created_at=row["created_at"],
        deadline_at=row["deadline_at"] or None,
        settled_at=row["settled_at"],
        before=_loaded(row["before"]),
        base=_loaded(row["base"]),
        undoes=row["undoes"],
        failure=_loaded(row["failure"]),
        caller=row["caller"],
        idempotency_key=row["idempotency_key"],
        request=row["request"],
        attempts=row["attempts"],
        next_at=row["next_at"] or None,
        sent_at=row["sent_at"],
        first_sent_at=row["first_sent_at"],
        sent=_loaded(row["sent"]),
        restored_at=row["restored_at"],
        differences=_loaded(row["differences"]),
        controls=_loaded(row["controls"]),
        identity=_loaded(row["identity"]),
    )
