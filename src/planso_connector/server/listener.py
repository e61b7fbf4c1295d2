"""
Accept connections in batches. uvloop accepts one per loop iteration: with iterations of 20 ms under load, callers of a
busy connector wait in the kernel's queue, and can't even get an answer that it is busy.
"""

import asyncio
import socket
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

BATCH_SIZE = 128
"""Connections per loop iteration."""
RETRY_DELAY = 1.0
"""Seconds after a failed accept: there is no file descriptor left, or no memory."""
_LOG_INTERVAL = 60.0
"""Seconds between two log lines about that; each counts the failures since the last."""


class Listener:
    """A listening socket whose connections are handed to protocols. As much of asyncio.Server as uvicorn uses."""

    def __init__(
        self,
        listening: socket.socket,
        create_protocol: Callable[[], asyncio.Protocol],
        backlog: int,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self._socket = listening
        self._batch_size = min(batch_size, BATCH_SIZE)
        self._failures, self._log_after = 0, 0.0
        self._create_protocol = create_protocol
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[object]] = set()
        self._is_closed = False
        listening.setblocking(False)
        listening.listen(backlog)
        self._loop.add_reader(listening, self._accept)

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        return (self._socket,)

    def _accept(self) -> None:
        for _ in range(self._batch_size):
            try:
                accepted, _address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._log_failure(error)
                self._loop.remove_reader(self._socket)
                self._loop.call_later(RETRY_DELAY, self._resume)
                return
            accepted.setblocking(False)
            task: asyncio.Task[object] = self._loop.create_task(self._connect(accepted))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    def _log_failure(self, error: OSError) -> None:
        self._failures += 1
        if self._loop.time() >= self._log_after:
            log.warning("accept_failed", error=type(error).__name__, errno=error.errno, failures=self._failures)
            self._failures, self._log_after = 0, self._loop.time() + _LOG_INTERVAL

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._create_protocol, accepted)
        except OSError:
            accepted.close()  # the client has left

    def _resume(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._socket)
            self._socket.close()

    async def wait_closed(self) -> None:
        if self._connecting:
            await asyncio.wait(self._connecting)
