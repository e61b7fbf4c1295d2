"""Machines on one PostgreSQL whose clocks differ: the server's clock counts, and the difference is reported."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from planso_connector import logs
from planso_connector.domain import clock
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.sandbox import Sandbox
from planso_connector.store.engine.database import Database
from tests.flows.operating.set_clock import DAYS, SetClock
from tests.service import running, settings_for, wait_until

ASYNC = {"Prefer": "respond-async"}


@pytest.mark.parametrize("seconds", [60, -60])
def test_one_create_is_one_order(postgresql_url: str, seconds: int) -> None:
    """
    A create's save is on its way, its answer is lost, and both machines see the operation: none takes it from the
    other before its lease is over, or sends it again before it may have landed. Each says how its clock stands.
    """
    sandbox, other = Sandbox(orders=6), SetClock()
    other.ahead = timedelta(seconds=seconds)
    before = set(sandbox.order_ids())
    with sandbox.serve() as planso, ExitStack() as stack:
        settings = settings_for(sandbox, planso, postgresql_url, planso_timeout=2.0, connector_sync_parts=False)
        right = stack.enter_context(running(settings, sandbox))
        wrong = stack.enter_context(running(settings, sandbox, other))
        right.wait_for_sync()
        for sender in (right, wrong):
            sandbox.knobs.save_latency, sandbox.knobs.lose_answers_by = 2.5, "hang"
            sandbox.knobs.lose_answers_next = 1
            body = {"person": "Nur Einmal", "vehicle_details": {"number_plate": f"WN-NE {len(sandbox.order_ids())}"}}
            answer = sender.http.post("/api/orders", json=body, headers=ASYNC)
            told = sender.wait_until_settled(answer)
            assert told["state"] == "confirmed", told
        wait_until(lambda: sandbox.in_flight == 0, "all that was sent to land")
        assert len(set(sandbox.order_ids()) - before) == 2
        checks = {one["name"]: one for one in wrong.http.get("/health/ready").json()["checks"]}
        way = "ahead of" if seconds > 0 else "behind"
        assert (checks["clock"]["ok"], f"60 s {way}" in checks["clock"]["words"]) == (False, True)
        assert right.http.get("/health/ready").json()["state"] == "ready"
        metric = next(
            line
            for line in wrong.http.get("/metrics").text.splitlines()
            if "clock_ahead_seconds " in line and "#" not in line
        )
        assert abs(float(metric.split()[-1]) - seconds) < 2


def test_a_clock_that_is_days_ahead_for_a_while_expires_nothing(postgresql_url: str) -> None:
    """A write that another machine recorded meanwhile waits for PlanSo as long as it may, and is carried through."""
    sandbox, ahead = Sandbox(orders=6), SetClock()
    order = sandbox.order_ids()[0]
    with sandbox.serve() as planso:
        settings = settings_for(sandbox, planso, postgresql_url, connector_sync_parts=False)
        with running(settings, sandbox, ahead) as wrong:
            wrong.wait_for_sync()
            ahead.ahead = DAYS
            sandbox.knobs.fail_next = 1_000_000
            with running(settings, sandbox) as right:
                waiting = right.http.patch(f"/api/orders/{order}", json={"remarks": "wartet"}, headers=ASYNC)
            tried = wrong.operation(waiting)["attempts"]
            wait_until(lambda: wrong.operation(waiting)["attempts"] > tried, "an attempt by the wrong clock")
            assert wrong.operation(waiting)["state"] == "pending"
            ahead.ahead = timedelta(0)
            sandbox.knobs.fail_next = 0
            assert wrong.wait_until_settled(waiting)["state"] == "confirmed"


def test_the_servers_clock_counts(postgresql_url: str, sqlite_path: Path) -> None:
    """
    On PostgreSQL it is the server's, however the machine's is set meanwhile, and is told once; on SQLite the machine's.
    """

    async def story() -> None:
        machine, passed = SetClock(), 0.0
        database = Database.open(postgresql_url)
        server = DatabaseClock(database, machine, lambda: passed)
        machine.ahead = DAYS
        await server.measure()
        assert abs(server() - clock.now()) < timedelta(seconds=30)
        assert abs(server.offset - DAYS) < timedelta(seconds=30)
        passed = 3600.0
        machine.ahead = -DAYS
        assert server() > clock.now() + timedelta(minutes=50)  # nobody measured
        await server.measure()
        await server.measure()
        assert abs(server() - clock.now()) < timedelta(seconds=30)
        machine.ahead = timedelta(0)
        await server.measure()
        await database.close()
        file = Database.open(f"sqlite:///{sqlite_path}")
        own = DatabaseClock(file, machine)
        machine.ahead = DAYS
        await own.measure()
        assert (own() > clock.now() + DAYS / 2, own.is_off) == (True, False)
        await file.close()

    logs.configure("info", [])
    try:
        with capture_logs() as lines:
            asyncio.run(story())
    finally:
        logs.configure("error", [])
    assert [line["event"] for line in lines if "clock" in line["event"]] == ["clock_differs", "clock_agrees"]
