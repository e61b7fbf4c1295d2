"""Values as callers meet them: what is taken, what PlanSo makes of it, and what no longer reads as a date."""

from __future__ import annotations

from typing import Any

import pytest

from planso_connector.sandbox import Sandbox
from tests.service import Service

ORDERS = 12
IDS = sorted(Sandbox(orders=ORDERS).order_ids())


def read(service: Service, order_id: int) -> dict[str, Any]:
    """The order as the connector reads it from PlanSo now."""
    answer = service.http.get(f"/api/orders/{order_id}", params={"max_age": "0"})
    assert (answer.status_code, answer.json()["message"]) == (200, "")
    order: dict[str, Any] = answer.json()["order"]
    return order


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shop_date", "05.12.2026 14:00-16:00"),
        ("return_date_time", "05.12.2026 14:00 -16"),
        ("shop_date", "Mo, 07.12.2026"),
        ("shop_date", "07.12.2026 heute"),
        ("paint_date", "07.12.2026 - 09.12.2026"),
        ("repair_date_time_from", "16:00-14:00"),
        ("shop_date", "05.12.70"),
    ],
)
def test_trailing_text_is_refused(service: Service, field: str, value: str) -> None:
    """A range, a weekday, words behind a date: 422, and nothing was sent."""
    before = service.sandbox.values(IDS[0])
    answer = service.put(IDS[0], **{field: value})
    assert answer.status_code == 422, answer.text
    assert service.sandbox.values(IDS[0]) == before


def test_values_are_read_by_what_a_field_can_be(service: Service) -> None:
    """A range fills a time slot, `65` is a year of the past on papers, `03/27` a month of the HU, hours less than 1."""
    slot = "05.12.2026 14:00-16:00"
    details = {"first_registration": "01.07.65", "hu_au": "03/27"}
    answer = service.put(
        IDS[1], repair_date_time_from=slot, repair_date_time_to=slot, est_hours_karo=0.125, vehicle_details=details
    )
    assert answer.status_code == 200, answer.text
    order = service.order(IDS[1])
    assert order["repair_date_time_from"].endswith("14:00:00") or order["repair_date_time_from"] == "14:00"
    assert order["repair_date_time_to"].endswith("16:00:00") or order["repair_date_time_to"] == "16:00"
    assert order["est_hours_karo"] == 0.125
    assert order["vehicle_details"]["first_registration"] == "1965-07-01"
    assert order["vehicle_details"]["hu_au"] in ("2027-03", "2027-03-01")


def test_what_planso_writes_otherwise_is_a_success(service: Service) -> None:
    """Plates in capitals, phone numbers regrouped, e-mails lowered, hours rounded: 200, and GET shows PlanSo's."""
    knobs = service.sandbox.knobs
    knobs.alter_saved["Kennzeichen"] = str.upper
    knobs.alter_saved["Telefon"] = lambda text: text.replace("+49 ", "0").replace("-", " ")
    knobs.alter_saved["Kunden E-Mail"] = str.lower
    knobs.alter_saved["Sollstunden Karo"] = lambda text: text[:-1]
    try:
        answer = service.put(
            IDS[2],
            phone="+49 151-234",
            email="Jana@Example.de",
            est_hours_karo=12.341,
            vehicle_details={"number_plate": "wn-ae 2309"},
        )
    finally:
        knobs.alter_saved.clear()
    assert answer.status_code == 200, answer.text
    order = service.order(IDS[2])
    assert (order["plate"], order["phone"], order["email"], order["est_hours_karo"]) == (
        "WN-AE 2309",
        "0151 234",
        "jana@example.de",
        12.34,
    )


@pytest.mark.parametrize(
    ("label", "field", "asked", "kept"),
    [
        ("Bemerkungen", "remarks", "Ersatzwagen 🚗 da", "Ersatzwagen"),
        ("Sollstunden Lack", "est_hours_lack", 999.0, "99,00"),
        ("Fahrername", "person", "Käß", "K??"),
    ],
)
def test_a_value_that_planso_would_change_is_refused_at_once(
    service: Service, label: str, field: str, asked: object, kept: str
) -> None:
    """Cut, capped or garbled: 502, said field by field, and not tried again."""
    service.sandbox.knobs.alter_saved[label] = kept
    try:
        answer = service.put(IDS[3], **{field: asked})
    finally:
        service.sandbox.knobs.alter_saved.clear()
    assert answer.status_code == 502, answer.text
    assert (field in answer.text, kept in answer.text) == (True, True)
    operation = service.operation(answer)
    assert (operation["state"], operation["attempts"]) == ("refused", 1)


@pytest.mark.parametrize("text", ["KW 51", "offen", "ab 14 Uhr"])
def test_a_field_that_reads_no_more_answers_no_old_day(service: Service, text: str) -> None:
    """The text stands in `fields`, the date is null with a doubt, the sync names it, progress says no date."""
    order_id = IDS[4]
    service.sandbox.edit_field(order_id, "Plan Auslieferung", "14.12.2099")
    assert read(service, order_id)["planned_delivery_date"] == "2099-12-14"
    assert read(service, order_id)["doubts"] == []

    service.sandbox.edit_field(order_id, "Plan Auslieferung", text)
    order = read(service, order_id)
    assert (order["planned_delivery_date"], order["fields"]["Plan Auslieferung"]) == (None, text)
    assert order["doubts"] == [{"field": "planned_delivery_date", "text": text}]
    progress = service.http.get(f"/api/orders/{order_id}/progress").json()["progress"]
    assert (progress["promised"]["date"], progress["promised"]["reason"]) == (None, "date_unreadable")
    assert progress["promised"]["source"]["path"] == "planned_delivery_date"
    assert "2099" not in progress["sentence"]
    assert "Termin" in progress["sentence"]
    status = service.sync(full="true")
    (doubt,) = [doubt for doubt in status["last_result"]["doubts"] if doubt["what"] == "planned_delivery_date"]
    assert (doubt["kind"], doubt["orders"]) == ("unreadable", 1)
    assert "planned_delivery_date (in 1 orders)" in status["message"]
    assert service.order(order_id)["version"] == order["version"]

    service.sandbox.edit_field(order_id, "Plan Auslieferung", "0000-00-00")
    order = read(service, order_id)
    assert (order["planned_delivery_date"], order["doubts"]) == (None, [])


def test_an_emptied_phone_number_is_reported(service: Service) -> None:
    """`""` empties a phone number, and the message says so."""
    service.sandbox.edit_field(IDS[5], "Telefon", "0151 234")
    answer = service.put(IDS[5], phone="")
    assert answer.status_code == 200, answer.text
    assert "phone is cleared" in answer.json()["message"]
