"""GET /api/orders/{order_id}/timeline, as JSON and as a page to be printed."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from planso_connector.domain.clock import format_instant, now
from planso_connector.store import orders
from planso_connector.store.engine.transaction import Transaction
from tests.service import Service, wait_until
from tests.store.samples import order, part

ORDERS = 2
HOSTILE = 100_001
SCRIPT = "<script>alert(1)</script>\"'&amp; \x00\ud800"


@pytest.fixture(scope="module", autouse=True)
def _stored(service: Service) -> None:
    """An order whose every text is markup."""

    def store(tx: Transaction) -> None:
        texts = {
            "person": SCRIPT,
            "vehicle.vehicle": SCRIPT,
            "vehicle_details.vin": SCRIPT,
            "vehicle_details.number_plate": SCRIPT,
        }
        parts = (part(HOSTILE, description=SCRIPT, order_date="2026-11-20"),)
        for status in ("offen", SCRIPT):
            instant = format_instant(now())
            values = {**texts, "project_status": status}
            held = order(HOSTILE, parts, values, plate=SCRIPT, short_name=SCRIPT)
            orders.save(tx, held, read_at=instant, now=instant)

    service.write_database(store)


def read(service: Service, order_id: int, **headers: str) -> dict[str, Any]:
    answer = service.http.get(f"/api/orders/{order_id}/timeline", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["timeline"]
    return found


def test_what_happened_to_an_order(service: Service) -> None:
    """A write, a change in PlanSo, the order's dates; in German or English; also once the order is deleted."""
    order_id = service.sandbox.order_ids()[0]
    assert service.put(order_id, finish_date="2027-01-14").status_code == 422  # read only: PlanSo's own
    assert service.put(order_id, shop_date="2027-01-12", paint_date="2027-01-13").status_code == 200
    before = service.order(order_id)["project_status"]
    new = next(status for status in ("abholbereit", "ausgeliefert") if status != before)
    service.sandbox.edit_field(order_id, "Projekt-Status", new)
    service.sync(full="true")
    found = read(service, order_id)
    entries = {entry["what"]: entry for entry in found["entries"]}
    assert (entries["shop_date"]["date"], entries["shop_date"]["evidence"]) == ("2027-01-12", "planned")
    moved = entries["changed.shop_date"]
    assert (moved["evidence"], moved["by"], "12.01.2027" in moved["text"]) == ("written", "", True)
    status = entries["changed.project_status"]
    assert (status["evidence"], status["source"]) == ("observed", "Projekt-Status")
    assert new in status["text"]
    assert found["observed_since"] <= status_instant(service, order_id)
    assert {"not_observed", "no_date"} <= {gap["kind"] for gap in found["gaps"]}
    assert f"“{new}”" in str(read(service, order_id, **{"Accept-Language": "en"})["entries"])

    assert service.http.delete(f"/api/orders/{order_id}").status_code == 200
    assert "changed.deleted" in {entry["what"] for entry in read(service, order_id)["entries"]}


def status_instant(service: Service, order_id: int) -> str:
    newest: str = service.http.get(f"/api/orders/{order_id}/history").json()["history"][0]["at"]
    return newest


def test_the_page_is_printed_as_it_is(service: Service) -> None:
    """German, escaped, without scripts or anything loaded; its policy admits its own style alone."""
    answer = service.http.get(f"/api/orders/{HOSTILE}/timeline.html")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (answer.headers["content-language"], answer.headers["cache-control"]) == ("de", "no-store")
    page = LexborHTMLParser(answer.text)
    assert page.css("script, img, link, iframe, object, form, a, [onclick], [style], [src], [href]") == []
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    assert page.body is not None
    body = page.body.text()
    assert body.count("<script>alert(1)</script>\"'&amp;") == 6  # four facts, a part, a status
    assert answer.text.startswith('<!DOCTYPE html>\n<html lang="de">')
    assert "Nicht bekannt" in body


def test_accept_chooses_the_page(service: Service) -> None:
    """A browser gets the page, a program JSON; what is neither is refused; HEAD has no body; 404 is JSON."""
    path = f"/api/orders/{HOSTILE}/timeline"
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for accept, kind in ((browser, "text/html"), ("*/*", "application/json"), ("application/json", "application/json")):
        assert service.http.get(path, headers={"Accept": accept}).headers["content-type"].startswith(kind), accept
    refused = service.http.get(path, headers={"Accept": "text/csv"})
    assert (refused.status_code, "text/html" in refused.json()["message"]) == (406, True)
    head = service.http.head(f"{path}.html")
    assert (head.status_code, head.content) == (200, b"")
    missing = service.http.get("/api/orders/999999/timeline.html")
    assert (missing.status_code, missing.json()["success"]) == (404, False)


def test_a_shown_timeline_is_in_the_access_log(service: Service) -> None:
    """By the order of the path."""
    assert service.http.get(f"/api/orders/{HOSTILE}/timeline.html").status_code == 200
    route = "GET /api/orders/{order_id}/timeline.html"
    wait_until(
        lambda: (route, (HOSTILE,)) in {(entry.route, entry.order_ids) for entry in service.read_access_log()},
        "the entry",
    )
