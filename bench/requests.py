"""What the connector adds to a look-up: against a bare ASGI app that answers the same bytes."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from bench.processes import connector, planso

ROUNDS = 300


@contextmanager
def _bare(content: bytes) -> Iterator[int]:
    """The fastest thing that could answer these bytes on this server."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def _each(port: int, request: Callable[[http.client.HTTPConnection, int], None], rounds: int) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    took = []
    for number in range(rounds):
        started = time.perf_counter()
        request(connection, number)
        took.append(time.perf_counter() - started)
    connection.close()
    return took


def _get(path: str) -> Callable[[http.client.HTTPConnection, int], None]:
    def request(connection: http.client.HTTPConnection, _number: int) -> None:
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content

    return request


def look_up_against_bare() -> str:
    path = "/api/orders?plate=WN&limit=50"
    with planso(260, 0.0) as url, connector(url) as service:
        service.synced()
        content = service.http.get(path).content
        port = int(service.address.rpartition(":")[2])
        with _bare(content) as bare_port:
            ours, bare = [], []
            for _ in range(5):
                bare += _each(bare_port, _get("/"), ROUNDS // 5)
                ours += _each(port, _get(path), ROUNDS // 5)
    found = json.loads(content)["count"]
    mine, theirs = statistics.median(ours), statistics.median(bare)
    return (
        f"look-up by plate, {found} orders, {len(content) // 1000} KB, one client: {mine * 1000:.2f} ms, "
        f"a bare ASGI app with the same bytes {theirs * 1000:.2f} ms: {theirs / mine:.2f} of its rate"
    )
