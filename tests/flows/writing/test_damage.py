"""
A PlanSo that saves otherwise than expected: whatever it does to other fields of an order is never answered with 200, is
reported with what stood there before, and stops the writes that would do the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from planso_connector.sandbox import Sandbox
from tests.service import Service, running_on_sqlite

KNOBS: dict[str, Any] = {
    "take_pairs": None,
    "lose_on_save": [],
    "shift_values": None,
    "garble_encoding": "none",
    "blank_seconds_after_save": 0.0,
    "normalise": [],
    "derive": [],
    "change_per_read": False,
    "child_rows": 0,
    "applied_but_next": 0,
    "edit_after_next_save": [],
}
"""What this file sets, as it is at first."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_on_sqlite(tmp_path, Sandbox(orders=12), connector_sync_parts=False) as service:
        yield service


def knobs(service: Service, **changes: Any) -> None:
    answer = httpx2.post(f"{service.planso}/sandbox/knobs", json={**KNOBS, **changes}, verify=False)
    assert answer.status_code == 200, answer.text


def resume(service: Service) -> None:
    assert service.http.post("/api/writes/resume").status_code == 200


def full(sandbox: Sandbox) -> list[int]:
    """Orders that hold enough to lose, the fullest first."""
    return sorted(sandbox.order_ids(), key=lambda one: -sum(bool(text) for text in sandbox.values(one).values()))


def by_label(operation: dict[str, Any]) -> dict[str, str]:
    return {one["label"] or one["column"]: one["verdict"] for one in operation["differences"]}


DAMAGES: list[tuple[str, dict[str, Any], str]] = [
    ("only the first pairs are taken", {"take_pairs": 20}, "lost"),
    ("two labels are emptied", {"lose_on_save": ["VIN", "Farbton"]}, "lost"),
    ("values move on by one", {"shift_values": "Fahrername"}, "shifted"),
    ("mojibake", {"garble_encoding": "mojibake"}, "garbled"),
    ("question marks", {"garble_encoding": "question"}, "garbled"),
]


def test_a_save_that_does_damage_is_never_a_success_and_none_follows(service: Service) -> None:
    """
    502 `damaged`, with what stood there before and the connector named in the history; the workshop's writes are 503
    until they are resumed, readiness says so, and PlanSo is sent nothing meanwhile.
    """
    sandbox = service.sandbox
    orders = full(sandbox)
    for order in orders:
        sandbox.edit_field(order, "Schadenbeschreibung", "Stoßfänger hinten, Türe größer verkratzt")
    for at, (name, trouble, verdict) in enumerate(DAMAGES):
        order, other = orders[at], orders[-1]
        before: dict[str, list[str]] = {}
        for column, value in sandbox.snapshot(order):
            before.setdefault(column, []).append(value)
        knobs(service, **trouble)
        answer = service.put(order, remarks="Ruft an.", express_link="E-1")
        knobs(service)
        operation = service.operation(answer)
        assert (answer.status_code, operation["state"]) == (502, "damaged"), (name, answer.text)
        assert verdict in by_label(operation).values(), name
        for one in operation["differences"]:
            if one["verdict"] in ("lost", "garbled"):
                assert one["before"] == before[one["column"]], (name, one)
        ready = service.http.get("/health/ready")
        assert (ready.status_code, "writes" in ready.text) == (503, True), name
        sandbox.forget_requests()
        refused = service.put(other, remarks="Noch einer.")
        assert (refused.status_code, "Retry-After" in refused.headers) == (503, True), name
        assert "writes resume" in refused.json()["message"], name
        assert not any(request.saving for request in sandbox.requests), name
        resume(service)
    (newest, *_) = service.http.get(f"/api/orders/{orders[2]}/history").json()["history"]
    assert newest["operation_id"] is not None
    assert {"vehicle_details.vin"} <= {change.get("field") for change in newest["changes"]}


def test_one_loss_stops_the_order_and_the_same_loss_again_the_workshop(service: Service) -> None:
    """The order's next write is 503, another order's is not; where that loses the same field, all are."""
    sandbox = service.sandbox
    first, second, third = full(sandbox)[:3]
    knobs(service, lose_on_save=["VIN"])

    assert service.operation(service.put(first, remarks="a"))["state"] == "damaged"
    assert service.put(first, remarks="b").status_code == 503
    assert service.http.get("/health/ready").status_code == 200
    assert service.operation(service.put(second, remarks="a"))["state"] == "damaged"
    assert service.put(third, remarks="a").status_code == 503
    assert service.http.get("/health/ready").status_code == 503


def test_a_column_that_changes_with_each_save_stops_the_workshop_until_it_is_accepted(service: Service) -> None:
    """At first it looks like somebody's edit, after two saves it is the save's doing, unless a person accepts it."""
    sandbox = service.sandbox
    first, second, third = full(sandbox)[:3]
    knobs(service, edit_after_next_save=[[first, "Farbton", "rot"], [second, "Farbton", "blau"]])

    at_once = service.put(first, remarks="a")
    assert at_once.status_code == 200
    assert "Changed in PlanSo at the same time: 'Farbton'" in at_once.json()["message"]
    damaged = service.operation(service.put(second, remarks="a"))
    assert (damaged["state"], by_label(damaged)["Farbton"]) == ("damaged", "repeated")
    column = next(one["column"] for one in damaged["differences"] if one["label"] == "Farbton")
    assert service.http.post("/api/writes/resume", json={"accept": [column]}).status_code == 200
    knobs(service, edit_after_next_save=[[third, "Farbton", "grün"]])
    assert service.put(third, remarks="a").status_code == 200


def test_what_planso_derives_copies_renews_or_writes_otherwise_is_a_success(service: Service) -> None:
    """Two saves each, so that nothing of it counts as somebody's edit that repeats itself."""
    sandbox = service.sandbox
    troubles: list[dict[str, Any]] = [
        {"normalise": ["plate", "phone", "email", "blanks", "decimals", "date_time"]},
        {"normalise": ["date_only", "round"]},
        {"derive": ["week", "copy"]},
        {"derive": ["model_emptied"]},
        {"derive": ["model_first"]},
        {"change_per_read": True, "child_rows": 3},
    ]
    orders = iter(full(sandbox))
    for trouble in troubles:
        knobs(service, **trouble)
        order = next(orders)
        service.http.get(f"/api/orders/{order}", params={"max_age": "0"})
        make = service.order(order)["vehicle_details"]["makeID"]
        for turn, other in enumerate((58, 33)):
            body = {
                "person": f"Jana Möller {turn}",
                "shop_date": f"{turn + 10}.12.2026",
                "vehicle_details": {"makeID": other if other != make else 41},
            }
            answer = service.put(order, **body)
            assert answer.status_code == 200, (trouble, answer.text)
            assert service.operation(answer)["state"] == "confirmed"


def test_a_form_that_stays_blank_after_a_save_stops_the_workshop(tmp_path: Path) -> None:
    """A form that lost nearly all is taken for a temporary fault at first, and for damage if it stays so."""
    with running_on_sqlite(tmp_path, Sandbox(orders=6), connector_sync_parts=False, planso_timeout=1.0) as service:
        troubles: list[dict[str, Any]] = [{"blank_seconds_after_save": 600.0}, {"take_pairs": 5}]
        for order, trouble in zip(full(service.sandbox), troubles, strict=False):
            before = service.sandbox.value(order, "VIN")
            knobs(service, **trouble)
            body = {"order_id": order, "remarks": "a"}
            asked = service.http.put(f"/api/orders/{order}", json=body, headers={"Prefer": "respond-async"})
            operation = service.wait_until_settled(asked)
            assert operation["state"] == "damaged", trouble
            lost = next(one for one in operation["differences"] if one["label"] == "VIN")
            assert (lost["verdict"], lost["before"]) == ("lost", [before])
            assert service.http.get("/health/ready").status_code == 503
            resume(service)


def test_a_save_that_is_answered_with_an_error_is_read_back(service: Service) -> None:
    """Whatever PlanSo answers after having applied it: the write is confirmed by what is there, and made once."""
    sandbox = service.sandbox
    orders = full(sandbox)
    for at, answered in enumerate(("login_page", "redirect_app", "429", "425", "refuse", "403", "html")):
        knobs(service, applied_but=answered, applied_but_next=1)
        sandbox.forget_requests()
        answer = service.put(orders[at], remarks=f"nach {answered}")
        assert answer.status_code == 200, (answered, answer.text)
        operation = service.operation(answer)
        assert (operation["state"], operation["sent"], bool(operation["before"])) == ("confirmed", True, True), answered
        assert sum(request.saving for request in sandbox.requests) == 1
        assert service.http.post(f"/api/operations/{operation['id']}/undo").status_code == 200
    knobs(service, refuse_saves="Gesperrt")
    refused = service.put(orders[8], remarks="nein")
    assert (refused.status_code, service.operation(refused)["sent"]) == (502, False)


def test_damage_by_a_save_without_an_answer_is_found_and_nothing_is_sent_again(tmp_path: Path) -> None:
    """
    The answer is lost, or the save is carried out after the connector gave up waiting for it: what it did to other
    fields is damage all the same, whether it took what was asked or not, and the damaged form is not saved again.
    """
    with running_on_sqlite(tmp_path, Sandbox(orders=6), connector_sync_parts=False, planso_timeout=1.0) as service:
        sandbox = service.sandbox
        troubles: list[tuple[dict[str, Any], dict[str, str]]] = [
            ({"lose_answers_next": 1, "lose_answers_by": "504"}, {"remarks": "is not among the first pairs"}),
            ({"save_latency": 2.5}, {"remarks": "is not among the first pairs"}),
            ({"save_latency": 2.5}, {"person": "Wilma Spät"}),
        ]
        for order, (trouble, asked) in zip(full(sandbox), troubles, strict=False):
            sandbox.forget_requests()
            knobs(service, take_pairs=20, **trouble)
            body = {"order_id": order, **asked}
            answer = service.http.put(f"/api/orders/{order}", json=body, headers={"Prefer": "respond-async"})
            operation = service.wait_until_settled(answer)
            knobs(service, save_latency=0.0)
            assert operation["state"] == "damaged", (trouble, operation["message"])
            # A late save of the order before may end, and be listed, only now.
            assert sum(request.saving for request in sandbox.requests if request.order_id == order) == 1, trouble
            assert "lost" in by_label(operation).values(), trouble
            resume(service)


def test_a_field_that_a_late_save_cleared_as_asked_is_not_called_gone(tmp_path: Path) -> None:
    """Nor are choices that say nothing: what was asked, and what is as it was, is no difference."""
    with running_on_sqlite(tmp_path, Sandbox(orders=6), connector_sync_parts=False, planso_timeout=1.0) as service:
        order = full(service.sandbox)[0]
        knobs(service, save_latency=2.5)
        body = {"order_id": order, "vehicle_details": {"vin": ""}}
        answer = service.http.put(f"/api/orders/{order}", json=body, headers={"Prefer": "respond-async"})
        operation = service.wait_until_settled(answer)
        assert (operation["state"], operation["differences"]) == ("confirmed", [])
        assert "Gone" not in operation["message"]


def test_a_restore_is_not_said_to_have_made_what_somebody_edited_since(service: Service) -> None:
    """The history names the connector for what it wrote back, and PlanSo for the edit that came between."""
    order = full(service.sandbox)[0]
    knobs(service, lose_on_save=["VIN", "Farbton"])
    damaged = service.operation(service.put(order, remarks="a"))
    knobs(service)
    service.sandbox.edit_field(order, "Telefon", "0171 7654321")
    assert service.http.post(f"/api/operations/{damaged['id']}/restore").status_code == 200

    entries = service.http.get(f"/api/orders/{order}/history").json()["history"]
    damage_at = next(entry["version"] for entry in entries if entry["operation_id"] == damaged["id"])
    since = [entry for entry in entries if entry["version"] > damage_at]
    by = {entry["by"]: {change.get("field") for change in entry["changes"]} for entry in since}
    assert by == {"connector": {"vehicle_details.vin", "vehicle.color_name"}, "PlanSo": {"phone"}}
