"""
The change feed: every change of every order, in order, without gaps.

An event is written in the transaction of its change, without a number. Numbers are given afterwards, to what is
committed: a transaction that commits late gets later numbers, so that no reader misses it. One process at a time
numbers, and the numbers of a workshop have no gaps.
"""

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
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
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import Instant
from planso_connector.domain.events import EventType
from planso_connector.domain.operation import OperationState
from planso_connector.store.engine.expressions import is_in_texts, row_parameters
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.sync_runs import RunState
from planso_connector.store.tables import change_feed, change_feed_bounds, history, operations, sync_runs

NUMBERED_AT_ONCE = 1000
"""Events that one transaction numbers."""
SEARCHED_AT_ONCE = 10_000
"""Numbers that a page looks through for events of certain types."""
DROPPED_AT_ONCE = 1000

PARTS_POSITION, SETTLED_POSITION = 2, 9
"""Positions among the events of one version; those of its fields come first, an operation's end last."""

_c = change_feed.c
_OF_WORKSHOP = _c.workshop == bindparam("of_workshop")
_IS_UNNUMBERED = _c.number.is_(None)

_APPEND = insert(change_feed).values(row_parameters(change_feed))
_columns = [column for column in _c if column.name != "number"]
_values: dict[str, ColumnElement[Any]] = {column.name: bindparam(column.name, type_=column.type) for column in _columns}
# The orders that the first sync finds are not new.
_APPEND_FOUND = insert(change_feed).from_select(
    [column.name for column in _columns],
    select(*_values.values()).where(
        select(sync_runs.c.id)
        .where(sync_runs.c.workshop == bindparam("of_workshop"), sync_runs.c.state == RunState.DONE.value)
        .exists()
    ),
)
_op = operations.c
_of_operation = {
    "workshop": bindparam("workshop", type_=_op.workshop.type),
    "type": literal(EventType.OPERATION_SETTLED.value),
    "at": bindparam("at", type_=Text),
    "order_id": _op.order_id,
    "position": literal(SETTLED_POSITION, Integer),
    "by": literal(""),
    "caller": _op.caller,
    "operation": _op.id,
    "details": bindparam("details", type_=Text),
}
_APPEND_SETTLED = insert(change_feed).from_select(
    ["id", *_of_operation],
    select(bindparam("event_id", type_=Text), *_of_operation.values()).where(
        _op.workshop == bindparam("of_workshop"), _op.id == bindparam("of_id")
    ),
)

# Sorted, so that SQLite without statistics takes the index of those without a number.
_ANY_UNNUMBERED = select(_c.id).where(_OF_WORKSHOP, _IS_UNNUMBERED).order_by(_c.at).limit(1)
_BOUNDS = select(*change_feed_bounds.c["epoch", "last_number", "dropped_number"]).where(
    change_feed_bounds.c.workshop == bindparam("of_workshop")
)
_LOCK_BOUNDS = _BOUNDS.with_for_update()
_NEW_BOUNDS = insert(change_feed_bounds).values(row_parameters(change_feed_bounds)).on_conflict_do_nothing()
_SET_LAST = (
    update(change_feed_bounds)
    .where(change_feed_bounds.c.workshop == bindparam("of_workshop"))
    .values(last_number=bindparam("last_number", type_=BigInteger))
)
_SET_DROPPED = (
    update(change_feed_bounds)
    .where(change_feed_bounds.c.workshop == bindparam("of_workshop"))
    .values(dropped_number=bindparam("dropped_number", type_=BigInteger))
)
_NEW_EPOCH = update(change_feed_bounds).values(epoch=bindparam("epoch"))

_first = (
    select(*_c["id", "at", "order_id", "version", "position"])
    .where(_OF_WORKSHOP, _IS_UNNUMBERED)
    .order_by(_c.at)
    .limit(bindparam("at_most", type_=BigInteger))
    .subquery()
)
# By time, but never against the versions of an order, even where the clock was set back.
_seen_at = func.max(_first.c.at).over(
    partition_by=(_first.c.order_id, _first.c.version.is_(None)),
    order_by=(_first.c.version, _first.c.at, _first.c.position),
    rows=(None, 0),
)
_has_no_version = case((_first.c.version.is_(None), 1), else_=0)
_UNNUMBERED = select(_first.c.id).order_by(
    _seen_at, _first.c.order_id, _has_no_version, _first.c.version, _first.c.position, _first.c.id
)
_SET_NUMBER = (
    update(change_feed)
    .where(_OF_WORKSHOP, _c.id == bindparam("of_id"))
    .values(number=bindparam("number", type_=BigInteger))
)

_IN_HISTORY = and_(
    history.c.workshop == _c.workshop,
    history.c.order_id == _c.order_id,
    history.c.version == _c.version,
    history.c.by == _c.by,
)
_AFTER, _UP_TO = bindparam("after", type_=BigInteger), bindparam("up_to", type_=BigInteger)


def _build_page(*conditions: ColumnElement[bool]) -> Select[Any]:
    return (
        select(*(column for column in _c if column.name != "workshop"), history.c.changes)
        .outerjoin(history, _IN_HISTORY)
        .where(_OF_WORKSHOP, *conditions)
        .order_by(_c.number)
        .limit(bindparam("at_most", type_=BigInteger))
    )


_IN_RANGE = _c.number > _AFTER, _c.number <= _UP_TO
# SQLite without statistics would take the index by number, and look through the whole feed.
_OF_ORDER = _c.order_id == bindparam("of_order", type_=BigInteger), _c.number + 0 > _AFTER, _c.number + 0 <= _UP_TO
_IS_OF_TYPE = is_in_texts(_c.type, bindparam("types"))
_PAGES: dict[tuple[bool, bool], Select[Any]] = {
    (False, False): _build_page(*_IN_RANGE),
    (True, False): _build_page(*_IN_RANGE, _IS_OF_TYPE),
    (False, True): _build_page(*_OF_ORDER),
    (True, True): _build_page(*_OF_ORDER, _IS_OF_TYPE),
}
"""By whether types and an order are asked for."""

_OLD = select(func.max(_c.number).label("number")).where(
    _OF_WORKSHOP,
    _c.number > bindparam("after", type_=BigInteger),
    _c.number <= bindparam("up_to", type_=BigInteger),
    _c.at < bindparam("before"),
)
_DROP = delete(change_feed).where(_OF_WORKSHOP, _c.number <= bindparam("up_to", type_=BigInteger))


@dataclass(frozen=True, slots=True)
class FeedBounds:
    """The feed has the numbers above `dropped_number`, up to `last_number`."""

    epoch: str
    last_number: int
    dropped_number: int


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """
    One event. `caller` is empty for what was not done by a caller; `by` is `planso` for what was done in PlanSo.
    `before` and `after` have what changed, by field path, PlanSo's label, or member.
    """

    id: str
    number: int
    type: EventType
    at: Instant
    order_id: int | None
    version: int | None
    by: str
    caller: str
    operation_id: str | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def append(
    tx: Transaction,
    event_type: EventType,
    *,
    at: Instant,
    order_id: int | None = None,
    version: int | None = None,
    position: int = 0,
    by: str = "",
    caller: str = "",
    operation: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """
    Write an event. `by` is that of the history's row, if it has one; `position` orders the events of one version;
    `details` has `before` and `after`, and no personal data.
    """
    tx.execute(
        _APPEND,
        id=_generate_id(),
        number=None,
        type=event_type.value,
        at=at,
        order_id=order_id,
        version=version,
        position=position,
        by=by,
        caller=sanitize_text(caller),
        operation=operation,
        details=to_json(details) if details is not None else None,
    )


def append_found(tx: Transaction, order_id: int, version: int, *, at: Instant) -> None:
    """Write that an order was created in PlanSo, unless the mirror was never filled: then it is not new."""
    nothing = {"by": "planso", "caller": "", "operation": None, "details": None}
    of_order = {"order_id": order_id, "version": version, "position": 0}
    tx.execute(_APPEND_FOUND, id=_generate_id(), type=EventType.ORDER_CREATED.value, at=at, **of_order, **nothing)


def append_settled(tx: Transaction, operation_id: str, state: OperationState, *, at: Instant) -> None:
    """Write that an operation was settled."""
    details = {"before": {"state": OperationState.PENDING}, "after": {"state": state}}
    tx.execute(_APPEND_SETTLED, event_id=_generate_id(), of_id=operation_id, at=at, details=to_json(details))


def _generate_id() -> str:
    return f"evt_{secrets.token_hex(10)}"


def has_unnumbered(tx: Transaction) -> bool:
    return bool(tx.fetch_all(_ANY_UNNUMBERED))


def number_events(tx: Transaction) -> int:
    """Number the first events that have none; returns how many. Others that number wait for the commit."""
    bounds = _lock_bounds(tx)
    ids = [row["id"] for row in tx.fetch_all(_UNNUMBERED, at_most=NUMBERED_AT_ONCE)]
    if ids:
        first = bounds.last_number + 1
        tx.execute_many(_SET_NUMBER, [{"of_id": id_, "number": number} for number, id_ in enumerate(ids, first)])
        tx.execute(_SET_LAST, last_number=bounds.last_number + len(ids))
    return len(ids)


def _lock_bounds(tx: Transaction) -> FeedBounds:
    """Made where they are missing, and locked until the commit."""
    rows = tx.fetch_all(_LOCK_BOUNDS)
    if not rows:
        tx.execute(_NEW_BOUNDS, epoch=_generate_epoch(), last_number=0, dropped_number=0)
        rows = tx.fetch_all(_LOCK_BOUNDS)
    return FeedBounds(**rows[0])


def _generate_epoch() -> str:
    return secrets.token_hex(4)


def get_bounds(tx: Transaction) -> FeedBounds | None:
    """None before the first event."""
    rows = tx.fetch_all(_BOUNDS)
    return FeedBounds(**rows[0]) if rows else None


def list_events(
    tx: Transaction, *, after: int, up_to: int, limit: int, types: Collection[str] = (), order_id: int | None = None
) -> list[FeedEvent]:
    """The first events with numbers above `after`, up to `up_to`; of any type where `types` is empty."""
    filters: dict[str, object] = {"types": to_json(sorted(types))} if types else {}
    if order_id is not None:
        filters["of_order"] = order_id
    page = _PAGES[bool(types), order_id is not None]
    return [_from_row(row) for row in tx.fetch_all(page, after=after, up_to=up_to, at_most=limit, **filters)]


def _from_row(row: Row) -> FeedEvent:
    details = json.loads(row["details"]) if row["details"] else {}
    changes = json.loads(row["changes"]) if row["changes"] else []
    names = [change.get("field") or change.get("label", "") for change in changes]
    values = {
        side: {**dict(zip(names, (change[side] for change in changes), strict=True)), **details.get(side, {})}
        for side in ("before", "after")
    }
    return FeedEvent(
        id=row["id"],
        number=row["number"],
        type=EventType(row["type"]),
        at=row["at"],
        order_id=row["order_id"],
        version=row["version"],
        by=row["by"],
        caller=row["caller"],
        operation_id=row["operation"],
        before=values["before"],
        after=values["after"],
    )


def drop_old(tx: Transaction, before: Instant) -> int:
    """Delete a batch of the oldest events, those from before; returns how many."""
    while number_events(tx):
        pass
    bounds = _lock_bounds(tx)
    window = {"after": bounds.dropped_number, "up_to": bounds.dropped_number + DROPPED_AT_ONCE}
    last = tx.fetch_all(_OLD, before=before, **window)[0]["number"]
    if last is None:
        return 0
    tx.execute(_SET_DROPPED, dropped_number=last)
    return tx.execute(_DROP, up_to=last)


def begin_epoch(tx: Transaction) -> None:
    """For all workshops: cursors given out before are not valid any more."""
    tx.execute(_NEW_EPOCH, epoch=_generate_epoch())
