"""`since` in GET /health/ready is when a state began, whether or not anybody asked then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from planso_connector.domain import clock
from planso_connector.sandbox import Sandbox
from planso_connector.store import write_stops
from planso_connector.store.tables import operations
from tests.service import Service, running_on_sqlite


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_on_sqlite(tmp_path, Sandbox(orders=3)) as service:
        yield service


def since(service: Service) -> dict[str, tuple[bool, str]]:
    """Whether each check is ok, and since when."""
    checks = service.http.get("/health/ready").json()["checks"]
    return {check["name"]: (check["ok"], check["since"]) for check in checks}


def now() -> str:
    return clock.format_instant(clock.now())


def test_what_is_ok_began_before_it_was_asked_for(service: Service) -> None:
    """The first request shows earlier times than its own. Not so the index, whose rebuild at start may end with it."""
    before = now()
    assert [(name, at) for name, (_, at) in since(service).items() if at > before and name != "index"] == []


def test_a_failing_planso_is_dated_to_its_first_failure_and_to_its_first_answer(service: Service) -> None:
    """Two failures, an answer and only then the first request for readiness: each state is dated to its beginning."""
    order_id = service.sandbox.order_ids()[0]

    def read() -> None:
        assert service.http.get(f"/api/orders/{order_id}?max_age=0").status_code == 200

    service.sandbox.knobs.fail_next = 10_000
    before = now()
    read()
    between = now()
    read()
    is_ok, at = since(service)["planso"]
    assert not is_ok
    assert before <= at <= between
    service.sandbox.knobs.fail_next = 0
    read()
    after = now()
    read()
    is_ok, at = since(service)["planso"]
    assert is_ok
    assert between <= at <= after


def test_a_rejected_login_is_dated_to_the_rejection(service: Service) -> None:
    """Not to the first request for readiness."""
    service.sandbox.knobs.locked_accounts = {service.sandbox.installation.username}
    assert service.http.post("/api/auth/login").status_code == 401
    rejected = now()
    is_ok, at = since(service)["planso_login"]
    assert not is_ok
    assert at <= rejected


def test_waiting_and_stopped_writes_are_dated_by_the_database(service: Service) -> None:
    """A write that has waited for too long: five minutes after it was accepted. A stop: when it was set."""
    order_id = service.sandbox.order_ids()[0]
    service.sandbox.knobs.fail_next = 10_000
    body = {"order_id": order_id, "remarks": "wartet"}
    service.http.put(f"/api/orders/{order_id}", json=body, headers={"Prefer": "respond-async"})
    accepted = clock.now() - timedelta(minutes=8)
    statement = update(operations).values(created_at=clock.format_instant(accepted))
    service.write_database(lambda tx: (tx.execute(statement), None)[1])
    assert since(service)["writes"] == (False, clock.format_instant(accepted + timedelta(minutes=5)))

    stopped = clock.format_instant(clock.now() - timedelta(hours=2))
    service.write_database(
        lambda tx: write_stops.stop(tx, order_id=order_id, operation="", reason="test", columns=[], now=stopped)
    )
    assert since(service)["writes"] == (False, stopped)


def test_readiness_is_watched(service: Service) -> None:
    """A background loop checks, so that what no request would notice is dated too."""
    assert 'worker_heartbeat_age_seconds{worker="readiness"}' in service.http.get("/metrics").text
