"""
Cache responses of `GET /api/orders` until the database is next written to, so that polling a list costs next to
nothing. Scopes and access log apply to a cached response too: authentication is outside the cache.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.rest.request_context import get_context

CACHED_PATH = "/api/orders"
MAX_BYTES = 16 << 20
"""Of all cached responses; the least recently used are dropped."""
MAX_RESPONSE_BYTES = 1 << 20
MAX_RESPONSES = 1000
_BYTES_PER_RESPONSE, _BYTES_PER_ORDER_ID = 1500, 40
"""Memory used besides the body: headers, entries in tables, the ids for the access log."""


@dataclass(frozen=True, slots=True)
class _CachedResponse:
    valid_until: float
    start: Message
    body: Message
    route: Any
    order_ids: Sequence[int]
    size: int


class ResponseCacheMiddleware:
    """
    `get_data_version` differs after each commit to the database by anyone; None if unknown, and
    then nothing is cached. `on_routed` gets method and route of each cached response, which no router sees.
    """

    def __init__(
        self,
        app: ASGIApp,
        get_data_version: Callable[[], int | None],
        on_routed: Callable[[str, str], None] | None = None,
    ) -> None:
        self._app = app
        self._get_data_version, self._on_routed = get_data_version, on_routed
        self._responses: OrderedDict[bytes, _CachedResponse] = OrderedDict()
        self._size = 0
        self._data_version: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_cacheable = scope["type"] == "http" and scope["path"] == CACHED_PATH and scope["method"] == "GET"
        version = self._get_data_version() if is_cacheable else None
        if version is None:
            await self._app(scope, receive, send)
            return
        if version != self._data_version:
            self._responses.clear()
            self._size, self._data_version = 0, version
        query: bytes = scope["query_string"]
        cached = self._responses.get(query)
        if cached is not None and time.time() < cached.valid_until:
            self._responses.move_to_end(query)
            scope["route"], get_context(scope).shown_order_ids = cached.route, cached.order_ids
            if self._on_routed is not None:
                self._on_routed(scope["method"], CACHED_PATH)
            await send(dict(cached.start))
            await send(dict(cached.body))
            return
        messages: list[Message] = []

        async def record(message: Message) -> None:
            messages.append(dict(message))
            await send(message)

        await self._app(scope, receive, record)
        self._store(query, version, scope, messages)

    def _store(self, query: bytes, version: int, scope: Scope, messages: list[Message]) -> None:
        """`version` is from before the response was made: after a later write the response is out of date."""
        if version != self._data_version:
            return
        self._drop(query)
        context = get_context(scope)
        if (
            context.valid_until is None
            or len(messages) != 2
            or messages[0]["status"] != 200
            or messages[1].get("more_body")
        ):
            return
        start, body = messages
        order_ids = context.shown_order_ids
        size = len(body["body"]) + len(query) + _BYTES_PER_RESPONSE + len(order_ids) * _BYTES_PER_ORDER_ID
        if size > MAX_RESPONSE_BYTES:
            return
        start = {**start, "headers": tuple(start["headers"])}
        self._responses[query] = _CachedResponse(context.valid_until, start, body, scope.get("route"), order_ids, size)
        self._size += size
        while self._size > MAX_BYTES or len(self._responses) > MAX_RESPONSES:
            self._drop(next(iter(self._responses)))

    def _drop(self, query: bytes) -> None:
        cached = self._responses.pop(query, None)
        if cached is not None:
            self._size -= cached.size
