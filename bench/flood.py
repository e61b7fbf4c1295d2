"""Requests by a schedule, whether those before were answered or not: what a crowd does, which waits for nobody."""

from __future__ import annotations

import random
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

_BUFFER = bytearray(1 << 20)
MOST_CONNECTIONS = 1500
"""Fewer than the connector takes: who finds none free is counted, because then it is the client that is full."""
PATIENCE = 60.0
"""Seconds after the last request for the answers that are still missing."""
MAY_REFUSE = (429, 503)


@dataclass(frozen=True, slots=True)
class Ask:
    kind: str
    text: bytes


@dataclass
class Found:
    """What came back. Latencies in seconds, from when the request was due, by the kind of what was accepted."""

    seconds: float = 0.0
    asked: int = 0
    accepted: dict[str, list[float]] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    refusals: list[float] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    """Whatever may not be: other statuses, a refusal without Retry-After, connections that broke."""
    unsent: int = 0
    operations: list[str] = field(default_factory=list)

    @property
    def latencies(self) -> list[float]:
        return [one for kind in self.accepted.values() for one in kind]


def at(latencies: Sequence[float], share: float) -> float:
    """Milliseconds within which this share of them is."""
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


class _Client:
    """One kept connection and the request that it waits for."""

    def __init__(self, port: int, source: str) -> None:
        self.source = source
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self.ask: Ask | None = None
        self._head = b""
        self._missing = 0

    def send(self, ask: Ask, due: float) -> None:
        self.ask, self.due, self._head, self._missing = ask, due, b"", 0
        self.socket.sendall(ask.text)

    def answer(self) -> bytes | None:
        """The head of the answer once the whole of it is there. Raises OSError where it will not come."""
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


class Flood:
    """`sources`: the addresses of this machine that requests come from, in turn."""

    def __init__(self, port: int, sources: Sequence[str] = ("127.0.0.1",)) -> None:
        self._port = port
        self._sources = sources
        self._turn = 0
        self._selector = selectors.DefaultSelector()
        self._idle: dict[str, deque[_Client]] = {source: deque() for source in sources}
        self._open = 0
        self._busy = 0
        self._found = Found()

    def closed(self, asks: Iterator[Ask], clients: int, seconds: float) -> Found:
        """Each of so many clients asks again as soon as it has its answer."""
        found = self._found = Found()
        began = time.perf_counter()
        while (now := time.perf_counter()) - began < seconds:
            while self._busy < clients:
                self._ask(next(asks), now)
            self._collect(0.05)
        self._rest()
        found.seconds = time.perf_counter() - began
        return found

    def open(self, asks: Iterator[Ask], rate: float, seconds: float, half: Callable[[], None]) -> Found:
        """So many a second at random, for so many seconds; `half` is called in the middle."""
        found = self._found = Found()
        dice = random.Random(1)
        began = due = time.perf_counter()
        is_first_half = True
        while due < began + seconds:
            now = time.perf_counter()
            while due <= now and due < began + seconds:
                self._ask(next(asks), due)
                due += dice.expovariate(rate)
            self._collect(max(0.0, due - time.perf_counter()))
            if is_first_half and now - began > seconds / 2:
                is_first_half = False
                half()
        found.seconds = time.perf_counter() - began
        return found

    def rest(self) -> None:
        """Waits for the answers that are still missing."""
        self._rest()

    def close(self) -> None:
        for idle in self._idle.values():
            for client in idle:
                client.socket.close()
        self._selector.close()

    def _ask(self, ask: Ask, due: float) -> None:
        source = self._sources[self._turn % len(self._sources)]
        self._turn += 1
        self._found.asked += 1
        idle = self._idle[source]
        try:
            if idle:
                client = idle.pop()
            elif self._open < MOST_CONNECTIONS:
                client = _Client(self._port, source)
                self._open += 1
                self._selector.register(client.socket, selectors.EVENT_READ, client)
            else:
                self._found.unsent += 1
                return
        except OSError as error:
            self._found.wrong[f"no connection: {type(error).__name__}"] += 1
            return
        try:
            client.send(ask, due)
            self._busy += 1
        except OSError as error:
            self._broken(client, error)

    def _collect(self, wait: float) -> None:
        for key, _ in self._selector.select(wait):
            client: _Client = key.data
            try:
                head = client.answer()
            except OSError as error:
                if client.ask is not None:
                    self._busy -= 1
                    self._broken(client, error)
                else:
                    self._drop(client)
                    self._idle[client.source].remove(client)
                continue
            if head is not None:
                self._busy -= 1
                self._take(client, head)

    def _take(self, client: _Client, head: bytes) -> None:
        assert client.ask is not None
        kind, took, status = client.ask.kind, time.perf_counter() - client.due, int(head[9:12])
        client.ask = None
        if status in (200, 202):
            self._found.accepted.setdefault(kind, []).append(took)
            if kind == "put":
                self._found.operations.append(_header(head, b"operation-id"))
        elif status in MAY_REFUSE and _header(head, b"retry-after").isdigit():
            self._found.refused[status] += 1
            self._found.refusals.append(took)
        else:
            self._found.wrong[f"{kind}: {status}"] += 1
        if b"\r\nconnection: close" in head:
            self._drop(client)
        else:
            self._idle[client.source].append(client)

    def _broken(self, client: _Client, error: OSError) -> None:
        kind = client.ask.kind if client.ask else "-"
        self._found.wrong[f"{kind}: {type(error).__name__}"] += 1
        self._drop(client)

    def _drop(self, client: _Client) -> None:
        self._selector.unregister(client.socket)
        client.socket.close()
        self._open -= 1

    def _rest(self) -> None:
        until = time.perf_counter() + PATIENCE
        while self._busy and time.perf_counter() < until:
            self._collect(0.05)
        if self._busy:
            self._found.wrong["never answered"] += self._busy


def _header(head: bytes, name: bytes) -> str:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip().decode("latin-1")
