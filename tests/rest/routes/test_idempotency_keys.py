"""Idempotency keys: a repeated request is one write, and gets the first one's answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.rest.routes.write_requests import (
    PERSON,
    REMARKS,
    build_write,
    count_saves,
    get_etag,
    hide_forms,
    list_operations,
    put,
    send,
)
from tests.service import Service

ORDERS = 40
SETTINGS = {"planso_timeout": 1.0, "connector_sync_parts": False}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST", "DELETE"])
def test_a_repeated_request_is_one_write(service: Service, order: int, method: str) -> None:
    """The same key and request: the same answer, and PlanSo is changed once. Another request with the key is 409."""
    request = build_write(method, order, person="Doppelt Gesendet")
    before = count_saves(service)
    answers = [send(service, *request, Idempotency_Key=f"once-{method}") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.text for answer in answers}) == len({answer.headers["Operation-Id"] for answer in answers}) == 1
    assert count_saves(service) == before + 1
    other = put(service, order, {"person": "Etwas Anderes"}, Idempotency_Key=f"once-{method}")
    assert (other.status_code, other.json()["success"]) == (409, False)
    assert answers[0].headers["Operation-Id"] in other.json()["message"]
    assert count_saves(service) == before + 1


def test_repeated_requests_are_compared_by_meaning(service: Service, order: int) -> None:
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
    known = get_etag(service, order)
    service.sandbox.edit_field(order, PERSON, "Von Hand")
    first = put(service, order, {"person": "Meins"}, If_Match=known, Idempotency_Key="conflict")
    service.sandbox.edit_field(order, PERSON, old)
    again = put(service, order, {"person": "Meins"}, If_Match=known, Idempotency_Key="conflict")
    assert (first.status_code, again.status_code) == (412, 412)
    assert first.json()["conflicts"] == again.json()["conflicts"]
    assert first.json()["message"] == again.json()["message"]
    assert count_saves(service, order) == 0


def test_a_repeated_request_joins_the_one_under_way(service: Service, order: int) -> None:
    """While the first is pending the same request waits for the same operation; both are told the same end."""
    with hide_forms(service, order):
        first = put(service, order, {"person": "Einmal"}, Prefer="respond-async", Idempotency_Key="joins")
        again = put(service, order, {"person": "Einmal"}, Prefer="wait=0", Idempotency_Key="joins")
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.headers["Location"] == again.headers["Location"]
        assert len(list_operations(service, order_id=order)) == 1
    assert service.wait_until_settled(first)["state"] == "confirmed"
    assert put(service, order, {"person": "Einmal"}, Idempotency_Key="joins").status_code == 200
    assert count_saves(service, order) == 1


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
def test_an_invalid_request_does_not_use_up_its_key(service: Service, order: int, bad: dict[str, Any]) -> None:
    """Its key is still free: the corrected request takes it."""
    key = f"burns-{order}"
    assert put(service, order, bad, Idempotency_Key=key).status_code == 422
    assert put(service, order, bad, Idempotency_Key=key).status_code == 422
    assert put(service, order, {"person": "Jetzt Richtig"}, Idempotency_Key=key).status_code == 200
    assert put(service, order, {"person": "Noch Anders"}, Idempotency_Key=key).status_code == 409


@pytest.mark.parametrize("key", ["", "x" * 201, "zwei Wörter", "zwei Worte"])
def test_a_malformed_key_is_422(service: Service, order: int, key: str) -> None:
    """Nothing is written for a key that can't be taken: it would be written again."""
    raw = [(b"Idempotency-Key", key.encode()), (b"Content-Type", b"application/json")]
    answer = service.http.put(f"/api/orders/{order}", json={"order_id": order, "person": "Nie"}, headers=raw)
    assert answer.status_code == 422
    assert (count_saves(service, order), list_operations(service, order_id=order)) == (0, [])
