"""Admit a request or refuse it before anything else is done for it: header checks, rate limits, overload."""

import time
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.domain.priority import has_priority
from planso_connector.flows.operating.wait_limit import while_waiting
from planso_connector.rest.json_body import BODY_TOO_LARGE, MAX_BODY_BYTES
from planso_connector.rest.middleware.rate_limits import Limits, Priority, RateLimiter, Refusal, RequestSlot
from planso_connector.rest.middleware.response_state import Headers, RequestBody, ResponseState
from planso_connector.rest.middleware.route_scopes import LIVENESS_PATH, MONITORING_PATHS
from planso_connector.rest.middleware.trusted_hosts import TrustedHosts
from planso_connector.rest.request_context import get_context
from planso_connector.rest.schemas.errors import INTERNAL_ERROR, failure_response

log = structlog.get_logger(__name__)

_SENT_ONCE = (
    b"host",
    b"origin",
    b"content-length",
    b"content-type",
    b"authorization",
    b"x-api-key",
    b"idempotency-key",
)
"""Of two such headers one reader takes the first, another the last."""
_READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

ARRIVED_AT = "planso_connector.arrived"
"""Scope key: when the server had the request's head, in seconds of `time.monotonic`."""
OVERLOADED = "planso_connector.overloaded"
"""Scope key: whether the request was refused with 503."""
MAX_READ_DELAY, MAX_LATE_READS = 0.05, 32
"""
Seconds from the arrival of a read until it gets here, after which it is refused if more than `MAX_LATE_READS` reads are
active: it would wait for all of them. With fewer, the process or the machine merely paused for a moment.
"""
_OVERLOADED_MESSAGE = "The connector is overloaded; ask again in a moment."
_LOG_INTERVAL = 10.0
"""Seconds between log lines about refused requests, so that a flood of requests is not a flood of lines."""


class AdmissionMiddleware:
    """
    Creates the ResponseState, and refuses with the status and message of a Refusal. `GET /health/live` is always
    admitted. Reads are refused first under overload: their callers can ask again.

    `limiter`: that of `limits`, where others count with it too. `origins`: other sites whose pages may write.
    `on_refusal` gets the status of each refusal. `is_behind`: whether too much database work is queued.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: TrustedHosts | None = None,
        origins: Collection[str] = (),
        limits: Limits,
        limiter: RateLimiter | None = None,
        on_refusal: Callable[[int], None] = lambda _: None,
        is_behind: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app = app
        self._hosts = hosts or TrustedHosts()
        self._origins = frozenset(origin.encode() for origin in origins)
        self._limiter = limiter or RateLimiter(limits, time.monotonic)
        self._receive_timeout = limits.receive_timeout
        self._on_refusal = on_refusal
        self._is_behind = is_behind
        self._refusals_since_log = 0
        self._logged_at = -_LOG_INTERVAL

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # answered as GET; the server keeps the original scope and leaves out the body
            scope = {**scope, "method": "GET"}
            get_context(scope).is_head = True
        state = ResponseState(scope, send)
        try:
            await self._handle(scope, receive, state)
        except Exception:
            if state.status:
                raise
            # A fault in the middleware, outside FastAPI's error handlers: the server would answer in plain text.
            log.exception("request_failed", method=scope["method"])
            await failure_response(500, INTERNAL_ERROR)(scope, receive, state.send)

    async def _handle(self, scope: Scope, receive: Receive, state: ResponseState) -> None:
        if scope["path"] == LIVENESS_PATH:
            await self._app(scope, receive, state.send)
            return
        headers: Headers = dict(scope["headers"])
        if b"content-length" in headers or b"transfer-encoding" in headers:
            state.request_body = RequestBody(receive, headers, self._receive_timeout)
            receive = state.request_body.receive
        priority = _get_priority(scope)
        slot = self._check_headers(scope, headers) or self._acquire_slot(scope, priority)
        if isinstance(slot, Refusal):
            self._on_refusal(slot.status)
            state.extra_headers = slot.headers
            scope[OVERLOADED] = slot.status == 503
            response = failure_response(slot.status, slot.message)
            if slot.retry_after:
                response.headers["Retry-After"] = str(slot.retry_after)
            await response(scope, receive, state.send)
            return
        state.use_slot(slot.headers, slot)
        get_context(scope).slot = slot
        # The server runs each request in a context of its own: nothing has to be reset.
        has_priority.set(priority is not Priority.READ)
        while_waiting.set(slot)
        try:
            await self._app(scope, receive, state.send)
        finally:
            self._limiter.release(slot)

    def _acquire_slot(self, scope: Scope, priority: Priority) -> RequestSlot | Refusal:
        slot = self._limiter.acquire(scope, priority)
        if isinstance(slot, RequestSlot):
            if priority is not Priority.READ or not self._is_overloaded(scope):
                return slot
            self._limiter.release(slot)
            slot = Refusal(503, _OVERLOADED_MESSAGE, 1, slot.headers)
        self._log_refusal(slot)
        return slot

    def _is_overloaded(self, scope: Scope) -> bool:
        active = self._limiter.active_reads
        if self._is_behind() or active > self._limiter.max_active_reads:
            return True
        arrived_at: float | None = scope.get(ARRIVED_AT)
        return arrived_at is not None and active > MAX_LATE_READS and time.monotonic() - arrived_at > MAX_READ_DELAY

    def _check_headers(self, scope: Scope, headers: Headers) -> Refusal | None:
        if len(headers) != len(scope["headers"]):
            names = [name for name, _ in scope["headers"]]
            for name in _SENT_ONCE:
                if names.count(name) > 1:
                    return Refusal(400, f"{name.decode().title()}: sent more than once; accepted: once.")
        host = headers.get(b"host")
        if host is None:
            return Refusal(400, "Host: is required.")
        if not self._hosts.accepts(host):
            return Refusal(421, "Host: this name is not served here; CONNECTOR_ALLOWED_HOSTS names those that are.")
        origin = headers.get(b"origin")
        if origin is not None and scope["method"] not in _READ_METHODS and not self._may_write(origin, host):
            return Refusal(
                403, "Origin: pages of other sites may not write; CONNECTOR_CORS_ORIGINS names those that may."
            )
        if int(headers.get(b"content-length", b"0")) > MAX_BODY_BYTES:
            return Refusal(413, BODY_TOO_LARGE)
        return None

    def _may_write(self, origin: bytes, host: bytes) -> bool:
        """Whether pages of this origin may write: those of a configured origin, and our own."""
        if origin.lower() in self._origins:
            return True
        try:
            return urlsplit(origin.decode("latin-1")).netloc.lower() == host.decode("latin-1").lower()
        except ValueError:
            return False

    def _log_refusal(self, refusal: Refusal) -> None:
        self._refusals_since_log += 1
        now = time.monotonic()
        if now - self._logged_at >= _LOG_INTERVAL:
            log.warning("requests_refused", status=refusal.status, count=self._refusals_since_log)
            self._logged_at, self._refusals_since_log = now, 0


def _get_priority(scope: Scope) -> Priority:
    if scope["method"] not in _READ_METHODS:
        # A dry run writes nothing: a flood of them at the head of the database's queue kept all readers waiting.
        return Priority.READ if b"dry_run=" in scope["query_string"] else Priority.WRITE
    return Priority.MONITORING if scope["path"] in MONITORING_PATHS else Priority.READ
