"""
Ends requests that wait while their API key is revoked or expires: a long poll, a write's wait, a live reading. They
are refused within two seconds, and what comes of them until then is not shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.domain.errors import ConnectorError, NotAuthenticated
from planso_connector.rest.answering import answering_of

EVERY = 1.0
"""Seconds between two looks at the keys of requests that wait, and from which on a request is one of those."""


class KeyWithdrawn(Exception):
    """The key is not valid any more; `error` says why. No ConnectorError, which routes would answer themselves."""

    def __init__(self, error: NotAuthenticated) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True, eq=False)
class _Request:
    scope: Scope
    key: str | None
    began: float
    limit: asyncio.Timeout
    refusal: NotAuthenticated | None = None

    @property
    def is_answered(self) -> bool:
        return answering_of(self.scope).status != 0


class KeyWatch:
    """`check` raises NotAuthenticated where the key of a request is not valid now."""

    def __init__(self, check: Callable[[Scope], Awaitable[object]]) -> None:
        self._check = check
        self._under_way: set[_Request] = set()
        self._task: asyncio.Task[None] | None = None

    async def carry_out(self, app: ASGIApp, key: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises KeyWithdrawn, before any answer began."""
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def send_while_valid(message: Message) -> None:
            if message["type"] == "http.response.start" and loop.time() - began >= EVERY:
                refusal = await self._refusal(scope)
                if refusal is not None:
                    raise KeyWithdrawn(refusal)
            await send(message)

        limit = asyncio.timeout(None)
        request = _Request(scope, key, began, limit)
        try:
            async with limit:
                self._under_way.add(request)
                if self._task is None or self._task.done():
                    # Not in this request's context: its trace would stand in lines about others.
                    self._task = loop.create_task(self._watch(), name="key watch", context=Context())
                try:
                    await app(scope, receive, send_while_valid)
                finally:
                    self._under_way.discard(request)
        except TimeoutError:
            if request.refusal is None:
                raise
            raise KeyWithdrawn(request.refusal) from None

    async def _watch(self) -> None:
        """As long as there are requests. One look for each key, however many wait with it."""
        loop = asyncio.get_running_loop()
        while self._under_way:
            await asyncio.sleep(EVERY)
            seen: dict[str | None, NotAuthenticated | None] = {}
            for request in [one for one in self._under_way if one.began <= loop.time() - EVERY]:
                if request.key not in seen:
                    seen[request.key] = await self._refusal(request.scope)
                request.refusal = seen[request.key]
                if request.refusal is not None and request in self._under_way and not request.is_answered:
                    request.limit.reschedule(loop.time())

    async def _refusal(self, scope: Scope) -> NotAuthenticated | None:
        try:
            await self._check(scope)
        except NotAuthenticated as refusal:
            return refusal
        except ConnectorError:  # the database can't tell now; it did when the request came
            return None
        return None
