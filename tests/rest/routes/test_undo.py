"""Undo: a new write that gives fields back what they held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.rest.routes.write_requests import PERSON, REMARKS, count_saves, get_etag, hide_forms, put, send, undo
from tests.service import Service

ORDERS = 40
SETTINGS = {"planso_timeout": 1.0, "connector_sync_parts": False}


def test_an_update_is_undone(service: Service, order: int) -> None:
    """Undo gives the changed fields back what they held, empty ones too, and can itself be undone."""
    service.sandbox.edit_field(order, "ExpressLink", "")
    before = service.sandbox.snapshot(order)
    written = put(service, order, {"person": "Irrtum", "express_link": "https://e.example/1", "shop_date": "3.12.26"})
    after = service.sandbox.snapshot(order)
    undone = undo(service, written)
    assert (undone.status_code, undone.json()["order_id"]) == (200, order)
    assert service.sandbox.snapshot(order) == before
    assert service.operation(undone)["undoes"] == written.headers["Operation-Id"]
    assert undo(service, undone).status_code == 200
    assert service.sandbox.snapshot(order) == after


def test_every_field_is_relied_on_and_undone(service: Service, orders: Iterator[int]) -> None:
    """All fields that a request can name, with `If-Match`: no false conflict; undone, each is as it was."""
    put_order = service.http.get("/openapi.json").json()["paths"]["/api/orders/{order_id}"]["put"]
    example = put_order["requestBody"]["content"]["application/json"]["examples"]["every_field"]
    fields = {name: value for name, value in example["value"].items() if name != "order_id"}
    for order_id in (next(orders) for _ in range(4)):
        before = order_values(service, order_id)
        written = put(service, order_id, fields, If_Match=get_etag(service, order_id))
        assert written.status_code == 200, written.text
        assert len(service.operation(written)["before"]) > 20
        undone = undo(service, written)
        assert undone.status_code == 200
        assert "Left alone" not in undone.json()["message"]
        assert order_values(service, order_id) == before


_CHANGING_MEMBERS = ("version", "last_synced_at", "fields")


def order_values(service: Service, order_id: int) -> dict[str, Any]:
    """The order's values, however PlanSo writes them."""
    return {name: value for name, value in service.order(order_id).items() if name not in _CHANGING_MEMBERS}


def test_an_undo_leaves_alone_what_was_changed_since(service: Service, order: int) -> None:
    """A field that somebody changed meanwhile keeps its value, and the answer names it; all of them: 412, none sent."""
    old = service.sandbox.value(order, PERSON)
    written = put(service, order, {"person": "Irrtum", "remarks": "Irrtum"})
    service.sandbox.edit_field(order, REMARKS, "von Hand")
    partly = undo(service, written)
    assert partly.status_code == 200
    assert "remarks" in partly.json()["message"]
    assert [service.sandbox.value(order, label) for label in (PERSON, REMARKS)] == [old, "von Hand"]

    again = put(service, order, {"person": "Noch Ein Irrtum"})
    service.sandbox.edit_field(order, PERSON, "Auch Von Hand")
    before = count_saves(service, order)
    refused = undo(service, again)
    assert refused.status_code == 412
    (conflict,) = refused.json()["conflicts"]
    assert conflict == {"field": "person", "base": "Noch Ein Irrtum", "theirs": "Auch Von Hand", "yours": old}
    assert (service.sandbox.value(order, PERSON), count_saves(service, order)) == ("Auch Von Hand", before)


def test_only_a_confirmed_update_is_undone(service: Service, orders: Iterator[int]) -> None:
    """A create, a delete, a refused, a pending one, one that changed nothing: 409; an unknown one: 404."""
    locked, pending = next(orders), next(orders)
    created = send(service, "POST", "/api/orders", {"person": "Neu"})
    deleted = send(service, "DELETE", f"/api/orders/{created.json()['order_id']}")
    service.sandbox.knobs.locked_orders.add(locked)
    refused = put(service, locked, {"person": "Gesperrt"})
    service.sandbox.knobs.locked_orders.clear()
    nothing = put(service, locked, {})
    with hide_forms(service, pending):
        accepted = put(service, pending, {"person": "Offen"}, Prefer="respond-async")
        for answer in (created, deleted, refused, nothing, accepted):
            assert undo(service, answer).status_code == 409
    assert service.http.post("/api/operations/op_unknown/undo").status_code == 404
    assert service.wait_until_settled(accepted)["state"] == "confirmed"


def test_an_undo_is_a_write_like_others(service: Service, order: int) -> None:
    """It waits, is accepted, and takes a key: repeated, it is one undo."""
    old = service.sandbox.value(order, PERSON)
    written = put(service, order, {"person": "Irrtum"})
    with hide_forms(service, order):
        first = undo(service, written, Prefer="respond-async", Idempotency_Key="undo")
        assert (first.status_code, first.json()["state"]) == (202, "pending")
    again = undo(service, written, Idempotency_Key="undo")
    assert service.wait_until_settled(first)["state"] == "confirmed"
    assert again.headers["Operation-Id"] == first.headers["Operation-Id"]
    assert (service.sandbox.value(order, PERSON), count_saves(service, order)) == (old, 2)
