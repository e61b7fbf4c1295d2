"""Serve the sandbox on a port: in a thread for tests and the demo, in the main thread for the command."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

_GRACE = 3
"""Seconds in which open requests may end when the server closes."""


class PortTakenError(Exception):
    """The address can't be listened on."""


class _Server(uvicorn.Server):
    """uvicorn that sets `ready` when it listens, and releases hanging requests when it closes."""

    def __init__(self, app: ASGIApp, release: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
        super().__init__(config)
        self.ready = threading.Event()
        self._release = release

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        # uvicorn checks ten times a second whether to exit: too long for tests that start hundreds of servers.
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            await asyncio.sleep(0.02)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._release()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `PortTakenError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # IPPROTO_TCP, as asyncio turns Nagle's algorithm off for such sockets only: each small answer would take 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except (OSError, OverflowError) as error:
        listener.close()
        raise PortTakenError(f"The sandbox can't listen on {host} port {port}: {error}. Name another port.") from error
    return listener


@contextmanager
def serve_in_thread(app: ASGIApp, release: Callable[[], None], host: str, port: int) -> Iterator[str]:
    """Serve in a thread; yields the base URL without a slash at its end. Raises `PortTakenError`."""
    listener = listen(host, port)
    server = _Server(app, release)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="planso-sandbox", daemon=True)
    thread.start()
    try:
        while not server.ready.wait(0.1):
            if not thread.is_alive():
                raise RuntimeError("The sandbox's server did not start")
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def serve_in_main_thread(app: ASGIApp, release: Callable[[], None], listening: Sequence[socket.socket]) -> None:
    """Serve until interrupted."""
    with suppress(KeyboardInterrupt):
        _Server(app, release).run(sockets=list(listening))
