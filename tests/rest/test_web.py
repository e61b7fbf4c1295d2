"""Common attacks on web services. docs/security.md has the table."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from planso_connector.rest.middleware.route_scopes import REQUIRED_SCOPES
from tests.process import connector_process
from tests.rest import raw
from tests.service import Service

ORDERS = 12
JSON = "Content-Type: application/json"
SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def first(service: Service) -> int:
    return service.sandbox.order_ids()[0]


@pytest.mark.parametrize(
    "path",
    [
        "/api/orders/..%2f..%2fetc%2fpasswd",
        "/api/orders/%2e%2e/%2e%2e/etc/passwd",
        "/api/orders/../../../etc/passwd",
        "/docs/..%2f..%2fsettings.py",
        "/docs/../app.py",
        "/docs/%2e%2e%2fapp.py",
        "/docs//etc/passwd",
        "/docs/..\\app.py",
        "//evil.example/api/orders",
        "/api//orders",
        "/api/orders/",
        "/api/orders/%00",
        "/api/orders/1%0d%0aX-Injected:%20yes",
        "/api/orders/;x",
        "/API/orders",
        "/api/orders/１",
        "/health/live/../../api/orders",
        "/health/live%2f..%2f..%2fapi%2forders",
    ],
)
def test_no_path_leads_anywhere_else(service: Service, path: str) -> None:
    """Dots, doubled and encoded slashes, line ends: a 4xx in the envelope, no redirect, no file, no header."""
    answer = raw.get(service.address, path.encode().decode("latin-1"))
    assert 400 <= raw.status(answer) < 500, answer
    assert b'"success":false' in answer
    head = answer.lower().partition(b"\r\n\r\n")[0]
    assert b"x-injected" not in head
    assert b"location:" not in head
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "spelling", ["/api%2Forders", "/api/orders%2f{id}", "/api/orders/{id}%2fparts", "%2Fapi/orders"]
)
def test_an_encoded_slash_is_no_slash(service: Service, spelling: str) -> None:
    """A proxy in front sees one path segment where the router would see two: 404."""
    answer = raw.get(service.address, spelling.format(id=first(service)))
    assert raw.status(answer) in (400, 404), answer
    assert b'"success":false' in answer


@pytest.mark.parametrize(
    "path", [*(route.removeprefix("GET ") for route in REQUIRED_SCOPES if route.startswith("GET ")), "/no"]
)
def test_head_is_get_without_its_body(service: Service, path: str) -> None:
    """Wherever GET is, for monitoring: the same status and the same headers."""
    address = path.format(
        order_id=first(service),
        operation_id="op_1",
        name="work",
        hold_id="hold_1",
        notice_id="notice_1",
        webhook_id="webhook_1",
        attempt_id="att_1",
    )
    head = service.http.head(address)
    with service.http.stream("GET", address) as whole:  # the stream of changes goes on
        pass
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]
    assert head.headers.keys() == whole.headers.keys() - {"transfer-encoding"}  # of a body


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://LOCALHOST/api/sync/status", 200),
        ("http://localhost?limit=1", 400),
        ("http://evil.example/api/sync/status", 400),
        ("http://localhost@evil.example/api/sync/status", 400),
        ("ftp://localhost/api/sync/status", 400),
    ],
)
def test_an_address_with_a_host_names_the_same_host(service: Service, target: str, status: int) -> None:
    """An absolute address with another host than `Host` is refused: only `Host` was checked."""
    answer = raw.get(service.address, target, host="localhost")
    assert raw.status(answer) == status, answer
    assert b'"success":' in answer


BODY = b'{"order_id": 1}'
SMUGGLED = b"GET /api/orders HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        [f"Content-Length: {len(BODY)}", "Content-Length: 5"],
        [f"Content-Length: {len(BODY)}", f"Content-Length: {len(BODY)}"],
        [f"Content-Length: {len(BODY)}, {len(BODY)}"],
        ["Content-Length: -1"],
        ["Content-Length: +15"],
        ["Content-Length: 0x0f"],
        ["Content-Length: 99999999999999999999999999"],
        [f"Content-Length: {len(BODY)}", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", f"Content-Length: {len(BODY)}"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding : chunked"],
        [" Transfer-Encoding: chunked"],
        ["Content-Length : 15"],
    ],
)
def test_no_request_is_smuggled(service: Service, headers: list[str]) -> None:
    """A request whose body has no certain end is refused, and what follows on the connection is never a request."""
    head = "\r\n".join(["PUT /api/orders/1 HTTP/1.1", "Host: localhost", JSON, *headers])
    answer = raw.exchange(service.address, head.encode() + b"\r\n\r\n" + BODY + SMUGGLED)
    assert raw.status(answer) in (400, 413), answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b'"orders"' not in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /api/orders HTTP/1.1\nHost: localhost\n\n",
        b"GET /api/orders HTTP/1.1\r\nHost: localhost\r\nX-A: a\x00b\r\n\r\n",
        b"GET /api/orders HTTP/1.1\r\nHost: localhost\r\nX-A: a\r b\r\n\r\n",
        b"GET /api/orders HTTP/1.1\r\nHost: localhost\r\nX A: a\r\n\r\n",
        b"GET /api/orders HTTP/1.1\r\nHost: localhost\r\n : a\r\n\r\n",
        b"GET /api/\x00orders HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/orders HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET /api/orders\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=[
        "bare lf",
        "nul",
        "bare cr",
        "blank in name",
        "no name",
        "nul in path",
        "bad url",
        "http/9.9",
        "http/0.9",
        "connect",
        "http/2",
        "tls",
    ],
)
def test_what_is_no_proper_http_is_refused(service: Service, request_bytes: bytes) -> None:
    """Bytes that another reader may take otherwise get a 4xx, and the connector lives."""
    answer = raw.exchange(service.address, request_bytes)
    assert 400 <= raw.status(answer) < 500, answer
    assert service.http.get("/health/live").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"a":' * 150_000 + b"1" + b"}" * 150_000,
        b'{"order_id": ' + b"9" * 1_000_000 + b"}",
        b'{"order_id": 1e' + b"9" * 1000 + b"}",
        b'{"order_id": 1, "remarks": "' + b"\\u0000" * 1000 + b'"}',
        b'{"order_id": 1, ' + b",".join(b'"k%d": 1' % n for n in range(60_000)) + b"}",
        b'{"order_id": 1, ' + b'"person": "a", ' * 60_000 + b'"x": 1}',
    ],
    ids=["deep list", "deep object", "long number", "large exponent", "nul", "many keys", "one key often"],
)
def test_a_json_bomb_is_a_4xx(service: Service, body: bytes) -> None:
    """Refused for depth, size or number, and the next request is answered."""
    answer = service.http.put("/api/orders/1", content=body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert len(answer.content) < 100_000
    assert service.http.get("/api/orders?limit=1").status_code == 200


def test_a_compressed_body_is_not_decompressed(service: Service) -> None:
    """A gzip bomb is 415."""
    bomb = gzip.compress(b'{"order_id": 1, "remarks": "' + b"a" * 50_000_000 + b'"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = service.http.put("/api/orders/1", content=bomb, headers=headers)
    assert answer.status_code == 415
    assert "Content-Encoding: 'gzip' is not accepted" in answer.json()["message"]
    assert answer.headers["Accept-Encoding"] == "identity"


def test_what_a_caller_sends_never_becomes_a_header(service: Service) -> None:
    """Ids, keys and preferences with line ends, encoded or not, add no header to the response."""
    order_id = first(service)
    attempts: list[httpx2.Response] = [
        service.http.get("/api/operations/op_%0d%0aX-Injected:%20yes"),
        service.http.get("/api/orders", params={"cursor": "a\r\nX-Injected: yes"}),
        service.http.get("/api/orders", params={"plate": "a\r\nX-Injected: yes"}),
        service.put(order_id, person="a\u0085X-Injected: yes"),
    ]
    for answer in attempts:
        assert "X-Injected" not in answer.headers
        assert answer.status_code < 500
    for header in ("Prefer: wait=1", 'If-Match: "1"', "Idempotency-Key: a", "Accept-Language: de"):
        folded = raw.get(service.address, "/api/orders", f"{header}\r\n X-Injected: yes")
        assert b"\r\nx-injected" not in folded.lower()


def test_a_value_never_becomes_a_script(service: Service) -> None:
    """HTML in a customer's name is text: JSON to callers, escaped on the sandbox's board, nothing on /docs."""
    order_id = first(service)
    assert service.put(order_id, person=SCRIPT, remarks=SCRIPT).status_code == 200
    answer = service.http.get(f"/api/orders/{order_id}")
    assert answer.json()["order"]["person"] == SCRIPT
    assert answer.headers["Content-Type"] == "application/json"
    for page in (httpx2.get(f"{service.planso}/"), service.http.get("/docs")):
        assert page.headers["Content-Type"].startswith("text/html")
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
    for path in (f"/{SCRIPT}", f"/api/orders/{SCRIPT}", f"/api/orders?limit={SCRIPT}"):
        answer = service.http.get(path)
        assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("value", ["=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "\t=1"])
def test_a_value_never_becomes_a_formula(service: Service, value: str) -> None:
    """What begins like a formula goes to PlanSo and back as it is, or is refused; in a table it is text."""
    order_id = service.sandbox.order_ids()[1]
    answer = service.put(order_id, person=value)
    assert answer.status_code in (200, 422)
    if answer.status_code == 200:
        assert service.order(order_id)["person"] == value
    table = service.http.get("/api/orders", headers={"Accept": "text/csv"})
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    cells = [cell for row in csv.reader(io.StringIO(table.text, newline=""), delimiter=";") for cell in row]
    assert value not in cells
    assert (f"'{value}" in cells) is (answer.status_code == 200)


def test_no_caller_forges_a_log_line(tmp_path: Path) -> None:
    """Line ends, escapes and JSON in paths, methods, headers and ids: each line stays one JSON object of ours."""
    forged = '{"event": "forged"}'
    with connector_process({"CONNECTOR_LOG_LEVEL": "debug"}, tmp_path, "--demo", "--sandbox-port", "0") as connector:
        for path in (f"/%0a{forged}", f"/api/orders/%0d%0a{forged}", f"/api/operations/%1b[31m{forged}"):
            raw.get(connector.address, path.replace(" ", "%20"))
        for header in (f"X-Request-ID: a\\n{forged}", f"traceparent: 00-{forged}", f"User-Agent: \x1b[2J{forged}"):
            raw.get(connector.address, "/api/orders", header, f"Idempotency-Key: {forged}", f"Prefer: {forged}")
        raw.exchange(connector.address, b"FORGED\n" + forged.encode() + b"\r\n\r\n")
    log = connector.log()
    lines = [line for line in log.splitlines() if line.startswith("{")]
    events: list[Any] = [json.loads(line)["event"] for line in lines]
    assert len(events) > 5
    assert "forged" not in events
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", log)
    assert forged not in log


def test_an_upgrade_is_ignored(service: Service) -> None:
    """The header checks apply to a request that asks for another protocol."""
    for protocol in ("websocket", "h2c"):
        upgrade = (
            "Connection: Upgrade, close",
            f"Upgrade: {protocol}",
            "Sec-WebSocket-Key: x",
            "Sec-WebSocket-Version: 13",
        )
        head = ["GET /api/orders?limit=1 HTTP/1.1", "Host: evil.example", *upgrade]
        answer = raw.exchange(service.address, "\r\n".join(head).encode() + b"\r\n\r\n")
        assert raw.status(answer) == 421, answer
