"""A save that PlanSo carries out after the connector gave up waiting for it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from planso_connector.sandbox import Sandbox
from tests.service import Service, running_on_sqlite, wait_until


def none_pending(service: Service) -> bool:
    page = service.http.get("/api/operations", params={"state": "pending"}).json()
    return bool(page["count"] == 0)


def test_an_edit_seen_while_the_save_was_on_its_way_is_reported(tmp_path: Path) -> None:
    """
    The save's answer does not come in time, the form read back holds somebody's edit and not the save; then the save
    lands over the edit. The connector saw it: it says so, with the value, and saves nothing more.
    """
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, planso_timeout=1.5) as service:
        order_id = sandbox.order_ids()[0]
        before = sandbox.value(order_id, "ExpressLink")
        sandbox.knobs.latency, sandbox.knobs.save_latency = 0.1, 2.75
        sandbox.forget_requests()
        body = {"order_id": order_id, "person": "Wilma Spät"}
        asked = service.http.put(f"/api/orders/{order_id}", json=body, headers={"Prefer": "respond-async"})
        wait_until(lambda: any(request.m != "app" for request in sandbox.requests), "the first reading")
        sandbox.knobs.edit_after_next_read = [(order_id, "ExpressLink", "von Hand")]
        wait_until(lambda: not sandbox.knobs.edit_after_next_read, "the second reading")
        wait_until(lambda: any(request.saving for request in sandbox.requests), "the save")
        sandbox.knobs.save_latency = 0.0
        operation = service.wait_until_settled(asked)
        assert (sandbox.value(order_id, "Fahrername"), operation["state"]) == ("Wilma Spät", "confirmed")
        assert sandbox.value(order_id, "ExpressLink") == before
        assert sum(request.saving for request in sandbox.requests) == 1
        assert "This write overwrote an edit in PlanSo: 'ExpressLink' (theirs 'von Hand'" in operation["message"]
        (newest, *_) = service.http.get(f"/api/orders/{order_id}/history").json()["history"]
        assert newest["operation_id"] == operation["id"]


def test_a_create_that_waited_for_its_turn_is_not_sent_twice(tmp_path: Path) -> None:
    """How long a create may still land counts from when it was sent, not from when it began to wait for its turn."""
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, planso_timeout=4.0, connector_planso_concurrency=1) as service:
        sandbox.knobs.latency, sandbox.knobs.save_latency = 0.2, 6.0
        sandbox.forget_requests()
        people = [f"Neu Kunde {at}" for at in range(2)]
        for person in people:
            answer = service.http.post("/api/orders", json={"person": person}, headers={"Prefer": "respond-async"})
            assert answer.status_code == 202
        wait_until(lambda: any(request.saving for request in sandbox.requests), "the first to land")
        sandbox.knobs.save_latency = 0.0  # the second is on its way by then
        wait_until(lambda: sum(request.saving for request in sandbox.requests) >= len(people), "all to land")
        wait_until(lambda: none_pending(service), "the end")
        made = Counter(sandbox.value(order_id, "Fahrername") for order_id in sandbox.order_ids())
        assert [made[person] for person in people] == [1] * len(people)
