"""The connector as its users meet it: a real server, a real database, and the sandbox as its PlanSo."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from pydantic import SecretStr

from planso_connector import app
from planso_connector.domain import clock
from planso_connector.domain.caller import Scope
from planso_connector.domain.clock import Clock
from planso_connector.domain.errors import StoreTimeout
from planso_connector.sandbox import Sandbox
from planso_connector.settings import Settings
from planso_connector.store.access_log import Access
from planso_connector.store.engine import sqlite
from planso_connector.store.engine.database import Transaction

PATIENCE = 90.0
"""Seconds that a machine with others on it may need for anything. What is waited for is a state, never a time."""


def wait_until(condition: Callable[[], object], what: str = "it") -> None:
    """Raises AssertionError where the state does not come."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"waited in vain for {what}"
        threading.Event().wait(0.01)


class Server(uvicorn.Server):
    """Ends when it is told to: uvicorn's own looks ten times a second whether it was."""

    def __init__(self) -> None:
        super().__init__(uvicorn.Config("", log_config=None, access_log=False, lifespan="off"))
        self._ended = asyncio.Event()

    def end(self) -> None:
        self.should_exit = True
        self._ended.set()

    async def main_loop(self) -> None:
        tenths = 0
        while not await self.on_tick(tenths):
            tenths += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await self._ended.wait()


class Service:
    """`http` asks the connector; `sandbox` is what PlanSo holds; `address` and `planso` are the base URLs."""

    def __init__(
        self, sandbox: Sandbox, settings: Settings, address: str, reach: tuple[app.Connector, asyncio.AbstractEventLoop]
    ) -> None:
        self._connector, self._loop = reach
        self.routes = self._connector.rest.routes
        self.sandbox = sandbox
        self.settings = settings
        self.planso = settings.planso_url
        self.address = address
        self.http = httpx2.Client(base_url=address, timeout=PATIENCE, verify=False)

    def put(self, order_id: int, **fields: Any) -> httpx2.Response:
        return self.http.put(f"/api/orders/{order_id}", json={"order_id": order_id, **fields})

    def order(self, order_id: int) -> dict[str, Any]:
        answer = self.http.get(f"/api/orders/{order_id}")
        assert answer.status_code == 200, answer.text
        order: dict[str, Any] = answer.json()["order"]
        return order

    def operation(self, answer: httpx2.Response) -> dict[str, Any]:
        """The operation of a write, by its answer."""
        told = self.http.get(f"/api/operations/{answer.headers['Operation-Id']}")
        assert told.status_code == 200, told.text
        operation: dict[str, Any] = told.json()["operation"]
        return operation

    def wait_until_settled(self, answer: httpx2.Response) -> dict[str, Any]:
        """The same, once it is settled."""
        until = time.monotonic() + PATIENCE
        while True:
            address = f"/api/operations/{answer.headers['Operation-Id']}"
            operation: dict[str, Any] = self.http.get(address, params={"wait": "5"}).json()["operation"]
            if operation["state"] != "pending":
                return operation
            assert time.monotonic() < until, operation
            threading.Event().wait(0.02)

    def write_database(self, work: Callable[[Transaction], None]) -> None:
        """A hand on the connector's own connection to its database."""
        asyncio.run_coroutine_threadsafe(self._connector.database.write(work), self._loop).result(PATIENCE)

    def create_key(self, *scopes: Scope) -> str:
        """From then on each request needs one."""
        creating = self._connector.api_keys.create("test", list(scopes), None)
        return asyncio.run_coroutine_threadsafe(creating, self._loop).result(PATIENCE)[1]

    def cancel_workers(self) -> set[str]:
        """The names of the connector's background tasks, each of which is cancelled by a stranger."""

        async def cancel() -> set[str]:
            names = set(self._connector.supervisor.heartbeat_ages())
            tasks = [task for task in asyncio.all_tasks() if task.get_name() in names]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return {task.get_name() for task in tasks}

        return asyncio.run_coroutine_threadsafe(cancel(), self._loop).result(PATIENCE)

    @property
    def queued_reads(self) -> int:
        return self._connector.database.queued_reads

    @contextmanager
    def hold_readers(self) -> Iterator[None]:
        """While this lasts, the connector's database reads nothing."""
        go_on, held = threading.Event(), []
        for _ in range(sqlite.READER_THREADS):
            reading = threading.Event()

            def hold(_: Transaction, reading: threading.Event = reading) -> None:
                reading.set()
                go_on.wait(PATIENCE)

            held.append(asyncio.run_coroutine_threadsafe(self._connector.database.read(hold), self._loop))
            assert reading.wait(PATIENCE)
        try:
            yield
        finally:
            go_on.set()
            for one in held:
                with suppress(StoreTimeout):  # it was given up meanwhile
                    one.result(PATIENCE)

    @contextmanager
    def hold_writer(self) -> Iterator[None]:
        """While this lasts, the connector's database writes nothing."""
        go_on, writing = threading.Event(), threading.Event()

        def hold(_: Transaction) -> None:
            writing.set()
            go_on.wait(PATIENCE)

        held = asyncio.run_coroutine_threadsafe(self._connector.database.write(hold), self._loop)
        assert writing.wait(PATIENCE)
        try:
            yield
        finally:
            go_on.set()
            held.result(PATIENCE)

    def read_access_log(self) -> Sequence[Access]:
        """The access log with all that happened until now, newest first."""
        accesses = self._connector.access_log
        asyncio.run_coroutine_threadsafe(accesses.flush(every_use=True), self._loop).result(PATIENCE)
        return asyncio.run_coroutine_threadsafe(accesses.list_entries(None, None, 10_000), self._loop).result(PATIENCE)

    def wait_for_sync(self) -> dict[str, Any]:
        """The status once no sync is running."""
        until = time.monotonic() + PATIENCE
        while True:
            status: dict[str, Any] = self.http.get("/api/sync/status").json()
            if status["state"] != "running" and status["last_result"] is not None:
                return status
            assert time.monotonic() < until, status
            threading.Event().wait(0.02)

    def fill_mirror(self) -> None:
        """Waits for a sync that ended well: on a busy machine PlanSo may seem to be silent at first."""
        status = self.wait_for_sync()
        until = time.monotonic() + PATIENCE
        while status["last_result"]["state"] != "done":
            assert time.monotonic() < until, status
            status = self.sync()

    def begin_sync(self, **params: str) -> dict[str, Any]:
        """The answer of a run of its own, which is under way."""
        while True:
            started = self.http.post("/api/sync", params=params)
            assert started.status_code == 202, started.text
            told: dict[str, Any] = started.json()
            if not told["joined"]:
                return told
            self.wait_for_sync()  # the end of the run before

    def sync(self, **params: str) -> dict[str, Any]:
        self.begin_sync(**params)
        return self.wait_for_sync()


def settings_for(sandbox: Sandbox, url: str, database: str, **changes: Any) -> Settings:
    return Settings(
        _env_file=None,
        planso_url=url,
        planso_user=sandbox.installation.username,
        planso_password=SecretStr(sandbox.installation.password),
        planso_table_id=sandbox.installation.table_id,
        connector_database_url=database,
        connector_sync_interval=timedelta(0),
        connector_write_wait=PATIENCE / 3,
    ).model_copy(update=changes)


@contextmanager
def running(settings: Settings, sandbox: Sandbox, now: Clock = clock.now) -> Iterator[Service]:
    """The service in a thread of its own, from its start to its orderly end."""
    # asyncio lets only a socket that says it is TCP send at once; each answer would come 40 ms late.
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = Server()
    failed: list[BaseException] = []
    reach: list[tuple[app.Connector, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        async with app.connector(settings, now) as built, app.run_workers(built):
            reach.append((built, asyncio.get_running_loop()))
            server.config = built.server
            await server.serve(sockets=[listening])

    def body() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the test's own thread
            failed.append(error)

    thread = threading.Thread(target=body, name="connector")
    thread.start()
    until = time.monotonic() + PATIENCE
    while not server.started and thread.is_alive():
        assert time.monotonic() < until, "the connector does not start"
        threading.Event().wait(0.005)
    if failed:
        listening.close()
        raise failed[0]
    service = Service(sandbox, settings, f"http://127.0.0.1:{listening.getsockname()[1]}", reach[0])
    try:
        yield service
    finally:
        service.http.close()
        reach[0][1].call_soon_threadsafe(server.end)
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the connector does not stop"
    if failed:
        raise failed[0]


@contextmanager
def running_on_sqlite(tmp_path: Path, sandbox: Sandbox, **changes: Any) -> Iterator[Service]:
    """A connector on a fresh SQLite file, filled."""
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, f"sqlite:///{tmp_path}/connector.db", **changes)
        with running(settings, sandbox) as service:
            service.fill_mirror()
            yield service
