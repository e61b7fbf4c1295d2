"""The connection to PostgreSQL breaks while a write is being recorded: what is answered is what is on disk."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from planso_connector.sandbox import Sandbox
from tests.service import Service, running, settings_for

SOCKET = ".s.PGSQL.5432"


class Cutter:
    """
    A proxy before a PostgreSQL server. With `cut` the next commit of a transaction that records an operation loses its
    connection: `before` the server hears of it, or `after` it was carried out and before its answer. `closed` lets
    nobody in.
    """

    def __init__(self, upstream: Path, folder: Path) -> None:
        self._upstream = str(upstream / SOCKET)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / SOCKET))
        self._listening.listen(64)
        self._ends: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._serve)]
        self.cut: str | None = None
        self.closes_then = False
        self.closed = False
        self._threads[0].start()

    def close(self) -> None:
        self._shut(self._listening, *self._ends)
        while self._threads:
            self._threads.pop().join()
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self.closed:
                    client.close()
                    continue
                self._threads.append(threading.Thread(target=self._carry, args=(client,)))
                self._threads[-1].start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._upstream)
            self._ends |= {client, server}
            swallow = threading.Event()
            answering = threading.Thread(target=self._answer, args=(client, server, swallow))
            answering.start()
            with suppress(OSError):
                self._forward(client, server, swallow)
            answering.join()
            self._ends -= {client, server}

    def _forward(self, client: socket.socket, server: socket.socket, swallow: threading.Event) -> None:
        records = False
        while data := client.recv(1 << 16):
            records = records or b"INSERT INTO operations" in data
            if records and self.cut and b"COMMIT\0" in data:
                cut, self.cut = self.cut, None
                if cut == "before":
                    break
                swallow.set()
            records = records and b"COMMIT\0" not in data
            server.sendall(data)
        self._shut(client, server)

    def _answer(self, client: socket.socket, server: socket.socket, swallow: threading.Event) -> None:
        with suppress(OSError):
            while (data := server.recv(1 << 16)) and not swallow.is_set():
                client.sendall(data)
        if swallow.is_set() and self.closes_then:
            self.closed = True
            self._shut(*self._ends)
        self._shut(client, server)

    @staticmethod
    def _shut(*ends: socket.socket) -> None:
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cutter(postgresql_url: str) -> Iterator[tuple[Cutter, str]]:
    """And the URL by which the database is reached through it."""
    place = urlsplit(postgresql_url)
    folder = Path(tempfile.mkdtemp(prefix="pc-cut-", dir="/tmp"))  # a socket's path is short
    cutter = Cutter(Path(parse_qs(place.query)["host"][0]), folder)
    try:
        yield cutter, f"postgresql://{place.netloc}{place.path}?host={folder}"
    finally:
        cutter.close()
        shutil.rmtree(folder)


@contextmanager
def at_work(cutter: tuple[Cutter, str]) -> Iterator[tuple[Cutter, Service]]:
    sandbox = Sandbox(orders=6)
    with sandbox.serve() as planso:
        settings = settings_for(sandbox, planso, cutter[1], connector_sync_parts=False)
        with running(settings, sandbox) as service:
            service.wait_for_sync()
            yield cutter[0], service


def recorded(service: Service) -> list[dict[str, Any]]:
    operations: list[dict[str, Any]] = service.http.get("/api/operations").json()["operations"]
    return operations


def test_a_write_whose_commit_is_not_answered_is_looked_for(cutter: tuple[Cutter, str]) -> None:
    """Carried out or not, the caller is told of one operation, and PlanSo sees one save."""
    with at_work(cutter) as (cut, service):
        order = service.sandbox.order_ids()[0]
        for number, when in enumerate(("after", "before", "after"), 1):
            cut.cut = when
            service.sandbox.forget_requests()
            answer = service.put(order, remarks=f"Nummer {number}")
            assert answer.status_code == 200, answer.text
            assert not cut.cut
            assert [one["state"] for one in recorded(service)] == ["confirmed"] * number
            assert recorded(service)[0]["id"] == answer.headers["Operation-Id"]
            assert sum(request.saving for request in service.sandbox.requests) == 1


def test_where_it_can_not_be_looked_for_the_answer_says_so(cutter: tuple[Cutter, str]) -> None:
    """The database is away after it: 503 that names the operation, which is carried through when it is back."""
    with at_work(cutter) as (cut, service):
        order = service.sandbox.order_ids()[0]
        cut.cut, cut.closes_then = "after", True
        answer = service.put(order, remarks="Vielleicht")
        assert (answer.status_code, "may be recorded" in answer.json()["message"]) == (503, True), answer.text
        assert answer.headers["Operation-Id"] in answer.json()["message"]
        cut.closed = False
        assert service.wait_until_settled(answer)["state"] == "confirmed"
        assert service.sandbox.value(order, "Bemerkungen") == "Vielleicht"
