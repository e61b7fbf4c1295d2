"""Scopes: every route with every kind of key; and without any key, this machine alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from starlette.responses import Response
from starlette.routing import Route

from planso_connector.domain.caller import format_key
from planso_connector.domain.fields import APPOINTMENT_PATHS, FieldGroup, FieldKind, RequestKind, fields_accepted_in
from planso_connector.domain.scopes import Scope
from planso_connector.rest.middleware import route_scopes
from planso_connector.rest.middleware.route_scopes import REQUIRED_SCOPES
from planso_connector.sandbox import Sandbox
from tests.rest.keys import make_key
from tests.service import Service, running_on_sqlite
from tests.store.samples import at

IDS = sorted(Sandbox(orders=60).order_ids())
KEYED_ROUTES = sorted(route for route, scopes in REQUIRED_SCOPES.items() if scopes)
PUBLIC_ROUTES = sorted(route for route, scopes in REQUIRED_SCOPES.items() if not scopes)
FOREIGN_HOSTS = (
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.1@evil.example",
    "[::1",
    "10.0.0.1",
)
EVERY_FIELD = {f.name: f.example for f in fields_accepted_in(RequestKind.UPDATE) if f.group is FieldGroup.ORDER}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A connector with keys, `http` with an admin's."""
    with running_on_sqlite(tmp_path_factory.mktemp("callers"), Sandbox(orders=60)) as running:
        running.http.headers |= make_key(running, Scope.ADMIN, name="admin")
        yield running


@pytest.fixture(scope="module")
def bad_keys(service: Service) -> dict[str, dict[str, str]]:
    """Every kind of key that is not valid, as headers."""
    (text,) = [value.partition(" ")[2] for value in make_key(service, Scope.ADMIN).values()]
    head, _, secret = text.rpartition("_")
    return {
        "none": {},
        "another scheme": {"Authorization": f"Basic {text}"},
        "empty": {"X-API-Key": ""},
        "malformed": {"X-API-Key": text[:-1]},
        "wrong secret": {"X-API-Key": f"{head}_{secret[::-1]}"},
        "unknown": {"X-API-Key": f"pc_0000000000_{secret}"},
        "revoked": make_key(service, Scope.ADMIN, revoked_at=at(2)),
        "expired": make_key(service, Scope.ADMIN, expires_at=at(2)),
        "other workshop's": make_key(service, Scope.ADMIN, workshop="waiblingen"),
        "two different": {"X-API-Key": text, **make_key(service, Scope.ADMIN)},
    }


def ask(service: Service, route: str, headers: dict[str, str], **options: Any) -> httpx2.Response:
    """Call the route on an order that exists, with nothing but these headers."""
    method, _, template = route.partition(" ")
    address = template.format(
        order_id=IDS[0],
        name="work",
        operation_id="op_1",
        hold_id="hold_1",
        notice_id="notice_1",
        webhook_id="webhook_1",
        attempt_id="att_1",
    )
    with httpx2.Client(base_url=service.address, timeout=90, verify=False) as stranger:
        return stranger.request(method, address, headers=headers, **options)


def test_the_table_has_every_route(service: Service) -> None:
    """REQUIRED_SCOPES has each route of the application, and nothing else."""
    routes = {
        f"{method} {route.path}" for route in iter_route_contexts(service.routes) for method in route.methods or ()
    }
    assert routes == set(REQUIRED_SCOPES)
    assert {route.partition(" ")[2] for route in PUBLIC_ROUTES if "/api" in route} == set()


def test_a_route_without_an_entry_is_noticed(service: Service) -> None:
    """The application is not built with a route without scopes, nor with scopes without a route."""
    forgotten = Route("/api/forgotten", lambda _request: Response(), methods=["POST"])
    with pytest.raises(LookupError, match="differ in: POST /api/forgotten"):
        route_scopes.check_complete([*service.routes, forgotten])
    with pytest.raises(LookupError, match="GET /health/live"):
        route_scopes.check_complete([])


@pytest.mark.parametrize("route", KEYED_ROUTES)
def test_every_route_needs_a_key(service: Service, bad_keys: dict[str, dict[str, str]], route: str) -> None:
    """Without one, and with each kind of bad one: 401 in the envelope, with a challenge, and PlanSo is not asked."""
    requests = len(service.sandbox.requests)
    for kind, headers in bad_keys.items():
        answer = ask(service, route, headers)
        assert (answer.status_code, set(answer.json())) == (401, {"success", "message"}), kind
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="PlanSo Connector"'), kind
    assert len(service.sandbox.requests) == requests


@pytest.mark.parametrize("route", KEYED_ROUTES)
def test_every_route_needs_its_scope(service: Service, route: str) -> None:
    """A key with all other scopes is 403, naming those needed; a key with one of those is admitted."""
    required = REQUIRED_SCOPES[route]
    assert required
    narrow = make_key(service, *(set(Scope) - set(required) - {Scope.ADMIN}))
    answer = ask(service, route, narrow)
    if "/tools/" in route:  # said in the answer of a tool, which is always 200
        assert (answer.status_code, answer.json()["reason"]) == (200, "not_allowed")
        assert all(f"`{scope}`" in answer.json()["problems"][0] for scope in required)
        return
    assert (answer.status_code, set(answer.json())) == (403, {"success", "message"})
    assert all(f"`{scope}`" in answer.json()["message"] for scope in required)
    assert answer.headers["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{" ".join(required)}"'
    for scope in required:
        assert ask(service, route, make_key(service, scope)).status_code not in (401, 403)


@pytest.mark.parametrize("route", PUBLIC_ROUTES)
def test_public_routes_need_no_key(service: Service, bad_keys: dict[str, dict[str, str]], route: str) -> None:
    """Health, the OpenAPI document and its page are answered to everyone, with a bad key too."""
    for kind, headers in bad_keys.items():
        assert ask(service, route, headers).status_code == 200, kind


def test_the_document_declares_the_scopes(service: Service) -> None:
    """Each operation has the security of REQUIRED_SCOPES, by both headers, and declares its failures."""
    document = service.http.get("/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "api_key"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            required = REQUIRED_SCOPES[f"{method.upper()} {path}"]
            security = operation["security"]
            assert operation.get("x-scopes", []) == list(required or ())
            if required:
                assert {name for scheme in security for name in scheme} == {"bearer", "api_key"}
                in_words = {"403", "503"} if path.startswith("/tools") else set()
                assert {"401", "403", "503"} - in_words <= set(operation["responses"])


def test_without_a_key_every_path_answers_alike(service: Service) -> None:
    """Orders that exist or not, paths that are none: 401 in the same words. With a key 404 and 405."""
    addresses = [f"/api/orders/{IDS[1]}", "/api/orders/99999999", "/api/orders/abc", "/api/nothing", "/api", "/api/"]
    with httpx2.Client(base_url=service.address) as stranger:
        answers = [stranger.get(address) for address in addresses] + [stranger.post("/api/lookup")]
        assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
        assert stranger.get("/nothing").status_code == 404
    assert [service.http.get(address).status_code for address in addresses] == [200, 404, 422, 404, 404, 404]
    wrong_method = service.http.post("/api/lookup")
    assert (wrong_method.status_code, wrong_method.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "address",
    [
        f"/api/orders/{IDS[0]}/",
        f"/api//orders/{IDS[0]}",
        f"//api/orders/{IDS[0]}",
        f"/API/orders/{IDS[0]}",
        f"/health/live/../../api/orders/{IDS[0]}",
        f"/docs/..%2f..%2fapi/orders/{IDS[0]}",
        f"/api/orders%2f{IDS[0]}",
        f"/%61pi/orders/{IDS[0]}",
        f"/api/orders/{IDS[0]}%00",
        f"/api/orders/{IDS[0]};x=/health/live",
        "/docs/../../../../etc/passwd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
    ],
)
def test_no_spelling_of_a_path_bypasses_authentication(service: Service, address: str) -> None:
    """However a path is written, without a key it shows no order and no file."""
    host = urlsplit(service.address).netloc
    with socket.create_connection(host.split(":"), 10) as raw:  # type: ignore[arg-type]
        raw.sendall(f"GET {address} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert int(answer.split()[1]) in (401, 404)
    assert b'"order"' not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
def test_an_appointments_key_changes_dates(service: Service, verb: str) -> None:
    """Every date and time of an order can be changed with it."""
    headers = make_key(service, Scope.APPOINTMENTS_WRITE)
    order_id = IDS[10 if verb == "PUT" else 11]
    body = {name: value for name, value in EVERY_FIELD.items() if name in APPOINTMENT_PATHS}
    assert len(body) == 10
    whole = {**dict.fromkeys(EVERY_FIELD), **body, "order_id": order_id} if verb == "PUT" else body
    answer = ask(service, f"{verb} /api/orders/{order_id}", headers, json=whole)
    assert (answer.status_code, answer.json()["message"]) == (200, "")
    assert service.sandbox.value(order_id, "Werkstattstart") == "08.12.2026"


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
def test_an_appointments_key_changes_nothing_else(service: Service, verb: str) -> None:
    """All fields that are not dates are named in the 403; nothing is recorded and PlanSo is not asked."""
    headers, order_id = make_key(service, Scope.APPOINTMENTS_WRITE), IDS[12]
    requests = len(service.sandbox.requests)
    every = {**EVERY_FIELD, "vehicle_details": {"vin": "WVWZZZ1KZAW123456", "hu_au": "03/2027"}}
    whole = every | ({"order_id": order_id} if verb == "PUT" else {})
    for address in (f"/api/orders/{order_id}", f"/api/orders/{order_id}?dry_run=true"):
        answer = ask(service, f"{verb} {address}", headers, json=whole)
        assert answer.status_code == 403
        named = set(answer.json()["message"].partition(":")[0].split(", "))
        assert named == set(EVERY_FIELD) - APPOINTMENT_PATHS | {"vehicle_details.vin", "vehicle_details.hu_au"}
    one_too_many = {"shop_date": "09.12.2026", "remarks": ""} | ({"order_id": order_id} if verb == "PUT" else {})
    assert ask(service, f"{verb} /api/orders/{order_id}", headers, json=one_too_many).status_code == 403
    assert len(service.sandbox.requests) == requests
    assert service.http.get("/api/operations", params={"order_id": order_id}).json()["count"] == 0


def test_appointment_fields_are_the_dates_and_times() -> None:
    """Every date, time, and date with time of an order, but not the months of the vehicle's papers."""
    kinds = {f.path: f.kind for f in fields_accepted_in(RequestKind.UPDATE)}
    assert {
        path for path, kind in kinds.items() if kind in (FieldKind.DATE, FieldKind.TIME, FieldKind.DATETIME)
    } == APPOINTMENT_PATHS
    assert {"vehicle_details.first_registration", "vehicle_details.hu_au"}.isdisjoint(APPOINTMENT_PATHS)


def test_null_clears_only_what_the_key_may(service: Service) -> None:
    """PATCH null is a change: accepted for a date, 403 for another field."""
    headers, route = make_key(service, Scope.APPOINTMENTS_WRITE), f"PATCH /api/orders/{IDS[13]}"
    assert ask(service, route, headers, json={"paint_date": None}).status_code == 200
    assert ask(service, route, headers, json={"phone": None}).status_code == 403
    assert ask(service, route, headers, json={"vehicle_details": None}).status_code == 403


def test_a_key_without_orders_read_gets_no_order(service: Service) -> None:
    """A 412 has the order for who may read it; a write-only key gets the message alone."""
    body = {"remarks": "neu"}
    stale = {"If-Match": '"99"'}
    route = f"PATCH /api/orders/{IDS[14]}"
    writer, reader = make_key(service, Scope.ORDERS_WRITE), make_key(service, Scope.ORDERS_WRITE, Scope.ORDERS_READ)
    shown, hidden = (ask(service, route, headers | stale, json=body) for headers in (reader, writer))
    assert (shown.status_code, hidden.status_code) == (412, 412)
    assert shown.json()["order"]["id"] == IDS[14]
    assert (set(hidden.json()), hidden.json()["message"]) == ({"success", "message"}, shown.json()["message"])


def test_a_conflict_shows_the_order_only_to_readers(service: Service) -> None:
    """The same if somebody changed the field in PlanSo: the conflicting fields are named, the order is left out."""
    order_id = IDS[15]
    etag = service.http.get(f"/api/orders/{order_id}").headers["ETag"]
    service.sandbox.edit_field(order_id, "Bemerkungen", "von Hand")
    headers = make_key(service, Scope.ORDERS_WRITE) | {"If-Match": etag}
    answer = ask(service, f"PATCH /api/orders/{order_id}", headers, json={"remarks": "per Anruf"})
    assert (answer.status_code, set(answer.json())) == (412, {"success", "message", "conflicts"})


def test_a_write_names_its_caller(service: Service) -> None:
    """The operation and the history name the key by its name and id, to everyone who may read orders."""
    order_id = IDS[16]
    headers = make_key(service, Scope.ORDERS_WRITE, name="Kalender")
    key_id = headers["Authorization"].split("_")[1]
    answer = ask(service, f"PATCH /api/orders/{order_id}", headers, json={"remarks": "verschoben"})
    assert answer.status_code == 200
    reader = make_key(service, Scope.ORDERS_READ)
    found = f"GET /api/operations/{answer.headers['Operation-Id']}"
    assert ask(service, found, reader).json()["operation"]["caller"] == f"Kalender ({key_id})"
    history = ask(service, f"GET /api/orders/{order_id}/history", reader).json()["history"]
    assert history[0]["by"] == f"Kalender ({key_id})"


def test_a_write_only_key_sees_its_own_operations_only(service: Service) -> None:
    """It reads the operation of its own write; another caller's is 404 for it, the list 403."""
    own, other = make_key(service, Scope.APPOINTMENTS_WRITE), make_key(service, Scope.ORDERS_WRITE)
    answer = ask(service, f"PATCH /api/orders/{IDS[17]}", own, json={"paint_date": "2026-12-11"})
    found = f"GET /api/operations/{answer.headers['Operation-Id']}"
    assert ask(service, found, own).status_code == 200
    hidden, missing = ask(service, found, other), ask(service, "GET /api/operations/op_0", other)
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.json()["message"].partition("op_")[0] == missing.json()["message"].partition("op_")[0]
    assert ask(service, "GET /api/operations", own).status_code == 403


def test_each_key_has_its_own_idempotency_keys(service: Service) -> None:
    """The same Idempotency-Key of two callers is two writes; repeated by one caller it is one."""
    answers = []
    first, second = make_key(service, Scope.ORDERS_WRITE), make_key(service, Scope.ORDERS_WRITE)
    for headers, text in ((first, "eins"), (second, "zwei"), (first, "eins")):
        route = f"PATCH /api/orders/{IDS[18]}"
        answers.append(ask(service, route, headers | {"Idempotency-Key": "1"}, json={"remarks": text}))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    first_id, second_id, repeated_id = (answer.headers["Operation-Id"] for answer in answers)
    assert first_id == repeated_id != second_id


def test_a_key_is_read_from_two_headers_only(service: Service) -> None:
    """Either header, or both with the same key; a proxy's Basic beside X-API-Key is ignored; no query, no cookie."""
    text = make_key(service, Scope.ORDERS_READ)["Authorization"].partition(" ")[2]
    route = f"GET /api/orders/{IDS[1]}"
    for headers in (
        {"X-API-Key": text},
        {"Authorization": f"bearer {text}"},
        {"Authorization": f"Bearer {text}", "X-API-Key": text},
        {"Authorization": "Basic cHJveHk6cHJveHk=", "X-API-Key": text},
    ):
        assert ask(service, route, headers).status_code == 200
    assert ask(service, f"{route}?api_key={text}&X-API-Key={text}", {}).status_code == 401
    assert ask(service, route, {"Cookie": f"X-API-Key={text}"}).status_code == 401


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer",
        b"Bearer  ",
        b"Bearer \xff\xfe\x80",
        b"Bearer " + b"x" * 8000,
        b'Bearer ", error="x',
        b"Bearer \xd9\xa3",
    ],
)
def test_an_odd_header_is_a_wrong_key(service: Service, value: bytes) -> None:
    """Whatever it holds: 401, never 500, and nothing of it is repeated."""
    host = urlsplit(service.address).netloc
    with socket.create_connection(host.split(":"), 10) as raw:  # type: ignore[arg-type]
        head = f"GET /api/orders HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: ".encode()
        raw.sendall(head + value + b"\r\n\r\n")
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.count(b"error=") == 1
    assert value[7:30].strip() == b"" or value[7:30] not in answer


def test_readiness_shows_checks_only_with_a_key(service: Service) -> None:
    """Without a key only whether it is ready."""
    assert ask(service, "GET /health/ready", {}).json() == {
        "success": True,
        "message": "",
        "state": "ready",
        "checks": [],
    }
    checks = {check["name"]: check["ok"] for check in service.http.get("/health/ready").json()["checks"]}
    assert checks["database"] is True


def test_orders_shown_are_in_the_access_log(service: Service) -> None:
    """Each way of reading orders records caller, route and orders; what shows none, or fails, records nothing."""
    service.read_access_log()
    headers = make_key(service, Scope.ORDERS_READ, Scope.ORDERS_WRITE)
    key_id, order_id = headers["Authorization"].split("_")[1], IDS[20]
    written = ask(service, f"PATCH /api/orders/{order_id}", headers, json={"remarks": "fürs Protokoll"})
    operation_id = written.headers["Operation-Id"]
    route = "GET /api/orders/{order_id}"
    listed = ask(service, "GET /api/orders?limit=3&fields=id", headers).json()["orders"]
    matched = ask(service, "GET /api/lookup?plate=wnae2309", headers).json()["matches"]
    for path in ("", "/parts", "/history", "/progress", "/sections"):
        assert ask(service, f"GET /api/orders/{order_id}{path}", headers).status_code == 200
    ask(service, f"GET /api/operations/{operation_id}", headers)
    ask(service, f"PATCH /api/orders/{order_id}?dry_run=true", headers, json={"remarks": "ganz anders"})
    ask(service, f"PATCH /api/orders/{order_id}", headers | {"If-Match": '"99"'}, json={"remarks": "x"})
    for address in ("99999999", "abc", f"{order_id}/sections/nothing"):
        ask(service, f"GET /api/orders/{address}", headers)
    ask(service, f"GET /api/orders/{order_id}", {})
    ask(service, "GET /api/sync/status", headers)
    found = {
        (entry.route, entry.order_ids, entry.times) for entry in service.read_access_log() if entry.caller == key_id
    }
    alone = (order_id,)
    assert matched
    assert found == {
        ("GET /api/orders", tuple(order["id"] for order in listed), 1),
        ("GET /api/lookup", tuple(match["order_id"] for match in matched), 1),
        *((route + path, alone, 1) for path in ("", "/parts", "/history", "/progress", "/sections")),
        ("GET /api/operations/{operation_id}", alone, 1),
        ("PATCH /api/orders/{order_id}", alone, 2),
    }


def test_without_any_key_only_this_machine_is_served(tmp_path: Path) -> None:
    """
    By its own names, without a proxy's headers and not from another site's page; everything else is refused with a
    message. An unknown key is refused too. As soon as there is a key, every request needs one.
    """
    with running_on_sqlite(tmp_path, Sandbox(orders=12)) as service:
        route, port = "GET /api/orders", urlsplit(service.address).port
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost", f"[::1]:{port}", "127.0.0.2"):
            assert ask(service, route, {"Host": host}).status_code == 200
        assert ask(service, route, {"Origin": service.address}).status_code == 200
        refusals = {
            401: [
                {"X-Forwarded-For": "203.0.113.9"},
                {"X-Forwarded-Proto": "https"},
                {"Forwarded": "for=203.0.113.9"},
                {"X-Real-IP": "127.0.0.1"},
                {"Via": "1.1 proxy"},
                {"X-API-Key": format_key("0" * 10, "0" * 64)},
            ],
            421: [{"Host": host} for host in FOREIGN_HOSTS],
            403: [{"Origin": "https://evil.example"}, {"Origin": "null"}],
        }
        for status, requests in refusals.items():
            for headers in requests:
                answer = ask(service, route, headers)
                assert (answer.status_code, answer.json()["success"]) == (status, False), headers
                assert ask(service, "GET /health/live", headers).status_code == 200
                assert ask(service, "GET /health/ready", headers).json().get("checks", []) == []
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            raw.sendall(b"GET /api/orders HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            assert raw.recv(65536).split()[1] == b"401"
        assert ask(service, "POST /api/sync", {"Origin": "https://evil.example"}).status_code == 403

        make_key(service, Scope.ADMIN, revoked_at=at(2))
        assert ask(service, route, {}).status_code == 401


def test_anonymous_callers_are_admitted_if_configured(tmp_path: Path) -> None:
    """CONNECTOR_ALLOW_ANONYMOUS=yes serves what a proxy forwards, under any name, until there is a key."""
    named = {"connector_allowed_hosts": "werkstatt.example", "connector_allow_anonymous": True}
    with running_on_sqlite(tmp_path, Sandbox(orders=12), **named) as service:
        headers = {"X-Forwarded-For": "203.0.113.9", "Host": "werkstatt.example", "Origin": "https://werkstatt.example"}
        assert ask(service, "GET /api/orders?limit=1", headers).status_code == 200
        (access,) = service.read_access_log()
        assert (access.caller, access.route, len(access.order_ids)) == ("", "GET /api/orders", 1)
        make_key(service, Scope.ADMIN)
        assert ask(service, "GET /api/orders", headers).status_code == 401
