from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from planso_connector.sandbox import Sandbox
from tests.process import connector_process
from tests.service import wait_until


def environment(sandbox: Sandbox, url: str, folder: Path) -> dict[str, str]:
    return {
        "PLANSO_URL": url,
        "PLANSO_USER": sandbox.installation.username,
        "PLANSO_PASSWORD": sandbox.installation.password,
        "PLANSO_TIMEOUT": "2",
        "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/connector.db",
    }


def operations(folder: Path) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(folder / "connector.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute("SELECT order_id, state, asked FROM operations ORDER BY created_at"))
    finally:
        connection.close()


def test_a_kill_during_a_sync_leaves_a_clean_start(tmp_path: Path) -> None:
    """kill -9 in the middle of the first sync: the next start finishes the mirror, and the dead run is ended."""
    sandbox = Sandbox(orders=60)
    with sandbox.serve() as url:
        sandbox.knobs.latency = 0.02
        with connector_process(environment(sandbox, url, tmp_path), tmp_path) as connector:
            wait_until(lambda: (connector.http.get("/api/sync/status").json()["done"] or 0) > 10, "some orders")
            connector.kill()
        sandbox.knobs.latency = 0.0
        with connector_process(environment(sandbox, url, tmp_path), tmp_path) as connector:
            assert connector.http.get("/api/orders").json()["count"] > 0
            wait_until(lambda: connector.wait_for_sync()["last_result"]["state"] == "done", "a good run")
            page = connector.http.get("/api/orders", params={"limit": "500"}).json()
            assert sorted(order["id"] for order in page["orders"]) == sorted(sandbox.order_ids())


def test_a_kill_during_a_write_loses_nothing(tmp_path: Path) -> None:
    """
    kill -9 at each step of a write, of another order each time: a later start carries each through, by one save, and
    the mirror shows what PlanSo holds.
    """
    sandbox = Sandbox(orders=12)
    orders = dict(enumerate(sandbox.order_ids()[:4], start=1))

    def is_asked(order_id: int, times: int) -> bool:
        return sum(request.order_id == order_id for request in sandbox.requests) >= times

    with sandbox.serve() as url:
        settings = environment(sandbox, url, tmp_path)
        with connector_process(settings, tmp_path) as connector:
            connector.wait_for_sync()
        sandbox.forget_requests()
        sandbox.knobs.latency = 0.15
        for step, order_id in orders.items():
            with connector_process(settings, tmp_path) as connector:
                body = {"order_id": order_id, "person": "Wilma Abgebrochen"}
                headers = {"Prefer": "respond-async"}
                accepted = connector.http.put(f"/api/orders/{order_id}", json=body, headers=headers)
                assert accepted.status_code == 202
                wait_until(partial(is_asked, order_id, step), "the step")
                connector.kill()
        sandbox.knobs.latency = 0.0
        with connector_process(settings, tmp_path) as connector:
            wait_until(lambda: all(state != "pending" for _, state, _ in operations(tmp_path)), "the settling")
            assert {one: state for one, state, _ in operations(tmp_path)} == dict.fromkeys(orders.values(), "confirmed")
            for order_id in orders.values():
                assert sandbox.value(order_id, "Fahrername") == "Wilma Abgebrochen"
                order = connector.http.get(f"/api/orders/{order_id}").json()["order"]
                assert (order["person"], order["pending"]) == ("Wilma Abgebrochen", [])
            saved = [request.order_id for request in sandbox.requests if request.saving]
            assert Counter(saved) == Counter(orders.values())
