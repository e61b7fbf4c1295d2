"""Clients that read, change what they read, and write it back with the ETag that they read: nobody's text is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from planso_connector.sandbox import Sandbox
from tests.service import PATIENCE, Service, running_on_sqlite

ROUNDS = 3


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A PlanSo that takes its time, so that reads fall between a write's acceptance and its confirmation."""
    with running_on_sqlite(tmp_path, Sandbox(orders=6), connector_sync_parts=False) as started:
        started.sandbox.knobs.latency = 0.02
        yield started


def add_line(service: Service, order_id: int, line: str) -> bool:
    """One read, one write by the book. Whether it was answered with success, at once or in the end."""
    with httpx2.Client(base_url=service.address, timeout=PATIENCE, verify=False) as client:
        read = client.get(f"/api/orders/{order_id}")
        text = "\n".join(one for one in (read.json()["order"]["remarks"], line) if one)
        body, headers = {"remarks": text}, {"If-Match": read.headers["ETag"]}
        written = client.patch(f"/api/orders/{order_id}", json=body, headers=headers)
        assert written.status_code in (200, 202, 412), written.text
        return written.status_code == 200 or (
            written.status_code == 202 and service.wait_until_settled(written)["state"] == "confirmed"
        )


def test_clients_that_use_the_etag_lose_no_text(service: Service) -> None:
    """
    Three clients add lines at the same time, some of them while another's write is pending, and read again after each
    412: every line that was answered with success is there, once.
    """
    order_id = service.sandbox.order_ids()[0]
    begin = threading.Barrier(3)

    def work(name: str) -> None:
        begin.wait(PATIENCE)
        for at in range(ROUNDS):
            while not add_line(service, order_id, f"{name} {at}"):
                pass

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, ("Anna", "Bert", "Cleo")))
    held = service.sandbox.value(order_id, "Bemerkungen").splitlines()
    taken = [f"{name} {at}" for name in ("Anna", "Bert", "Cleo") for at in range(ROUNDS)]
    assert sorted(line for line in held if line in taken) == sorted(taken)


@pytest.mark.parametrize("same_field", [True, False])
def test_an_etag_stands_for_the_values_shown(service: Service, same_field: bool) -> None:
    """
    Read while another's write to the field is pending, which the order's own members don't show: 412 with what stands
    there by then. A pending write to another field is in nobody's way.
    """
    order_id = service.sandbox.order_ids()[1]
    address, other = f"/api/orders/{order_id}", "remarks" if same_field else "express_link"
    service.sandbox.knobs.latency = 0.3
    first = service.http.patch(address, json={other: "zuerst"}, headers={"Prefer": "respond-async"})
    read = service.http.get(address)
    assert [one["operation_id"] for one in read.json()["order"]["pending"]] == [first.headers["Operation-Id"]]
    second = service.http.patch(address, json={"remarks": "danach"}, headers={"If-Match": read.headers["ETag"]})
    assert second.status_code == (412 if same_field else 200), second.text
    assert service.wait_until_settled(first)["state"] == "confirmed"
    assert service.sandbox.value(order_id, "Bemerkungen") == ("zuerst" if same_field else "danach")
    if same_field:
        assert second.json()["conflicts"][0]["theirs"] == second.json()["order"]["remarks"] == "zuerst"
