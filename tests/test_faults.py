"""Faults of the machine, seen over HTTP: truthful responses, no lost write, recovery without help."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from planso_connector.flows.syncing.sync import LEASE_NAME
from planso_connector.sandbox import Sandbox
from planso_connector.store.engine.database import Transaction
from planso_connector.store.tables import leases, operations
from tests.planso_proxy import FORM, PlansoProxy
from tests.service import PATIENCE, Service, running, settings_for
from tests.store.engine.file_faults import LOCK, limit_pages

ASYNC = {"Prefer": "respond-async"}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let another process hold the write lock of the SQLite file."""
    with subprocess.Popen([sys.executable, "-c", LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            other.stdin.close()
            other.wait(90)


def count_saves(sandbox: Sandbox) -> int:
    return sum(request.saving for request in sandbox.requests)


def check_only_reads_succeed(service: Service, order_id: int, reason: str) -> None:
    """A write is 503 with the reason and Retry-After; reads are answered."""
    refused = service.put(order_id, remarks="🚗" * 20_000)
    assert (refused.status_code, reason in refused.json()["message"]) == (503, True), refused.text
    assert int(refused.headers["Retry-After"]) > 0
    assert service.http.get(f"/api/orders/{order_id}").status_code == 200
    assert service.http.get("/api/orders", params={"limit": "3"}).json()["count"] == 3


def is_still_pending(service: Service, accepted: httpx2.Response) -> bool:
    """Whether the operation is pending 1.5 s later: PlanSo has answered, but the result could not be stored."""
    return bool(service.operation(accepted, wait="1.5")["state"] == "pending")


@pytest.mark.parametrize("fault", ["locked", "full"])
def test_a_write_under_way_outlives_the_fault(tmp_path: Path, fault: str) -> None:
    """
    The database is locked by another process, or its disk is full, after PlanSo has saved a write: new writes are 503,
    reads go on, and after the fault the write is confirmed without help and without a second save.
    """
    sandbox = Sandbox(orders=6)
    order_id, other = sandbox.order_ids()[:2]
    path = tmp_path / "connector.db"
    saved, may_respond = threading.Event(), threading.Event()
    sandbox.app = between = PlansoProxy(sandbox.app)

    def hold() -> None:
        """Hold the response to the save; until then wait for the next response to a form request."""
        if count_saves(sandbox):
            saved.set()
            assert may_respond.wait(PATIENCE)
        else:
            between.on_response = (FORM, order_id), hold

    with sandbox.serve() as url, running(settings_for(sandbox, url, f"sqlite:///{path}"), sandbox) as service:
        service.fill_mirror()
        sandbox.forget_requests()
        between.on_response = (FORM, order_id), hold
        body = {"remarks": "y" * 20_000}
        accepted = service.http.patch(f"/api/orders/{order_id}", json=body, headers=ASYNC)
        assert accepted.status_code == 202
        assert saved.wait(PATIENCE)
        if fault == "locked":
            with locked(path):
                check_only_reads_succeed(service, other, "another process is writing")
                may_respond.set()
                assert is_still_pending(service, accepted)
        else:
            service.write_database(lambda tx: limit_pages(tx, 1))
            check_only_reads_succeed(service, other, "the disk is full")
            may_respond.set()
            assert is_still_pending(service, accepted)
            service.write_database(lambda tx: limit_pages(tx, 100_000))
        assert service.wait_until_settled(accepted)["state"] == "confirmed"
        assert (count_saves(sandbox), len(sandbox.value(order_id, "Bemerkungen"))) == (1, 20_000)
        assert service.put(other, remarks="danach").status_code == 200
        assert service.sync()["state"] == "idle"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_leases_from_a_clock_that_was_ahead_are_not_honoured(kind: str, request: pytest.FixtureRequest) -> None:
    """
    A connector ended while its clock was years ahead: its claim, its retry pause and its leases end years from now.
    With the right clock the write is sent and the sync runs at once.
    """
    sandbox = Sandbox(orders=6)
    order_id = sandbox.order_ids()[0]
    url = f"sqlite:///{request.getfixturevalue('sqlite_path')}" if kind == "sqlite" else ""
    url = url or request.getfixturevalue("postgresql_url")
    years = "2031-01-01T00:00:00.000000Z"

    def leave_leases(tx: Transaction) -> None:
        tx.execute(sa.update(operations).values(held_until=years, next_at=years, holder="dead"))
        tx.execute(sa.update(leases).values(expires_at=years, holder="dead"))
        tx.execute(sa.insert(leases).values(workshop="default", name=LEASE_NAME, holder="dead", expires_at=years))

    with sandbox.serve() as planso:
        settings = settings_for(sandbox, planso, url)
        with running(settings, sandbox) as service:
            service.wait_for_sync()
            sandbox.knobs.fail_next = 1_000_000
            accepted = service.http.patch(f"/api/orders/{order_id}", json={"remarks": "geht"}, headers=ASYNC)
        sandbox.knobs.fail_next = 0
        with running(settings, sandbox) as service:
            service.write_database(leave_leases)
            assert service.wait_until_settled(accepted)["state"] == "confirmed"
            assert service.sync()["state"] == "idle"
