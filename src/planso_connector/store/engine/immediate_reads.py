"""
Short reads of SQLite on the calling thread, the event loop's: handing one to a thread and back costs ten times as much
as reading a row. They never wait for another process and are bounded; what takes longer is left to a thread.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import apsw

from planso_connector.store.engine.transaction import ReusedTransaction, Transaction

T = TypeVar("T")

STEPS_PER_LOOK, MAX_LOOKS = 1000, 8
"""
Virtual machine instructions between two looks, and how many looks a unit of work may take: half a millisecond. One row
by its key takes about a hundred instructions, a page of fifty orders two thousand.
"""
SLOW, MAX_SHARE = 0.05, 0.2
"""
A read that took so many seconds because of the disk is followed by a pause in which reads are left to a thread, so that
the event loop spends at most this share of its time waiting for the disk.
"""


class ReadLater(Exception):
    """The database can't answer at once; nothing was done. Use `Database.read`."""


class ImmediateReader:
    """Reads on a connection of its own. `transaction` runs statements on it."""

    def __init__(self, connection: apsw.Connection, transaction: ReusedTransaction) -> None:
        self._connection, self._transaction = connection, transaction
        self._is_used = threading.Lock()
        self._looks = 0
        self._paused_until = 0.0
        self._blocks_read = _count_blocks_read()
        connection.set_busy_timeout(0)
        connection.set_progress_handler(self._is_too_long, STEPS_PER_LOOK)

    def read(self, function: Callable[[Transaction], T], workshop: str | None) -> T:
        """Return what `function` returns. Raises ReadLater, and whatever `function` raises."""
        began = time.monotonic()
        if began < self._paused_until or not self._is_used.acquire(blocking=False):
            raise ReadLater
        try:
            return self._read(function, workshop)
        except apsw.Error as error:  # interrupted, locked, or broken: the thread waits, or says what is wrong
            raise ReadLater from error
        finally:
            self._is_used.release()
            took = time.monotonic() - began
            if took > SLOW and self._has_used_disk():
                self._paused_until = began + took / MAX_SHARE

    def _read(self, function: Callable[[Transaction], T], workshop: str | None) -> T:
        self._looks = 0
        self._transaction.begin_as(workshop)
        self._connection.execute("BEGIN")
        try:
            return function(self._transaction)
        finally:
            self._looks = 0  # else it could interrupt the end of the transaction too
            self._connection.execute("ROLLBACK")

    def _is_too_long(self) -> bool:
        """Called by SQLite; True interrupts the statement. A statement's instructions count on from run to run."""
        self._looks += 1
        return self._looks > MAX_LOOKS

    def _has_used_disk(self) -> bool:
        """Whether this thread has read from a disk since the last call; else the machine was busy, as for a thread."""
        before, self._blocks_read = self._blocks_read, _count_blocks_read()
        return self._blocks_read != before


def _count_blocks_read() -> int:
    """How often this thread has read from a disk; 0 where the system does not count it."""
    try:
        import resource

        return resource.getrusage(resource.RUSAGE_THREAD).ru_inblock
    except (ImportError, AttributeError):
        return 0
