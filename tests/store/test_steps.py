"""The cost of a read does not grow with past operations and events, counted in SQLite's instructions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from planso_connector.domain.events import EventType
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.store import change_feed, operations, orders
from planso_connector.store.engine import sqlite
from tests.store import samples

PAST = 2000


def test_an_order_costs_the_same_however_many_writes_there_were(sqlite_path: Path) -> None:
    """Finding an order's pending operations does not scan settled ones."""
    connection = sqlite.connect(sqlite_path)
    tx = sqlite.SqliteTransaction(connection)
    tx.use_workshop(samples.SHOP)
    order = samples.order(1)
    orders.save(tx, order, read_at=samples.at(1), now=samples.at(1), list_fingerprint=None)
    counted = [0]

    def count() -> bool:
        counted[0] += 1
        return False

    def steps() -> int:
        counted[0] = 0
        connection.set_progress_handler(count, 1)
        assert orders.get(tx, order.id) is not None
        assert [one.id for one in operations.list_pending(tx, order.id)] == ["op_pending"]
        connection.set_progress_handler(None)
        return counted[0]

    def record(number: int | str, order_id: int, state: OperationState) -> None:
        at = samples.at(1)
        whole = Operation(f"op_{number}", Action.UPDATE, order_id, {"person": "Wer"}, state, created_at=at, next_at=at)
        operations.record(tx, replace(whole, deadline_at=samples.at(2)))

    record("pending", order.id, OperationState.PENDING)
    alone = steps()
    for number in range(PAST):
        record(number, number % 50, OperationState.CONFIRMED)
    assert steps() < alone + PAST
    connection.close()


def test_a_page_of_the_feed_costs_the_same_however_many_events_there_are(sqlite_path: Path) -> None:
    """A page, all events of one order, and whether there are events without a number: no scan of the feed."""
    connection = sqlite.connect(sqlite_path)
    tx = sqlite.SqliteTransaction(connection)
    tx.use_workshop(samples.SHOP)
    counted = [0]

    def count() -> bool:
        counted[0] += 1
        return False

    def steps(last: int) -> int:
        counted[0] = 0
        connection.set_progress_handler(count, 1)
        assert not change_feed.has_unnumbered(tx)
        assert len(change_feed.list_events(tx, after=last - 2, up_to=last, limit=2)) == 2
        assert len(change_feed.list_events(tx, after=0, up_to=last, limit=5, order_id=1)) == 1
        connection.set_progress_handler(None)
        return counted[0]

    def append(first: int, last: int) -> None:
        for number in range(first, last + 1):
            event = {"order_id": number, "version": 2, "by": "planso"}
            change_feed.append(tx, EventType.ORDER_UPDATED, at=samples.at(number), **event)  # type: ignore[arg-type]
        while change_feed.number_events(tx):
            pass

    append(1, 10)
    few = steps(10)
    append(11, PAST)
    assert steps(PAST) < few + PAST / 4
    connection.close()
