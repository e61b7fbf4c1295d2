"""A closed-loop load generator: GET requests over keep-alive connections, from one thread, on raw sockets."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import cycle

_BUFFER = 1 << 20
MAX_BROKEN_CONNECTIONS = 100


@dataclass
class Load:
    """The result. `latencies`: seconds of each response; `seconds`: the duration of all together."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    broken: int = 0
    """Connections that the server closed instead of responding; the request was repeated."""

    def add(self, other: Load) -> None:
        self.latencies += other.latencies
        self.seconds += other.seconds
        self.broken += other.broken

    @property
    def rate(self) -> float:
        """Responses per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency in milliseconds that this share of the responses did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    def __str__(self) -> str:
        broken = f", {self.broken} connections broken" if self.broken else ""
        return f"{self.rate:.0f}/s, p50 {self.percentile(0.5):.2f} ms, p99 {self.percentile(0.99):.2f} ms{broken}"


class _Client:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began = 0.0
        self._head = b""
        self._missing = 0

    def send(self, request: bytes) -> None:
        self._head, self._missing, self.began = b"", 0, time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Receive data; return whether the response is complete."""
        data = self.socket.recv(_BUFFER)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        if self._missing:
            self._missing -= len(data)
            return not self._missing
        self._head += data
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not end:
            return False
        assert head.startswith(b"HTTP/1.1 200"), head
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if length:
            self._missing = int(length) - len(body)
            return not self._missing
        assert b"chunked" in head.lower(), head
        return body.endswith(b"0\r\n\r\n")


def build_request(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def repeat(paths: Iterable[str]) -> Iterator[bytes]:
    """Requests for these paths in turn, without end."""
    return cycle([build_request(path) for path in paths])


def run_load(
    port: int, requests: Iterator[bytes], *, clients: int = 1, seconds: float = 1.0, at_least: int = 3
) -> Load:
    """
    Send these requests from so many clients for so many seconds. Every response has to be a 200. Responses to requests
    that were sent before the end count, and so does the time until they arrive.
    """
    load = Load()
    with selectors.DefaultSelector() as selector:
        connections = [_Client(port) for _ in range(clients)]
        began = time.perf_counter()
        for client in connections:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(next(requests))
        in_flight = clients
        while in_flight:
            for key, _ in selector.select(60):
                client = key.data
                try:
                    if not client.receive():
                        continue
                except ConnectionResetError:
                    load.broken += 1
                    assert load.broken < MAX_BROKEN_CONNECTIONS, f"the server on port {port} closes connections"
                    selector.unregister(client.socket)
                    client.socket.close()
                    client = _Client(port)
                    selector.register(client.socket, selectors.EVENT_READ, client)
                    client.send(next(requests))
                    continue
                now = time.perf_counter()
                load.latencies.append(now - client.began)
                if now - began < seconds or len(load.latencies) + in_flight <= at_least:
                    client.send(next(requests))
                else:
                    in_flight -= 1
        load.seconds = time.perf_counter() - began
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return load
