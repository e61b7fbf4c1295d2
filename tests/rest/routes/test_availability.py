"""GET /api/availability and /api/capacity."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import httpx2
import jsonschema_rs
import pytest

from planso_connector.domain.capacity.capacity_document import WEEKDAYS
from planso_connector.domain.german_formats import BERLIN
from planso_connector.rest.schemas.capacity import CAPACITY_EXAMPLE
from planso_connector.sandbox import Sandbox
from tests.service import Service

ORDERS = 40
IDS = sorted(Sandbox(orders=ORDERS).order_ids())
EVERY_DAY: dict[str, Any] = {
    "weekdays": {name: {"karo": 40, "lack": 30} for name in WEEKDAYS},
    "drop_off": {"per_day": 2},
    "horizon_days": 366,
    "exceptions": [{"from": "2020-01-01", "to": "2040-01-01", "karo": 40, "lack": 30}],  # no holidays
}


def ask(service: Service, **query: Any) -> dict[str, Any]:
    answer = service.http.get("/api/availability", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def put_capacity(service: Service, **changes: Any) -> httpx2.Response:
    answer = service.http.put("/api/capacity", json={**EVERY_DAY, **changes})
    assert answer.status_code == 200, answer.text
    return answer


def day(ahead: int) -> date:
    return datetime.now(BERLIN).date() + timedelta(days=ahead)


def fill_in(service: Service) -> None:
    """Every order has estimated hours, and its stay lies far ahead: the sandbox leaves some empty."""
    for number, order_id in enumerate(IDS):
        for label in ("Fahrzeugeingang (Soll)", "Fahrzeugeingang (Ist)", "Werkstatt zurück", "Plan Auslieferung"):
            service.sandbox.edit_field(order_id, label, "")
        for label in ("Lackiertermin", "Rückgabe", "Reparatur von", "Besichtigung"):
            service.sandbox.edit_field(order_id, label, "")
        for label in ("Werkstattstart", "Termin Fertigstellung"):
            service.sandbox.edit_field(order_id, label, f"{day(100 + number % 20):%d.%m.%Y}")
        service.sandbox.edit_field(order_id, "Sollstunden Karo", "4,00")
        service.sandbox.edit_field(order_id, "Sollstunden Lack", "2,00")
    service.sync(full="true")


@pytest.fixture(scope="module", name="service")
def filled_service(service: Service) -> Service:
    fill_in(service)
    return service


def test_without_a_capacity_no_level_is_invented(service: Service) -> None:
    """What is planned is said, and that the workshop has set nothing."""
    assert service.http.get("/api/capacity").json()["capacity"] is None
    found = ask(service)
    assert {one["level"] for one in found["days"]} == {None}
    assert {tuple(one["reasons"]) for one in found["days"]} == {("capacity_not_set",)}
    assert "PUT /api/capacity" in found["message"]
    assert (found["days"][0]["date"], len(found["days"])) == (day(0).isoformat(), 14)


def test_the_capacity_is_replaced_as_a_whole(service: Service) -> None:
    """What is answered can be put again; a wrong member is named and changes nothing."""
    first = service.http.put("/api/capacity", json=CAPACITY_EXAMPLE).json()
    assert service.http.get("/api/capacity").json() == first
    again = service.http.put("/api/capacity", json=first["capacity"]).json()
    assert again["capacity"] == first["capacity"]
    assert first["capacity"]["drop_off"]["slots"] == ["07:30-09:00", "09:00-10:30"]
    wrong = {**CAPACITY_EXAMPLE, "drop_off": {"slots": ["09:00-08:00"]}, "federal_state": "XX"}
    answer = service.http.put("/api/capacity", json=wrong)
    assert answer.status_code == 422
    assert [detail["loc"] for detail in answer.json()["detail"]] == [
        ["body", "federal_state"],
        ["body", "drop_off", "slots", 0],
    ]
    tried = service.http.put("/api/capacity", params={"dry_run": "true"}, json=EVERY_DAY).json()
    assert (tried["capacity"]["drop_off"]["per_day"], "nothing was set" in tried["message"]) == (2, True)
    unknown = service.http.put("/api/capacity", json={**CAPACITY_EXAMPLE, "slots": []})
    assert (unknown.status_code, unknown.json()["detail"][0]["loc"]) == (422, ["body", "slots"])
    assert service.http.get("/api/capacity").json()["capacity"] == first["capacity"]


def test_planned_hours_follow_the_orders(service: Service) -> None:
    """A day has the hours of its orders; one that is moved takes exactly its hours along."""
    put_capacity(service)
    begin = day(100)
    before = ask(service, **{"from": begin.isoformat(), "days": 20})
    document = service.http.get("/openapi.json").json()
    schema = {"$ref": "#/components/schemas/AvailabilityAnswer", "components": document["components"]}
    assert [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(before)] == []
    assert (before["message"], before["basis"]["enough"], before["basis"]["orders_with_hours"]) == ("", True, 1.0)
    assert [one["hours"]["karo"]["planned"] for one in before["days"]] == [8.0] * 20
    assert [one["level"] for one in before["days"]] == ["full"] * 20  # two arrivals
    moved = service.put(IDS[0], shop_date=day(130).isoformat())
    assert moved.status_code == 200
    after = ask(service, **{"from": begin.isoformat(), "days": 60})["days"]
    assert (after[0]["hours"]["lack"]["planned"], after[0]["booked"], after[0]["level"]) == (2.0, 1, "free")
    assert (after[30]["hours"]["karo"], after[30]["booked"]) == ({"planned": 4.0, "capacity": 40.0}, 1)


def test_pending_writes_count(service: Service) -> None:
    """An accepted write that PlanSo has not confirmed yet takes its place at once."""
    target = day(170)
    put_capacity(service)
    service.sandbox.knobs.fail_app_next = 1_000_000
    for order_id in IDS[10:12]:
        answer = service.http.put(
            f"/api/orders/{order_id}",
            json={"order_id": order_id, "shop_date": target.isoformat()},
            headers={"Prefer": "respond-async"},
        )
        assert answer.status_code == 202
    (found,) = ask(service, **{"from": target.isoformat(), "days": 1})["days"]
    service.sandbox.knobs.fail_app_next = 0
    assert (found["booked"], found["level"], found["reasons"]) == (2, "full", ["arrivals"])


def test_too_few_hours_are_said(service: Service) -> None:
    """A year ahead only one order of three has hours: the answer says so, and the level is unknown."""
    for number, order_id in enumerate(IDS[20:23]):
        for label in ("Werkstattstart", "Termin Fertigstellung"):
            service.sandbox.edit_field(order_id, label, f"{day(200):%d.%m.%Y}")
        if number:
            service.sandbox.edit_field(order_id, "Sollstunden Karo", "")
            service.sandbox.edit_field(order_id, "Sollstunden Lack", "")
    service.sync(full="true")
    put_capacity(service, drop_off={"per_day": 9})
    found = ask(service, **{"from": day(200).isoformat(), "days": 1})
    assert (found["days"][0]["level"], found["days"][0]["reasons"]) == (None, ["not_enough_data"])
    assert found["message"].startswith("Only 33% of the orders on these days have est_hours_karo or est_hours_lack.")
    assert ask(service, **{"from": day(200).isoformat(), "days": 1, "kind": "estimate"})["message"] == (
        "Only 0% of the orders have estimate_date. 60% are needed to tell how much room there is."
    )


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"days": "61"}, "days"),
        ({"days": "0"}, "days"),
        ({"from": "31.02.2026"}, "from"),
        ({"kind": "arrival"}, "kind"),
        ({"hours_karo": "-1"}, "hours_karo"),
        ({"hours_lack": "viele"}, "hours_lack"),
        ({"hours_mech": "1"}, "hours_mech"),
    ],
)
def test_a_wrong_question_is_named(service: Service, query: dict[str, str], field: str) -> None:
    """With the parameter."""
    answer = service.http.get("/api/availability", params=query)
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", field]), answer.text
