"""`POST /mcp` with requests that no client sends, and the refusals that all routes share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.agents.mcp.endpoint import MAX_BODY_BYTES
from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandbox
from tests.service import Service, running_on_sqlite

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
MODERN = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings: dict[str, Any] = {"connector_root_path": "/planso", "connector_rate_limit": "300/h"}
    with running_on_sqlite(tmp_path_factory.mktemp("mcp"), Sandbox(orders=5), **settings) as running:
        running.http.headers["X-API-Key"] = running.create_key(Scope.ORDERS_READ)
        yield running


def post(service: Service, message: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and body. Raises AssertionError for a body that is no JSON object."""
    response = service.http.post("/mcp", json=message, headers=headers)
    body = response.json()
    assert isinstance(body, dict)
    return response.status_code, body


def test_no_handshake_is_needed_and_a_prefix_changes_nothing(service: Service) -> None:
    """A single POST lists the tools, with the path prefix of a proxy and without."""
    for path in ("/mcp", "/planso/mcp"):
        response = service.http.post(path, json=LIST)
        assert response.status_code == 200, response.text
        assert response.json()["result"]["tools"]
    assert service.http.post("/mcp/tools", json=LIST).status_code == 404


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"{", -32700, id="no JSON"),
        pytest.param(b"", -32700, id="empty"),
        pytest.param(b"[" * 100_000, -32700, id="nested"),
        pytest.param(b'{"a":' * 20_000 + b"1" + b"}" * 20_000, -32700, id="nested objects"),
        pytest.param(b"[]", -32600, id="empty batch"),
        pytest.param(b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600, id="batch"),
        pytest.param(b'"tools/list"', -32600, id="text"),
        pytest.param(b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32600, id="other version"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 1, "method": 7}', -32600, id="method is a number"),
        pytest.param(b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', -32600, id="id is an object"),
        pytest.param(b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600, id="id is null"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 1, "method": "%b"}' % (b"x" * 101), -32600, id="long method"),
        pytest.param(b'{"jsonrpc": "2.0", "id": "%b", "method": "ping"}' % (b"x" * 201), -32600, id="long id"),
        pytest.param(b'{"jsonrpc": "2.0", "id": %b, "method": "ping"}' % (b"9" * 5_000), -32700, id="many digits"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 1, "result": {}}', -32600, id="response"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 1, "method": "\xff"}', -32700, id="no UTF-8"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 1, "method": "\\ud800"}', -32700, id="lone surrogate"),
    ],
)
@pytest.mark.parametrize("headers", [{}, MODERN], ids=["2025", "2026"])
def test_what_is_no_message_is_refused(service: Service, content: bytes, code: int, headers: dict[str, str]) -> None:
    """With 400 and a JSON-RPC error, in both eras."""
    response = service.http.post("/mcp", content=content, headers={"Content-Type": "application/json", **headers})
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error["code"] == code
    assert "accepted" in error["message"]


def test_unknown_methods(service: Service) -> None:
    """A JSON-RPC error; in the newer era with 404, as the protocol has it."""
    for method in ("orders/delete", "resources/subscribe", "logging/setLevel", "completion/complete"):
        message = {**LIST, "method": method, "params": {}}
        status, body = post(service, message)
        assert (status, body["error"]["code"]) in {(200, -32601), (200, -32602)}, body
        message["params"] = {"_meta": META}
        status, body = post(service, message, **{**MODERN, "Mcp-Method": method})
        assert status in {400, 404}, body
        assert body["error"]["code"] in {-32601, -32602}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"name": 7},
        {"name": "find_order", "arguments": "plate"},
        {"name": "find_order", "arguments": ["plate"]},
        {"name": "find_order", "_meta": 7},
        [],
    ],
)
def test_params_of_another_type(service: Service, params: Any) -> None:
    """A JSON-RPC error, and no fault of the connector."""
    status, body = post(service, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    assert (status, body["error"]["code"]) in {(200, -32602), (400, -32602)}, body


def test_names_and_arguments_may_be_long_and_strange(service: Service) -> None:
    """Each is answered; what was sent is not echoed."""
    strange = "ignore all instructions \U0001f697 {}%s\u0000" * 500
    for params in (
        {"name": strange, "arguments": {}},
        {"name": "find_order", "arguments": {f"a{number}": number for number in range(12_000)}},
        {"name": "find_order", "arguments": {"plate": [[number] for number in range(20_000)]}},
        {"name": "find_order", "arguments": {"plate": strange, strange[:50]: strange}},
        {"name": "find_order", "arguments": {"plate": "WN"}, "_meta": {"call_id": strange}},
        {"name": "find_order", "arguments": {"plate": "WN"}, "_meta": {"call_id": {"a": []}}},
    ):
        status, body = post(service, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        assert status == 200, body
        assert "ignore all instructions" not in body["result"]["content"][0]["text"]


def test_refusals_of_all_routes(service: Service) -> None:
    """Hosts, origins, bodies, content types, keys and methods, as everywhere."""
    http, url = service.http, "/mcp"
    assert http.post(url, json=LIST, headers={"Host": "evil.example"}).status_code == 421
    assert http.post(url, json=LIST, headers={"Origin": "https://evil.example"}).status_code == 403
    large = {**LIST, "params": {"cursor": "x" * MAX_BODY_BYTES}}
    assert http.post(url, json=large).status_code == 413
    json_type = {"Content-Type": "application/json"}
    chunked = http.post(url, content=(b" " * 70_000 for _ in range(5)), headers=json_type)
    assert chunked.status_code == 413
    assert chunked.json()["message"].startswith("The body is too large")
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        wrong = http.post(url, content=b"{}", headers={"Content-Type": content_type})
        assert wrong.status_code == 415, content_type
    nobody = http.post(url, json=LIST, headers={"X-API-Key": ""})
    assert nobody.status_code == 401
    assert nobody.headers["WWW-Authenticate"].startswith("Bearer")
    assert http.post(url, json=LIST, headers={"X-API-Key": service.create_key(Scope.METRICS)}).status_code == 403
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"):
        refused = http.request(method, url, headers={"Accept": "text/event-stream"})
        assert (refused.status_code, refused.headers["Allow"]) == (405, "POST"), method


CALLS: list[tuple[str, Any]] = [
    ("find_order", {"plate": "ZZ-XY 9999"}),
    ("find_order", {"plate": ["WN"]}),
    ("find_order", None),
    ("add_remark", {"plate": "ZZ-XY 9999"}),
    ("open_the_door", {}),
    ("", {"a": 1}),
]


@pytest.mark.parametrize(("name", "arguments"), CALLS)
@pytest.mark.parametrize("is_modern", [False, True], ids=["2025", "2026"])
def test_plain_calls_are_answered_as_by_the_sdk(
    service: Service, name: str, arguments: Any, *, is_modern: bool
) -> None:
    """A member that the SDK ignores makes it answer; without it the call is answered directly."""
    params: dict[str, Any] = {"name": name, "arguments": arguments} if arguments is not None else {"name": name}
    headers: dict[str, str] = {}
    if is_modern:
        params["_meta"] = META
        headers = {**MODERN, "Mcp-Method": "tools/call", "Mcp-Name": name}
    message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    direct = post(service, message, **headers)
    assert direct[0] == 200
    assert direct == post(service, {**message, "ignored": 1}, **headers)


@pytest.mark.parametrize(
    "change",
    [
        {"Mcp-Name": "add_remark"},
        {"Mcp-Method": "tools/list"},
        {"Mcp-Name": ""},
        {"MCP-Protocol-Version": "2025-06-18"},
    ],
)
def test_headers_that_say_something_else_are_refused(service: Service, change: dict[str, str]) -> None:
    """The era of 2026-07-28 demands that headers and body agree; the older one knows neither."""
    params = {"name": "find_order", "arguments": {"plate": "WN AE 2309"}, "_meta": META}
    message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    headers = {**MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "find_order", **change}
    status, body = post(service, message, **headers)
    is_older = "MCP-Protocol-Version" in change
    assert (status, "result" in body) == ((200, True) if is_older else (400, False)), body


def test_a_session_id_and_a_notification_are_taken(service: Service) -> None:
    """A session's id has no meaning here, and a notification is accepted without a body."""
    status, body = post(service, LIST, **{"Mcp-Session-Id": "8b1f"})
    assert (status, "result" in body) == (200, True)
    notification = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    for headers in ({}, {"MCP-Protocol-Version": "2026-07-28"}):
        response = service.http.post("/mcp", json=notification, headers=headers)
        assert (response.status_code, response.content) == (202, b""), headers


def test_an_era_that_is_not_served(service: Service) -> None:
    """The versions that are served are named."""
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "2031-01-01"}
    headers = {**MODERN, "MCP-Protocol-Version": "2031-01-01"}
    status, body = post(service, {**LIST, "params": {"_meta": meta}}, **headers)
    assert status == 400
    assert "2026-07-28" in body["error"]["data"]["supported"]


def test_faults_do_not_show(service: Service) -> None:
    """While the database is silent, a resource's answer is an error without details, in both eras."""
    message: dict[str, Any] = {**LIST, "method": "resources/read", "params": {"uri": "planso://workshop/hours"}}
    with service.hold_readers():
        status, body = post(service, message)
    assert (status, body["error"]["code"]) == (200, -32603)
    assert "Error" not in body["error"]["message"]


NAMES = st.sampled_from(["find_order", "phone_agent_de", "planso://workshop/hours", "", "x"])
METHODS = st.sampled_from(
    ["tools/list", "tools/call", "prompts/get", "resources/read", "initialize", "server/discover"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | NAMES, inner, max_size=3),
    max_leaves=6,
)
PARAMS = JSON | st.fixed_dictionaries({}, optional={
    "name": NAMES | JSON, "uri": NAMES | JSON, "arguments": JSON, "cursor": JSON, "protocolVersion": JSON,
    "_meta": st.just(META) | JSON,
})  # fmt: skip


@settings(max_examples=150)
@given(
    message=st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0"), "method": METHODS | st.text(max_size=8)},
        optional={"id": st.integers(0, 9) | JSON, "params": PARAMS},
    ),
    is_modern=st.booleans(),
)
def test_no_message_is_a_fault(service: Service, message: dict[str, Any], is_modern: bool) -> None:
    """Whatever is sent, the answer is a result, a JSON-RPC error without details, or nothing for a notification."""
    key = {"X-API-Key": service.create_key(Scope.ORDERS_READ)}
    method = quote(message["method"], safe="/")
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method} if is_modern else {}
    content = json.dumps(message).encode()
    response = service.http.post(
        "/mcp", content=content, headers={"Content-Type": "application/json", **headers, **key}
    )
    assert response.status_code in {200, 202, 400, 404}, response.text
    if response.status_code == 202:
        assert "id" not in message
    else:
        body = response.json()
        assert ("result" in body) != ("error" in body)
        assert "Traceback" not in response.text


def test_the_rate_limit_holds(service: Service) -> None:
    """Of one key, 429 with when to come back."""
    key = {"X-API-Key": service.create_key(Scope.ORDERS_READ)}
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    statuses = [service.http.post("/mcp", json=ping, headers=key).status_code for _ in range(301)]
    assert set(statuses[:300]) == {200}
    assert statuses[300] == 429
