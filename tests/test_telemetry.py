"""OpenTelemetry traces of a connector process, sent to a collector by OTLP over HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from planso_connector.sandbox import Installation, Sandbox
from planso_connector.telemetry import EXPORTED_ATTRIBUTES
from tests.process import connector_process, free_port
from tests.service import wait_until

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
PASSWORD = "geheim#Wort&=ü"
EXPORT_AT_THE_END = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}
EXPORT_AT_ONCE = {"OTEL_BSP_SCHEDULE_DELAY": "50"}


class Collector:
    """A collector. `bodies` and `headers` of the requests, oldest first; `status` is the status of its responses."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                collector.bodies.append(body)
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def resources(self) -> list[dict[str, str]]:
        resources = [group.resource for body in self.bodies for group in _parse(body).resource_spans]
        return [{item.key: item.value.string_value for item in resource.attributes} for resource in resources]

    def spans(self) -> list[Span]:
        groups = [scope for body in self.bodies for group in _parse(body).resource_spans for scope in group.scope_spans]
        return [span for scope in groups for span in scope.spans]


def _parse(body: bytes) -> ExportTraceServiceRequest:
    request: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(body)
    return request


def attributes(span: Span) -> dict[str, str | int]:
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever, daemon=True)
    thread.start()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(orders=12, installation=Installation(password=PASSWORD))


@contextmanager
def environment(sandbox: Sandbox, tmp_path: Path, address: str, **more: str) -> Iterator[dict[str, str]]:
    with sandbox.serve() as url:
        yield {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": PASSWORD,
            "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db",
            "OTEL_EXPORTER_OTLP_ENDPOINT": address,
            **more,
        }


def find_lines(log: str, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def test_one_trace_covers_request_operation_and_planso(collector: Collector, sandbox: Sandbox, tmp_path: Path) -> None:
    """
    The request's span is a child of the caller's, the push of the request's, PlanSo's requests of the push; response
    and log have the same ids. An unsampled request is not exported. A sync is one trace. SIGTERM flushes spans.
    """
    with (
        environment(sandbox, tmp_path, collector.address, **EXPORT_AT_THE_END) as settings,
        connector_process(settings, tmp_path) as connector,
    ):
        connector.wait_for_sync()
        traced, untraced = sandbox.order_ids()[:2]
        body = {"order_id": traced, "remarks": "Spur"}
        answer = connector.http.put(f"/api/orders/{traced}", json=body, headers={"traceparent": TRACEPARENT})
        assert answer.status_code == 200
        connector.http.get("/api/orders")
        listed = connector.http.get("/api/orders", headers={"traceparent": TRACEPARENT})
        unsampled = {"traceparent": f"00-{'ab' * 16}-{CALLER}-00"}
        connector.http.put(f"/api/orders/{untraced}", json={"order_id": untraced, "remarks": "ohne"}, headers=unsampled)
        assert connector.http.get("/metrics").status_code == 200
        assert collector.bodies == []
        assert connector.stop() == 0
        log = connector.log()
    assert {(resource["service.name"], bool(resource["service.version"])) for resource in collector.resources()} == {
        ("planso-connector", True)
    }
    mine = [span for span in collector.spans() if span.trace_id.hex() == TRACE]
    request, push = (next(s for s in mine if s.name == name) for name in ("PUT /api/orders/{order_id}", "push"))
    assert (request.parent_span_id.hex(), request.kind) == (CALLER, Span.SPAN_KIND_SERVER)
    assert answer.headers["traceresponse"].split("-")[1:3] == [TRACE, request.span_id.hex()]
    assert push.parent_span_id == request.span_id
    assert attributes(push) == {
        "operation.id": answer.headers["Operation-Id"],
        "operation.action": "update",
        "operation.attempt": 1,
        "order.id": traced,
    }
    planso = [span for span in mine if span.kind == Span.SPAN_KIND_CLIENT]
    assert {span.parent_span_id for span in planso} == {push.span_id}
    assert {"PlanSo form", "PlanSo save"} <= {span.name for span in planso}
    assert {attributes(span)["planso.outcome"] for span in planso} == {"answered"}
    (recorded,) = [line for line in find_lines(log, "operation_recorded") if line["trace_id"] == TRACE]
    (settled,) = [line for line in find_lines(log, "operation_settled") if line["trace_id"] == TRACE]
    assert [recorded["span_id"], settled["span_id"]] == [request.span_id.hex(), push.span_id.hex()]
    read = next(span for span in mine if span.name == "GET /api/orders")
    assert read.span_id.hex() == listed.headers["traceresponse"].split("-")[2]
    sync = next(span for span in collector.spans() if span.name == "sync")
    assert len([s for s in collector.spans() if s.parent_span_id == sync.span_id]) > len(sandbox.order_ids())
    assert "ab" * 16 in log
    assert "ab" * 16 not in {span.trace_id.hex() for span in collector.spans()}
    assert not {"/health/live", "/metrics"} & {attributes(span).get("http.route") for span in collector.spans()}


def test_no_personal_data_and_no_secret_is_exported(collector: Collector, sandbox: Sandbox, tmp_path: Path) -> None:
    """After sync, writes, failures, and personal data in paths, queries, hosts, methods and `tracestate`."""
    person, plate, order_id = "Wilhelmine Unverwechselbar", "WN-ZZ 4711", sandbox.order_ids()[0]
    more = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20sammlergeheim", "CONNECTOR_LOG_LEVEL": "debug"}
    with (
        environment(
            sandbox, tmp_path, collector.address, CONNECTOR_ALLOWED_HOSTS="*", **EXPORT_AT_ONCE, **more
        ) as settings,
        connector_process(settings, tmp_path) as connector,
    ):
        connector.wait_for_sync()
        http = connector.http
        body = {"order_id": order_id, "person": person, "vehicle_details": {"number_plate": plate}}
        assert http.put(f"/api/orders/{order_id}", json=body).status_code == 200
        sandbox.knobs.drop_saves_next = 1
        assert http.put(f"/api/orders/{order_id}", json={**body, "person": person + "!"}).status_code == 502
        sandbox.knobs.html_for_json_next = 1
        http.put(f"/api/orders/{order_id}", json={**body, "email": "unverwechselbar@example.org"})
        http.get("/api/orders", params={"plate": plate, "person": person, "phone": "030 23125 118"})
        http.get(f"/api/lookup/{person}")
        http.request("GEHEIM", "/api/orders")
        strange = {
            "Host": "unverwechselbar.example",
            "tracestate": "unverwechselbar=geheim",
            "traceparent": TRACEPARENT,
        }
        http.get("/api/orders", headers={**strange, "baggage": "name=unverwechselbar"})
        http.get("/docs", headers={"tracestate": "unverwechselbar=geheim", "traceparent": TRACEPARENT})
        http.put(f"/api/orders/{order_id}", content=person.encode(), headers={"Content-Type": "application/json"})
        http.post("/api/auth/login", json={"username": person, "password": "auch-geheim"})
        assert connector.stop() == 0
        log = connector.log()
    spans = collector.spans()
    assert {"PUT /api/orders/{order_id}", "GET /api/orders", "push", "sync"} <= {span.name for span in spans}
    assert any(span.status.code == Status.STATUS_CODE_ERROR for span in spans)
    assert {name for span in spans for name in attributes(span)} <= EXPORTED_ATTRIBUTES
    assert not [span for span in spans if span.events or span.links or span.trace_state or span.status.message]
    sent = b"".join(collector.bodies).decode("utf-8", "replace").lower()
    words = [PASSWORD, "geheim", "unverwechselbar", "zz 4711", "zz4711", "zz+4711", "zz%204711", "23125", "phpsessid"]
    words += [sandbox.value(i, "Fahrername").lower() for i in sandbox.order_ids()]
    assert [word for word in words if word and word in sent] == []
    assert {headers["authorization"] for headers in collector.headers} == {"Bearer sammlergeheim"}
    assert "sammlergeheim" not in log


def test_a_rejecting_collector_is_logged_once(collector: Collector, sandbox: Sandbox, tmp_path: Path) -> None:
    """One line with the status however many batches are rejected, and one line when they are accepted again."""
    collector.status = 401
    with (
        environment(sandbox, tmp_path, collector.address, **EXPORT_AT_ONCE) as settings,
        connector_process(settings, tmp_path) as connector,
    ):
        connector.wait_for_sync()

        def has_received(batches: int) -> bool:
            assert connector.http.get("/api/orders").status_code == 200
            return len(collector.bodies) >= batches

        wait_until(lambda: has_received(4))
        collector.status = 200
        wait_until(lambda: has_received(len(collector.bodies) + 1) or "traces_accepted_again" in connector.log())
        wait_until(lambda: has_received(0) and "traces_accepted_again" in connector.log())
        log = connector.log()
    (line,) = find_lines(log, "traces_not_accepted")
    assert (line["status"], line["level"]) == (401, "warning")
    assert "opentelemetry" not in log


@pytest.mark.parametrize("is_there", [False, True])
def test_a_silent_collector_delays_nothing(sandbox: Sandbox, tmp_path: Path, *, is_there: bool) -> None:
    """With an absent collector, and one that never responds, requests are answered and SIGTERM ends it with 0."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if is_there else free_port()
        more = {**EXPORT_AT_ONCE, "OTEL_EXPORTER_OTLP_TIMEOUT": "3600", "OTEL_BSP_MAX_QUEUE_SIZE": "512"}
        with (
            environment(sandbox, tmp_path, f"http://127.0.0.1:{port}", **more) as settings,
            connector_process(settings, tmp_path) as connector,
        ):
            connector.wait_for_sync()
            order_id = sandbox.order_ids()[0]
            for _ in range(520):
                assert connector.http.get(f"/api/orders/{order_id}").status_code == 200
            body = {"order_id": order_id, "remarks": "trotzdem"}
            assert connector.http.put(f"/api/orders/{order_id}", json=body).status_code == 200
            assert connector.stop() == 0
            assert "opentelemetry" not in connector.log()


def test_without_the_extra_the_log_says_what_to_install(sandbox: Sandbox, tmp_path: Path) -> None:
    """Configured without the SDK installed: a warning has the pip command, and everything else works."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry.sdk'] = None\n", "utf-8")
    with (
        environment(sandbox, tmp_path, "http://127.0.0.1:9", PYTHONPATH=str(tmp_path)) as settings,
        connector_process(settings, tmp_path) as connector,
    ):
        connector.wait_for_sync()
        assert connector.http.get("/api/orders").status_code == 200
        (line,) = find_lines(connector.log(), "traces_off")
    assert line["level"] == "warning"
    assert "pip install 'planso-connector[otel]'" in line["reason"]


_START = """
import asyncio, json, os, sys
from structlog.testing import capture_logs
from planso_connector import app
from planso_connector.settings import Settings

async def start():
    with capture_logs() as lines:
        async with app.open_connector(Settings.load()):
            return [line["reason"] for line in lines if line["event"] == "traces_off"]

found = []
for changes in json.load(sys.stdin):
    os.environ.update(changes)
    reasons = asyncio.run(start())
    found.append([reasons, [n for n in sys.modules if n.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]])
    for name in changes:
        del os.environ[name]
print(json.dumps(found))
"""


def start_with(folder: Path, *cases: dict[str, str]) -> list[tuple[list[str], list[str]]]:
    """Start a connector with each environment; return why it does not trace, and which SDK modules it imported."""
    settings = {
        "PLANSO_URL": "http://127.0.0.1:9",
        "PLANSO_USER": "anna",
        "PLANSO_PASSWORD": PASSWORD,
        "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/connector.db",
    }
    done = subprocess.run(
        [sys.executable, "-c", _START],
        input=json.dumps(cases),
        env={**os.environ, **settings},
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return [(reasons, modules) for reasons, modules in json.loads(done.stdout)]


def test_the_sdk_is_imported_only_if_tracing_is_on(tmp_path: Path) -> None:
    """Not configured, OTEL_SDK_DISABLED, or OTEL_TRACES_EXPORTER=none: no module of the SDK, and no log line."""
    address = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    off = [{}, {**address, "OTEL_SDK_DISABLED": "true"}, {**address, "OTEL_TRACES_EXPORTER": "none"}]
    *without, on = start_with(tmp_path, *off, address)
    assert without == [([], []), ([], []), ([], [])]
    assert on[0] == []
    assert on[1]


def test_an_invalid_variable_is_named(tmp_path: Path) -> None:
    """The log names the variable and what is accepted, not the URL, which may have a password; the start succeeds."""
    address = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    cases = [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "anna:geheim@sammler:4317"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "ftp://anna:geheim@sammler"},
        {**address, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {**address, "OTEL_TRACES_EXPORTER": "zipkin"},
    ]
    found = [reasons for reasons, _ in start_with(tmp_path, *cases)]
    assert [[reason.split(":")[0] for reason in reasons] for reasons in found] == [[list(case)[-1]] for case in cases]
    assert all("accepted: " in reason and "geheim" not in reason for reasons in found for reason in reasons)
