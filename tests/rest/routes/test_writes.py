from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planso_connector.domain.fields import APPEND_FIELDS, FIELDS, RequestKind
from planso_connector.sandbox import Installation, Sandbox
from tests.service import Service, connected

ORDERS = 60
IDS = sorted(Sandbox(orders=ORDERS).order_ids())


def held(service: Service, order_id: int) -> dict[str, str]:
    """What PlanSo would be sent for the whole form, by control name (names that occur once)."""
    return dict(service.sandbox.snapshot(order_id))


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before | after if before.get(name) != after.get(name)}


def test_a_write_is_in_planso_and_in_the_mirror_when_it_is_answered(service: Service) -> None:
    """200 has three members; PlanSo holds the values in its own words, and GET shows them as ISO and numbers."""
    answer = service.put(123, shop_date="08.12.26", est_hours_karo=11.3, remarks="Zeile 1\nZeile 2 & <b>", phone=None)
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "message": "", "order_id": 123}
    assert service.sandbox.value(123, "Werkstattstart") == "08.12.2026"
    assert service.sandbox.value(123, "Sollstunden Karo") == "11,30"
    assert service.sandbox.value(123, "Bemerkungen") == "Zeile 1\r\nZeile 2 & <b>"
    order = service.order(123)
    assert (order["shop_date"], order["est_hours_karo"]) == ("2026-12-08", 11.3)
    assert order["remarks"] == "Zeile 1\nZeile 2 & <b>"
    assert order["pending"] == []


def test_only_the_asked_control_changes(service: Service) -> None:
    """One field asked, one control changed; every other one goes back byte for byte."""
    for order_id in service.sandbox.order_ids()[:25]:
        if order_id == 123:
            continue
        before = service.sandbox.snapshot(order_id)
        answer = service.put(order_id, express_link=f"https://express.example/{order_id}")
        assert answer.status_code == 200, answer.text
        after = service.sandbox.snapshot(order_id)
        assert [name for name, _ in before] == [name for name, _ in after]
        differing = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert len(differing) == 1


def test_nothing_differing_costs_no_write(service: Service) -> None:
    """The same values again are a success that says so, and nothing is saved in PlanSo."""
    fields = {"person": "Karla Unverändert", "est_hours_lack": 2.5, "paint_date": "2026-12-24"}
    assert service.put(IDS[40], **fields).status_code == 200
    saves = sum(request.saving for request in service.sandbox.requests)
    answer = service.put(IDS[40], **fields)
    assert answer.status_code == 200
    assert "nothing was sent" in answer.json()["message"]
    assert "nothing was sent" in service.put(IDS[40]).json()["message"]
    assert sum(request.saving for request in service.sandbox.requests) == saves
    assert service.order(IDS[40])["person"] == "Karla Unverändert"


def test_an_empty_text_clears(service: Service) -> None:
    """`""` clears text, dates and times; null and absence leave them alone."""
    assert service.put(IDS[41], remarks="da", paint_date="24.12.2026", repair_date_time_from="8 Uhr").status_code == 200
    assert service.order(IDS[41])["repair_date_time_from"] == "08:00"
    answer = service.put(IDS[41], remarks="", paint_date="", repair_date_time_from="", person=None)
    assert answer.status_code == 200
    order = service.order(IDS[41])
    assert (order["remarks"], order["paint_date"], order["repair_date_time_from"]) == (None, None, None)
    assert service.sandbox.value(IDS[41], "Lackiertermin") == ""
    assert order["person"] is not None


def test_a_merge_patch_clears_with_null(service: Service) -> None:
    """PATCH: null clears text, numbers, ids and flags, which PUT can't; fields not named stay."""
    assert (
        service.put(IDS[42], est_hours_karo=3, remarks="da", vehicle_details={"all_details": True}).status_code == 200
    )
    patch = {"est_hours_karo": None, "vehicle_details": {"all_details": None, "makeID": None}, "person": "Kai Neu"}
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = service.http.patch(f"/api/orders/{IDS[42]}", json=patch, headers=headers)
    assert answer.status_code == 200, answer.text
    order = service.order(IDS[42])
    assert order["est_hours_karo"] is None
    assert order["vehicle_details"]["makeID"] is None
    assert not order["vehicle_details"]["all_details"]
    assert (order["person"], order["remarks"]) == ("Kai Neu", "da")


def test_an_order_is_created_read_back_and_deleted(service: Service) -> None:
    """POST answers with the new id, the order is in the mirror at once; DELETE takes it from PlanSo, GET is 404."""
    body = {"person": "Änne Groß", "vehicle_details": {"number_plate": "WN-XY 77"}, "shop_date": "2026-12-01"}
    answer = service.http.post("/api/orders", json=body)
    assert answer.status_code == 200, answer.text
    order_id = answer.json()["order_id"]
    assert order_id in service.sandbox.order_ids()
    order = service.order(order_id)
    assert (order["person"], order["plate"], order["shop_date"]) == ("Änne Groß", "WN-XY 77", "2026-12-01")
    assert service.sandbox.value(order_id, "Terminart") == "0"
    found = service.http.get("/api/orders", params={"plate": "wnxy77"}).json()
    assert [o["id"] for o in found["orders"]] == [order_id]

    gone = service.http.delete(f"/api/orders/{order_id}")
    assert (gone.status_code, gone.json()["order_id"]) == (200, order_id)
    assert order_id not in service.sandbox.order_ids()
    assert service.http.get(f"/api/orders/{order_id}").status_code == 404
    assert service.put(order_id, person="Wer").status_code == 404
    assert service.http.delete(f"/api/orders/{order_id}").status_code == 404


def test_no_such_order_is_404(service: Service) -> None:
    """An id that neither the mirror nor PlanSo knows is 404 for every verb, and creates nothing."""
    before = service.sandbox.order_ids()
    for answer in (
        service.put(999_999, person="Wer"),
        service.http.get("/api/orders/999999"),
        service.http.get("/api/orders/999999/parts"),
        service.http.delete("/api/orders/999999"),
    ):
        assert (answer.status_code, answer.json()["success"]) == (404, False)
        assert "999999" in answer.json()["message"]
    assert service.sandbox.order_ids() == before


def test_a_value_that_the_select_does_not_offer_is_422_with_the_offer(service: Service) -> None:
    """An id or a word that PlanSo's select does not offer: 422, the offer in the message, nothing written."""
    before = service.sandbox.snapshot(IDS[43])
    answer = service.put(IDS[43], vehicle_details={"makeID": 987654}, person="Nicht Gesendet")
    assert answer.status_code == 422
    (detail,) = answer.json()["detail"]
    assert detail["loc"] == ["body", "vehicle_details", "makeID"]
    assert "VW" in detail["msg"] or "Volkswagen" in detail["msg"]
    assert service.sandbox.snapshot(IDS[43]) == before


def test_a_label_that_planso_does_not_have_is_told(service: Service) -> None:
    """A field whose label the form lacks: 422 naming field and label, nothing written; clearing it is only told."""
    service.sandbox.knobs.missing_labels.add("ExpressLink")
    try:
        before = service.sandbox.snapshot(IDS[44])
        answer = service.put(IDS[44], express_link="https://express.example/1", person="Nicht Gesendet")
        assert answer.status_code == 422
        (detail,) = answer.json()["detail"]
        assert detail["loc"] == ["body", "express_link"]
        assert "ExpressLink" in detail["msg"]
        assert service.sandbox.snapshot(IDS[44]) == before
        cleared = service.put(IDS[44], express_link="", person="Doch Gesendet")
        assert cleared.status_code == 200
        assert "express_link" in cleared.json()["message"]
    finally:
        service.sandbox.knobs.missing_labels.clear()


def test_a_dropped_save_is_no_success(service: Service) -> None:
    """PlanSo says yes and keeps nothing: 502 that names field, what was sent and what was kept; the mirror is true."""
    service.sandbox.knobs.drop_saves_next = 1
    answer = service.put(IDS[45], person="Verlorene Mühe")
    assert answer.status_code == 502
    message = answer.json()["message"]
    assert "person" in message
    assert "Verlorene Mühe" in message
    assert service.order(IDS[45])["person"] == service.sandbox.value(IDS[45], "Fahrername") != "Verlorene Mühe"


def test_a_refusal_is_told_in_plansos_words(service: Service) -> None:
    """A locked order: 502 with what PlanSo said."""
    service.sandbox.knobs.locked_orders.add(IDS[46])
    answer = service.put(IDS[46], person="Kai Gesperrt")
    assert answer.status_code == 502
    assert answer.json()["message"]
    assert service.sandbox.value(IDS[46], "Fahrername") != "Kai Gesperrt"


def test_another_persons_edit_survives(service: Service) -> None:
    """An edit of another field a moment before our save, even between our reading and it, is not overwritten."""
    assert service.put(IDS[47], remarks="alt", person="Alt").status_code == 200
    service.sandbox.edit_field(IDS[47], "Bemerkungen", "von Hand")
    assert service.put(IDS[47], person="Erste").status_code == 200
    assert service.sandbox.value(IDS[47], "Bemerkungen") == "von Hand"

    service.sandbox.knobs.edit_after_next_read.append((IDS[47], "Bemerkungen", "gerade eben"))
    assert service.put(IDS[47], person="Zweite").status_code == 200
    assert service.sandbox.value(IDS[47], "Bemerkungen") == "gerade eben"
    assert service.sandbox.value(IDS[47], "Fahrername") == "Zweite"
    assert service.order(IDS[47])["remarks"] == "gerade eben"


def test_a_lost_answer_is_looked_after(service: Service) -> None:
    """PlanSo saved and its answer got lost: the form is read, and says so: 200."""
    service.sandbox.knobs.lose_answers_next = 1
    answer = service.put(IDS[48], person="Doch Angekommen")
    assert answer.status_code == 200, answer.text
    assert service.sandbox.value(IDS[48], "Fahrername") == "Doch Angekommen"


def test_a_session_that_ends_in_mid_write_is_invisible(service: Service) -> None:
    """The session dies before each of a write's requests in turn, the save's too: the write goes through, each time."""
    for requests in range(6):
        service.sandbox.expire_sessions(after_requests=requests)
        answer = service.put(IDS[35 + requests], person=f"Sitzung {requests}")
        assert answer.status_code == 200, answer.text
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
def test_what_is_odd_is_kept_and_told(service: Service, fields: dict[str, Any], named: str) -> None:
    """What looks wrong is kept, an unknown field is left out, and `message` names either."""
    answer = service.put(IDS[50], **fields)
    assert answer.status_code == 200
    assert named in answer.json()["message"]


def test_strict_handling_refuses_unknown_fields(service: Service) -> None:
    """With `Prefer: handling=strict` an unknown field is 422, and the answer says that the preference was applied."""
    body = {"order_id": IDS[50], "person": "Wer", "farbe": "rot"}
    strict = {"Prefer": "handling=strict"}
    answer = service.http.put(f"/api/orders/{IDS[50]}", json=body, headers=strict)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "farbe"]
    fine = service.http.put(f"/api/orders/{IDS[50]}", json={"order_id": IDS[50]}, headers=strict)
    assert fine.headers["Preference-Applied"] == "handling=strict"


def test_everything_can_be_cleared_at_once(tmp_path: Path) -> None:
    """
    PATCH with every field null, on a form that has hardly any other field: the emptied form that is read back is what
    was asked, not PlanSo's hiccup, and the order can still be written to.
    """
    others = {label for field in FIELDS if RequestKind.UPDATE not in field.accepted_in for label in field.labels}
    shared = {label for field in FIELDS if RequestKind.UPDATE in field.accepted_in for label in field.labels} - {
        "Fahrzeug"
    }
    sandbox = Sandbox(orders=12, installation=Installation(missing_labels=others - shared | {"Farbton"}))
    with connected(tmp_path, sandbox) as service:
        order_id = sandbox.order_ids()[0]
        schemas = service.http.get("/openapi.json").json()["components"]["schemas"]
        patch: dict[str, Any] = dict.fromkeys(schemas["PatchOrder"]["properties"])
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = service.http.patch(f"/api/orders/{order_id}", json=patch, headers=headers)
        assert answer.status_code == 200, answer.text
        order = service.order(order_id)
        elsewhere = (
            "vehicle_details",
            "damage",
            "repair_date",
        )  # the list and `Fahrzeugeingang (Ist)` may supply these
        added_to = {field.name for field in APPEND_FIELDS}
        shown = {name: order[name] for name in patch if name not in elsewhere and name not in added_to}
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
def test_a_new_order_is_somebodys(service: Service, body: dict[str, Any], query: str) -> None:
    """Without a person, a plate or a VIN it could not be told from an order that does not exist: 422, nothing sent."""
    asked = len(service.sandbox.requests)
    answer = service.http.post(f"/api/orders{query}", json=body)
    assert answer.status_code == 422, answer.text
    assert "person, vehicle_details.number_plate, vehicle_details.vin" in answer.json()["message"]
    assert [entry["loc"] for entry in answer.json()["detail"]] == [["body"]]
    assert len(service.sandbox.requests) == asked


@pytest.mark.parametrize("vehicle", [{"number_plate": "WN-AE 77"}, {"vin": "WVWZZZ1KZAW123777"}])
def test_a_vehicle_is_enough_for_a_new_order(service: Service, vehicle: dict[str, str]) -> None:
    """A plate alone, or a VIN alone, makes an order that can be changed and deleted."""
    created = service.http.post("/api/orders", json={"vehicle_details": vehicle})
    assert created.status_code == 200, created.text
    order_id = created.json()["order_id"]
    assert service.put(order_id, remarks="geht").status_code == 200
    assert service.http.delete(f"/api/orders/{order_id}").status_code == 200
