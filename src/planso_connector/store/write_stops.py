"""
Write stops: nothing is sent to an order, or to the whole workshop, until a person resumes writes.

A stop is set in the transaction that settles the damaged operation, and applies to every process on the database.
`IS_STOPPED` is the SQL condition that an operation is held back by a stop.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import BigInteger, and_, bindparam, case, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import Instant, format_instant, parse_instant
from planso_connector.domain.events import EventType
from planso_connector.domain.notes import RequestNote
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.store import change_feed, workshops
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.tables import operations, write_stops

WHOLE_WORKSHOP = 0
"""In the column `order_id`; PlanSo numbers orders from 1."""

_c, _op = write_stops.c, operations.c
IS_STOPPED = and_(
    select(_c.order_id)
    .where(_c.workshop == _op.workshop, or_(_c.order_id == WHOLE_WORKSHOP, _c.order_id == _op.order_id))
    .correlate(operations)
    .exists(),
    # A restore, which a person approved, is not held back.
    _op.controls.is_(None),
)

_OF_WORKSHOP = _c.workshop == bindparam("of_workshop")
_IS_OF_ORDER = _OF_WORKSHOP, _c.order_id == bindparam("of_order", type_=BigInteger)
_ALL = select(write_stops).where(_OF_WORKSHOP).order_by(_c.order_id)
_GET = select(write_stops).where(*_IS_OF_ORDER)
_FOR_ORDER = (
    select(write_stops)
    .where(_OF_WORKSHOP, or_(_c.order_id == WHOLE_WORKSHOP, _c.order_id == bindparam("of_order", type_=BigInteger)))
    .order_by(_c.order_id)
    .limit(1)
)
_NEW = insert(write_stops).values({column.name: bindparam(column.name) for column in write_stops.c})
_INSERT = _NEW.on_conflict_do_nothing(index_elements=["workshop", "order_id"])
_SET_COLUMNS = update(write_stops).where(*_IS_OF_ORDER).values(columns=bindparam("columns"))
_DELETE = delete(write_stops).where(*_IS_OF_ORDER)

_PENDING_OPERATIONS = select(_op.id, _op.order_id, _op.created_at, _op.deadline_at, _op.sent_at, _op.next_at).where(
    _op.workshop == bindparam("of_workshop"), _op.state == OperationState.PENDING.value
)
_STOPPED_OPERATIONS = _PENDING_OPERATIONS.where(IS_STOPPED)
_DEADLINE = select(_op.deadline_at, case((IS_STOPPED, 1), else_=0).label("is_stopped")).where(
    _op.workshop == bindparam("of_workshop"), _op.id == bindparam("of_id")
)
_SET_DEADLINE = (
    update(operations)
    .where(
        _op.workshop == bindparam("of_workshop"),
        _op.id == bindparam("of_id"),
        _op.state == OperationState.PENDING.value,
    )
    .values(deadline_at=bindparam("deadline_at"), next_at=bindparam("next_at"))
)


@dataclass(frozen=True, slots=True)
class WriteStop:
    """`order_id` None: the whole workshop. `columns` are the names of the damaged controls, `stopped_at` an instant."""

    order_id: int | None
    operation: str
    reason: str
    columns: tuple[str, ...]
    stopped_at: Instant

    @property
    def message(self) -> str:
        """Why nothing is written, and how to resume, for a person."""
        to_order, option, body = "", "", ""
        if self.order_id is not None:
            to_order, option = f" to order {self.order_id}", f" --order {self.order_id}"
            body = f' {{"order_id": {self.order_id}}}'
        why, restore = self.reason, ""
        if self.operation:
            why = f"operation {self.operation} did damage ({self.reason})"
            restore = f"; `planso-connector writes restore {self.operation}` writes back what it lost"
        return (
            f"Writes{to_order} are stopped since {self.stopped_at[:19]}Z because {why}. A person has to look at the "
            f"order in PlanSo{restore}; then `planso-connector writes resume{option}`, or POST "
            f"/api/writes/resume{body}, goes on."
        )


def stop(
    tx: Transaction, *, order_id: int | None, operation: str, reason: str, columns: Sequence[str], now: Instant
) -> None:
    """Stop writes to an order, or with `order_id` None to the workshop. An existing stop is kept and gets `columns`."""
    number = _to_number(order_id)
    row = {"operation": operation, "reason": sanitize_text(reason), "stopped_at": now}
    if not tx.execute(_INSERT, order_id=number, columns=_columns_json(columns), **row):
        # In PostgreSQL the insert waited until the other stop was committed: its row is read here.
        existing = _from_row(tx.fetch_all(_GET, of_order=number)[0])
        tx.execute(_SET_COLUMNS, of_order=number, columns=_columns_json([*existing.columns, *columns]))
        return
    details = {"after": {"reason": sanitize_text(reason)}}
    change_feed.append(
        tx, EventType.WRITES_STOPPED, at=now, order_id=order_id, operation=operation or None, details=details
    )


def list_active(tx: Transaction) -> list[WriteStop]:
    """All stops: the workshop's first, then by order id."""
    return [_from_row(row) for row in tx.fetch_all(_ALL)]


def find_for_order(tx: Transaction, order_id: int | None) -> WriteStop | None:
    """The stop that holds back writes to this order (None: a create): the workshop's, else the order's."""
    found = tx.fetch_all(_FOR_ORDER, of_order=_to_number(order_id))
    return _from_row(found[0]) if found else None


def find_for_operation(tx: Transaction, operation: Operation) -> WriteStop | None:
    """The stop that holds back this operation; a restore is never held back."""
    return find_for_order(tx, operation.order_id) if operation.controls is None else None


def add_stop_message(tx: Transaction, operation: Operation) -> Operation:
    """The operation; where a stop holds it back and nothing of it was sent, the stop's message replaces its own."""
    if operation.state is not OperationState.PENDING or operation.sent_at is not None:
        return operation
    stop = find_for_operation(tx, operation)
    return replace(operation, message=RequestNote(stop.message)) if stop is not None else operation


def is_deadline_paused(tx: Transaction, operation: Operation) -> bool:
    """Whether a stop holds the operation back, or did since it was claimed: its deadline does not count meanwhile."""
    return any(
        row["is_stopped"] or (row["deadline_at"] or None) != operation.deadline_at
        for row in tx.fetch_all(_DEADLINE, of_id=operation.id)
    )


def resume(tx: Transaction, *, order_id: int | None = None, now: Instant) -> list[WriteStop]:
    """
    End the stop of one order, or with `order_id` None all stops of the workshop, and return those that ended. The time
    that pending operations were held back is added to their deadlines; those of which nothing was sent are due at once.
    """
    stops = list_active(tx)
    ended = [stop for stop in stops if order_id is None or stop.order_id == order_id]
    if ended:
        remaining = [stop for stop in stops if stop not in ended]
        paused_at = workshops.lock_pause(tx)
        if paused_at is not None:
            remaining.append(_pause(paused_at))
        tx.execute_many(
            _SET_DEADLINE, list(_extend_deadlines(tx.fetch_all(_STOPPED_OPERATIONS), ended, remaining, now))
        )
    for stop in ended:
        tx.execute(_DELETE, of_order=_to_number(stop.order_id))
        change_feed.append(tx, EventType.WRITES_RESUMED, at=now, order_id=stop.order_id)
    return ended


def add_pause_to_deadlines(tx: Transaction, *, since: Instant, now: Instant) -> None:
    """Add the time that the workshop was paused to the deadlines of its pending operations."""
    rows = tx.fetch_all(_PENDING_OPERATIONS)
    tx.execute_many(_SET_DEADLINE, list(_extend_deadlines(rows, [_pause(since)], list_active(tx), now)))


def _pause(since: Instant) -> WriteStop:
    """The pause of a workshop, which holds writes back as a stop does."""
    return WriteStop(None, "", "", (), since)


def _extend_deadlines(
    rows: Iterable[Row], ended: Sequence[WriteStop], remaining: Sequence[WriteStop], now: Instant
) -> Iterator[dict[str, str]]:
    """
    Count each stretch of time once: where another stop of the operation remains, only what lies before that one began;
    the rest is added when it ends.
    """
    for row in rows:
        began = [stop.stopped_at for stop in ended if stop.order_id in (None, row["order_id"])]
        still = [stop.stopped_at for stop in remaining if stop.order_id in (None, row["order_id"])]
        if not began:
            continue
        held_back = parse_instant(min([now, *still])) - parse_instant(max(min(began), row["created_at"]))
        deadline = parse_instant(row["deadline_at"]) + max(held_back, timedelta()) if row["deadline_at"] else None
        yield {
            "of_id": row["id"],
            "deadline_at": format_instant(deadline) if deadline is not None else "",
            "next_at": now if not still and row["sent_at"] is None else row["next_at"],
        }


def _to_number(order_id: int | None) -> int:
    return WHOLE_WORKSHOP if order_id is None else order_id


def _columns_json(columns: Iterable[str]) -> str:
    return to_json(list(dict.fromkeys(map(sanitize_text, columns))))


def _from_row(row: Row) -> WriteStop:
    return WriteStop(
        order_id=None if row["order_id"] == WHOLE_WORKSHOP else row["order_id"],
        operation=row["operation"],
        reason=row["reason"],
        columns=tuple(json.loads(row["columns"])),
        stopped_at=row["stopped_at"],
    )
