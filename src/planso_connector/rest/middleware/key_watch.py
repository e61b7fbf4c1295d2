"""
Ends requests that wait while their API key is revoked or expires: a long poll, a write's wait, a live reading. They
are refused within two seconds, and what comes of them until then is not shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.domain.errors import ConnectorError, NotAuthenticated
from planso_connector.rest.middleware.response_state import get_response_state

CHECK_INTERVAL = 1.0
"""Seconds between two looks at the keys of requests that wait, and from which on a request is one of those."""

_RefusalOf = Callable[[Scope], Awaitable[NotAuthenticated | None]]


class KeyWithdrawn(Exception):
    """The key is not valid any more; `error` says why. No ConnectorError, which routes would answer themselves."""

    def __init__(self, error: NotAuthenticated) -> None:
        super().__init__(str(error))
        self.error = error


class _Request:
    """One that is under way: `send` of an answer that took long looks at the key first."""

    __slots__ = ("_began", "_refusal_of", "_send", "_task", "key", "refusal", "scope")

    def __init__(self, key: str | None, scope: Scope, send: Send, refusal_of: _RefusalOf) -> None:
        self.key, self.scope = key, scope
        self._send, self._refusal_of = send, refusal_of
        self._began = monotonic()
        self._task = asyncio.current_task()
        self.refusal: NotAuthenticated | None = None

    @property
    def waits(self) -> bool:
        return monotonic() - self._began >= CHECK_INTERVAL and get_response_state(self.scope).status == 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self.waits:
            refusal = await self._refusal_of(self.scope)
            if refusal is not None:
                raise KeyWithdrawn(refusal)
        await self._send(message)

    def end(self, refusal: NotAuthenticated) -> None:
        assert self._task is not None, "a server runs each request in a task"
        self.refusal = refusal
        self._task.cancel()

    def take_back_cancellation(self) -> None:
        assert self._task is not None, "a server runs each request in a task"
        self._task.uncancel()


class KeyWatch:
    """`check` raises NotAuthenticated where the key of a request is not valid now."""

    def __init__(self, check: Callable[[Scope], Awaitable[object]]) -> None:
        self._check = check
        self._under_way: set[_Request] = set()
        self._watching: asyncio.Task[None] | None = None

    async def run(self, app: ASGIApp, key: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises KeyWithdrawn, before any answer began."""
        request = _Request(key, scope, send, self._refusal)
        self._under_way.add(request)
        if self._watching is None or self._watching.done():
            # Not in this request's context: its trace would stand in lines about others.
            self._watching = asyncio.get_running_loop().create_task(self._watch(), name="key watch", context=Context())
        try:
            await app(scope, receive, request.send)
        except asyncio.CancelledError:
            if request.refusal is None:
                raise
            request.take_back_cancellation()
            raise KeyWithdrawn(request.refusal) from None
        finally:
            self._under_way.discard(request)

    async def _watch(self) -> None:
        """As long as there are requests. One look for each key, however many wait with it."""
        while self._under_way:
            await asyncio.sleep(CHECK_INTERVAL)
            seen: dict[str | None, NotAuthenticated | None] = {}
            for request in [one for one in self._under_way if one.waits]:
                if request.key not in seen:
                    seen[request.key] = await self._refusal(request.scope)
                refusal = seen[request.key]
                if refusal is not None and request in self._under_way and request.waits:
                    request.end(refusal)

    async def _refusal(self, scope: Scope) -> NotAuthenticated | None:
        try:
            await self._check(scope)
        except NotAuthenticated as refusal:
            return refusal
        except ConnectorError:  # the database can't tell now; it did when the request came
            return None
        return None
