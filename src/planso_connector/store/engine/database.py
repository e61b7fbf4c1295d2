"""The database: runs units of work, each in one transaction, off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, TypeVar, cast

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine.backend import Backend, Listener
from planso_connector.store.engine.file_watch import FileFault
from planso_connector.store.engine.immediate_reads import ReadLater
from planso_connector.store.engine.sqlite import SqliteBackend
from planso_connector.store.engine.transaction import Row, Transaction, check_workshop_name
from planso_connector.store.engine.work_queue import TIMEOUT

if TYPE_CHECKING:
    from planso_connector.store.engine.postgresql_url import PostgresqlUrl

__all__ = ["Database", "ReadLater", "Row", "Transaction", "parse_database_url"]

T = TypeVar("T")

MAX_CONNECTIONS = 13
"""Connections to PostgreSQL at most, unless CONNECTOR_DATABASE_CONNECTIONS sets another number."""


def parse_database_url(url: str) -> Path | PostgresqlUrl:
    """The file of a SQLite URL, or the parts of a PostgreSQL URL. Raises StoreUnavailable, without showing the URL."""
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
    Runs units of work: plain functions of a transaction. They await nothing, so no transaction is open during network
    calls. One may run more than once, so it has no effects but on the database.

    Raises StoreUnavailable if the database can't do it, StoreTimeout if it does not answer in time, CommitUnknown if it
    may have committed all the same, and whatever the unit itself raises.
    """

    def __init__(self, backend: Backend, workshop: str | None = None) -> None:
        self._backend = backend
        self.workshop = workshop
        """Whose rows its transactions read and write; None: those of all, for work on the database as a whole."""

    def for_workshop(self, name: str) -> Database:
        """
        The same database, with transactions of this workshop alone. Close only the original. Raises ValueError for a
        name that no workshop can have.
        """
        return Database(self._backend, check_workshop_name(name))

    def for_installation(self) -> Database:
        """The same database, with transactions of the rows of all workshops. Close only the original."""
        return Database(self._backend)

    @classmethod
    def open(cls, url: str, timeout: float = TIMEOUT, connections: int = MAX_CONNECTIONS) -> Database:
        """
        Open `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user:password@host/name`, whose tables
        `migrate` made. `timeout`: seconds for a unit of work. PostgreSQL is connected to when first needed, at most
        `connections` times. Raises StoreUnavailable.
        """
        where = parse_database_url(url)
        if isinstance(where, Path):
            return cls(SqliteBackend(where, timeout))
        from planso_connector.store.engine.postgresql import PostgresqlBackend  # here: psycopg loads libpq

        return cls(PostgresqlBackend(where, connections, timeout))

    async def read(
        self, work: Callable[[Transaction], T], *, within: float | None = None, max_steps: int | None = None
    ) -> T:
        """
        Return what `work` returns; it sees one snapshot and can't write. With `within`, a search that may take so many
        seconds: it has threads of its own, and raises QueryTooBroad if it takes longer, StoreUnavailable if it was not
        begun by then. `max_steps` bounds it by SQLite's instructions too, so that it costs the same on any machine.
        """
        queue = self._backend.reads if within is None else self._backend.searches
        return cast("T", await queue.run(work, within, workshop=self.workshop, max_steps=max_steps))

    def read_now(self, work: Callable[[Transaction], T]) -> T:
        """
        As `read`, at once on the calling thread, for work by key or by index: well below a millisecond. Raises
        ReadLater where it would take longer, or would have to wait.
        """
        return self._backend.read_now(work, self.workshop)

    async def read_briefly(self, work: Callable[[Transaction], T]) -> T:
        """As `read_now`, else as `read`."""
        try:
            return self.read_now(work)
        except ReadLater:
            return await self.read(work)

    async def read_with_priority(self, work: Callable[[Transaction], T], seconds: float) -> T:
        """As `read`, before all work that waits; StoreTimeout after `seconds`."""
        return cast("T", await self._backend.reads.run(work, workshop=self.workshop, priority_timeout=seconds))

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Return what `work` returns, once it is committed; if it raises, nothing of it stays."""
        return cast("T", await self._backend.writes.run(work, workshop=self.workshop))

    async def write_with_priority(self, work: Callable[[Transaction], T], seconds: float) -> T:
        """As `write`, before all work that waits; StoreTimeout or CommitUnknown after `seconds`."""
        return cast("T", await self._backend.writes.run(work, workshop=self.workshop, priority_timeout=seconds))

    @property
    def seconds_silent(self) -> float | None:
        """Seconds since the last answer to a read or a write, if a later one got none in its time; else None."""
        queues = self._backend.reads, self._backend.writes
        silent_since = [since for queue in queues if (since := queue.responsiveness.silent_since) is not None]
        return max((monotonic() - since for since in silent_since), default=None)

    @property
    def max_wait(self) -> float:
        """Seconds that a read or a write takes at most, also while the database is silent."""
        return self._backend.writes.max_wait

    @property
    def timeouts(self) -> dict[str, int]:
        """Units of work that got no answer in time, by kind."""
        reads, searches, writes = (queue.responsiveness.timeouts for queue in self._backend.queues)
        return {"read": reads + searches, "write": writes}

    def data_version(self) -> int | None:
        """
        A number that changes with each commit, whoever makes it; None if the database can't tell at once. As long as it
        is the same, what was read since it was taken is current.
        """
        return self._backend.data_version()

    def listen(self) -> AbstractAsyncContextManager[Listener] | None:
        """
        Open a connection of its own that receives the messages of `Transaction.notify`; None for a database that sends
        none. Raises StoreUnavailable, also where it is known that messages would not arrive. Whether they do has to be
        tried: a pooler may swallow them.
        """
        return self._backend.listen()

    @property
    def file_fault(self) -> FileFault | None:
        """What keeps the database from accepting anything until a person acts; None for a server's."""
        return self._backend.file_fault

    @property
    def is_server(self) -> bool:
        """Whether the database is another process, which may have standbys."""
        return self._backend.clock is not None

    @property
    def seconds_since_disk_full(self) -> float | None:
        """Seconds since a server last refused a write because its disk is full; None: never."""
        disk_full_at = self._backend.disk_full_at
        return None if disk_full_at is None else monotonic() - disk_full_at

    @property
    def queued_reads(self) -> int:
        return self._backend.reads.length + self._backend.searches.length

    @property
    def queue_lengths(self) -> dict[str, int]:
        """Units of work that no thread has taken yet, by kind."""
        return {"read": self.queued_reads, "write": self._backend.writes.length}

    async def measure_clock(self, steady: Callable[[], float]) -> tuple[datetime, float, float] | None:
        """
        The instant by the database server's clock, the value of `steady` at that instant, and by how many seconds that
        may be wrong. None if the database has no clock of its own.
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
        """After so many seconds nobody waits for the database any more: the process ends whether it answers or not."""
        for queue in self._backend.queues:
            queue.stop_waiting_after(seconds)

    async def check_server(self) -> list[str]:
        """What an operator should change about the database server; the connector works all the same."""
        check = self._backend.check
        return [] if check is None else await self.read(check)

    async def close(self) -> None:
        """Finish the work that waits, then close the database; a silent one is not waited for."""
        await self._backend.close()
