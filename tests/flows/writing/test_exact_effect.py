"""
Each accepted write has one effect in PlanSo, or none and says so: whatever PlanSo answers to it, whichever number it
names, whoever has the order's number by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from planso_connector.sandbox import Sandbox
from tests.service import Service, running_on_sqlite

ANSWERS = ("login_page", "redirect_app", "429", "425", "refuse", "403", "html")
KNOBS: dict[str, Any] = {
    "applied_but_next": 0,
    "refuse_saves": None,
    "insert_names": None,
    "drop_saves_next": 0,
    "lose_answers_next": 0,
    "fail_next": 0,
}
"""What this file sets, as it is at first."""
ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_on_sqlite(tmp_path, Sandbox(orders=14), connector_sync_parts=False) as service:
        yield service


def knobs(service: Service, **changes: Any) -> None:
    answer = httpx2.post(f"{service.planso}/sandbox/knobs", json={**KNOBS, **changes}, verify=False)
    assert answer.status_code == 200, answer.text


def create(service: Service, person: str, **headers: str) -> httpx2.Response:
    body = {"person": person, "vehicle_details": {"number_plate": f"WN-EX {len(person)}"}}
    return service.http.post("/api/orders", json=body, headers=headers)


def saves(service: Service) -> int:
    return sum(request.saving for request in service.sandbox.requests)


def test_a_create_that_is_answered_with_an_error_is_searched(service: Service) -> None:
    """Made although the answer says otherwise: 200 with its number, sent once, and a repeat makes no second one."""
    for answered in ANSWERS:
        before = set(service.sandbox.order_ids())
        service.sandbox.forget_requests()
        knobs(service, applied_but=answered, applied_but_next=1)
        answer = create(service, f"Nach {answered}", **{"Idempotency-Key": answered})
        assert answer.status_code == 200, (answered, answer.text)
        assert {answer.json()["order_id"]} == set(service.sandbox.order_ids()) - before, answered
        assert (saves(service), "answered otherwise" in answer.json()["message"]) == (1, True), answered
        again = create(service, f"Nach {answered}", **{"Idempotency-Key": answered})
        assert again.json()["order_id"] == answer.json()["order_id"]
        assert service.order(answer.json()["order_id"])["person"] == f"Nach {answered}"


def test_a_create_that_was_refused_is_refused(service: Service) -> None:
    """Looked for and not there: 502, nothing was sent; one that PlanSo shows as another's is not taken for it."""
    before = set(service.sandbox.order_ids())
    knobs(service, refuse_saves="Gesperrt")
    answer = create(service, "Nicht Gemacht")
    assert (answer.status_code, "Gesperrt" in answer.json()["message"]) == (502, True)
    assert service.operation(answer)["sent"] is False
    assert set(service.sandbox.order_ids()) == before


def test_the_number_of_an_older_order_is_not_taken_for_the_new_one(service: Service) -> None:
    """
    PlanSo names an order of its list, an archived one, or one of another create: the new order is found and named; and
    where there is none, a person has to look. The order that was named stays as it is.
    """
    sandbox = service.sandbox
    listed, archived = sandbox.order_ids()[:2]
    sandbox.archive(archived)
    made = create(service, "Schon Da").json()["order_id"]
    service.sync()
    for at, named in enumerate((listed, archived, made)):
        before, values = set(sandbox.order_ids()), sandbox.values(named)
        knobs(service, insert_names=named)
        answer = create(service, f"Neu Nummer {at}")
        assert answer.status_code == 200, answer.text
        assert {answer.json()["order_id"]} == set(sandbox.order_ids()) - before
        knobs(service, insert_names=named, drop_saves_next=1)
        lost = create(service, f"Verloren {at}")
        assert (lost.status_code, str(named) in lost.json()["message"]) == (409, True), lost.text
        assert service.operation(lost)["state"] == "conflict"
        assert sandbox.values(named) == values


def test_a_new_order_without_identity_is_not_created_again(service: Service) -> None:
    """The answer is lost, and PlanSo keeps none of the values: a person has to look, nothing is sent a second time."""
    before = set(service.sandbox.order_ids())
    service.sandbox.forget_requests()
    knobs(service, lose_answers_next=1, take_pairs=1)
    answer = create(service, "Leer Angelegt")
    knobs(service, take_pairs=None)
    (made,) = set(service.sandbox.order_ids()) - before
    assert (answer.status_code, str(made) in answer.json()["message"], saves(service)) == (409, True, 1), answer.text


def test_a_delete_that_is_answered_with_an_error_is_checked(service: Service) -> None:
    """Gone: 200, GET is 404, sent once. Still there after a refusal: 502, nothing was sent, GET shows it."""
    orders = service.sandbox.order_ids()
    for order_id, answered in zip(orders, ANSWERS, strict=False):
        service.sandbox.forget_requests()
        knobs(service, applied_but=answered, applied_but_next=1)
        answer = service.http.delete(f"/api/orders/{order_id}")
        assert (answer.status_code, saves(service)) == (200, 1), (answered, answer.text)
        assert service.http.get(f"/api/orders/{order_id}").status_code == 404, answered
        history = service.http.get(f"/api/orders/{order_id}/history").json()["history"]
        assert history[0]["operation_id"] == answer.headers["Operation-Id"]
    knobs(service, refuse_saves="Gesperrt")
    refused = service.http.delete(f"/api/orders/{orders[-1]}")
    assert (refused.status_code, service.operation(refused)["sent"]) == (502, False)
    assert service.http.get(f"/api/orders/{orders[-1]}").status_code == 200


def test_an_order_that_a_write_finds_gone_is_gone_for_all(service: Service) -> None:
    """Deleted by somebody in PlanSo: a delete, an update and an undo are 404, and GET is from then on."""
    sandbox = service.sandbox
    first, second, third = sandbox.order_ids()[:3]
    undone = service.put(third, person="Wird Gelöscht").headers["Operation-Id"]
    for order_id in (first, second, third):
        sandbox.delete(order_id)
        assert service.http.get(f"/api/orders/{order_id}").status_code == 200
    answers = (
        service.http.delete(f"/api/orders/{first}"),
        service.put(second, person="Wer"),
        service.http.post(f"/api/operations/{undone}/undo"),
    )
    for order_id, answer in zip((first, second, third), answers, strict=True):
        assert (answer.status_code, service.operation(answer)["sent"]) == (404, False), answer.text
        assert service.http.get(f"/api/orders/{order_id}").status_code == 404
        assert service.http.get(f"/api/orders/{order_id}/history").json()["history"][0]["by"] == "PlanSo"


STRANGER = {"Fahrername": "Kai Fremd", "Kennzeichen": "S-KU 41", "Telefon": "0711 998877", "Bemerkungen": "fremd"}


def test_an_order_whose_number_was_reused_is_not_written(service: Service) -> None:
    """
    While an update, a delete and an undo wait, their orders are deleted in PlanSo and the numbers given to another
    customer's: 409, nothing is sent, GET shows the new orders. A write to what is known of those goes through.
    """
    sandbox = service.sandbox
    updated, deleted, undone = sandbox.order_ids()[:3]
    earlier = service.put(undone, remarks="vorher").headers["Operation-Id"]
    knobs(service, fail_next=1_000_000)
    waiting = [
        service.http.patch(f"/api/orders/{updated}", json={"remarks": "für den Alten"}, headers=ASYNC),
        service.http.delete(f"/api/orders/{deleted}", headers=ASYNC),
        service.http.post(f"/api/operations/{earlier}/undo", headers=ASYNC),
    ]
    for order_id in (updated, deleted, undone):
        sandbox.delete(order_id)
        sandbox.add_order(STRANGER, order_id)
    sandbox.forget_requests()
    knobs(service)
    for order_id, answer in zip((updated, deleted, undone), waiting, strict=True):
        operation = service.wait_until_settled(answer)
        assert (operation["state"], operation["sent"]) == ("conflict", False), operation
        assert "vehicle_details.number_plate" in operation["message"]
        assert sandbox.value(order_id, "Bemerkungen") == "fremd"
        order = service.order(order_id)
        assert (order["person"], order["plate"], order["remarks"]) == ("Kai Fremd", "S-KU 41", "fremd")
    assert saves(service) == 0
    again = service.http.post(f"/api/operations/{earlier}/undo")
    assert again.status_code in (409, 412), again.text
    assert service.put(updated, remarks="für den Neuen").status_code == 200


def test_a_reused_number_of_a_deleted_order_is_noticed(service: Service) -> None:
    """Deleted by us, and its number is another's: a write for the deleted one is 409, the next one is not."""
    order_id = service.sandbox.order_ids()[0]
    assert service.http.delete(f"/api/orders/{order_id}").status_code == 200
    service.sandbox.add_order(STRANGER, order_id)
    answer = service.put(order_id, remarks="für den Alten")
    assert answer.status_code == 409, answer.text
    assert service.order(order_id)["person"] == "Kai Fremd"
    assert service.put(order_id, remarks="für den Neuen").status_code == 200


def test_a_corrected_order_keeps_its_identity(service: Service) -> None:
    """Somebody corrects the plate while a write waits that changes person and phone: it goes through."""
    sandbox = service.sandbox
    order_id = next(one for one in sandbox.order_ids() if sandbox.value(one, "VIN") or sandbox.value(one, "Telefon"))
    knobs(service, fail_next=1_000_000)
    waiting = service.http.patch(f"/api/orders/{order_id}", json={"person": "Neu", "phone": "0711 1"}, headers=ASYNC)
    sandbox.edit_field(order_id, "Kennzeichen", "WN-KO 1")
    knobs(service)
    assert service.wait_until_settled(waiting)["state"] == "confirmed"
    assert (sandbox.value(order_id, "Fahrername"), sandbox.value(order_id, "Kennzeichen")) == ("Neu", "WN-KO 1")
