"""An open-loop load generator: requests are sent on schedule whether or not earlier ones have a response."""

from __future__ import annotations

import random
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

_BUFFER = bytearray(1 << 20)
MAX_CONNECTIONS = 1500
"""Below the connector's own limit. A request that finds no connection free is counted as `unsent`."""
DRAIN_TIME = 60.0
"""Seconds to wait for the last responses."""
REFUSALS = (429, 503)


@dataclass(frozen=True, slots=True)
class Request:
    kind: str
    text: bytes


@dataclass
class Results:
    """
    `accepted`: latencies of successful requests by kind, in seconds from when the request was due; `refusals`: those of
    refused ones. `operations`: the ids of accepted writes.
    """

    seconds: float = 0.0
    sent: int = 0
    accepted: dict[str, list[float]] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    refusals: list[float] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    """Errors: other statuses, a refusal without Retry-After, broken connections."""
    unsent: int = 0
    operations: list[str] = field(default_factory=list)

    @property
    def latencies(self) -> list[float]:
        return [latency for latencies in self.accepted.values() for latency in latencies]


def percentile(latencies: Sequence[float], share: float) -> float:
    """Return the latency in milliseconds that this share of them does not exceed."""
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


class _Client:
    """A keep-alive connection and the request that it waits for."""

    def __init__(self, port: int, source: str) -> None:
        self.source = source
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self.request: Request | None = None
        self._head = b""
        self._missing = 0

    def send(self, request: Request, due: float) -> None:
        self.request, self.due, self._head, self._missing = request, due, b"", 0
        self.socket.sendall(request.text)

    def receive(self) -> bytes | None:
        """Receive data; return the head of the response once it is complete. Raises OSError if the connection broke."""
        size = self.socket.recv_into(_BUFFER)
        if not size:
            raise ConnectionResetError("closed by the connector")
        if self._missing:
            self._missing -= size
        else:
            self._head += _BUFFER[:size]
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return None
            self._head = head.lower()
            length = self._head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
            self._missing = int(length or b"0") - len(body)
        return None if self._missing else self._head


class LoadGenerator:
    """`sources`: the addresses of this machine that requests are sent from, in turn."""

    def __init__(self, port: int, sources: Sequence[str] = ("127.0.0.1",)) -> None:
        self._port = port
        self._sources = sources
        self._turn = 0
        self._selector = selectors.DefaultSelector()
        self._idle: dict[str, deque[_Client]] = {source: deque() for source in sources}
        self._open = 0
        self._busy = 0
        self._results = Results()

    def run_closed_loop(self, requests: Iterator[Request], clients: int, seconds: float) -> Results:
        """Let each of so many clients send a request as soon as it has the response to the one before."""
        results = self._results = Results()
        began = time.perf_counter()
        while (now := time.perf_counter()) - began < seconds:
            while self._busy < clients:
                self._send(next(requests), now)
            self._collect(0.05)
        self.drain()
        results.seconds = time.perf_counter() - began
        return results

    def run_open_loop(
        self, requests: Iterator[Request], rate: float, seconds: float, at_half_time: Callable[[], None]
    ) -> Results:
        """Send `rate` requests per second at random times; call `at_half_time` in the middle."""
        results = self._results = Results()
        dice = random.Random(1)
        began = due = time.perf_counter()
        is_first_half = True
        while due < began + seconds:
            now = time.perf_counter()
            while due <= now and due < began + seconds:
                self._send(next(requests), due)
                due += dice.expovariate(rate)
            self._collect(max(0.0, due - time.perf_counter()))
            if is_first_half and now - began > seconds / 2:
                is_first_half = False
                at_half_time()
        results.seconds = time.perf_counter() - began
        return results

    def drain(self) -> None:
        """Wait up to DRAIN_TIME for the responses that are still missing."""
        deadline = time.perf_counter() + DRAIN_TIME
        while self._busy and time.perf_counter() < deadline:
            self._collect(0.05)
        if self._busy:
            self._results.wrong["never answered"] += self._busy

    def close(self) -> None:
        for idle in self._idle.values():
            for client in idle:
                client.socket.close()
        self._selector.close()

    def _send(self, request: Request, due: float) -> None:
        source = self._sources[self._turn % len(self._sources)]
        self._turn += 1
        self._results.sent += 1
        idle = self._idle[source]
        try:
            if idle:
                client = idle.pop()
            elif self._open < MAX_CONNECTIONS:
                client = _Client(self._port, source)
                self._open += 1
                self._selector.register(client.socket, selectors.EVENT_READ, client)
            else:
                self._results.unsent += 1
                return
        except OSError as error:
            self._results.wrong[f"no connection: {type(error).__name__}"] += 1
            return
        try:
            client.send(request, due)
            self._busy += 1
        except OSError as error:
            self._count_broken(client, error)

    def _collect(self, wait: float) -> None:
        for key, _ in self._selector.select(wait):
            client: _Client = key.data
            try:
                head = client.receive()
            except OSError as error:
                if client.request is not None:
                    self._busy -= 1
                    self._count_broken(client, error)
                else:
                    self._drop(client)
                    self._idle[client.source].remove(client)
                continue
            if head is not None:
                self._busy -= 1
                self._count(client, head)

    def _count(self, client: _Client, head: bytes) -> None:
        assert client.request is not None
        kind, latency, status = client.request.kind, time.perf_counter() - client.due, int(head[9:12])
        client.request = None
        if status in (200, 202):
            self._results.accepted.setdefault(kind, []).append(latency)
            if kind == "put":
                self._results.operations.append(_read_header(head, b"operation-id"))
        elif status in REFUSALS and _read_header(head, b"retry-after").isdigit():
            self._results.refused[status] += 1
            self._results.refusals.append(latency)
        else:
            self._results.wrong[f"{kind}: {status}"] += 1
        if b"\r\nconnection: close" in head:
            self._drop(client)
        else:
            self._idle[client.source].append(client)

    def _count_broken(self, client: _Client, error: OSError) -> None:
        kind = client.request.kind if client.request else "-"
        self._results.wrong[f"{kind}: {type(error).__name__}"] += 1
        self._drop(client)

    def _drop(self, client: _Client) -> None:
        self._selector.unregister(client.socket)
        client.socket.close()
        self._open -= 1


def _read_header(head: bytes, name: bytes) -> str:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip().decode("latin-1")
