"""
What a request passes before the application sees it, and what every answer leaves with.

Whether it is meant for this service and nothing in it is forged; whether its caller has not asked for too much; that
its body comes, and in time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.rest.bodies import MAX_BODY
from planso_connector.rest.hosts import Hosts
from planso_connector.rest.limits import Limits, RawHeaders, Refused, Turnstile
from planso_connector.rest.problems import failure

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
ALWAYS: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""What every answer carries."""
_UNLESS_SAID: dict[bytes, bytes] = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}
"""What an answer carries unless its route says otherwise: it is no page, and no cache keeps people's data."""
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")
_CLOSE = (b"connection", b"close")
_MOST_DRAINED, _DRAINING = 4 * MAX_BODY, 1.0
"""Bytes and seconds for what is left of a body that nobody read: who is still sending can't listen to an answer."""
ARRIVED = "planso_connector.arrived"
"""Where in the scope the server says when the request's head was there: seconds as `time.monotonic` has."""
LATE, CROWD = 0.05, 32
"""
Seconds from there to the gate, after which a request is refused where so many are under way: it would wait for all of
them. Where there are fewer, the process or the machine stood still for a moment.
"""
_BEHIND = "The connector has more to do than it can; ask again in a moment."
_BETWEEN_LINES = 10.0
"""Seconds between two lines of the log that tell of refusals, lest a flood of requests become one of lines."""

Headers = Mapping[bytes, bytes]


class Gate:
    """
    `origins`: the other sites whose pages may ask. `refused` is called with the status of each refusal. `is_behind`
    tells whether so much waits already that it is kinder to refuse: who is refused at once can ask again.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Hosts | None = None,
        origins: Collection[str] = (),
        limits: Limits | None = None,
        refused: Callable[[int], None] = lambda _: None,
        is_behind: Callable[[], bool] = lambda: False,
    ) -> None:
        limits = limits or Limits()
        self._app = CORSMiddleware(app, origins, **_CORS) if origins else app
        self._hosts = hosts or Hosts()
        self._origins = frozenset(origin.encode() for origin in origins)
        self._turnstile = Turnstile(limits, time.monotonic)
        self._arrival = limits.arrival
        self._on_refusal = refused
        self._is_behind = is_behind
        self._refused = 0
        self._told_at = -_BETWEEN_LINES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = _Answering(send, is_https=scope["scheme"] == "https")
        if scope["path"] == LIVE:
            await self._app(scope, receive, answering.send)
            return
        headers: Headers = dict(scope["headers"])
        if b"content-length" in headers or b"transfer-encoding" in headers:
            answering.body = _Body(receive, headers, self._arrival)
            receive = answering.body.receive
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            self._on_refusal(refusal.status_code)
            await refusal(scope, receive, answering.send)
            return
        turn = self._turnstile.enter(scope, headers)
        if not isinstance(turn, Refused) and (self._is_late(scope) or self._is_behind()):
            self._turnstile.leave(turn)
            turn = Refused(503, _BEHIND, 1, turn.fields)
        if isinstance(turn, Refused):
            self._tell(turn)
            self._on_refusal(turn.status)
            answering.fields = turn.fields
            refusal = failure(turn.status, turn.message)
            refusal.headers["Retry-After"] = str(turn.retry_after)
            await refusal(scope, receive, answering.send)
            return
        answering.fields = turn.fields
        try:
            await self._app(scope, receive, answering.send)
        finally:
            self._turnstile.leave(turn)

    def _is_late(self, scope: Scope) -> bool:
        arrived: float | None = scope.get(ARRIVED)
        return arrived is not None and self._turnstile.running > CROWD and time.monotonic() - arrived > LATE

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if len(headers) != len(scope["headers"]):
            names = [name for name, _ in scope["headers"]]
            for name in _ONCE:
                if names.count(name) > 1:
                    return failure(400, f"{name.decode().title()}: sent more than once; accepted: once.")
        host = headers.get(b"host")
        if host is None:
            return failure(400, "Host: is required.")
        if not self._hosts.serves(host):
            told = "Host: this name is not served here; CONNECTOR_ALLOWED_HOSTS names those that are."
            return failure(421, told)
        origin = headers.get(b"origin")
        if origin is not None and scope["method"] not in _READS and not self._is_welcome(origin, host):
            told = "Origin: pages of other sites may not write; CONNECTOR_CORS_ORIGINS names those that may."
            return failure(403, told)
        if int(headers.get(b"content-length", b"0")) > MAX_BODY:
            return failure(413, f"The body is too large; accepted: up to {MAX_BODY} bytes.")
        return None

    def _is_welcome(self, origin: bytes, host: bytes) -> bool:
        if origin.lower() in self._origins:
            return True
        try:
            return urlsplit(origin.decode("latin-1")).netloc.lower() == host.decode("latin-1").lower()
        except ValueError:
            return False

    def _tell(self, refused: Refused) -> None:
        self._refused += 1
        now = time.monotonic()
        if now - self._told_at >= _BETWEEN_LINES:
            log.warning("requests_refused", status=refused.status, count=self._refused)
            self._told_at, self._refused = now, 0


class _Answering:
    """Sends an answer: with the headers that all have, and after what is left of the request's body."""

    __slots__ = ("_is_https", "_send", "body", "fields")

    def __init__(self, send: Send, *, is_https: bool) -> None:
        self._send = send
        self._is_https = is_https
        self.body: _Body | None = None
        self.fields: RawHeaders = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dressed(message.get("headers", ()))
            headers += self.fields
            if self._is_https:
                headers.append(_HTTPS_ONLY)
            if self.body is not None and not self.body.is_complete and not await self.body.drain():
                headers.append(_CLOSE)
            message["headers"] = headers
        await self._send(message)


def dressed(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """The headers of an answer with those that every one has."""
    given = dict(headers)
    found = [*headers, *ALWAYS]
    found += [item for item in _UNLESS_SAID.items() if item[0] not in given]
    return found


class _Body:
    """A request's body on its way in. All of it has to arrive within `seconds`: one that drips is cut off with 408."""

    __slots__ = ("_drainable", "_receive", "_until", "is_complete")

    def __init__(self, receive: Receive, headers: Headers, seconds: float) -> None:
        self._receive = receive
        self._until = asyncio.get_running_loop().time() + seconds
        self._drainable = b"expect" not in headers and int(headers.get(b"content-length", b"0")) <= _MOST_DRAINED
        self.is_complete = False

    async def receive(self) -> Message:
        if self.is_complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            self._drainable = False
            raise HTTPException(408, "The body did not arrive in time.") from None
        self.is_complete = not message.get("more_body", False)
        return message

    async def drain(self) -> bool:
        """Whether the rest has come by now. If not, the connection is of no more use."""
        if not self._drainable:
            return False
        left = _MOST_DRAINED
        try:
            async with asyncio.timeout(_DRAINING):
                while not self.is_complete and left > 0:
                    message = await self._receive()
                    self.is_complete = not message.get("more_body", False)
                    left -= len(message.get("body", b""))
        except TimeoutError:
            return False
        return self.is_complete
