"""
Taking connections in. uvloop takes one in each turn of its loop: where a turn takes 20 ms, who comes to a busy
connector waits for 50 others a second, before anything can tell them that it is busy.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

AT_ONCE = 128
"""Connections in one turn of the loop."""
PAUSE = 1.0
"""Seconds until the next try where no connection can be taken: there is no file descriptor left, or no memory."""

TELL_EVERY = 60.0
"""Seconds between two lines in the log about that; each counts the tries that failed since."""


class Listener:
    """A listening socket whose connections are handed to protocols. As much of an asyncio.Server as uvicorn uses."""

    def __init__(
        self, listening: socket.socket, protocol: Callable[[], asyncio.Protocol], backlog: int, at_once: int = AT_ONCE
    ) -> None:
        self._listening = listening
        self._at_once = min(at_once, AT_ONCE)
        self._failures, self._tell_from = 0, 0.0
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._beginning: set[asyncio.Task[object]] = set()
        self._is_closed = False
        listening.setblocking(False)
        listening.listen(backlog)
        self._loop.add_reader(listening, self._take)

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        return (self._listening,)

    def _take(self) -> None:
        for _ in range(self._at_once):
            try:
                taken, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._tell(error)
                self._loop.remove_reader(self._listening)
                self._loop.call_later(PAUSE, self._go_on)
                return
            taken.setblocking(False)
            task: asyncio.Task[object] = self._loop.create_task(self._begin(taken))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    def _tell(self, error: OSError) -> None:
        self._failures += 1
        if self._loop.time() >= self._tell_from:
            log.warning("connection_not_taken", error=type(error).__name__, errno=error.errno, failures=self._failures)
            self._failures, self._tell_from = 0, self._loop.time() + TELL_EVERY

    async def _begin(self, taken: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, taken)
        except OSError:
            taken.close()  # it left meanwhile

    def _go_on(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._listening, self._take)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._listening)
            self._listening.close()

    async def wait_closed(self) -> None:
        if self._beginning:
            await asyncio.wait(self._beginning)
