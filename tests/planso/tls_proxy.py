"""A TLS proxy for a PlanSo that speaks plain HTTP, whose certificate can be changed while it serves."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILES = Path(__file__).parent / "tls"
AUTHORITY = FILES / "ca.pem"


def _load_context(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FILES / f"{name}.pem")
    return context


class TlsProxy:
    """Listens at `url`. A change of the certificate aborts its connections."""

    def __init__(self, upstream: str, certificate: str) -> None:
        host, _, port = upstream.removeprefix("http://").rpartition(":")
        self._upstream = (host, int(port))
        self._context = _load_context(certificate)
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._done: asyncio.Event
        self.url = ""

    def use_certificate(self, certificate: str) -> None:
        def change() -> None:
            self._context = _load_context(certificate)
            for writer in self._writers:
                writer.transport.abort()

        self._loop.call_soon_threadsafe(change)

    @contextmanager
    def serve(self) -> Iterator[TlsProxy]:
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
        first = _load_context("wrong")
        first.sni_callback = lambda connection, _name, _context: setattr(connection, "context", self._context)
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0, ssl=first)
        self.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._done.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        upstream, downstream = await asyncio.open_connection(*self._upstream)
        try:
            await asyncio.gather(_pipe(reader, downstream), _pipe(upstream, writer))
        finally:
            self._writers.discard(writer)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
