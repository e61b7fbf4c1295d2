"""What is kept only for a time: what goes, what never does, and who does it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from planso_connector.domain.clock import Instant, format_instant
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.flows.operating.retention import Retention, RetentionPeriods
from planso_connector.store import (
    history,
    idempotency_keys,
    leases,
    operations,
    orders,
    retention,
    sync_runs,
    unreadable_pages,
)
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.history import Author
from planso_connector.store.sync_runs import RunState
from planso_connector.workers import retention as turns
from tests.databases import Store
from tests.store.samples import order, part

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NEVER = timedelta(0)
NOTHING = RetentionPeriods(NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER)
ALL = RetentionPeriods(
    operations=30 * DAY,
    history=30 * DAY,
    change_feed=NEVER,
    sync_runs=30 * DAY,
    unreadable_pages=30 * DAY,
    deleted_orders=30 * DAY,
    access_log=NEVER,
)


def ago(days: float) -> Instant:
    return format_instant(NOW - days * DAY)


def record(tx: Transaction, name: str, days: float, *, order_id: int | None = 1, settled: float | None = None) -> None:
    action = Action.UPDATE if order_id is not None else Action.CREATE
    operation = Operation(name, action, order_id, {}, idempotency_key=name, request=name)
    operations.record(tx, replace(operation, created_at=ago(days), next_at=ago(days), deadline_at=ago(-1)))
    if settled is not None:
        operations.claim(tx, holder="h", now=ago(settled), until=ago(settled - 1), at_most=1)
        assert operations.settle(tx, name, holder="h", state=OperationState.CONFIRMED, now=ago(settled))


def applied(store: Store, kept: RetentionPeriods = ALL) -> dict[str, int] | None:
    return store.runner.run(Retention(store.database, kept, lambda: NOW).run())


def left(store: Store) -> set[str]:
    return {one.id for one in store.read(lambda tx: operations.list_page(tx, limit=500))}


def write_history(tx: Transaction, order_id: int, days: list[float]) -> None:
    for number, age in enumerate(days):
        held = order(order_id, values={"remarks": str(number)}, parts=(part(order_id),))
        orders.save(tx, held, read_at=ago(age), now=ago(age), writer=Author("op", "", frozenset()))


def history_of(store: Store, order_id: int) -> list[str]:
    return [entry.at for entry in store.read(lambda tx: history.list_entries(tx, order_id, below=99, limit=99))]


def test_old_rows_are_deleted_and_young_ones_stay(store: Store) -> None:
    """Of each kind what is older than its time goes, what is younger stays; a second turn finds nothing."""

    def fill(tx: Transaction) -> None:
        record(tx, "op_old", 40, settled=35)
        record(tx, "op_settled_late", 40, settled=3)
        record(tx, "op_young", 20, settled=20)
        write_history(tx, 1, [50, 40, 10])
        write_history(tx, 2, [50, 40])
        write_history(tx, 3, [50, 40])
        orders.mark_deleted(tx, 2, now=ago(35), read_at=ago(35))
        orders.mark_deleted(tx, 3, now=ago(5), read_at=ago(5))
        for age in (40, 5):
            unreadable_pages.save(tx, kind=f"form {age}", order_id=None, reason="", content="x", now=ago(age))
        for age in (60, 50, 5):
            run = sync_runs.start(tx, now=ago(age))
            sync_runs.finish(tx, run.id, state=RunState.DONE, now=ago(age))

    store.write(fill)
    assert applied(store) == {"operations": 1, "history": 4, "deleted_orders": 1, "unreadable_pages": 1, "sync_runs": 2}
    assert left(store) == {"op_settled_late", "op_young"}
    assert history_of(store, 1) == [ago(10)]
    assert store.read(lambda tx: orders.get(tx, 2)) is None
    assert store.read(lambda tx: orders.get_parts(tx, 2)) == []
    tombstone = store.read(lambda tx: orders.get(tx, 3))
    assert tombstone is not None
    assert tombstone.deleted_at == ago(5)
    assert [page.kept_at for page in store.read(lambda tx: unreadable_pages.list_all(tx))] == [ago(5)]
    assert [run.started_at for run in store.read(lambda tx: sync_runs.list_latest(tx))] == [ago(5)]
    assert applied(store) == {}


def test_a_pending_operation_keeps_itself_and_what_came_since(store: Store) -> None:
    """However old: no pending operation goes, nor its order, nor history and operations since the oldest one."""

    def fill(tx: Transaction) -> None:
        write_history(tx, 1, [90, 70, 50])
        write_history(tx, 2, [90])
        record(tx, "op_before", 80, settled=79)
        record(tx, "op_create", 55, order_id=None, settled=54)
        record(tx, "op_pending", 60, order_id=2)
        orders.mark_deleted(tx, 2, now=ago(85), read_at=ago(85))

    store.write(fill)
    applied(store)
    assert left(store) == {"op_create", "op_pending"}
    assert history_of(store, 1) == [ago(50)]
    assert store.read(lambda tx: orders.get(tx, 2)) is not None


def test_an_idempotency_key_outlives_the_shortest_period(store: Store) -> None:
    """Operations are kept for a second: those whose idempotency key is still good stay, and stand for it."""

    def fill(tx: Transaction) -> None:
        record(tx, "op_eight", 8, settled=8)
        record(tx, "op_six", 6, settled=6)

    store.write(fill)
    assert applied(store, replace(NOTHING, operations=timedelta(seconds=1))) == {"operations": 1}
    held = store.write(lambda tx: idempotency_keys.find_operation(tx, "", "op_six", now=ago(0)))
    assert held is not None
    assert held.id == "op_six"


def test_a_period_of_zero_is_for_ever(store: Store) -> None:
    """With no time set, nothing goes."""
    store.write(lambda tx: record(tx, "op_old", 4000, settled=4000))
    assert applied(store, NOTHING) == {}
    assert left(store) == {"op_old"}


def test_many_rows_are_deleted_in_small_transactions(store: Store) -> None:
    """Hundreds of old rows all go, and no transaction takes more than some."""

    def fill(tx: Transaction) -> None:
        for number in range(450):
            unreadable_pages.save(
                tx, kind=str(number), order_id=number, reason="", content="", now=ago(40), at_most=999
            )

    store.write(fill)
    assert store.write(lambda tx: retention.drop_unreadable_pages(tx, before=ago(30))) == retention.BATCH
    assert applied(store) == {"unreadable_pages": 450 - retention.BATCH}


def test_retention_runs_in_one_process(store: Store) -> None:
    """While another process holds the lease, nothing is done, and told as None; another workshop's is its own."""
    store.write(lambda tx: record(tx, "op_old", 400, settled=400))
    until = format_instant(NOW + DAY / 100)
    store.write(lambda tx: leases.acquire(tx, "retention", holder="other", now=format_instant(NOW), until=until))
    assert applied(store) is None
    assert store.runner.run(Retention(store.for_workshop("elsewhere").database, ALL, lambda: NOW).run()) == {}
    assert left(store) == {"op_old"}
    store.write(lambda tx: leases.release(tx, "retention", holder="other"))
    assert applied(store) == {"operations": 1}


@pytest.mark.parametrize("jump", [timedelta(days=3650), -timedelta(days=3650)])
def test_a_clock_that_jumped_is_not_believed(jump: timedelta) -> None:
    """In the hour in which the clock jumps, nothing is let go by it; once it runs evenly again, it is."""
    true, ahead, over = [0.0], [timedelta()], asyncio.Event()
    turned: list[float] = []

    async def sleep(seconds: float) -> None:
        true[0] += seconds
        if len(turned) == 1 and not ahead[0]:
            ahead[0] = jump
        elif len(turned) == 2:
            await asyncio.Event().wait()

    async def apply() -> None:
        turned.append(true[0])
        if len(turned) == 2:
            over.set()

    def clock() -> datetime:
        return NOW + timedelta(seconds=true[0]) + ahead[0]

    async def until_two() -> None:
        task = asyncio.create_task(turns.run(apply, clock, monotonic=lambda: true[0], sleep=sleep))
        await over.wait()
        task.cancel()

    asyncio.run(until_two())
    assert turned == [turns.FIRST_DELAY, turns.FIRST_DELAY + 2 * turns.INTERVAL]
