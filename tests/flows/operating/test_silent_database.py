"""While the database does not answer, callers, readiness, metrics and shutdown don't wait for it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from planso_connector.domain import clock
from planso_connector.domain.clock import parse_instant
from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandbox
from tests.databases import PostgresqlServer
from tests.network_faults import Firewall, firewall, frozen
from tests.process import connector_process
from tests.service import PATIENCE, Service, running, running_on_sqlite, settings_for, wait_until

__all__ = ["firewall"]

Fault = Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=["black hole", "frozen"])
def fault(request: pytest.FixtureRequest, firewall: tuple[Firewall, str], postgresql_server: PostgresqlServer) -> Fault:
    return firewall[0].closed if request.param == "black hole" else lambda: frozen(postgresql_server)


@contextmanager
def at_work(url: str) -> Iterator[Service]:
    sandbox = Sandbox(orders=6)
    with sandbox.serve() as planso:
        settings = settings_for(sandbox, planso, url, connector_sync_parts=False, connector_database_timeout=3.0)
        with running(settings, sandbox) as service:
            service.wait_for_sync()
            yield service


def checks(answer: httpx2.Response) -> dict[str, Any]:
    return {check["name"]: check for check in answer.json()["checks"]}


def test_nobody_waits_for_a_silent_postgresql(firewall: tuple[Firewall, str], fault: Fault) -> None:
    """
    Reads and writes are 503 that says so and when to come again, readiness names the database and since when, metrics
    are told; all of it before the fault is over. Afterwards it is ready by itself, and a refused write was not done.
    """
    with at_work(firewall[1]) as service:
        order = service.sandbox.order_ids()[0]
        assert service.http.get("/health/ready").json()["state"] == "ready"
        assert service.http.get("/metrics").status_code == 200
        before = parse_instant(checks(service.http.get("/health/ready"))["clock"]["since"])
        with fault(), ThreadPoolExecutor() as callers:
            read = callers.submit(service.http.get, "/api/orders")
            written = callers.submit(service.put, order, remarks="zu spät")
            for answer in (read.result(), written.result()):
                assert answer.status_code == 503, answer.text
                assert "has not answered" in answer.json()["message"]
                assert answer.json()["success"] is False
                assert "Retry-After" in answer.headers
            assert "may be recorded" not in written.result().json()["message"]
            ready = service.http.get("/health/ready")
            assert ready.status_code == 503
            database = checks(ready)["database"]
            assert "has not answered since" in database["words"]
            assert before < parse_instant(database["since"]) < clock.now()
            metrics = service.http.get("/metrics").text
            assert 'check_ok{check="database"} 0.0' in metrics
            assert "database_silent_seconds 0.0" not in metrics
        wait_until(lambda: service.http.get("/health/ready").status_code == 200, "readiness")
        assert "database_silent_seconds 0.0" in service.http.get("/metrics").text
        assert service.put(order, remarks="rechtzeitig").status_code == 200
        states = [one["state"] for one in service.http.get("/api/operations").json()["operations"]]
        assert states == ["confirmed"]


def test_who_asks_while_readiness_is_looked_at_waits_no_longer(firewall: tuple[Firewall, str]) -> None:
    """Of two probes at once, the second one shares the evaluation of the first."""
    with at_work(firewall[1]) as service, firewall[0].closed(), ThreadPoolExecutor() as callers:

        def gap() -> float:
            def ask() -> float:
                assert service.http.get("/health/ready").status_code == 503
                return time.monotonic()

            first = callers.submit(ask)
            time.sleep(0.2)
            second = callers.submit(ask)
            return second.result() - first.result()

        wait_until(lambda: gap() < 1.0)


def test_keys_are_known_while_postgresql_is_silent(firewall: tuple[Firewall, str]) -> None:
    """
    Whose key it is can't be asked then: for readiness and metrics the last answer counts. Who has no key learns that
    the database is silent, and nothing else; a wrong secret is not let in.
    """
    with at_work(firewall[1]) as service:
        key = service.create_key(Scope.METRICS)
        known, wrong = {"X-API-Key": key}, {"X-API-Key": key[:-1] + ("a" if key[-1] != "a" else "b")}
        assert service.http.get("/metrics", headers=known).status_code == 200
        with firewall[0].closed(), ThreadPoolExecutor() as callers:
            metrics = [callers.submit(service.http.get, "/metrics", headers=one) for one in (known, wrong, {})]
            ready = [callers.submit(service.http.get, "/health/ready", headers=one) for one in (known, wrong, {})]
            assert [one.result().status_code for one in metrics] == [200, 401, 401]
            assert "has not answered since" in checks(ready[0].result())["database"]["words"]
            for one in ready[1:]:
                assert one.result().json()["checks"] == []
                assert "database has not answered since" in one.result().json()["message"]


def test_a_commit_that_is_swallowed_is_looked_for(firewall: tuple[Firewall, str]) -> None:
    """The firewall forgets all connections while a write is recorded: one operation, one save, 200."""
    with at_work(firewall[1]) as service:
        order = service.sandbox.order_ids()[0]
        recording: set[int] = set()

        def is_commit(data: bytes) -> bool:
            if b"INSERT INTO operations" in data:
                recording.add(threading.get_ident())
            return threading.get_ident() in recording and data.endswith(b"\x0bCOMMIT\x00")

        firewall[0].forget_at = is_commit
        service.sandbox.forget_requests()
        answer = service.put(order, remarks="einmal")
        assert recording
        assert answer.status_code in (200, 202), answer.text
        assert service.wait_until_settled(answer)["state"] == "confirmed"
        assert len(service.http.get("/api/operations").json()["operations"]) == 1
        assert sum(request.saving for request in service.sandbox.requests) == 1


def test_readiness_does_not_blame_a_lock_for_a_broken_connection(firewall: tuple[Firewall, str]) -> None:
    """Its own write's connection breaks at COMMIT, at once."""
    with at_work(firewall[1]) as service:
        probes: set[int] = set()

        def cut(data: bytes) -> bool:
            if b"INSERT INTO leases" in data:
                probes.add(threading.get_ident())
            if threading.get_ident() in probes and data.endswith(b"\x0bCOMMIT\x00"):
                firewall[0].cut()
            return False

        firewall[0].forget_at = cut
        words: set[str] = set()

        def is_told() -> bool:
            words.add(checks(service.http.get("/health/ready"))["database"]["words"])
            return any("broke while it committed" in one for one in words)

        wait_until(is_told)
        firewall[0].forget_at = None
        assert not any("another program may hold it" in one for one in words), words


def test_a_stuck_reader_of_sqlite_is_told(tmp_path: Path) -> None:
    """The same for SQLite on a disk that does not answer. Once that is known, no read is tried on the event loop."""
    with running_on_sqlite(tmp_path, Sandbox(orders=6), connector_database_timeout=3.0) as service:
        order = service.sandbox.order_ids()[0]
        with service.hold_readers():
            assert service.http.get(f"/api/orders/{order}").status_code == 200
            for path in ("/api/operations", f"/api/orders/{order}"):
                read = service.http.get(path)
                assert read.status_code == 503
                assert "has not answered" in read.json()["message"]
            ready = service.http.get("/health/ready")
            assert ready.status_code == 503
            assert "has not answered since" in checks(ready)["database"]["words"]
            assert service.http.get("/metrics").status_code == 200
        wait_until(lambda: service.http.get("/health/ready").status_code == 200, "readiness")


def test_a_silent_postgresql_does_not_hold_the_end(
    firewall: tuple[Firewall, str], fault: Fault, tmp_path: Path
) -> None:
    """One SIGTERM ends the process, with a read under way, while the database is silent. The exit code is 0."""
    sandbox = Sandbox(orders=6)
    with sandbox.serve() as planso:
        environment = {
            "PLANSO_URL": planso,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
            "CONNECTOR_DATABASE_URL": firewall[1],
            "CONNECTOR_DATABASE_TIMEOUT": "3",
            "CONNECTOR_SYNC_INTERVAL": "0",
        }
        with connector_process(environment, tmp_path) as connector, ThreadPoolExecutor() as callers:
            connector.wait_for_sync()
            with fault():
                read = callers.submit(connector.http.get, "/api/orders")
                connector.process.send_signal(signal.SIGTERM)
                assert connector.process.wait(PATIENCE) == 0, connector.log()
                assert read.exception() is not None or read.result().status_code == 503
