"""
End requests that still wait when their API key is revoked or expires: a long poll, a write's wait, a live read. They
are refused within two seconds, and their result is not shown. A stream of events ends then.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.domain.errors import ConnectorError, NotAuthenticated
from planso_connector.rest.middleware.response_state import get_response_state
from planso_connector.rest.middleware.route_scopes import MONITORING_PATHS
from planso_connector.rest.request_context import get_context
from planso_connector.rest.schemas.errors import error_response

CHECK_INTERVAL = 1.0
"""Seconds between two checks, and after which a request without a response counts as waiting."""

_STREAM_TYPE = b"text/event-stream"

_CheckKey = Callable[[Scope], Awaitable[NotAuthenticated | None]]


class KeyNoLongerValid(Exception):
    """The key is no longer valid; `error` says why. Not a ConnectorError, which routes would answer themselves."""

    def __init__(self, error: NotAuthenticated) -> None:
        super().__init__(str(error))
        self.error = error


class _WatchedRequest:
    """A request in flight. Before a response that took long is sent, the key is checked once more."""

    __slots__ = ("_check_key", "_is_stream", "_send", "_started_at", "error", "keys", "scope", "task")

    def __init__(self, keys: frozenset[bytes], scope: Scope, send: Send, check_key: _CheckKey) -> None:
        self.keys, self.scope = keys, scope
        self._send, self._check_key = send, check_key
        self._started_at = monotonic()
        self._is_stream = False
        task = asyncio.current_task()
        assert task is not None, "a server runs each request in a task"
        self.task = task
        self.error: NotAuthenticated | None = None

    @property
    def is_waiting(self) -> bool:
        has_begun = get_response_state(self.scope).status != 0
        return monotonic() - self._started_at >= CHECK_INTERVAL and (self._is_stream or not has_begun)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self.is_waiting:
            error = await self._check_key(self.scope)
            if error is not None:
                raise KeyNoLongerValid(error)
        if message["type"] == "http.response.start":
            self._is_stream = any(value.startswith(_STREAM_TYPE) for _, value in message.get("headers", ()))
        await self._send(message)

    def cancel(self, error: NotAuthenticated) -> None:
        self.error = error
        self.task.cancel()


class KeyWatchMiddleware:
    """`authenticate` raises NotAuthenticated if the key of a request is not valid now."""

    def __init__(self, app: ASGIApp, authenticate: Callable[[Scope], Awaitable[object]]) -> None:
        self._app = app
        self._authenticate = authenticate
        self._in_flight: set[_WatchedRequest] = set()
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in MONITORING_PATHS or get_context(scope).caller is None:
            await self._app(scope, receive, send)
            return
        try:
            await self._run(scope, receive, send)
        except KeyNoLongerValid as withdrawn:
            if get_response_state(scope).status:
                await send({"type": "http.response.body"})
            else:
                await error_response(withdrawn.error)(scope, receive, send)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises KeyNoLongerValid, before the response starts or during a stream."""
        request = _WatchedRequest(get_context(scope).api_keys, scope, send, self._check_key)
        self._in_flight.add(request)
        if self._task is None or self._task.done():
            # In an empty context: else this request's trace would be logged with what is done for others.
            self._task = asyncio.get_running_loop().create_task(self._watch(), name="key watch", context=Context())
        try:
            await self._app(scope, receive, request.send)
        except asyncio.CancelledError:
            if request.error is None:
                raise
            request.task.uncancel()
            raise KeyNoLongerValid(request.error) from None
        finally:
            self._in_flight.discard(request)

    async def _watch(self) -> None:
        """Run as long as there are requests. Each key is checked once, however many requests wait with it."""
        while self._in_flight:
            await asyncio.sleep(CHECK_INTERVAL)
            checked: dict[frozenset[bytes], NotAuthenticated | None] = {}
            for request in [request for request in self._in_flight if request.is_waiting]:
                if request.keys not in checked:
                    checked[request.keys] = await self._check_key(request.scope)
                error = checked[request.keys]
                if error is not None and request in self._in_flight and request.is_waiting:
                    request.cancel(error)

    async def _check_key(self, scope: Scope) -> NotAuthenticated | None:
        try:
            await self._authenticate(scope)
        except NotAuthenticated as error:
            return error
        except ConnectorError:  # the database is unavailable now; the key was valid when the request came
            return None
        return None
