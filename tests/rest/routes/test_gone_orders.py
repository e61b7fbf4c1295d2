"""Orders that somebody deleted in PlanSo: whoever notices first, nobody is shown old data afterwards."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from planso_connector.sandbox import Sandbox
from tests.service import Service, connected, running, settings_for

FROM_THE_MIRROR = ("", "/parts", "/progress", "/sections", "/sections/stamped_timings")
NOTICING: dict[str, Callable[[Service, int], httpx2.Response]] = {
    "a write": lambda service, order_id: service.put(order_id, remarks="zu spät"),
    "a deletion": lambda service, order_id: service.http.delete(f"/api/orders/{order_id}"),
    "a dry run": lambda service, order_id: service.http.delete(f"/api/orders/{order_id}?dry_run=true"),
    "a live reading": lambda service, order_id: service.http.get(f"/api/orders/{order_id}?max_age=0"),
}


def test_whoever_notices_that_an_order_is_gone_tells_the_mirror(database_url: str) -> None:
    """404 at once, and from then on wherever its data were shown; the history says that PlanSo did it."""
    sandbox = Sandbox(orders=8)
    orders = dict(zip(NOTICING, sandbox.order_ids(), strict=False))
    with sandbox.serve() as url, ThreadPoolExecutor(len(NOTICING)) as pool:
        settings = settings_for(sandbox, url, database_url, connector_sync_extended=True)
        with running(settings, sandbox) as service:
            service.filled()
            for order_id in orders.values():
                assert service.http.get(f"/api/orders/{order_id}/sections/stamped_timings").status_code == 200
                sandbox.delete(order_id)
            noticed = {how: pool.submit(NOTICING[how], service, order_id) for how, order_id in orders.items()}
            for how, order_id in orders.items():
                assert noticed[how].result().status_code == 404, (how, noticed[how].result().text)
                is_deleted = {"success": False, "message": f"Order {order_id} was deleted in PlanSo."}
                for what in FROM_THE_MIRROR:
                    told = service.http.get(f"/api/orders/{order_id}{what}")
                    assert (told.status_code, told.json()) == (404, is_deleted), (how, what)
                assert service.http.get(f"/api/orders/{order_id}/history").json()["history"][0]["by"] == "PlanSo", how
            listed = service.http.get("/api/orders?limit=500").json()["orders"]
            assert {order["id"] for order in listed}.isdisjoint(orders.values())


def test_a_hiccup_of_planso_is_no_deletion(tmp_path: Path) -> None:
    """Empty forms of an order that is listed, or of all orders: it stays as it was, and the answer says so."""
    with connected(tmp_path, Sandbox(orders=8)) as service:
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
