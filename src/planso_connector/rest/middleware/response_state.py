"""Per-request response state shared by all middleware, and the request body as it comes in."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from planso_connector.rest.json_body import MAX_BODY_BYTES

Headers = Mapping[bytes, bytes]
RawHeaders = Sequence[tuple[bytes, bytes]]

_ALWAYS: RawHeaders = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_DEFAULTS: RawHeaders = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""Sent unless the route sets them: responses are not pages, and no cache may keep personal data."""
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")
_CLOSE = (b"connection", b"close")
_MAX_DRAINED, _DRAIN_TIMEOUT = 4 * MAX_BODY_BYTES, 1.0
"""Bytes and seconds to read of an unread request body: a client that is still sending does not read the response."""

_NO_SLOT = nullcontext()

_SCOPE_KEY = "planso_connector.answering"


class ResponseState:
    """
    Sends the response with the headers that all responses have and `extra_headers`, and first drains what is left of
    the request body. `status` is 0 until the response starts; middleware reads it here and needs no `send` of its own.
    """

    __slots__ = ("_is_https", "_send", "_slot", "extra_headers", "request_body", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._is_https = scope["scheme"] == "https"
        self.request_body: RequestBody | None = None
        self.extra_headers: list[tuple[bytes, bytes]] = []
        self.status = 0
        self._slot: AbstractContextManager[object] = _NO_SLOT
        scope[_SCOPE_KEY] = self

    def use_slot(self, headers: list[tuple[bytes, bytes]], slot: AbstractContextManager[object]) -> None:
        """Add the headers of a request slot; `slot` is entered while the request waits for its peer."""
        self.extra_headers, self._slot = headers, slot
        if self.request_body is not None:
            self.request_body.slot = slot

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = add_default_headers(message.get("headers", ()), is_https=self._is_https)
            headers += self.extra_headers
            body = self.request_body
            if body is not None and not body.is_complete and not await body.drain():
                headers.append(_CLOSE)
            message["headers"] = headers
        with self._slot:
            await self._send(message)


def get_response_state(scope: Mapping[str, Any]) -> ResponseState:
    """Raises KeyError for a request that did not pass AdmissionMiddleware."""
    state: ResponseState = scope[_SCOPE_KEY]
    return state


def add_default_headers(headers: Iterable[tuple[bytes, bytes]], *, is_https: bool = False) -> list[tuple[bytes, bytes]]:
    """A response's headers and those that every response has."""
    given = dict(headers)
    common = [*headers, *_ALWAYS, *[header for header in _DEFAULTS if header[0] not in given]]
    if is_https:
        common.append(_HTTPS_ONLY)
    return common


class RequestBody:
    """A request body on its way in. 408 unless all of it arrives within `timeout` seconds, however it drips."""

    __slots__ = ("_deadline", "_is_drainable", "_receive", "is_complete", "slot")

    def __init__(self, receive: Receive, headers: Headers, timeout: float) -> None:
        self._receive = receive
        self._deadline = asyncio.get_running_loop().time() + timeout
        self._is_drainable = b"expect" not in headers and int(headers.get(b"content-length", b"0")) <= _MAX_DRAINED
        self.is_complete = False
        self.slot: AbstractContextManager[object] = _NO_SLOT

    async def receive(self) -> Message:
        if self.is_complete:
            return await self._receive()
        try:
            with self.slot:
                async with asyncio.timeout_at(self._deadline):
                    message = await self._receive()
        except TimeoutError:
            self._is_drainable = False
            raise HTTPException(408, "The body did not arrive in time.") from None
        self.is_complete = not message.get("more_body", False)
        return message

    async def drain(self) -> bool:
        """Read and drop the rest. False if it does not end soon: the connection can't be used again."""
        if not self._is_drainable:
            return False
        bytes_left = _MAX_DRAINED
        try:
            with self.slot:
                async with asyncio.timeout(_DRAIN_TIMEOUT):
                    while not self.is_complete and bytes_left > 0:
                        message = await self._receive()
                        self.is_complete = not message.get("more_body", False)
                        bytes_left -= len(message.get("body", b""))
        except TimeoutError:
            return False
        return self.is_complete
