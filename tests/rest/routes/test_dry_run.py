"""Dry runs: what a write would change, with nothing recorded or sent."""

from __future__ import annotations

import pytest

from tests.rest.routes.write_requests import PERSON, REMARKS, build_write, count_saves, list_operations, send
from tests.service import Service

ORDERS = 12
SETTINGS = {"planso_timeout": 1.0, "connector_sync_parts": False}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_dry_run_tells_what_would_change(service: Service, order: int, method: str) -> None:
    """Before and after of each field that differs, by our path and PlanSo's label, from the form as it is now."""
    service.sandbox.edit_field(order, PERSON, "Steht Da")
    service.sandbox.edit_field(order, REMARKS, "bleibt")
    before, requests = service.sandbox.snapshot(order), count_saves(service)
    _, address, body = build_write(
        method, order, person="Stünde Da", remarks="bleibt", phone="keins", shop_date="1.12.26"
    )
    answer = send(service, method, f"{address}?dry_run=true", body, Idempotency_Key="dry")
    assert answer.status_code == 200, answer.text
    preview = answer.json()
    assert (preview["success"], preview["order_id"], preview["dry_run"]) == (True, order, True)
    changes = {change["field"]: change for change in preview["changes"]}
    assert changes["person"] == {"field": "person", "label": PERSON, "before": "Steht Da", "after": "Stünde Da"}
    assert (changes["shop_date"]["label"], changes["shop_date"]["after"]) == ("Werkstattstart", "2026-12-01")
    assert "remarks" not in changes
    assert "phone does not look like a phone number" in preview["message"]
    nothing = send(service, method, f"{address}?dry_run=true", build_write(method, order, remarks="bleibt")[2]).json()
    assert nothing["changes"] == []
    assert "Nothing differs" in nothing["message"]
    assert (service.sandbox.snapshot(order), count_saves(service), list_operations(service, order_id=order)) == (
        before,
        requests,
        [],
    )


def test_a_dry_run_of_a_create_and_of_a_delete(service: Service, order: int) -> None:
    """A create shows what the new order would hold, its defaults too; a delete names the order; both do nothing."""
    orders, requests, recorded = (
        service.sandbox.order_ids(),
        count_saves(service),
        len(list_operations(service, limit=500)),
    )
    body = {"person": "Wäre Neu", "vehicle_details": {"number_plate": "??"}}
    answer = service.http.post("/api/orders", params={"dry_run": "true"}, json=body)
    assert answer.status_code == 200, answer.text
    changes = {change["field"]: change["after"] for change in answer.json()["changes"]}
    assert changes["person"] == "Wäre Neu"
    assert changes["vehicle_details.number_plate"] == "??"
    assert answer.json()["order_id"] is None
    assert "does not look like a number plate" in answer.json()["message"]
    gone = service.http.delete(f"/api/orders/{order}", params={"dry_run": "true"})
    assert (gone.status_code, gone.json()["changes"]) == (200, [])
    assert str(order) in gone.json()["message"]
    assert (service.sandbox.order_ids(), count_saves(service)) == (orders, requests)
    assert len(list_operations(service, limit=500)) == recorded


def test_a_dry_run_fails_as_the_write_would(service: Service, order: int) -> None:
    """404 and 422, as the write would be."""
    only_tell = {"dry_run": "true"}
    assert service.http.delete("/api/orders/999999", params=only_tell).status_code == 404
    for bad in ({"vehicle_details": {"makeID": 987_654}}, {"shop_date": "bald"}):
        body = {"order_id": order, **bad}
        assert service.http.put(f"/api/orders/{order}", params=only_tell, json=body).status_code == 422
