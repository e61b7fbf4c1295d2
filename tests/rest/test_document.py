"""The OpenAPI document: every property described, every response with examples; and the messages of a 422."""

from __future__ import annotations

import json
import re
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import pytest

from planso_connector.rest.middleware.accepted_format import CSV, XLSX
from planso_connector.sandbox import Sandbox
from tests.service import Service, running_on_sqlite

ORDERS = 80
ORDER = sorted(Sandbox(orders=ORDERS).order_ids())[70]
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


class Answer(NamedTuple):
    where: str
    status: int
    response: dict[str, Any]

    @property
    def examples(self) -> list[Any]:
        return [shown["value"] for shown in self.response["content"][JSON]["examples"].values()]

    @property
    def schemas(self) -> list[str]:
        """The names of the schemas that the body may have."""
        schema = self.response["content"][JSON]["schema"]
        return [choice["$ref"].rpartition("/")[2] for choice in schema.get("anyOf", [schema])]


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.http.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def declared(document: dict[str, Any]) -> list[Answer]:
    """Every response with a JSON body, of every operation."""
    return [
        Answer(f"{method.upper()} {path} {status}", int(status), response)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for status, response in operation["responses"].items()
        if JSON in response.get("content", ())
    ]


def test_nobody_waits_while_the_document_is_made(tmp_path: Path) -> None:
    """While the document is built for the first time, other requests are answered."""
    with running_on_sqlite(tmp_path, Sandbox(orders=2)) as service:
        place = (service.http.base_url.host, service.http.base_url.port or 80)
        with socket.create_connection(place) as first, socket.create_connection(place) as second:
            for path, asked in (("/openapi.json", first), ("/health/live", second)):
                asked.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                time.sleep(0.05)  # in this order
            assert second.recv(1 << 16).startswith(b"HTTP/1.1 200")
            assert select.select([first], [], [], 0)[0] == []
            assert first.recv(1 << 16).startswith(b"HTTP/1.1 200")


def properties(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for schema, body in document["components"]["schemas"].items():
        for name, member in body.get("properties", {}).items():
            yield f"{schema}.{name}", member


def wrong(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """The errors of `value` by the schema."""
    checked = jsonschema_rs.validator_for({**schema, "components": document["components"]})
    return [error.message for error in checked.iter_errors(value)]


def is_scalar(member: dict[str, Any]) -> bool:
    kinds = [choice.get("type") for choice in member.get("anyOf", [member])]
    return all(kind in ("string", "integer", "number", "boolean", "null") for kind in kinds)


def words(value: Any) -> Iterator[Any]:
    """The scalars of an example."""
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from words(member)
    else:
        yield value


def test_every_property_is_described(document: dict[str, Any]) -> None:
    """Each property of each schema has a description, and each scalar one an example."""
    found = dict(properties(document))
    assert len(found) > 200
    assert [path for path, member in found.items() if not member.get("description", "").strip()] == []
    assert [path for path, member in found.items() if is_scalar(member) and not member.get("examples")] == []


def test_every_propertys_example_is_what_it_may_be(document: dict[str, Any]) -> None:
    """A property's examples are valid by its own schema."""
    told = {
        path: problems
        for path, member in properties(document)
        for example in member.get("examples", [])
        if (problems := wrong(document, member, example))
    }
    assert told == {}


def test_every_answer_is_shown(document: dict[str, Any], declared: list[Answer]) -> None:
    """Each success and each failure of each operation has examples, and they are valid by its schema."""
    statuses = {200, 202, 401, 403, 404, 406, 409, 410, 412, 413, 415, 422, 429, 431, 502, 503, 504}
    assert {answer.status for answer in declared} == statuses
    for answer in declared:
        assert answer.examples, answer.where
        schema = answer.response["content"][JSON]["schema"]
        assert schema, answer.where
        for example in answer.examples:
            assert wrong(document, schema, example) == [], answer.where
            if "ok" in example:  # a tool says with 200, too, that something is wrong
                assert (answer.where, example["say"]) == ("POST /tools/{name} 200", example["ask"])
            else:
                assert example["success"] is (answer.status < 400), answer.where


def test_an_answers_example_is_whole(document: dict[str, Any], declared: list[Answer]) -> None:
    """Each success has an example with every property."""
    for answer in declared:
        if answer.status < 400:
            wholes = [set(document["components"]["schemas"][name]["properties"]) for name in answer.schemas]
            for example in answer.examples:
                assert set(example) in wholes, answer.where
            assert all(whole in map(set, answer.examples) for whole in wholes), answer.where


def test_an_unchanged_order_has_no_body(document: dict[str, Any]) -> None:
    """304 is declared and described, and has no content."""
    unchanged = document["paths"]["/api/orders/{order_id}"]["get"]["responses"]["304"]
    assert "If-None-Match" in unchanged["description"]
    assert "content" not in unchanged


def test_only_metrics_streams_tables_and_pages_are_no_json(document: dict[str, Any]) -> None:
    """Every other response with a body is JSON; metrics, the stream of changes and CSV are text, with an example."""
    others = {
        (path, status, kind)
        for path, operations in document["paths"].items()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        for kind in response.get("content", ())
        if kind != JSON
    }
    stream = ("/api/changes/stream", "200", "text/event-stream")
    lists = ("/api/orders", "/api/orders/{order_id}/parts", "/api/orders/{order_id}/history")
    tables = {(f"{path}{suffix}", "200", kind) for path in lists for suffix, kind in ((".csv", CSV), (".xlsx", XLSX))}
    page = ("/api/orders/{order_id}/timeline.html", "200", "text/html")
    assert others == {("/metrics", "200", "text/plain"), stream, page, *tables}
    assert "id: " in document["paths"][stream[0]]["get"]["responses"]["200"]["content"][stream[2]]["example"]
    for path in lists:
        assert ";" in document["paths"][f"{path}.csv"]["get"]["responses"]["200"]["content"][CSV]["example"]
    metrics = document["paths"]["/metrics"]["get"]["responses"]["200"]["content"]["text/plain"]
    (shown,) = metrics["examples"].values()
    assert "planso_connector_ready 1.0" in shown["value"]


def test_every_write_may_be_accepted(document: dict[str, Any]) -> None:
    """Each verb that goes to PlanSo declares 202, and takes `Prefer` and `Idempotency-Key`; updates take `If-Match`."""
    order = document["paths"]["/api/orders/{order_id}"]
    undo = document["paths"]["/api/operations/{operation_id}/undo"]["post"]
    for write in (order["put"], order["patch"], order["delete"], document["paths"]["/api/orders"]["post"], undo):
        assert "202" in write["responses"]
        assert {"prefer", "idempotency-key"} <= {given["name"].lower() for given in write["parameters"]}
    for write in (order["put"], order["patch"], order["delete"]):
        assert "if-match" in {given["name"].lower() for given in write["parameters"]}


def test_every_answer_says_what_it_is(declared: list[Answer]) -> None:
    """No response has FastAPI's default description."""
    dull = {"Successful Response", "Validation Error", "Additional Response", ""}
    assert [answer.where for answer in declared if answer.response["description"] in dull] == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "rejected the user name or the password|An API key is needed"),
        (403, "scope `orders:write` is needed"),
        (404, "no order 130|no operation op_|no workshop 'reit'|no hold hold_|no notice notice_|no webhook"),
        (
            409,
            (
                "came with another request before|can't be cancelled|can be undone|written back|'reit'|be lost"
                "|is held|50 webhooks|is an example"
            ),
        ),
        (412, "If-Match"),
        (413, "too large"),
        (415, "Content-Type"),
        (502, "PlanSo kept another value"),
        (503, "the disk is full|no sync"),
        (504, "deadline passed|did not answer in time"),
    ],
)
def test_a_failures_example_fits_its_status(declared: list[Answer], status: int, said: str) -> None:
    """Each failing status has an example that fits it; only a 422 has `detail`."""
    shown = [answer for answer in declared if answer.status == status]
    assert shown
    for answer in shown:
        assert re.search(said, answer.examples[0]["message"]), answer.where
        assert all("detail" not in example for example in answer.examples), answer.where


def test_a_422_example_names_its_field(declared: list[Answer]) -> None:
    """422 shows `detail`, and the message is made of it."""
    for answer in declared:
        if answer.status == 422:
            (example,) = answer.examples
            (problem,) = example["detail"]
            assert example["message"] == f"{problem['loc'][-1]}: {problem['msg']}", answer.where


def test_the_422_example_is_what_is_answered(service: Service, document: dict[str, Any]) -> None:
    """The example of an impossible date is exactly the service's message."""
    operation = document["paths"]["/api/orders/{order_id}"]["put"]
    (shown,) = operation["responses"]["422"]["content"][JSON]["examples"].values()
    assert service.put(ORDER, shop_date="31.02.2026").json() == shown["value"]


def test_request_examples_are_accepted_by_their_schema(document: dict[str, Any]) -> None:
    """Each example of a request body is valid by its schema."""
    seen = 0
    for operations in document["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                for shown in content.get("examples", {}).values():
                    assert wrong(document, content["schema"], shown["value"]) == []
                    seen += 1
    assert seen >= 3


def test_an_example_keeps_its_nulls(document: dict[str, Any]) -> None:
    """The example of PATCH has a null, which clears; no placeholder for null is left in the document."""
    content = document["paths"]["/api/orders/{order_id}"]["patch"]["requestBody"]["content"][MERGE_PATCH]
    assert content["examples"]["move_and_clear_the_remarks"]["value"]["remarks"] is None
    assert "\\u0000" not in json.dumps(document)


def test_examples_are_of_workshop_life(document: dict[str, Any], declared: list[Answer]) -> None:
    """No example says `string` or 123."""
    shown = [member.get("examples", []) for _, member in properties(document)]
    shown += [answer.examples for answer in declared]
    dull = ("string", "<string>", "text", "foo", 123, "123")
    assert [word for word in words(shown) if word is not True and word in dull] == []


def test_a_full_database_is_declared_for_the_login(document: dict[str, Any]) -> None:
    """A rejected login is recorded in the database, so POST /api/auth/login can be 503."""
    assert "503" in document["paths"]["/api/auth/login"]["post"]["responses"]


A_NUMBER = "must be a number; null leaves it unchanged, PATCH null clears it"
NO_NUMBER = 'is not a number; accepted: a number such as 12.5, also as "12,5" or "1.234,5"'
A_SECTION = "a section's name, such as stamped_timings: up to 40 letters a to z and _"


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ([], "model_attributes_type", "body: must be an object"),
        ({"vehicle_details": "Golf"}, "model_attributes_type", "vehicle_details: must be an object"),
        ({"person": 1}, "string_type", "person: must be a text"),
        (
            {"customer_category": "Privat"},
            "int_parsing",
            "customer_category: 'Privat' is not a whole number; accepted: digits, such as 11",
        ),
        ({"customer_category": ""}, "int_type", "customer_category: must be a whole number"),
        ({"customer_category": 1.5}, "int_type", "customer_category: must be a whole number"),
        ({"customer_category": 0}, "greater_than_equal", "customer_category: must be 1 or more"),
        ({"est_hours_karo": "elf"}, "float_parsing", f"est_hours_karo: 'elf' {NO_NUMBER}"),
        ({"est_hours_karo": ""}, "float_type", f"est_hours_karo: {A_NUMBER}"),
        ({"est_hours_karo": -1}, "greater_than_equal", "est_hours_karo: must be 0 or more"),
        ({"est_hours_karo": 2_000_000}, "less_than_equal", "est_hours_karo: must be 1000000 or less"),
        ({"vehicle_details": {"all_details": "ja"}}, "bool_type", "vehicle_details.all_details: must be true or false"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_a_bad_field_is_told_in_plain_words(service: Service, body: Any, kind: str, message: str) -> None:
    """The message says what would be accepted; `type` is pydantic's."""
    answer = service.http.patch(f"/api/orders/{ORDER}", json=body, headers={"Content-Type": MERGE_PATCH})
    assert (answer.status_code, answer.json()["message"]) == (422, message)
    assert [entry["type"] for entry in answer.json()["detail"]] == [kind]


@pytest.mark.parametrize(
    ("method", "address", "body", "message"),
    [
        ("PUT", f"/api/orders/{ORDER}", {"person": "Kai"}, "order_id: is required"),
        ("POST", "/api/orders", {"person": ""}, "person: must not be empty"),
        ("POST", "/api/auth/login", {"username": "", "password": "x"}, "username: must not be empty"),
        ("POST", "/api/auth/login", {"username": "meister"}, "password: is required"),
        ("POST", "/api/auth/login", {"username": "m", "password": 5}, "password: must be a text"),
        ("GET", "/api/orders/zwei", None, "order_id: must be a whole number"),
        ("GET", "/api/orders?limit=viele", None, "limit: must be a whole number"),
        ("GET", "/api/orders?limit=501", None, "limit: must be 500 or less"),
        ("GET", "/api/orders?archived=vielleicht", None, "archived: must be true or false"),
        ("GET", f"/api/orders?plate={'W' * 201}", None, "plate: must have at most 200 characters"),
        ("GET", f"/api/orders/{ORDER}?max_age=bald", None, "max_age: must be a number"),
        ("GET", f"/api/orders/{ORDER}?max_age=inf", None, "max_age: must be a finite number"),
        ("GET", f"/api/orders/{ORDER}/sections/A1", None, f"name: accepted: {A_SECTION}"),
    ],
)
def test_a_bad_request_is_told_in_plain_words(
    service: Service, method: str, address: str, body: Any, message: str
) -> None:
    """The same for what is missing or empty, and for parameters."""
    answer = service.http.request(method, address, json=body) if body else service.http.request(method, address)
    assert (answer.status_code, answer.json()["message"]) == (422, message)


@pytest.mark.parametrize("content", [b"{", b"[" * 4_000, b'{"order_id": 1' + b"0" * 5000 + b"}", b'"\xff"'])
def test_what_is_no_json_is_told_once(service: Service, content: bytes) -> None:
    """A body that can't be parsed as JSON is reported once, with the place."""
    answer = service.http.put(f"/api/orders/{ORDER}", content=content, headers={"Content-Type": JSON})
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("The body can't be read as JSON in UTF-8: ")
    assert "line 1" in answer.json()["message"]
