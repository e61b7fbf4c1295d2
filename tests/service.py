"""Run a connector in a thread: a real HTTP server, a real database, and the sandbox as its PlanSo."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import httpx2
import uvicorn
from pydantic import SecretStr

from planso_connector import app, background
from planso_connector.domain import clock
from planso_connector.domain.clock import Clock
from planso_connector.domain.errors import StoreTimeout
from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.access_log import list_entries
from planso_connector.sandbox import Sandbox
from planso_connector.settings import Settings
from planso_connector.store.access_log import Access
from planso_connector.store.engine import sqlite
from planso_connector.store.engine.database import Transaction
from tests.databases import read_migrated_file

T = TypeVar("T")
PATIENCE = 90.0
"""Timeout of every wait, in seconds; long, since the machine may be busy. Tests wait for a state, never for a time."""
MIN_PAUSE, MAX_PAUSE = 0.01, 0.05
"""Seconds between two looks at a condition: a tenth of what was waited already, in these bounds. Most looks are a
request, whose CPU time whatever is waited for lacks."""


def wait_until(condition: Callable[[], T], what: object = "the condition", patience: float = PATIENCE) -> T:
    """Poll until the condition is true, and return its value. Raises AssertionError after `patience` seconds."""
    began = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - began
        assert waited < patience, f"waited in vain for {what}; last value: {value!r}"
        threading.Event().wait(min(max(waited / 10, MIN_PAUSE), MAX_PAUSE))
    return value


async def wait_until_async(condition: Callable[[], T], what: object = "the condition") -> T:
    """The same on an event loop, which goes on meanwhile."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}; last value: {value!r}"
        await asyncio.sleep(0.005)
    return value


class Server(uvicorn.Server):
    """Stops at once when `end` is called; uvicorn's own server polls `should_exit` every 0.1 s."""

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
    """
    A running connector. `http` is a client of it, `sandbox` its PlanSo; `address` and `planso` are the base URLs.

    `handle` is the connector and its event loop, which runs in another thread.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        settings: Settings,
        address: str,
        handle: tuple[app.Connector, asyncio.AbstractEventLoop],
    ) -> None:
        self._connector, self._loop = handle
        self.routes = self._connector.rest.routes
        self.sandbox = sandbox
        self.settings = settings
        self.planso = settings.planso_url
        self.address = address
        self.http = httpx2.Client(base_url=address, timeout=PATIENCE, verify=False)

    def put(self, order_id: int, **fields: Any) -> httpx2.Response:
        return self.http.put(f"/api/orders/{order_id}", json={"order_id": order_id, **fields})

    def order(self, order_id: int) -> dict[str, Any]:
        response = self.http.get(f"/api/orders/{order_id}")
        assert response.status_code == 200, response.text
        order: dict[str, Any] = response.json()["order"]
        return order

    def operation(self, write: httpx2.Response, **params: str) -> dict[str, Any]:
        """Return the operation of a write, given the response to that write."""
        response = self.http.get(f"/api/operations/{write.headers['Operation-Id']}", params=params)
        assert response.status_code == 200, response.text
        operation: dict[str, Any] = response.json()["operation"]
        return operation

    def wait_until_settled(self, write: httpx2.Response) -> dict[str, Any]:
        """Wait until the operation of a write is settled, and return it."""

        def find_settled() -> dict[str, Any] | None:
            operation = self.operation(write, wait="5")
            return operation if operation["state"] != "pending" else None

        settled = wait_until(find_settled, f"operation {write.headers['Operation-Id']} to be settled")
        assert settled is not None
        return settled

    def write_database(self, work: Callable[[Transaction], None]) -> None:
        """Do `work` in a write transaction of the connector's own database connection."""
        asyncio.run_coroutine_threadsafe(self._connector.default.database.write(work), self._loop).result(PATIENCE)

    def create_key(self, *scopes: Scope) -> str:
        """Create an API key and return its secret. From then on every request needs a key."""
        creating = self._connector.default.api_keys.create("test", list(scopes), None)
        return asyncio.run_coroutine_threadsafe(creating, self._loop).result(PATIENCE)[1]

    def is_answered_now(self, path: str, *headers: tuple[str, str], method: str = "GET") -> bool:
        """Whether the server answers such a request itself, without the middleware and the routes."""
        path, _, query = path.partition("?")
        pairs = [(name.lower().encode(), value.encode()) for name, value in (("Host", "127.0.0.1"), *headers)]
        scope = {"type": "http", "method": method, "path": unquote(path), "raw_path": path.encode(), "headers": pairs}
        scope |= {"query_string": query.encode(), "scheme": "http", "client": ("127.0.0.1", 1), "http_version": "1.1"}

        async def answer() -> bool:
            return self._connector.rest.answer_now(scope) is not None

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(PATIENCE)

    def cancel_workers(self) -> set[str]:
        """Cancel every background task from outside, and return their names."""

        async def cancel() -> set[str]:
            names = set(self._connector.supervisor.heartbeat_ages())
            tasks = [task for task in asyncio.all_tasks() if task.get_name() in names]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return {task.get_name() for task in tasks}

        return asyncio.run_coroutine_threadsafe(cancel(), self._loop).result(PATIENCE)

    def list_tasks(self) -> list[str]:
        """Return the names of the connector's tasks, without those of its workers."""

        async def find() -> list[str]:
            workers = set(self._connector.supervisor.heartbeat_ages())
            return [name for task in asyncio.all_tasks() if (name := task.get_name()) not in workers]

        return asyncio.run_coroutine_threadsafe(find(), self._loop).result(PATIENCE)

    @property
    def queued_reads(self) -> int:
        return self._connector.database.queued_reads

    @contextmanager
    def hold_readers(self) -> Iterator[None]:
        """Occupy every reader thread of the connector's database: no read is done meanwhile."""
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
            for read in held:
                with suppress(StoreTimeout):  # the database gave it up meanwhile
                    read.result(PATIENCE)

    @contextmanager
    def hold_writer(self) -> Iterator[None]:
        """Occupy the writer thread of the connector's database: no write is done meanwhile."""
        go_on, writing = threading.Event(), threading.Event()

        def hold(_: Transaction) -> None:
            writing.set()
            go_on.wait(PATIENCE)

        held = asyncio.run_coroutine_threadsafe(self._connector.default.database.write(hold), self._loop)
        assert writing.wait(PATIENCE)
        try:
            yield
        finally:
            go_on.set()
            held.result(PATIENCE)

    def read_access_log(self) -> Sequence[Access]:
        """Flush the access log, and return its entries, newest first."""
        accesses = self._connector.access_log
        asyncio.run_coroutine_threadsafe(accesses.flush(every_use=True), self._loop).result(PATIENCE)
        reading = list_entries(self._connector.default.database, None, None, 10_000)
        return asyncio.run_coroutine_threadsafe(reading, self._loop).result(PATIENCE)

    def wait_for_sync(self) -> dict[str, Any]:
        """Wait until no sync is running and one has ended, and return the sync status."""
        return wait_for_sync(self.http)

    def fill_mirror(self) -> None:
        """Sync until a run succeeds; on a busy machine the first requests to PlanSo may time out."""
        if self.wait_for_sync()["last_result"]["state"] != "done":
            wait_until(lambda: self.sync()["last_result"]["state"] == "done", "a successful sync")

    def begin_sync(self, **params: str) -> dict[str, Any]:
        """Start a run instead of joining one that is in progress, and return the response's body."""
        while True:
            response = self.http.post("/api/sync", params=params)
            assert response.status_code == 202, response.text
            body: dict[str, Any] = response.json()
            if not body["joined"]:
                return body
            self.wait_for_sync()

    def sync(self, **params: str) -> dict[str, Any]:
        """Run one sync, and return the sync status after it."""
        self.begin_sync(**params)
        return self.wait_for_sync()


def wait_for_sync(http: httpx2.Client, patience: float = PATIENCE) -> dict[str, Any]:
    """Wait until no sync is running and one has ended, and return the sync status."""

    def find_status() -> dict[str, Any] | None:
        response = http.get("/api/sync/status")
        status: dict[str, Any] = response.json()
        has_ended = response.status_code == 200 and status["state"] != "running" and status["last_result"] is not None
        return status if has_ended else None

    status = wait_until(find_status, "the end of a sync", patience)
    assert status is not None
    return status


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
    """Run a connector in a thread of its own, and shut it down gracefully at the end."""
    # asyncio sets TCP_NODELAY only on a socket whose protocol is TCP; without it each response is 40 ms late.
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = Server()
    failed: list[BaseException] = []
    handle: list[tuple[app.Connector, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        async with app.open_connector(settings, now) as built, background.run_workers(built):
            handle.append((built, asyncio.get_running_loop()))
            server.config = built.server
            await server.serve(sockets=[listening])

    def body() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            failed.append(error)

    thread = threading.Thread(target=body, name="connector")
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive(), "the connector to start")
    if failed:
        listening.close()
        raise failed[0]
    service = Service(sandbox, settings, f"http://127.0.0.1:{listening.getsockname()[1]}", handle[0])
    try:
        yield service
    finally:
        service.http.close()
        handle[0][1].call_soon_threadsafe(server.end)
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the connector does not stop"
    if failed:
        raise failed[0]


@contextmanager
def running_on_sqlite(tmp_path: Path, sandbox: Sandbox, **changes: Any) -> Iterator[Service]:
    """Run a connector on a fresh, migrated SQLite file whose mirror has been filled by one sync."""
    path = tmp_path / "connector.db"
    path.write_bytes(read_migrated_file())
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, f"sqlite:///{path}", **changes)
        with running(settings, sandbox) as service:
            service.fill_mirror()
            yield service
