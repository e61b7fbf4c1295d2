"""Requests over kept connections, from one thread that does nothing else: raw sockets, answers counted and not read."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

_BUFFER = 1 << 20
MOST_BROKEN = 100


@dataclass
class Load:
    """What so many clients got: seconds of each answer, and of all of it together."""

    took: list[float] = field(default_factory=list)
    seconds: float = 0.0
    broken: int = 0
    """Connections that the server closed instead of an answer; the question was asked again."""

    def add(self, other: Load) -> None:
        self.took += other.took
        self.seconds += other.seconds
        self.broken += other.broken

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.took) / self.seconds

    def at(self, share: float) -> float:
        """Milliseconds within which this share of the answers came."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    def __str__(self) -> str:
        broken = f", {self.broken} broken off" if self.broken else ""
        return f"{self.rate:.0f}/s, p50 {self.at(0.5):.2f} ms, p99 {self.at(0.99):.2f} ms{broken}"


class _Client:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began = 0.0
        self._head = b""
        self._missing = 0

    def ask(self, request: bytes) -> None:
        self._head, self._missing, self.began = b"", 0, time.perf_counter()
        self.socket.sendall(request)

    def has_answer(self, buffer: bytearray) -> bool:
        """Takes what came; whether the answer is whole."""
        size = self.socket.recv_into(buffer)
        if not size:
            raise ConnectionResetError("the server closed the connection")
        if self._missing:
            self._missing -= size
            return not self._missing
        self._head += bytes(buffer[:size])
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not end:
            return False
        assert head.startswith(b"HTTP/1.1 200"), head
        told = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if told:
            self._missing = int(told) - len(body)
            return not self._missing
        assert b"chunked" in head.lower(), head
        return body.endswith(b"0\r\n\r\n")


def load(port: int, paths: Sequence[str], *, clients: int = 1, seconds: float = 1.0, at_least: int = 3) -> Load:
    """
    GET of these paths in turn by so many clients for so many seconds. Every answer has to be a 200. Answers to what was
    asked before the end count, and so does the time until they are there.
    """
    requests = cycle([f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() for path in paths])
    buffer, found = bytearray(_BUFFER), Load()
    with selectors.DefaultSelector() as selector:
        asking = [_Client(port) for _ in range(clients)]
        began = time.perf_counter()
        for client in asking:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.ask(next(requests))
        under_way = clients
        while under_way:
            for key, _ in selector.select(60):
                client = key.data
                try:
                    if not client.has_answer(buffer):
                        continue
                except ConnectionResetError:
                    found.broken += 1
                    assert found.broken < MOST_BROKEN, f"the server on port {port} breaks off"
                    selector.unregister(client.socket)
                    client.socket.close()
                    again = _Client(port)
                    selector.register(again.socket, selectors.EVENT_READ, again)
                    again.ask(next(requests))
                    continue
                now = time.perf_counter()
                found.took.append(now - client.began)
                if now - began < seconds or len(found.took) + under_way <= at_least:
                    client.ask(next(requests))
                else:
                    under_way -= 1
        found.seconds = time.perf_counter() - began
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return found
