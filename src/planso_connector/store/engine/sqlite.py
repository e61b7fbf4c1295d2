"""
SQLite, through apsw: one writer thread whose waiting units share a commit, reader threads that each see a snapshot.

apsw brings its own SQLite. The standard library's must never open the same file in this process: two SQLite libraries
in one process break each other's locks, and older ones can corrupt a WAL that is being reset.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import apsw
from sqlalchemy import Executable
from sqlalchemy.dialects import sqlite

from planso_connector.domain.errors import CommitUnknown, QueryTooBroad, StoreUnavailable
from planso_connector.store import trigrams
from planso_connector.store.engine.file_watch import FileFault, FileWatch, disable_checkpoint_on_close
from planso_connector.store.engine.transaction import NoWorkshop, Row, StatementCache, Transaction, workshop_parameters
from planso_connector.store.engine.work_queue import TIMEOUT, QueuedWork, WorkQueue, resolve_futures

BUSY_TIMEOUT = 5000
"""Milliseconds to wait for another process that holds the write lock."""
READER_THREADS, SEARCH_THREADS = 1, 2
"""Threads for short readings, and for questions that may take seconds."""
PROGRESS_STEPS = 20_000
"""Of SQLite's machine, between two looks at the clock: some tenths of a millisecond, and nothing to speak of."""
CHECKPOINT_PAGES, RESTART_PAGES = 1000, 4000
"""
Of the write-ahead log: from where on what it holds is copied into the database, and from where on its readers are
waited for, so that it begins anew. Source: sqlite.org/wal.html, "Avoiding Excessively Large WAL Files".
"""
CHECKPOINT_TIMEOUT = 50
"""Milliseconds to wait for them, each time the log has grown by LOG_PAGES again; what is read takes a few, mostly."""
MAX_BATCH = 256
"""At most so many units share a commit: the first of them waits for the last."""

_UNAVAILABLE: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.FullError, "the disk is full"),
    (apsw.BusyError, "another process is writing to it and did not finish in time"),
    (apsw.LockedError, "another process is writing to it and did not finish in time"),
    (apsw.ReadOnlyError, "the file or its folder is read-only"),
    (apsw.CantOpenError, "the file can't be opened; does its folder exist, and may this user write there?"),
    (apsw.NotADBError, "the file is not a SQLite database"),
    (apsw.CorruptError, "the file is damaged; restore it from a backup, or delete it and sync anew"),
    (apsw.IOError, "the disk reports an error"),
    (apsw.PermissionsError, "this user may not open the file"),
    (apsw.NoMemError, "there is no memory left"),
    (apsw.ProtocolError, "its locks can't be taken"),
    (apsw.InterruptError, "the work was interrupted"),
)


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Turns what the database can't do into StoreUnavailable; errors of the program pass."""
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


def _grams(*text: Any) -> str:
    return trigrams.index_text(text[0])


def _grams_asked(*runs: Any) -> str:
    return trigrams.fts_query(json.loads(runs[0]))


def connect(path: Path, *, read_only: bool = False) -> apsw.Connection:
    """A connection in WAL mode. Raises StoreUnavailable."""
    with suppress(OSError):  # there already; or SQLite will tell
        path.touch(mode=0o600, exist_ok=False)  # SQLite gives it what the shell allows, and the log beside it the same
    with translate_errors(path):
        connection = apsw.Connection(str(path))
        try:
            # First of all: two processes that switch to WAL at the same time need to wait for each other.
            connection.set_busy_timeout(BUSY_TIMEOUT)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            # Migration 0005's triggers call it.
            connection.create_scalar_function("grams", _grams, 1, deterministic=True)
            connection.create_scalar_function("grams_asked", _grams_asked, 1, deterministic=True)
            if read_only:
                connection.execute("PRAGMA query_only = ON")
        except apsw.Error:
            connection.close()
            raise
        return connection


class SqliteTransaction:
    """Statements on one connection, in the transaction that it is in."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._statements = StatementCache(cast("Any", sqlite.dialect)(paramstyle="qmark"))
        self._workshop: str | None = None
        self._own: dict[str, Any] = {}

    def use_workshop(self, workshop: str | None) -> None:
        if workshop != self._workshop:
            self._workshop, self._own = workshop, workshop_parameters(workshop)

    @property
    def workshop(self) -> str:
        if self._workshop is None:
            raise NoWorkshop
        return self._workshop

    def fetch_all(self, statement: Executable, /, **parameters: object) -> list[Row]:
        compiled = self._statements[statement]
        named = {**self._own, **compiled.defaults, **parameters}
        cursor = self._connection.execute(compiled.text, tuple(cast("Any", named[name]) for name in compiled.names))
        if compiled.columns is None:
            try:
                compiled.columns = tuple(column[0] for column in cursor.get_description())
            except apsw.ExecutionCompleteError:
                return []
        columns = compiled.columns
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def execute(self, statement: Executable, /, **parameters: object) -> int:
        compiled = self._statements[statement]
        named = {**self._own, **compiled.defaults, **parameters}
        before = self._connection.total_changes()
        self._connection.execute(compiled.text, tuple(cast("Any", named[name]) for name in compiled.names))
        # Only `total_changes` tells that a statement changed nothing at all, and only `changes` leaves triggers out.
        return self._connection.changes() if self._connection.total_changes() != before else 0

    def execute_many(self, statement: Executable, rows: Iterable[Mapping[str, object]], /) -> None:
        compiled = self._statements[statement]
        self._connection.executemany(
            compiled.text,
            [
                tuple(cast("Any", {**self._own, **compiled.defaults, **row}[name]) for name in compiled.names)
                for row in rows
            ],
        )

    def lock(self, name: str) -> None:
        """There is one writing transaction at a time, among all processes."""


class SqliteBackend:
    """One file: its writer, its readers, their inboxes."""

    def __init__(self, path: Path, timeout: float = TIMEOUT) -> None:
        self._path = path
        self.clock: Executable | None = None
        self.check: Callable[[Transaction], list[str]] | None = None
        self.reads, self.searches = (WorkQueue(kind, f"'{path}'", timeout) for kind in ("read", "question"))
        self.writes = WorkQueue("write", f"'{path}'", timeout, changes=True)
        with translate_errors(path):
            self._files = FileWatch(path, connect)
        connections: list[apsw.Connection] = []
        try:
            connections += [connect(path, read_only=True) for _ in range(READER_THREADS + SEARCH_THREADS)]
            connections += [connect(path), connect(path, read_only=True)]
        except StoreUnavailable:
            for connection in connections:
                connection.close()
            self._files.close()
            raise
        self._watch = connections.pop()
        jobs: list[tuple[Callable[..., None], tuple[Any, ...]]] = [(self.run_writer, (connections.pop(),))]
        jobs += [(self.run_reader, (connections.pop(), self.reads)) for _ in range(READER_THREADS)]
        jobs += [(self.run_reader, (connections.pop(), self.searches)) for _ in range(SEARCH_THREADS)]
        self._threads = [
            threading.Thread(target=target, args=given, name=f"sqlite-{target.__name__}", daemon=True)
            for target, given in jobs
        ]
        for thread in self._threads:
            thread.start()

    def data_version(self) -> int | None:
        try:
            return cast("int", self._watch.execute("PRAGMA data_version").get)
        except apsw.Error:
            return None

    @property
    def file_fault(self) -> FileFault | None:
        return self._files.fault

    async def close(self) -> None:
        await asyncio.to_thread(self._files.stop)
        self.writes.close(1)
        self.reads.close(READER_THREADS)
        self.searches.close(SEARCH_THREADS)
        await self.writes.join(self._threads)
        self._close(self._watch)
        self._files.close()

    def _close(self, connection: apsw.Connection) -> None:
        if self._files.check() is not None:
            disable_checkpoint_on_close(connection)
        connection.close()

    def run_reader(self, connection: apsw.Connection, inbox: WorkQueue) -> None:
        transaction = SqliteTransaction(connection)
        while (work := inbox.take()) is not None:
            if work.begin():
                fault = self._files.fault
                if fault is not None and not fault.is_readable:
                    work.error = StoreUnavailable(fault.message)
                elif not work.is_late:
                    with _time_limit(connection, work):
                        self._attempt(connection, transaction, work, begin="BEGIN")
                inbox.responsiveness.record_answer()
                resolve_futures([work])
            del work  # waiting for the next one must not keep this one's answer alive
        self._close(connection)

    def run_writer(self, connection: apsw.Connection) -> None:
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
        """What was committed is on disk only if the files were in place before and after."""
        if (fault := self._files.check()) is not None:
            for work in batch:
                work.error = StoreUnavailable(fault.message)
            return
        if len(batch) < 2 or not self._together(connection, transaction, batch):
            for work in batch:
                self._attempt(connection, transaction, work, begin="BEGIN IMMEDIATE")
        if (fault := self._files.check()) is not None:
            for work in batch:
                if work.error is None:
                    work.result, work.error = None, CommitUnknown(fault.message)

    def _attempt(
        self, connection: apsw.Connection, transaction: SqliteTransaction, work: QueuedWork, *, begin: str
    ) -> None:
        """One unit in a transaction of its own."""
        try:
            with translate_errors(self._path):
                connection.execute(begin)
                transaction.use_workshop(work.workshop)
                work.result = work.function(transaction)
                connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is its caller's to handle
            work.result, work.error = None, error
            _rollback(connection)

    def _together(self, connection: apsw.Connection, transaction: SqliteTransaction, batch: list[QueuedWork]) -> bool:
        """
        All units in one transaction, each in a savepoint, with one commit. False, with nothing done: SQLite gave up
        the whole transaction, as it may when the disk is full; each unit needs one of its own.
        """
        try:
            with translate_errors(self._path):
                connection.execute("BEGIN IMMEDIATE")
                for work in batch:
                    connection.execute("SAVEPOINT unit")
                    try:
                        with translate_errors(self._path):
                            transaction.use_workshop(work.workshop)
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
    Keeps the write-ahead log short, in place of SQLite's own way: that waits for no reader, and while there is always
    one the log grows for ever, and every reading with it. Called after each commit with the log's pages.
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
            # What was committed stands, and is read from the log; the disk's trouble meets the next write.
            pass
        return apsw.SQLITE_OK


@contextmanager
def _time_limit(connection: apsw.Connection, work: QueuedWork) -> Iterator[None]:
    """Lets SQLite break off what takes longer than the work may."""
    within = work.time_limit
    if within is None:
        yield
        return
    end = work.queued_at + within
    connection.set_progress_handler(lambda: time.monotonic() > end, PROGRESS_STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None)
    if work.error is not None and isinstance(work.error.__cause__, apsw.InterruptError):
        work.error = QueryTooBroad(within)


def _rollback(connection: apsw.Connection) -> None:
    """Never raises: its thread would end, and everybody who waits for it would wait for ever."""
    with suppress(apsw.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
