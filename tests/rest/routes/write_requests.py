"""Send writes and read back what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.service import Service

PERSON, REMARKS = "Fahrername", "Bemerkungen"
_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


def send(service: Service, method: str, address: str, body: Any = None, **headers: str) -> httpx2.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if method == "PATCH":
        given |= _MERGE_PATCH
    return service.http.request(method, address, headers=given, **({} if body is None else {"json": body}))


def put(service: Service, order_id: int, fields: dict[str, Any], **headers: str) -> httpx2.Response:
    return send(service, "PUT", f"/api/orders/{order_id}", {"order_id": order_id, **fields}, **headers)


def build_write(method: str, order_id: int, **fields: Any) -> tuple[str, str, Any]:
    """Method, address and body of one write by this method."""
    if method == "POST":
        return method, "/api/orders", fields
    body = None if method == "DELETE" else fields if method == "PATCH" else {"order_id": order_id, **fields}
    return method, f"/api/orders/{order_id}", body


@contextmanager
def hide_forms(service: Service, *order_ids: int) -> Iterator[None]:
    """PlanSo shows these orders' forms empty, so that no write to them is carried out; others are."""
    service.sandbox.knobs.empty_form_orders.update(order_ids)
    try:
        yield
    finally:
        service.sandbox.knobs.empty_form_orders.difference_update(order_ids)


def count_saves(service: Service, order_id: int | None = None) -> int:
    """How often an order was saved; without an id, the number of all requests that change something."""
    asked = service.sandbox.requests
    return sum(one.saving for one in asked if order_id is None or one.order_id == order_id)


def list_operations(service: Service, **asked: Any) -> list[dict[str, Any]]:
    answer = service.http.get("/api/operations", params={name: str(value) for name, value in asked.items()})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["operations"]
    assert answer.json()["count"] == len(found)
    return found


def get_etag(service: Service, order_id: int) -> str:
    return str(service.http.get(f"/api/orders/{order_id}").headers["ETag"])


def undo(service: Service, answer: httpx2.Response, **headers: str) -> httpx2.Response:
    return send(service, "POST", f"/api/operations/{answer.headers['Operation-Id']}/undo", **headers)
