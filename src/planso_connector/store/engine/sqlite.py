"""
SQLite through apsw: one writer thread that commits waiting units together, reader threads that each see a snapshot.

apsw brings its own SQLite. The standard library's must never open the same file in this process: two SQLite libraries
in one process break each other's locks, and older ones can corrupt a WAL that is being reset.
"""

import asyncio
import errno
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, cast

import apsw
from sqlalchemy import Executable
from sqlalchemy.dialects import sqlite

from planso_connector.domain.errors import CommitUnknown, QueryTooBroad, StoreUnavailable
from planso_connector.store import trigrams
from planso_connector.store.engine.backend import Backend
from planso_connector.store.engine.file_watch import FileFault, FileWatch, disable_checkpoint_on_close
from planso_connector.store.engine.immediate_reads import ImmediateReader, ReadLater
from planso_connector.store.engine.transaction import CompiledStatement, Row, StatementCache, Transaction, WorkshopScope
from planso_connector.store.engine.work_queue import TIMEOUT, QueuedWork, WorkQueue, resolve_futures

T = TypeVar("T")

BUSY_TIMEOUT = 5000
"""Milliseconds to wait for another process that holds the write lock."""
READER_THREADS, SEARCH_THREADS = 1, 2
"""Threads for short reads, and for searches that may take seconds."""
PROGRESS_STEPS = 20_000
"""Virtual machine instructions between two looks at the clock: some tenths of a millisecond."""
CHECKPOINT_PAGES, RESTART_PAGES = 1000, 4000
"""
Pages of the write-ahead log from which on it is copied into the database, and from which on readers are waited for, so
that it can be restarted. Source: sqlite.org/wal.html, "Avoiding Excessively Large WAL Files".
"""
CHECKPOINT_TIMEOUT = 50
"""Milliseconds to wait for readers, each time the log has grown by CHECKPOINT_PAGES; most reads take a few."""
MAX_BATCH = 256
"""Units that share a commit at most: the first of them waits for the last."""

_LOCKED = "another process is writing to it and did not finish in time"
_UNAVAILABLE: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.FullError, "the disk is full"),
    (apsw.BusyError, _LOCKED),
    (apsw.LockedError, _LOCKED),
    (apsw.ReadOnlyError, "the file or its folder is read-only"),
    (apsw.CantOpenError, "the file can't be opened; does its folder exist, and may this user write there?"),
    (apsw.NotADBError, "the file is not a SQLite database"),
    (apsw.CorruptError, "the file is damaged; restore it from a backup, or delete it and sync again"),
    (apsw.IOError, "the disk reports an error"),
    (apsw.PermissionsError, "this user may not open the file"),
    (apsw.NoMemError, "there is no memory left"),
    (apsw.ProtocolError, "its locks can't be taken"),
    (apsw.InterruptError, "the work was interrupted"),
)


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise StoreUnavailable for what the database can't do; programming errors pass."""
    try:
        yield
    except apsw.Error as error:
        for kind, reason in _UNAVAILABLE:
            if isinstance(error, kind):
                if kind is apsw.CantOpenError and _is_out_of_files():
                    reason = "the process has as many files open as it may (`ulimit -n`, systemd's LimitNOFILE=)"
                raise StoreUnavailable(f"The connector's database '{path}' can't be used: {reason}.") from error
        raise


def _is_out_of_files() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False


_SQL_FUNCTIONS: dict[str, Any] = {
    "grams": trigrams.index_text,
    "grams_asked": lambda runs: trigrams.fts_query(json.loads(runs)),
}
"""Called by the triggers of migration 0005, and by `expressions.text_candidates`."""


def connect(path: Path, *, read_only: bool = False) -> apsw.Connection:
    """Open a connection in WAL mode. Raises StoreUnavailable."""
    with suppress(OSError):  # it exists already, or SQLite will say what is wrong
        path.touch(mode=0o600, exist_ok=False)  # by SQLite it would get the umask's, and so would the log
    with translate_errors(path):
        connection = apsw.Connection(str(path))
        try:
            # Before journal_mode: two processes that switch to WAL at the same time must wait for each other.
            connection.set_busy_timeout(BUSY_TIMEOUT)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            # Else SQLite prepares statements such as `LIMIT ?` anew whenever a value changes, which takes longer than
            # running them. Source: sqlite.org/queryplanner-ng.html, section 4.
            connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
            for name, function in _SQL_FUNCTIONS.items():
                connection.create_scalar_function(name, function, 1, deterministic=True)
            if read_only:
                connection.execute("PRAGMA query_only = ON")
        except apsw.Error:
            connection.close()
            raise
        return connection


_STATEMENTS = StatementCache(cast("Any", sqlite.dialect)(paramstyle="qmark"))


class SqliteTransaction(WorkshopScope):
    """Statements on one connection, in whatever transaction it is in."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def fetch_all(self, statement: Executable, /, **parameters: object) -> list[Row]:
        compiled = _STATEMENTS[statement]
        cursor = self._connection.execute(compiled.text, self._values(compiled, parameters))
        if compiled.columns is None:
            try:
                compiled.columns = tuple(column[0] for column in cursor.get_description())
            except apsw.ExecutionCompleteError:
                return []
        columns = compiled.columns
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def execute(self, statement: Executable, /, **parameters: object) -> int:
        compiled = _STATEMENTS[statement]
        before = self._connection.total_changes()
        self._connection.execute(compiled.text, self._values(compiled, parameters))
        # Only `total_changes` shows that a statement changed nothing at all, and only `changes` leaves triggers out.
        return self._connection.changes() if self._connection.total_changes() != before else 0

    def execute_many(self, statement: Executable, rows: Iterable[Mapping[str, object]], /) -> None:
        compiled = _STATEMENTS[statement]
        self._connection.executemany(compiled.text, [self._values(compiled, row) for row in rows])

    def _values(self, compiled: CompiledStatement, parameters: Mapping[str, object]) -> tuple[Any, ...]:
        named = {**self._own, **compiled.defaults, **parameters}
        return tuple([named[name] for name in compiled.names])

    def lock(self, name: str) -> None:
        """Nothing to do: there is one writing transaction at a time, among all processes."""

    def notify(self, message: str) -> None:
        """Nothing to do: every commit changes `data_version`."""


class SqliteBackend(Backend):
    def __init__(self, path: Path, timeout: float = TIMEOUT) -> None:
        super().__init__(f"'{path}'", timeout)
        self._path = path
        with translate_errors(path):
            self._files = FileWatch(path, connect)
        connections: list[apsw.Connection] = []
        try:
            for read_only in (True,) * (READER_THREADS + SEARCH_THREADS + 2) + (False,):
                connections.append(connect(path, read_only=read_only))  # noqa: PERF401 - those before an error are closed
        except StoreUnavailable:
            for connection in connections:
                connection.close()
            self._files.close()
            raise
        self.writes.start_thread(self._run_writer, connections.pop())
        self._version_connection = connections.pop()
        self._now_connection = connections.pop()
        self._reader = ImmediateReader(self._now_connection, SqliteTransaction(self._now_connection))
        for _ in range(READER_THREADS):
            self.reads.start_thread(self._run_reader, connections.pop(), self.reads)
        for _ in range(SEARCH_THREADS):
            self.searches.start_thread(self._run_reader, connections.pop(), self.searches)

    def data_version(self) -> int | None:
        try:
            return cast("int", self._version_connection.execute("PRAGMA data_version").get)
        except apsw.Error:
            return None

    def read_now(self, function: Callable[[Transaction], T], workshop: str | None) -> T:
        is_silent = any(queue.responsiveness.silent_since is not None for queue in self.queues)
        if is_silent or self._files.fault is not None or not self._files.is_local:
            raise ReadLater
        result = self._reader.read(function, workshop)
        self.reads.responsiveness.record_answer()
        return result

    @property
    def file_fault(self) -> FileFault | None:
        return self._files.fault

    async def close(self) -> None:
        await asyncio.to_thread(self._files.stop)
        await super().close()
        self._close(self._version_connection)
        self._close(self._now_connection)
        self._files.close()

    def _close(self, connection: apsw.Connection) -> None:
        if self._files.check() is not None:
            disable_checkpoint_on_close(connection)
        connection.close()

    def _run_reader(self, connection: apsw.Connection, queue: WorkQueue) -> None:
        transaction = SqliteTransaction(connection)
        while (work := queue.take()) is not None:
            if work.begin():
                fault = self._files.fault
                if fault is not None and not fault.is_readable:
                    work.error = StoreUnavailable(fault.message)
                elif not work.expire():
                    with _time_limit(connection, work):
                        self._run_in_transaction(connection, transaction, work, begin="BEGIN")
                queue.responsiveness.record_answer()
                resolve_futures([work])
            del work  # waiting for the next one must not keep this one's result alive
        self._close(connection)

    def _run_writer(self, connection: apsw.Connection) -> None:
        connection.set_wal_hook(_Checkpointer())
        transaction = SqliteTransaction(connection)
        closed = False
        while not closed:
            batch, closed = self.writes.take_batch(MAX_BATCH)
            batch = [work for work in batch if work.begin()]
            self._commit(connection, transaction, batch)
            self.writes.responsiveness.record_answer()
            resolve_futures(batch)
            del batch
        self._close(connection)

    def _commit(self, connection: apsw.Connection, transaction: SqliteTransaction, batch: list[QueuedWork]) -> None:
        """Commit a batch. It is on disk only if the files were in place before and after."""
        if (fault := self._files.check()) is not None:
            for work in batch:
                work.error = StoreUnavailable(fault.message)
            return
        if len(batch) < 2 or not self._run_together(connection, transaction, batch):
            for work in batch:
                self._run_in_transaction(connection, transaction, work, begin="BEGIN IMMEDIATE")
        if (fault := self._files.check()) is not None:
            for work in batch:
                if work.error is None:
                    work.result, work.error = None, CommitUnknown(fault.message)

    def _run_in_transaction(
        self, connection: apsw.Connection, transaction: SqliteTransaction, work: QueuedWork, *, begin: str
    ) -> None:
        """Run one unit in a transaction of its own."""
        transaction.begin_as(work.workshop)
        try:
            with translate_errors(self._path):
                connection.execute(begin)
                work.result = work.function(transaction)
                connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - the caller gets it, whatever it is
            work.result, work.error = None, error
            _rollback(connection)

    def _run_together(
        self, connection: apsw.Connection, transaction: SqliteTransaction, batch: list[QueuedWork]
    ) -> bool:
        """
        Run all units in one transaction, each in a savepoint, with one commit. False, with nothing done, if SQLite gave
        up the whole transaction, as it may when the disk is full: each unit then needs one of its own.
        """
        try:
            with translate_errors(self._path):
                connection.execute("BEGIN IMMEDIATE")
                for work in batch:
                    transaction.begin_as(work.workshop)
                    connection.execute("SAVEPOINT unit")
                    try:
                        with translate_errors(self._path):
                            work.result, work.error = work.function(transaction), None
                    except BaseException as error:  # noqa: BLE001 - only its caller gets it
                        work.result, work.error = None, error
                        if not connection.in_transaction:
                            return False
                        connection.execute("ROLLBACK TO unit")
                    connection.execute("RELEASE unit")
                connection.execute("COMMIT")
        except (apsw.Error, StoreUnavailable) as error:
            _rollback(connection)
            for work in batch:
                work.result, work.error = None, StoreUnavailable(str(error))
        return True


class _Checkpointer:
    """
    WAL hook that keeps the log short, called after each commit with its pages. SQLite's own checkpoint never waits for
    readers: while there is always one, the log grows without bound, and reads get slower with it.
    """

    def __init__(self) -> None:
        self._next = RESTART_PAGES

    def __call__(self, connection: apsw.Connection, _name: str, pages: int) -> int:
        if pages < CHECKPOINT_PAGES:
            self._next = RESTART_PAGES
            return apsw.SQLITE_OK
        try:
            if pages < self._next:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                return apsw.SQLITE_OK
            self._next = pages + CHECKPOINT_PAGES
            connection.set_busy_timeout(CHECKPOINT_TIMEOUT)
            try:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
            finally:
                connection.set_busy_timeout(BUSY_TIMEOUT)
        except apsw.Error:
            # The commit stands, and is read from the log; the next write meets the disk's trouble.
            pass
        return apsw.SQLITE_OK


@contextmanager
def _time_limit(connection: apsw.Connection, work: QueuedWork) -> Iterator[None]:
    """Interrupt SQLite when the work has used up its time or its steps."""
    within = work.time_limit
    if within is None:
        yield
        return
    end = work.queued_at + within
    looks, max_looks = count(1), math.inf if work.max_steps is None else work.max_steps / PROGRESS_STEPS
    has_steps_left = True

    def is_used_up() -> bool:
        nonlocal has_steps_left
        has_steps_left = next(looks) < max_looks
        return not has_steps_left or time.monotonic() > end

    connection.set_progress_handler(is_used_up, PROGRESS_STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None)
    if work.error is not None and isinstance(work.error.__cause__, apsw.InterruptError):
        work.error = QueryTooBroad(within if has_steps_left else None)


def _rollback(connection: apsw.Connection) -> None:
    """Never raises: the thread would end, and its callers would wait for ever."""
    with suppress(apsw.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
