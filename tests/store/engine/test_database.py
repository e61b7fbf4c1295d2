"""Units of work are atomic and independent of each other and of their callers."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import psycopg
import pytest
from sqlalchemy import text

from planso_connector.domain.errors import QueryTooBroad, StoreUnavailable
from planso_connector.domain.operation import Action, Operation
from planso_connector.store import operations, orders
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.engine.sqlite import MAX_BATCH
from tests.databases import Store
from tests.store import counting
from tests.store.samples import SHOP, at, order

T = TypeVar("T")


@contextmanager
def writer_busy(database: Database) -> Iterator[None]:
    """While inside, SQLite's writer thread is blocked in a unit, so that further writes form one batch."""
    inside, release = threading.Event(), threading.Event()

    def hold(tx: Transaction) -> None:
        inside.set()
        assert release.wait(90)

    loop = asyncio.get_running_loop()
    held = loop.create_task(database.write(hold))
    held.add_done_callback(lambda task: task.result())
    try:
        yield
    finally:
        loop.call_soon(release.set)


@pytest.mark.behind_pooler
def test_a_unit_that_fails_harms_no_other(store: Store) -> None:
    """Of units in one batch, those that fail leave nothing, the others are committed; each caller gets its result."""

    async def together() -> list[object]:
        with writer_busy(store.database):
            waiting = [
                asyncio.ensure_future(
                    store.database.write(counting.fail_after(f"n{n}") if n % 3 == 0 else counting.put(f"n{n}"))
                )
                for n in range(MAX_BATCH + 10 if store.url.startswith("sqlite") else 60)
            ]
            await asyncio.sleep(0)
        return await asyncio.gather(*waiting, return_exceptions=True)

    ends = store.runner.run(together())

    for n, end in enumerate(ends):
        if n % 3 == 0:
            assert isinstance(end, ZeroDivisionError)
            assert str(end) == f"n{n}"
        else:
            assert end is None
        assert store.read(counting.read(f"n{n}")) == (None if n % 3 == 0 else "1")


def test_a_programming_error_is_no_store_error(store: Store) -> None:
    """Errors that are not the database's are not StoreUnavailable, and the store goes on."""
    first = Operation("op_1", Action.UPDATE, 1, {}, created_at=at(1))
    store.write(lambda tx: operations.record(tx, first))

    with pytest.raises(Exception, match=r"(?i)unique") as told:
        store.write(lambda tx: operations.record(tx, first))

    assert not isinstance(told.value, StoreUnavailable)
    store.write(counting.put("after"))
    assert store.read(counting.read("after")) == "1"


def test_a_cancelled_caller_harms_no_other(store: Store) -> None:
    """A caller that is cancelled while it waits affects neither the thread nor other callers."""

    async def leave() -> None:
        with writer_busy(store.database):
            leaving = [asyncio.ensure_future(store.database.write(counting.put(f"left{n}"))) for n in range(5)]
            staying = [asyncio.ensure_future(store.database.write(counting.put(f"stayed{n}"))) for n in range(5)]
            reading = asyncio.ensure_future(store.database.read(counting.read("stayed1")))
            await asyncio.sleep(0)
            for task in (*leaving, reading):
                task.cancel()
        await asyncio.gather(*staying)

    store.runner.run(leave())

    assert [store.read(counting.read(f"stayed{n}")) for n in range(5)] == ["1"] * 5


@pytest.mark.behind_pooler
def test_many_writers_lose_no_update(store: Store) -> None:
    """Of 40 units that read an order's version and save the next one, none is lost."""
    store.write(lambda tx: orders.save(tx, order(), read_at=at(0), now=at(0)))

    def increment(tx: Transaction) -> int:
        known = orders.get(tx, 123)
        assert known is not None
        held = tx.fetch_all(orders._LOCK, of_workshop=SHOP, of_id=123)[0]["version"]  # noqa: SLF001 - the row's lock
        new = order(values={"remarks": f"{held}"})
        return orders.save(tx, new, read_at=at(1), now=at(1)).version

    async def all_at_once() -> list[int]:
        return list(await asyncio.gather(*(store.database.write(increment) for _ in range(40))))

    assert sorted(store.runner.run(all_at_once())) == list(range(2, 42))


def test_writers_of_one_new_order_agree(store: Store) -> None:
    """When many save a new order at once, one inserts it and the others find it unchanged."""

    async def all_at_once() -> list[orders.SaveResult]:
        def work(tx: Transaction) -> orders.SaveResult:
            return orders.save(tx, order(), read_at=at(1), now=at(1))

        return list(await asyncio.gather(*(store.database.write(work) for _ in range(20))))

    outcomes = [saved.outcome for saved in store.runner.run(all_at_once())]
    assert sorted(outcomes) == [orders.SaveOutcome.INSERTED, *[orders.SaveOutcome.UNCHANGED] * 19]


def test_a_read_sees_one_snapshot(store: Store) -> None:
    """A read does not see what is committed while it runs; the next one does."""
    store.write(counting.put("x", "old"))
    looked, written = threading.Event(), threading.Event()

    def look_twice(tx: Transaction) -> tuple[str | None, str | None]:
        before = counting.read("x")(tx)
        looked.set()
        assert written.wait(90)
        return before, counting.read("x")(tx)

    async def at_once() -> tuple[str | None, str | None]:
        reading = asyncio.ensure_future(store.database.read(look_twice))
        await asyncio.to_thread(looked.wait, 30)
        await store.database.write(counting.put("x", "new"))
        written.set()
        return await reading

    assert store.runner.run(at_once()) == ("old", "old")
    assert store.read(counting.read("x")) == "new"


def test_a_read_can_not_write(store: Store) -> None:
    """A read that tries to write is refused, and further reads succeed."""
    with pytest.raises(StoreUnavailable):
        store.read(counting.put("x"))
    assert store.read(counting.read("x")) is None


def test_closing_finishes_what_waits(database_url: str) -> None:
    """Work queued before `close` is done, later work is refused; closing twice is allowed."""

    async def close_at_once() -> None:
        database = Database.open(database_url)
        waiting = [asyncio.ensure_future(database.write(counting.put(f"n{n}"))) for n in range(50)]
        await asyncio.sleep(0)
        await database.close()
        await database.close()
        await asyncio.gather(*waiting)
        with pytest.raises(StoreUnavailable, match="closed"):
            await database.read(counting.read("n1"))
        again = Database.open(database_url)
        assert [await again.read(counting.read(f"n{n}")) for n in range(50)] == ["1"] * 50
        await again.close()

    asyncio.run(close_at_once())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("database-", "sqlite-"))]


def test_nothing_of_finished_work_is_kept(store: Store) -> None:
    """Neither the result nor the error of finished work stays in memory."""

    class Big:
        pass

    async def ask() -> weakref.ref[Big]:
        return weakref.ref(await store.database.read(lambda tx: Big()))

    gone = store.runner.run(ask())
    with pytest.raises(ZeroDivisionError):
        store.write(counting.fail_after("x"))
    store.read(counting.read("x"))
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://u:s3cret@h/d", "s3cret", "postgresql://u:s3cret@h:port/d"]
)
def test_a_url_that_can_not_be_used_is_reported_without_its_password(url: str) -> None:
    """Opening it is StoreUnavailable, which says what is accepted."""
    with pytest.raises(StoreUnavailable, match="sqlite:///") as told:
        Database.open(url)
    assert "s3cret" not in str(told.value)


def test_postgresql_is_reconnected_after_its_connections_are_lost(postgresql_url: str) -> None:
    """When the server drops every connection, the next reads and writes go well."""
    store = Store(postgresql_url)
    try:

        async def all_at_once(round_: int) -> None:
            writes = [store.database.write(counting.put(f"{round_}-{n}")) for n in range(30)]
            await asyncio.gather(*writes, *(store.database.read(counting.read("1-1")) for _ in range(30)))

        store.runner.run(all_at_once(1))
        with psycopg.connect(postgresql_url, autocommit=True) as admin:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}".encode())  # noqa: S608
        store.runner.run(all_at_once(2))
        assert store.read(counting.read("2-29")) == "1"
    finally:
        store.close()


_NEVER_ENDING = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n")


def test_a_search_that_takes_too_long_is_interrupted(store: Store) -> None:
    """It is QueryTooBroad with the time limit, and the same threads and connections serve the next ones."""
    for _ in range(10):  # more than there are threads
        with pytest.raises(QueryTooBroad, match=r"longer than 0\.05 s"):
            store.runner.run(store.database.read(lambda tx: tx.fetch_all(_NEVER_ENDING), within=0.05))
    assert store.runner.run(store.database.read(counting.read("a"), within=5)) is None
    assert store.read(counting.read("a")) is None


def test_a_search_of_too_many_steps_is_interrupted(sqlite_path: Path) -> None:
    """Long before its time is over, by all its statements together; later searches have steps of their own."""
    store = Store(f"sqlite:///{sqlite_path}")

    def search(work: Callable[[Transaction], T]) -> T:
        return store.runner.run(store.database.read(work, within=60, max_steps=100_000))

    try:
        for _ in range(10):
            with pytest.raises(QueryTooBroad, match="too many orders to compare"):
                search(lambda tx: tx.fetch_all(_NEVER_ENDING))
        assert search(counting.read("a")) is None
    finally:
        store.close()


def test_the_statements_of_a_search_share_its_time(postgresql_url: str) -> None:
    """The time limit bounds all statements of a search together."""
    store = Store(postgresql_url)
    try:
        nap = text("SELECT pg_sleep(0.3)")
        with pytest.raises(QueryTooBroad):
            store.runner.run(store.database.read(lambda tx: [tx.fetch_all(nap) for _ in range(4)], within=0.5))
    finally:
        store.close()


def test_a_search_that_is_cancelled_or_finds_a_lock_is_not_too_broad(postgresql_url: str) -> None:
    """A cancelled search and one that waits for a lock are StoreUnavailable."""
    store = Store(postgresql_url)
    others = "datname = current_database() AND query LIKE 'SELECT pg_sleep%'"
    cancel = f"SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE {others}"  # noqa: S608

    def cancel_others() -> int:
        with psycopg.connect(postgresql_url) as other:  # the role of the connector's units does not see what others run
            return cast("tuple[int]", other.execute(cancel.encode()).fetchone())[0]

    async def cancelled() -> None:
        asked = asyncio.ensure_future(
            store.database.read(lambda tx: tx.fetch_all(text("SELECT pg_sleep(9)")), within=20)
        )
        while await asyncio.to_thread(cancel_others) == 0:
            pass
        await asked

    try:
        with pytest.raises(StoreUnavailable, match="was cancelled"):
            store.runner.run(cancelled())
        with psycopg.connect(postgresql_url) as other:
            other.execute("LOCK TABLE rejected_logins")
            with pytest.raises(StoreUnavailable, match="holds a lock"):
                store.runner.run(store.database.read(counting.read("a"), within=0.5))
    finally:
        store.close()


@pytest.mark.behind_pooler
def test_many_long_searches_delay_nobody_else(store: Store) -> None:
    """
    While more of them wait than there are threads, other readings are answered at once; those that were not begun in
    time are told so, and none is left.
    """

    async def crowd() -> None:
        asked = [store.database.read(lambda tx: tx.fetch_all(_NEVER_ENDING), within=1.0) for _ in range(40)]
        waiting = [asyncio.ensure_future(one) for one in asked]
        await asyncio.sleep(0)  # each of them is put in now
        await store.database.read(counting.read("a"))
        assert not any(one.done() for one in waiting)
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(end) for end in ends} == {QueryTooBroad, StoreUnavailable}

    store.runner.run(crowd())
