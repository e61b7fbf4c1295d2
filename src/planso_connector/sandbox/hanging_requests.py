"""Requests without a response, whose connection hangs or is closed: `hang_next` and `lose_answers_next`."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send


class HangingRequests:
    """The waiting requests of a running server, which are released when it closes."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def release(self) -> None:
        """Release all; called in the server's event loop."""
        for waiting in list(self._waiting):
            if not waiting.done():
                waiting.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Sleep until the time is over or the server closes."""
        await self._until(asyncio.sleep(seconds))

    async def hang(self, scope: Scope, receive: Receive) -> None:
        """Wait without a response until the client disconnects or the server closes."""
        await self._until(_gone(receive))
        await self.close_connection(scope, receive)

    async def close_connection(self, scope: Scope, receive: Receive) -> None:
        """Close the connection without a response."""
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
    """An ASGI response that sends none. A server without access to the transport answers with an error."""

    def __init__(self, openings: HangingRequests, *, hang: bool) -> None:
        self._openings = openings
        self._hang = hang

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._openings.hang if self._hang else self._openings.close_connection)(scope, receive)


class TransportMiddleware:
    """Put the server's transport into the scope, because ASGI can't close a connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["planso.transport"] = getattr(getattr(send, "__self__", None), "transport", None)
        await self._app(scope, receive, send)
