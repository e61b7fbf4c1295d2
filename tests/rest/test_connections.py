"""Kept connections, on the server that the connector runs on, while its loop is busy."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import closing, suppress

import uvicorn
from starlette.types import Receive, Scope, Send

from planso_connector.rest import server
from planso_connector.rest.limits import Limits
from tests.rest import raw

KEPT = 0.2
"""Seconds for which a connection is kept."""


def asked(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def answered(connection: socket.socket) -> bool:
    """Whether an answer came rather than the connection's end."""
    told = b""
    with suppress(ConnectionError):
        while not told.endswith(b"ok"):
            part = connection.recv(1000)
            if not part:
                return False
            told += part
    return told.startswith(b"HTTP/1.1 200")


def test_a_request_that_has_arrived_is_answered_though_its_connection_was_to_be_closed() -> None:
    """The loop is busy while a request comes, until after the time for which its connection is kept."""
    holding, sent = threading.Event(), threading.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/hold":
            holding.set()
            assert sent.wait(raw.PATIENCE)
            time.sleep(2 * KEPT)  # noqa: ASYNC251 - the loop is to stand still
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def client(address: str) -> bool:
        with closing(raw.connect(address)) as kept, closing(raw.connect(address)) as other:
            kept.sendall(asked("/"))
            assert answered(kept)
            other.sendall(asked("/hold"))
            assert holding.wait(raw.PATIENCE)
            kept.sendall(asked("/"))
            sent.set()
            return answered(kept)

    async def story() -> bool:
        config = server.configured(app, Limits())
        config.timeout_keep_alive = KEPT  # type: ignore[assignment]  # seconds
        config.load()
        serving = uvicorn.Server(config)
        listening = await asyncio.get_running_loop().create_server(
            lambda: config.http_protocol_class(config=config, server_state=serving.server_state, app_state={}),  # type: ignore[call-arg]
            "127.0.0.1",
        )
        async with listening:
            return await asyncio.to_thread(client, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")

    assert asyncio.run(story())
