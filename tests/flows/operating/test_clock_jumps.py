"""The machine's clock is set while the connector runs: nothing hangs, nothing is lost silently, nobody has to help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from planso_connector.domain.clock import ClockJumps, format_instant, parse_instant
from planso_connector.sandbox import Sandbox
from tests.flows.operating.set_clock import DAYS, SetClock
from tests.service import Service, running, settings_for, wait_until

ASYNC = {"Prefer": "respond-async"}
BEGAN = datetime(2026, 11, 23, 8, 0, 0).astimezone()


@contextmanager
def at_work(tmp_path: Path, sandbox: Sandbox, clock: SetClock, **changes: Any) -> Iterator[Service]:
    with sandbox.serve() as planso:
        settings = settings_for(sandbox, planso, f"sqlite:///{tmp_path}/connector.db", **changes)
        with running(settings, sandbox, clock) as service:
            service.wait_for_sync()
            yield service


@pytest.mark.parametrize("days", [DAYS, -DAYS])
def test_what_was_accepted_is_carried_through(tmp_path: Path, days: timedelta) -> None:
    """
    Two days ahead or back while writes wait for a PlanSo that is away, one of them sent: none expires, all are
    confirmed, a later write and a sync go well, a create that is repeated with its key creates nothing.
    """
    sandbox, clock = Sandbox(orders=6), SetClock()
    order_id, other, third = sandbox.order_ids()[:3]
    keyed = {"Idempotency-Key": "once"}
    with at_work(tmp_path, sandbox, clock, planso_timeout=1.0) as service:
        created = service.http.post("/api/orders", json={"person": "Nora Neu"}, headers=keyed)
        assert created.status_code == 200
        sandbox.knobs.lose_answers_next = 1
        sent = service.http.patch(f"/api/orders/{other}", json={"remarks": "gesendet"}, headers=ASYNC)
        wait_until(lambda: service.operation(sent)["sent"], "the lost answer")
        sandbox.knobs.fail_next = 1_000_000
        waiting = service.http.patch(f"/api/orders/{order_id}", json={"remarks": "wartet"}, headers=ASYNC)
        wait_until(lambda: service.operation(waiting)["attempts"] > 0, "an attempt")

        clock.ahead = days
        tried = service.operation(waiting)["attempts"]
        wait_until(lambda: service.operation(waiting)["attempts"] > tried, "an attempt after the jump")
        assert service.operation(waiting)["state"] == service.operation(sent)["state"] == "pending"
        asked_after = service.http.patch(f"/api/orders/{third}", json={"remarks": "danach"}, headers=ASYNC)
        sandbox.knobs.fail_next = 0

        assert [service.wait_until_settled(one)["state"] for one in (waiting, sent, asked_after)] == ["confirmed"] * 3
        assert sandbox.value(order_id, "Bemerkungen") == "wartet"
        again = service.http.post("/api/orders", json={"person": "Nora Neu"}, headers=keyed)
        assert (again.status_code, again.json()["order_id"]) == (200, created.json()["order_id"])
        assert service.sync()["state"] == "idle"
        assert service.order(order_id)["pending"] == []
        assert service.http.get("/health/ready").json()["state"] == "ready"
        shown = service.http.get("/api/orders").json()
        assert (shown["stale"], shown["count"]) == (False, 7)


@pytest.mark.parametrize("days", [DAYS, -DAYS])
def test_a_sync_and_the_log_of_accesses_go_on(tmp_path: Path, days: timedelta) -> None:
    """Two days ahead or back during a sync: it ends, the next one too, and who was shown what is written down."""
    sandbox, clock = Sandbox(orders=12), SetClock()
    order_id = sandbox.order_ids()[0]
    with at_work(tmp_path, sandbox, clock) as service:
        service.order(order_id)
        sandbox.knobs.latency = 0.2
        assert service.http.post("/api/sync", params={"full": "true"}).status_code == 202
        wait_until(lambda: service.http.get("/api/sync/status").json()["done"] > 0, "some orders")
        clock.ahead = days
        service.order(order_id)
        sandbox.knobs.latency = 0.0
        wait_until(lambda: service.http.get("/api/sync/status").json()["state"] != "running", "the end")
        assert service.sync(full="true")["state"] == "idle"
        assert service.http.get("/api/orders").json()["stale"] is False
        assert sum(one.times for one in service.read_access_log() if order_id in one.order_ids) == 3


def test_a_sync_of_an_earlier_clock_is_not_the_last_one(tmp_path: Path) -> None:
    """Set back after a sync: the next one is the last, also as a success, and reads what only a form shows."""
    sandbox, clock = Sandbox(orders=6), SetClock()
    order_id = sandbox.order_ids()[0]
    clock.ahead = DAYS
    with at_work(tmp_path, sandbox, clock) as service:
        clock.ahead = timedelta(0)
        sandbox.edit_field(order_id, "Bemerkungen", "von Hand")
        run_id = service.http.post("/api/sync").json()["run_id"]
        wait_until(lambda: service.http.get("/api/sync/status").json()["state"] != "running", "the end")
        told = service.http.get("/api/sync/status").json()
        assert (told["last_result"]["run_id"], told["last_result"]["state"]) == (run_id, "done")
        assert parse_instant(told["last_success_at"]) <= clock()
        assert service.order(order_id)["remarks"] == "von Hand"


def test_a_clock_that_is_set_right_again_leaves_no_trace(tmp_path: Path) -> None:
    """Ahead for a moment and back: what waited has its whole time still, and expires when that is over."""
    sandbox, clock = Sandbox(orders=6), SetClock()
    order_id = sandbox.order_ids()[0]
    with at_work(tmp_path, sandbox, clock) as service:
        sandbox.knobs.fail_next = 1_000_000
        waiting = service.http.patch(f"/api/orders/{order_id}", json={"remarks": "wartet"}, headers=ASYNC)
        for ahead in (DAYS, timedelta(0)):
            clock.ahead = ahead
            tried = service.operation(waiting)["attempts"]
            wait_until(lambda: service.operation(waiting)["attempts"] > tried, "an attempt")  # noqa: B023
        assert service.operation(waiting)["state"] == "pending"
    clock.ahead = DAYS  # as long as nobody lives who saw it jump, the clock is believed
    with sandbox.serve() as planso:
        settings = settings_for(sandbox, planso, f"sqlite:///{tmp_path}/connector.db")
        with running(settings, sandbox, clock) as service:
            told = service.wait_until_settled(waiting)
    assert (told["state"], told["message"]) == ("expired", "Its deadline passed, and nothing was sent to PlanSo.")


def test_only_what_was_jumped_over_is_no_time() -> None:
    """
    Of what was written before a jump ahead the jump is no time, of what was written after it nothing is; back takes it
    away again; time that passes, also while the machine sleeps, and a clock that drifts are no jump.
    """
    shown, seconds = BEGAN, 0.0
    told: list[timedelta] = []
    jumps = ClockJumps(lambda: shown, told.append, lambda: seconds)

    def pass_by(by_clock: timedelta, really: timedelta) -> timedelta:
        nonlocal shown, seconds
        shown, seconds = shown + by_clock, seconds + really.total_seconds()
        jumps.check()
        return told.pop() if told else timedelta(0)

    second, nothing = timedelta(seconds=1), timedelta(0)
    early = format_instant(shown)
    assert pass_by(DAYS, DAYS) == nothing  # asleep
    assert [pass_by(2 * second, second) for _ in range(100)] == [nothing] * 100  # kept right bit by bit
    assert jumps.jumped_ahead_since(early) == nothing
    before = format_instant(shown)
    assert pass_by(DAYS + second, second) == DAYS
    after = format_instant(shown)
    assert [jumps.jumped_ahead_since(one) for one in (early, before, after)] == [DAYS, DAYS, nothing]
    assert pass_by(DAYS / 2, nothing) == DAYS / 2
    assert [jumps.jumped_ahead_since(one) for one in (before, after)] == [1.5 * DAYS, DAYS / 2]
    assert pass_by(-DAYS, nothing) == -DAYS
    assert jumps.jumped_ahead_since(before) == DAYS / 2
    assert pass_by(-DAYS, nothing) == -DAYS
    assert jumps.jumped_ahead_since(before) == nothing
    assert parse_instant(before) < shown + DAYS
    of_an_earlier_clock = format_instant(shown + DAYS / 2)
    assert pass_by(DAYS, nothing) == DAYS
    assert jumps.jumped_ahead_since(of_an_earlier_clock) == DAYS
