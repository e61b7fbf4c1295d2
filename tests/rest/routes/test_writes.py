"""Orders are updated, created and deleted over HTTP, and PlanSo has exactly what the response says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planso_connector.domain.fields import APPEND_FIELDS, FIELDS, RequestKind
from planso_connector.sandbox import Installation, Sandbox
from tests.service import Service, running_on_sqlite

ORDERS = 60
IDS = sorted(Sandbox(orders=ORDERS).order_ids())


def test_a_confirmed_write_is_in_planso_and_the_mirror(service: Service) -> None:
    """200 has three members; PlanSo holds the values in its notation, and GET returns ISO dates and numbers."""
    response = service.put(123, shop_date="08.12.26", est_hours_karo=11.3, remarks="Zeile 1\nZeile 2 & <b>", phone=None)
    assert response.status_code == 200
    assert response.json() == {"success": True, "message": "", "order_id": 123}
    assert service.sandbox.value(123, "Werkstattstart") == "08.12.2026"
    assert service.sandbox.value(123, "Sollstunden Karo") == "11,30"
    assert service.sandbox.value(123, "Bemerkungen") == "Zeile 1\r\nZeile 2 & <b>"
    order = service.order(123)
    assert (order["shop_date"], order["est_hours_karo"]) == ("2026-12-08", 11.3)
    assert order["remarks"] == "Zeile 1\nZeile 2 & <b>"
    assert order["pending"] == []


def test_only_the_requested_control_changes(service: Service) -> None:
    """A request for one field changes one control; every other one keeps its value, byte for byte."""
    for order_id in service.sandbox.order_ids()[:25]:
        if order_id == 123:
            continue
        before = service.sandbox.snapshot(order_id)
        response = service.put(order_id, express_link=f"https://express.example/{order_id}")
        assert response.status_code == 200, response.text
        after = service.sandbox.snapshot(order_id)
        assert [name for name, _ in before] == [name for name, _ in after]
        differing = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert len(differing) == 1


def test_equal_values_are_not_sent(service: Service) -> None:
    """The same values again are a success whose message says so, without a save in PlanSo."""
    fields = {"person": "Karla Unverändert", "est_hours_lack": 2.5, "paint_date": "2026-12-24"}
    assert service.put(IDS[40], **fields).status_code == 200
    saves = sum(request.saving for request in service.sandbox.requests)
    response = service.put(IDS[40], **fields)
    assert response.status_code == 200
    assert "nothing was sent" in response.json()["message"]
    assert "nothing was sent" in service.put(IDS[40]).json()["message"]
    assert sum(request.saving for request in service.sandbox.requests) == saves
    assert service.order(IDS[40])["person"] == "Karla Unverändert"


def test_an_empty_text_clears(service: Service) -> None:
    """`""` clears texts, dates and times; null and absence leave them unchanged."""
    assert service.put(IDS[41], remarks="da", paint_date="24.12.2026", repair_date_time_from="8 Uhr").status_code == 200
    assert service.order(IDS[41])["repair_date_time_from"] == "08:00"
    response = service.put(IDS[41], remarks="", paint_date="", repair_date_time_from="", person=None)
    assert response.status_code == 200
    order = service.order(IDS[41])
    assert (order["remarks"], order["paint_date"], order["repair_date_time_from"]) == (None, None, None)
    assert service.sandbox.value(IDS[41], "Lackiertermin") == ""
    assert order["person"] is not None


def test_a_merge_patch_clears_with_null(service: Service) -> None:
    """In PATCH, null clears texts, numbers, ids and flags; absent fields stay."""
    assert (
        service.put(IDS[42], est_hours_karo=3, remarks="da", vehicle_details={"all_details": True}).status_code == 200
    )
    patch = {"est_hours_karo": None, "vehicle_details": {"all_details": None, "makeID": None}, "person": "Kai Neu"}
    headers = {"Content-Type": "application/merge-patch+json"}
    response = service.http.patch(f"/api/orders/{IDS[42]}", json=patch, headers=headers)
    assert response.status_code == 200, response.text
    order = service.order(IDS[42])
    assert order["est_hours_karo"] is None
    assert order["vehicle_details"]["makeID"] is None
    assert not order["vehicle_details"]["all_details"]
    assert (order["person"], order["remarks"]) == ("Kai Neu", "da")


def test_an_order_is_created_read_back_and_deleted(service: Service) -> None:
    """POST returns the new id, with the order in the mirror; DELETE removes it from PlanSo, and GET is 404."""
    body = {"person": "Änne Groß", "vehicle_details": {"number_plate": "WN-XY 77"}, "shop_date": "2026-12-01"}
    response = service.http.post("/api/orders", json=body)
    assert response.status_code == 200, response.text
    order_id = response.json()["order_id"]
    assert order_id in service.sandbox.order_ids()
    order = service.order(order_id)
    assert (order["person"], order["plate"], order["shop_date"]) == ("Änne Groß", "WN-XY 77", "2026-12-01")
    assert service.sandbox.value(order_id, "Terminart") == "0"
    found = service.http.get("/api/orders", params={"plate": "wnxy77"}).json()
    assert [o["id"] for o in found["orders"]] == [order_id]

    deleted = service.http.delete(f"/api/orders/{order_id}")
    assert (deleted.status_code, deleted.json()["order_id"]) == (200, order_id)
    assert order_id not in service.sandbox.order_ids()
    assert service.http.get(f"/api/orders/{order_id}").status_code == 404
    assert service.put(order_id, person="Wer").status_code == 404
    assert service.http.delete(f"/api/orders/{order_id}").status_code == 404


def test_an_unknown_order_is_404(service: Service) -> None:
    """An id that neither the mirror nor PlanSo knows is 404 for every method, and creates nothing."""
    before = service.sandbox.order_ids()
    for response in (
        service.put(999_999, person="Wer"),
        service.http.get("/api/orders/999999"),
        service.http.get("/api/orders/999999/parts"),
        service.http.delete("/api/orders/999999"),
    ):
        assert (response.status_code, response.json()["success"]) == (404, False)
        assert "999999" in response.json()["message"]
    assert service.sandbox.order_ids() == before


def test_a_value_outside_the_options_is_422(service: Service) -> None:
    """A value that PlanSo's select does not offer is 422 with its options in the message; nothing is written."""
    before = service.sandbox.snapshot(IDS[43])
    response = service.put(IDS[43], vehicle_details={"makeID": 987654}, person="Nicht Gesendet")
    assert response.status_code == 422
    (detail,) = response.json()["detail"]
    assert detail["loc"] == ["body", "vehicle_details", "makeID"]
    assert "VW" in detail["msg"] or "Volkswagen" in detail["msg"]
    assert service.sandbox.snapshot(IDS[43]) == before


def test_a_field_without_a_label_is_422(service: Service) -> None:
    """A field whose label the form lacks is 422, and nothing is written; clearing it is 200 with a message."""
    service.sandbox.knobs.missing_labels.add("ExpressLink")
    try:
        before = service.sandbox.snapshot(IDS[44])
        response = service.put(IDS[44], express_link="https://express.example/1", person="Nicht Gesendet")
        assert response.status_code == 422
        (detail,) = response.json()["detail"]
        assert detail["loc"] == ["body", "express_link"]
        assert "ExpressLink" in detail["msg"]
        assert service.sandbox.snapshot(IDS[44]) == before
        cleared = service.put(IDS[44], express_link="", person="Doch Gesendet")
        assert cleared.status_code == 200
        assert "express_link" in cleared.json()["message"]
    finally:
        service.sandbox.knobs.missing_labels.clear()


def test_a_dropped_save_is_502(service: Service) -> None:
    """A save that PlanSo accepts and drops is 502 with the field and both values; the mirror is right."""
    service.sandbox.knobs.drop_saves_next = 1
    response = service.put(IDS[45], person="Verlorene Mühe")
    assert response.status_code == 502
    message = response.json()["message"]
    assert "person" in message
    assert "Verlorene Mühe" in message
    assert service.order(IDS[45])["person"] == service.sandbox.value(IDS[45], "Fahrername") != "Verlorene Mühe"


def test_a_refusal_is_502_with_planso_s_message(service: Service) -> None:
    """A save of a locked order is 502 with PlanSo's message."""
    service.sandbox.knobs.locked_orders.add(IDS[46])
    response = service.put(IDS[46], person="Kai Gesperrt")
    assert response.status_code == 502
    assert response.json()["message"]
    assert service.sandbox.value(IDS[46], "Fahrername") != "Kai Gesperrt"


def test_an_edit_by_somebody_else_survives(service: Service) -> None:
    """An edit of another field just before our save, even after our reading, is not undone."""
    assert service.put(IDS[47], remarks="alt", person="Alt").status_code == 200
    service.sandbox.edit_field(IDS[47], "Bemerkungen", "von Hand")
    assert service.put(IDS[47], person="Erste").status_code == 200
    assert service.sandbox.value(IDS[47], "Bemerkungen") == "von Hand"

    service.sandbox.knobs.edit_after_next_read.append((IDS[47], "Bemerkungen", "gerade eben"))
    assert service.put(IDS[47], person="Zweite").status_code == 200
    assert service.sandbox.value(IDS[47], "Bemerkungen") == "gerade eben"
    assert service.sandbox.value(IDS[47], "Fahrername") == "Zweite"
    assert service.order(IDS[47])["remarks"] == "gerade eben"


def test_a_lost_response_is_settled_by_reading(service: Service) -> None:
    """A save whose response was lost is confirmed by reading the form: 200."""
    service.sandbox.knobs.lose_answers_next = 1
    response = service.put(IDS[48], person="Doch Angekommen")
    assert response.status_code == 200, response.text
    assert service.sandbox.value(IDS[48], "Fahrername") == "Doch Angekommen"


def test_a_session_that_ends_during_a_write_is_transparent(service: Service) -> None:
    """The session may end before any request of a write, the save included: the write succeeds."""
    for requests in range(6):
        service.sandbox.expire_sessions(after_requests=requests)
        response = service.put(IDS[35 + requests], person=f"Sitzung {requests}")
        assert response.status_code == 200, response.text
        assert service.sandbox.value(IDS[35 + requests], "Fahrername") == f"Sitzung {requests}"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"phone": "keins"}, "phone"),
        ({"email": "jana(at)example.de"}, "email"),
        ({"vehicle_details": {"vin": "zu kurz"}}, "vehicle_details.vin"),
        ({"farbe": "rot"}, "farbe"),
        ({"vehicle_details": {"farbe": 1}}, "vehicle_details.farbe"),
    ],
)
def test_odd_values_are_kept_and_named(service: Service, fields: dict[str, Any], named: str) -> None:
    """A value that looks wrong is kept, an unknown field is left out, and `message` names either."""
    response = service.put(IDS[50], **fields)
    assert response.status_code == 200
    assert named in response.json()["message"]


def test_strict_handling_refuses_unknown_fields(service: Service) -> None:
    """With `Prefer: handling=strict` an unknown field is 422, and `Preference-Applied` says so."""
    body = {"order_id": IDS[50], "person": "Wer", "farbe": "rot"}
    strict = {"Prefer": "handling=strict"}
    response = service.http.put(f"/api/orders/{IDS[50]}", json=body, headers=strict)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "farbe"]
    accepted = service.http.put(f"/api/orders/{IDS[50]}", json={"order_id": IDS[50]}, headers=strict)
    assert accepted.headers["Preference-Applied"] == "handling=strict"


def test_an_unknown_field_is_named_with_the_nearest_one(service: Service) -> None:
    """Left out with 200, or 422 with `handling=strict`: both name the field that was probably meant."""
    body = {"order_id": IDS[50], "shopdate": "02.12.2026", "Kennzeichen": "WN-AE 1"}
    named = service.http.put(f"/api/orders/{IDS[50]}", json=body).json()["message"]
    assert "shopdate (did you mean shop_date?)" in named
    assert "Kennzeichen (did you mean vehicle_details.number_plate?)" in named
    refused = service.http.put(f"/api/orders/{IDS[50]}", json=body, headers={"Prefer": "handling=strict"})
    assert (refused.status_code, "did you mean shop_date?" in refused.json()["message"]) == (422, True)


def test_the_plate_of_answers_creates_no_order_without_one(service: Service) -> None:
    """A create with `plate` is 422 and names `vehicle_details.number_plate`, unless that holds the same."""
    body = {"person": "Ohneschild", "plate": "WN-QQ 4712"}
    refused = service.http.post("/api/orders", json=body)
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "plate"])
    assert "vehicle_details.number_plate" in refused.json()["message"]
    both = body | {"vehicle_details": {"number_plate": "wn-qq 4712"}}
    assert service.http.post("/api/orders", params={"dry_run": "true"}, json=both).status_code == 200


def test_everything_can_be_cleared_at_once(tmp_path: Path) -> None:
    """
    PATCH with null for every field of a form that has hardly any others is confirmed: the empty form read back is not
    taken for a failure of PlanSo, and the order can still be written to.
    """
    others = {label for field in FIELDS if RequestKind.UPDATE not in field.accepted_in for label in field.labels}
    shared = {label for field in FIELDS if RequestKind.UPDATE in field.accepted_in for label in field.labels} - {
        "Fahrzeug"
    }
    sandbox = Sandbox(orders=12, installation=Installation(missing_labels=others - shared | {"Farbton"}))
    with running_on_sqlite(tmp_path, sandbox) as service:
        order_id = sandbox.order_ids()[0]
        schemas = service.http.get("/openapi.json").json()["components"]["schemas"]
        patch: dict[str, Any] = dict.fromkeys(schemas["PatchOrder"]["properties"])
        headers = {"Content-Type": "application/merge-patch+json"}
        response = service.http.patch(f"/api/orders/{order_id}", json=patch, headers=headers)
        assert response.status_code == 200, response.text
        order = service.order(order_id)
        elsewhere = (
            "vehicle_details",
            "damage",
            "repair_date",
        )  # the list and `Fahrzeugeingang (Ist)` may supply these
        append_fields = {field.name for field in APPEND_FIELDS}
        shown = {name: order[name] for name in patch if name not in elsewhere and name not in append_fields}
        assert [name for name, value in shown.items() if value not in (None, False)] == []
        assert not any(order["vehicle_details"].values())
        assert service.put(order_id, person="Wieder Da").status_code == 200
        assert service.order(order_id)["person"] == "Wieder Da"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"person": None, "vehicle_details": None},
        {"vehicle_details": {"number_plate": "", "vin": None, "engine": "1.5 TSI"}},
        {"phone": "030 23125 118", "email": "jana.petersen@example.de", "remarks": "ruft an", "shop_date": "8.12.26"},
    ],
)
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_a_new_order_needs_a_person_or_a_vehicle(service: Service, body: dict[str, Any], query: str) -> None:
    """Without a person, a plate and a VIN, which tell an order from one that does not exist, it is 422, unsent."""
    requests = len(service.sandbox.requests)
    response = service.http.post(f"/api/orders{query}", json=body)
    assert response.status_code == 422, response.text
    assert "person, vehicle_details.number_plate, vehicle_details.vin" in response.json()["message"]
    assert [entry["loc"] for entry in response.json()["detail"]] == [["body"]]
    assert len(service.sandbox.requests) == requests


@pytest.mark.parametrize("vehicle", [{"number_plate": "WN-AE 77"}, {"vin": "WVWZZZ1KZAW123777"}])
def test_a_vehicle_is_enough_for_a_new_order(service: Service, vehicle: dict[str, str]) -> None:
    """An order with a plate or a VIN alone can be created, changed and deleted."""
    created = service.http.post("/api/orders", json={"vehicle_details": vehicle})
    assert created.status_code == 200, created.text
    order_id = created.json()["order_id"]
    assert service.put(order_id, remarks="geht").status_code == 200
    assert service.http.delete(f"/api/orders/{order_id}").status_code == 200
