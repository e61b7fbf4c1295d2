"""Connections that stay open without an answer, or that break: what `hang_next` and `lose_answers_next` do."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send


class HangingRequests:
    """Everything that waits in a running server, so that it can be let go when the server closes."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def release(self) -> None:
        """Let all go; called in the server's own loop when it closes."""
        for waiting in list(self._waiting):
            if not waiting.done():
                waiting.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Wait, but not longer than the server lives."""
        await self._until(asyncio.sleep(seconds))

    async def hang(self, scope: Scope, receive: Receive) -> None:
        """Never answer: until the client goes or the server closes."""
        await self._until(_gone(receive))
        await self.close_connection(scope, receive)

    async def close_connection(self, scope: Scope, receive: Receive) -> None:
        """Close the connection without an answer."""
        transport = scope.get("planso.transport")
        if transport is not None:
            transport.close()
            await _gone(receive)

    async def _until(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing)
        let_go: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(let_go)
        try:
            await asyncio.wait({task, let_go}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(let_go)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class NoResponse:
    """The response of a request that gets none; with a server that can't close the line, an error of that server."""

    def __init__(self, openings: HangingRequests, *, hang: bool) -> None:
        self._openings = openings
        self._hang = hang

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._openings.hang if self._hang else self._openings.close_connection)(scope, receive)


class TransportMiddleware:
    """Hands the server's connection to the app, because ASGI has no way to hang up."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["planso.transport"] = getattr(getattr(send, "__self__", None), "transport", None)
        await self._app(scope, receive, send)
