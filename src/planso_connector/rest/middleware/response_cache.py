"""
Lists that were asked for lately, kept as they were sent for as long as nobody writes to the database: who watches a
list and asks for it again and again costs next to nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.rest.request_context import SHOWN_ORDER_IDS, get_shown_order_ids

CACHED_PATH = "/api/orders"
MAX_BYTES = 16 << 20
"""Of all answers that are kept together; the least lately asked for goes first."""
MAX_RESPONSE_BYTES = 1 << 20
MAX_RESPONSES = 1000
_OF_EACH, _OF_AN_ID = 1500, 40
"""Bytes of memory beside the body: an answer's headers and places in tables, and each order's id."""

VALID_UNTIL = "planso_connector.good_until"
"""Where in the scope a route says how long its answer is right if nothing is written: seconds as `time.time` has."""


@dataclass(frozen=True, slots=True)
class _Kept:
    good_until: float
    start: Message
    body: Message
    route: Any
    orders: Sequence[int]
    size: int


class ResponseCacheMiddleware:
    """
    `mark` is another one after each commit to the database by anyone; None: that can't be told, and none is kept.
    `routed` is told method and route of what is answered from here: no router is asked then.
    """

    def __init__(
        self, app: ASGIApp, mark: Callable[[], int | None], routed: Callable[[str, str], None] | None = None
    ) -> None:
        self._app = app
        self._mark, self._routed = mark, routed
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._bytes = 0
        self._mark_kept: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != CACHED_PATH or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        mark = self._mark()
        if mark is None:
            await self._app(scope, receive, send)
            return
        if mark != self._mark_kept:
            self._kept.clear()
            self._bytes, self._mark_kept = 0, mark
        asked: bytes = scope["query_string"]
        kept = self._kept.get(asked)
        if kept is not None and time.time() < kept.good_until:
            self._kept.move_to_end(asked)
            scope["route"], scope[SHOWN_ORDER_IDS] = kept.route, kept.orders
            if self._routed is not None:
                self._routed(scope["method"], CACHED_PATH)
            await send(dict(kept.start))
            await send(dict(kept.body))
            return
        sent: list[Message] = []

        async def noted(message: Message) -> None:
            sent.append(dict(message))
            await send(message)

        await self._app(scope, receive, noted)
        self._keep(asked, mark, scope, sent)

    def _keep(self, asked: bytes, mark: int, scope: Scope, sent: list[Message]) -> None:
        """`mark` is from before the answer was made: what was written since makes it an old one."""
        if mark != self._mark_kept:
            return
        self._forget(asked)
        good_until = scope.get(VALID_UNTIL)
        if good_until is None or len(sent) != 2 or sent[0]["status"] != 200 or sent[1].get("more_body"):
            return
        orders = get_shown_order_ids(scope)
        size = len(sent[1]["body"]) + len(asked) + _OF_EACH + len(orders) * _OF_AN_ID
        if size > MAX_RESPONSE_BYTES:
            return
        start = {**sent[0], "headers": tuple(sent[0]["headers"])}
        self._kept[asked] = _Kept(good_until, start, sent[1], scope.get("route"), orders, size)
        self._bytes += size
        while self._bytes > MAX_BYTES or len(self._kept) > MAX_RESPONSES:
            self._forget(next(iter(self._kept)))

    def _forget(self, asked: bytes) -> None:
        kept = self._kept.pop(asked, None)
        if kept is not None:
            self._bytes -= kept.size
