"""
Back up a SQLite file while it is in use, verify backups, and restore them. PostgreSQL has its own tools for that.

A backup is a complete SQLite file without a write-ahead log.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import apsw

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine import sqlite
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.maintenance import after_restore, migrate
from planso_connector.store.maintenance.after_restore import PreviousDatabase, RestoreMarks

LOCK_TIMEOUT = 1000
"""Milliseconds that a restore waits for others to close the database."""


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A backup that was read completely; `rows` by table."""

    revision: str
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """`previous_database`: where the replaced database was moved, None if there was none."""

    backup: VerifiedBackup
    previous_database: Path | None
    marks: RestoreMarks


def copy_database(path: Path, target: Path) -> VerifiedBackup:
    """
    Copy the database as it is at this instant, while others read and write it. `target` exists once it is complete,
    verified and on disk, or not at all; only its owner may read it. Raises StoreUnavailable.
    """
    if not path.exists():
        raise StoreUnavailable(f"There is no database '{path}' to back up.")
    if target.exists():
        raise StoreUnavailable(f"'{target}' is there already; accepted: the name of a new file.")
    with _unfinished(target) as unfinished, closing(sqlite.connect(path, read_only=True)) as source:
        with sqlite.translate_errors(path):
            source.execute("BEGIN")
            rows = _count_rows(source)  # the first read fixes the snapshot, which is what is copied
        _copy_pages(source, unfinished)
        found = verify(unfinished)
        if found.rows != rows:
            raise StoreUnavailable(f"The copy of '{path}' is not what was copied; nothing was kept.")
        _put(unfinished, target)
    return found


def verify(path: Path) -> VerifiedBackup:
    """
    Read the whole file: its pages, indexes and foreign keys, and whether this version of the connector knows its
    revision. Raises StoreUnavailable.
    """
    if not path.is_file():
        raise StoreUnavailable(f"There is no file '{path}'.")
    with sqlite.translate_errors(path), closing(_read_only(path)) as connection:
        revision = migrate.check_version(migrate.sqlite_version(connection))
        if revision is None:
            raise StoreUnavailable(f"'{path}' is not a database of the connector.")
        faults = connection.execute("PRAGMA integrity_check(1)").fetchall()
        orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        if faults != [("ok",)] or orphans:
            raise StoreUnavailable(f"'{path}' is damaged; restore another backup.")
        return VerifiedBackup(revision, _count_rows(connection))


def restore(backup: Path, path: Path, now: datetime) -> RestoreResult:
    """
    Replace the database by the backup, migrated and marked as restored, in one transaction: a crash leaves the one or
    the other. Raises StoreUnavailable, with nothing changed, if anybody has the database open, or the backup is damaged
    or of a newer version.
    """
    found = verify(backup)
    _move_if_no_database(path, now)
    existed = path.exists() and path.stat().st_size > 0
    if not existed:
        path.touch(mode=0o600)
    with _open_exclusively(path) as live, _unfinished(path) as prepared:
        with sqlite.translate_errors(backup), closing(_read_only(backup)) as source:
            _copy_pages(source, prepared)
        migrate.migrate_file(prepared)
        marks = _mark(prepared, now, _read_previous(live, path) if existed else None)
        verify(prepared)
        previous = _previous_path(path, now) if existed else None
        if previous is not None:
            with _unfinished(previous) as unfinished:
                _copy_pages(live, unfinished)
                _put(unfinished, previous)
        with closing(_read_only(prepared)) as source, live.backup("main", source, "main") as pages:
            pages.step()
    return RestoreResult(found, previous, marks)


def mark_restored(path: Path, now: datetime) -> RestoreMarks:
    """
    Mark a database that was put back by other means, like `restore` without a previous database. Raises
    StoreUnavailable as it does.
    """
    if not path.exists():
        raise StoreUnavailable(f"There is no database '{path}'.")
    with _open_exclusively(path):
        pass
    migrate.migrate_file(path)
    return _mark(path, now)


@contextmanager
def _open_exclusively(path: Path) -> Iterator[apsw.Connection]:
    """
    Open the only connection to the file. Every connection in WAL mode holds a lock on it while open, so that an idle
    connector is noticed too.
    """
    with sqlite.translate_errors(path), closing(apsw.Connection(str(path))) as connection:
        connection.set_busy_timeout(LOCK_TIMEOUT)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            _leave_wal(connection)
            connection.execute("BEGIN EXCLUSIVE; COMMIT")
        except (apsw.BusyError, apsw.LockedError) as error:
            raise StoreUnavailable(
                f"Another program has the database '{path}' open, a connector by all appearance; stop it first."
            ) from error
        connection.execute("PRAGMA synchronous = FULL")
        yield connection


def _mark(path: Path, now: datetime, previous: PreviousDatabase | None = None) -> RestoreMarks:
    with closing(sqlite.connect(path)) as connection, sqlite.translate_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        marks = after_restore.mark_restored(sqlite.SqliteTransaction(connection), now, previous)
        connection.execute("COMMIT")
        if marks.erasures:
            connection.execute("VACUUM")
        _leave_wal(connection)
    return marks


def _read_previous(live: apsw.Connection, path: Path) -> PreviousDatabase:
    """What the database still tells, migrated first if its version is older; nothing of what is damaged."""
    try:
        if migrate.sqlite_version(live).revision == migrate.head_revision():
            return _read_tables(live)
        with _unfinished(path) as copy:
            _copy_pages(live, copy)
            migrate.migrate_file(copy)
            with closing(sqlite.connect(copy)) as connection:
                return _read_tables(connection)
    except (apsw.Error, StoreUnavailable):
        return PreviousDatabase()


def _read_tables(connection: apsw.Connection) -> PreviousDatabase:
    def read(rows: Callable[[Transaction], list[Row]]) -> list[Row]:
        try:
            return rows(sqlite.SqliteTransaction(connection))
        except apsw.Error:
            return []

    reads = after_restore.list_api_keys, after_restore.list_write_stops, after_restore.list_erasures
    return PreviousDatabase(*map(read, reads))


def _move_if_no_database(path: Path, now: datetime) -> None:
    """Move what is no SQLite database away: it can be neither locked nor copied, and nobody can be using it."""
    if not path.exists():
        return
    try:
        with closing(_read_only(path)) as connection:
            connection.execute("PRAGMA schema_version").fetchall()
    except apsw.NotADBError:
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{path}{suffix}").rename(f"{_previous_path(path, now)}{suffix}")
    except apsw.Error:
        return  # locking it will say what is wrong


def _previous_path(path: Path, now: datetime) -> Path:
    return path.with_name(f"{path.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """An empty file beside `target` that only its owner may read; deleted at the end unless it was moved."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.unfinished")
    try:
        path.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise StoreUnavailable(f"'{target}' can't be written: {error.strerror}.") from error
    try:
        yield path
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def _put(unfinished: Path, target: Path) -> None:
    for path in (unfinished, target.parent):
        _flush(path)
    unfinished.replace(target)
    _flush(target.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_pages(source: apsw.Connection, target: Path) -> None:
    """In one step: a copy that pauses starts over each time that somebody writes."""
    with sqlite.translate_errors(target), closing(apsw.Connection(str(target))) as connection:
        with connection.backup("main", source, "main") as pages:
            pages.step()
        _leave_wal(connection)


def _leave_wal(connection: apsw.Connection) -> None:
    # With `writable_schema` it works even if the schema can't be read: a damaged database is moved away too.
    connection.execute("PRAGMA writable_schema = ON; PRAGMA journal_mode = DELETE")


def _read_only(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(sqlite.BUSY_TIMEOUT)
    return connection


def _count_rows(connection: apsw.Connection) -> dict[str, int]:
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    return {
        str(name): int(str(connection.execute(f'SELECT count(*) FROM "{name}"').get))  # noqa: S608 - of the schema
        for (name,) in names
    }
