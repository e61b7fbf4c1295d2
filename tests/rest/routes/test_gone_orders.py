"""Orders deleted in PlanSo: whatever notices it first, no response has old data afterwards."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from planso_connector.sandbox import Sandbox
from tests.service import Service, running, running_on_sqlite, settings_for

MIRROR_PATHS = ("", "/parts", "/progress", "/sections", "/sections/stamped_timings")
REQUESTS_THAT_NOTICE: dict[str, Callable[[Service, int], httpx2.Response]] = {
    "a write": lambda service, order_id: service.put(order_id, remarks="zu spät"),
    "a deletion": lambda service, order_id: service.http.delete(f"/api/orders/{order_id}"),
    "a dry run": lambda service, order_id: service.http.delete(f"/api/orders/{order_id}?dry_run=true"),
    "a live reading": lambda service, order_id: service.http.get(f"/api/orders/{order_id}?max_age=0"),
}


def test_any_request_that_finds_an_order_deleted_marks_it_deleted(database_url: str) -> None:
    """404 at once, and from then on wherever its data were; by the history PlanSo did it."""
    sandbox = Sandbox(orders=8)
    orders = dict(zip(REQUESTS_THAT_NOTICE, sandbox.order_ids(), strict=False))
    with sandbox.serve() as url, ThreadPoolExecutor(len(REQUESTS_THAT_NOTICE)) as pool:
        settings = settings_for(sandbox, url, database_url, connector_sync_extended=True)
        with running(settings, sandbox) as service:
            service.fill_mirror()
            for order_id in orders.values():
                assert service.http.get(f"/api/orders/{order_id}/sections/stamped_timings").status_code == 200
                sandbox.delete(order_id)
            noticed = {
                how: pool.submit(REQUESTS_THAT_NOTICE[how], service, order_id) for how, order_id in orders.items()
            }
            for how, order_id in orders.items():
                assert noticed[how].result().status_code == 404, (how, noticed[how].result().text)
                is_deleted = {"success": False, "message": f"Order {order_id} was deleted in PlanSo."}
                for path in MIRROR_PATHS:
                    answer = service.http.get(f"/api/orders/{order_id}{path}")
                    assert (answer.status_code, answer.json()) == (404, is_deleted), (how, path)
                assert service.http.get(f"/api/orders/{order_id}/history").json()["history"][0]["by"] == "PlanSo", how
            listed = service.http.get("/api/orders?limit=500").json()["orders"]
            assert {order["id"] for order in listed}.isdisjoint(orders.values())


def test_an_empty_form_is_no_deletion(tmp_path: Path) -> None:
    """Of a listed order, or of all orders: the order stays as it was, and the response says so."""
    with running_on_sqlite(tmp_path, Sandbox(orders=8)) as service:
        order_id, archived = service.sandbox.order_ids()[:2]
        service.sandbox.archive(archived)
        service.sync()
        everybody = set(service.sandbox.order_ids()) | {archived}
        for empty, asked in (({order_id}, order_id), (everybody, order_id), (everybody, archived)):
            service.sandbox.knobs.empty_form_orders = empty
            answer = service.http.get(f"/api/orders/{asked}?max_age=0")
            assert answer.status_code == 200, answer.text
            assert "could not be asked now" in answer.json()["message"]
            assert answer.json()["order"]["person"]
            refused = service.http.delete(f"/api/orders/{asked}?dry_run=true")
            assert refused.status_code == 502, refused.text
        service.sandbox.knobs.empty_form_orders = set()
        assert service.http.get(f"/api/orders/{archived}?max_age=0").json()["message"] == ""
