"""Reads on the calling thread: the same as on a database thread, or left to one; PostgreSQL leaves all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store import orders
from planso_connector.store.engine.database import ReadLater, Transaction
from tests.databases import Store
from tests.store import counting
from tests.store.samples import at, order

_LONG = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT max(i) AS i FROM n"
)


@pytest.fixture
def sqlite_store(sqlite_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{sqlite_path}")
    yield opened
    opened.close()


def read_long(tx: Transaction) -> int:
    found: int = tx.fetch_all(_LONG)[0]["i"]
    return found


def save(store: Store, number: int) -> None:
    store.write(lambda tx: orders.save(tx, order(number), read_at=at(1), now=at(1)))


def test_a_short_read_is_the_same_on_either_thread(store: Store) -> None:
    """With or without an event loop that could wait, the unit of work returns the same."""
    save(store, 123)
    expected = store.read(lambda tx: orders.get(tx, 123))
    assert expected is not None
    assert store.runner.run(store.database.read_briefly(lambda tx: orders.get(tx, 123))) == expected
    if store.url.startswith("sqlite"):
        assert store.database.read_now(lambda tx: orders.get(tx, 123)) == expected
    else:
        with pytest.raises(ReadLater):
            store.database.read_now(lambda tx: orders.get(tx, 123))


def test_a_commit_is_read_at_once(sqlite_store: Store) -> None:
    """What was committed is read by the next read, whoever committed it."""
    other = Store(sqlite_store.url)
    try:
        for number, writer in enumerate((sqlite_store, other) * 3, 1):
            assert sqlite_store.database.read_now(lambda tx, n=number: orders.get(tx, n)) is None  # type: ignore[misc]
            save(writer, number)
            assert sqlite_store.database.read_now(lambda tx, n=number: orders.get(tx, n)) is not None  # type: ignore[misc]
    finally:
        other.close()


def test_a_unit_sees_one_snapshot(sqlite_store: Store) -> None:
    """What is committed while it runs, it does not see."""
    other = Store(sqlite_store.url)

    def read_twice(tx: Transaction) -> list[bool]:
        before = orders.get(tx, 7) is None
        save(other, 7)
        return [before, orders.get(tx, 7) is None]

    try:
        assert sqlite_store.database.read_now(read_twice) == [True, True]
        assert sqlite_store.database.read_now(lambda tx: orders.get(tx, 7)) is not None
    finally:
        other.close()


def test_a_long_read_is_left_to_a_thread(sqlite_store: Store) -> None:
    """One that takes too many steps is interrupted soon; the next short ones are answered, and it is, by a thread."""
    database = sqlite_store.database
    for _ in range(3):
        with pytest.raises(ReadLater):
            database.read_now(read_long)
        assert database.read_now(counting.read("a")) is None
    assert sqlite_store.runner.run(database.read_briefly(read_long)) == 200_000


def test_many_short_reads_are_none_too_long(sqlite_store: Store) -> None:
    """The steps of one unit count, not those of a statement in all units."""
    for _ in range(3000):
        assert sqlite_store.database.read_now(counting.read("a")) is None


def test_an_error_of_the_unit_is_its_callers(sqlite_store: Store) -> None:
    """It is raised as it is; the transaction ends, and the connection serves the next read."""

    def fail(tx: Transaction) -> None:
        orders.get(tx, 1)
        raise LookupError("ours")

    for _ in range(2):
        with pytest.raises(LookupError, match="ours"):
            sqlite_store.database.read_now(fail)
        assert sqlite_store.database.read_now(counting.read("a")) is None


def test_it_can_not_write(sqlite_store: Store) -> None:
    """A unit that writes is left to a thread, which refuses it."""
    with pytest.raises(ReadLater):
        sqlite_store.database.read_now(counting.put("a"))
    with pytest.raises(StoreUnavailable):
        sqlite_store.runner.run(sqlite_store.database.read_briefly(counting.put("a")))
    assert sqlite_store.database.read_now(counting.read("a")) is None
