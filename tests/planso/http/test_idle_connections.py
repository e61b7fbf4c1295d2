"""A client that nobody uses holds no connection, no task, and no form layouts where others need the room."""

from __future__ import annotations

import asyncio
import ssl

import httpx2
import pytest

from planso_connector.domain import clock
from planso_connector.planso.http.connections import KeptConnections
from planso_connector.planso.http.outcome import PlansoHealth
from planso_connector.planso.http.throttle import Throttle
from planso_connector.planso.http.transport import ThrottledTransport
from planso_connector.planso.pages.layout_cache import LayoutCache
from tests.planso.conftest import PROFILE
from tests.service import wait_until_async

pytestmark = pytest.mark.anyio


class CountingServer:
    """Answers each request with 200, and counts the connections that are open."""

    def __init__(self) -> None:
        self.open = self.accepted = 0
        self._writers: list[asyncio.StreamWriter] = []

    def drop_all(self) -> None:
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.accepted += 1
        self._writers.append(writer)
        try:
            while await reader.readline():
                while await reader.readline() != b"\r\n":
                    pass
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()


async def test_connections_are_closed_once_idle() -> None:
    """Without another request, a task of its own, or the server's help; the next request opens one again."""
    counting = CountingServer()
    server = await asyncio.start_server(counting.serve, "127.0.0.1", 0)
    address = httpx2.URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    health = PlansoHealth(clock.now, None)
    transport = ThrottledTransport(address, Throttle(4), health, total_timeout=60.0, max_bytes=1000, keep_alive=0.05)
    async with httpx2.AsyncClient(transport=transport, timeout=60.0) as http:
        for _ in range(2):
            before = counting.accepted
            responses = await asyncio.gather(*(http.get(address) for _ in range(3)))
            assert [response.status_code for response in responses] == [200] * 3
            assert counting.accepted > before
            await wait_until_async(lambda: not counting.open, "idle connections to be closed")
            await wait_until_async(
                lambda: not any(task.get_name() == "close connections" for task in asyncio.all_tasks())
            )
    server.close()


async def test_a_connection_is_used_again() -> None:
    """Requests in turn share one; not after a response that was given up, and not once the server closed it."""
    counting = CountingServer()
    server = await asyncio.start_server(counting.serve, "127.0.0.1", 0)
    address = httpx2.URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    connections = KeptConnections(ssl.create_default_context(), None, keep_alive=60.0)

    async def request(path: str = "/") -> None:
        timeouts = httpx2.Timeout(60.0).as_dict()
        request = httpx2.Request("GET", address.join(path), extensions={"timeout": timeouts})
        response = await connections.handle_async_request(request)
        if path != "/given-up":
            await response.aread()
        await response.aclose()

    for _ in range(3):
        await request()
    assert counting.accepted == 1
    await request("/given-up")
    await request()
    assert counting.accepted == 2
    await asyncio.gather(request(), request())
    assert counting.accepted == 3
    counting.drop_all()
    await wait_until_async(lambda: not counting.open, "the server to close the connections")
    await request()
    assert counting.accepted == 4
    await connections.aclose()
    server.close()


def test_layouts_of_a_few_clients_are_kept() -> None:
    """Of those that were used last; each client has its own, and a closed one has none."""
    cache = LayoutCache(2)
    owners = [object() for _ in range(3)]
    first, second = (cache.get(owner, PROFILE) for owner in owners[:2])
    assert first is not second
    assert cache.get(owners[0], PROFILE) is first
    cache.get(owners[2], PROFILE)
    assert cache.get(owners[0], PROFILE) is first
    assert cache.get(owners[1], PROFILE) is not second
    cache.forget(owners[0])
    assert cache.get(owners[0], PROFILE) is not first
