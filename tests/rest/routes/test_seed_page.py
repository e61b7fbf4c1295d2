"""The page that the first user handed over, held against the OpenAPI document and the service, to the letter."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from planso_connector.domain.fields import APPEND_FIELDS, FieldGroup, RequestKind, fields_accepted_in
from planso_connector.sandbox import Sandbox
from tests.service import Service

ORDERS = 60
IDS = sorted(Sandbox(orders=ORDERS).order_ids())

PAGE = (Path(__file__).parent / "seed-update-order.txt").read_text("utf-8")


def example() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(PAGE[PAGE.index("--data '") + 8 : PAGE.index("\n'\n")])
    return body


def declared_types() -> dict[str, str]:
    """Field name to `string | null` and the like, from the page's list of body fields."""
    lines = PAGE[PAGE.index("VehicleDetailsModel") : PAGE.index("Response\n")].splitlines()
    return {name: kind for name, kind in pairwise(lines) if kind.endswith("| null")}


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def kinds(document: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    choices = schema.get("anyOf", [schema])
    return {str(resolved(document, choice)["type"]) for choice in choices}


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.http.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def operation(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"]["/api/orders/{order_id}"]["put"]
    return found


@pytest.fixture(scope="module")
def body_schema(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    return resolved(document, operation["requestBody"]["content"]["application/json"]["schema"])


def test_title_and_path_parameter(operation: dict[str, Any]) -> None:
    """The page's title, and a required integer in the path."""
    assert operation["summary"] == "Update order"
    (parameter,) = [p for p in operation["parameters"] if p["in"] == "path"]
    assert (parameter["name"], parameter["required"]) == ("order_id", True)
    assert parameter["schema"]["type"] == "integer"


def test_the_body_has_the_pages_fields_and_no_others(body_schema: dict[str, Any], operation: dict[str, Any]) -> None:
    """
    Every field of the page's example is in the document, in no other place, and order_id alone is required; beside them
    stand the two that add a line to a field of the page.
    """
    assert set(body_schema["properties"]) - {field.name for field in APPEND_FIELDS} == set(example())
    assert body_schema["required"] == ["order_id"]
    assert body_schema["description"] == "Request to update an existing order."
    assert body_schema["properties"]["order_id"]["description"] == "Order ID to update"
    assert operation["requestBody"]["required"] is True


def test_each_field_has_the_pages_type(document: dict[str, Any], body_schema: dict[str, Any]) -> None:
    """`string | null` on the page is string or null in the document; numbers and ids likewise."""
    types = declared_types()
    assert len(types) == 23
    for name, declared in types.items():
        assert kinds(document, body_schema["properties"][name]) == set(declared.split(" | ")), name
    assert kinds(document, body_schema["properties"]["express_link"]) == {"string", "null"}
    assert body_schema["properties"]["order_id"]["type"] == "integer"


def test_the_vehicle_has_the_pages_members(document: dict[str, Any], body_schema: dict[str, Any]) -> None:
    """vehicle_details is the page's object, each member of the example's type."""
    choices = body_schema["properties"]["vehicle_details"]["anyOf"]
    (vehicle,) = [resolved(document, choice) for choice in choices if "$ref" in choice]
    assert vehicle["title"] == "VehicleDetailsModel"
    assert vehicle["description"] == "Vehicle details for creating/updating orders."
    shown = example()["vehicle_details"]
    assert set(vehicle["properties"]) == set(shown)
    names = {str: "string", int: "integer", bool: "boolean"}
    for name, value in shown.items():
        assert names[type(value)] in kinds(document, vehicle["properties"][name]), name


def test_the_answer_is_the_pages(document: dict[str, Any], operation: dict[str, Any]) -> None:
    """
    success boolean required, message string with default "", order_id integer or null; nothing else. Beside it stands
    the answer of a dry run, which is ours.
    """
    answer = operation["responses"]["200"]
    assert answer["description"] == "Update confirmation"
    choices = [resolved(document, choice) for choice in answer["content"]["application/json"]["schema"]["anyOf"]]
    dry_run, schema = choices
    assert {"dry_run", "changes"} <= set(dry_run["required"])
    assert schema["description"] == "Response after updating an order."
    assert set(schema["properties"]) == {"success", "message", "order_id"}
    assert schema["required"] == ["success"]
    assert schema["properties"]["success"]["type"] == "boolean"
    assert (schema["properties"]["message"]["type"], schema["properties"]["message"]["default"]) == ("string", "")
    assert kinds(document, schema["properties"]["order_id"]) == {"integer", "null"}


def test_the_table_of_fields_is_the_page(body_schema: dict[str, Any]) -> None:
    """The one table of fields names exactly what the page names."""
    table = fields_accepted_in(RequestKind.UPDATE)
    assert {f.name for f in table if f.group is FieldGroup.ORDER} == set(example()) - {"order_id", "vehicle_details"}
    assert {f.name for f in table if f.group is FieldGroup.DETAILS} == set(example()["vehicle_details"])


def test_examples_are_of_workshop_life(document: dict[str, Any]) -> None:
    """No example in the document says `string` or 123."""
    text = json.dumps(document)
    assert '"string"' not in re.sub(r'"type": "string"', "", text)
    assert not re.search(r'"examples?": (\[)?123[,\]}]', text)


def test_the_pages_request_with_every_field_null_changes_nothing(service: Service) -> None:
    """Null is no change: 200, the three members, and PlanSo holds what it held, byte for byte."""
    before = service.sandbox.snapshot(IDS[30])
    body = dict.fromkeys(example())
    body["vehicle_details"] = dict.fromkeys(example()["vehicle_details"])
    answer = service.http.put(f"/api/orders/{IDS[30]}", json={**body, "order_id": IDS[30]})
    assert (answer.status_code, set(answer.json())) == (200, {"success", "message", "order_id"})
    assert answer.json()["order_id"] == IDS[30]
    assert service.sandbox.snapshot(IDS[30]) == before


def test_the_pages_request_with_every_field_set(service: Service) -> None:
    """Every field set at once arrives in PlanSo, and is shown by the connector's own database."""
    document = service.http.get("/openapi.json").json()
    operation = document["paths"]["/api/orders/{order_id}"]["put"]
    shown = operation["requestBody"]["content"]["application/json"]["examples"]["every_field"]
    body = {**shown["value"], "order_id": IDS[31]}
    offered = service.http.get("/api/orders/123").json()["order"]["vehicle_details"]
    body["vehicle_details"] |= {"makeID": offered["makeID"], "modelID": offered["modelID"]}
    answer = service.http.put(f"/api/orders/{IDS[31]}", json=body)
    assert answer.json() == {"success": True, "message": "", "order_id": IDS[31]}
    order = service.order(IDS[31])
    assert order["person"] == body["person"] == service.sandbox.value(IDS[31], "Fahrername")
    assert order["shop_date"] == "2026-12-08"
    assert service.sandbox.value(IDS[31], "Werkstattstart") == "08.12.2026"
    assert order["est_hours_karo"] == 11.3
    assert order["remarks"] == body["remarks"]
    assert order["vehicle_details"]["hu_au"] == "2027-03"
    assert order["vehicle_details"]["all_details"] is True
    assert all(order[name] is not None for name in example() if name not in ("order_id", "vehicle_details"))
    again = service.http.put(f"/api/orders/{IDS[31]}", json=body)
    assert "nothing was sent" in again.json()["message"]
