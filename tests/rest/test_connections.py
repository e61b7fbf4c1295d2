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
    """It comes while the loop is busy with what came before, until after the time for which its connection is kept."""
    holding, sent = threading.Event(), threading.Event()
    far, near = socket.socketpair()

    def hold() -> None:
        near.recv(1)
        holding.set()
        assert sent.wait(raw.PATIENCE)
        time.sleep(2 * KEPT)

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config = server.configured(app, Limits())
    config.timeout_keep_alive = KEPT  # type: ignore[assignment]  # seconds
    config.load()

    def client(address: str) -> bool:
        with closing(raw.connect(address)) as kept:
            kept.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert answered(kept)
            far.send(b"x")
            assert holding.wait(raw.PATIENCE)
            kept.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            sent.set()
            return answered(kept)

    async def story() -> bool:
        serving = uvicorn.Server(config)
        loop = asyncio.get_running_loop()
        loop.add_reader(near, hold)
        listening = await loop.create_server(
            lambda: config.http_protocol_class(config=config, server_state=serving.server_state, app_state={}),  # type: ignore[call-arg]
            "127.0.0.1",
        )
        async with listening:
            address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            return await asyncio.to_thread(client, address)

    with closing(far), closing(near), asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        assert runner.run(story())
