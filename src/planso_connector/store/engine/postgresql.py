"""PostgreSQL, through psycopg: threads that take a connection for each unit of work, a new one where it was lost."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, cast

import psycopg
from psycopg import errors
from psycopg.rows import dict_row
from sqlalchemy import Double, Executable, func, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from planso_connector.domain.errors import CommitUnknown, QueryTooBroad, StoreTimeout, StoreUnavailable
from planso_connector.store.engine.postgresql_check import check_server
from planso_connector.store.engine.postgresql_pool import (
    ConnectionPool,
    ConnectionUse,
    ResponseTimeout,
    TimeoutConnection,
)
from planso_connector.store.engine.postgresql_url import PostgresqlUrl
from planso_connector.store.engine.transaction import NoWorkshop, Row, StatementCache, Transaction, workshop_parameters
from planso_connector.store.engine.work_queue import (
    LEEWAY,
    TIMEOUT,
    QueuedWork,
    Responsiveness,
    WorkQueue,
    resolve_futures,
)

NETWORK_PARAMETERS = {
    "connect_timeout": "5",
    "keepalives_idle": "20",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""
libpq's parameters, where the URL has none: seconds, the last in milliseconds. By itself Linux tells of a peer that is
gone after two hours where nothing was sent, and after a quarter of an hour where something was.
"""
MAINTENANCE_TIMEOUT = 3600.0
"""Seconds for a statement that may go through all that is held: an index over a large table takes minutes."""
PROBE_TIMEOUT = 2.0
"""Seconds for BEGIN, ROLLBACK, a reading's COMMIT, for which a server does nothing: who takes longer is not there."""

READER_THREADS, SEARCH_THREADS = 2, 3
"""Threads for short readings, and for questions that may take seconds."""
WRITER_THREADS = 8
"""Threads that write at once: PostgreSQL lets those share a commit's flush."""
BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
BEGIN_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_ON_DISK = "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
"""A write that was answered as recorded is on disk, also where somebody wanted this role to be quick."""
APPLICATION_NAME = "planso-connector"
"""The connections' `application_name`, unless the URL gives another."""
PREPARE_THRESHOLD, PREPARED_MAX = 5, 500
"""How often a statement is run until it is prepared, which halves what a short one costs; how many are kept."""
LOCK_TIMEOUT, LOCK_TIMEOUT_SHARE = 5.0, 0.8
"""Seconds that a lock is waited for, and how much of a question's time: a locked table is not a long question."""
_BOUNDS = "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)"
LIMIT_REFRESH = 0.1
"""Seconds that may have passed of a question's time until a further statement is told how much is left."""
MAX_ATTEMPTS = 5
"""How often a unit is run that PostgreSQL gave up for another's sake (a deadlock) or whose connection was lost."""

_UNAVAILABLE: tuple[tuple[type[psycopg.Error] | tuple[type[psycopg.Error], ...], str], ...] = (
    (errors.DiskFull, "its disk is full"),
    (errors.OutOfMemory, "it has no memory left"),
    (errors.TooManyConnections, "it has too many connections already"),
    (errors.LockNotAvailable, "another program holds a lock and did not finish in time"),
    (errors.QueryCanceled, "a statement took too long, or was cancelled"),
    (
        errors.ReadOnlySqlTransaction,
        "it is read-only, as a standby is: name the server that takes writes, or each of them",
    ),
    ((errors.InvalidPassword, errors.InvalidAuthorizationSpecification), "it rejects the user name or the password"),
    (errors.InvalidCatalogName, "there is no such database on this server"),
    ((errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow), "it is shutting down or starting up"),
    ((errors.DeadlockDetected, errors.SerializationFailure), "other writes stand in the way again and again"),
    (errors.ProtocolViolation, "the pooler before it has no connection for this in time"),
    ((errors.DataCorrupted, errors.IndexCorrupted), "it is damaged"),
)
_SILENT = "it has not answered in time"
_UNREACHED = "it can't be reached, or does not let this user into this database, or has no connection left"
"""libpq keeps the server's reason for a refused connection to itself, but for a text in the server's language."""
_MISSING = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.UndefinedObject,
    errors.InvalidSchemaName,
)
_OURS = (
    psycopg.OperationalError,
    psycopg.InternalError,
    psycopg.InterfaceError,
    errors.InsufficientPrivilege,
    *_MISSING,
)


@contextmanager
def translate_errors(url: PostgresqlUrl, *, told: bool = False) -> Iterator[None]:
    """
    Turns what the database can't do into StoreUnavailable; errors of the program pass. `told`: with what the server
    says itself, for operators.
    """
    try:
        yield
    except (ResponseTimeout, errors.ConnectionTimeout) as error:
        raise StoreTimeout(f"The connector's database ({url.location}) can't be used: {_SILENT}.") from error
    except _OURS as error:
        reason = next((reason for kind, reason in _UNAVAILABLE if isinstance(error, kind)), None)
        if reason is None and isinstance(error, errors.InsufficientPrivilege):
            reason = "this user may not do that"
        if isinstance(error, _MISSING):  # the connector's own statements: somebody renamed or dropped it
            reason = f"what the connector made there is missing ({error.diag.message_primary}): put it back"
        if reason is None:
            reason = _UNREACHED if error.sqlstate is None else f"it reports {type(error).__name__}"
        if told:
            reason = f"{reason}. It says: {_in_one_line(error, url)}"
        raise StoreUnavailable(f"The connector's database ({url.location}) can't be used: {reason}.") from error


def _in_one_line(error: psycopg.Error, url: PostgresqlUrl) -> str:
    line = " ".join(str(error).split())
    for secret in url.secrets:
        line = line.replace(secret, "***")
    return line.rstrip(".?")[:1000]


def connect(url: PostgresqlUrl) -> TimeoutConnection:
    """
    A connection outside of any transaction. Raises psycopg's errors; StoreUnavailable where no connection to this
    database could be used.
    """
    given = {
        **NETWORK_PARAMETERS,
        "fallback_application_name": APPLICATION_NAME,
        **({"target_session_attrs": "primary"} if url.has_several_hosts else {}),
        **url.parameters,
        "client_encoding": "UTF8",
    }
    try:
        connection = TimeoutConnection.connect(
            "", **cast("Any", given), row_factory=cast("Any", dict_row), autocommit=True
        )
    except psycopg.ProgrammingError as error:
        raise StoreUnavailable(f"The database URL can't be used: {_in_one_line(error, url)}.") from None
    try:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StoreUnavailable(
                f"The connector's database ({url.location}) can't be used: its encoding is {encoding}, which can't hold "
                "every text. Make one with UTF8: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0."
            )
        connection.prepare_threshold = None if has_pooler(connection) else PREPARE_THRESHOLD
        connection.prepared_max = PREPARED_MAX
    except BaseException:
        connection.close()
        raise
    return connection


def has_pooler(connection: psycopg.Connection[Any]) -> bool:
    """
    Whether a pooler such as PgBouncer is in between: it gives out process numbers of its own. Statements that are
    prepared on one of its servers are not there on the next.
    """
    found = connection.execute("SELECT pg_backend_pid() AS pid").fetchone()
    return found is None or found["pid"] != connection.info.backend_pid


class PostgresqlTransaction:
    """Statements on one connection, in the transaction that it is in, within the time that `work` has left."""

    def __init__(
        self, connection: TimeoutConnection, statements: StatementCache, work: QueuedWork | None = None
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._work = work
        self._own: dict[str, Any] = {}
        self.use_workshop(work.workshop if work is not None else None)
        self._set_at = math.inf

    def use_workshop(self, workshop: str | None) -> None:
        self._own = workshop_parameters(workshop)

    @property
    def workshop(self) -> str:
        if not self._own:
            raise NoWorkshop
        return str(self._own["workshop"])

    def fetch_all(self, statement: Executable, /, **parameters: object) -> list[Row]:
        self._limit()
        compiled = self._statements[statement]
        return self._connection.execute(compiled.text, {**self._own, **compiled.defaults, **parameters}).fetchall()

    def _limit(self) -> None:
        """PostgreSQL bounds each statement, not all of them together: each gets what is left, told where it matters."""
        left = self._work.seconds_left if self._work is not None else None
        if left is None or self._set_at - left < LIMIT_REFRESH:
            return
        self._set_at = left
        bounds = [f"{max(0.001, seconds):.3f}s" for seconds in (left, min(LOCK_TIMEOUT, LOCK_TIMEOUT_SHARE * left))]
        self._connection.execute(_BOUNDS, bounds)

    def execute(self, statement: Executable, /, **parameters: object) -> int:
        compiled = self._statements[statement]
        return self._connection.execute(compiled.text, {**self._own, **compiled.defaults, **parameters}).rowcount

    def execute_many(self, statement: Executable, rows: Iterable[Mapping[str, object]], /) -> None:
        compiled = self._statements[statement]
        with self._connection.cursor() as cursor:
            cursor.executemany(compiled.text, [{**self._own, **compiled.defaults, **row} for row in rows])

    def lock(self, name: str) -> None:
        self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))


class PostgresqlBackend:
    """One database: its threads and their inboxes."""

    def __init__(self, url: PostgresqlUrl, connections: int, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout
        self._first_answer = min(PROBE_TIMEOUT, timeout / 2)
        self._connections = ConnectionPool(lambda: connect(url), connections, timeout)
        epoch = func.extract("epoch", func.clock_timestamp())
        self.clock: Executable | None = select(sql_cast(epoch, Double).label("epoch"))
        self.check: Callable[[Transaction], list[str]] | None = partial(check_server, wanted=connections)
        self.reads, self.searches = (WorkQueue(kind, url.location, timeout) for kind in ("read", "question"))
        self.writes = WorkQueue("write", url.location, timeout, changes=True)
        jobs = [(self.reads, ConnectionUse.READ, BEGIN_READ)] * READER_THREADS
        jobs += [(self.searches, ConnectionUse.SEARCH, BEGIN_READ)] * SEARCH_THREADS
        jobs += [(self.writes, ConnectionUse.WRITE, BEGIN_WRITE)] * WRITER_THREADS
        self._threads = [
            threading.Thread(target=self._serve, args=job, name=f"postgresql-{number}", daemon=True)
            for number, job in enumerate(jobs)
        ]
        for thread in self._threads:
            thread.start()

    def data_version(self) -> None:
        """Only by asking the server, which takes as long as to ask for what is wanted."""

    @property
    def file_fault(self) -> None:
        """A server's files are not seen from here."""

    async def close(self) -> None:
        self.writes.close(WRITER_THREADS)
        self.reads.close(READER_THREADS)
        self.searches.close(SEARCH_THREADS)
        await self.writes.join(self._threads)
        self._connections.close()

    def _serve(self, inbox: WorkQueue, kind: ConnectionUse, mode: str) -> None:
        statements = StatementCache(cast("Any", psycopg_dialect)())
        while (work := inbox.take()) is not None:
            if not work.is_abandoned:
                if not work.is_late:
                    self._attempt(statements, work, kind, mode, inbox.responsiveness)
                resolve_futures([work])
            del work  # waiting for the next one must not keep this one's answer alive

    def _attempt(
        self, statements: StatementCache, work: QueuedWork, kind: ConnectionUse, mode: str, answers: Responsiveness
    ) -> None:
        """One unit in a transaction of its own."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            connection: TimeoutConnection | None = None
            fresh = lost = committing = False
            try:
                with translate_errors(self._url):
                    connection, fresh = self._connections.acquire(kind)
                    connection.on_answer = answers.record_answer
                    if work.begin():  # else its caller was told meanwhile that nothing of it was done
                        self._begin(connection, work, mode)
                        result = work.function(PostgresqlTransaction(connection, statements, work))
                        committing = kind is ConnectionUse.WRITE  # what was only read may be read again
                        now = time.monotonic()
                        until = max(connection.deadline, now + PROBE_TIMEOUT)
                        connection.deadline = until if committing else now + self._first_answer
                        connection.execute("COMMIT", prepare=False)
                        work.result, work.error = result, None
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is its caller's to handle
                work.error = error
                is_up = (
                    work.seconds_left is not None and work.seconds_left < LIMIT_REFRESH
                )  # else somebody cancelled it
                if is_up and attempt == 1 and isinstance(error.__cause__, errors.QueryCanceled):
                    work.error = QueryTooBroad(work.time_limit or 0.0)
                if isinstance(error, StoreTimeout) and not work.is_abandoned:
                    answers.record_timeout(work.queued_at)
                usable = _usable(connection)
                lost = connection is not None and usable is None
                if committing and lost:
                    work.error = CommitUnknown(
                        f"The connection to the connector's database ({self._url.location}) broke while it committed."
                    )
                if connection is not None:
                    self._connections.release(kind, usable)
                is_over = work.is_abandoned or (work.deadline is not None and time.monotonic() >= work.deadline)
                if attempt == MAX_ATTEMPTS or committing or is_over or not _again(error, lost=lost and not fresh):
                    break
                if not lost:
                    time.sleep(0.01 * attempt)  # who was given up for another lets it finish
            else:
                self._connections.release(kind, connection)
                break

    def _begin(self, connection: TimeoutConnection, work: QueuedWork, mode: str) -> None:
        """What is not answered at once is a connection that is dead: nothing is done yet, and a new one may do it."""
        if work.deadline is None:
            work.deadline = (
                time.monotonic() + LEEWAY + (self._timeout if work.seconds_left is None else work.seconds_left)
            )
        connection.deadline = min(work.deadline, time.monotonic() + self._first_answer)
        begin(connection, mode, self._timeout)
        connection.deadline = work.deadline


def begin(connection: TimeoutConnection, mode: str, timeout: float = TIMEOUT) -> None:
    """
    Begins a transaction, `READING` or `WRITING`, with all that a unit relies on, whatever the role or the server has
    set. Of the transaction: behind PgBouncer what is set for a session stays for the next one who gets it. Sent with
    BEGIN, it costs no round trip. The server itself ends what takes longer than `timeout` seconds, or whose connector
    is gone: it would hold its locks until TCP finds out, for hours.
    """
    statements = [
        mode,
        f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT:.3f}s'",
        f"SET LOCAL statement_timeout = '{timeout:.3f}s'",
        f"SET LOCAL idle_in_transaction_session_timeout = '{timeout + LEEWAY:.3f}s'",
    ]
    if mode == BEGIN_WRITE:
        statements.append(_ON_DISK)
    try:
        connection.execute("; ".join(statements).encode(), prepare=False)  # more than one statement can't be
    except errors.FeatureNotSupported as error:  # "cannot set transaction read-write mode during recovery"
        raise errors.ReadOnlySqlTransaction(str(error)) from error


def _again(error: BaseException, *, lost: bool) -> bool:
    """Whether a new attempt may go better: nothing was committed, and the fault lay in the moment."""
    given_up = isinstance(error.__cause__, (errors.DeadlockDetected, errors.SerializationFailure))
    is_outdated = isinstance(error, errors.FeatureNotSupported)  # a prepared statement, of a table altered since
    return given_up or is_outdated or (lost and isinstance(error, StoreUnavailable))


def _usable(connection: TimeoutConnection | None) -> TimeoutConnection | None:
    """The connection, outside of any transaction again; None when it is lost."""
    if connection is None:
        return None
    with suppress(psycopg.Error):
        if not connection.closed and not connection.has_timed_out:
            connection.deadline = time.monotonic() + PROBE_TIMEOUT
            connection.execute("ROLLBACK", prepare=False)
            return connection
    with suppress(psycopg.Error):
        connection.close()
    return None
