"""The two sessions of a running connector: writes don't wait for a sync; one session where that is the limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from planso_connector.sandbox import Sandbox
from planso_connector.sandbox.planso_app import LoggedRequest
from tests.command_line import command_here
from tests.service import Service, running_on_sqlite, wait_until

FORM = "visual_forms_plain"


def put(service: Service, order_id: int) -> httpx2.Response:
    return service.put(order_id, remarks="während des Syncs")


def dry_run(service: Service, order_id: int) -> httpx2.Response:
    body = {"order_id": order_id, "remarks": "nur einmal so"}
    return service.http.put(f"/api/orders/{order_id}", params={"dry_run": "true"}, json=body)


def live_read(service: Service, order_id: int) -> httpx2.Response:
    return service.http.get(f"/api/orders/{order_id}", params={"max_age": "0"})


def test_callers_do_not_wait_for_a_sync_s_pages(tmp_path: Path) -> None:
    """
    PlanSo serves the requests of one session one after the other. During a full sync with four pages in flight, each
    request of a caller is answered while PlanSo serves two of the sync's pages at most.
    """
    sandbox = Sandbox(orders=12)
    with running_on_sqlite(tmp_path, sandbox) as service:
        assert live_read(service, sandbox.order_ids()[0]).status_code == 200
        sandbox.knobs.set_json({"session_lock": True, "latency": 0.3})
        sandbox.forget_requests()
        service.begin_sync(full="true")
        wait_until(lambda: sum(request.m == FORM for request in sandbox.requests) > 2, "the first forms")

        orders = sandbox.order_ids()[-3:]  # the sync comes to them last
        for ask, order_id in zip((put, dry_run, live_read), orders, strict=True):
            answer = ask(service, order_id)
            assert (answer.status_code, answer.json()["success"]) == (200, True), answer.text
        asked = list(sandbox.requests)
        sandbox.knobs.latency = 0.0

    mine = [request for request in asked if request.order_id in orders]
    pages = [request for request in asked if request.order_id not in orders]
    assert {request.order_id for request in mine} == set(orders)
    assert all(count_served_during(request, pages) <= 2 for request in mine), [
        count_served_during(request, pages) for request in mine
    ]
    assert sum(mine[0].started < page.ended < mine[-1].ended for page in pages) >= len(mine) - 1
    assert sandbox.in_flight_peak <= 4
    assert sandbox.logins == 2


def count_served_during(request: LoggedRequest, pages: list[LoggedRequest]) -> int:
    """How many of the pages PlanSo answered while it had the request."""
    return sum(request.started < page.ended <= request.ended for page in pages)


def auth_status(service: Service) -> dict[str, Any]:
    status: dict[str, Any] = service.http.get("/api/auth/status").json()
    return status


def readiness_check(service: Service, name: str) -> dict[str, Any]:
    checks: list[dict[str, Any]] = service.http.get("/health/ready").json()["checks"]
    return next(check for check in checks if check["name"] == name)


def test_one_session_is_used_where_a_login_ends_the_other(tmp_path: Path) -> None:
    """
    Writes of all kinds during syncs are confirmed, none is sent in a session that a login ended, there are four logins
    in all, and status and readiness say why there is one session.
    """
    sandbox = Sandbox(orders=24)
    sandbox.knobs.set_json({"one_session_per_account": True, "latency": 0.01, "session_lock": True})
    with running_on_sqlite(tmp_path, sandbox) as service, ThreadPoolExecutor(4) as pool:
        assert "the first write or live read opens a second one" in auth_status(service)["sessions_reason"]
        for _ in range(2):
            service.begin_sync(full="true")
            answers = list(pool.map(lambda order_id: put(service, order_id), sandbox.order_ids()[:8]))
            assert [answer.status_code for answer in answers] == [200] * 8
            created = service.http.post("/api/orders", json={"person": "Neu Hier"})
            assert created.status_code == 200, created.text
            assert service.http.delete(f"/api/orders/{created.json()['order_id']}").status_code == 200
            assert service.wait_for_sync()["last_result"]["state"] == "done"
        assert sandbox.logins <= 4
        assert all(request.version is not None for request in sandbox.requests if request.saving)
        status = auth_status(service)
        assert status["sessions"] == 1
        assert "a second login of this account ends the first" in status["sessions_reason"]
        assert status["sessions_reason"] in readiness_check(service, "planso_login")["words"]
        assert status["sessions_trouble"] == ""
        logins = sandbox.logins
        service.sync(full="true")
        assert put(service, sandbox.order_ids()[9]).status_code == 200
        assert sandbox.logins == logins


def test_an_ended_session_costs_one_login_when_it_is_needed(tmp_path: Path) -> None:
    """PlanSo ends all sessions again and again: one login for each session that is used, and they stay two."""
    sandbox = Sandbox(orders=12)
    with running_on_sqlite(tmp_path, sandbox) as service:
        order_id = sandbox.order_ids()[0]
        for logins, needed in enumerate([live_read, put, live_read, dry_run], start=1):
            assert needed(service, order_id).status_code == 200
            service.sync()
            assert put(service, order_id).status_code == 200
            assert sandbox.logins == 2 * logins
            assert auth_status(service)["sessions"] == 2
            assert "two sessions" in readiness_check(service, "planso_login")["words"]
            sandbox.expire_sessions()
        service.sync()
        service.sync()
        assert sandbox.logins == 9


def test_sessions_that_keep_ending_are_reported(tmp_path: Path) -> None:
    """Each session ends after one request: all is served, readiness is degraded and names the number of logins."""
    sandbox = Sandbox(orders=12)
    with running_on_sqlite(tmp_path, sandbox) as service:
        assert readiness_check(service, "planso_sessions")["ok"] is True
        sandbox.knobs.expire_sessions_after = 1
        order_id = sandbox.order_ids()[0]
        for _ in range(6):
            answer = live_read(service, order_id)
            assert (answer.status_code, answer.json()["message"]) == (200, "")
        ready = service.http.get("/health/ready")
        assert (ready.status_code, ready.json()["state"]) == (200, "degraded")
        check = readiness_check(service, "planso_sessions")
        assert (check["ok"], check["required"]) == (False, False)
        assert f"{sandbox.logins} logins" in check["words"]
        assert auth_status(service)["sessions_trouble"] == check["words"]
        metrics = service.http.get("/metrics").text
        assert f'planso_connector_planso_logins_total{{outcome="accepted"}} {sandbox.logins}.0' in metrics
        assert 'planso_connector_check_ok{check="planso_sessions"} 0.0' in metrics


@pytest.mark.parametrize(("one_session", "message", "logins"), [(False, "Two sessions", 2), (True, "One session", 4)])
def test_doctor_determines_the_session_limit(tmp_path: Path, one_session: bool, message: str, logins: int) -> None:
    """doctor reads in both sessions in turn until it is known, and writes nothing."""
    sandbox = Sandbox(orders=5)
    sandbox.knobs.one_session_per_account = one_session
    with sandbox.serve() as url:
        account = {"PLANSO_USER": sandbox.installation.username, "PLANSO_PASSWORD": sandbox.installation.password}
        done = command_here(tmp_path, "doctor", PLANSO_URL=url, **account)
    assert message in done.stdout
    assert sandbox.logins == logins
    assert not any(request.saving for request in sandbox.requests)
