"""What a caller can rely on: waiting, repeating, preconditions, a dry run, the history, undoing; each as a law."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import httpx2
import pytest
import sqlalchemy as sa

from planso_connector.sandbox import Sandbox
from planso_connector.store.engine import sqlite
from planso_connector.store.engine.database import Transaction
from planso_connector.store.tables import operations
from tests.rest import raw
from tests.service import Service, connected, wait_until

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
PERSON, REMARKS = "Fahrername", "Bemerkungen"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One connector for the tests of this file; each takes orders of its own."""
    folder = tmp_path_factory.mktemp("operations")
    with connected(folder, Sandbox(orders=90), planso_timeout=1.0, connector_sync_parts=False) as running:
        yield running


@pytest.fixture(scope="module")
def orders(service: Service) -> Iterator[int]:
    return iter(service.sandbox.order_ids())


@pytest.fixture
def order(orders: Iterator[int]) -> int:
    """An order that no other test touches."""
    return next(orders)


def send(service: Service, method: str, address: str, body: Any = None, **headers: str) -> httpx2.Response:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    if method == "PATCH":
        told |= MERGE_PATCH
    return service.http.request(method, address, headers=told, **({} if body is None else {"json": body}))


def put(service: Service, order_id: int, fields: dict[str, Any], **headers: str) -> httpx2.Response:
    return send(service, "PUT", f"/api/orders/{order_id}", {"order_id": order_id, **fields}, **headers)


def verb(method: str, order_id: int, **fields: Any) -> tuple[str, str, Any]:
    """One write by each of the verbs: method, address, body."""
    if method == "POST":
        return method, "/api/orders", fields
    body = None if method == "DELETE" else fields if method == "PATCH" else {"order_id": order_id, **fields}
    return method, f"/api/orders/{order_id}", body


@contextmanager
def unreadable(service: Service, *order_ids: int) -> Iterator[None]:
    """PlanSo shows these orders' forms empty, so that no write to them comes through; the others are well."""
    service.sandbox.knobs.empty_form_orders.update(order_ids)
    try:
        yield
    finally:
        service.sandbox.knobs.empty_form_orders.difference_update(order_ids)


def saves(service: Service, order_id: int | None = None) -> int:
    """How often an order was saved; without an id, all that PlanSo was ever asked to change."""
    asked = service.sandbox.requests
    return sum(one.saving for one in asked if order_id is None or one.order_id == order_id)


def listed(service: Service, **asked: Any) -> list[dict[str, Any]]:
    answer = service.http.get("/api/operations", params={name: str(value) for name, value in asked.items()})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["operations"]
    assert answer.json()["count"] == len(found)
    return found


def history(service: Service, order_id: int, **asked: Any) -> dict[str, Any]:
    answer = service.http.get(f"/api/orders/{order_id}/history", params={n: str(v) for n, v in asked.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def tag(service: Service, order_id: int) -> str:
    return str(service.http.get(f"/api/orders/{order_id}").headers["ETag"])


# -- waiting


def test_what_is_not_confirmed_in_time_is_accepted_and_told(service: Service, order: int) -> None:
    """202 names the operation, which tells how it stands, and later what came of it."""
    old = service.sandbox.value(order, PERSON)
    with unreadable(service, order):
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
        told = service.http.get(accepted.headers["Location"]).json()["operation"]
        assert (told["state"], told["asked"], told["sent"]) == ("pending", {"person": "Erst Später"}, False)
        assert told["attempts"] >= 1
        assert told["created_at"] < told["next_attempt_at"] < told["deadline_at"]
        assert told["settled_at"] is None
        assert "empty form" in told["message"]
    told = service.settled(accepted)
    assert (told["state"], told["before"]) == ("confirmed", {"person": old})
    assert (told["sent"], told["next_attempt_at"]) == (True, None)
    assert told["settled_at"] > told["created_at"]
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
    assert service.settled(answer)["state"] == "confirmed"


def test_preferences_may_come_in_two_headers(service: Service, order: int) -> None:
    """HTTP lets a list stand in one header or in several."""
    told = [("Prefer", "handling=strict"), ("Prefer", "wait=30")]
    answer = service.http.put(f"/api/orders/{order}", json={"order_id": order}, headers=told)
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "handling=strict, wait=30")


def test_an_operation_is_waited_for(service: Service, order: int) -> None:
    """`GET /api/operations/{id}?wait=` answers when the operation is settled, and else when the time is up."""
    with unreadable(service, order):
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
    with unreadable(service, mine):
        ids = [put(service, mine, {"person": f"P{n}"}, Prefer="wait=0").json()["operation_id"] for n in range(5)]
        assert put(service, other, {"person": "Fertig"}).status_code == 200
        assert [one["id"] for one in listed(service, order_id=mine)] == ids[::-1]
        assert [one["id"] for one in listed(service, order_id=mine, state="pending")] == ids[::-1]
        assert listed(service, order_id=mine, state="confirmed") == []
        assert [one["state"] for one in listed(service, order_id=other)] == ["confirmed"]
        assert listed(service, order_id=999_999) == []
        found: list[str] = []
        params = {"order_id": str(mine), "limit": "2"}
        for _ in range(3):
            page = service.http.get("/api/operations", params=params).json()
            found += [one["id"] for one in page["operations"]]
            put(service, mine, {"person": "Neu"}, Prefer="wait=0")
            params["cursor"] = page["next_cursor"]
        assert (found, page["next_cursor"]) == (ids[::-1], None)
        for one in listed(service, order_id=mine, limit=500):
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
    order_id = service.settled(accepted)["order_id"]
    assert service.sandbox.value(order_id, PERSON) == service.order(order_id)["person"] == "Bald Da"


def test_who_leaves_loses_nothing(service: Service, order: int) -> None:
    """A caller whose connection breaks while it waits: the write is carried through, and its key tells of it."""
    body = {"order_id": order, "person": "Schon Weg"}
    with unreadable(service, order):
        content = json.dumps(body)
        head = f"PUT /api/orders/{order} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: leaves\r\n"
        told = f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"
        with closing(raw.connect(service.address)) as leaving:
            leaving.sendall(told.encode())
            wait_until(lambda: listed(service, order_id=order))
        assert [one["state"] for one in listed(service, order_id=order)] == ["pending"]
    again = put(service, order, {"person": "Schon Weg"}, Idempotency_Key="leaves")
    assert (again.status_code, saves(service, order)) == (200, 1)
    assert service.sandbox.value(order, PERSON) == "Schon Weg"


# -- cancelling


def test_a_write_is_cancelled_while_nothing_was_sent(service: Service, order: int) -> None:
    """Cancelled it is refused, nothing of it is ever sent, and it stands in nobody's way; once settled it is 409."""
    with unreadable(service, order):
        accepted = put(service, order, {"person": "Doch Nicht"}, Prefer="respond-async")
        behind = put(service, order, {"remarks": "danach"}, Prefer="respond-async")
        cancelled = service.http.post(f"{accepted.headers['Location']}/cancel")
        assert cancelled.status_code == 200
        assert (cancelled.json()["operation"]["state"], cancelled.json()["operation"]["sent"]) == ("refused", False)
        assert "ancelled" in cancelled.json()["operation"]["message"]
        assert service.http.post(f"{accepted.headers['Location']}/cancel").status_code == 409
    assert service.settled(behind)["state"] == "confirmed"
    assert service.sandbox.value(order, PERSON) != "Doch Nicht"
    assert (saves(service, order), service.sandbox.value(order, REMARKS)) == (1, "danach")
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
    wait_until(lambda: saves(service, order))
    knobs.alter_saved.clear()
    with unreadable(service, order):
        cancelled = service.http.post(f"{accepted.headers['Location']}/cancel")
        assert cancelled.status_code == 409
        assert "sent to PlanSo already" in cancelled.json()["message"]
    assert service.settled(accepted)["state"] == "confirmed"
    assert saves(service, order) == 1


def test_who_waits_is_told_that_it_was_cancelled(service: Service, order: int) -> None:
    """A cancel by somebody else ends the caller's wait with 409."""
    with unreadable(service, order), ThreadPoolExecutor() as elsewhere:
        waiting = elsewhere.submit(put, service, order, {"person": "Wartet"}, Prefer="wait=60")
        wait_until(lambda: listed(service, order_id=order))
        (operation,) = listed(service, order_id=order)
        assert service.http.post(f"/api/operations/{operation['id']}/cancel").status_code == 200
        assert waiting.result().status_code == 409


# -- repeating


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST", "DELETE"])
def test_a_repeated_request_is_one_write(service: Service, order: int, method: str) -> None:
    """The same key and request: the same answer, and PlanSo is changed once. Another request with the key is 409."""
    request = verb(method, order, person="Doppelt Gesendet")
    before = saves(service)
    answers = [send(service, *request, Idempotency_Key=f"once-{method}") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.text for answer in answers}) == len({answer.headers["Operation-Id"] for answer in answers}) == 1
    assert saves(service) == before + 1
    other = put(service, order, {"person": "Etwas Anderes"}, Idempotency_Key=f"once-{method}")
    assert (other.status_code, other.json()["success"]) == (409, False)
    assert answers[0].headers["Operation-Id"] in other.json()["message"]
    assert saves(service) == before + 1


def test_the_same_request_may_be_written_otherwise(service: Service, order: int) -> None:
    """What counts is what a request means, not how its JSON was written; a key is case-sensitive text."""
    first = put(service, order, {"shop_date": "2026-12-09", "remarks": "a"}, Idempotency_Key="Meaning")
    again = put(service, order, {"remarks": "a", "shop_date": "09.12.26", "person": None}, Idempotency_Key="Meaning")
    assert (first.status_code, again.headers["Operation-Id"]) == (200, first.headers["Operation-Id"])
    assert put(service, order, {"remarks": "b"}, Idempotency_Key="meaning").status_code == 200


def test_a_failure_is_repeated_as_it_was(service: Service, orders: Iterator[int]) -> None:
    """Refused by PlanSo, kept otherwise, unknown: the same key gets the same failure, even where it would go now."""
    locked, cut = next(orders), next(orders)
    knobs = service.sandbox.knobs
    knobs.locked_orders.add(locked)
    knobs.alter_saved[REMARKS] = 5
    requests = [(locked, {"person": "Gesperrt"}), (cut, {"remarks": "Abgeschnitten"}), (999_999, {"person": "Wer"})]
    first = [put(service, *request, Idempotency_Key=f"fails-{request[0]}") for request in requests]
    knobs.locked_orders.clear()
    knobs.alter_saved.clear()
    again = [put(service, *request, Idempotency_Key=f"fails-{request[0]}") for request in requests]
    assert [answer.status_code for answer in first] == [502, 502, 404]
    assert [(answer.status_code, answer.text) for answer in again] == [(one.status_code, one.text) for one in first]
    assert service.sandbox.value(locked, PERSON) != "Gesperrt"


def test_a_conflict_is_repeated_as_it_was(service: Service, order: int) -> None:
    """412 stays 412 for its key, with the same fields, also when PlanSo holds the old value again."""
    old = service.sandbox.value(order, PERSON)
    known = tag(service, order)
    service.sandbox.edit_field(order, PERSON, "Von Hand")
    first = put(service, order, {"person": "Meins"}, If_Match=known, Idempotency_Key="conflict")
    service.sandbox.edit_field(order, PERSON, old)
    again = put(service, order, {"person": "Meins"}, If_Match=known, Idempotency_Key="conflict")
    assert (first.status_code, again.status_code) == (412, 412)
    assert first.json()["conflicts"] == again.json()["conflicts"]
    assert first.json()["message"] == again.json()["message"]
    assert saves(service, order) == 0


def test_a_repeated_request_joins_the_one_under_way(service: Service, order: int) -> None:
    """While the first is pending the same request waits for the same operation; both are told the same end."""
    with unreadable(service, order):
        first = put(service, order, {"person": "Einmal"}, Prefer="respond-async", Idempotency_Key="joins")
        again = put(service, order, {"person": "Einmal"}, Prefer="wait=0", Idempotency_Key="joins")
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.headers["Location"] == again.headers["Location"]
        assert len(listed(service, order_id=order)) == 1
    assert service.settled(first)["state"] == "confirmed"
    assert put(service, order, {"person": "Einmal"}, Idempotency_Key="joins").status_code == 200
    assert saves(service, order) == 1


def test_requests_at_once_with_one_key_are_one_write(service: Service) -> None:
    """Eight at the same moment: one order is created, and all are told its number."""
    before = set(service.sandbox.order_ids())

    def create(_: int) -> httpx2.Response:
        return send(service, "POST", "/api/orders", {"person": "Nur Einmal"}, Idempotency_Key="at once")

    def created(number: int) -> httpx2.Response:
        return send(service, "POST", "/api/orders", {"person": "Nur Einmal"}, Idempotency_Key="at-once")

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(created, range(8)))
        assert {create(0).status_code} == {422}  # a blank is no part of a key
    assert [answer.status_code for answer in answers] == [200] * 8
    (made,) = set(service.sandbox.order_ids()) - before
    assert {answer.json()["order_id"] for answer in answers} == {made}


@pytest.mark.parametrize(
    "bad",
    [{"shop_date": "31.02.2026"}, {"person": 5}, {"vehicle_details": {"makeID": 987_654}}],
    ids=["no day", "no text", "not offered by the form"],
)
def test_a_request_that_was_422_burns_nothing(service: Service, order: int, bad: dict[str, Any]) -> None:
    """Its key is still free: the corrected request takes it."""
    key = f"burns-{order}"
    assert put(service, order, bad, Idempotency_Key=key).status_code == 422
    assert put(service, order, bad, Idempotency_Key=key).status_code == 422
    assert put(service, order, {"person": "Jetzt Richtig"}, Idempotency_Key=key).status_code == 200
    assert put(service, order, {"person": "Noch Anders"}, Idempotency_Key=key).status_code == 409


@pytest.mark.parametrize("key", ["", "x" * 201, "zwei Wörter", "zwei Worte"])
def test_a_key_that_is_none_is_422(service: Service, order: int, key: str) -> None:
    """Nothing is written for a key that can't be taken: it would be written again."""
    raw = [(b"Idempotency-Key", key.encode()), (b"Content-Type", b"application/json")]
    answer = service.http.put(f"/api/orders/{order}", json={"order_id": order, "person": "Nie"}, headers=raw)
    assert answer.status_code == 422
    assert (saves(service, order), listed(service, order_id=order)) == (0, [])


# -- versions


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_that_relies_on_another_version_is_412(service: Service, order: int, method: str) -> None:
    """A stale ETag: 412 with the order as it is, nothing recorded or sent; the current one, weak too, goes."""
    stale = tag(service, order)
    assert put(service, order, {"remarks": "inzwischen"}).status_code == 200
    request = verb(method, order, person="Auf Stand Gebracht")
    answer = send(service, *request, If_Match=stale)
    assert (answer.status_code, answer.json()["success"]) == (412, False)
    assert answer.json()["order"] == service.order(order)
    assert (len(listed(service, order_id=order)), saves(service, order)) == (1, 1)
    assert send(service, *request, If_Match=f"W/{tag(service, order)}").status_code == 200
    assert send(service, *verb(method, 999_999, person="Wer"), If_Match="*").status_code == 404


@pytest.mark.parametrize("given", ["4", '"x"', '"4", "5"', "", '"-1"', '""'])
def test_what_is_no_version_is_422(service: Service, order: int, given: str) -> None:
    """`If-Match` is never guessed at: what is not understood is refused before anything is recorded."""
    for method in ("PUT", "PATCH", "DELETE"):
        answer = send(service, *verb(method, order, person="Nie"), If_Match=given)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["header", "If-Match"]
    assert listed(service, order_id=order) == []


def test_any_version_is_there_or_not(service: Service, order: int) -> None:
    """`If-Match: *` goes for every version."""
    assert put(service, order, {"person": "Welche Auch Immer"}, If_Match="*").status_code == 200


def test_an_unchanged_order_is_304(service: Service, order: int) -> None:
    """The ETag that GET told is 304 without a body, until the order or its pending writes change."""
    address = f"/api/orders/{order}"
    first = tag(service, order)
    for known in (first, f"W/{first}", f'"0", {first}', "*"):
        answer = service.http.get(address, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", first)
    assert service.http.get(address, headers={"If-None-Match": '"0"'}).status_code == 200
    with unreadable(service, order):
        accepted = put(service, order, {"person": "Noch Offen"}, Prefer="respond-async")
        pending = tag(service, order)
        assert pending != first
        assert service.http.get(address, headers={"If-None-Match": first}).status_code == 200
        assert service.http.get(address, headers={"If-None-Match": pending}).status_code == 304
        assert put(service, order, {"remarks": "x"}, If_Match=pending, Prefer="wait=0").status_code == 202
    service.settled(accepted)
    assert service.http.get(address, headers={"If-None-Match": pending}).status_code == 200


def test_an_order_with_many_pending_writes_has_an_etag_that_is_taken(service: Service, order: int) -> None:
    """However many are pending, GET's ETag is understood by GET and by a write."""
    with unreadable(service, order):
        for number in range(25):
            assert put(service, order, {"person": f"Name {number}"}, Prefer="wait=0").status_code == 202
        known = tag(service, order)
        assert service.http.get(f"/api/orders/{order}", headers={"If-None-Match": known}).status_code == 304
        assert put(service, order, {"remarks": "auch"}, If_Match=known, Prefer="wait=0").status_code == 202
        for operation in listed(service, order_id=order):
            assert service.http.post(f"/api/operations/{operation['id']}/cancel").status_code == 200
    assert tag(service, order) != known


def test_a_field_that_both_changed_is_a_conflict(service: Service, order: int) -> None:
    """
    Who relies on a version and asks for a field that somebody changed in PlanSo since gets 412 with base, theirs and
    yours of each, and the order as it is; nothing is sent, and the operation says the same.
    """
    old = service.order(order)
    known = tag(service, order)
    service.sandbox.edit_field(order, "Werkstattstart", "10.12.2026")
    service.sandbox.edit_field(order, PERSON, "Deren Name")
    asked = {"shop_date": "09.12.2026", "person": "Mein Name", "remarks": "unberührt"}
    answer = put(service, order, asked, If_Match=known)
    assert answer.status_code == 412
    conflicts = [
        {"field": "shop_date", "base": old["shop_date"], "theirs": "2026-12-10", "yours": "2026-12-09"},
        {"field": "person", "base": old["person"], "theirs": "Deren Name", "yours": "Mein Name"},
    ]
    by_field = sorted(answer.json()["conflicts"], key=lambda one: one["field"], reverse=True)
    assert by_field == conflicts
    assert (answer.json()["order"]["person"], answer.json()["order"]["shop_date"]) == ("Deren Name", "2026-12-10")
    told = service.operation(answer)
    assert (told["state"], told["sent"]) == ("conflict", False)
    assert sorted(told["conflicts"], key=lambda one: one["field"], reverse=True) == conflicts
    assert (saves(service, order), service.order(order)["pending"]) == (0, [])


def test_a_field_that_only_they_changed_is_merged(service: Service, order: int) -> None:
    """Other fields, and the same field with the same value, are no conflict: both changes are in PlanSo."""
    known = tag(service, order)
    service.sandbox.edit_field(order, REMARKS, "deren Bemerkung")
    service.sandbox.edit_field(order, PERSON, "Einig")
    answer = put(service, order, {"person": "Einig", "phone": "030 23125 001"}, If_Match=known)
    assert answer.status_code == 200, answer.text
    held = [service.sandbox.value(order, label) for label in (PERSON, REMARKS, "Telefon")]
    assert held == ["Einig", "deren Bemerkung", "030 23125 001"]
    assert service.order(order)["remarks"] == "deren Bemerkung"


def test_an_edit_at_the_moment_of_the_save_is_told(service: Service, order: int) -> None:
    """What somebody changed between our save and our reading it back is named, stays, and is in the mirror."""
    service.sandbox.knobs.latency = 0.5
    try:
        accepted = put(service, order, {"person": "Zur Selben Zeit"}, Prefer="respond-async")
        wait_until(lambda: saves(service, order))
        service.sandbox.edit_field(order, REMARKS, "gleichzeitig")
    finally:
        service.sandbox.knobs.latency = 0.0
    told = service.settled(accepted)
    assert told["state"] == "confirmed"
    assert REMARKS in told["message"]
    assert service.sandbox.value(order, REMARKS) == service.order(order)["remarks"] == "gleichzeitig"


def test_without_a_version_the_later_write_wins(service: Service, order: int) -> None:
    """Who relies on nothing overwrites, and the operation tells what was there."""
    service.sandbox.edit_field(order, PERSON, "Von Hand")
    answer = put(service, order, {"person": "Überschrieben"})
    assert answer.status_code == 200
    assert service.operation(answer)["before"] == {"person": "Von Hand"}


# -- dry run


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_dry_run_tells_what_would_change(service: Service, order: int, method: str) -> None:
    """Before and after of each field that differs, by our path and PlanSo's label, from the form as it is now."""
    service.sandbox.edit_field(order, PERSON, "Steht Da")
    service.sandbox.edit_field(order, REMARKS, "bleibt")
    before, requests = service.sandbox.snapshot(order), saves(service)
    _, address, body = verb(method, order, person="Stünde Da", remarks="bleibt", phone="keins", shop_date="1.12.26")
    answer = send(service, method, f"{address}?dry_run=true", body, Idempotency_Key="dry")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["success"], told["order_id"], told["dry_run"]) == (True, order, True)
    changes = {change["field"]: change for change in told["changes"]}
    assert changes["person"] == {"field": "person", "label": PERSON, "before": "Steht Da", "after": "Stünde Da"}
    assert (changes["shop_date"]["label"], changes["shop_date"]["after"]) == ("Werkstattstart", "2026-12-01")
    assert "remarks" not in changes
    assert "phone does not look like a phone number" in told["message"]
    nothing = send(service, method, f"{address}?dry_run=true", verb(method, order, remarks="bleibt")[2]).json()
    assert nothing["changes"] == []
    assert "Nothing differs" in nothing["message"]
    assert (service.sandbox.snapshot(order), saves(service), listed(service, order_id=order)) == (before, requests, [])


def test_a_dry_run_of_a_create_and_of_a_delete(service: Service, order: int) -> None:
    """A create shows what the new order would hold, its defaults too; a delete names the order; both do nothing."""
    orders, requests, recorded = service.sandbox.order_ids(), saves(service), len(listed(service, limit=500))
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
    assert (service.sandbox.order_ids(), saves(service)) == (orders, requests)
    assert len(listed(service, limit=500)) == recorded


def test_a_dry_run_fails_as_the_write_would(service: Service, order: int) -> None:
    """404 and 422 are told before anything is asked for."""
    only_tell = {"dry_run": "true"}
    assert service.http.delete("/api/orders/999999", params=only_tell).status_code == 404
    for bad in ({"vehicle_details": {"makeID": 987_654}}, {"shop_date": "bald"}):
        body = {"order_id": order, **bad}
        assert service.http.put(f"/api/orders/{order}", params=only_tell, json=body).status_code == 422


# -- history and undo


def test_the_history_tells_who_changed_what(service: Service, order: int) -> None:
    """Each change by a write or by somebody in PlanSo: who, when, before and after, newest first; a deletion too."""
    old = service.order(order)
    written = put(service, order, {"person": "Erste", "remarks": "eins"})
    service.sandbox.edit_field(order, REMARKS, "von Hand")
    service.sync(full="true")
    service.sandbox.edit_field(order, "Telefon", "030 23125 002")
    second = put(service, order, {"person": "Zweite"})
    assert service.http.delete(f"/api/orders/{order}").status_code == 200

    told = history(service, order)
    versions = [entry["version"] for entry in told["history"]]
    assert versions == sorted(versions, reverse=True)
    assert [entry["at"] for entry in told["history"]] == sorted((e["at"] for e in told["history"]), reverse=True)
    assert (told["count"], told["next_cursor"]) == (len(versions), None)
    by_operation = {entry["operation_id"]: entry for entry in told["history"]}
    assert by_operation[written.headers["Operation-Id"]]["by"] == "connector"
    assert changed(by_operation[written.headers["Operation-Id"]]) == {
        "person": (old["person"], "Erste"),
        "remarks": (old["remarks"], "eins"),
    }
    assert changed(by_operation[second.headers["Operation-Id"]]) == {"person": ("Erste", "Zweite")}
    theirs = [entry for entry in told["history"] if entry["operation_id"] is None]
    assert {entry["by"] for entry in theirs} == {"PlanSo"}
    assert [changed(entry) for entry in theirs] == [
        {"phone": (old["phone"], "030 23125 002")},
        {"remarks": ("eins", "von Hand")},
    ]
    assert changed(told["history"][0])["deleted"] == (False, True)
    assert service.http.get("/api/orders/999999/history").status_code == 404


def changed(entry: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Before and after by field or label, without the short name, which PlanSo makes of other fields."""
    told = {change.get("field") or change["label"]: (change["before"], change["after"]) for change in entry["changes"]}
    return {field: values for field, values in told.items() if field != "short_name"}


def test_the_history_begins_with_what_created_the_order(service: Service) -> None:
    """A created order's first entry is the create with its values; a deletion in PlanSo is told as PlanSo's."""
    created = send(service, "POST", "/api/orders", {"person": "Von Anfang An"})
    order_id = created.json()["order_id"]
    (first,) = history(service, order_id)["history"]
    assert (first["operation_id"], changed(first)["person"]) == (
        created.headers["Operation-Id"],
        (None, "Von Anfang An"),
    )
    service.sandbox.delete(order_id)
    service.sync()
    gone = history(service, order_id)["history"][0]
    assert (gone["by"], gone["operation_id"], changed(gone)) == ("PlanSo", None, {"deleted": (False, True)})


def test_the_history_comes_in_pages(service: Service, order: int) -> None:
    """Pages of any size lose and double no entry."""
    for number in range(4):
        assert put(service, order, {"person": f"Name {number}"}).status_code == 200
    whole = history(service, order)["history"]
    assert len(whole) == 4
    for limit in (1, 3):
        found: list[Any] = []
        following: dict[str, Any] = {}
        while True:
            page = history(service, order, limit=limit, **following)
            found += page["history"]
            if page["next_cursor"] is None:
                break
            following = {"cursor": page["next_cursor"]}
        assert found == whole
    assert service.http.get(f"/api/orders/{order}/history", params={"cursor": "x"}).status_code == 422


def undo(service: Service, answer: httpx2.Response, **headers: str) -> httpx2.Response:
    return send(service, "POST", f"/api/operations/{answer.headers['Operation-Id']}/undo", **headers)


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
    (example,) = put_order["requestBody"]["content"]["application/json"]["examples"].values()
    fields = {name: value for name, value in example["value"].items() if name != "order_id"}
    for order_id in (next(orders) for _ in range(4)):
        before = held(service, order_id)
        written = put(service, order_id, fields, If_Match=tag(service, order_id))
        assert written.status_code == 200, written.text
        assert len(service.operation(written)["before"]) > 20
        undone = undo(service, written)
        assert undone.status_code == 200
        assert "Left alone" not in undone.json()["message"]
        assert held(service, order_id) == before


_MOVING = ("version", "last_synced_at", "fields")


def held(service: Service, order_id: int) -> dict[str, Any]:
    """The order's values, however PlanSo writes them."""
    return {name: value for name, value in service.order(order_id).items() if name not in _MOVING}


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
    before = saves(service, order)
    refused = undo(service, again)
    assert refused.status_code == 412
    (conflict,) = refused.json()["conflicts"]
    assert conflict == {"field": "person", "base": "Noch Ein Irrtum", "theirs": "Auch Von Hand", "yours": old}
    assert (service.sandbox.value(order, PERSON), saves(service, order)) == ("Auch Von Hand", before)


def test_only_a_confirmed_update_is_undone(service: Service, orders: Iterator[int]) -> None:
    """A create, a delete, a refused, a pending one, one that changed nothing: 409; an unknown one: 404."""
    locked, pending = next(orders), next(orders)
    created = send(service, "POST", "/api/orders", {"person": "Neu"})
    deleted = send(service, "DELETE", f"/api/orders/{created.json()['order_id']}")
    service.sandbox.knobs.locked_orders.add(locked)
    refused = put(service, locked, {"person": "Gesperrt"})
    service.sandbox.knobs.locked_orders.clear()
    nothing = put(service, locked, {})
    with unreadable(service, pending):
        accepted = put(service, pending, {"person": "Offen"}, Prefer="respond-async")
        for answer in (created, deleted, refused, nothing, accepted):
            assert undo(service, answer).status_code == 409
    assert service.http.post("/api/operations/op_unknown/undo").status_code == 404
    assert service.settled(accepted)["state"] == "confirmed"


def test_an_undo_is_a_write_like_others(service: Service, order: int) -> None:
    """It waits, is accepted, and takes a key: repeated, it is one undo."""
    old = service.sandbox.value(order, PERSON)
    written = put(service, order, {"person": "Irrtum"})
    with unreadable(service, order):
        first = undo(service, written, Prefer="respond-async", Idempotency_Key="undo")
        assert (first.status_code, first.json()["state"]) == (202, "pending")
    again = undo(service, written, Idempotency_Key="undo")
    assert service.settled(first)["state"] == "confirmed"
    assert again.headers["Operation-Id"] == first.headers["Operation-Id"]
    assert (service.sandbox.value(order, PERSON), saves(service, order)) == (old, 2)


# -- what is pending


def test_what_is_pending_is_shown_beside_what_planso_has(service: Service, order: int) -> None:
    """The order and the lists show PlanSo's values, and under `pending` the values to come, oldest first."""
    held = service.order(order)
    with unreadable(service, order):
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
    assert service.settled(first)["state"] == "confirmed"
    assert (service.order(order)["person"], service.order(order)["pending"]) == ("Kommt Noch", [])


def test_writes_to_one_order_come_through_in_their_order(service: Service, orders: Iterator[int]) -> None:
    """Recorded while PlanSo could not be written to: each in turn, the last one stays; other orders don't wait."""
    stuck, well = next(orders), next(orders)
    with unreadable(service, stuck):
        accepted = [put(service, stuck, {"person": f"Name {n}"}, Prefer="respond-async") for n in range(4)]
        for number in range(3):
            assert put(service, well, {"person": f"Name {number}"}).status_code == 200
        assert {service.operation(answer)["state"] for answer in accepted} == {"pending"}
        assert [service.operation(answer)["attempts"] for answer in accepted[1:]] == [0, 0, 0]
    ended = [service.settled(answer) for answer in accepted]
    assert [operation["state"] for operation in ended] == ["confirmed"] * 4
    assert [operation["before"]["person"] for operation in ended[1:]] == ["Name 0", "Name 1", "Name 2"]
    assert service.sandbox.value(stuck, PERSON) == "Name 3"


def test_a_possible_duplicate_is_told(service: Service) -> None:
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


# -- the end of trying, and a database that can't take it


def test_after_its_deadline_a_write_is_given_up(tmp_path: Path) -> None:
    """PlanSo away for longer than the deadline: expired, nothing was sent, as the message says, nor ever is."""
    deadline = timedelta(minutes=10)
    with (
        connected(tmp_path, Sandbox(orders=12), connector_write_deadline=deadline) as service,
        ThreadPoolExecutor() as elsewhere,
    ):
        order_id, another, well = service.sandbox.order_ids()[:3]
        with unreadable(service, order_id, another):
            accepted = [put(service, order_id, {"person": f"Zu Spät {n}"}, Prefer="respond-async") for n in range(2)]
            waiting = elsewhere.submit(put, service, another, {"person": "Zu Spät"}, Prefer="wait=60")
            wait_until(lambda: len(listed(service, state="pending")) == 3)
            for one in listed(service, state="pending"):
                begun, ends = (datetime.fromisoformat(one[at]) for at in ("created_at", "deadline_at"))
                assert ends - begun == deadline
            ten_minutes_pass = sa.update(operations).values(deadline_at=operations.c.created_at)
            service.in_the_database(lambda tx: (tx.execute(ten_minutes_pass), None)[1])
            late = waiting.result()
            assert (late.status_code, late.json()["success"]) == (504, False)
            ended = [service.settled(answer) for answer in (*accepted, late)]
        assert [operation["state"] for operation in ended] == ["expired"] * 3
        assert all("nothing was sent" in operation["message"] for operation in ended)
        assert "nothing was sent" in late.json()["message"]
        assert service.order(order_id)["pending"] == []
        assert put(service, well, {"person": "Rechtzeitig"}).status_code == 200
        assert put(service, order_id, {"remarks": "danach"}).status_code == 200
        assert (saves(service, order_id), saves(service, another)) == (1, 0)


def limit_pages(more: int) -> Callable[[Transaction], None]:
    """Leaves room for `more` pages: to SQLite it is a full disk."""

    def work(tx: Transaction) -> None:
        assert isinstance(tx, sqlite.SqliteTransaction)
        connection = tx._connection  # noqa: SLF001 - a test's hand on the disk
        pages = int(str(connection.execute("PRAGMA page_count").get))
        connection.execute(f"PRAGMA max_page_count = {pages + more}")

    return work


@contextmanager
def read_only(service: Service) -> Iterator[None]:
    """SQLite refuses the connector every change of its database."""
    taken: list[apsw.Connection] = []

    def take(tx: Transaction) -> None:
        assert isinstance(tx, sqlite.SqliteTransaction)
        taken.append(tx._connection)  # noqa: SLF001 - a test's hand on the disk

    service.in_the_database(take)
    switched(taken[0], on=True)
    try:
        yield
    finally:
        switched(taken[0], on=False)


def switched(connection: apsw.Connection, *, on: bool) -> None:
    def is_done() -> bool:
        try:
            connection.execute(f"PRAGMA query_only = {int(on)}")
        except (apsw.ThreadingViolationError, apsw.BusyError):  # the connector's thread uses it right now
            return False
        return True

    wait_until(is_done)


def test_a_full_disk_is_503_and_costs_nothing(service: Service, order: int) -> None:
    """No room for the operation: 503 that says so, nothing is recorded or sent; with room the same key goes through."""
    before, recorded = service.sandbox.snapshot(order), listed(service, limit=500)
    # More than the pages that are free by now.
    long = ("remarks", "damage_description", "workshop_distribution", "external_calculation")
    asked = dict.fromkeys(long, "🚗" * 20_000)
    service.in_the_database(limit_pages(1))
    try:
        answer = put(service, order, asked, Idempotency_Key="full")
        assert (answer.status_code, answer.json()["success"]) == (503, False)
        assert "full" in answer.json()["message"]
        assert service.order(order)["pending"] == []
        assert listed(service, limit=500) == recorded
        assert service.sandbox.snapshot(order) == before
    finally:
        service.in_the_database(limit_pages(100_000))
    assert put(service, order, asked, Idempotency_Key="full").status_code == 200
    assert len(service.sandbox.value(order, REMARKS)) == 20_000


def test_a_read_only_database_is_503_and_nothing_is_sent(service: Service, order: int) -> None:
    """New writes are 503; one that was recorded before is not sent while it can't be marked, and goes through later."""
    with ExitStack() as bad_days:
        well_again = bad_days.enter_context(ExitStack())
        well_again.enter_context(unreadable(service, order))
        accepted = put(service, order, {"person": "Schon Notiert"}, Prefer="respond-async")
        assert accepted.status_code == 202
        bad_days.enter_context(read_only(service))
        well_again.close()
        for method in ("PUT", "PATCH", "POST", "DELETE"):
            answer = send(service, *verb(method, order, person="Nicht Notiert"))
            assert (answer.status_code, answer.json()["success"]) == (503, False)
            assert "read-only" in answer.json()["message"]
        address = accepted.headers["Location"]
        assert service.http.post(f"{address}/cancel").status_code == 503
        told = service.http.get(address, params={"wait": "2"}).json()["operation"]
        assert (told["state"], saves(service, order)) == ("pending", 0)
        assert len(listed(service, order_id=order)) == 1
    assert service.settled(accepted)["state"] == "confirmed"
    assert saves(service, order) == 1


def test_no_more_writes_are_taken_on_than_may_wait(tmp_path: Path) -> None:
    """Beyond them a write is 503 and leaves nothing; what was taken on is answered still; with room, it is taken on."""
    with connected(tmp_path, Sandbox(orders=4), connector_pending=2, connector_sync_parts=False) as service:
        first, second, third, _ = service.sandbox.order_ids()
        service.sandbox.knobs.fail_next = 1_000_000
        told = {"Prefer": "respond-async"}
        taken = put(service, first, {"person": "Erster"}, Idempotency_Key="erster", **told)
        other = put(service, second, {"person": "Zweiter"}, **told)
        refused = put(service, third, {"person": "Dritter"}, Idempotency_Key="dritter", **told)
        assert (taken.status_code, other.status_code, refused.status_code) == (202, 202, 503)
        assert int(refused.headers["Retry-After"]) > 0
        assert "nothing was recorded" in refused.json()["message"]
        assert len(service.http.get("/api/operations").json()["operations"]) == 2
        again = put(service, first, {"person": "Erster"}, Idempotency_Key="erster", **told)
        assert again.headers["Operation-Id"] == taken.headers["Operation-Id"]
        service.sandbox.knobs.fail_next = 0
        assert {service.settled(taken)["state"], service.settled(other)["state"]} == {"confirmed"}
        assert put(service, third, {"person": "Dritter"}, Idempotency_Key="dritter").status_code == 200
