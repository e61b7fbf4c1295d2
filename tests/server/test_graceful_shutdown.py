"""Graceful shutdown, with a real process and real signals."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from planso_connector.sandbox import Sandbox
from planso_connector.server.graceful_shutdown import GRACE_PERIOD
from tests.process import ConnectorProcess, connector_process
from tests.service import PATIENCE, wait_until


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(orders=12)


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> Iterator[dict[str, str]]:
    with sandbox.serve() as url:
        yield {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
            "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db",
            "CONNECTOR_SYNC_INTERVAL": "0",
        }


def is_sent(connector: ConnectorProcess, order_id: int) -> bool:
    operations = connector.http.get("/api/operations", params={"order_id": order_id}).json()["operations"]
    return bool(operations) and operations[0]["sent"]


def test_a_write_under_way_gets_its_answer(sandbox: Sandbox, environment: dict[str, str], tmp_path: Path) -> None:
    """SIGTERM while PlanSo saves: the caller gets 200, PlanSo has the value, the exit code is 0."""
    with connector_process(environment, tmp_path) as connector, ThreadPoolExecutor() as callers:
        connector.wait_for_sync()
        order_id = sandbox.order_ids()[0]
        sandbox.knobs.save_latency = 1.5
        body = {"order_id": order_id, "remarks": "noch schnell"}
        answer = callers.submit(connector.http.put, f"/api/orders/{order_id}", json=body)
        wait_until(lambda: is_sent(connector, order_id))
        assert connector.stop() == 0
        assert (answer.result().status_code, answer.result().json()["success"]) == (200, True)
        assert sandbox.value(order_id, "Bemerkungen") == "noch schnell"


def test_who_only_waits_does_not_hold_the_end(sandbox: Sandbox, environment: dict[str, str], tmp_path: Path) -> None:
    """An idle connection is closed, a long poll returns the operation as it is; the write stays pending."""
    with (
        connector_process(environment, tmp_path) as connector,
        ThreadPoolExecutor() as callers,
        socket.create_connection(("127.0.0.1", int(connector.address.rpartition(":")[2]))) as idle,
    ):
        connector.wait_for_sync()
        order_id = sandbox.order_ids()[0]
        idle.settimeout(PATIENCE)
        idle.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += idle.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")
        sandbox.knobs.fail_next = 10_000
        body = {"order_id": order_id, "remarks": "kommt nach"}
        write = connector.http.put(f"/api/orders/{order_id}", json=body, headers={"Prefer": "respond-async"})
        wait_until(lambda: connector.http.get(write.headers["Location"]).json()["operation"]["attempts"] >= 2)
        polled = callers.submit(connector.http.get, write.headers["Location"], params={"wait": "60"})
        wait_until(lambda: "requests_in_flight 2.0" in connector.http.get("/metrics").text)
        assert connector.stop() == 0
        assert polled.result().json()["operation"]["state"] == "pending"
        assert idle.recv(1) == b""
    sandbox.knobs.fail_next = 0
    with connector_process(environment, tmp_path) as connector:
        settled = connector.http.get(write.headers["Location"], params={"wait": "60"}).json()["operation"]
        assert settled["state"] == "confirmed"
        assert sandbox.value(order_id, "Bemerkungen") == "kommt nach"


def test_a_second_signal_ends_it_at_once(sandbox: Sandbox, environment: dict[str, str], tmp_path: Path) -> None:
    """While PlanSo hangs, a second signal ends the process; the next one completes the write."""
    with connector_process(environment, tmp_path) as connector, ThreadPoolExecutor() as callers:
        connector.wait_for_sync()
        order_id = sandbox.order_ids()[0]
        sandbox.knobs.hang_next = 1
        body = {"order_id": order_id, "remarks": "zweimal"}
        answer = callers.submit(connector.http.put, f"/api/orders/{order_id}", json=body)
        wait_until(lambda: sandbox.knobs.hang_next == 0)
        connector.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "Shutting down" in connector.log())
        connector.process.send_signal(signal.SIGTERM)
        assert connector.process.wait(GRACE_PERIOD) in (0, -signal.SIGTERM)
        assert answer.exception() is not None or answer.result().status_code == 202
    with connector_process(environment, tmp_path) as connector:
        operations = connector.http.get("/api/operations", params={"order_id": order_id}).json()["operations"]
        told = connector.http.get(f"/api/operations/{operations[0]['id']}", params={"wait": "60"}).json()["operation"]
        assert told["state"] == "confirmed"
        assert sandbox.value(order_id, "Bemerkungen") == "zweimal"
