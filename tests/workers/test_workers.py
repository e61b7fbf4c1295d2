"""Background workers go on after a fault, and leave nothing half done when they are stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from planso_connector.domain import clock
from planso_connector.domain.clock import format_instant
from planso_connector.domain.errors import NotPossible, StoreUnavailable
from planso_connector.flows.operating.heartbeat import Heartbeat
from planso_connector.flows.syncing import sync
from planso_connector.sandbox import Sandbox
from planso_connector.store.engine.database import Transaction
from planso_connector.store.tables import leases
from planso_connector.workers import outbox_worker, retention, startup
from planso_connector.workers.supervisor import Supervisor, Worker
from tests.flows.writing.outbox_process import NEW_CREATE, OutboxProcess
from tests.service import PATIENCE, Service, running, running_on_sqlite, settings_for, wait_until, wait_until_async


class Over(BaseException):
    """Ends a worker that runs until it is cancelled."""


def test_retention_goes_on_after_a_fault() -> None:
    """Whatever a run raises, the next one comes."""
    turns: list[None] = []

    async def apply() -> None:
        turns.append(None)
        raise (KeyError("ours") if len(turns) == 1 else Over)

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    async def story() -> None:
        with suppress(Over):
            await retention.run(apply, clock.now, monotonic=lambda: 0.0, sleep=sleep)

    asyncio.run(story())
    assert len(turns) == 2


def test_retention_goes_on_with_the_next_workshop() -> None:
    """A fault in one workshop is logged and passes; a database that does not answer ends the run for all."""

    def fail(error: Exception) -> None:
        with retention.going_on_after_faults("reit"):
            raise error

    with capture_logs() as lines:
        fail(KeyError("ours"))
    assert [(line["event"], line["workshop"]) for line in lines] == [("retention_failed", "reit")]
    with pytest.raises(StoreUnavailable):
        fail(StoreUnavailable("silent"))


def test_what_is_done_at_the_start_is_tried_until_it_is_done() -> None:
    """A step at the start is repeated after errors and faults until it is done."""
    outcomes: Iterator[bool | Exception] = iter([NotPossible("another is at it"), KeyError("ours"), False, True])

    async def step() -> bool:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    asyncio.run(startup.retry_until_done(step, "not_done", sleep=sleep))
    assert next(outcomes, None) is None


def test_whatever_ends_a_worker_it_is_restarted() -> None:
    """
    A fault, one that is no Exception, a group of them, a cancellation that nobody here asked for, a loop that returns:
    the log names the worker and the cause, and it runs again, after a pause that grows.
    """
    ends: Iterator[BaseException | None] = iter(
        [KeyError("ours"), BaseExceptionGroup("", [Over()]), asyncio.CancelledError(), None]
    )

    async def run(_: Heartbeat) -> None:
        error = next(ends, started)
        if error is started:
            started.set()
            await asyncio.Event().wait()
        if isinstance(error, BaseException):
            raise error

    async def story() -> None:
        supervisor = Supervisor()
        async with supervisor.run_workers([Worker("one", run), Worker("done", done, may_end=True)]):
            await wait_until_async(supervisor.find_problem, "the first end")
            trouble = supervisor.find_problem()
            assert trouble is not None
            assert "one ended by KeyError and restarts in 0 s: " in trouble[0]
            await started.wait()
            assert "one ended 4 times, by returning, and runs again" in str(supervisor.find_problem())
        assert supervisor.restart_counts() == {"one": 4, "done": 0}
        assert list(supervisor.heartbeat_ages()) == ["one"]

    async def done(_: Heartbeat) -> None:
        pass

    started = asyncio.Event()
    with capture_logs() as lines, pytest.MonkeyPatch.context() as patch:
        patch.setattr("planso_connector.workers.supervisor.FIRST_RESTART_DELAY", 0.05)
        asyncio.run(story())
    ended = [line for line in lines if line["event"] == "worker_ended"]
    assert [line["log_level"] for line in ended] == ["critical"] * 4
    assert [line["restarts_in"] for line in ended] == [0.05, 0.1, 0.2, 0.4]
    assert {line["worker"] for line in lines} == {"one"}


ASYNC = {"Prefer": "respond-async"}
WORKERS = {"clock", "outbox", "outbox_claims", "schedule", "access_log", "retention"}


def check_named(service: Service, name: str) -> dict[str, Any]:
    checks = service.http.get("/health/ready").json()["checks"]
    return next(check for check in checks if check["name"] == name)


def workers_check(service: Service) -> dict[str, Any]:
    return check_named(service, "workers")


def test_a_stuck_worker_is_named() -> None:
    """A worker without a heartbeat for longer than it announced is a problem, by its name; others go on."""

    async def hang(beat: Heartbeat) -> None:
        beat(0.0)
        await asyncio.Event().wait()

    async def story() -> None:
        supervisor = Supervisor()
        async with supervisor.run_workers([Worker("slow", hang)]):
            await wait_until_async(lambda: supervisor.find_problem() is not None)
            problem = supervisor.find_problem()
            assert problem is not None
            assert problem[0].startswith("slow is stuck, no sign of it for 0 s")

    asyncio.run(story())


def test_workers_that_ended_work_again(tmp_path: Path) -> None:
    """
    Every background task is cancelled by somebody: 503 names each of them and since when; without hands all run again,
    as the metrics say, a write is carried through and a sync comes in its turn.
    """
    sandbox = Sandbox(orders=6)
    always = {"connector_sync_interval": timedelta(seconds=2), "connector_sync_hours": "00:00-24:00"}
    with running_on_sqlite(tmp_path, sandbox, **always) as service:
        wait_until(lambda: workers_check(service)["ok"])
        ended = service.cancel_workers()
        assert ended >= WORKERS
        told = service.http.get("/health/ready")
        assert told.status_code == 503
        check = workers_check(service)
        assert all(f"{name} ended by CancelledError and restarts in" in check["words"] for name in WORKERS)
        assert check["since"] <= format_instant(clock.now())
        wait_until(lambda: service.http.get("/health/ready").status_code == 200, "the workers")
        metrics = service.http.get("/metrics").text
        for name in WORKERS:
            assert f'planso_connector_worker_restarts_total{{worker="{name}"}} 1.0' in metrics
            assert f'planso_connector_worker_heartbeat_age_seconds{{worker="{name}"}}' in metrics
        assert service.put(sandbox.order_ids()[0], remarks="wieder da").status_code == 200
        before = service.wait_for_sync()["last_result"]["started_at"]
        wait_until(lambda: service.wait_for_sync()["last_result"]["started_at"] != before, "a sync")


def test_a_database_that_lets_a_worker_wait_is_named_and_not_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database does not answer when a claim is renewed: that is bounded, and no fault of the outbox."""
    monkeypatch.setattr(outbox_worker, "RENEW_INTERVAL", 0.2)
    monkeypatch.setattr(outbox_worker, "STUCK_AFTER", 0.0)
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, planso_timeout=2.0, connector_database_timeout=1.0) as service:
        sandbox.knobs.hang_next = 1
        service.http.patch(f"/api/orders/{sandbox.order_ids()[0]}", json={"remarks": "wartet"}, headers=ASYNC)
        wait_until(lambda: sandbox.knobs.hang_next == 0, "a write under way")
        with service.hold_writer():
            wait_until(lambda: not check_named(service, "database")["ok"], "the database's check")
            assert workers_check(service)["ok"]
        wait_until(lambda: service.http.get("/health/ready").status_code == 200, "the outbox")


def test_a_sync_that_is_stuck_is_named(sqlite_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a run gets no further, 503 names the worker that waits for it; once it goes on, readiness is 200 again."""
    monkeypatch.setattr(sync, "STUCK_AFTER", 0.5)
    sandbox = Sandbox(orders=6)
    sandbox.knobs.hang_next = 1
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, f"sqlite:///{sqlite_path}", planso_timeout=3.0)
        with running(settings, sandbox) as service:
            wait_until(lambda: "is stuck" in check_named(service, "sync")["words"], "the stuck sync")
            wait_until(lambda: service.http.get("/health/ready").status_code == 200, "the mirror")


def test_a_claim_that_is_under_way_at_the_stop_is_given_back(postgresql_url: str) -> None:
    """A claim that commits after the stop is released: the next process need not wait for its expiry."""
    sandbox = Sandbox(orders=4)

    async def story(url: str) -> None:
        process = OutboxProcess(sandbox, url, postgresql_url)
        running = asyncio.create_task(process.worker.run_claim_loop())
        with psycopg.connect(postgresql_url, autocommit=True) as other:
            other.execute("SELECT pg_advisory_lock(hashtextextended('claim shop', 0))")
            await process.record(NEW_CREATE)
            waiting = b"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            await wait_until_async(lambda: other.execute(waiting).fetchall(), "the claim")
            running.cancel()
            await asyncio.wait({running})
            closing = asyncio.create_task(process.outbox.close())
            await asyncio.wait(
                {closing}, timeout=0.3
            )  # it must not be over: what it would have to give back is to come
        await closing
        await process.planso.aclose()
        await process.database.close()

    with sandbox.serve() as url:
        asyncio.run(story(url))
    with psycopg.connect(postgresql_url) as session:
        assert session.execute("SELECT holder FROM operations").fetchall() == [(None,)]


def rename(table: str, to: str, tx: Transaction) -> None:
    tx.execute(sa.text(f"ALTER TABLE {table} RENAME TO {to}"))


def test_a_run_keeps_its_lease_after_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing heartbeat does not end the heartbeats: without them another process would start a second run."""
    monkeypatch.setattr(sync, "HEARTBEAT_INTERVAL", 0.02)
    sandbox = Sandbox(orders=6)
    until_when: list[str] = []

    def look(tx: Transaction) -> None:
        until_when.extend(
            row["expires_at"] for row in tx.fetch_all(sa.select(leases).where(leases.c.name == sync.LEASE_NAME))
        )

    def is_renewed() -> bool:
        service.write_database(look)
        return until_when[-1] > until_when[0]

    with running_on_sqlite(tmp_path, sandbox) as service:
        sandbox.knobs.latency = 0.5
        service.http.post("/api/sync", params={"full": "true"})
        service.write_database(partial(rename, "sync_runs", "runs_away"))
        threading.Event().wait(0.3)  # some heartbeats
        service.write_database(partial(rename, "runs_away", "sync_runs"))
        wait_until(is_renewed, "a heartbeat")
        sandbox.knobs.latency = 0.0
        assert service.wait_for_sync()["last_result"] is not None


def test_a_worker_that_lost_its_cancellation_is_cancelled_again() -> None:
    """Whatever swallows the first one, the process ends."""
    cancellations: list[None] = []

    async def run(_: Heartbeat) -> None:
        while True:
            try:
                await asyncio.sleep(PATIENCE)
            except asyncio.CancelledError:
                cancellations.append(None)
                if len(cancellations) == 3:
                    raise

    async def story() -> None:
        async with Supervisor(cancel_again_after=0.01).run_workers([Worker("deaf", run)]):
            await asyncio.sleep(0.01)

    asyncio.run(story())
    assert len(cancellations) == 3
