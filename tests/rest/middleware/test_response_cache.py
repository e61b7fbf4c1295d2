"""Cached lists: right after every write, whoever makes it, and bounded in memory."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planso_connector.domain.clock import Instant, format_instant
from planso_connector.domain.errors import QueryTooBroad
from planso_connector.flows.querying.orders import OrderQueries
from planso_connector.rest.middleware import response_cache
from planso_connector.rest.middleware.response_cache import ResponseCacheMiddleware
from planso_connector.rest.request_context import get_context
from planso_connector.rest.routes.orders import routes
from planso_connector.store import orders, sync_runs
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.search import OrderFilters
from planso_connector.store.sync_runs import RunState
from tests.databases import Store
from tests.service import Service
from tests.store.samples import order

ORDERS = 12
LIST = {"limit": "3", "sort": "id"}


def persons(service: Service) -> list[str]:
    return [order["person"] for order in service.http.get("/api/orders", params=LIST).json()["orders"]]


def test_a_list_shows_a_write_as_soon_as_it_is_confirmed(service: Service) -> None:
    """The same list before and after each of some writes shows what was just confirmed."""
    first = service.http.get("/api/orders", params=LIST).json()["orders"][0]["id"]
    for name in ("Anna Eins", "Berta Zwei", "Cora Drei"):
        assert persons(service) == persons(service)
        assert service.put(first, person=name).status_code == 200
        assert persons(service)[0] == name


def test_a_list_shows_what_another_process_wrote(service: Service) -> None:
    """Another connection to the same file writes: the same list shows it at once."""
    assert persons(service) == persons(service)
    other = Store(service.settings.connector_database_url, workshop=service.settings.connector_workshop)
    try:
        shown = service.http.get("/api/orders", params=LIST).json()["orders"][-1]["id"]
        instant = Instant("2999-01-01T00:00:00.000000Z")
        other.write(lambda tx: orders.save(tx, order(shown, values={"person": "X"}), read_at=instant, now=instant))
    finally:
        other.close()
    assert persons(service)[-1] == "X"


class Origin:
    """An application that answers with a number that counts up, so that a cached response can be recognised."""

    def __init__(self, size: int = 10) -> None:
        self.data_version: int | None = 1
        self.requests = 0
        self.valid_until = 4e9
        self.status = 200
        self.size = size
        self.cache = ResponseCacheMiddleware(self, get_data_version=lambda: self.data_version)

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.requests += 1
        get_context(scope).valid_until = self.valid_until
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": str(self.requests).encode().rjust(self.size)})

    def ask(self, query: bytes = b"", path: str = "/api/orders", method: str = "GET") -> tuple[int, bytes]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            threading.Event().wait()

        scope = {"type": "http", "path": path, "method": method, "query_string": query}
        asyncio.run(self.cache(scope, receive, send))
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        assert list(sent[0]["headers"]) == [(b"a", b"b")]
        return sent[0]["status"], sent[1]["body"].strip()


def test_only_the_same_query_while_nothing_changes_is_answered_from_the_cache() -> None:
    """Another query, path, method or data version, an expired response, a failure: the application is asked again."""
    origin = Origin()
    assert origin.ask(b"a=1") == origin.ask(b"a=1") == (200, b"1")
    assert origin.ask(b"a=2") == (200, b"2")
    assert origin.ask(b"a=1") == (200, b"1")
    assert [origin.ask(b"a=1", path="/api/orders/1") for _ in range(2)] == [(200, b"3"), (200, b"4")]
    assert origin.ask(b"a=1", method="HEAD") == (200, b"5")
    origin.data_version = 2
    assert origin.ask(b"a=1") == origin.ask(b"a=1") == (200, b"6")
    origin.data_version = None
    assert [origin.ask(b"a=1") for _ in range(2)] == [(200, b"7"), (200, b"8")]
    origin.data_version, origin.valid_until = 3, 0.0
    assert [origin.ask(b"a=1") for _ in range(2)] == [(200, b"9"), (200, b"10")]
    origin.valid_until, origin.status = 4e9, 503
    assert [origin.ask(b"a=1") for _ in range(2)] == [(503, b"11"), (503, b"12")]


def test_a_write_while_the_response_is_made_counts() -> None:
    """What was read while somebody wrote is not cached as the state after the write."""
    origin = Origin()
    versions = iter([1, 2, 2, 2])
    origin.cache = ResponseCacheMiddleware(origin, get_data_version=lambda: next(versions))
    assert [origin.ask() for _ in range(3)] == [(200, b"1"), (200, b"2"), (200, b"2")]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_the_cache_is_bounded_and_keeps_the_latest(queries: list[int]) -> None:
    """However many responses there are, memory has a bound; the latest is cached."""
    origin = Origin(size=response_cache.MAX_BYTES // 20)
    for number in queries:
        origin.ask(str(number).encode())
    before = origin.requests
    origin.ask(str(queries[-1]).encode())
    assert origin.requests == before
    origin.data_version = 2
    for number in range(40):
        origin.ask(str(number).encode())
    before = origin.requests
    for number in reversed(range(40)):
        origin.ask(str(number).encode())
    assert 40 - (origin.requests - before) <= 20


def test_memory_does_not_grow_with_small_responses() -> None:
    """The bound counts memory, not bodies alone; with another data version all responses are dropped."""

    async def send(_message: Any) -> None: ...

    async def receive() -> Any: ...

    async def ask(origin: Origin, times: int) -> None:
        for number in range(times):
            scope = {"type": "http", "path": "/api/orders", "method": "GET", "query_string": b"text=%d" % number}
            await origin.cache(scope, receive, send)

    origin = Origin()
    tracemalloc.start()
    asyncio.run(ask(origin, 20_000))
    full, _ = tracemalloc.get_traced_memory()
    origin.data_version = 2
    asyncio.run(ask(origin, 1))
    emptied, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert full < 4 << 20
    assert emptied < full // 4


def test_a_response_from_before_a_write_does_not_replace_one_after_it() -> None:
    """A slow request ends after a quicker one that saw the write: the cache keeps what the quicker one saw."""
    origin = Origin()
    versions = iter([1, 2, 2])

    async def swallow(_message: Any) -> None: ...

    async def overtaken(scope: Any, receive: Any, send: Any) -> None:
        if origin.data_version == 1:
            origin.data_version = 2
            await origin.cache({**scope}, receive, swallow)
        await origin(scope, receive, send)

    origin.cache = ResponseCacheMiddleware(overtaken, get_data_version=lambda: next(versions))
    assert [origin.ask() for _ in range(2)] == [(200, b"2"), (200, b"1")]


def test_a_total_that_could_not_be_counted_is_not_cached(store: Store) -> None:
    """A busy moment's "too many to be counted" is not the next caller's answer."""

    class Busy(OrderQueries):
        counted = 0

        async def count(self, filters: OrderFilters) -> int:
            self.counted += 1
            if self.counted == 1:
                raise QueryTooBroad(2.0)
            return await super().count(filters)

    class Fresh:
        def now(self) -> datetime:
            return datetime.now(UTC)

        async def stale_from(self) -> datetime:
            return self.now() + timedelta(hours=1)

    def record_sync(tx: Transaction) -> None:
        run = sync_runs.start(tx, now=format_instant(datetime.now(UTC)))
        sync_runs.finish(tx, run.id, state=RunState.DONE, now=run.started_at)

    store.write(record_sync)
    fresh: Any = Fresh()
    lookup = Busy(store.database)
    app = FastAPI()
    for router in routes(lookup, fresh):
        app.include_router(router)
    app.add_middleware(ResponseCacheMiddleware, get_data_version=lambda: 1)

    async def main() -> list[int | None]:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as client:
            return [(await client.get("/api/orders?total=true")).json()["total"] for _ in range(3)]

    assert (store.runner.run(main()), lookup.counted) == ([None, 0, 0], 2)


def test_a_huge_response_is_not_cached() -> None:
    """It would push out all others."""
    origin = Origin(size=response_cache.MAX_RESPONSE_BYTES + 1)
    assert [origin.ask() for _ in range(2)] == [(200, b"1"), (200, b"2")]
