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
"""The `m` parameter of a call, and the order's id where it has one."""


class PlansoProxy:
    """
    An ASGI app that forwards to PlanSo. `requests` counts what arrived, `in_flight` and `peak` what is unanswered.

    `on_response`: a page and a function that is called once, after PlanSo has answered a request for that page and
    before the connector gets the response. `alter_board`: alters the body of the next response with the board.
    """

    def __init__(self, planso: ASGIApp) -> None:
        self._planso = planso
        self.requests = self.in_flight = self.peak = 0
        self.on_response: tuple[Page, Callable[[], None]] | None = None
        self.alter_board: Callable[[bytes], bytes] | None = None
        self._is_open = threading.Event()
        self._is_open.set()

    @contextmanager
    def hold_requests(self) -> Iterator[None]:
        """Let no request reach PlanSo."""
        self._is_open.clear()
        try:
            yield
        finally:
            self._is_open.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/app":
            await self._wait_until_open()
        if scope["type"] != "http" or scope["path"] != "/do":
            await self._planso(scope, receive, send)
            return
        self.requests += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        response: list[Message] = []

        async def collect(message: Message) -> None:
            response.append(message)

        try:
            await self._wait_until_open()
            await self._planso(scope, receive, collect)
            page = _parse_page(scope["query_string"].decode())
            if page == (LIST, None) and self.alter_board is not None:
                response = _alter_body(response, self.alter_board)
                self.alter_board = None
            if self.on_response is not None and self.on_response[0] == page:
                do, self.on_response = self.on_response[1], None
                await asyncio.to_thread(do)
        finally:
            self.in_flight -= 1
        for message in response:
            await send(message)

    async def _wait_until_open(self) -> None:
        if not self._is_open.is_set():
            await asyncio.to_thread(self._is_open.wait)


def _parse_page(query: str) -> Page:
    call = parse_qs(query)
    order_id = call.get("dataID") or call.get("ID")
    return call["m"][0], int(order_id[0]) if order_id else None


def _alter_body(response: list[Message], alter: Callable[[bytes], bytes]) -> list[Message]:
    start, body = response[0], alter(b"".join(message.get("body", b"") for message in response[1:]))
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    length = (b"content-length", str(len(body)).encode())
    return [{**start, "headers": [*headers, length]}, {"type": "http.response.body", "body": body}]
