"""The transport below the HTTP client: a slot of the throttle for each request, bounds for each response."""

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx2

from planso_connector.domain.errors import PlansoUnavailable
from planso_connector.planso.http.adaptive_throttle import parse_retry_after
from planso_connector.planso.http.bounded_response import ResponseTooLarge, read_bounded
from planso_connector.planso.http.connections import KeptConnections
from planso_connector.planso.http.outcome import PlansoHealth, RequestOutcome, classify_status, classify_transport_error
from planso_connector.planso.http.request_info import get_info
from planso_connector.planso.http.throttle import Throttle
from planso_connector.planso.http.urls import connect_locally

BeforeSend = Callable[[], None]
"""Called immediately before a request is sent; raises a PlansoUnavailable where it must not be."""

KEEP_ALIVE = 5.0
"""Seconds that a connection is kept for another request."""

_CONNECTION_LOST = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)


class ThrottledTransport(httpx2.AsyncBaseTransport):
    """
    Send each request in a slot of the throttle, read its whole response, and tell throttle and health what came of it.

    `url`: PlanSo's. `total_timeout`: seconds for one request and its response. `max_bytes`: the largest response.
    `before_send` is called twice: in the request's slot, and once it has a connection, which may take long to open.
    Connections are closed `keep_alive` seconds after the last request.
    """

    def __init__(
        self,
        url: httpx2.URL,
        throttle: Throttle,
        health: PlansoHealth,
        *,
        total_timeout: float,
        max_bytes: int,
        before_send: BeforeSend | None = None,
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        self.request_count = 0
        self.proxy = _find_proxy(url)
        """The address of the proxy, which may hold a password; None without one."""
        self._throttle = throttle
        self._health = health
        self._total_timeout = total_timeout
        self._max_bytes = max_bytes
        self._keep_alive = keep_alive
        self._in_flight = 0
        self._close_timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._before_send = before_send
        self._trace = _call_before_headers(before_send) if before_send is not None else None
        self._is_closed = False

    @cached_property
    def _connections(self) -> KeptConnections:
        """
        Made with the first request: loading TLS certificates takes a tenth of the time of a start. Raises
        UnsupportedProtocol for a proxy of another kind than HTTP.
        """
        context = _load_tls_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        if self.proxy is not None and not self.proxy.startswith(("http://", "https://")):
            kind = self.proxy.partition("://")[0]
            raise httpx2.UnsupportedProtocol(f"the proxy is a {kind} one; accepted: http:// and https:// ones")
        return KeptConnections(context, self.proxy, self._keep_alive)

    async def aclose(self) -> None:
        """From here on nothing is sent: it would open new connections."""
        self._is_closed = True
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._close_connections()
        if self._closing:
            await asyncio.wait(self._closing)

    @contextmanager
    def _keeping_connections(self) -> Iterator[None]:
        """Inside, a request is in flight."""
        self._in_flight += 1
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                loop = asyncio.get_running_loop()
                self._close_timer = loop.call_later(self._keep_alive, self._close_connections)

    def _close_connections(self) -> None:
        connections: KeptConnections | None = vars(self).pop("_connections", None)
        if connections is not None:
            task = asyncio.create_task(connections.aclose(), name="close connections")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises PlansoTimeout where the throttle has no slot in time, ResponseTooLarge, and httpx2's errors."""
        info = get_info(request)
        with self._keeping_connections():
            if info.is_retryable:
                try:
                    return await self._send(request, ignores_lost_connection=True)
                except _CONNECTION_LOST:
                    if info.has_response:
                        raise
            return await self._send(request)

    def _prepare(self, request: httpx2.Request) -> httpx2.Request:
        """The request as it is sent: to this machine where its host name says so, with that name in the header."""
        url = request.url if self.proxy is not None else connect_locally(request.url)
        if url is request.url:
            return request
        return httpx2.Request(
            request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )

    async def _send(self, request: httpx2.Request, *, ignores_lost_connection: bool = False) -> httpx2.Response:
        """
        Send once. `ignores_lost_connection`: a connection that is lost before the response begins is no sign of
        overload: it was idle, and a proxy closed it.
        """
        info = get_info(request)
        async with self._throttle.slot(urgent=info.is_save or info.is_login) as attempt:  # reads wait for a login too
            if self._is_closed:
                raise PlansoUnavailable("this workshop was changed, or closed, meanwhile; nothing was sent: try again")
            if self._before_send is not None:
                self._before_send()
                request.extensions["trace"] = self._trace
            self.request_count += 1
            info.sent_at = sent_at = time.monotonic()
            info.uses_proxy = self.proxy is not None
            outcome: RequestOutcome | None = None
            try:
                async with asyncio.timeout(self._total_timeout):
                    response = await self._connections.handle_async_request(self._prepare(request))
                    response.request = request
                    info.has_response = True
                    response = await read_bounded(response, info.max_bytes or self._max_bytes, info.large_slot)
                outcome = classify_status(response.status_code)
            except TimeoutError as error:
                attempt.record_failure()
                outcome = RequestOutcome.TIMEOUT
                raise httpx2.ReadTimeout("the response arrived too slowly", request=request) from error
            except ResponseTooLarge:
                outcome = RequestOutcome.TOO_LARGE
                raise
            except httpx2.TransportError as error:
                error.request = request
                is_ignored = ignores_lost_connection and isinstance(error, _CONNECTION_LOST)
                if not is_ignored or info.has_response:
                    attempt.record_failure()
                    outcome = classify_transport_error(error)
                raise
            finally:
                if outcome is not None:
                    self._health.record(info.kind, outcome, time.monotonic() - sent_at)
            attempt.record_response(
                response.status_code,
                f"{request.method} {info.kind} {info.action}",
                parse_retry_after(response.headers.get("Retry-After"), response.headers.get("Date")),
            )
            return response


def _call_before_headers(before_send: BeforeSend) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    """For httpx2's `trace` extension: call `before_send` when a connection begins to send a request's head."""

    async def trace(event: str, _info: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_headers.started"):
            before_send()

    return trace


@cache
def _load_tls_context(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """
    The trusted certificates, shared by all clients of the process: each takes 20 ms and 0.8 MB. The arguments are what
    httpx2 reads, SSL_CERT_FILE and SSL_CERT_DIR.
    """
    return httpx2.create_ssl_context()


def _find_proxy(url: httpx2.URL) -> str | None:
    """The proxy for PlanSo by HTTPS_PROXY, NO_PROXY and the like; httpx2 reads them only for transports it makes."""
    if proxy_bypass(url.host):
        return None
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
