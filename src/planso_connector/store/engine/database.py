"""The database: units of work, each in one transaction, run off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from sqlalchemy import Executable, make_url
from sqlalchemy.exc import ArgumentError

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine.file_watch import FileFault
from planso_connector.store.engine.sqlite import SqliteBackend
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.engine.work_queue import TIMEOUT, WorkQueue

if TYPE_CHECKING:
    from planso_connector.store.engine.postgresql_url import PostgresqlUrl

__all__ = ["Database", "Row", "Transaction", "parse_database_url"]

T = TypeVar("T")

MAX_CONNECTIONS = 13
"""Connections to PostgreSQL at most, unless the operator sets another number."""


class _Backend(Protocol):
    reads: WorkQueue
    searches: WorkQueue
    writes: WorkQueue
    clock: Executable | None
    """The statement that asks for the server's `epoch`, in seconds; None where there is no server."""
    check: Callable[[Transaction], list[str]] | None
    """Tells what the operator should look at about the server."""

    @property
    def file_fault(self) -> FileFault | None: ...

    def data_version(self) -> int | None: ...

    async def close(self) -> None: ...


def parse_database_url(url: str) -> Path | PostgresqlUrl:
    """The file of a SQLite URL, or a PostgreSQL URL taken apart. Raises StoreUnavailable, without showing the URL."""
    scheme = url.partition("://")[0]
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        from planso_connector.store.engine.postgresql_url import parse  # here: psycopg loads libpq

        return parse(url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreUnavailable("The database URL can't be read; accepted: sqlite:///FILE, postgresql://...") from error
    kind = parsed.get_backend_name()
    if kind != "sqlite":
        raise StoreUnavailable(f"'{kind}' databases are not supported; accepted: sqlite:///FILE, postgresql://...")
    if not parsed.database or parsed.database.startswith((":memory:", "file:")):
        raise StoreUnavailable("A SQLite database needs a file: sqlite:///connector.db, or sqlite:////srv/x.db")
    return Path(parsed.database)


class Database:
    """
    Lives as long as the process. A unit of work is a plain function of a transaction: it awaits nothing, so no
    transaction is ever open across the network. It may be run more than once, so it touches nothing but the database.

    Both verbs raise StoreUnavailable when the database can't do it, and whatever the unit itself raises. Where it does
    not answer: StoreSilent after the time-out, or CommitUnknown where it may have committed.
    """

    def __init__(self, backend: _Backend, workshop: str | None = None) -> None:
        self._backend = backend
        self.workshop = workshop
        """Whose rows its transactions read and write; None: those of all, for what concerns the database as a whole."""

    def for_workshop(self, name: str) -> Database:
        """The same database, with transactions of this workshop alone. Only the whole is closed."""
        return Database(self._backend, name)

    @classmethod
    def open(cls, url: str, timeout: float = TIMEOUT, connections: int = MAX_CONNECTIONS) -> Database:
        """
        `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user:password@host/name`; `migrate` made
        its tables. `timeout`: seconds that it may take for a unit of work. PostgreSQL is connected to when it is first
        needed, at most `connections` times. Raises StoreUnavailable.
        """
        where = parse_database_url(url)
        if isinstance(where, Path):
            return cls(SqliteBackend(where, timeout))
        from planso_connector.store.engine.postgresql import PostgresqlBackend  # here: psycopg loads libpq

        return cls(PostgresqlBackend(where, connections, timeout))

    async def read(self, work: Callable[[Transaction], T], *, within: float | None = None) -> T:
        """
        What `work` returns, which sees one snapshot and can't write. With `within` it is somebody's question that may
        take long: it has threads of its own, so that it holds up nothing else, and raises TooBroad where it is not done
        within so many seconds, StoreUnavailable where it was not even begun by then.
        """
        inbox = self._backend.reads if within is None else self._backend.searches
        return cast("T", await inbox.run(work, within, workshop=self.workshop))

    async def read_with_priority(self, work: Callable[[Transaction], T], seconds: float) -> T:
        """As `read`, before all that waits; StoreSilent after so many seconds."""
        return cast("T", await self._backend.reads.run(work, workshop=self.workshop, at_once=seconds))

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """What `work` returns, once its transaction is committed; when it raises, nothing of it stays."""
        return cast("T", await self._backend.writes.run(work, workshop=self.workshop))

    async def write_with_priority(self, work: Callable[[Transaction], T], seconds: float) -> T:
        """As `write`, before all that waits; StoreSilent or CommitUnknown after so many seconds."""
        return cast("T", await self._backend.writes.run(work, workshop=self.workshop, at_once=seconds))

    @property
    def seconds_silent(self) -> float | None:
        """Seconds since a read or write was answered last, where one asked since then got no answer in its time."""
        found = (self._backend.reads.responsiveness.silent_since, self._backend.writes.responsiveness.silent_since)
        return max((monotonic() - since for since in found if since is not None), default=None)

    @property
    def max_wait(self) -> float:
        """Seconds that a read or a write takes at most, also while the database is silent."""
        return self._backend.writes.max_wait

    @property
    def timeouts(self) -> dict[str, int]:
        """Units of work that were given up because it did not answer, by kind."""
        backend = self._backend
        reads = backend.reads.responsiveness.timeouts + backend.searches.responsiveness.timeouts
        return {"read": reads, "write": backend.writes.responsiveness.timeouts}

    def data_version(self) -> int | None:
        """
        A number that is another one after each commit, whoever made it; None where the database can't tell it at once.
        What was read after a mark was taken is as it is now while the mark is the same.
        """
        return self._backend.data_version()

    @property
    def file_fault(self) -> FileFault | None:
        """What keeps the database from accepting anything until a person does something; None for a server's."""
        return self._backend.file_fault

    @property
    def queued_reads(self) -> int:
        """Reads that no thread has taken yet."""
        return self._backend.reads.length + self._backend.searches.length

    @property
    def queue_lengths(self) -> dict[str, int]:
        """Units of work that no thread has taken yet, by kind."""
        return {"read": self.queued_reads, "write": self._backend.writes.length}

    async def measure_clock(self, steady: Callable[[], float]) -> tuple[datetime, float, float] | None:
        """
        The instant by the database server's clock, what `steady` gave then, and by how many seconds that may be wrong.
        None where the database has no clock of its own.
        """
        statement = self._backend.clock
        if statement is None:
            return None

        def work(tx: Transaction) -> tuple[datetime, float, float]:
            before = steady()
            epoch = tx.fetch_all(statement)[0]["epoch"]
            half = (steady() - before) / 2
            return datetime.fromtimestamp(float(epoch), UTC), before + half, half

        return await self.read(work)

    def stop_waiting_after(self, seconds: float) -> None:
        """From then on nobody waits for the database any more: the process is to end whether it answers or not."""
        for inbox in (self._backend.reads, self._backend.searches, self._backend.writes):
            inbox.stop_waiting_after(seconds)

    async def check_server(self) -> list[str]:
        """What an operator should look at about the database server, in words; the connector works all the same."""
        check = self._backend.check
        return [] if check is None else await self.read(check)

    async def close(self) -> None:
        """Finishes the work that waits, then lets go of the database; a database that is silent is not waited for."""
        await self._backend.close()
