"""A server for a PlanSo that misbehaves: what it answers is written down byte for byte by the test."""

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
    body = text.encode() if isinstance(text, str) else text
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"Content-Type: text/html{charset}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@dataclass
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


HANG = b"hang"
Do = Callable[[Asked], bytes]


@dataclass
class Odd:
    """Accepts every login; `do` says what a `/do` request gets, `app` what an `/app` request gets."""

    do: Do = lambda _asked: answer(BOARD)
    app: Do = lambda asked: answer(
        LOGIN_PAGE if asked.method == "GET" else START_PAGE, "200 OK", "Set-Cookie: PHPSESSID=x; path=/; HttpOnly"
    )
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = Asked(method, target, headers, body)
        self.asked.append(asked)
        reply = (self.app if target.startswith("/app") else self.do)(asked)
        if reply == HANG:
            await reader.read()
            return False
        writer.write(reply)
        await writer.drain()
        return reply.startswith(b"HTTP") and reply.partition(b"\r\n\r\n")[0].count(b"Short") == 0


@asynccontextmanager
async def odd(**behaviour: Any) -> AsyncIterator[Odd]:
    server = Odd(**behaviour)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()


async def calling(do: Do, call: Callable[[Any], Awaitable[Any]], **options: Any) -> tuple[Odd, Any]:
    """What a call ends with, its answer or its error, at a server that answers `/do` as `do` says."""
    async with odd(do=do) as server, client(server.url, **options) as planso:
        try:
            return server, await call(planso)
        except Exception as error:  # noqa: BLE001 - the error is the result
            return server, error
