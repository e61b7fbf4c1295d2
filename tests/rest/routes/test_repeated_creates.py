"""The same POST again within two minutes: one order, unless it is plainly meant to be a second one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from planso_connector.domain import clock
from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandbox
from planso_connector.store.repeated_creates import WINDOW
from tests.rest.routes.write_requests import PERSON, build_write, put, send
from tests.service import Service, running, running_on_sqlite, settings_for

ORDERS = 12
SETTINGS = {"connector_sync_parts": False}
REPLAYED = "Idempotency-Replayed"


def build_body(number: int, **members: Any) -> dict[str, Any]:
    return {"person": "Zweimal Gesendet", "vehicle_details": {"number_plate": f"WN-ZW {number}"}, **members}


def post(service: Service, body: dict[str, Any], **headers: str) -> httpx2.Response:
    return send(service, "POST", "/api/orders", body, **headers)


def count_created(service: Service, body: dict[str, Any]) -> int:
    plate = body["vehicle_details"]["number_plate"]
    return sum(service.sandbox.value(one, "Kennzeichen") == plate for one in service.sandbox.order_ids())


def test_the_same_post_again_is_one_order(service: Service) -> None:
    """200 with the first one's order id and operation; `message` says so, and a header; PlanSo has one order."""
    body = build_body(1, shop_date="08.12.2026")
    first = post(service, body)
    again = post(service, {**build_body(1, shop_date="2026-12-08"), "remarks": None})
    assert (first.status_code, again.status_code) == (200, 200), again.text
    assert again.json()["order_id"] == first.json()["order_id"]
    assert again.headers["Operation-Id"] == first.headers["Operation-Id"] in again.json()["message"]
    assert "Idempotency-Key" in again.json()["message"]
    assert (first.headers.get(REPLAYED), again.headers[REPLAYED]) == (None, "true")
    assert first.json()["message"] == ""
    assert count_created(service, body) == 1


@pytest.mark.parametrize(
    ("number", "second"),
    [
        (2, {"person": "Jemand Anderes"}),
        (3, {"remarks": "noch einer"}),
        (4, {"reference": "B"}),
        (5, {"vehicle_details": {"number_plate": "WN-ZW 5", "engine": "1.5 TSI"}}),
    ],
)
def test_other_content_is_another_order(service: Service, number: int, second: dict[str, Any]) -> None:
    """Any other member makes a second order, one that is left out because nobody knows it too."""
    body = build_body(number, reference="A")
    answers = [post(service, body), post(service, body | second)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.headers.get(REPLAYED) for answer in answers] == [None, None]
    assert count_created(service, body) == 2


def test_a_strict_create_is_repeated_as_such(service: Service) -> None:
    """The strict call again is no duplicate of itself; a strict one after one that was not is 409, as before."""
    body = build_body(12)
    strict = [post(service, body, Prefer="handling=strict") for _ in range(2)]
    assert [answer.status_code for answer in strict] == [200, 200], strict[1].text
    assert (strict[0].json()["order_id"], strict[1].headers[REPLAYED]) == (strict[1].json()["order_id"], "true")
    body = build_body(13)
    assert post(service, body).status_code == 200
    assert post(service, body, Prefer="handling=strict").status_code == 409


def test_a_key_of_its_own_makes_a_second_order(service: Service) -> None:
    """With a new `Idempotency-Key` the same content is a second order; the same key again is its repetition."""
    body = build_body(6)
    answers = [post(service, body), *(post(service, body, Idempotency_Key=key) for key in ("zweite", "dritte"))]
    assert len({answer.json()["order_id"] for answer in answers}) == 3
    assert [answer.headers.get(REPLAYED) for answer in answers] == [None] * 3
    again = post(service, body, Idempotency_Key="zweite")
    assert (again.json(), again.headers[REPLAYED]) == (answers[1].json(), "true")
    assert post(service, body).json()["order_id"] == answers[0].json()["order_id"]
    assert count_created(service, body) == 3


def test_without_a_vehicle_nothing_is_taken_for_a_repetition(service: Service) -> None:
    """A name alone may well come twice: two orders."""
    answers = [post(service, {"person": "Ohne Fahrzeug"}) for _ in range(2)]
    assert len({answer.json()["order_id"] for answer in answers}) == 2
    vin = [post(service, {"vehicle_details": {"vin": "WVWZZZ1KZAW000042"}}) for _ in range(2)]
    assert len({answer.json()["order_id"] for answer in vin}) == 1


@pytest.mark.parametrize("how", ["refused", "cancelled", "kept otherwise"])
def test_a_failed_create_is_tried_anew(service: Service, how: str) -> None:
    """After a create that PlanSo refused, that was cancelled or not kept as sent, the same POST makes an order."""
    body = build_body(len(how) + 20)
    knobs = service.sandbox.knobs
    if how == "refused":
        knobs.refuse_saves = "Nicht jetzt."
    elif how == "kept otherwise":
        knobs.alter_saved[PERSON] = "X"
    else:
        knobs.fail_next = 3
    first = post(service, body, **({"Prefer": "respond-async"} if how == "cancelled" else {}))
    knobs.alter_saved.clear()
    knobs.refuse_saves = None
    if how == "cancelled":
        cancelled = send(service, "POST", f"/api/operations/{first.headers['Operation-Id']}/cancel")
        assert cancelled.status_code == 200, cancelled.text
    else:
        assert first.status_code == 502, first.text
    again = post(service, body)
    assert (again.status_code, again.headers.get(REPLAYED)) == (200, None), again.text
    assert again.headers["Operation-Id"] != first.headers["Operation-Id"]


def test_a_deleted_order_can_be_created_again(service: Service) -> None:
    """Once its order is deleted, or is being deleted, the same POST makes a new one."""
    body = build_body(7)
    first = post(service, body).json()["order_id"]
    assert service.http.delete(f"/api/orders/{first}").status_code == 200
    second = post(service, body)
    assert second.json()["order_id"] not in (None, first)
    service.sandbox.knobs.empty_form_orders.add(second.json()["order_id"])
    deleting = send(service, "DELETE", f"/api/orders/{second.json()['order_id']}", Prefer="respond-async")
    assert deleting.status_code == 202
    third = post(service, body)
    service.sandbox.knobs.empty_form_orders.clear()
    assert (third.status_code, third.headers.get(REPLAYED)) == (200, None)
    service.wait_until_settled(deleting)


def test_a_pending_create_is_joined(service: Service) -> None:
    """While the first is pending, the second waits for it; both are told the same order."""
    body = build_body(8)
    service.sandbox.knobs.latency = 0.2
    first = post(service, body, Prefer="respond-async")
    again = post(service, body, Prefer="respond-async")
    assert (first.status_code, again.status_code, again.headers[REPLAYED]) == (202, 202, "true")
    assert first.headers["Location"] == again.headers["Location"]
    service.sandbox.knobs.latency = 0.0
    assert post(service, body).json()["order_id"] == service.wait_until_settled(first)["order_id"]
    assert count_created(service, body) == 1


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "undo"])
def test_every_replayed_answer_says_so(service: Service, method: str) -> None:
    """A repeated key has the header with every method, with a failure too; 409 for another request has not."""
    order_id = post(service, build_body(30 + len(method), remarks=method)).json()["order_id"]
    request = build_write(method, order_id, person="Wiederholt")
    if method == "undo":
        changed = put(service, order_id, {"person": "Vorher"})
        request = ("POST", f"/api/operations/{changed.headers['Operation-Id']}/undo", None)
    answers = [send(service, *request, Idempotency_Key=f"says-{method}") for _ in range(2)]
    assert [(answer.status_code, answer.headers.get(REPLAYED)) for answer in answers] == [(200, None), (200, "true")]
    missing = [put(service, 999_998, {"person": "Wer"}, Idempotency_Key=f"404-{method}") for _ in range(2)]
    assert [(answer.status_code, answer.headers.get(REPLAYED)) for answer in missing] == [(404, None), (404, "true")]
    other = put(service, order_id, {"person": "Anders"}, Idempotency_Key=f"says-{method}")
    assert (other.status_code, other.headers.get(REPLAYED)) == (409, None)


@pytest.fixture
def pair(database_url: str) -> Iterator[tuple[Service, Service, Sandbox]]:
    """Two connectors on one database, before one PlanSo."""
    sandbox = Sandbox(orders=4)
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, database_url, connector_sync_parts=False)
        with running(settings, sandbox) as first:
            first.fill_mirror()
            with running(settings, sandbox) as second:
                yield first, second, sandbox


def test_of_equal_posts_at_once_one_creates(pair: tuple[Service, Service, Sandbox]) -> None:
    """Eight at the same moment at two processes, on either database: one order, one answer without the header."""
    first, second, sandbox = pair
    before = set(sandbox.order_ids())
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda number: post((first, second)[number % 2], build_body(9)), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8, [answer.text for answer in answers]
    (made,) = set(sandbox.order_ids()) - before
    assert {answer.json()["order_id"] for answer in answers} == {made}
    assert sorted(answer.headers.get(REPLAYED, "") for answer in answers) == ["", *["true"] * 7]


def test_the_window_survives_a_restart_and_ends(tmp_path: Path) -> None:
    """A second process, started after the first ended, knows its creates for two minutes, by the clock."""
    sandbox = Sandbox(orders=4)
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, f"sqlite:///{tmp_path}/connector.db", connector_sync_parts=False)
        with running(settings, sandbox) as service:
            service.fill_mirror()
            made = post(service, build_body(10)).json()["order_id"]
        with running(settings, sandbox) as service:
            assert post(service, build_body(10)).json()["order_id"] == made
        with running(settings, sandbox, lambda: clock.now() + WINDOW) as service:
            later = post(service, build_body(10))
            assert (later.json()["order_id"] != made, later.headers.get(REPLAYED)) == (True, None)
            assert later.json()["order_id"] is not None
        with running(settings, sandbox, lambda: clock.now() + WINDOW - timedelta(seconds=30)) as service:
            assert post(service, build_body(10)).headers[REPLAYED] == "true"


def test_each_key_has_its_own_creates(tmp_path: Path) -> None:
    """Two API keys that ask for the same make two orders; a repetition is told to the one that asked."""
    with running_on_sqlite(tmp_path, Sandbox(orders=4), connector_sync_parts=False) as service:
        keys = [service.create_key(Scope.ORDERS_WRITE) for _ in range(2)]
        answers = [post(service, build_body(11), X_API_Key=key) for key in (*keys, keys[0])]
        assert [answer.status_code for answer in answers] == [200] * 3, answers[0].text
        made = [answer.json()["order_id"] for answer in answers]
        assert (made[0] == made[2], made[0] == made[1]) == (True, False)
