"""
A pool of PostgreSQL connections, shared by the threads of one database: opened when needed, up to a configured number,
or as many as the server admits.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum
from typing import TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine.transaction import Row
from planso_connector.store.engine.work_queue import TIMEOUT

T = TypeVar("T")

RETRY_AFTER = 2.0
"""Seconds after a refused connection until another is tried, as long as there are some."""
MIN_LENDING_SIZE = 4
"""Connections from which on one can be spared for something else."""


class ResponseTimeout(psycopg.OperationalError):
    """The server did not answer in time; the state of the connection is unknown."""


class TimeoutConnection(psycopg.Connection[Row]):
    """
    Waits for a response at most `timeout` seconds, and not beyond `deadline`. TCP does not tell: the kernel of a server
    that stands still goes on acknowledging what it receives.
    """

    timeout: float = TIMEOUT
    deadline: float = math.inf
    """As `time.monotonic`."""
    has_timed_out: bool = False
    on_answer: Callable[[], None] | None = None
    act_as_role: tuple[str, ...] = ()
    """Statements with which a transaction acts as the role of row-level security; none where it may not."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """As psycopg's, through which all its waiting goes. Raises ResponseTimeout."""
        if self.has_timed_out:
            raise ResponseTimeout("an earlier response never came")
        seconds = max(0.0, min(self.timeout, self.deadline - time.monotonic()))
        try:
            result = super().wait(gen, interval, seconds if timeout is None else min(timeout, seconds))
        except errors._WaitTimeout as error:  # noqa: SLF001 - psycopg wants its callers to convert it
            self.has_timed_out = True
            raise ResponseTimeout(f"no answer in {seconds:.1f} s") from error
        if self.on_answer is not None:
            self.on_answer()
        return result


class ConnectionUse(Enum):
    READ = "read"
    WRITE = "write"
    SEARCH = "search"


class ConnectionPool:
    """
    At most `size` connections, each used by one thread at a time. With fewer connections than units of work, reads are
    served first, then writes and searches in order; neither of these gets all of them, so that none waits for the other
    alone.
    """

    def __init__(self, connect: Callable[[], TimeoutConnection], size: int, timeout: float = TIMEOUT) -> None:
        """`timeout`: seconds that a unit of work waits for a connection that others use."""
        self._connect = connect
        self._size = size
        self._timeout = timeout
        self._changed = threading.Condition()
        self._idle: list[TimeoutConnection] = []
        self._open = self._opening = 0
        self._used: Counter[ConnectionUse] = Counter()
        self._waiting: list[tuple[ConnectionUse, object]] = []
        self._refused_until = 0.0
        self.refusals = 0
        """How often no connection could be opened."""
        self._is_closed = False

    def acquire(self, use: ConnectionUse) -> tuple[TimeoutConnection, bool]:
        """A connection outside of any transaction, and whether it is new. Raises what `connect` raises."""
        deadline = time.monotonic() + self._timeout
        while True:
            with self._changed:
                self._wait_for_turn(use, deadline)
                self._used[use] += 1
                if self._idle:
                    return self._idle.pop(), False
                self._opening += 1
            try:
                connection = self._connect()
            except BaseException:
                with self._changed:
                    self.refusals += 1
                    self._opening -= 1
                    self._free(use)
                    self._refused_until = time.monotonic() + RETRY_AFTER
                    if self._open == 0 or time.monotonic() > deadline:
                        raise
            else:
                connection.timeout = math.inf  # `deadline` bounds it
                with self._changed:
                    self._opening -= 1
                    self._open += 1
                return connection, True

    def release(self, use: ConnectionUse, connection: TimeoutConnection | None) -> None:
        """Give a connection back. None: it is lost, and the idle ones with it: mostly the same cause ended them all."""
        with self._changed:
            unwanted: list[TimeoutConnection] = []
            if connection is None:
                unwanted, self._idle = self._idle, []
                self._open -= 1
            elif self._is_closed or self._open > self._size:
                unwanted = [connection]
            else:
                self._idle.append(connection)
            self._open -= len(unwanted)
            self._free(use)
        _close_all(unwanted)

    def lend(self) -> bool:
        """Leave one of the `size` connections to somebody else, until `take_back`. False if none can be spared now."""
        with self._changed:
            if self._size < MIN_LENDING_SIZE or self._open + self._opening > self._size - (not self._idle):
                return False
            self._size -= 1
            unwanted = [self._idle.pop()] if self._open + self._opening > self._size else []
            self._open -= len(unwanted)
        _close_all(unwanted)
        return True

    def take_back(self) -> None:
        with self._changed:
            self._size += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Close the idle connections, and the others when they are released."""
        with self._changed:
            self._is_closed = True
            idle, self._idle = self._idle, []
            self._open -= len(idle)
        _close_all(idle)

    def _wait_for_turn(self, use: ConnectionUse, deadline: float) -> None:
        ticket = (use, object())
        self._waiting.append(ticket)
        try:
            while self._next() is not ticket:
                now = time.monotonic()
                if now >= deadline:
                    raise StoreUnavailable(
                        f"All {self._open} connections to the connector's database are in use: ask again in a moment."
                    )
                wake_at = self._refused_until if self._refused_until > now else deadline
                self._changed.wait(min(wake_at, deadline) - now)
        finally:
            self._waiting.remove(ticket)
            self._changed.notify_all()

    def _next(self) -> tuple[ConnectionUse, object] | None:
        """Which of those that wait may have a connection now, if any."""
        is_refused = self._open > 0 and time.monotonic() < self._refused_until
        limit = self._open if is_refused else self._size
        if not self._idle and self._open + self._opening >= limit:
            return None
        others = self._used[ConnectionUse.WRITE] + self._used[ConnectionUse.SEARCH]
        for ticket in sorted(self._waiting, key=lambda ticket: ticket[0] is not ConnectionUse.READ):
            use = ticket[0]
            is_admitted = others < max(1, limit - 1) and self._used[use] < max(1, limit - 2)
            if use is ConnectionUse.READ or is_admitted:
                return ticket
        return None

    def _free(self, use: ConnectionUse) -> None:
        self._used[use] -= 1
        self._changed.notify_all()


def _close_all(connections: Iterable[TimeoutConnection]) -> None:
    for connection in connections:
        with suppress(psycopg.Error):
            connection.close()
