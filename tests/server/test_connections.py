"""Connections of the connector's server with an application of the test."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import TypeVar

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from planso_connector.rest.middleware.rate_limits import Limits
from planso_connector.server import config
from tests.rest import raw

T = TypeVar("T")

KEEP_ALIVE = 0.2
"""Seconds for which an idle connection is kept."""
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def is_answered(connection: socket.socket) -> bool:
    """Whether a 200 was received before the connection ended."""
    told = b""
    with suppress(ConnectionError):
        while not told.endswith(b"ok"):
            part = connection.recv(1000)
            if not part:
                return False
            told += part
    return told.startswith(b"HTTP/1.1 200")


def run(app: ASGIApp, client: Callable[[str], T]) -> tuple[T, ServerState]:
    """Serve `app`, call `client` with its address; its result, and the server's state afterwards."""
    configuration = config.build_config(app, Limits(key=None, address=None))
    configuration.timeout_keep_alive = KEEP_ALIVE  # type: ignore[assignment]  # seconds
    configuration.load()

    async def story() -> tuple[T, ServerState]:
        state = uvicorn.Server(configuration).server_state
        listening = await asyncio.get_running_loop().create_server(
            lambda: configuration.http_protocol_class(config=configuration, server_state=state, app_state={}),  # type: ignore[call-arg]
            "127.0.0.1",
        )
        async with listening:
            address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            return await asyncio.to_thread(client, address), state

    with asyncio.Runner(loop_factory=configuration.get_loop_factory()) as runner:
        return runner.run(story())


def reset(connection: socket.socket) -> None:
    """Close with a reset, as if the client crashed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_a_request_that_has_arrived_on_an_expired_connection_is_answered() -> None:
    """It arrives while the loop is busy, until after the keep-alive time of its connection."""
    holding, sent = threading.Event(), threading.Event()

    def hold() -> None:
        holding.set()
        assert sent.wait(raw.PATIENCE)
        time.sleep(2 * KEEP_ALIVE)

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
        if scope["path"] == "/hold":
            hold()

    def client(address: str) -> bool:
        with closing(raw.connect(address)) as kept, closing(raw.connect(address)) as other:
            kept.sendall(GET)
            assert is_answered(kept)
            other.sendall(GET.replace(b" / ", b" /hold "))
            assert holding.wait(raw.PATIENCE)
            kept.sendall(GET)
            sent.set()
            return is_answered(kept)

    assert run(app, client)[0]


def test_callers_that_leave_cost_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Between requests, before a response, within large ones: no error, no warning, no connection or task left."""
    begun, left = threading.Semaphore(0), threading.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        begun.release()
        if scope["path"] == "/late":
            await asyncio.to_thread(left.wait, raw.PATIENCE)
        body = b"ok" if scope["path"] == "/" else bytes(20_000_000)  # more than lies on the way
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    def ask(address: str) -> socket.socket:
        connection = raw.connect(address)
        connection.sendall(GET)
        assert is_answered(connection)
        return connection

    def client(address: str) -> bytes:
        for path in (b"/late", b"/large"):
            for requests in (1, 3):
                leaving = raw.connect(address)
                leaving.sendall(GET.replace(b" / ", b" " + path + b" ") * requests)
                for _ in range(2 if requests > 1 and path == b"/large" else 1):  # the second waits with its answer
                    assert begun.acquire(timeout=raw.PATIENCE)
                reset(leaving)
        reset(ask(address))
        with closing(ask(address)) as last:  # by then the server knows that the others left
            left.set()
            return raw.until_closed(last)  # and by then it has looked at all kept connections

    told, state = run(app, client)
    assert told == b""
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert not state.connections
    assert not state.tasks


@pytest.mark.parametrize(("count", "most_answers"), [(8, 8), (5000, 20)])
def test_few_requests_may_come_before_the_answers_to_others(count: int, most_answers: int) -> None:
    """Eight are answered in turn; after thousands in one piece the connection is closed, and others are served."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.001)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def client(address: str) -> tuple[int, bool]:
        host, port = address.removeprefix("http://").split(":")
        with closing(socket.create_connection((host, int(port)), 20)) as connection:
            told = b""
            with suppress(ConnectionError):
                connection.sendall(GET * count)
                while told.count(b"ok") < count and (part := connection.recv(65_536)):
                    told += part
        with closing(socket.create_connection((host, int(port)), 20)) as connection:
            connection.sendall(GET)
            return told.count(b"HTTP/1.1 200"), is_answered(connection)

    (answers, is_served), _state = run(app, client)

    assert answers <= most_answers
    assert answers == count or count > most_answers
    assert is_served


def test_a_body_in_too_many_pieces_is_refused() -> None:
    """20,000 of a byte each took the loop seconds; as many as a network makes of the largest body are accepted."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def client(address: str) -> list[bytes]:
        host, port = address.removeprefix("http://").split(":")
        answers = []
        for count in (1000, 20_000):
            with closing(socket.create_connection((host, int(port)), 20)) as connection:
                head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                with suppress(ConnectionError):
                    connection.sendall(head + b"1\r\nx\r\n" * count + b"0\r\n\r\n")
                answers.append(connection.recv(1000)[:12])
        return answers

    assert run(app, client)[0] == [b"HTTP/1.1 200", b"HTTP/1.1 413"]
