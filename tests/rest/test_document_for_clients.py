"""What generators of clients need of the OpenAPI document; `test_generated_clients` runs some."""

from __future__ import annotations

import builtins
import keyword
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from planso_connector.domain.values import MAX_ID
from planso_connector.sandbox import Sandbox
from tests.service import Service

ORDERS = 20
IDS = sorted(Sandbox(orders=ORDERS).order_ids())
GLOBALS_OF_JAVASCRIPT = [
    "Array",
    "ArrayBuffer",
    "Blob",
    "Boolean",
    "Buffer",
    "Date",
    "Error",
    "Event",
    "File",
    "FormData",
    "Function",
    "Headers",
    "Infinity",
    "Intl",
    "Iterator",
    "JSON",
    "Map",
    "Math",
    "Number",
    "Object",
    "Partial",
    "Pick",
    "Omit",
    "Promise",
    "Proxy",
    "Readonly",
    "Record",
    "Reflect",
    "RegExp",
    "Request",
    "Required",
    "Response",
    "Set",
    "String",
    "Symbol",
    "URL",
    "URLSearchParams",
    "WeakMap",
    "WeakSet",
]
"""With those of TypeScript: a schema of such a name hides it from the rest of a generated file."""


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.http.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def parameters(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for route, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            yield f"{route} {parameter['name']}", parameter


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def success(document: dict[str, Any], path: str, method: str = "get") -> list[dict[str, Any]]:
    """The schemas that the body of a 200 may have."""
    response = document["paths"][path][method]["responses"]["200"]
    schema = response["content"]["application/json"]["schema"]
    return [resolved(document, choice) for choice in schema.get("anyOf", [schema])]


def test_functions_get_short_names(document: dict[str, Any]) -> None:
    """Operation ids are verbs in camelCase, each once."""
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(?:[A-Z][a-z]+)+", name)] == []
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    assert {"updateOrder", "listOrders", "getOrder", "createOrder", "deleteOrder", "lookUpOrders"} <= set(ids)


def test_schemas_hide_nothing_of_a_language(document: dict[str, Any]) -> None:
    """No schema has the name of a global of JavaScript, of a builtin or of a keyword of Python; none is there twice."""
    taken = {name.lower() for name in (*GLOBALS_OF_JAVASCRIPT, *dir(builtins), *keyword.kwlist)}
    schemas = document["components"]["schemas"]
    assert [name for name in schemas if name.lower() in taken] == []
    assert [name for name in schemas if name.startswith("VehicleDetails")] == ["VehicleDetailsModel"]


def test_no_parameter_is_null(document: dict[str, Any]) -> None:
    """A query or header that is not meant is not sent: each has one type."""
    found = dict(parameters(document))
    assert len(found) > 50
    kinds = {where: resolved(document, parameter["schema"]).get("type") for where, parameter in found.items()}
    assert {where: kind for where, kind in kinds.items() if kind in (None, "null") or isinstance(kind, list)} == {}


def test_ids_and_counts_are_bounded(document: dict[str, Any]) -> None:
    """Whole numbers of requests have a least and a greatest value; so have ids of orders everywhere."""
    wholes = {where: p["schema"] for where, p in parameters(document) if p["schema"].get("type") == "integer"}
    assert len(wholes) > 10
    for name in ("UpdateOrder", "Order", "SelectedOrder", "Part", "UpdateOrderResponse", "WriteAccepted", "Resume"):
        members = document["components"]["schemas"][name]["properties"]
        for member in members.keys() & {"id", "order_id"}:
            (whole,) = [c for c in members[member].get("anyOf", [members[member]]) if c["type"] == "integer"]
            wholes[f"{name}.{member}"] = whole
            assert (whole["minimum"], whole["maximum"]) == (1, MAX_ID)
    for name in ("makeID", "modelID"):
        (wholes[name],) = [
            choice
            for choice in document["components"]["schemas"]["VehicleDetailsModel"]["properties"][name]["anyOf"]
            if choice["type"] == "integer"
        ]
    assert [where for where, schema in wholes.items() if not {"minimum", "maximum"} <= schema.keys()] == []


def test_each_tag_is_described_and_used(document: dict[str, Any]) -> None:
    """The tags of the operations are those of the list, which describes them."""
    described = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert all(described.values())
    assert {tag for _, operation in operations(document) for tag in operation["tags"]} == set(described)
    assert all(len(operation["tags"]) == 1 for _, operation in operations(document))


def test_the_server_is_the_one_asked(document: dict[str, Any]) -> None:
    """Its address is relative to the document's."""
    assert [server["url"] for server in document["servers"]] == ["/"]


def test_selected_members_have_a_schema_of_their_own(service: Service, document: dict[str, Any]) -> None:
    """With `fields` no member of an order is required; without, all are."""
    whole, selected = success(document, "/api/orders")
    order, full = (resolved(document, page["properties"]["orders"]["items"]) for page in (selected, whole))
    assert "required" not in order
    assert set(full["required"]) == set(full["properties"]) == set(order["properties"])
    answer = service.http.get("/api/orders?fields=plate,version&limit=3").json()
    assert [set(found) for found in answer["orders"]] == [{"id", "plate", "version"}] * 3
    for schema, is_valid in ((whole, False), (selected, True)):
        with_components = {**schema, "components": document["components"]}
        assert jsonschema_rs.validator_for(with_components).is_valid(answer) is is_valid


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_what_a_dry_run_and_a_412_show_is_typed(service: Service, document: dict[str, Any], method: str) -> None:
    """
    A dry run's changes, the order of a 412 and the conflicts of one have members, not just any; and so has what a write
    would change where `CONNECTOR_WRITES` is `shadow`, which is 503.
    """
    dry_run, done = success(document, "/api/orders/{order_id}", method)
    assert resolved(document, dry_run["properties"]["changes"]["items"])["required"]
    assert "changes" not in done["properties"]
    responses = document["paths"]["/api/orders/{order_id}"][method]["responses"]
    shadowed = responses["503"]["content"]["application/json"]["schema"]["anyOf"][0]
    assert resolved(document, shadowed) == dry_run
    changed = resolved(document, responses["412"]["content"]["application/json"]["schema"])
    order, conflict = changed["properties"]["order"]["anyOf"][0], changed["properties"]["conflicts"]["anyOf"][0]
    assert resolved(document, order) == document["components"]["schemas"]["Order"]
    assert set(resolved(document, conflict["items"])["properties"]) == {"field", "base", "theirs", "yours"}
    answer = service.http.request(
        method,
        f"/api/orders/{IDS[0]}",
        json=None if method == "delete" else {"order_id": IDS[0], "person": "Kai Wendt"},
        headers={"If-Match": '"99"'},
    )
    assert answer.status_code == 412
    valid = jsonschema_rs.validator_for({**changed, "components": document["components"]})
    assert [error.message for error in valid.iter_errors(answer.json())] == []
    assert answer.json()["order"]["id"] == IDS[0]


def test_what_docs_offers_to_send_is_small_and_changes_nothing(document: dict[str, Any]) -> None:
    """The first example of each write has few members and comes with `dry_run=true`; path and body name one order."""
    for where, operation in operations(document):
        offered = {p["name"]: p.get("example") for p in operation.get("parameters", ())}
        if "dry_run" in offered:
            assert offered["dry_run"] is True, where
        for content in operation.get("requestBody", {}).get("content", {}).values():
            first = next(iter(content["examples"].values()))["value"]
            required = resolved(document, content["schema"]).get("required", ())
            assert len(first or ()) <= max(3, len(required)), where
            assert isinstance(first, dict) is ("auth" not in where), where
            if where.startswith("PUT") and "order_id" in where:
                assert first["order_id"] == offered["order_id"]
        headers = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "header"}
        assert not headers & {name for name, example in offered.items() if example is not None}, where


def test_a_look_up_begins_with_what_was_heard(document: dict[str, Any]) -> None:
    """`q`, which takes anything, is the first parameter, with an example."""
    first = document["paths"]["/api/lookup"]["get"]["parameters"][0]
    assert first["name"] == "q"
    assert "Petersen" in first["example"]
