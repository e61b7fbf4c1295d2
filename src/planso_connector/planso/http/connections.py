"""
Connections to PlanSo that are kept for another request: httpcore2's, without its pool. The throttle bounds how many
requests are in flight; a pool looks at all of its connections with each request, and again after it.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import cast

import httpcore2
import httpx2

from planso_connector.planso.http.request_info import get_info

_ERRORS = {
    getattr(httpcore2, kind.__name__): kind
    for kind in (
        *(httpx2.ConnectTimeout, httpx2.ReadTimeout, httpx2.WriteTimeout),
        *(httpx2.ConnectError, httpx2.ReadError, httpx2.WriteError),
        *(httpx2.ProxyError, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.RemoteProtocolError),
    )
}
"""httpcore2's errors, and httpx2's of the same name."""


@contextmanager
def _translating_errors() -> Iterator[None]:
    try:
        yield
    except tuple(_ERRORS) as error:
        raise _ERRORS[type(error)](str(error)) from error


class KeptConnections(httpx2.AsyncBaseTransport):
    """
    One connection for each request in flight. A connection is used again within `keep_alive` seconds, the latest first,
    unless the server has closed it. `proxy`: its address. Nothing is sent twice. Raises httpx2's errors.
    """

    def __init__(self, context: ssl.SSLContext, proxy: str | None, keep_alive: float) -> None:
        self._keep_alive = keep_alive
        self._pool = httpcore2.AsyncConnectionPool(ssl_context=context, proxy=_describe_proxy(proxy))
        """Makes connections, and has none."""
        self._open: set[httpcore2.AsyncConnectionInterface] = set()
        self._idle: deque[tuple[float, httpcore2.AsyncConnectionInterface]] = deque()
        """With the instant of the monotonic clock at which each is closed, oldest first."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        to_send = httpcore2.Request(
            request.method,
            httpcore2.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=get_info(request).target or url.raw_path
            ),
            headers=request.headers.raw,
            content=cast("httpx2.AsyncByteStream", request.stream),
            extensions=request.extensions,
        )
        connection = await self._take(to_send.url.origin)
        try:
            with _translating_errors():
                response = await connection.handle_async_request(to_send)
        except BaseException:
            await self._close(connection)
            raise
        return httpx2.Response(
            response.status,
            headers=response.headers,
            stream=_ResponseStream(self, connection, response),
            extensions=response.extensions,
        )

    async def _take(self, origin: httpcore2.Origin) -> httpcore2.AsyncConnectionInterface:
        now = monotonic()
        while self._idle and self._idle[0][0] <= now:
            await self._close(self._idle.popleft()[1])
        while self._idle:
            _, connection = self._idle.pop()
            if connection.can_handle_request(origin) and not connection.has_expired():
                return connection
            await self._close(connection)
        connection = self._pool.create_connection(origin)
        self._open.add(connection)
        return connection

    async def release(self, connection: httpcore2.AsyncConnectionInterface) -> None:
        """Its response was read or given up; after one that was not read to its end it is not used again."""
        if connection in self._open and connection.is_idle():
            self._idle.append((monotonic() + self._keep_alive, connection))
        else:
            await self._close(connection)

    async def _close(self, connection: httpcore2.AsyncConnectionInterface) -> None:
        self._open.discard(connection)
        await connection.aclose()

    async def aclose(self) -> None:
        """Close all connections, those in use too."""
        self._idle.clear()
        while self._open:
            await self._open.pop().aclose()


class _ResponseStream(httpx2.AsyncByteStream):
    def __init__(
        self, connections: KeptConnections, connection: httpcore2.AsyncConnectionInterface, response: httpcore2.Response
    ) -> None:
        self._connections, self._connection, self._response = connections, connection, response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translating_errors():
            async for part in cast("AsyncIterable[bytes]", self._response.stream):
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()
        await self._connections.release(self._connection)


def _describe_proxy(address: str | None) -> httpcore2.Proxy | None:
    if address is None:
        return None
    proxy = httpx2.Proxy(address)
    url = proxy.url
    target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    return httpcore2.Proxy(target, auth=proxy.raw_auth)
