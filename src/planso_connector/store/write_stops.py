"""
Stops of writing: an order, or the whole workshop, to which nothing is sent until a person resumes it.

A stop is set in the transaction that settles the damaged operation, and holds for every process on the database.
`HOLDS_UP` is the condition that an operation's row is held up by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import BigInteger, and_, bindparam, case, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import format_instant, parse_instant
from planso_connector.domain.notes import RequestNote
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.save_evidence import ACCEPTED
from planso_connector.store.tables import operations, save_effects, write_stops

WHOLE_WORKSHOP = 0
"""In the column `order_id`; PlanSo numbers orders from 1."""

_c, _op = write_stops.c, operations.c
IS_STOPPED = and_(
    select(_c.order_id)
    .where(_c.workshop == _op.workshop, or_(_c.order_id == WHOLE_WORKSHOP, _c.order_id == _op.order_id))
    .correlate(operations)
    .exists(),
    # What a person approved to undo the damage is not held up by it.
    _op.controls.is_(None),
)

_OF_WORKSHOP = _c.workshop == bindparam("of_workshop")
_IS = _OF_WORKSHOP, _c.order_id == bindparam("of_order", type_=BigInteger)
_ALL = select(write_stops).where(_OF_WORKSHOP).order_by(_c.order_id)
_GET = select(write_stops).where(*_IS)
_NEW = insert(write_stops).values({column.name: bindparam(column.name) for column in write_stops.c})
# One statement: of two that stop at once, the second one's columns are merged in by the next line.
_STOP = _NEW.on_conflict_do_nothing(index_elements=["workshop", "order_id"])
_MERGE = update(write_stops).where(*_IS).values(columns=bindparam("columns"))
_NEW_EFFECT = insert(save_effects).values({column.name: bindparam(column.name) for column in save_effects.c})
_ACCEPT = _NEW_EFFECT.on_conflict_do_update(
    index_elements=["workshop", "column", "cause"],
    set_={name: _NEW_EFFECT.excluded[name] for name in ("effect", "operation", "seen_at")},
)
_RESUME = delete(write_stops).where(*_IS)

_HELD_UP = select(_op.id, _op.order_id, _op.created_at, _op.deadline_at, _op.sent_at, _op.next_at).where(
    _op.workshop == bindparam("of_workshop"), _op.state == OperationState.PENDING.value, IS_STOPPED
)
_DEADLINE = select(_op.deadline_at, case((IS_STOPPED, 1), else_=0).label("is_held_up")).where(
    _op.workshop == bindparam("of_workshop"), _op.id == bindparam("of_id")
)
_EXTEND = (
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
    """`order_id` None: the whole workshop. `columns`: names of the damaged controls. `stopped_at`: a stamp."""

    order_id: int | None
    operation: str
    reason: str
    columns: tuple[str, ...]
    stopped_at: str

    @property
    def message(self) -> str:
        """Why nothing is written, and who changes that, for a person."""
        of, how, body = "", "", ""
        if self.order_id is not None:
            of, how, body = (
                f" to order {self.order_id}",
                f" --order {self.order_id}",
                f' {{"order_id": {self.order_id}}}',
            )
        restore = (
            f"; `planso-connector writes restore {self.operation}` writes back what it lost" if self.operation else ""
        )
        why = f"operation {self.operation} did damage ({self.reason})" if self.operation else self.reason
        return (
            f"Writes{of} are stopped since {self.stopped_at[:19]}Z because {why}. A person has to look at the order in "
            f"PlanSo{restore}; then `planso-connector writes resume{how}`, or POST /api/writes/resume{body}, goes on."
        )


def stop(
    tx: Transaction,
    *,
    order_id: int | None,
    operation: str,
    reason: str,
    columns: Sequence[str],
    now: str,
) -> None:
    """
    Stop writes to an order, or with `order_id` None to the whole workshop. A stop of that scope that is there already
    stays as it is, and `columns` are added to its own.
    """
    number = WHOLE_WORKSHOP if order_id is None else order_id
    added = tx.execute(
        _STOP,
        order_id=number,
        operation=operation,
        reason=sanitize_text(reason),
        columns=_written(columns),
        stopped_at=now,
    )
    if not added:
        # In PostgreSQL the other one's row is read only after it was committed: the insert waited for it.
        there = _stop(tx.fetch_all(_GET, of_order=number)[0])
        merged = _written([*there.columns, *columns])
        tx.execute(_MERGE, of_order=number, columns=merged)


def list_active(tx: Transaction) -> list[WriteStop]:
    """All stops, the workshop's first, then by order."""
    return [_stop(row) for row in tx.fetch_all(_ALL)]


def find_for_order(tx: Transaction, order_id: int | None) -> WriteStop | None:
    """What stops a write to this order (None: a create): the workshop's stop, else the order's."""
    for number in (WHOLE_WORKSHOP, *(() if order_id is None else (order_id,))):
        if found := tx.fetch_all(_GET, of_order=number):
            return _stop(found[0])
    return None


def find_for_operation(tx: Transaction, operation: Operation) -> WriteStop | None:
    """What stops this operation; None for one that writes back what was damaged."""
    return find_for_order(tx, operation.order_id) if operation.controls is None else None


def add_stop_message(tx: Transaction, operation: Operation) -> Operation:
    """The operation; where it is held up and nothing of it was sent, its message says by what."""
    if operation.state is not OperationState.PENDING or operation.sent_at is not None:
        return operation
    stop = find_for_operation(tx, operation)
    return replace(operation, message=RequestNote(stop.message)) if stop is not None else operation


def is_deadline_paused(tx: Transaction, operation: Operation) -> bool:
    """Whether its deadline does not count now: writes of it are stopped, or were since it was claimed."""
    found = tx.fetch_all(_DEADLINE, of_id=operation.id)
    return bool(found) and (bool(found[0]["is_held_up"]) or (found[0]["deadline_at"] or None) != operation.deadline_at)


def resume(tx: Transaction, *, order_id: int | None = None, now: str) -> list[WriteStop]:
    """
    End the stop of one order, or with `order_id` None all stops of the workshop; those that ended. Pending operations
    get the time that they were held up added to their deadlines, and are due at once where nothing of them was sent.
    """
    stops = list_active(tx)
    ended = [one for one in stops if order_id is None or one.order_id == order_id]
    if not ended:
        return []
    staying = [one for one in stops if one not in ended]
    rows = tx.fetch_all(_HELD_UP)
    tx.execute_many(_EXTEND, [{**extended} for extended in _extended(rows, ended, staying, now)])
    for one in ended:
        tx.execute(_RESUME, of_order=WHOLE_WORKSHOP if one.order_id is None else one.order_id)
    return ended


def accept_columns(tx: Transaction, columns: Iterable[str], *, operation: str, now: str) -> None:
    """A person says that these controls change with saves by themselves: that is no damage from now on."""
    for column in columns:
        row = {"column": sanitize_text(column), "cause": "", "effect": ACCEPTED, "times": 1, "operation": operation}
        tx.execute(_ACCEPT, seen_at=now, **row)


def _extended(
    rows: Iterable[Row], ended: Sequence[WriteStop], staying: Sequence[WriteStop], now: str
) -> Iterable[dict[str, str]]:
    """
    Each time held up counts once: where another stop of the operation stays, only what lies before that began, as the
    rest is added when that one ends.
    """
    for row in rows:
        began = [one.stopped_at for one in ended if one.order_id in (None, row["order_id"])]
        if not began:
            continue
        is_free = not (still := [one.stopped_at for one in staying if one.order_id in (None, row["order_id"])])
        until = min([now, *still])
        held_up = parse_instant(until) - parse_instant(max(min(began), row["created_at"]))
        deadline = parse_instant(row["deadline_at"]) + max(held_up, timedelta()) if row["deadline_at"] else None
        yield {
            "of_id": row["id"],
            "deadline_at": format_instant(deadline) if deadline is not None else "",
            "next_at": now if is_free and row["sent_at"] is None else row["next_at"],
        }


def _written(columns: Iterable[str]) -> str:
    return to_json(list(dict.fromkeys(sanitize_text(column) for column in columns)))


def _stop(row: Row) -> WriteStop:
    return WriteStop(
        order_id=None if row["order_id"] == WHOLE_WORKSHOP else row["order_id"],
        operation=row["operation"],
        reason=row["reason"],
        columns=tuple(json.loads(row["columns"])),
        stopped_at=row["stopped_at"],
    )
