"""KeyWatch: requests that wait while their API key is revoked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandbox
from planso_connector.store import api_keys
from planso_connector.store.engine.database import Transaction
from tests.rest.keys import make_key
from tests.service import PATIENCE, Service, running, settings_for, wait_until
from tests.store.samples import at


@pytest.fixture
def service(database_url: str) -> Iterator[Service]:
    """A connector with keys on each database, `http` with an admin's, and a PlanSo that fails."""
    sandbox = Sandbox(orders=8)
    with sandbox.serve() as url, running(settings_for(sandbox, url, database_url), sandbox) as service:
        service.fill_mirror()
        service.http.headers |= make_key(service, Scope.ADMIN, name="admin")
        sandbox.knobs.fail_next = 1000
        yield service


def test_waiting_requests_end_with_their_key(service: Service) -> None:
    """
    A long poll and a write's wait are 401 long before their time is up, and show nothing of the order; a stream of
    changes ends. Another key's poll goes on, and so does the write.
    """
    order = service.sandbox.order_ids()[0]
    no_wait = {"Prefer": "respond-async"}
    poll = service.http.patch(f"/api/orders/{order}", json={"person": "Erste"}, headers=no_wait).headers["Location"]
    revoked = make_key(service, Scope.ADMIN, name="revoked")
    key_id = revoked["Authorization"].split("_")[1]

    def revoke(tx: Transaction) -> None:
        assert api_keys.revoke(tx, key_id, now=at(3))

    ask = partial(service.http.request, headers=revoked)

    def stream() -> None:
        with service.http.stream("GET", "/api/changes/stream", headers=revoked) as response:
            assert response.status_code == 200
            began.set()
            response.read()

    began = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        streaming = pool.submit(stream)
        assert began.wait(PATIENCE)
        waiting = [
            pool.submit(ask, "GET", poll, params={"wait": "60"}),
            pool.submit(ask, "PATCH", f"/api/orders/{order}", json={"remarks": "Zweite"}),
        ]
        goes_on = pool.submit(service.http.get, poll, params={"wait": "3"})
        wait_until(lambda: len(pending(service)) == 2, "both writes")
        service.write_database(revoke)
        for answer in (future.result(PATIENCE) for future in waiting):
            assert answer.status_code == 401, answer.text
            assert answer.json() == {"success": False, "message": "This API key was revoked."}
        streaming.result(PATIENCE / 2)  # of itself it would end after a minute
        assert goes_on.result(PATIENCE).json()["operation"]["state"] == "pending"
    assert len(pending(service)) == 2


def pending(service: Service) -> list[dict[str, object]]:
    found: list[dict[str, object]] = service.http.get("/api/operations?state=pending").json()["operations"]
    return found
