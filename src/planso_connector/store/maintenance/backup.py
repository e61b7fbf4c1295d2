"""
Backups of a SQLite file: copied while it is in use, verified, and put back. PostgreSQL brings its own tools for that.

A backup is a plain SQLite file, whole in itself: no write-ahead log belongs to it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import apsw

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine import sqlite
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.maintenance import after_restore, migrate
from planso_connector.store.maintenance.after_restore import RestoreMarks

LOCK_TIMEOUT = 1000
"""Milliseconds for which a restore waits for others to let go of the database."""


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A backup that was read from its first page to its last. `rows`: how many each table has."""

    revision: str
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """
    `aside` is where the database of before went, None where there was none; `erased` counts the erasures that were made
    after the backup, and made again.
    """

    backup: VerifiedBackup
    previous_database: Path | None
    marks: RestoreMarks
    repeated_erasures: int


def copy_database(path: Path, target: Path) -> VerifiedBackup:
    """
    Copies the database as it stands in this instant, while others read and write it. `target` is there when it is
    whole, verified and on disk, or not at all; only its owner may read it. Raises StoreUnavailable.
    """
    if not path.exists():
        raise StoreUnavailable(f"There is no database '{path}' to back up.")
    if target.exists():
        raise StoreUnavailable(f"'{target}' is there already; accepted: the name of a new file.")
    with _unfinished(target) as unfinished, closing(sqlite.connect(path, read_only=True)) as source:
        with sqlite.translate_errors(path):
            source.execute("BEGIN")
            rows = _rows(source)  # the first reading fixes what the transaction sees, and the copy shows just that
        _copy_pages(source, unfinished)
        found = verify(unfinished)
        if found.rows != rows:
            raise StoreUnavailable(f"The copy of '{path}' is not what was copied; nothing was kept.")
        _put(unfinished, target)
    return found


def verify(path: Path) -> VerifiedBackup:
    """
    Reads the file whole: its pages, its indexes, what refers to what, and whether this version of the connector knows
    its tables. Raises StoreUnavailable.
    """
    if not path.is_file():
        raise StoreUnavailable(f"There is no file '{path}'.")
    with sqlite.translate_errors(path), closing(_read_only(path)) as connection:
        revision = migrate.check_revision(migrate.sqlite_revision(connection))
        if revision is None:
            raise StoreUnavailable(f"'{path}' is not a database of the connector.")
        faults = connection.execute("PRAGMA integrity_check(1)").fetchall()
        orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        if faults != [("ok",)] or orphans:
            raise StoreUnavailable(f"'{path}' is damaged; restore another backup.")
        return VerifiedBackup(revision, _rows(connection))


def restore(backup: Path, path: Path, now: datetime) -> RestoreResult:
    """
    Puts the backup in the place of the database, brought up to date and marked as restored, in one transaction: a
    crash leaves the one or the other. Raises StoreUnavailable, with nothing changed, where anybody has the database
    open, or the backup is damaged or of a newer version.
    """
    found = verify(backup)
    _set_aside_what_is_no_database(path, now)
    was_there = path.exists() and path.stat().st_size > 0
    if not was_there:
        path.touch(mode=0o600)
    with _alone(path) as live, _unfinished(path) as prepared:
        with sqlite.translate_errors(backup), closing(_read_only(backup)) as source:
            _copy_pages(source, prepared)
        migrate.migrate_file(prepared)
        erased = _erase_again(live, prepared, now) if was_there else 0
        marked = _mark(
            prepared, now, _known(live, after_restore.list_api_keys), _known(live, after_restore.list_write_stops)
        )
        verify(prepared)
        aside = _aside(path, now) if was_there else None
        if aside is not None:
            with _unfinished(aside) as unfinished:
                _copy_pages(live, unfinished)
                _put(unfinished, aside)
        with closing(_read_only(prepared)) as source, live.backup("main", source, "main") as pages:
            pages.step()
    return RestoreResult(found, aside, marked, erased)


def mark_restored(path: Path, now: datetime) -> RestoreMarks:
    """
    A database that was put back by other means: marked as `restore` does where there was none before. Raises
    StoreUnavailable as it does.
    """
    if not path.exists():
        raise StoreUnavailable(f"There is no database '{path}'.")
    with _alone(path):
        pass
    migrate.migrate_file(path)
    return _mark(path, now)


@contextmanager
def _alone(path: Path) -> Iterator[apsw.Connection]:
    """
    A connection that nobody else can have one beside, until it is closed. Every connection in WAL mode holds a lock on
    the file for as long as it is open, so that a connector that has nothing to do is noticed too.
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


def _mark(path: Path, now: datetime, live_keys: Sequence[Row] = (), live_stops: Sequence[Row] = ()) -> RestoreMarks:
    with closing(sqlite.connect(path)) as connection, sqlite.translate_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        marked = after_restore.mark_restored(sqlite.SqliteTransaction(connection), now, live_keys, live_stops)
        connection.execute("COMMIT")
        _leave_wal(connection)
    return marked


def _erase_again(live: apsw.Connection, prepared: Path, now: datetime) -> int:
    protocol = _known(live, after_restore.list_erasures)
    with closing(sqlite.connect(prepared)) as connection, sqlite.translate_errors(prepared):
        connection.execute("BEGIN IMMEDIATE")
        erased = after_restore.repeat_erasures(sqlite.SqliteTransaction(connection), protocol, now)
        connection.execute("COMMIT")
        if erased:
            connection.execute("VACUUM")
        _leave_wal(connection)
    return erased


def _known(live: apsw.Connection, rows: Callable[[Transaction], list[Row]]) -> list[Row]:
    """None of a database that is new, of an older version, or damaged."""
    try:
        return rows(sqlite.SqliteTransaction(live))
    except apsw.Error:
        return []


def _set_aside_what_is_no_database(path: Path, now: datetime) -> None:
    """What SQLite does not know for a database can be neither locked nor copied, and nobody can be using it."""
    if not path.exists():
        return
    try:
        with closing(_read_only(path)) as connection:
            connection.execute("PRAGMA schema_version").fetchall()
    except apsw.NotADBError:
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{path}{suffix}").rename(f"{_aside(path, now)}{suffix}")
    except apsw.Error:
        return  # what else it is, is told when it is locked


def _aside(path: Path, now: datetime) -> Path:
    return path.with_name(f"{path.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """An empty file beside `target` that only its owner may read; gone at the end, unless it took its place."""
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
    for place in (unfinished, target.parent):
        _flush(place)
    unfinished.replace(target)
    _flush(target.parent)


def _flush(place: Path) -> None:
    number = os.open(place, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _copy_pages(source: apsw.Connection, target: Path) -> None:
    """In one go: a copy that pauses begins anew each time that somebody writes."""
    with sqlite.translate_errors(target), closing(apsw.Connection(str(target))) as connection:
        with connection.backup("main", source, "main") as pages:
            pages.step()
        _leave_wal(connection)


def _leave_wal(connection: apsw.Connection) -> None:
    # `writable_schema`, so that it also goes where the schema can't be read: what is damaged is set aside too.
    connection.execute("PRAGMA writable_schema = ON; PRAGMA journal_mode = DELETE")


def _read_only(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(sqlite.BUSY_TIMEOUT)
    return connection


def _rows(connection: apsw.Connection) -> dict[str, int]:
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    return {
        str(name): int(str(connection.execute(f'SELECT count(*) FROM "{name}"').get))  # noqa: S608 - of the schema
        for (name,) in names
    }
