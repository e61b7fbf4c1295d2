"""A database that takes no write: full, or read-only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import apsw

from planso_connector.store.engine import sqlite
from planso_connector.store.engine.database import Transaction
from tests.rest.routes.write_requests import REMARKS, build_write, count_saves, hide_forms, list_operations, put, send
from tests.service import Service, wait_until

ORDERS = 12
SETTINGS = {"planso_timeout": 1.0, "connector_sync_parts": False}


def limit_pages(more: int) -> Callable[[Transaction], None]:
    """Leaves room for `more` pages: to SQLite it is a full disk."""

    def work(tx: Transaction) -> None:
        assert isinstance(tx, sqlite.SqliteTransaction)
        connection = tx._connection  # noqa: SLF001 - a test's hand on the disk
        pages = int(str(connection.execute("PRAGMA page_count").get))
        connection.execute(f"PRAGMA max_page_count = {pages + more}")

    return work


@contextmanager
def read_only(service: Service) -> Iterator[None]:
    """SQLite refuses the connector every change of its database."""
    taken: list[apsw.Connection] = []

    def take(tx: Transaction) -> None:
        assert isinstance(tx, sqlite.SqliteTransaction)
        taken.append(tx._connection)  # noqa: SLF001 - a test's hand on the disk

    service.write_database(take)
    switch_query_only(taken[0], on=True)
    try:
        yield
    finally:
        switch_query_only(taken[0], on=False)


def switch_query_only(connection: apsw.Connection, *, on: bool) -> None:
    def is_done() -> bool:
        try:
            connection.execute(f"PRAGMA query_only = {int(on)}")
        except (apsw.ThreadingViolationError, apsw.BusyError):  # the connector's thread uses it right now
            return False
        return True

    wait_until(is_done)


def test_a_full_disk_is_503_and_records_nothing(service: Service, order: int) -> None:
    """No room for the operation: 503 that says so, nothing is recorded or sent; with room the same key goes through."""
    before, recorded = service.sandbox.snapshot(order), list_operations(service, limit=500)
    # More than the pages that are free by now.
    long = ("remarks", "damage_description", "workshop_distribution", "external_calculation")
    asked = dict.fromkeys(long, "🚗" * 20_000)
    service.write_database(limit_pages(1))
    try:
        answer = put(service, order, asked, Idempotency_Key="full")
        assert (answer.status_code, answer.json()["success"]) == (503, False)
        assert "full" in answer.json()["message"]
        assert service.order(order)["pending"] == []
        assert list_operations(service, limit=500) == recorded
        assert service.sandbox.snapshot(order) == before
    finally:
        service.write_database(limit_pages(100_000))
    assert put(service, order, asked, Idempotency_Key="full").status_code == 200
    assert len(service.sandbox.value(order, REMARKS)) == 20_000


def test_a_read_only_database_is_503_and_nothing_is_sent(service: Service, order: int) -> None:
    """New writes are 503; one that was recorded before is not sent while it can't be marked, and goes through later."""
    with ExitStack() as bad_days:
        well_again = bad_days.enter_context(ExitStack())
        well_again.enter_context(hide_forms(service, order))
        accepted = put(service, order, {"person": "Schon Notiert"}, Prefer="respond-async")
        assert accepted.status_code == 202
        bad_days.enter_context(read_only(service))
        well_again.close()
        for method in ("PUT", "PATCH", "POST", "DELETE"):
            answer = send(service, *build_write(method, order, person="Nicht Notiert"))
            assert (answer.status_code, answer.json()["success"]) == (503, False)
            assert "read-only" in answer.json()["message"]
        address = accepted.headers["Location"]
        assert service.http.post(f"{address}/cancel").status_code == 503
        operation = service.http.get(address, params={"wait": "2"}).json()["operation"]
        assert (operation["state"], count_saves(service, order)) == ("pending", 0)
        assert len(list_operations(service, order_id=order)) == 1
    assert service.wait_until_settled(accepted)["state"] == "confirmed"
    assert count_saves(service, order) == 1
