"""/metrics. Each test has a connector of its own: counters begin at its start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from planso_connector.sandbox import Sandbox
from tests.service import Service, running_on_sqlite

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Service]:
    with running_on_sqlite(tmp_path, Sandbox(orders=12)) as service:
        yield service


def samples(service: Service) -> Samples:
    """Every sample by name, without our prefix, and labels. Two of the same are an error of the format."""
    answer = service.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name.removeprefix("planso_connector_"), tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def test_requests_are_counted_by_route_and_status(fresh: Service) -> None:
    """By route template, method and status; whatever callers invent makes no series of its own."""
    order_id = fresh.sandbox.order_ids()[0]
    assert fresh.order(order_id)["id"] == order_id
    assert fresh.http.get(f"/api/orders/{order_id}").status_code == 200
    assert fresh.http.get("/api/orders/999999").status_code == 404
    for path in ("/nothing/4711", "/nothing/4712"):
        assert fresh.http.get(path).status_code == 404
    for method in ("PROPFIND", "MKCOL"):
        fresh.http.request(method, "/nothing")

    found = samples(fresh)
    route = ("route", "/api/orders/{order_id}")
    assert found["requests_total", (("method", "GET"), route, ("status", "200"))] == 2
    assert found["requests_total", (("method", "GET"), route, ("status", "404"))] == 1
    assert found["requests_total", (("method", "GET"), ("route", "-"), ("status", "404"))] == 2
    assert found["request_seconds_count", (("method", "GET"), route)] == 3
    assert found["requests_in_flight", ()] == 1
    assert found["requests_total", (("method", "other"), ("route", "-"), ("status", "404"))] == 2
    labels = {value for _, pairs in found for name, value in pairs if name in ("route", "method")}
    assert not [value for value in labels if any(given in value for given in ("4711", "MKCOL", str(order_id)))]


def test_mirror_sync_and_planso_are_measured(fresh: Service) -> None:
    """Orders, end and state of the sync, requests to PlanSo by kind of page, checks of readiness, the process."""
    found = samples(fresh)
    assert found["orders", (("state", "current"),)] == len(fresh.sandbox.order_ids())
    assert found["sync_state", (("state", "idle"),)] == 1
    assert found["sync_last_success_timestamp_seconds", ()] > 1e9
    assert found["planso_requests_total", (("outcome", "answered"), ("page", "list"))] == 1
    assert found["planso_requests_total", (("outcome", "answered"), ("page", "form"))] == 12
    assert found["planso_seconds_count", (("page", "login"),)] >= 2
    assert found["ready", ()] == 1
    assert {labels[0][1] for name, labels in found if name == "check_ok"} >= {"database", "mirror", "planso"}
    assert found["process_resident_memory_bytes", ()] > 0
    assert ("database_waiting", (("kind", "write"),)) in found


def test_a_pending_write_is_measured_with_its_age(fresh: Service) -> None:
    """While PlanSo fails: the pending write, its age and the errors; afterwards none is pending."""
    order_id = fresh.sandbox.order_ids()[0]
    fresh.sandbox.knobs.fail_next = 3
    body = {"order_id": order_id, "remarks": "gemessen"}
    waiting = fresh.http.put(f"/api/orders/{order_id}", json=body, headers={"Prefer": "respond-async"})
    found = samples(fresh)
    assert found["operations", (("state", "pending"),)] == 1
    assert found["operation_oldest_pending_seconds", ()] > 0

    assert fresh.wait_until_settled(waiting)["state"] == "confirmed"
    found = samples(fresh)
    assert found["operations", (("state", "pending"),)] == 0
    assert found["operation_oldest_pending_seconds", ()] == 0
    assert found["planso_requests_total", (("outcome", "overloaded"), ("page", "form"))] == 3
    assert found["planso_requests_total", (("outcome", "answered"), ("page", "save"))] == 1
    assert "gemessen" not in fresh.http.get("/metrics").text
