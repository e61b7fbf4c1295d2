"""Pending writes: shown, kept in order, given up at the deadline, and refused beyond a limit."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from planso_connector.sandbox import Sandbox
from planso_connector.store.tables import operations
from tests.rest.routes.write_requests import PERSON, count_saves, hide_forms, list_operations, put, send
from tests.service import Service, running_on_sqlite, wait_until

ORDERS = 12
SETTINGS = {"planso_timeout": 1.0, "connector_sync_parts": False}


def test_pending_values_are_shown_beside_those_of_planso(service: Service, order: int) -> None:
    """The order and the lists show PlanSo's values, and under `pending` the values to come, oldest first."""
    held = service.order(order)
    with hide_forms(service, order):
        first = put(service, order, {"person": "Kommt Noch"}, Prefer="respond-async")
        second = send(service, "DELETE", f"/api/orders/{order}", Prefer="respond-async")
        page = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
        for shown in (service.order(order), next(one for one in page if one["id"] == order)):
            assert shown["person"] == held["person"]
            assert shown["version"] == held["version"]
            assert [(one["operation_id"], one["action"], one["asked"]) for one in shown["pending"]] == [
                (first.headers["Operation-Id"], "update", {"person": "Kommt Noch"}),
                (second.headers["Operation-Id"], "delete", {}),
            ]
        assert service.http.get("/api/orders", params={"person": "Kommt Noch"}).json()["orders"] == []
        assert service.http.post(f"{second.headers['Location']}/cancel").status_code == 200
    assert service.wait_until_settled(first)["state"] == "confirmed"
    assert (service.order(order)["person"], service.order(order)["pending"]) == ("Kommt Noch", [])


def test_writes_to_one_order_are_carried_out_in_sequence(service: Service, orders: Iterator[int]) -> None:
    """Recorded while PlanSo could not be written to: each in turn, the last one stays; other orders don't wait."""
    stuck, well = next(orders), next(orders)
    with hide_forms(service, stuck):
        accepted = [put(service, stuck, {"person": f"Name {n}"}, Prefer="respond-async") for n in range(4)]
        for number in range(3):
            assert put(service, well, {"person": f"Name {number}"}).status_code == 200
        assert {service.operation(answer)["state"] for answer in accepted} == {"pending"}
        assert [service.operation(answer)["attempts"] for answer in accepted[1:]] == [0, 0, 0]
    ended = [service.wait_until_settled(answer) for answer in accepted]
    assert [operation["state"] for operation in ended] == ["confirmed"] * 4
    assert [operation["before"]["person"] for operation in ended[1:]] == ["Name 0", "Name 1", "Name 2"]
    assert service.sandbox.value(stuck, PERSON) == "Name 3"


def test_a_possible_duplicate_is_reported(service: Service) -> None:
    """A create for a plate that has an order at that time names it; strictly it is 409; at another time it is none."""
    body = {"person": "Erste", "vehicle_details": {"number_plate": "WN-DU 12"}, "shop_date": "1.3.27"}
    first = send(service, "POST", "/api/orders", body)
    assert (first.status_code, first.json()["message"]) == (200, "")
    again = send(service, "POST", "/api/orders", body | {"vehicle_details": {"number_plate": "wn du12"}})
    assert again.status_code == 200
    assert str(first.json()["order_id"]) in again.json()["message"]
    before = service.sandbox.order_ids()
    strict = send(service, "POST", "/api/orders", body, Prefer="handling=strict")
    assert (strict.status_code, service.sandbox.order_ids()) == (409, before)
    assert str(first.json()["order_id"]) in strict.json()["message"]
    later = send(service, "POST", "/api/orders", body | {"shop_date": "1.6.27"}, Prefer="handling=strict")
    assert (later.status_code, later.json()["message"]) == (200, "")


def test_after_its_deadline_a_write_is_given_up(tmp_path: Path) -> None:
    """PlanSo away for longer than the deadline: expired, nothing was sent, as the message says, nor ever is."""
    deadline = timedelta(minutes=10)
    with (
        running_on_sqlite(tmp_path, Sandbox(orders=12), connector_write_deadline=deadline) as service,
        ThreadPoolExecutor() as elsewhere,
    ):
        order_id, another, well = service.sandbox.order_ids()[:3]
        with hide_forms(service, order_id, another):
            accepted = [put(service, order_id, {"person": f"Zu Spät {n}"}, Prefer="respond-async") for n in range(2)]
            waiting = elsewhere.submit(put, service, another, {"person": "Zu Spät"}, Prefer="wait=60")
            wait_until(lambda: len(list_operations(service, state="pending")) == 3)
            for one in list_operations(service, state="pending"):
                begun, ends = (datetime.fromisoformat(one[at]) for at in ("created_at", "deadline_at"))
                assert ends - begun == deadline
            ten_minutes_pass = sa.update(operations).values(deadline_at=operations.c.created_at)
            service.write_database(lambda tx: (tx.execute(ten_minutes_pass), None)[1])
            late = waiting.result()
            assert (late.status_code, late.json()["success"]) == (504, False)
            ended = [service.wait_until_settled(answer) for answer in (*accepted, late)]
        assert [operation["state"] for operation in ended] == ["expired"] * 3
        assert all("nothing was sent" in operation["message"] for operation in ended)
        assert "nothing was sent" in late.json()["message"]
        assert service.order(order_id)["pending"] == []
        assert put(service, well, {"person": "Rechtzeitig"}).status_code == 200
        assert put(service, order_id, {"remarks": "danach"}).status_code == 200
        assert (count_saves(service, order_id), count_saves(service, another)) == (1, 0)


def test_writes_beyond_the_limit_of_pending_ones_are_refused(tmp_path: Path) -> None:
    """Beyond them a write is 503 and leaves nothing; what was taken on is answered still; with room, it is taken on."""
    with running_on_sqlite(tmp_path, Sandbox(orders=4), connector_pending=2, connector_sync_parts=False) as service:
        first, second, third, _ = service.sandbox.order_ids()
        service.sandbox.knobs.fail_next = 1_000_000
        headers = {"Prefer": "respond-async"}
        taken = put(service, first, {"person": "Erster"}, Idempotency_Key="erster", **headers)
        other = put(service, second, {"person": "Zweiter"}, **headers)
        refused = put(service, third, {"person": "Dritter"}, Idempotency_Key="dritter", **headers)
        assert (taken.status_code, other.status_code, refused.status_code) == (202, 202, 503)
        assert int(refused.headers["Retry-After"]) > 0
        assert "nothing was recorded" in refused.json()["message"]
        assert len(service.http.get("/api/operations").json()["operations"]) == 2
        again = put(service, first, {"person": "Erster"}, Idempotency_Key="erster", **headers)
        assert again.headers["Operation-Id"] == taken.headers["Operation-Id"]
        service.sandbox.knobs.fail_next = 0
        assert {service.wait_until_settled(taken)["state"], service.wait_until_settled(other)["state"]} == {"confirmed"}
        assert put(service, third, {"person": "Dritter"}, Idempotency_Key="dritter").status_code == 200
