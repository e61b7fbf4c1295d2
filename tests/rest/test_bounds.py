"""Values of any length: too long from a caller is refused, from PlanSo is null with a doubt; never cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from planso_connector.domain.fields import APPEND_FIELDS, FIELDS, MAX_SHOWN_LENGTH, FieldGroup, FieldKind, RequestKind
from planso_connector.sandbox import Sandbox
from tests.service import Service

ORDERS = 40
IDS = iter(sorted(Sandbox(orders=ORDERS).order_ids()))
ORDER = 101
PLATE, REMARKS, OTHER = "Kennzeichen", "Bemerkungen", "Notiz intern"
TEXTS = [field for field in FIELDS if field.kind not in (FieldKind.NUMBER, FieldKind.ID, FieldKind.FLAG)]


@pytest.fixture
def order(service: Service) -> int:
    return next(IDS)


def read(service: Service, order_id: int) -> dict[str, Any]:
    """The order as the connector reads it from PlanSo now."""
    answer = service.http.get(f"/api/orders/{order_id}", params={"max_age": "0"})
    assert (answer.status_code, answer.json()["message"]) == (200, "")
    order: dict[str, Any] = answer.json()["order"]
    return order


def body(on: RequestKind, text: str) -> dict[str, Any]:
    """Every text field of a request."""
    asked: dict[str, Any] = {FieldGroup.DETAILS.value: {}}
    appended = APPEND_FIELDS if on is RequestKind.UPDATE else ()
    for field in (*TEXTS, *appended):
        if on in field.accepted_in:
            (asked[FieldGroup.DETAILS.value] if field.group is FieldGroup.DETAILS else asked)[field.name] = text
    return asked


@pytest.mark.parametrize("length", [1, 100, 10_000, 1_000_000])
@pytest.mark.parametrize("verb", ["PUT", "PATCH", "POST"])
def test_what_callers_send_is_taken_up_to_the_fields_bound(service: Service, verb: str, length: int) -> None:
    """422 names each field that is too long and what is accepted, and no other for its length."""
    on = RequestKind.CREATE if verb == "POST" else RequestKind.UPDATE
    fields = [field for field in (*TEXTS, *APPEND_FIELDS) if on in field.accepted_in]
    too_long = {("body", *field.path.split(".")): field.max_length for field in fields if field.max_length < length}
    # A million characters of one field are all that fits into a body; all kinds have the same way in.
    one = {} if length < 1_000_000 else {"remarks": "A" * length}
    asked = one or body(on, "A" * length)
    wanted = {("body", "remarks"): 20_000} if one else too_long
    path = "/api/orders" if verb == "POST" else f"/api/orders/{ORDER}"
    given = {"order_id": ORDER} if verb == "PUT" else {}
    answer = service.http.request(verb, path, json=given | asked, params={"dry_run": "true"})
    detail = answer.json().get("detail", [])
    told = {tuple(one["loc"]): one["msg"] for one in detail if "characters" in one["msg"]}
    assert told.keys() == wanted.keys()
    assert all(str(longest) in told[loc] for loc, longest in wanted.items())
    assert len(answer.content) < 50_000


def test_every_text_of_a_request_has_a_maximum(service: Service) -> None:
    """The document says how long each text may be: of bodies, queries, headers and paths."""
    document = service.http.get("/openapi.json").json()

    def unbounded(schema: dict[str, Any], where: str) -> Iterator[str]:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for kind in schema.get("anyOf", []):
            yield from unbounded(kind, where)
        if schema.get("type") == "string" and schema.keys().isdisjoint(
            ("maxLength", "enum", "const", "pattern", "format")
        ):
            yield where
        if schema.get("type") == "array":
            yield from unbounded(schema["items"], f"{where}[]")
            if "maxItems" not in schema:
                yield f"{where}: how many"
        for name, member in schema.get("properties", {}).items():
            yield from unbounded(member, f"{where}.{name}")

    found: list[str] = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", []):
                found += unbounded(parameter["schema"], f"{method} {path} {parameter['name']}")
            for content in operation.get("requestBody", {}).get("content", {}).values():
                found += unbounded(content["schema"], f"{method} {path}")
    assert found == []


def test_a_value_that_is_too_long_is_null_with_a_doubt(service: Service, order: int) -> None:
    """No plate from other labels, the text where it is not too long to be told, and a good value again afterwards."""
    service.sandbox.edit_field(order, PLATE, "WN-AE 2309 " * 9)
    held = read(service, order)
    assert (held["plate"], held["vehicle_details"]["number_plate"]) == (None, None)
    assert held["fields"][PLATE] == "WN-AE 2309 " * 9
    (doubt,) = (one for one in held["doubts"] if one["field"] == "vehicle_details.number_plate")
    assert (doubt["text"], doubt["length"]) == (("WN-AE 2309 " * 9).strip(), 98)

    service.sandbox.edit_field(order, PLATE, "WN-AE 2309")
    assert (read(service, order)["plate"], read(service, order)["doubts"]) == ("WN-AE 2309", [])


def test_planso_keeps_a_text_that_is_too_long(service: Service, order: int) -> None:
    """What was read can be sent back, other fields can be written: PlanSo's text stays as it is."""
    text = "Zeile mit Ümläuten\r\n" * 20_000
    for label in (REMARKS, OTHER):
        service.sandbox.edit_field(order, label, text)
    held = read(service, order)
    assert (held["remarks"], held["fields"][REMARKS], held["fields"][OTHER]) == (None, None, None)
    doubts = {one["field"]: one for one in held["doubts"]}
    assert doubts.keys() == {"remarks", f"fields.{REMARKS}", f"fields.{OTHER}"}
    assert doubts["remarks"]["text"] == ""
    assert doubts["remarks"]["length"] > 300_000

    sent_back = service.put(order, **{name: held[name] for name in body(RequestKind.UPDATE, "") if name in held})
    assert sent_back.status_code == 200, sent_back.text
    written = service.put(order, person="Mara Anders")
    assert written.status_code == 200, written.text
    assert service.sandbox.value(order, "Fahrername") == "Mara Anders"
    assert all(service.sandbox.value(order, label).strip() == text.strip() for label in (REMARKS, OTHER))
    assert len(written.content) < 5000


def test_a_write_replaces_what_is_too_long(service: Service, order: int) -> None:
    """An undo restores the whole text."""
    text = "x" * 50_000
    service.sandbox.edit_field(order, REMARKS, text)
    read(service, order)
    answer = service.put(order, remarks="Kurz")
    assert answer.status_code == 200, answer.text
    assert service.sandbox.value(order, REMARKS) == "Kurz"
    assert (read(service, order)["remarks"], read(service, order)["doubts"]) == ("Kurz", [])

    operation = answer.headers["Operation-Id"]
    assert service.operation(answer)["before"]["remarks"].startswith("50000 characters (fingerprint ")
    assert service.http.post(f"/api/operations/{operation}/undo").status_code == 200
    assert service.sandbox.value(order, REMARKS) == text


@pytest.mark.parametrize(("known", "theirs"), [("a" * 30_000, "b" * 30_000), ("KW 51", "KW 52")])
def test_an_edit_of_a_doubtful_field_is_a_conflict(service: Service, order: int, known: str, theirs: str) -> None:
    """With `If-Match` an edit is not overwritten, although the field has no value here."""
    label, field = (REMARKS, "remarks") if len(known) > 100 else ("Werkstattstart", "shop_date")
    asked = {field: "Kurz" if field == "remarks" else "08.12.2026"}
    service.sandbox.edit_field(order, label, known)
    read(service, order)
    tag = service.http.get(f"/api/orders/{order}").headers["ETag"]
    service.sandbox.edit_field(order, label, theirs)
    address = f"/api/orders/{order}"
    refused = service.http.patch(address, json=asked, headers={"If-Match": tag})
    assert refused.status_code == 412, refused.text
    assert service.sandbox.value(order, label) == theirs
    assert len(refused.content) < 50_000

    read(service, order)
    tag = service.http.get(address).headers["ETag"]
    done = service.http.patch(address, json=asked, headers={"If-Match": tag})
    assert done.status_code == 200, done.text


def test_an_appended_line_that_makes_a_text_too_long_is_refused(service: Service, order: int) -> None:
    """422 that names the request's field and what is accepted; nothing is sent. One that fits is added."""
    held = "x" * (MAX_SHOWN_LENGTH - 10)
    service.sandbox.edit_field(order, REMARKS, held)
    refused = service.http.patch(f"/api/orders/{order}", json={"remarks_append": "elf Zeichen"})
    assert refused.status_code == 422, refused.text
    assert refused.json()["detail"][0]["loc"] == ["body", "remarks_append"]
    assert "20000" in refused.json()["detail"][0]["msg"]
    assert service.sandbox.value(order, REMARKS) == held
    assert service.http.patch(f"/api/orders/{order}", json={"remarks_append": "passt"}).status_code == 200
    assert service.sandbox.value(order, REMARKS).splitlines() == [held, "passt"]


def test_an_order_whose_names_are_too_long_is_not_empty(service: Service) -> None:
    """Its person and plate are too long: it is mirrored with doubts, can be written, and the sync reports it."""
    order_id = service.sandbox.add_order({"Fahrername": "Meier " * 100, PLATE: "WN-AE " * 100})
    status = service.sync()
    assert status["last_result"]["failed"] == []
    kinds = {(one["page"], one["kind"], one["what"]) for one in status["last_result"]["doubts"]}
    assert {("form", "too_long", "person"), ("list", "too_long", "short_name")} <= kinds
    assert "is longer than is kept" in status["message"]
    held = service.order(order_id)
    assert (held["person"], held["plate"], held["short_name"]) == (None, None, "")
    assert {one["field"] for one in held["doubts"]} == {"person", "vehicle_details.number_plate", "short_name"}
    service.sandbox.archive(order_id)
    answer = service.put(order_id, person="Meier")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("hours", ["-0,00", "-0", "-0.0"])
def test_a_negative_zero_is_zero(service: Service, order: int, hours: str) -> None:
    """JSON has a negative zero; no response holds one, whoever wrote it."""
    service.sandbox.edit_field(order, "Sollstunden Karo", hours)
    answer = service.http.get(f"/api/orders/{order}", params={"max_age": "0"})
    assert '"est_hours_karo":0.0,' in answer.text
    given = f'{{"order_id": {order}, "est_hours_lack": -0.0}}'
    service.sandbox.edit_field(order, "Sollstunden Lack", "1,50")
    written = service.http.put(f"/api/orders/{order}", content=given, headers={"Content-Type": "application/json"})
    assert written.status_code == 200, written.text
    assert service.sandbox.value(order, "Sollstunden Lack").strip("0,.") == ""
    assert '"est_hours_lack":0.0,' in service.http.get(f"/api/orders/{order}").text
    assert service.operation(written)["asked"] == {"est_hours_lack": 0.0}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("return_date_time", "28.03.2027 02:30"),
        ("return_date_time", "2027-03-28T02:00:00"),
        ("repair_date_time_from", "28.03.2027 02:30"),
        ("shop_date", "2027-03-28 02:59:59"),
    ],
)
def test_an_hour_skipped_by_summer_time_is_refused(service: Service, order: int, field: str, text: str) -> None:
    """422 that names the field and says why."""
    answer = service.put(order, **{field: text})
    assert answer.status_code == 422, answer.text
    (problem,) = answer.json()["detail"]
    assert problem["loc"] == ["body", field]
    assert "does not exist: clocks go from 2:00 to 3:00 on that day" in problem["msg"]
    instant = service.put(order, return_date_time="2027-03-28T00:30:00Z")
    assert instant.status_code == 200, instant.text
    assert service.order(order)["return_date_time"] == "2027-03-28T01:30:00"


def test_planso_may_hold_an_hour_skipped_by_summer_time(service: Service, order: int) -> None:
    """It is a doubt with its text, stays as it is when another field is written, and progress answers."""
    for label, text in (("Rückgabe", "28.03.2027 02:30:00"), ("Lackiertermin", "2027-03-28 02:30")):
        service.sandbox.edit_field(order, label, text)
    held = read(service, order)
    assert (held["return_date_time"], held["paint_date"]) == (None, None)
    doubts = {one["field"]: one["text"] for one in held["doubts"]}
    assert doubts == {"return_date_time": "28.03.2027 02:30:00", "paint_date": "2027-03-28 02:30"}
    assert service.put(order, person="Ina Sommer").status_code == 200
    assert service.sandbox.value(order, "Rückgabe") == "28.03.2027 02:30:00"
    assert service.http.get(f"/api/orders/{order}/progress").status_code == 200
    clock_alone = service.put(order, return_date_time="02:45")
    assert clock_alone.status_code == 422, clock_alone.text
    assert service.put(order, return_date_time="28.03.2027 03:30").status_code == 200


@pytest.mark.parametrize("text", ["25.10.2026 02:30", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"])
def test_an_hour_repeated_by_summer_time_is_wall_clock_time(service: Service, order: int, text: str) -> None:
    """A workshop's clock does not say which one is meant, and PlanSo has no field for it."""
    answer = service.put(order, return_date_time=text)
    assert answer.status_code == 200, answer.text
    assert service.order(order)["return_date_time"] == "2026-10-25T02:30:00"
