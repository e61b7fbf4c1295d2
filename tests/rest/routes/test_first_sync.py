"""Before and during the first sync: nobody is told that there is no such order, and it does not wait for the hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from planso_connector.domain import clock
from planso_connector.sandbox import Sandbox
from tests.rest.routes.write_requests import put
from tests.service import running, settings_for, wait_until

READS = (
    "",
    "?plate=WN-AE",
    "?total=true&limit=1",
    "?archived=true",
    "?text=x&sort=id",
    "/{order}",
    "/{order}?max_age=0",
    "/{order}/parts",
    "/{order}/progress",
    "/{order}/history",
    "/{order}/sections",
    "/{order}/sections/stamped_timings",
)
CLOSED = {"connector_sync_interval": timedelta(hours=1), "connector_sync_hours": "Mo 08:00-09:00"}
SUNDAY = datetime(2026, 12, 6, 23, 0, tzinfo=UTC)


def test_an_unfilled_mirror_does_not_deny_an_order(tmp_path: Path) -> None:
    """Before the first successful sync every read of orders is 503 with `Retry-After`: no 404, no `count: 0`."""
    sandbox = Sandbox(orders=5)
    sandbox.knobs.fail_app_next = 1_000_000
    order_id = sandbox.order_ids()[0]
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, f"sqlite:///{tmp_path}/connector.db")
        with running(settings, sandbox) as service:
            for path in (*(f"/api/orders{read}".format(order=order_id) for read in READS), "/api/lookup?q=Petersen"):
                answer = service.http.get(path)
                assert (answer.status_code, "Retry-After" in answer.headers) == (503, True), path
                assert "not filled yet" in answer.json()["message"], path
            precondition = put(service, order_id, {"person": "Wer"}, If_Match='"1"')
            assert (precondition.status_code, "Retry-After" in precondition.headers) == (503, True)
            sandbox.knobs.fail_app_next = 0
            wait_until(lambda: service.http.get("/api/orders").json()["message"] == "", "the first sync")
            nobody = service.http.get("/api/orders", params={"plate": "XX-XX 1"})
            assert (nobody.status_code, nobody.json()["count"]) == (200, 0)


def test_a_list_during_the_first_sync_says_that_it_is_partial(tmp_path: Path) -> None:
    """What was read so far is listed, stale, with a message; what was not read yet is 503."""
    sandbox = Sandbox(orders=40)
    sandbox.knobs.latency = 0.5
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, f"sqlite:///{tmp_path}/connector.db", connector_sync_parts=False)
        with running(settings, sandbox) as service:
            wait_until(lambda: service.http.get("/api/orders").status_code == 200, "the first orders")
            partial = service.http.get("/api/orders").json()
            nobody = service.http.get("/api/orders", params={"plate": "XX-XX 1"})
            still_running = service.http.get("/api/sync/status").json()["state"] == "running"
            sandbox.knobs.latency = 0.0
            service.wait_for_sync()
    assert still_running
    assert partial["count"] > 0
    assert (partial["stale"], "other orders may fit" in partial["message"]) == (True, True)
    assert nobody.status_code == 503


@pytest.mark.parametrize("interval", [timedelta(hours=1), timedelta(0)])
def test_the_first_sync_does_not_wait_for_the_work_hours(tmp_path: Path, interval: timedelta) -> None:
    """On a Sunday night, hours before the work hours or without a schedule: the mirror is filled at once."""
    sandbox = Sandbox(orders=5)
    settled = clock.now()
    with sandbox.serve() as url:
        changes = CLOSED | {"connector_sync_interval": interval}
        settings = settings_for(sandbox, url, f"sqlite:///{tmp_path}/connector.db", **changes)
        with running(settings, sandbox, lambda: SUNDAY + (clock.now() - settled)) as service:
            status = service.wait_for_sync()
            assert (status["last_result"]["state"], status["last_result"]["trigger"]) == ("done", "start")
            assert service.http.get("/api/orders").json()["count"] == 5
