"""The cost of a read does not grow with past operations, counted in SQLite's instructions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.store import operations, orders
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
