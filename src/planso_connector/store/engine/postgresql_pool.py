"""
Connections to PostgreSQL, shared by the threads of one database: opened when they are needed, up to a number that the
operator sets, or as many as the server lets in.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine.transaction import Row
from planso_connector.store.engine.work_queue import TIMEOUT

T = TypeVar("T")

RETRY_AFTER = 2.0
"""Seconds after a refused connection until another one is asked for, as long as there are some."""


class ResponseTimeout(psycopg.OperationalError):
    """The server has not answered in time. What the connection is in the middle of is not known."""


class TimeoutConnection(psycopg.Connection[Row]):
    """
    Waits for no answer for longer than `patience` seconds, nor beyond `until`. TCP can't be relied on for that: the
    kernel of a server that stands still goes on confirming what it gets.
    """

    timeout: float = TIMEOUT
    deadline: float = math.inf
    """As `time.monotonic`."""
    has_timed_out: bool = False
    on_answer: Callable[[], None] | None = None

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """As psycopg's, which all waiting for the server goes through. Raises Unanswered."""
        if self.has_timed_out:
            raise ResponseTimeout("an answer before this one never came")
        seconds = max(0.0, min(self.timeout, self.deadline - time.monotonic()))
        try:
            result = super().wait(gen, interval, seconds if timeout is None else min(timeout, seconds))
        except errors._WaitTimeout as error:  # noqa: SLF001 - psycopg wants its callers to convert it
            self.has_timed_out = True
            raise ResponseTimeout(f"no answer in {seconds:.1f} s") from error
        if self.on_answer is not None:
            self.on_answer()
        return result


class ConnectionUse(IntEnum):
    """What a connection is wanted for."""

    READ = 0
    WRITE = 1
    SEARCH = 2


class ConnectionPool:
    """
    At most `most` connections, each used by one thread at a time. Where there are fewer than units of work, reads get
    theirs first, then the others as they came; and neither of those has all, so that none waits for the other alone.
    """

    def __init__(self, connect: Callable[[], TimeoutConnection], most: int, patience: float = TIMEOUT) -> None:
        """`patience`: seconds that a unit of work waits for a connection that others use."""
        self._connect = connect
        self._most = most
        self._patience = patience
        self._changed = threading.Condition()
        self._idle: list[TimeoutConnection] = []
        self._open = self._opening = 0
        self._used = [0] * len(ConnectionUse)
        self._waiting: list[tuple[ConnectionUse, object]] = []
        self._short_until = 0.0
        self._closed = False

    def acquire(self, kind: ConnectionUse) -> tuple[TimeoutConnection, bool]:
        """A connection outside of any transaction, and whether it is new. Raises what `connect` raises."""
        until = time.monotonic() + self._patience
        while True:
            with self._changed:
                self._wait_for_turn(kind, until)
                self._used[kind] += 1
                if self._idle:
                    return self._idle.pop(), False
                self._opening += 1
            try:
                connection = self._connect()
            except BaseException:
                with self._changed:
                    self._opening -= 1
                    self._free(kind)
                    self._short_until = time.monotonic() + RETRY_AFTER
                    if self._open == 0 or time.monotonic() > until:
                        raise
            else:
                connection.timeout = math.inf  # `until` bounds it
                with self._changed:
                    self._opening -= 1
                    self._open += 1
                return connection, True

    def release(self, kind: ConnectionUse, connection: TimeoutConnection | None) -> None:
        """None: it is lost, and so are the idle ones, for what ends one connection mostly ends them all."""
        with self._changed:
            if connection is not None and not self._closed:
                unwanted = []
                self._idle.append(connection)
            elif connection is not None:
                unwanted = [connection]
            else:
                unwanted, self._idle = self._idle, []
                self._open -= 1
            self._open -= len(unwanted)
            self._free(kind)
        for one in unwanted:
            _close(one)

    def close(self) -> None:
        """Closes the idle ones, and the others when they are given back."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._open -= len(idle)
        for connection in idle:
            _close(connection)

    def _wait_for_turn(self, kind: ConnectionUse, until: float) -> None:
        ticket = (kind, object())
        self._waiting.append(ticket)
        try:
            while self._next() is not ticket:
                now = time.monotonic()
                if now >= until:
                    raise StoreUnavailable(
                        f"All {self._open} connections to the connector's database are in use: ask again in a moment."
                    )
                wake = self._short_until if self._short_until > now else until
                self._changed.wait(min(wake, until) - now)
        finally:
            self._waiting.remove(ticket)
            self._changed.notify_all()

    def _next(self) -> tuple[ConnectionUse, object] | None:
        """Who of those that wait can have a connection now, if anybody can."""
        is_short = self._open > 0 and time.monotonic() < self._short_until
        limit = self._open if is_short else self._most
        if not self._idle and self._open + self._opening >= limit:
            return None
        others = self._used[ConnectionUse.WRITE] + self._used[ConnectionUse.SEARCH]
        for ticket in sorted(self._waiting, key=lambda ticket: ticket[0] is not ConnectionUse.READ):
            kind = ticket[0]
            if kind is ConnectionUse.READ or (others < max(1, limit - 1) and self._used[kind] < max(1, limit - 2)):
                return ticket
        return None

    def _free(self, kind: ConnectionUse) -> None:
        self._used[kind] -= 1
        self._changed.notify_all()


def _close(connection: TimeoutConnection) -> None:
    with suppress(psycopg.Error):
        connection.close()
