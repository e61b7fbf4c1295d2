"""
Detects when SQLite's open files are no longer those at their paths. SQLite continues with the open files: what it
commits is lost with the process. Source: sqlite.org/howtocorrupt.html, sections 1.4 and 2.4.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import apsw
import structlog

from planso_connector.domain.clock import now
from planso_connector.store.engine import file_system

log = structlog.get_logger(__name__)

CHECK_INTERVAL = 0.5
"""Seconds between two checks; a commit checks too, before and after."""

_HEAD, _LOG_HEADS = b"SQLite format 3\0", (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")

_Identity = tuple[int, int]

GONE = (
    "is no longer at its place: it or its folder was deleted, moved or unmounted. Before a restart, move it back, or "
    "save what it holds (docs/backup.md)"
)
REPLACED = (
    "was replaced by another file. Before a restart, put the first one back, or save what it holds (docs/backup.md)"
)
LOG_GONE = (
    "has lost its write-ahead log: `-wal` or `-shm` beside it was deleted, moved or replaced. What was accepted before "
    "is copied into the database; restart every connector on it"
)
OVERWRITTEN = (
    "was written to by another program than SQLite, such as `cp`. Stop the connector, and put a backup in its place "
    "with `planso-connector restore`"
)


@dataclass(frozen=True, slots=True)
class FileFault:
    """What happened to the database's files; `message` is for callers and operators."""

    cause: str
    message: str
    detected_at: datetime

    @property
    def is_readable(self) -> bool:
        """Whether the open files are still a consistent database, as it was when the path was lost."""
        return self.cause != OVERWRITTEN


class FileWatch:
    """Opens the first connection to the file and closes it last, so that its file descriptors stay valid."""

    def __init__(self, path: Path, connect: Callable[[Path], apsw.Connection]) -> None:
        """Raises StoreUnavailable."""
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` follows links: one may be turned elsewhere
        open_before = _descriptors()
        self._connection = connect(path)
        try:
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # opens the log
        except apsw.Error:
            self._connection.close()
            raise
        opened = _descriptors() - open_before
        real_path = os.path.realpath(path)
        self._log, self._index = Path(f"{real_path}-wal"), Path(f"{real_path}-shm")
        self._identities = {path: _identity(path) for path in (self._path, self._log, self._index)}
        self._file_descriptor = _find(opened, self._identities[self._path])
        self._log_descriptor = _find(opened, self._identities[self._log])
        # Shared by all connections of the process on this file.
        self._index_descriptor = _find(_descriptors(), self._identities[self._index])
        self.is_local = file_system.is_local(self._path)
        self._written: tuple[bytes, int] | None = None
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._is_rescued = self._is_closed = False
        self._needs_restart = False  # another log or content was in use for a while
        self.fault: FileFault | None = None
        self._thread = threading.Thread(target=self._run, name="sqlite-file-watch", daemon=True)
        self._thread.start()

    def check(self) -> FileFault | None:
        with self._lock:
            if self._is_closed:
                return self.fault
            cause, fault = self._look(), self.fault
            if fault is not None and fault.cause == OVERWRITTEN:
                return fault
            if cause is None and self._needs_restart:
                cause = LOG_GONE
            self._needs_restart = self._needs_restart or cause in (LOG_GONE, OVERWRITTEN)
            if cause is None:
                if fault is not None:
                    log.warning("database_file_back", path=str(self._path), noticed_at=fault.detected_at.isoformat())
                    self.fault, self._is_rescued = None, False
            elif fault is None or fault.cause != cause:
                noticed_at = now() if fault is None else fault.detected_at
                self.fault = FileFault(cause, self._words(cause, noticed_at), noticed_at)
                log.critical("database_file_lost", path=str(self._path), message=self.fault.message)
            return self.fault

    def stop(self) -> None:
        """End the thread; `check` still works."""
        self._ended.set()
        self._thread.join()

    def close(self) -> None:
        """Call when all other connections are closed."""
        self.stop()
        if self.check() is not None and not self._is_closed:
            self._rescue()
            disable_checkpoint_on_close(self._connection)
        self._is_closed = True
        self._connection.close()

    def _run(self) -> None:
        while not self._ended.wait(CHECK_INTERVAL):
            self.check()
            self._rescue()

    def _look(self) -> str | None:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - at each commit: half the time of Path.stat
        except OSError:
            return GONE
        if (status.st_dev, status.st_ino) != self._identities[self._path]:
            return REPLACED
        if any(_identity(place) != self._identities[place] for place in (self._log, self._index)):
            return LOG_GONE
        return OVERWRITTEN if self._is_overwritten() else None

    def _is_overwritten(self) -> bool:
        """
        In WAL mode SQLite writes to the database file at checkpoints only, and records each in the WAL index, before it
        starts (bytes 128 to 131) and when it is done (96 to 99). Source: sqlite.org/walformat.html, section 2.1.
        """
        head, log_head = _read(self._file_descriptor, 16, 0), _read(self._log_descriptor, 4, 0)
        if head not in (None, _HEAD) or log_head not in (None, b"", *_LOG_HEADS):
            return True
        if not self.is_local or self._file_descriptor is None:
            return False
        index = _read(self._index_descriptor, 136, 0)
        changed_at = os.fstat(self._file_descriptor).st_mtime_ns
        if index is None or index != _read(self._index_descriptor, 136, 0) or index[96:100] != index[128:132]:
            self._written = None  # undecidable: a checkpoint is running, or another process commits
            return False
        before, self._written = self._written, (index[32:40] + index[96:100], changed_at)
        return before is not None and before[0] == self._written[0] and before[1] != changed_at

    def _rescue(self) -> None:
        """
        Copy the log into the open file, wherever that is now, and empty it: then that file is complete, and the log is
        not replayed into another file that was put in its place.
        """
        fault = self.fault
        if fault is None or fault.cause == OVERWRITTEN:
            return
        if not self._is_rescued:
            try:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.Error as error:
                log.warning("database_file_not_rescued", error=type(error).__name__)
                return
            self._is_rescued = True
            log.warning("database_file_rescued", path=str(self._path))
        if fault.cause == REPLACED:
            for place in (self._log, self._index):
                if _identity(place) == self._identities[place]:
                    with suppress(OSError):
                        place.unlink()

    def _words(self, cause: str, noticed_at: datetime) -> str:
        return (
            f"The connector's database '{self._path}' {cause}. Noticed at {noticed_at:%Y-%m-%dT%H:%M:%SZ}; nothing is "
            "accepted since."
        )


def disable_checkpoint_on_close(connection: apsw.Connection) -> None:
    """Keep `close` from writing to the database and from deleting a log by its name, which may be another's."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


def _identity(place: Path) -> _Identity | None:
    try:
        status = os.stat(place)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _descriptors() -> set[int]:
    """The process's open file descriptors; empty if the system doesn't list them."""
    found = set()
    with suppress(OSError):
        for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
            with suppress(OSError):  # the listing's own is closed by now
                os.fstat(number)
                found.add(number)
    return found


def _find(numbers: set[int], identity: _Identity | None) -> int | None:
    """
    SQLite's own descriptor of the file: opening and closing the file again would drop SQLite's locks on it. Source:
    sqlite.org/howtocorrupt.html, section 2.2.
    """
    for number in sorted(numbers):
        with suppress(OSError):
            status = os.fstat(number)
            if (status.st_dev, status.st_ino) == identity:
                return number
    return None


def _read(number: int | None, length: int, offset: int) -> bytes | None:
    """None if it can't be read."""
    if number is None:
        return None
    try:
        return os.pread(number, length, offset)
    except OSError:
        return None
