"""
What a request passes before the application sees it, and what every answer leaves with.

Whether it is meant for this service and nothing in it is forged; whether its caller has not asked for too much; that
its body comes, and in time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.flows.operating.wait_limit import while_waiting
from planso_connector.rest.json_body import BODY_TOO_LARGE, MAX_BODY_BYTES
from planso_connector.rest.middleware.rate_limits import Limits, Priority, RateLimiter, Refusal
from planso_connector.rest.middleware.response_state import Headers, RequestBody, ResponseState
from planso_connector.rest.middleware.route_scopes import MONITORING_PATHS
from planso_connector.rest.middleware.trusted_hosts import TrustedHosts
from planso_connector.rest.schemas.errors import INTERNAL_ERROR, failure_response
from planso_connector.store.engine.work_queue import has_priority

log = structlog.get_logger(__name__)

LIVE = "/health/live"
"""Asked by whoever watches over the process, by whatever name and however often: no gate."""

_ONCE = (b"host", b"origin", b"content-length", b"content-type", b"authorization", b"x-api-key", b"idempotency-key")
"""Where they come twice, one reader takes the first and another the last."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_CORS: dict[str, Any] = {
    "allow_methods": ["GET", "PUT", "PATCH", "POST", "DELETE"],
    "allow_headers": [
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "Prefer",
        "X-API-Key",
    ],
    "expose_headers": [
        "ETag",
        "Location",
        "Operation-Id",
        "Preference-Applied",
        "RateLimit",
        "RateLimit-Policy",
        "Retry-After",
    ],
}
ARRIVED_AT = "planso_connector.arrived"
"""Where in the scope the server says when the request's head was there: seconds as `time.monotonic` has."""
OVERLOADED = "planso_connector.overloaded"
"""Where in the scope it stands that the request was refused because there are too many."""
LATE, CROWD = 0.05, 32
"""
Seconds from there to the gate, after which a read is refused where so many others keep the process busy: it would wait
for all of them. Where there are fewer, the process or the machine stood still for a moment.
"""
_BEHIND = "The connector has more to do than it can; ask again in a moment."
_BETWEEN_LINES = 10.0
"""Seconds between two lines of the log that tell of refusals, lest a flood of requests become one of lines."""


class AdmissionMiddleware:
    """
    `origins`: the other sites whose pages may ask. `refused` is called with the status of each refusal. `is_behind`
    tells whether so much waits already that it is kinder to refuse a read: who is refused at once can ask again.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: TrustedHosts | None = None,
        origins: Collection[str] = (),
        limits: Limits | None = None,
        refused: Callable[[int], None] = lambda _: None,
        is_behind: Callable[[], bool] = lambda: False,
    ) -> None:
        limits = limits or Limits()
        self._app = CORSMiddleware(app, origins, **_CORS) if origins else app
        self._hosts = hosts or TrustedHosts()
        self._origins = frozenset(origin.encode() for origin in origins)
        self._turnstile = RateLimiter(limits, time.monotonic)
        self._arrival = limits.receive_timeout
        self._on_refusal = refused
        self._is_behind = is_behind
        self._refused = 0
        self._told_at = -_BETWEEN_LINES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # as GET, and the server, which has a scope of its own, leaves the body out
            scope = {**scope, "method": "GET"}
        answering = ResponseState(scope, send)
        try:
            await self._answer(scope, receive, answering)
        except Exception:
            if answering.status:
                raise
            # What stands around the routes failed: the server would answer as text, which no caller reads.
            log.exception("request_failed", method=scope["method"])
            await failure_response(500, INTERNAL_ERROR)(scope, receive, answering.send)

    async def _answer(self, scope: Scope, receive: Receive, answering: ResponseState) -> None:
        if scope["path"] == LIVE:
            await self._app(scope, receive, answering.send)
            return
        headers: Headers = dict(scope["headers"])
        if b"content-length" in headers or b"transfer-encoding" in headers:
            answering.request_body = RequestBody(receive, headers, self._arrival)
            receive = answering.request_body.receive
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            self._on_refusal(refusal.status_code)
            await refusal(scope, receive, answering.send)
            return
        priority = _priority(scope)
        turn = self._turnstile.acquire(scope, headers, priority)
        if not isinstance(turn, Refusal) and priority is Priority.READ and self._is_overloaded(scope):
            self._turnstile.release(turn)
            turn = Refusal(503, _BEHIND, 1, turn.headers)
        if isinstance(turn, Refusal):
            self._tell(turn)
            self._on_refusal(turn.status)
            answering.extra_headers = turn.headers
            scope[OVERLOADED] = turn.status == 503
            refusal = failure_response(turn.status, turn.message)
            refusal.headers["Retry-After"] = str(turn.retry_after)
            await refusal(scope, receive, answering.send)
            return
        answering.use_slot(turn.headers, turn)
        # The server gives each request a context of its own.
        has_priority.set(priority is not Priority.READ)
        while_waiting.set(turn)
        try:
            await self._app(scope, receive, answering.send)
        finally:
            self._turnstile.release(turn)

    def _is_overloaded(self, scope: Scope) -> bool:
        active = self._turnstile.active_reads
        if self._is_behind() or active > self._turnstile.max_active_reads:
            return True
        arrived: float | None = scope.get(ARRIVED_AT)
        return arrived is not None and active > CROWD and time.monotonic() - arrived > LATE

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if len(headers) != len(scope["headers"]):
            names = [name for name, _ in scope["headers"]]
            for name in _ONCE:
                if names.count(name) > 1:
                    return failure_response(400, f"{name.decode().title()}: sent more than once; accepted: once.")
        host = headers.get(b"host")
        if host is None:
            return failure_response(400, "Host: is required.")
        if not self._hosts.accepts(host):
            told = "Host: this name is not served here; CONNECTOR_ALLOWED_HOSTS names those that are."
            return failure_response(421, told)
        origin = headers.get(b"origin")
        if origin is not None and scope["method"] not in _READS and not self._is_welcome(origin, host):
            told = "Origin: pages of other sites may not write; CONNECTOR_CORS_ORIGINS names those that may."
            return failure_response(403, told)
        if int(headers.get(b"content-length", b"0")) > MAX_BODY_BYTES:
            return failure_response(413, BODY_TOO_LARGE)
        return None

    def _is_welcome(self, origin: bytes, host: bytes) -> bool:
        if origin.lower() in self._origins:
            return True
        try:
            return urlsplit(origin.decode("latin-1")).netloc.lower() == host.decode("latin-1").lower()
        except ValueError:
            return False

    def _tell(self, refused: Refusal) -> None:
        self._refused += 1
        now = time.monotonic()
        if now - self._told_at >= _BETWEEN_LINES:
            log.warning("requests_refused", status=refused.status, count=self._refused)
            self._told_at, self._refused = now, 0


def _priority(scope: Scope) -> Priority:
    if scope["method"] not in _READS:
        # A dry run writes nothing: a flood of them at the head of the database's queue kept every reader waiting.
        return Priority.READ if b"dry_run=" in scope["query_string"] else Priority.WRITE
    return Priority.MONITORING if scope["path"] in MONITORING_PATHS else Priority.READ
