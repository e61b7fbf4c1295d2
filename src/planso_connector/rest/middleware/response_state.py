"""What every answer leaves with, and how far it has come: one for each request, which all around the routes share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from planso_connector.rest.json_body import MAX_BODY_BYTES

Headers = Mapping[bytes, bytes]
RawHeaders = list[tuple[bytes, bytes]]

_ALWAYS: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""What every answer carries."""
_UNLESS_SAID: RawHeaders = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]
"""What an answer carries unless its route says otherwise: it is no page, and no cache keeps people's data."""
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")
_CLOSE = (b"connection", b"close")
_MOST_DRAINED, _DRAINING = 4 * MAX_BODY_BYTES, 1.0
"""Bytes and seconds for what is left of a body that nobody read: who is still sending can't listen to an answer."""

NOTED_NOWHERE = nullcontext()

_ANSWERING = "planso_connector.answering"


class ResponseState:
    """
    Sends an answer: with the headers that all have and the `fields` of this one, and after what is left of the
    request's body. `status` is 0 until it begins. Who stands around the routes looks here, and needs no `send` of
    its own.
    """

    __slots__ = ("_is_https", "_send", "_waits", "extra_headers", "request_body", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._is_https = scope["scheme"] == "https"
        self.request_body: RequestBody | None = None
        self.extra_headers: RawHeaders = []
        self.status = 0
        self._waits: AbstractContextManager[object] = NOTED_NOWHERE
        scope[_ANSWERING] = self

    def use_slot(self, fields: RawHeaders, waits: AbstractContextManager[object]) -> None:
        """The answer's `fields`; within `waits` the request waits for its body, or until its answer is taken."""
        self.extra_headers, self._waits = fields, waits
        if self.request_body is not None:
            self.request_body.waits = waits

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = add_default_headers(message.get("headers", ()))
            headers += self.extra_headers
            if self._is_https:
                headers.append(_HTTPS_ONLY)
            if (
                self.request_body is not None
                and not self.request_body.is_complete
                and not await self.request_body.drain()
            ):
                headers.append(_CLOSE)
            message["headers"] = headers
        with self._waits:
            await self._send(message)


def get_response_state(scope: Mapping[str, Any]) -> ResponseState:
    """KeyError for what came by no gate."""
    found: ResponseState = scope[_ANSWERING]
    return found


def add_default_headers(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """The headers of an answer with those that every one has."""
    given = dict(headers)
    found = [*headers, *_ALWAYS]
    for name, value in _UNLESS_SAID:
        if name not in given:
            found.append((name, value))
    return found


class RequestBody:
    """A request's body on its way in. All of it has to arrive within `seconds`: one that drips is cut off with 408."""

    __slots__ = ("_drainable", "_receive", "_until", "is_complete", "waits")

    def __init__(self, receive: Receive, headers: Headers, seconds: float) -> None:
        self._receive = receive
        self._until = asyncio.get_running_loop().time() + seconds
        self._drainable = b"expect" not in headers and int(headers.get(b"content-length", b"0")) <= _MOST_DRAINED
        self.is_complete = False
        self.waits: AbstractContextManager[object] = NOTED_NOWHERE

    async def receive(self) -> Message:
        if self.is_complete:
            return await self._receive()
        try:
            with self.waits:
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
            with self.waits:
                async with asyncio.timeout(_DRAINING):
                    while not self.is_complete and left > 0:
                        message = await self._receive()
                        self.is_complete = not message.get("more_body", False)
                        left -= len(message.get("body", b""))
        except TimeoutError:
            return False
        return self.is_complete
