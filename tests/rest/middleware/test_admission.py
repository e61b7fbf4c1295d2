"""Overload: reads are refused first, and requests that wait for PlanSo have a limit and keep nobody out."""

from __future__ import annotations

import asyncio
import re
import select
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.responses import Response

from planso_connector.app import MAX_QUEUED_READS
from planso_connector.domain.scopes import Scope
from planso_connector.rest.middleware.admission import AdmissionMiddleware
from planso_connector.rest.middleware.rate_limits import Limits
from planso_connector.sandbox import Sandbox
from tests.planso_proxy import PlansoProxy
from tests.rest import raw
from tests.rest.keys import make_key
from tests.service import PATIENCE, Service, running_on_sqlite, wait_until

MOST = 4
"""Requests that may wait: half of those that may be under way."""
SLOTS = {"connector_parallel_total": 2 * MOST, "connector_write_wait": 5 * PATIENCE, "planso_timeout": 5 * PATIENCE}


class Hanging:
    """A connector whose PlanSo can be held, and requests to it that are not waited for."""

    def __init__(self, service: Service, between: PlansoProxy, others: ThreadPoolExecutor) -> None:
        self.service, self._between, self._others = service, between, others
        self.order, *self.orders = service.sandbox.order_ids()

    @contextmanager
    def planso_hangs(self, *asks: Callable[[], httpx2.Response]) -> Iterator[list[Future[httpx2.Response]]]:
        """While these wait for it."""
        with self._between.hold_requests():
            waiting = [self._others.submit(ask) for ask in asks]
            wait_until(lambda: self.waiting() == len(asks), "as many to wait")
            yield waiting

    def waiting(self) -> int:
        found = re.search(r"^planso_connector_requests_waiting (\S+)$", self.get("/metrics").text, re.MULTILINE)
        assert found is not None
        return int(float(found[1]))

    def get(self, path: str, **params: Any) -> httpx2.Response:
        return self.service.http.get(path, params=params)

    def login(self, **headers: str) -> httpx2.Response:
        return self.service.http.post("/api/auth/login", headers=headers)

    def other_login(self) -> httpx2.Response:
        return self.service.http.post("/api/auth/login", json={"username": "wer", "password": "auch immer"})

    def dry_run(self) -> httpx2.Response:
        body = {"order_id": self.order, "person": "Nur Gefragt"}
        return self.service.http.put(f"/api/orders/{self.order}?dry_run=true", json=body)

    def live_read(self) -> httpx2.Response:
        return self.get(f"/api/orders/{self.order}", max_age=0)

    def write(self) -> httpx2.Response:
        return self.service.put(self.order, remarks="auf dem Weg")

    def create(self) -> httpx2.Response:
        return self.service.http.post("/api/orders?dry_run=true", json={"person": "Neu"})

    def delete(self) -> httpx2.Response:
        return self.service.http.delete(f"/api/orders/{self.order}?dry_run=true")


@pytest.fixture(scope="module")
def hanging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hanging]:
    sandbox = Sandbox(orders=12)
    sandbox.app = between = PlansoProxy(sandbox.app)
    folder: Path = tmp_path_factory.mktemp("hanging")
    with running_on_sqlite(folder, sandbox, **SLOTS) as service, ThreadPoolExecutor(2 * MOST) as others:
        yield Hanging(service, between, others)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/orders", 503),
        ("PUT", "/api/orders/1", 200),
        ("GET", "/health/ready", 200),
        ("GET", "/metrics", 200),
    ],
)
def test_reads_are_refused_first(method: str, path: str, status: int) -> None:
    """Where as many reads are under way as may, another is 503; writes and who watches over the service go on."""

    async def story() -> httpx2.Response:
        go_on, reading = asyncio.Event(), asyncio.Semaphore(0)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/slow":
                reading.release()
                await go_on.wait()
            await Response()(scope, receive, send)

        transport = httpx2.ASGITransport(
            AdmissionMiddleware(app, limits=Limits(key=None, address=None, parallel_total=4))
        )
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            slow = [asyncio.create_task(client.get("/slow")) for _ in range(2)]
            for _ in slow:
                await reading.acquire()
            asked = await client.request(method, path)
            go_on.set()
            assert [one.status_code for one in await asyncio.gather(*slow)] == [200, 200]
            assert (await client.get("/fast")).status_code == 200
        return asked

    asked = asyncio.run(story())
    assert (asked.status_code, asked.headers.get("Retry-After")) == (status, "1" if status == 503 else None)


def start_waiting_read(service: Service) -> socket.socket:
    """A read that waits for the database; sent again if refused: on a busy machine it may exceed MAX_READ_DELAY."""
    while True:
        waiting, connection = service.queued_reads, raw.connect(service.address)
        connection.sendall(b"GET /api/operations HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: service.queued_reads > waiting or select.select([connection], [], [], 0)[0])  # noqa: B023
        if service.queued_reads > waiting:
            return connection
        connection.close()


def test_reads_are_refused_while_too_many_wait_for_the_database(tmp_path: Path) -> None:
    """Beyond MAX_QUEUED_READS a read is 503 at once; those before it are answered, and a write is accepted."""
    with (
        running_on_sqlite(tmp_path, Sandbox(orders=12), connector_database_timeout=PATIENCE) as service,
        ExitStack() as stack,
        ThreadPoolExecutor() as others,
    ):
        order_id = service.sandbox.order_ids()[0]
        service.put(order_id, remarks="danach ist keine Antwort mehr bereit")
        with service.hold_readers():
            waiting = [stack.enter_context(closing(start_waiting_read(service))) for _ in range(MAX_QUEUED_READS)]
            refused = service.http.get("/api/orders")
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            # A read of the connector's own may have been counted in the place of one that was refused as late.
            waiting = [connection for connection in waiting if not select.select([connection], [], [], 0)[0]]
            assert len(waiting) > MAX_QUEUED_READS // 2
            accepted = others.submit(service.put, order_id, remarks="doch")
            wait_until(lambda: service.queued_reads > MAX_QUEUED_READS)  # the outbox reads what to do
            assert service.http.get("/health/live").status_code == 200
        assert accepted.result().status_code == 200
        assert {raw.status(connection.recv(1000)) for connection in waiting} == {200}
        assert service.http.get("/api/orders").status_code == 200


def test_writes_that_wait_for_planso_leave_room(tmp_path: Path) -> None:
    """Half of the requests in flight may wait for PlanSo. A further write is 202 at once, and reads go on."""
    sandbox = Sandbox(orders=12)
    sandbox.app = between = PlansoProxy(sandbox.app)
    longer = {"connector_write_wait": 5 * PATIENCE, "planso_timeout": 5 * PATIENCE}
    with (
        running_on_sqlite(tmp_path, sandbox, connector_parallel_total=4, **longer) as service,
        ThreadPoolExecutor() as others,
    ):
        first, second, third = sandbox.order_ids()[:3]
        with between.hold_requests():
            waiting = [others.submit(service.put, order_id, remarks="wartet") for order_id in (first, second)]
            pending = {"state": "pending"}
            wait_until(lambda: service.http.get("/api/operations", params=pending).json()["count"] == len(waiting))
            accepted = service.put(third, remarks="wartet nicht")
            assert (accepted.status_code, service.http.get(f"/api/orders/{first}").status_code) == (202, 200)
        assert [response.result().status_code for response in waiting] == [200, 200]
        assert service.wait_until_settled(accepted)["state"] == "confirmed"


WAITING = ["login", "other_login", "dry_run", "create", "delete", "live_read"]


@pytest.mark.parametrize("kind", WAITING)
def test_reads_are_answered_while_as_many_as_may_wait_for_planso(hanging: Hanging, kind: str) -> None:
    """Whatever the requests are that wait for a hanging PlanSo: those who read get their answers meanwhile."""
    ask = getattr(hanging, kind)
    with hanging.planso_hangs(*[ask] * MOST) as waiting:
        for _ in range(3 * MOST):
            assert hanging.get(f"/api/orders/{hanging.order}").status_code == 200
        assert hanging.get("/api/orders", text="Golf").status_code == 200
        assert hanging.get("/health/ready").status_code == 200
        assert ask().status_code == (200 if kind == "live_read" else 503)
        assert not any(answer.done() for answer in waiting)
    assert {answer.result().status_code for answer in waiting} <= {200, 401}
    assert ask().status_code in (200, 401)


def test_who_may_not_wait_is_answered_at_once(hanging: Hanging) -> None:
    """Beyond the bound: 503 that says why, the mirror's order, 202 for a write, the operation as it stands."""
    with hanging.planso_hangs(*[hanging.login] * MOST) as waiting:
        for refused in (hanging.dry_run(), hanging.login(), hanging.other_login(), hanging.create(), hanging.delete()):
            assert (refused.status_code, refused.json()["success"]) == (503, False)
            assert f"{MOST} requests wait for PlanSo already" in refused.json()["message"]
            assert int(refused.headers["Retry-After"]) > 0
        mirror = hanging.live_read().json()
        assert mirror["order"]["id"] == hanging.order
        assert f"{MOST} requests wait for PlanSo already" in mirror["message"]
        accepted = hanging.write()
        assert accepted.status_code == 202
        polled = hanging.get(accepted.headers["Location"], wait=60).json()
        assert polled["operation"]["state"] == "pending"
        assert not any(answer.done() for answer in waiting)
    assert [answer.result().status_code for answer in waiting] == [200] * MOST
    assert hanging.service.wait_until_settled(accepted)["state"] == "confirmed"
    assert hanging.dry_run().status_code == 200


def test_one_key_leaves_room_for_others_to_wait(tmp_path: Path) -> None:
    """Requests of one API key take half of the places; another key's still wait, and get their answers."""
    sandbox = Sandbox(orders=12)
    sandbox.app = between = PlansoProxy(sandbox.app)
    with running_on_sqlite(tmp_path, sandbox, **SLOTS) as service, ThreadPoolExecutor(2 * MOST) as others:
        hanging = Hanging(service, between, others)
        greedy, other = make_key(service, Scope.ADMIN, name="greedy"), make_key(service, Scope.ADMIN, name="other")
        service.http.headers |= make_key(service, Scope.METRICS, Scope.ADMIN)
        with hanging.planso_hangs(*[lambda: hanging.login(**greedy)] * (MOST // 2)) as waiting:
            refused = hanging.login(**greedy)
            assert refused.status_code == 503
            assert f"{MOST // 2} requests of this API key wait" in refused.json()["message"]
            waiting.append(others.submit(lambda: hanging.login(**other)))
            wait_until(lambda: hanging.waiting() == MOST // 2 + 1)
        assert {answer.result().status_code for answer in waiting} == {200}


def test_a_write_behind_many_others_does_not_wait_in_vain(tmp_path: Path) -> None:
    """A write that can't be confirmed within its wait is 202 at once: long before those that came first are through."""
    many, wait = 30, 10
    with running_on_sqlite(tmp_path, Sandbox(orders=2 * many), connector_planso_concurrency=1) as service:
        service.sandbox.knobs.latency = 0.1
        last, *first = service.sandbox.order_ids()[: many + 1]

        def pending() -> int:
            return int(service.http.get("/api/operations?state=pending").json()["count"])

        for order_id in first:
            body, at_once = {"remarks": "eine von vielen"}, {"Prefer": "respond-async"}
            assert service.http.patch(f"/api/orders/{order_id}", json=body, headers=at_once).status_code == 202
        wait_until(lambda: pending() <= many - 3, "some to be through")
        answer = service.http.patch(
            f"/api/orders/{last}", json={"remarks": "die letzte"}, headers={"Prefer": f"wait={wait}"}
        )
        assert (answer.status_code, pending() > many * 2 // 3) == (202, True)
        service.sandbox.knobs.latency = 0.0
        assert service.wait_until_settled(answer)["state"] == "confirmed"
