"""A PostgreSQL server that stops responding: a firewall drops packets, or all of the server's processes are stopped."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.databases import PostgresqlServer

Fault = Callable[[], None]


class Firewall:
    """
    A TCP proxy in front of a PostgreSQL server, or of any TCP port, on `port` of 127.0.0.1.

    While it is `closed`, data is delayed, as TCP would retransmit it; new connections are accepted and get no response.
    `forget` drops all further data of the existing connections without closing them. `forget_at`: a predicate on data
    from a client; the first data that meets it is forwarded, and then the connections are forgotten.
    """

    def __init__(self, upstream: Path | tuple[str, int], port: int = 5432) -> None:
        """`upstream` is the folder of the server's Unix socket, `port` the port in its name; or a TCP address."""
        self._upstream = upstream
        self.upstream_port = port
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._forgotten: set[socket.socket] = set()
        self._ends: set[socket.socket] = set()
        self._ended = False
        self.forget_at: Callable[[bytes], bool] | None = None
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    @contextmanager
    def closed(self) -> Iterator[None]:
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def forget(self) -> None:
        self._forgotten |= self._ends

    def cut(self) -> None:
        """Close every connection."""
        for end in list(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        self._ended = True
        self._open.set()
        for end in (self._listening, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        while self._threads:
            self._threads.pop().join()
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._threads.append(threading.Thread(target=self._carry, args=(client,)))
                self._threads[-1].start()

    def _carry(self, client: socket.socket) -> None:
        self._open.wait()
        family = socket.AF_UNIX if isinstance(self._upstream, Path) else socket.AF_INET
        with client, socket.socket(family) as server:
            if self._ended:
                return
            try:
                server.connect(self._address)
            except OSError:  # the server is down: the client's connection ends here
                return
            self._ends |= {client, server}
            back = threading.Thread(target=self._forward, args=(server, client))
            back.start()
            self._forward(client, server, self._is_trigger)
            back.join()
            self._ends -= {client, server}

    @property
    def _address(self) -> str | tuple[str, int]:
        if isinstance(self._upstream, Path):
            return str(self._upstream / f".s.PGSQL.{self.upstream_port}")
        return self._upstream

    def _is_trigger(self, data: bytes) -> bool:
        return self.forget_at is not None and self.forget_at(data)

    def _forward(
        self, source: socket.socket, target: socket.socket, is_trigger: Callable[[bytes], bool] = lambda _: False
    ) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._open.wait()
                passes = source not in self._forgotten
                if is_trigger(data):
                    self.forget_at = None
                    self.forget()
                if passes:
                    target.sendall(data)
        if source not in self._forgotten:
            self._open.wait()
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)
        elif not self._ended:
            self._drain(target)

    def _drain(self, end: socket.socket) -> None:
        """Keep the other end of a forgotten connection open after one side has closed it."""
        with suppress(OSError):
            while end.recv(1 << 16):
                pass


@pytest.fixture
def firewall(postgresql_url: str) -> Iterator[tuple[Firewall, str]]:
    """Return a firewall before the PostgreSQL server, and the URL of a fresh database through it."""
    place = urlsplit(postgresql_url)
    wall = Firewall(Path(parse_qs(place.query)["host"][0]))
    try:
        yield wall, f"postgresql://{place.username}@127.0.0.1:{wall.port}{place.path}?connect_timeout=2"
    finally:
        wall.end()


@contextmanager
def frozen(server: PostgresqlServer) -> Iterator[None]:
    """Stop all processes of the server with SIGSTOP; the kernel still accepts connections and data for them."""
    postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGSTOP)  # first, so that it starts no new processes
    stopped = [postmaster]
    try:
        for process in list_children(postmaster):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
                stopped.append(process)
        yield
    finally:
        for process in stopped:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def list_children(parent: int) -> list[int]:
    """Return the ids of a process's children."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.parent.name))
    return found
