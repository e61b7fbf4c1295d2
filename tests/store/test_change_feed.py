"""The change feed: every event once, in order, without gaps, whenever its transaction commits."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planso_connector.domain.events import EventType
from planso_connector.domain.operation import OperationState
from planso_connector.store import change_feed, operations, orders, personal_data, sync_runs, write_stops
from planso_connector.store.change_feed import FeedEvent
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.history import Author
from planso_connector.store.sync_runs import RunState
from tests.databases import Store
from tests.store.outbox_samples import make_pending
from tests.store.samples import at, order, part

WAIT = 60.0


def read_feed(store: Store, after: int = 0, **filters: Any) -> list[FeedEvent]:
    """Number what has no number, and return the events behind `after`."""
    while store.write(change_feed.number_events):
        pass
    last = store.read(change_feed.get_bounds)
    assert last is not None
    return store.read(
        lambda tx: change_feed.list_events(tx, after=after, up_to=last.last_number, limit=1000, **filters)
    )


def save(store: Store, order_id: int, second: int, author: Author | None = None, **values: Any) -> None:
    changed = order(order_id, values=values)
    store.write(lambda tx: orders.save(tx, changed, read_at=at(second), now=at(second), writer=author))


def fill(store: Store, *ids: int) -> None:
    """A mirror that a sync has filled with these orders."""
    for order_id in ids:
        save(store, order_id, 1)

    def run(tx: Transaction) -> None:
        started = sync_runs.start(tx, now=at(1))
        sync_runs.finish(tx, started.id, state=RunState.DONE, now=at(2))

    store.write(run)


def shown(event: FeedEvent) -> tuple[object, ...]:
    return event.type, event.order_id, event.version, dict(event.before), dict(event.after)


def test_each_kind_of_change_is_an_event(store: Store) -> None:
    """Of orders, their parts, operations, stops; with what changed, by whom; not for the orders of the first sync."""
    fill(store, 1)
    save(store, 2, 3)
    save(store, 1, 4, remarks="anders")
    author = Author("op_1", "Telefon", frozenset({"person"}))
    store.write(lambda tx: operations.record(tx, make_pending("op_1", 1, caller="Telefon", now=at(4))))
    store.write(lambda tx: operations.claim(tx, holder="h", now=at(5), until=at(15), at_most=1))

    def settle(tx: Transaction) -> None:
        orders.save(tx, order(1, values={"remarks": "drei", "person": "Neu"}), read_at=at(6), now=at(6), writer=author)
        assert operations.settle(tx, "op_1", holder="h", state=OperationState.CONFIRMED, now=at(6))
        assert not operations.settle(tx, "op_1", holder="h", state=OperationState.REFUSED, now=at(6))

    store.write(settle)
    with_parts = replace(order(2, (part(2),)), missing_parts=False)
    store.write(lambda tx: orders.save(tx, with_parts, read_at=at(7), now=at(7)))
    store.write(lambda tx: orders.archive(tx, [1], now=at(8)))
    save(store, 1, 9, remarks="drei", person="Neu")
    store.write(lambda tx: orders.mark_deleted(tx, 2, now=at(10), read_at=at(10)))
    for _ in range(2):  # a second stop of the same order is the same stop
        store.write(
            lambda tx: write_stops.stop(tx, order_id=1, operation="op_1", reason="schlimm", columns=["a"], now=at(11))
        )
    store.write(lambda tx: write_stops.resume(tx, order_id=1, now=at(12)))

    events = read_feed(store)
    remarks = order().values["remarks"]
    no_parts = {"parts": 0, "delivered": 0, "missing": 0}
    assert [shown(event) for event in events] == [
        (EventType.ORDER_CREATED, 2, 1, {}, {}),
        (EventType.ORDER_UPDATED, 1, 2, {"remarks": remarks}, {"remarks": "anders"}),
        (EventType.ORDER_UPDATED, 1, 3, {"person": "Jana Petersen"}, {"person": "Neu"}),
        (EventType.ORDER_UPDATED, 1, 3, {"remarks": "anders"}, {"remarks": "drei"}),
        (EventType.OPERATION_SETTLED, 1, None, {"state": "pending"}, {"state": "confirmed"}),
        (EventType.PARTS_CHANGED, 2, 2, no_parts, {**no_parts, "parts": 1}),
        (EventType.ORDER_ARCHIVED, 1, 4, {"archived": False}, {"archived": True}),
        (EventType.ORDER_RESTORED, 1, 5, {"archived": True}, {"archived": False}),
        (EventType.ORDER_DELETED, 2, 3, {"deleted": False}, {"deleted": True}),
        (EventType.WRITES_STOPPED, 1, None, {}, {"reason": "schlimm"}),
        (EventType.WRITES_RESUMED, 1, None, {}, {}),
    ]
    assert [event.number for event in events] == list(range(1, 12))
    assert [(event.by, event.caller, event.operation_id) for event in events[2:5]] == [
        ("operation", "Telefon", "op_1"),
        ("planso", "", None),
        ("", "Telefon", "op_1"),
    ]
    assert [event.number for event in read_feed(store, types={EventType.ORDER_CREATED, EventType.ORDER_DELETED})] == [
        1,
        9,
    ]
    assert [event.number for event in read_feed(store, 6, order_id=1)] == [7, 8, 10, 11]
    assert [event.number for event in read_feed(store, 7, order_id=1, types={EventType.ORDER_RESTORED})] == [8]


def test_a_transaction_that_commits_late_is_not_skipped(stores: tuple[Store, Store]) -> None:
    """
    Two overlapping transactions and a reader between their commits: the one that wrote first and commits last is read
    by the reader's next page. On SQLite, where one waits for the other, too.
    """
    store, other = stores
    fill(store, 1, 2)
    wrote, go_on = threading.Event(), threading.Event()

    def late(tx: Transaction) -> None:
        orders.save(tx, order(1, values={"remarks": "spät"}), read_at=at(3), now=at(3))
        wrote.set()
        go_on.wait(WAIT if is_concurrent else 0)

    is_concurrent = store.url.startswith("postgresql")
    thread = threading.Thread(target=lambda: asyncio.run(other.database.write(late)))
    thread.start()
    assert wrote.wait(WAIT)
    save(store, 2, 4, remarks="früh")
    first = read_feed(store)
    go_on.set()
    thread.join(WAIT)
    assert not thread.is_alive()
    second = read_feed(store, after=first[-1].number)

    assert sorted(event.order_id or 0 for event in [*first, *second]) == [1, 2]
    if is_concurrent:
        assert [event.order_id for event in first] == [2]
    numbers = [event.number for event in [*first, *second]]
    assert numbers == [1, 2]


def test_writers_and_numberers_at_once_leave_no_gap(stores: tuple[Store, Store]) -> None:
    """Two write, two number: every event has one number of its own, each order's in the sequence of its versions."""
    fill(stores[0], 1, 2, 3)
    ended = threading.Event()

    def write(store: Store, mine: tuple[int, ...]) -> None:
        async def body() -> None:
            for second in range(10, 30):
                for order_id in mine:
                    changed = order(order_id, values={"remarks": str(second)})
                    await store.database.write(
                        lambda tx, changed=changed, second=second: orders.save(  # type: ignore[misc]
                            tx, changed, read_at=at(second), now=at(60 - second)
                        )
                    )

        asyncio.run(body())

    def number(store: Store) -> None:
        async def body() -> None:
            while not ended.is_set():
                await store.database.write(change_feed.number_events)

        asyncio.run(body())

    writers = [
        threading.Thread(target=write, args=(store, mine)) for store, mine in zip(stores, ((1, 2), (3, 2)), strict=True)
    ]
    numberers = [threading.Thread(target=number, args=(store,)) for store in stores]
    for thread in (*writers, *numberers):
        thread.start()
    for thread in writers:
        thread.join(WAIT)
    ended.set()
    for thread in numberers:
        thread.join(WAIT)

    events = read_feed(stores[0])
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    for order_id in (1, 2, 3):
        versions = [event.version or 0 for event in events if event.order_id == order_id]
        assert versions == sorted(set(versions))
        stored = stores[0].read(lambda tx, order_id=order_id: orders.get(tx, order_id))  # type: ignore[misc]
        assert stored is not None
        assert versions[-1] == stored.version
        assert len(versions) == stored.version - 1  # not its first version: the first sync found it


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(changes=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 59), st.booleans()), min_size=1, max_size=25))
def test_the_sequence_of_an_order_is_that_of_its_versions(store: Store, changes: list[tuple[int, int, bool]]) -> None:
    """Whatever the clock says, and whenever somebody numbers: versions of an order never come in another sequence."""
    bounds = store.read(change_feed.get_bounds)
    began = bounds.last_number if bounds is not None else 0
    fill(store, 1, 2, 3)
    for serial, (order_id, second, numbers) in enumerate(changes):
        changed = order(order_id, values={"remarks": f"{began} {serial}"})
        store.write(
            lambda tx, changed=changed, second=second, serial=serial: orders.save(  # type: ignore[misc]
                tx, changed, read_at=at(2000 + began + serial), now=at(second)
            )
        )
        if numbers:
            store.write(change_feed.number_events)
    events = [event for event in read_feed(store, began) if event.type is EventType.ORDER_UPDATED]
    for order_id in (1, 2, 3):
        versions = [event.version or 0 for event in events if event.order_id == order_id]
        assert versions == sorted(versions)


def test_what_retention_deletes_is_known(store: Store) -> None:
    """The oldest go, the numbers go on, and the bounds say how far it went; none is deleted without a number."""
    fill(store, 1)
    for second in (10, 20, 30):
        save(store, 1, second, remarks=str(second))
    assert store.write(lambda tx: change_feed.drop_old(tx, at(5))) == 0
    assert store.write(lambda tx: change_feed.drop_old(tx, at(25))) == 2
    assert store.write(lambda tx: change_feed.drop_old(tx, at(25))) == 0
    bounds = store.read(change_feed.get_bounds)
    assert bounds is not None
    assert (bounds.dropped_number, bounds.last_number) == (2, 3)
    assert store.write(lambda tx: change_feed.drop_old(tx, at(99))) == 1
    save(store, 1, 100, remarks="neu")
    assert [event.number for event in read_feed(store)] == [4]


def test_what_is_erased_is_erased_from_the_feed(store: Store) -> None:
    """The event stays, so that nobody waits for a number; what it showed is gone."""
    fill(store, 1)
    save(store, 1, 10, person="Erika Muster")
    assert dict(read_feed(store)[0].after) == {"person": "Erika Muster"}
    store.write(lambda tx: personal_data.erase_order(tx, 1))
    (event,) = read_feed(store)
    assert (dict(event.before), dict(event.after)) == ({}, {})


def test_a_workshop_has_its_own_numbers(store: Store) -> None:
    """Events of another workshop are not in the feed, and do not take numbers of it."""
    other = store.for_workshop("waiblingen")
    for one in (store, other):
        fill(one, 1)
        save(one, 1, 10, remarks="eigen")
    assert [event.number for event in read_feed(store)] == [1]
    assert [event.number for event in read_feed(other)] == [1]


def test_a_restore_begins_an_epoch(store: Store) -> None:
    """Another epoch for each restore; numbers go on."""
    fill(store, 1)
    save(store, 1, 10, remarks="eins")
    read_feed(store)
    before = store.read(change_feed.get_bounds)
    store.runner.run(store.installation.write(change_feed.begin_epoch))
    after = store.read(change_feed.get_bounds)
    assert before is not None
    assert after is not None
    assert before.epoch != after.epoch
    assert before.last_number == after.last_number
