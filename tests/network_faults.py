"""A PostgreSQL server that goes silent: a firewall before it that drops packets, or all of its processes stopped."""

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
    A TCP proxy before a PostgreSQL server. While it is `closed`, nothing passes, and what comes is kept for later, as
    TCP would send it again; new connections are taken, and answered by nobody. `forget` makes it drop all that comes
    by the connections that there are: neither side learns of it. What a client sends that is `forget_at` is the last
    that passes.
    """

    def __init__(self, folder: Path, port: int = 5432) -> None:
        """`folder` is that of the Unix socket, `port` the one in its name."""
        self._folder = folder
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
        """Breaks off every connection."""
        for one in list(self._ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        self._ended = True
        self._open.set()
        for one in (self._listening, *self._ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
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
        with client, socket.socket(socket.AF_UNIX) as server:
            if self._ended:
                return
            try:
                server.connect(str(self._folder / f".s.PGSQL.{self.upstream_port}"))
            except OSError:  # the server is down: the client's connection ends here
                return
            self._ends |= {client, server}
            back = threading.Thread(target=self._forward, args=(server, client))
            back.start()
            self._forward(client, server, self._is_trigger)
            back.join()
            self._ends -= {client, server}

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
            self._wait_for_the_end(target)

    def _wait_for_the_end(self, other: socket.socket) -> None:
        """A forgotten connection that one side closed stays open on the other, until all ends."""
        with suppress(OSError):
            while other.recv(1 << 16):
                pass


@pytest.fixture
def firewall(postgresql_url: str) -> Iterator[tuple[Firewall, str]]:
    """And the URL by which the database is reached through it."""
    place = urlsplit(postgresql_url)
    wall = Firewall(Path(parse_qs(place.query)["host"][0]))
    try:
        yield wall, f"postgresql://{place.username}@127.0.0.1:{wall.port}{place.path}?connect_timeout=2"
    finally:
        wall.end()


@contextmanager
def frozen(server: PostgresqlServer) -> Iterator[None]:
    """While this lasts, no process of the server does anything. Its kernel goes on taking what it is sent."""
    postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGSTOP)  # first, so that no new ones come
    stopped = [postmaster]
    try:
        for process in _children(postmaster):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
                stopped.append(process)
        yield
    finally:
        for process in stopped:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.parent.name))
    return found
