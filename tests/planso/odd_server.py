"""A server that plays a misbehaving PlanSo: a test writes each response byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.planso.conftest import client

LOGIN_PAGE = (
    "<html><form><input name='system_login_username'><input name='system_login_password'>Passwort</form></html>"
)
START_PAGE = "<html><body>Werkstatt</body></html>"
BOARD = json.dumps({"0": {"ID": 123, "short_name": "A"}})
FORM = json.dumps({"center": {"content": "<div><label>VIN</label><input name=v value=1></div>"}})


def answer(text: str | bytes, status: str = "200 OK", *headers: str, charset: str = "") -> bytes:
    """An HTTP response."""
    body = text.encode() if isinstance(text, str) else text
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"Content-Type: text/html{charset}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@dataclass
class ReceivedRequest:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


HANG = b"hang"
"""In place of a response: none ever comes."""
Handler = Callable[[ReceivedRequest], bytes]


@dataclass
class OddServer:
    """`do` responds to `/do`, `app` to `/app`. By default each login is accepted and each `/do` shows the board."""

    do: Handler = lambda _request: answer(BOARD)
    app: Handler = lambda request: answer(
        LOGIN_PAGE if request.method == "GET" else START_PAGE, "200 OK", "Set-Cookie: PHPSESSID=x; path=/; HttpOnly"
    )
    requests: list[ReceivedRequest] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._handle_request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _handle_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Returns whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = ReceivedRequest(method, target, headers, body)
        self.requests.append(request)
        response = (self.app if target.startswith("/app") else self.do)(request)
        if response == HANG:
            await reader.read()
            return False
        writer.write(response)
        await writer.drain()
        return response.startswith(b"HTTP") and response.partition(b"\r\n\r\n")[0].count(b"Short") == 0


@asynccontextmanager
async def odd(**handlers: Any) -> AsyncIterator[OddServer]:
    """A running OddServer."""
    server = OddServer(**handlers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()


async def call_client(do: Handler, call: Callable[[Any], Awaitable[Any]], **options: Any) -> tuple[OddServer, Any]:
    """The result or the error of a call of the client, whose `/do` requests are answered by `do`."""
    async with odd(do=do) as server, client(server.url, **options) as planso:
        try:
            return server, await call(planso)
        except Exception as error:  # noqa: BLE001 - the error is the result
            return server, error
