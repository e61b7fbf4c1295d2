"""Stop and resume writes, and write while they are stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from planso_connector.domain import clock
from planso_connector.domain.clock import format_instant
from planso_connector.sandbox import Sandbox
from planso_connector.store import write_stops
from tests.service import Service

SHOP = "default"


def stop_writes(service: Service, order_id: int | None = None, columns: tuple[str, ...] = ("f_1",)) -> None:
    why, now = "1 value was lost: 'Telefon'", format_instant(clock.now())
    service.write_database(
        lambda tx: write_stops.stop(tx, order_id=order_id, operation="op_damage", reason=why, columns=columns, now=now)
    )


def resume(service: Service, **body: Any) -> httpx2.Response:
    return service.http.post("/api/writes/resume", json=body or None)


def put(service: Service, order_id: int, key: str = "", wait: int = 30, **fields: Any) -> httpx2.Response:
    headers = {"Prefer": f"wait={wait}", **({"Idempotency-Key": key} if key else {})}
    return service.http.put(f"/api/orders/{order_id}", json={"order_id": order_id, **fields}, headers=headers)


def count_saves(service: Service) -> int:
    return sum(one.saving for one in service.sandbox.requests)


@contextmanager
def hide_all_forms(sandbox: Sandbox) -> Iterator[None]:
    """PlanSo shows every form empty: nothing is saved, and writes stay pending."""
    ids = set(sandbox.order_ids())
    sandbox.knobs.empty_form_orders |= ids
    try:
        yield
    finally:
        sandbox.knobs.empty_form_orders -= ids
