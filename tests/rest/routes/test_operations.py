"""Operations: how long a caller waits, lists, and cancelling."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.rest import raw
from tests.rest.routes.write_requests import PERSON, REMARKS, count_saves, hide_forms, list_operations, put, send
from tests.service import Service, wait_until

ORDERS = 40
SETTINGS = {"planso_timeout": 1.0, "connector_sync_parts": False}


def test_a_write_that_is_not_confirmed_in_time_is_accepted(service: Service, order: int) -> None:
    """202 names the operation, which tells how it stands, and later what came of it."""
    old = service.sandbox.value(order, PERSON)
    with hide_forms(service, order):
        asked = {"person": "Erst Später", "farbe": "rot"}
        first = put(service, order, asked, Prefer="respond-async", Idempotency_Key="told")
        wait_until(lambda: "empty form" in service.operation(first)["message"])
        accepted = put(service, order, asked, Prefer="wait=0", Idempotency_Key="told")
        assert (accepted.status_code, accepted.headers["Preference-Applied"]) == (202, "wait=0")
        body = accepted.json()
        assert (body["success"], body["order_id"], body["state"]) == (True, order, "pending")
        assert "farbe" in body["message"]
        assert "empty form" in body["message"]
        assert accepted.headers["Location"] == f"/api/operations/{body['operation_id']}"
        operation = service.http.get(accepted.headers["Location"]).json()["operation"]
        assert (operation["state"], operation["asked"], operation["sent"]) == (
            "pending",
            {"person": "Erst Später"},
            False,
        )
        assert operation["attempts"] >= 1
        assert operation["created_at"] < operation["next_attempt_at"] < operation["deadline_at"]
        assert operation["settled_at"] is None
        assert "empty form" in operation["message"]
    operation = service.wait_until_settled(accepted)
    assert (operation["state"], operation["before"]) == ("confirmed", {"person": old})
    assert (operation["sent"], operation["next_attempt_at"]) == (True, None)
    assert operation["settled_at"] > operation["created_at"]
    assert service.sandbox.value(order, PERSON) == "Erst Später"


@pytest.mark.parametrize(
    ("preference", "applied", "status"),
    [
        ("respond-async", "respond-async", 202),
        ("wait=0", "wait=0", 202),
        ("wait=30", "wait=30", 200),
        ("respond-async, wait=30", "wait=30, respond-async", 200),
        ("wait=9999", "wait=60", 200),
        ('wait="30"; x=y', "wait=30", 200),
        ("wait=soon, return=minimal", None, 200),
    ],
)
def test_the_caller_says_how_long_it_waits(
    service: Service, order: int, preference: str, applied: str | None, status: int
) -> None:
    """`Prefer` is obliged as far as it is understood, and `Preference-Applied` says how far."""
    service.sandbox.knobs.latency = 0.1
    try:
        answer = put(service, order, {"person": "Wartet"}, Prefer=preference)
    finally:
        service.sandbox.knobs.latency = 0.0
    assert (answer.status_code, answer.headers.get("Preference-Applied")) == (status, applied)
    assert service.wait_until_settled(answer)["state"] == "confirmed"


def test_preferences_may_come_in_two_headers(service: Service, order: int) -> None:
    """HTTP lets a list stand in one header or in several."""
    headers = [("Prefer", "handling=strict"), ("Prefer", "wait=30")]
    answer = service.http.put(f"/api/orders/{order}", json={"order_id": order}, headers=headers)
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "handling=strict, wait=30")


def test_an_operation_is_waited_for(service: Service, order: int) -> None:
    """`GET /api/operations/{id}?wait=` answers when the operation is settled, and else when the time is up."""
    with hide_forms(service, order):
        accepted = put(service, order, {"person": "Lange"}, Prefer="respond-async")
        address = accepted.headers["Location"]
        assert service.http.get(address, params={"wait": "0.2"}).json()["operation"]["state"] == "pending"
        with ThreadPoolExecutor() as elsewhere:
            waiting = elsewhere.submit(service.http.get, address, params={"wait": "60"})
            cancelled = service.http.post(f"{address}/cancel")
            assert waiting.result().json()["operation"] == cancelled.json()["operation"]
    for bad in ("-1", "61", "bald", "nan", "inf"):
        assert service.http.get(address, params={"wait": bad}).status_code == 422
    assert service.http.get("/api/operations/op_unknown").status_code == 404


def test_operations_are_listed_by_order_and_state(service: Service, orders: Iterator[int]) -> None:
    """Newest first; filters are combined; pages of any size lose and double none, also while new ones come."""
    mine, other = next(orders), next(orders)
    with hide_forms(service, mine):
        ids = [put(service, mine, {"person": f"P{n}"}, Prefer="wait=0").json()["operation_id"] for n in range(5)]
        assert put(service, other, {"person": "Fertig"}).status_code == 200
        assert [one["id"] for one in list_operations(service, order_id=mine)] == ids[::-1]
        assert [one["id"] for one in list_operations(service, order_id=mine, state="pending")] == ids[::-1]
        assert list_operations(service, order_id=mine, state="confirmed") == []
        assert [one["state"] for one in list_operations(service, order_id=other)] == ["confirmed"]
        assert list_operations(service, order_id=999_999) == []
        found: list[str] = []
        params = {"order_id": str(mine), "limit": "2"}
        for _ in range(3):
            page = service.http.get("/api/operations", params=params).json()
            found += [one["id"] for one in page["operations"]]
            put(service, mine, {"person": "Neu"}, Prefer="wait=0")
            params["cursor"] = page["next_cursor"]
        assert (found, page["next_cursor"]) == (ids[::-1], None)
        for one in list_operations(service, order_id=mine, limit=500):
            assert service.http.post(f"/api/operations/{one['id']}/cancel").status_code == 200


@pytest.mark.parametrize(
    "params",
    [{"cursor": "kaputt"}, {"cursor": "MjAyNg"}, {"cursor": "ü"}, {"state": "done"}, {"limit": "0"}, {"limit": "501"},
     {"order_id": "0"}, {"order_id": "eins"}],
)  # fmt: skip
def test_a_list_that_makes_no_sense_is_422(service: Service, params: dict[str, str]) -> None:
    """A filter that can't be understood is named, never guessed at."""
    answer = service.http.get("/api/operations", params=params)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", *params]


def test_a_create_that_is_not_confirmed_has_no_number_yet(service: Service) -> None:
    """202 of a create names the operation; the operation has the order's number as soon as PlanSo gave it one."""
    service.sandbox.knobs.latency = 0.1
    try:
        accepted = send(service, "POST", "/api/orders", {"person": "Bald Da"}, Prefer="respond-async")
    finally:
        service.sandbox.knobs.latency = 0.0
    assert (accepted.status_code, accepted.json()["order_id"]) == (202, None)
    order_id = service.wait_until_settled(accepted)["order_id"]
    assert service.sandbox.value(order_id, PERSON) == service.order(order_id)["person"] == "Bald Da"


def test_the_write_of_a_disconnected_caller_is_carried_out(service: Service, order: int) -> None:
    """A caller whose connection breaks while it waits: the write is carried through, and its key tells of it."""
    body = {"order_id": order, "person": "Schon Weg"}
    with hide_forms(service, order):
        content = json.dumps(body)
        head = f"PUT /api/orders/{order} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: leaves\r\n"
        request = f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"
        with closing(raw.connect(service.address)) as leaving:
            leaving.sendall(request.encode())
            wait_until(lambda: list_operations(service, order_id=order))
        assert [one["state"] for one in list_operations(service, order_id=order)] == ["pending"]
    again = put(service, order, {"person": "Schon Weg"}, Idempotency_Key="leaves")
    assert (again.status_code, count_saves(service, order)) == (200, 1)
    assert service.sandbox.value(order, PERSON) == "Schon Weg"


def test_a_write_is_cancelled_while_nothing_was_sent(service: Service, order: int) -> None:
    """Cancelled it is refused, nothing of it is ever sent, and it stands in nobody's way; once settled it is 409."""
    with hide_forms(service, order):
        accepted = put(service, order, {"person": "Doch Nicht"}, Prefer="respond-async")
        behind = put(service, order, {"remarks": "danach"}, Prefer="respond-async")
        cancelled = service.http.post(f"{accepted.headers['Location']}/cancel")
        assert cancelled.status_code == 200
        assert (cancelled.json()["operation"]["state"], cancelled.json()["operation"]["sent"]) == ("refused", False)
        assert "ancelled" in cancelled.json()["operation"]["message"]
        assert service.http.post(f"{accepted.headers['Location']}/cancel").status_code == 409
    assert service.wait_until_settled(behind)["state"] == "confirmed"
    assert service.sandbox.value(order, PERSON) != "Doch Nicht"
    assert (count_saves(service, order), service.sandbox.value(order, REMARKS)) == (1, "danach")
    late = service.http.post(f"{behind.headers['Location']}/cancel")
    assert (late.status_code, late.json()["success"]) == (409, False)
    assert "confirmed" in late.json()["message"]
    assert service.http.post("/api/operations/op_unknown/cancel").status_code == 404


def test_what_may_have_been_sent_is_not_cancelled(service: Service, order: int) -> None:
    """After a save whose outcome is not known yet: 409 that says so, and the write comes to its true end."""
    knobs = service.sandbox.knobs

    def kept_and_unreadable(value: str) -> str:
        knobs.empty_form_orders.add(order)
        return value

    knobs.alter_saved[PERSON] = kept_and_unreadable
    accepted = put(service, order, {"person": "Schon Unterwegs"}, Prefer="respond-async")
    wait_until(lambda: count_saves(service, order))
    knobs.alter_saved.clear()
    with hide_forms(service, order):
        cancelled = service.http.post(f"{accepted.headers['Location']}/cancel")
        assert cancelled.status_code == 409
        assert "sent to PlanSo already" in cancelled.json()["message"]
    assert service.wait_until_settled(accepted)["state"] == "confirmed"
    assert count_saves(service, order) == 1


def test_a_cancel_ends_the_wait_of_the_caller(service: Service, order: int) -> None:
    """A cancel by somebody else ends the caller's wait with 409."""
    with hide_forms(service, order), ThreadPoolExecutor() as elsewhere:
        waiting = elsewhere.submit(put, service, order, {"person": "Wartet"}, Prefer="wait=60")
        wait_until(lambda: list_operations(service, order_id=order))
        (operation,) = list_operations(service, order_id=order)
        assert service.http.post(f"/api/operations/{operation['id']}/cancel").status_code == 200
        assert waiting.result().status_code == 409
