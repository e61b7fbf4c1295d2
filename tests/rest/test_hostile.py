from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from planso_connector.rest.json_body import MAX_JSON_VALUES
from planso_connector.rest.schemas.errors import MAX_PROBLEMS
from planso_connector.sandbox import Sandbox
from tests.service import Service, running_on_sqlite

ORDERS = 80
ORDER = sorted(Sandbox(orders=ORDERS).order_ids())[60]
JSON = {"Content-Type": "application/json"}


def body(**fields: Any) -> bytes:
    return json.dumps({"order_id": 160, **fields}).encode()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", ""),
        (b"{", "JSON"),
        (b"person=Kai", "JSON"),
        (b"[]", ""),
        (b"null", ""),
        (b'"text"', ""),
        (b'{"order_id": 160, "person": "\xff\xfe"}', "JSON"),
        (b'{"order_id": 160, "person": "\\ud800"}', "JSON"),
        (b'{"order_id": 160, "est_hours_karo": NaN}', "JSON"),
        (b'{"order_id": 160, "est_hours_karo": Infinity}', "JSON"),
        (b'{"order_id": 160, "est_hours_karo": 1e999}', "est_hours_karo"),
        (b"[" * 100_000, "JSON"),
        (b'{"order_id": 160, "a":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, "JSON"),
        (body(person="a\x00b"), "person"),
        (body(person="zwei\nZeilen"), "person"),
        (body(remarks="\x07"), "remarks"),
        (body(person={"a": 1}), "person"),
        (body(person=["a"]), "person"),
        (body(person=1), "person"),
        (body(vehicle_details="Golf"), "vehicle_details"),
        (body(vehicle_details={"vin": {"a": 1}}), "vehicle_details.vin"),
        (body(vehicle_details={"makeID": "4_2"}), "vehicle_details.makeID"),
        (body(vehicle_details={"makeID": 2**63}), "vehicle_details.makeID"),
        (body(vehicle_details={"makeID": -1}), "vehicle_details.makeID"),
        (body(vehicle_details={"all_details": "ja"}), "vehicle_details.all_details"),
        (body(unbekannt={"a": [1]}), "unbekannt"),
        (body(shop_date="31.02.2026"), "shop_date"),
        (body(shop_date="bald"), "shop_date"),
        (body(paint_date="2026-02-30"), "paint_date"),
        (body(appointment_date="heute"), "appointment_date"),
        (body(repair_date_time_from="25:00"), "repair_date_time_from"),
        (body(est_hours_karo=-1), "est_hours_karo"),
        (body(est_hours_karo=2**63), "est_hours_karo"),
        (body(est_hours_karo="1.500"), "est_hours_karo"),
        (body(est_hours_karo=True), "est_hours_karo"),
        (b'{"person": "Kai"}', "order_id"),
        (b'{"order_id": null}', "order_id"),
        (b'{"order_id": "160"}', "order_id"),
        (b'{"order_id": 161}', "order_id"),
        (b'{"order_id": 160.5}', "order_id"),
        (b'{"order_id": 9223372036854775808}', "order_id"),
        (b'{"order_id": 1' + b"0" * 5000 + b"}", ""),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_bad_body_is_422_and_nothing_is_written(service: Service, content: bytes, named: str) -> None:
    """An invalid body is 422 in the envelope, the message names the field, and PlanSo is not asked."""
    before, requests = service.sandbox.snapshot(ORDER), len(service.sandbox.requests)
    ours = content.replace(b'"order_id": 160', b'"order_id": %d' % ORDER)
    answer = service.http.put(f"/api/orders/{ORDER}", content=ours, headers=JSON)
    assert answer.status_code == 422, answer.text
    told = answer.json()
    assert told["success"] is False
    assert named in told["message"]
    assert all(set(entry) == {"loc", "msg", "type"} for entry in told["detail"])
    assert told["detail"]
    assert service.sandbox.snapshot(ORDER) == before
    assert len(service.sandbox.requests) == requests


LISTS = f"/api/operations/op_{'0' * 20}/restore"


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "/api/writes/resume", b"{" + b",".join(b'"k%d":1' % number for number in range(70_000)) + b"}"),
        ("POST", "/api/writes/resume", b'{"accept": [' + b",".join([b"1"] * 5_000) + b"]}"),
        ("POST", LISTS, b'{"only": [' + b",".join([b'""'] * 300_000) + b"]}"),
        (
            "PATCH",
            f"/api/orders/{ORDER}",
            b'{"vehicle_details": [' + b",".join([b"[" * 90 + b"]" * 90] * 5_000) + b"]}",
        ),
        ("PATCH", f"/api/orders/{ORDER}", b"{" + b",".join([b'"person": 1'] * 80_000) + b"}"),
        ("PATCH", f"/api/orders/{ORDER}", b'{"' + b"." * 1_000_000 + b'": {}}'),
        ("GET", "/api/orders?" + "&".join(f"p{number}=1" for number in range(4_000)), b""),
    ],
    ids=["members", "entries", "many entries", "lists in lists", "one member again and again", "a long name", "query"],
)
def test_many_errors_get_a_short_response(service: Service, method: str, path: str, content: bytes) -> None:
    """However many errors a request has, the 422 names some of them and stays small."""
    answer = service.http.request(method, path, content=content, headers=JSON)
    assert (answer.status_code, answer.json()["success"]) == (422, False)
    assert 0 < len(answer.json()["detail"]) <= MAX_PROBLEMS
    assert len(answer.content) < 40_000


@pytest.mark.parametrize(("members", "is_read"), [(MAX_JSON_VALUES - 1, True), (MAX_JSON_VALUES + 1, False)])
def test_a_body_has_a_maximum_of_members(service: Service, members: int, is_read: bool) -> None:
    """Beyond it the 422 is about their number, not about the members."""
    content = {f"k{number}": 1 for number in range(members)}
    answer = service.http.patch(f"/api/orders/{ORDER}?dry_run=true", json=content)
    assert (answer.status_code == 200) is is_read, answer.text
    assert (f"up to {MAX_JSON_VALUES} members" in answer.json()["message"]) is not is_read


def test_marks_inside_a_text_are_not_counted(service: Service) -> None:
    """What looks like many members and lists inside a text is one value."""
    long = ',:[{\\"' * 3_000
    answer = service.http.patch(f"/api/orders/{ORDER}?dry_run=true", json={"remarks": long})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("order_id", ["0", "-1", "9223372036854775808", "1e3", "abc", "1.5", "%00"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_an_impossible_id_is_a_clear_4xx(service: Service, method: str, order_id: str) -> None:
    """Ids are 1 to 2^63 - 1; anything else is refused before PlanSo is asked."""
    content = b'{"order_id": 0}' if method == "PUT" else b"{}"
    headers = JSON if method in ("PUT", "PATCH") else {}
    answer = service.http.request(method, f"/api/orders/{order_id}", content=content, headers=headers)
    assert 400 <= answer.status_code < 500
    assert answer.json()["success"] is False


@pytest.mark.parametrize("what", ["", "/cancel", "/undo", "/restore"])
def test_an_impossible_operation_is_refused(service: Service, what: str) -> None:
    """An id that holds NUL, which PostgreSQL takes in no text, is 422 before the database is asked."""
    answer = service.http.request("POST" if what else "GET", f"/api/operations/a%00b{what}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["path", "operation_id"]


def test_a_body_that_is_too_large_is_413(service: Service) -> None:
    """A body over 1 MiB is 413, announced or chunked; one just under it is read."""
    huge = body(remarks="x" * 1024 * 1024)
    assert service.http.put(f"/api/orders/{ORDER}", content=huge, headers=JSON).status_code == 413

    def chunks() -> Any:
        for start in range(0, len(huge), 65536):
            yield huge[start : start + 65536]

    assert service.http.put(f"/api/orders/{ORDER}", content=chunks(), headers=JSON).status_code == 413
    assert service.http.put(f"/api/orders/{ORDER}", content=b" " * 1_000_000 + b"{}", headers=JSON).status_code == 422


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_a_body_that_is_not_json_is_415(service: Service, media_type: str) -> None:
    """Another content type, or none, is 415, and the message names JSON."""
    fine = b'{"order_id": %d}' % ORDER
    headers = {"Content-Type": media_type} if media_type else {}
    answer = service.http.put(f"/api/orders/{ORDER}", content=fine, headers=headers)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["message"]
    charset = {"Content-Type": "application/json; charset=utf-8"}
    assert service.http.put(f"/api/orders/{ORDER}", content=fine, headers=charset).status_code == 200


NAMED = json.dumps({"order_id": ORDER, "person": "Müller"}, ensure_ascii=False)


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ("application/json; charset=utf8", NAMED.encode()),
        ("application/json;charset=UTF8;", NAMED.encode()),
        ("application/json; charset='utf-8'", NAMED.encode()),
        ('application/json; version=1; charset="utf-8"', NAMED.encode()),
        ("Application/JSON", NAMED.encode("utf-8-sig")),
    ],
)
def test_utf_8_is_accepted_however_it_is_named(service: Service, headers: str, content: bytes) -> None:
    """Spellings of the one charset that JSON has, and a byte order mark."""
    only_tell = {"dry_run": "true"}
    answer = service.http.put(
        f"/api/orders/{ORDER}", params=only_tell, content=content, headers={"Content-Type": headers}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["changes"][0]["after"] == "Müller"


@pytest.mark.parametrize(
    ("headers", "content", "status", "named"),
    [
        ({"Content-Type": "application/json; charset=latin-1"}, NAMED.encode("latin-1"), 415, "charset=utf-8"),
        ({"Content-Type": "application/json; charset=utf-16"}, NAMED.encode("utf-16"), 415, "charset=utf-8"),
        (JSON, NAMED.encode("utf-16"), 422, "it seems to be UTF-16"),
        (JSON, NAMED.encode("utf-16-le"), 422, "it seems to be UTF-16"),
        (JSON, NAMED.encode("utf-16-be"), 422, "it seems to be UTF-16"),
        (JSON, NAMED.encode("latin-1"), 422, "UTF-8"),
        (JSON, gzip.compress(NAMED.encode(), mtime=0), 422, "it seems to be gzip"),
        (JSON | {"Content-Encoding": "gzip"}, gzip.compress(NAMED.encode(), mtime=0), 415, "not compressed"),
        (JSON | {"Content-Encoding": "br"}, NAMED.encode(), 415, "not compressed"),
        ({}, NAMED.encode(), 415, "is missing; accepted: application/json"),
    ],
)
def test_another_encoding_is_named(
    service: Service, headers: dict[str, str], content: bytes, status: int, named: str
) -> None:
    """A body in another charset, or compressed, is refused; the message says what it seems to be."""
    answer = service.http.put(f"/api/orders/{ORDER}", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["success"] is False
    assert named in answer.json()["message"]


@pytest.mark.parametrize(
    ("content", "locations"),
    [
        (b'{"order_id": 160, "person": "A", "person": "B"}', [["body", "person"]]),
        (b'{"order_id": 160, "person": "A", "person": "A"}', [["body", "person"]]),
        (b'{"order_id": 160, "p\\u0065rson": "A", "person": "B"}', [["body", "person"]]),
        (b'{"order_id": 160, "order_id": 160}', [["body", "order_id"]]),
        (
            b'{"order_id": 160, "vehicle_details": {"vin": "A", "vin": "A", "kba": "1", "kba": "2"}}',
            [["body", "vehicle_details", "vin"], ["body", "vehicle_details", "kba"]],
        ),
        (b'{"order_id": 160, "x": [1, {"a": 1, "a": 1}]}', [["body", "x", 1, "a"]]),
        (b'{"order_id": 160, "x": {"a": 1, "a": 1}, "x": 2}', [["body", "x"]]),
    ],
)
def test_a_repeated_member_is_named(service: Service, content: bytes, locations: list[list[Any]]) -> None:
    """Parsers differ in which of the two they take: 422, even if both have the same value."""
    ours = content.replace(b'"order_id": 160', b'"order_id": %d' % ORDER)
    answer = service.http.put(f"/api/orders/{ORDER}", content=ours, headers=JSON)
    assert answer.status_code == 422
    assert [(entry["loc"], entry["type"]) for entry in answer.json()["detail"]] == [
        (loc, "repeated") for loc in locations
    ]


def test_unknown_addresses_and_methods_have_the_envelope(service: Service) -> None:
    """404 and 405 have the envelope of all failures, 405 the allowed methods."""
    assert service.http.get("/api/nothing").json()["success"] is False
    answer = service.http.put("/api/orders", content=b"{}")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert answer.json()["success"] is False


def test_a_client_that_disconnects_changes_nothing(service: Service) -> None:
    """A client that disconnects in the middle of its body leaves PlanSo as it was, and the connector answers on."""
    before = service.sandbox.snapshot(ORDER)
    host, port = service.address.removeprefix("http://").split(":")
    half = b"PUT /api/orders/160 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
    for fragment in (half, b"\x00\xff" * 50, b"GET"):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(fragment)
    assert service.http.get("/health/live").status_code == 200
    assert service.sandbox.snapshot(ORDER) == before


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A connector of its own for the fuzzer, which may change anything."""
    with running_on_sqlite(tmp_path_factory.mktemp("fuzz"), Sandbox(orders=40)) as running:
        yield running


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_the_document_matches_the_service(fuzzed: Service, mode: str) -> None:
    """Whatever a fuzzer sends: no 5xx, no response that the document does not declare, nothing invalid accepted."""
    # Imported here: it takes half a second, in each worker that collects this file.
    import requests
    import schemathesis
    from schemathesis import checks
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi import checks as document_checks

    asserted = [
        checks.not_a_server_error,
        document_checks.status_code_conformance,
        document_checks.content_type_conformance,
        document_checks.response_schema_conformance,
        document_checks.negative_data_rejection,  # the last one, which tools are spared
    ]
    document = schemathesis.openapi.from_url(f"{fuzzed.address}/openapi.json")
    document.config.generation.update(with_security_parameters=False)  # invented API keys are all refused
    with requests.Session() as session:
        for result in document.get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            if mode == "negative" and not (operation.body or operation.query):
                continue
            if mode == "positive" and operation.path == "/api/changes/stream":
                continue  # each would last a minute; test_changes reads them

            @hypothesis.settings(max_examples=25, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
            @hypothesis.given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
            def tell(case: schemathesis.Case[Any]) -> None:
                if mode == "positive" and case.operation.path == "/api/changes":
                    case.query.pop("wait", None)  # up to a minute each
                # A tool says with 200 that something is invalid.
                is_tool = case.operation.path.startswith("/tools/")
                made = [
                    check for check in asserted if not (is_tool and check is document_checks.negative_data_rejection)
                ]
                case.validate_response(case.call(session=session, timeout=90), checks=made)

            tell()
