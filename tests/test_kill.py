from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import apsw
import httpx2
import pytest

from planso_connector.sandbox import Sandbox
from tests.process import connector_process


def environment(sandbox: Sandbox, url: str, folder: Path) -> dict[str, str]:
    return {
        "PLANSO_URL": url,
        "PLANSO_USER": sandbox.installation.username,
        "PLANSO_PASSWORD": sandbox.installation.password,
        "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/connector.db",
    }


def operations(folder: Path) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(folder / "connector.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute("SELECT order_id, state, asked FROM operations ORDER BY created_at"))
    finally:
        connection.close()


def wait_for(what: str, condition: Any) -> None:
    for _ in range(1500):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"waited in vain for {what}")


def test_a_kill_during_a_sync_leaves_a_clean_start(tmp_path: Path) -> None:
    """kill -9 in the middle of the first sync: the next start finishes the mirror, and the dead run is ended."""
    sandbox = Sandbox(orders=60)
    with sandbox.serve() as url:
        sandbox.knobs.latency = 0.02
        with connector_process(environment(sandbox, url, tmp_path), tmp_path) as connector:
            wait_for("some orders", lambda: (connector.http.get("/api/sync/status").json()["done"] or 0) > 10)
            connector.kill()
        sandbox.knobs.latency = 0.0
        with connector_process(environment(sandbox, url, tmp_path), tmp_path) as connector:
            assert connector.http.get("/api/orders").json()["count"] > 0
            wait_for("a good run", lambda: connector.synced()["last_result"]["state"] == "done")
            page = connector.http.get("/api/orders", params={"limit": "500"}).json()
            assert sorted(order["id"] for order in page["orders"]) == sorted(sandbox.order_ids())


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_kill_during_a_write_leaves_the_truth(tmp_path: Path, after: int) -> None:
    """
    kill -9 at each step of a write: after the next start the operation is confirmed exactly when PlanSo has it, and the
    mirror shows what PlanSo holds.
    """
    sandbox = Sandbox(orders=12)
    order_id = sandbox.order_ids()[0]
    with sandbox.serve() as url:
        with connector_process(environment(sandbox, url, tmp_path), tmp_path) as connector:
            connector.synced()
            sandbox.forget_requests()
            sandbox.knobs.latency = 0.15

            def write() -> None:
                try:
                    body = {"order_id": order_id, "person": "Wilma Abgebrochen"}
                    httpx2.put(f"{connector.address}/api/orders/{order_id}", json=body, timeout=20)
                except httpx2.TransportError:
                    pass

            caller = threading.Thread(target=write)
            caller.start()
            wait_for("the step", lambda: len(sandbox.requests) >= after)
            connector.kill()
            caller.join()
        sandbox.knobs.latency = 0.0
        with connector_process(environment(sandbox, url, tmp_path), tmp_path) as connector:
            wait_for("the settling", lambda: all(state != "pending" for _, state, _ in operations(tmp_path)))
            ((written, state, asked),) = operations(tmp_path)
            assert (written, json.loads(asked)) == (order_id, {"person": "Wilma Abgebrochen"})
            there = sandbox.value(order_id, "Fahrername") == "Wilma Abgebrochen"
            assert state == ("confirmed" if there else "expired")
            connector.http.post("/api/sync")
            connector.synced()
            order = connector.http.get(f"/api/orders/{order_id}").json()["order"]
            assert (order["person"] == "Wilma Abgebrochen") == there
            assert order["pending"] == []
            body = {"order_id": order_id, "person": "Willi Danach"}
            assert connector.http.put(f"/api/orders/{order_id}", json=body).status_code == 200
