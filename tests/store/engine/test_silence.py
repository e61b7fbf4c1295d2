"""Nobody waits for a silent PostgreSQL beyond the timeout, and it is used again by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import text

from planso_connector.domain.errors import CommitUnknown, StoreTimeout
from planso_connector.store.engine.database import Transaction
from planso_connector.store.maintenance import migrate
from tests.databases import PostgresqlServer, Store
from tests.network_faults import Firewall, firewall, frozen
from tests.service import wait_until
from tests.store import counting

__all__ = ["firewall"]

TIMEOUT = 0.6

Fault = Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=["black hole", "frozen"])
def fault(request: pytest.FixtureRequest, firewall: tuple[Firewall, str], postgresql_server: PostgresqlServer) -> Fault:
    return firewall[0].closed if request.param == "black hole" else lambda: frozen(postgresql_server)


@pytest.fixture
def silent_store(firewall: tuple[Firewall, str]) -> Iterator[Store]:
    store = Store(firewall[1], timeout=TIMEOUT)
    yield store
    store.close()


def answers(store: Store) -> bool:
    try:
        store.read(counting.read("a"))
        store.write(counting.put("back"))
    except StoreTimeout:
        return False
    return True


def test_a_silent_server_is_reported_in_time_and_used_again(silent_store: Store, fault: Fault) -> None:
    """Reads and writes are StoreTimeout while the server is silent, and succeed by themselves afterwards."""
    silent_store.write(counting.put("a"))
    with fault():
        for _ in range(2):
            with pytest.raises(StoreTimeout, match="has not answered"):
                silent_store.read(counting.read("a"))
            with pytest.raises(StoreTimeout, match="has not answered"):
                silent_store.write(counting.put("b"))
        assert silent_store.database.seconds_silent
    wait_until(lambda: answers(silent_store))
    assert silent_store.read(counting.read("b")) is None
    assert silent_store.database.seconds_silent is None


def test_a_silent_server_does_not_hold_the_end(firewall: tuple[Firewall, str], fault: Fault) -> None:
    """Closing ends while the server is silent, with a unit under way that got no answer."""
    store = Store(firewall[1])
    store.write(counting.put("a"))
    with fault():
        store.database.stop_waiting_after(0.2)
        with pytest.raises(StoreTimeout):
            store.read(counting.read("a"))
        store.close()


def test_a_silent_server_is_told_before_anything_is_migrated(firewall: tuple[Firewall, str], fault: Fault) -> None:
    """The start ends with a sentence that names the database."""
    with fault(), pytest.raises(StoreTimeout, match=r"PostgreSQL 'test_.*' at 127.0.0.1:.*has not answered"):
        migrate.migrate(firewall[1])


def test_forgotten_connections_are_replaced(silent_store: Store, firewall: tuple[Firewall, str]) -> None:
    """A firewall forgot the idle connections and lets new ones through: no read and no write fails."""
    silent_store.write(counting.put("a"))
    assert silent_store.read(counting.read("a")) == "1"
    firewall[0].forget()
    assert silent_store.read(counting.read("a")) == "1"
    silent_store.write(counting.put("b"))
    assert silent_store.read(counting.read("b")) == "1"


def test_a_commit_without_an_answer_is_unknown(silent_store: Store, firewall: tuple[Firewall, str]) -> None:
    """A COMMIT that was executed but not answered is CommitUnknown."""
    silent_store.write(counting.put("a"))
    firewall[0].forget_at = lambda data: b"\x0bCOMMIT\x00" in data
    with pytest.raises(CommitUnknown):
        silent_store.write(counting.put("b"))
    wait_until(lambda: answers(silent_store))
    assert silent_store.read(counting.read("b")) == "1"


def test_a_read_whose_commit_has_no_answer_is_read_again(silent_store: Store, firewall: tuple[Firewall, str]) -> None:
    """A read whose COMMIT is not answered is repeated, since it changed nothing."""
    silent_store.write(counting.put("a"))
    firewall[0].forget_at = lambda data: b"\x0bCOMMIT\x00" in data
    assert silent_store.read(counting.read("a")) == "1"


def test_a_forgotten_transaction_does_not_keep_its_locks(silent_store: Store, firewall: tuple[Firewall, str]) -> None:
    """The server ends a transaction whose connector is gone: its locks are free within seconds."""
    statement = text("SELECT 1 AS one")

    def forgotten(tx: Transaction) -> None:
        tx.lock("the same")
        firewall[0].forget()
        tx.fetch_all(statement)

    with pytest.raises(StoreTimeout):
        silent_store.write(forgotten)

    def wanted() -> bool:
        try:
            silent_store.write(lambda tx: tx.lock("the same"))
        except StoreTimeout:
            return False
        return True

    wait_until(wanted)


def test_what_was_not_begun_is_not_done_later(silent_store: Store, firewall: tuple[Firewall, str]) -> None:
    """Writes reported as not done are not done later, when the server answers again."""
    begun = threading.Event()

    def noted(tx: Transaction) -> None:
        begun.set()
        counting.put("b")(tx)

    with firewall[0].closed(), pytest.raises(StoreTimeout):
        silent_store.write(noted)
    wait_until(lambda: answers(silent_store))
    assert not begun.is_set()
    assert silent_store.read(counting.read("b")) is None
