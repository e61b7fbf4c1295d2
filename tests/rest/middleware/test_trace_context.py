"""The trace of a request: continued if valid, named in the response, carried by log lines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from planso_connector.rest.middleware.trace_context import extract_trace
from planso_connector.sandbox import Sandbox
from tests.process import connector_process
from tests.service import Service

ORDERS = 12
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GIVEN = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize("given", [GIVEN, f"01-{TRACE}-00f067aa0ba902b7-01", f"cc-{TRACE}-00f067aa0ba902b7-01-more"])
def test_a_valid_traceparent_is_continued(given: str) -> None:
    """With its trace id and flags and a new span; of a later version of the standard too."""
    trace = extract_trace([(b"host", b"x"), (b"traceparent", given.encode())])
    assert (trace.trace_id, trace.flags) == (TRACE, "01")
    assert re.fullmatch("[0-9a-f]{16}", trace.span_id)
    assert trace.span_id != "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "given",
    [
        "",
        GIVEN.upper(),
        f"ff{GIVEN[2:]}",
        f"{GIVEN}-more",
        GIVEN[:-1],
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}\n-00f067aa0ba902b-01",
        "\xff" * 55,
        f"01-{TRACE}-00f067aa0ba902b7-01-{'x' * 500}",
    ],
)
def test_an_invalid_traceparent_begins_a_new_trace(given: str) -> None:
    """Nothing of it is used. Two of them are invalid too."""
    for headers in ([(b"traceparent", given.encode("latin-1"))], [(b"traceparent", GIVEN.encode())] * 2):
        trace = extract_trace(headers)
        assert re.fullmatch("[0-9a-f]{32}", trace.trace_id)
        assert trace.trace_id != TRACE
        assert trace.flags == "02"


def test_every_response_names_its_trace(service: Service) -> None:
    """Failures, unknown paths and refused bodies too."""
    order_id = service.sandbox.order_ids()[0]
    for path in (f"/api/orders/{order_id}", "/api/orders/999999", "/nothing", "/health/ready", "/docs"):
        answer = service.http.get(path, headers={"traceparent": GIVEN})
        assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-01", answer.headers["traceresponse"])
    first, second = (service.put(order_id, shop_date="kein Tag").headers["traceresponse"] for _ in range(2))
    assert first != second


def test_log_lines_carry_the_trace(tmp_path: Path) -> None:
    """
    The request's one line and those of the operation carry the trace that the response names. A refused request's line
    names the route and the public id of the key, and nothing else of it.
    """
    sandbox = Sandbox(orders=12)
    with sandbox.serve() as url:
        environment = {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
            "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db",
        }
        with connector_process(environment, tmp_path) as connector:
            connector.wait_for_sync()
            order_id = sandbox.order_ids()[0]
            body = {"order_id": order_id, "remarks": "Spur"}
            answer = connector.http.put(f"/api/orders/{order_id}", json=body, headers={"traceparent": GIVEN})
            assert answer.status_code == 200
            refused = connector.http.get(f"/api/orders/{order_id}", headers={"X-API-Key": "pc_0123456789_geheim"})
            assert refused.status_code == 401
            _, _, span, _ = answer.headers["traceresponse"].split("-")
        lines = [json.loads(line) for line in connector.log().splitlines() if line.startswith("{")]
    traced = [line for line in lines if line.get("trace_id") == TRACE]
    assert [line["event"] for line in traced] == ["operation_recorded", "operation_settled", "request"]
    assert {line["span_id"] for line in traced} == {span}
    assert {line["operation"] for line in traced[:2]} == {answer.headers["Operation-Id"]}
    (request,) = [line for line in traced if line["event"] == "request"]
    assert {"method": "PUT", "route": "/api/orders/{order_id}", "status": 200}.items() <= request.items()
    assert all("trace_id" in line for line in lines if line["event"] == "request")
    (stranger,) = [line for line in lines if line.get("status") == 401]
    assert (stranger["route"], stranger["key"], request["key"]) == ("/api/orders/{order_id}", "0123456789", None)
    assert "geheim" not in connector.log()
