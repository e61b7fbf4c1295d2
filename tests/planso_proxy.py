"""A proxy between the connector and the sandbox that counts requests, delays responses, or alters one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LIST, FORM, PARTS = "resourceplanner_get_project_stations", "visual_forms_plain", "resourceplanner_shop_view_get_parts"
Page = tuple[str, int | None]
"""Method and order of a call."""


class PlansoProxy:
    """
    Forwards to PlanSo and counts. `meanwhile` is called when PlanSo has answered a request for that page, before the
    connector gets the response; `spoil` alters the body of the next list.
    """

    def __init__(self, planso: ASGIApp) -> None:
        self._planso = planso
        self.requests = self.in_flight = self.peak = 0
        self.on_response: tuple[Page, Callable[[], None]] | None = None
        self.alter_board: Callable[[bytes], bytes] | None = None
        self._let_go = threading.Event()
        self._let_go.set()

    @contextmanager
    def hold_requests(self) -> Iterator[None]:
        """While this lasts, no request reaches PlanSo."""
        self._let_go.clear()
        try:
            yield
        finally:
            self._let_go.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/app":
            await self._held()
        if scope["type"] != "http" or scope["path"] != "/do":
            await self._planso(scope, receive, send)
            return
        self.requests += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        try:
            await self._held()
            await self._planso(scope, receive, keep)
            page = _page(scope["query_string"].decode())
            if page == (LIST, None) and self.alter_board is not None:
                answer = _spoiled(answer, self.alter_board)
                self.alter_board = None
            if self.on_response is not None and self.on_response[0] == page:
                do, self.on_response = self.on_response[1], None
                await asyncio.to_thread(do)
        finally:
            self.in_flight -= 1
        for message in answer:
            await send(message)

    async def _held(self) -> None:
        if not self._let_go.is_set():
            await asyncio.to_thread(self._let_go.wait)


def _page(query: str) -> Page:
    call = parse_qs(query)
    order_id = call.get("dataID") or call.get("ID")
    return call["m"][0], int(order_id[0]) if order_id else None


def _spoiled(answer: list[Message], spoil: Callable[[bytes], bytes]) -> list[Message]:
    start, body = answer[0], spoil(b"".join(message.get("body", b"") for message in answer[1:]))
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    length = (b"content-length", str(len(body)).encode())
    return [{**start, "headers": [*headers, length]}, {"type": "http.response.body", "body": body}]
