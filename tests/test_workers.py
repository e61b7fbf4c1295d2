"""What runs beside the requests goes on after a fault of ours, and leaves nothing half done when it is stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from planso_connector import app
from planso_connector.domain import clock
from planso_connector.domain.errors import NotPossible
from planso_connector.flows import sync
from planso_connector.sandbox import Sandbox
from planso_connector.store.engine import Transaction
from planso_connector.store.tables import leases
from planso_connector.workers import retention, start
from tests.service import connected, settings_for
from tests.test_late_saves import wait_for
from tests.test_outbox_laws import NEW, Process
from tests.test_overwritten import until


class Over(BaseException):
    """Ends a worker that runs until it is cancelled."""


def test_retention_goes_on_after_a_fault() -> None:
    """Whatever a turn raises, the next one comes."""
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


def test_what_is_done_at_the_start_is_tried_until_it_is_done() -> None:
    """Also after a fault of ours: a mirror that stays empty until the next restart helps nobody."""
    outcomes: Iterator[bool | Exception] = iter([NotPossible("another is at it"), KeyError("ours"), False, True])

    async def step() -> bool:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    asyncio.run(start.until_done(step, "not_done", sleep=sleep))
    assert next(outcomes, None) is None


class Broken:
    """In the place of what runs beside the requests."""

    async def run(self) -> None:
        raise Over


def test_a_worker_that_ends_after_all_is_told(sqlite_path: Path) -> None:
    """The log names it: without it writes would stay here, or accesses unwritten, and nobody would know."""
    sandbox = Sandbox(orders=4)

    async def story(url: str) -> None:
        settings = settings_for(sandbox, url, f"sqlite:///{sqlite_path}")
        async with app.connector(settings) as built, app.at_work(replace(built, outbox=Broken())):  # type: ignore[arg-type]
            await until("the line", lambda: any(line["event"] == "worker_ended" for line in lines))

    with sandbox.serve() as url, capture_logs() as lines:
        asyncio.run(story(url))
    told = next(line for line in lines if line["event"] == "worker_ended")
    assert (told["worker"], told["log_level"]) == ("outbox", "critical")


def test_a_claim_that_is_under_way_at_the_stop_is_given_back(postgresql_url: str) -> None:
    """The database is slow and the claim committed after the stop: the next process need not wait for its lease."""
    sandbox = Sandbox(orders=4)

    async def story(url: str) -> None:
        process = Process(sandbox, url, postgresql_url)
        running = asyncio.create_task(process.outbox.run())
        with psycopg.connect(postgresql_url, autocommit=True) as other:
            other.execute("SELECT pg_advisory_lock(hashtextextended('claim shop', 0))")
            await process.record(NEW)
            waiting = b"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            await until("the claim", lambda: other.execute(waiting).fetchall())
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
    tx.run(sa.text(f"ALTER TABLE {table} RENAME TO {to}"))


def test_a_run_keeps_its_lease_after_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong with one heartbeat does not end them: without them another process would begin a second run."""
    monkeypatch.setattr(sync, "HEARTBEAT", 0.02)
    sandbox = Sandbox(orders=6)
    until_when: list[str] = []

    def look(tx: Transaction) -> None:
        until_when.extend(row["expires_at"] for row in tx.rows(sa.select(leases).where(leases.c.name == sync.LEASE)))

    def is_renewed() -> bool:
        service.in_the_database(look)
        return until_when[-1] > until_when[0]

    with connected(tmp_path, sandbox) as service:
        sandbox.knobs.latency = 0.5
        service.http.post("/api/sync", params={"full": "true"})
        service.in_the_database(partial(rename, "runs", "runs_away"))
        threading.Event().wait(0.3)  # some heartbeats
        service.in_the_database(partial(rename, "runs_away", "runs"))
        wait_for("a heartbeat", is_renewed)
        sandbox.knobs.latency = 0.0
        assert service.synced()["last_result"] is not None
