"""A receiver of webhooks: a real HTTP server whose behaviour a test sets."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: str
    status: int

    @property
    def payload(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    @property
    def version(self) -> tuple[int | None, int | None]:
        data = self.payload["data"]
        return data["order_id"], data["version"]


def take_all(_: dict[str, Any]) -> int:
    return 204


RESET = -1
HANG = -2


@dataclass
class Receiver:
    """`answer` gets each payload and returns the status to answer with, RESET or HANG."""

    url: str
    answer: Callable[[dict[str, Any]], int] = take_all
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    received: list[Received] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    @property
    def taken(self) -> list[Received]:
        return [one for one in self.received if 200 <= one.status < 300]

    def taken_of(self, order_id: int) -> list[int]:
        """The versions of an order that were taken, repetitions left out."""
        versions = [one.version[1] or 0 for one in self.taken if one.version[0] == order_id]
        return list(dict.fromkeys(versions))


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status = receiver.answer(json.loads(body))
            receiver.received.append(Received({k.lower(): v for k, v in self.headers.items()}, body, status))
            if status == RESET:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            if status == HANG:
                receiver.go_on.wait(60)
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(receiver.content)))
            self.end_headers()
            if status != 204:
                self.wfile.write(receiver.content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # connections that end before the response

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
