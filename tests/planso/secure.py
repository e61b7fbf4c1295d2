"""TLS in front of a PlanSo that speaks plain HTTP, with a certificate that can be changed while it serves."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILES = Path(__file__).parent / "tls"
AUTHORITY = FILES / "ca.pem"


def _context(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FILES / f"{name}.pem")
    return context


class Secure:
    """`url` is where it listens. Its connections are broken off when the certificate changes."""

    def __init__(self, upstream: str, certificate: str) -> None:
        host, _, port = upstream.removeprefix("http://").rpartition(":")
        self._upstream = (host, int(port))
        self._shown = _context(certificate)
        self._open: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._done: asyncio.Event
        self.url = ""

    def show(self, certificate: str) -> None:
        def change() -> None:
            self._shown = _context(certificate)
            for writer in self._open:
                writer.transport.abort()

        self._loop.call_soon_threadsafe(change)

    @contextmanager
    def serve(self) -> Iterator[Secure]:
        thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        thread.start()
        assert self._ready.wait(90)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._done.set)
            thread.join(90)

    async def _run(self) -> None:
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        first = _context("wrong")
        first.sni_callback = lambda connection, _name, _context: setattr(connection, "context", self._shown)
        server = await asyncio.start_server(self._one, "127.0.0.1", 0, ssl=first)
        self.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._done.wait()
        server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        upstream, downstream = await asyncio.open_connection(*self._upstream)
        try:
            await asyncio.gather(_pipe(reader, downstream), _pipe(upstream, writer))
        finally:
            self._open.discard(writer)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
