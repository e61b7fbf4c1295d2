"""What is wrong with a request is said in this project's words, in English, or German where that is asked for."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from planso_connector.domain.messages import MESSAGES
from planso_connector.domain.reported_problems import PATTERNS, translate_problem
from planso_connector.rest.routes.orders_query import OrdersQuery
from tests.rest.routes.write_requests import send
from tests.service import Service

ORDERS = 60
SETTINGS = {"connector_sync_parts": False}

_BOUNDS = {"gt": "greater_than", "ge": "greater_than_equal", "lt": "less_than", "le": "less_than_equal"}
_ERRORS: dict[str, set[str]] = {
    "str": {"string_type", "string_unicode"},
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float"},
    "float": {"float_type", "float_parsing", "finite_number"},
    "bool": {"bool_type", "bool_parsing"},
    "list": {"list_type"},
    "dict": {"dict_type"},
    "model": {"model_type", "model_attributes_type"},
    "model-fields": {"missing", "dict_type"},
    "enum": {"enum"},
    "literal": {"literal_error"},
    "function-before": {"value_error"},
    "function-after": {"value_error"},
    **{name: set() for name in ("nullable", "default", "model-field", "union", "lax-or-strict", "any")},
    **{name: set() for name in ("json-or-python", "is-instance", "definitions", "definition-ref")},
}
"""What pydantic may report of a schema of each type, before bounds."""


_PARTS = (
    "schema",
    "items_schema",
    "keys_schema",
    "values_schema",
    "lax_schema",
    "strict_schema",
    "fields",
    "definitions",
    "choices",
)


def iter_schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Each schema within a core schema."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node
        for key in _PARTS:
            fields = node.get(key, [])
            yield from iter_schemas(list(fields.values()) if key == "fields" and isinstance(fields, dict) else fields)
    elif isinstance(node, list):
        for member in node:
            yield from iter_schemas(member)


def iter_request_schemas(service: Service) -> Iterator[dict[str, Any]]:
    """The core schemas of every body, query, path and header parameter."""
    adapters: list[TypeAdapter[Any]] = [TypeAdapter(OrdersQuery)]
    for route in service.routes:
        pending = [route.dependant] if isinstance(route, APIRoute) else []
        while pending:
            dependant = pending.pop()
            pending += dependant.dependencies
            for name in ("path_params", "query_params", "header_params", "body_params"):
                for parameter in getattr(dependant, name):
                    annotation: Any = Annotated[parameter.field_info.annotation, parameter.field_info]
                    adapters.append(TypeAdapter(annotation))
    for adapter in adapters:
        yield from iter_schemas(adapter.core_schema)


def list_error_types(schema: dict[str, Any]) -> set[str]:
    found = set(_ERRORS[schema["type"]])
    found |= {error for bound, error in _BOUNDS.items() if schema.get(bound) is not None}
    size = "string_too_" if schema["type"] == "str" else "too_"
    found |= {f"{size}{which}" for which, key in (("short", "min_length"), ("long", "max_length")) if key in schema}
    if schema.get("pattern") is not None:
        found.add("string_pattern_mismatch")
    if schema.get("config", {}).get("extra_fields_behavior") == "forbid":
        found.add("extra_forbidden")
    return found


def test_every_error_of_the_schemas_has_words_in_both_languages(service: Service) -> None:
    """Whatever pydantic can report of any parameter or body: the table has it, and words for each pattern."""
    schemas = list(iter_request_schemas(service))
    types = set[str]().union(*map(list_error_types, schemas))
    assert {"string_too_long", "missing", "less_than_equal", "extra_forbidden", "enum", "literal_error"} <= types
    assert types - MESSAGES.keys() == set()
    patterns = {
        str(getattr(schema["pattern"], "pattern", schema["pattern"])) for schema in schemas if "pattern" in schema
    }
    assert patterns <= PATTERNS.keys()
    assert patterns


@pytest.mark.parametrize("key", MESSAGES)
def test_a_message_says_the_same_in_both_languages(key: str) -> None:
    """Both texts are there, differ, and take the same values."""
    english, german = MESSAGES[key]
    names = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (english, german)]
    assert names[0] == names[1]
    assert english
    assert german
    assert english != german or names[0]


def test_an_unknown_type_is_not_said_in_foreign_words() -> None:
    """What a new version of pydantic reports is said in our words, too."""
    problem = translate_problem({"loc": ("body", "x"), "type": "brand_new", "msg": "Input should be new", "ctx": {}})
    assert (problem.msg, problem.msg_de) == MESSAGES["value_error"]


BAD: list[tuple[str, str, Any]] = [
    ("PUT", "", {"order_id": "x", "person": 5, "est_hours_karo": True, "vehicle_details": 7}),
    ("PUT", "", {"shop_date": "31.02.2026", "paint_date": "07.12.70", "person": "a\x07"}),
    ("PUT", "", {"remarks": "a", "remarks_append": "b"}),
    ("PUT", "", {"person": "x" * 501, "est_hours_lack": -1, "customer_category": 0, "repair_date_time_from": "25 Uhr"}),
    ("PUT", "?dry_run=vielleicht", {"order_id": 0}),
    ("PUT", "?signed=true", None),
    ("PUT", "", {"order_id": 999_999_999}),
    ("PUT", "", {"plate": "XX-XX 1", "vehicle": {"vin": "x"}}),
    ("PATCH", "", {"remarks_append": "", "person": "   "}),
    ("GET", "s?limit=0&missing_parts=x&sort=quer&after=gestern", None),
    ("GET", "s?fields=nichts", None),
    ("GET", "s?cursor=nein", None),
    ("GET", "s?plaet=x&limit=1&limit=2", None),
    ("GET", "s?plate=%FC", None),
    ("GET", "/sections/NEIN", None),
    ("POST", "s", {"remarks": "niemand"}),
    ("POST", "s", {"person": "x", "fields": {}}),
    ("GET", "lookup", None),
    ("POST", "auth/login", {"username": 5, "password": 5}),
    ("POST", "auth/login", {"username": "", "password": "a\nb", "weg": 1}),
    ("POST", "writes/resume", {"accept": "f_1"}),
    ("POST", "writes/resume", {"accept": ["f_1"], "weg": 1}),
    ("GET", "operations?state=weg&order_id=0", None),
]


@pytest.mark.parametrize(("method", "address", "body"), BAD)
def test_no_raw_sentence_reaches_a_caller(service: Service, order: int, method: str, address: str, body: Any) -> None:
    """422 in English by default, in German where asked for; nothing else of the answer differs."""
    path = {"s": "/api/orders", **dict.fromkeys("aolw", "/api/")}.get(address[:1], f"/api/orders/{order}")
    path += address.removeprefix("s") if address[:2] in ("s", "s?") else address
    if isinstance(body, dict) and method == "PUT":
        body = {"order_id": order} | body
    if body is None and method == "PUT":
        body = {"order_id": order}
    answers = [
        send(service, method, path, body, **({"Accept-Language": language} if language else {}))
        for language in ("", "en-GB", "fr", "de-DE,de;q=0.9,en;q=0.8")
    ]
    assert [answer.status_code for answer in answers] == [422] * 4, answers[0].text
    english, german = answers[0].json(), answers[3].json()
    assert answers[1].json() == answers[2].json() == english
    assert [answer.headers["Content-Language"] for answer in answers] == ["en", "en", "en", "de"]
    for key in ("loc", "type"):
        assert [entry[key] for entry in german["detail"]] == [entry[key] for entry in english["detail"]]
    for one, other in zip(english["detail"], german["detail"], strict=True):
        assert one["msg"] != other["msg"]
        assert one["msg"] in english["message"]
        assert other["msg"] in german["message"]
    raw = re.compile("should be|should have|valid |Value error|Field required|not permitted|unable to")
    assert not raw.search(answers[0].text + answers[3].text)


@pytest.mark.parametrize(
    ("content", "english", "german"),
    [
        (b'{"a": ', "ends too early", "endet zu früh"),
        (b'{"a": 1,}', "a comma too many at line 1, column 9", "ein Komma ist zu viel in Zeile 1, Spalte 9"),
        (b'{"a" 1}', "a colon is missing", "Doppelpunkt"),
        (b'{"a": 1 "b": 2}', "a comma or the closing bracket", "ein Komma oder"),
        (b"{a: 1}", "double quotes", "Anführungszeichen"),
        (b'{"a": wahr}', "no JSON value", "kein JSON-Wert"),
        (b'{"a": 01}', "a number", "eine Zahl"),
        (b'{"a": "\x01"}', "a text holds", "ein Text enthält"),
        (b'{"a": "\xfc"}', "not UTF-8", "nicht UTF-8"),
        (b'{"a": 1} x', "something follows", "folgt noch etwas"),
        (b"\x1f\x8b\x08", "gzip", "gzip"),
        (b"[" * 9000, "holds too much", "zu viel"),
        (b"[" * 3000, "nested too deeply", "zu tief"),
    ],
)
def test_what_is_no_json_is_said_in_words(
    service: Service, order: int, content: bytes, english: str, german: str
) -> None:
    """What is wrong, and where, without the parser's own sentence."""
    for language, words in (("en", english), ("de", german)):
        headers = {"Content-Type": "application/json", "Accept-Language": language}
        answer = service.http.put(f"/api/orders/{order}", content=content, headers=headers)
        assert answer.status_code == 422
        assert words in answer.json()["message"], answer.json()["message"]
        assert not re.search("while parsing|expected|at line \\d+ column", answer.text)


def test_planso_s_form_is_named_in_german_too(service: Service, order: int) -> None:
    """What only PlanSo's form shows to be wrong, also where the answer is a repetition in another language."""
    address, body = f"/api/orders/{order}", {"order_id": order, "vehicle_details": {"makeID": 987_654}}
    german = send(service, "PUT", address, body, Accept_Language="de")
    assert (german.status_code, german.headers["Content-Language"]) == (422, "de")
    assert "bietet 'Hersteller' in PlanSo nicht an; erlaubt: " in german.json()["message"]
    assert "is not offered by PlanSo's 'Hersteller'" in send(service, "PUT", address, body).json()["message"]


@pytest.mark.parametrize(
    ("text", "hours"), [("12,5", 12.5), ("12.5", 12.5), ("7", 7), ("1.234,50", 1234.5), ("0,125", 0.125)]
)
def test_numbers_in_texts_are_numbers(service: Service, order: int, text: str, hours: float) -> None:
    """Hours and ids, the order's own too, are taken as texts; PlanSo holds the number."""
    details = {"makeID": str(service.order(order)["vehicle_details"]["makeID"] or 58)}
    body = {"order_id": str(order), "est_hours_karo": text, "vehicle_details": details}
    answer = send(service, "PUT", f"/api/orders/{order}", body)
    assert answer.status_code == 200, answer.text
    assert service.order(order)["est_hours_karo"] == hours


@pytest.mark.parametrize(
    "bad", ["1.500", "1_000", "inf", "true", True, "", " 5", "-5", "1e3", "1,234.5", "9999999", [5]]
)
def test_what_is_no_number_stays_422(service: Service, order: int, bad: Any) -> None:
    """Two readings, another notation, a boolean, out of range: 422 by name, for hours and for ids."""
    before = service.sandbox.values(order)
    for name in ("est_hours_karo", "customer_category"):
        if (name, bad) == ("customer_category", "9999999"):
            continue
        answer = send(service, "PUT", f"/api/orders/{order}", {"order_id": order, name: bad})
        assert answer.status_code == 422, answer.text
        assert [entry["loc"] for entry in answer.json()["detail"]] == [["body", name]]
        if bad == "1.500":
            assert "1.5 or 1500" in answer.json()["message"]
    assert send(service, "PUT", f"/api/orders/{order}", {"order_id": f"{order}x"}).status_code == 422
    assert service.sandbox.values(order) == before
