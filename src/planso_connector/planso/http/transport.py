"""The transport below the HTTP client: a slot of the throttle for each request, bounds for each response."""

from __future__ import annotations

import asyncio
import time

import httpx2

from planso_connector.planso.http.bounded_response import ResponseTooLarge, read_bounded
from planso_connector.planso.http.extensions import (
    IS_LOGIN,
    IS_RETRYABLE,
    IS_SAVE,
    LARGE_SLOT,
    MAX_BYTES,
    PAGE,
    RESPONSE_STARTED,
    SENT_AT,
)
from planso_connector.planso.http.outcome import (
    PlansoHealth,
    RequestOutcome,
    classify_status,
    classify_transport_error,
)
from planso_connector.planso.http.adaptive_limit import parse_retry_after
from planso_connector.planso.http.throttle import Throttle

_CONNECTION_LOST = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)


class ThrottledTransport(httpx2.AsyncBaseTransport):
    """
    Send each request in a slot of the throttle, read its whole response, and tell throttle and health what came of it.

    `total_timeout`: seconds for one request and its response. `max_bytes`: the largest response.
    """

    def __init__(
        self,
        transport: httpx2.AsyncBaseTransport,
        throttle: Throttle,
        health: PlansoHealth,
        *,
        total_timeout: float,
        max_bytes: int,
    ) -> None:
        self.request_count = 0
        self._transport = transport
        self._throttle = throttle
        self._health = health
        self._total_timeout = total_timeout
        self._max_bytes = max_bytes

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises PlansoTimeout where the throttle has no slot in time, ResponseTooLarge, and httpx2's errors."""
        if request.extensions.get(IS_RETRYABLE):
            try:
                return await self._send(request, ignores_lost_connection=True)
            except _CONNECTION_LOST:
                if request.extensions.get(RESPONSE_STARTED):
                    raise
        return await self._send(request)

    async def _send(self, request: httpx2.Request, *, ignores_lost_connection: bool = False) -> httpx2.Response:
        """
        Send once. `ignores_lost_connection`: a connection that is lost before the response begins is no sign of
        overload: it was idle, and a proxy closed it.
        """
        extensions = request.extensions
        is_urgent = bool(extensions.get(IS_SAVE) or extensions.get(IS_LOGIN))  # reads wait for a login too
        async with self._throttle.slot(urgent=is_urgent) as attempt:
            self.request_count += 1
            extensions[SENT_AT] = sent_at = time.monotonic()
            outcome: RequestOutcome | None = None
            try:
                async with asyncio.timeout(self._total_timeout):
                    response = await self._transport.handle_async_request(request)
                    response.request = request
                    extensions[RESPONSE_STARTED] = True
                    max_bytes = extensions.get(MAX_BYTES, self._max_bytes)
                    response = await read_bounded(response, max_bytes, extensions.get(LARGE_SLOT))
                outcome = classify_status(response.status_code)
            except TimeoutError as error:
                attempt.record_failure()
                outcome = RequestOutcome.TIMEOUT
                raise httpx2.ReadTimeout("the response arrived too slowly", request=request) from error
            except ResponseTooLarge:
                outcome = RequestOutcome.TOO_LARGE
                raise
            except httpx2.TransportError as error:
                is_ignored = ignores_lost_connection and isinstance(error, _CONNECTION_LOST)
                if not is_ignored or extensions.get(RESPONSE_STARTED):
                    attempt.record_failure()
                    outcome = classify_transport_error(error)
                raise
            finally:
                if outcome is not None:
                    self._health.record(request, outcome, time.monotonic() - sent_at)
            attempt.record_response(
                response.status_code,
                f"{request.method} {extensions.get(PAGE, 'login')}",
                parse_retry_after(response.headers.get("Retry-After"), response.headers.get("Date")),
            )
            return response
