"""PostgreSQL, through psycopg: a few threads that each own a connection, and get a new one when theirs is lost."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.rows import dict_row
from sqlalchemy import URL, Executable, func, select
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from planso_connector.domain.errors import CommitUnknown, StoreSilent, StoreUnavailable, TooBroad
from planso_connector.store.threads import LEEWAY, TIMEOUT, Answers, Inbox, Work, tell
from planso_connector.store.transaction import Row, Statements

T = TypeVar("T")

NETWORK: dict[str, int] = {
    "connect_timeout": 5,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""
libpq's parameters, where the URL has none: seconds, the last in milliseconds. By itself Linux tells of a peer that is
gone after two hours where nothing was sent, and after a quarter of an hour where something was.
"""
MAINTENANCE = 3600.0
"""Seconds for a statement that may go through all that is held: an index over a large table takes minutes."""
FIRST_ANSWER = 2.0
"""Seconds for the answer to BEGIN or ROLLBACK, for which a server does nothing: who takes longer is not there."""

READERS, QUESTIONERS = 2, 3
"""Threads for short readings, and for questions that may take seconds."""
WRITERS = 8
"""Connections that write at once: PostgreSQL lets those share a commit's flush."""
LIMIT_AGAIN = 0.1
"""Seconds that may have passed of a question's time until a further statement is told how much is left."""
ATTEMPTS = 5
"""How often a unit is run that PostgreSQL gave up for another's sake (a deadlock) or whose connection was lost."""

_UNAVAILABLE: tuple[tuple[type[psycopg.Error] | tuple[type[psycopg.Error], ...], str], ...] = (
    (errors.DiskFull, "its disk is full"),
    (errors.OutOfMemory, "it has no memory left"),
    (errors.TooManyConnections, "it has too many connections already"),
    (errors.LockNotAvailable, "another program holds a lock and did not finish in time"),
    (errors.QueryCanceled, "a statement took too long"),
    (errors.ReadOnlySqlTransaction, "it is read-only"),
    ((errors.InvalidPassword, errors.InvalidAuthorizationSpecification), "it rejects the user name or the password"),
    (errors.InvalidCatalogName, "there is no such database on this server"),
    ((errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow), "it is shutting down or starting up"),
    ((errors.DeadlockDetected, errors.SerializationFailure), "other writes stand in the way again and again"),
    ((errors.DataCorrupted, errors.IndexCorrupted), "it is damaged"),
)
_SILENT = "it has not answered in time"
_UNREACHED = "it can't be reached, or does not let this user into this database"
"""libpq keeps the server's reason for a refused connection to itself, but for a text in the server's language."""
_OURS = (psycopg.OperationalError, psycopg.InternalError, psycopg.InterfaceError, errors.InsufficientPrivilege)


class Unanswered(psycopg.OperationalError):
    """The server has not answered in time. What the connection is in the middle of is not known."""


class Connection(psycopg.Connection[Row]):
    """
    Waits for no answer for longer than `patience` seconds, nor beyond `until`. TCP can't be relied on for that: the
    kernel of a server that stands still goes on confirming what it gets.
    """

    patience: float = TIMEOUT
    until: float = math.inf
    """As `time.monotonic`."""
    answered_at: float = -math.inf
    is_silent: bool = False
    on_answer: Callable[[], None] | None = None

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """As psycopg's, which all waiting for the server goes through. Raises Unanswered."""
        if self.is_silent:
            raise Unanswered("an answer before this one never came")
        seconds = max(0.0, min(self.patience, self.until - time.monotonic()))
        try:
            result = super().wait(gen, interval, seconds if timeout is None else min(timeout, seconds))
        except errors._WaitTimeout as error:  # noqa: SLF001 - psycopg wants its callers to convert it
            self.is_silent = True
            raise Unanswered(f"no answer in {seconds:.1f} s") from error
        self.answered_at = time.monotonic()
        if self.on_answer is not None:
            self.on_answer()
        return result


def place(url: URL) -> str:
    """Where the database is, without user and password, for messages."""
    host = url.host or url.query.get("host") or "local socket"
    return f"PostgreSQL '{url.database or ''}' at {host}{f':{url.port}' if url.port else ''}"


@contextmanager
def failures_named(url: URL) -> Iterator[None]:
    """Turns what the database can't do into StoreUnavailable; errors of the program pass."""
    try:
        yield
    except (Unanswered, errors.ConnectionTimeout) as error:
        raise StoreSilent(f"The connector's database ({place(url)}) can't be used: {_SILENT}.") from error
    except _OURS as error:
        reason = next((reason for kind, reason in _UNAVAILABLE if isinstance(error, kind)), None)
        if reason is None and isinstance(error, errors.InsufficientPrivilege):
            reason = "this user may not do that"
        if reason is None:
            reason = _UNREACHED if error.sqlstate is None else f"it reports {type(error).__name__}"
        raise StoreUnavailable(f"The connector's database ({place(url)}) can't be used: {reason}.") from error


def connect(url: URL) -> Connection:
    """A connection outside of any transaction. Raises psycopg's errors."""
    given: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
        **NETWORK,
        "application_name": "planso-connector",
        **{name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()},
    }
    connection = Connection.connect(
        **{name: value for name, value in given.items() if value is not None},
        row_factory=cast("Any", dict_row),
        autocommit=True,
    )
    try:
        connection.execute("SET lock_timeout = '5s'")
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _begin_for(mode: str, timeout: float) -> bytes:
    """
    Begins a transaction that the server itself ends where a statement takes too long, or the connector is gone in the
    middle of it: it would hold its locks until TCP finds out, for hours.
    """
    told = f"BEGIN ISOLATION LEVEL {mode}; SET LOCAL statement_timeout = '{timeout:.3f}s'; "
    return f"{told}SET LOCAL idle_in_transaction_session_timeout = '{timeout + LEEWAY:.3f}s'".encode()


class PostgresqlTransaction:
    """Statements on one connection, in the transaction that it is in, within the time that `work` has left."""

    def __init__(self, connection: Connection, statements: Statements, work: Work | None = None) -> None:
        self._connection = connection
        self._statements = statements
        self._work = work
        self._set_at = math.inf

    def rows(self, statement: Executable, /, **parameters: object) -> list[Row]:
        self._limit()
        compiled = self._statements[statement]
        return self._connection.execute(compiled.text, {**compiled.defaults, **parameters}).fetchall()

    def _limit(self) -> None:
        """PostgreSQL bounds each statement, not all of them together: each gets what is left, told where it matters."""
        left = self._work.left if self._work is not None else None
        if left is None or self._set_at - left < LIMIT_AGAIN:
            return
        self._set_at = left
        self._connection.execute("SELECT set_config('statement_timeout', %s, true)", (f"{max(left, 0.001):.3f}s",))

    def run(self, statement: Executable, /, **parameters: object) -> int:
        compiled = self._statements[statement]
        return self._connection.execute(compiled.text, {**compiled.defaults, **parameters}).rowcount

    def run_many(self, statement: Executable, rows: Iterable[Mapping[str, object]], /) -> None:
        compiled = self._statements[statement]
        with self._connection.cursor() as cursor:
            cursor.executemany(compiled.text, [{**compiled.defaults, **row} for row in rows])

    def lock(self, name: str) -> None:
        self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))


class Postgresql:
    """One database: its threads and their inboxes."""

    def __init__(self, url: URL, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout
        self.clock: Executable | None = select(func.clock_timestamp().label("instant"))
        self.reads, self.questions = (Inbox(kind, place(url), timeout) for kind in ("read", "question"))
        self.writes = Inbox("write", place(url), timeout, changes=True)
        self._unanswered_at = -math.inf
        reading = _begin_for("REPEATABLE READ READ ONLY", timeout)
        writing = _begin_for("READ COMMITTED READ WRITE", timeout)
        jobs = [(self.reads, reading)] * READERS + [(self.questions, reading)] * QUESTIONERS
        jobs += [(self.writes, writing)] * WRITERS
        self._threads = [
            threading.Thread(target=self._serve, args=job, name=f"postgresql-{number}", daemon=True)
            for number, job in enumerate(jobs)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def fault(self) -> None:
        """Its files are the server's."""

    def mark(self) -> None:
        """Only by asking the server, which takes as long as to ask for what is wanted."""

    async def close(self) -> None:
        self.writes.close(WRITERS)
        self.reads.close(READERS)
        self.questions.close(QUESTIONERS)
        await self.writes.left(self._threads)

    def _serve(self, inbox: Inbox, begin: bytes) -> None:
        statements = Statements(cast("Any", psycopg_dialect)())
        connection: Connection | None = None
        while (work := inbox.take()) is not None:
            if not work.abandoned:
                if not work.is_late:
                    connection = self._attempt(connection, statements, work, begin, inbox.answers)
                tell([work])
            del work  # waiting for the next one must not keep this one's answer alive
        if connection is not None:
            connection.close()

    def _attempt(
        self, connection: Connection | None, statements: Statements, work: Work, begin: bytes, answers: Answers
    ) -> Connection | None:
        """One unit in a transaction of its own. The connection to go on with."""
        for attempt in range(1, ATTEMPTS + 1):
            if connection is not None and connection.answered_at < self._unanswered_at:
                connection.close()  # what happened to another connection since happened to this one too
                connection = None
            fresh = connection is None
            committing = False
            try:
                with failures_named(self._url):
                    if connection is None:
                        connection = self._connect(answers)
                    if not work.begin():
                        break  # its caller was told meanwhile that nothing of it was done
                    self._begin(connection, work, begin)
                    result = work.unit(PostgresqlTransaction(connection, statements, work))
                    committing = True
                    connection.until = max(connection.until, time.monotonic() + FIRST_ANSWER)
                    connection.execute("COMMIT")
                work.result, work.error = result, None
                break
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is its caller's to handle
                work.error = error
                if work.within is not None and attempt == 1 and isinstance(error.__cause__, errors.QueryCanceled):
                    work.error = TooBroad(work.within)
                if isinstance(error, StoreSilent):
                    self._unanswered_at = time.monotonic()
                    if not work.abandoned:
                        answers.miss(work.since)
                connection = _usable(connection)
                if committing and connection is None:
                    work.error = CommitUnknown(
                        f"The connection to the connector's database ({place(self._url)}) broke while it committed."
                    )
                lost = connection is None and not fresh
                is_over = work.abandoned or (work.until is not None and time.monotonic() >= work.until)
                if attempt == ATTEMPTS or committing or is_over or not _again(error, lost=lost):
                    break
                if connection is not None:
                    time.sleep(0.01 * attempt)  # who was given up for another lets it finish
        return connection

    def _connect(self, answers: Answers) -> Connection:
        connection = connect(self._url)
        connection.patience, connection.on_answer = math.inf, answers.heard  # `until` bounds it
        return connection

    def _begin(self, connection: Connection, work: Work, begin: bytes) -> None:
        """What is not answered at once is a connection that is dead: nothing is done yet, and a new one may do it."""
        if work.until is None:
            work.until = time.monotonic() + LEEWAY + (self._timeout if work.left is None else work.left)
        connection.until = min(work.until, time.monotonic() + min(FIRST_ANSWER, self._timeout / 2))
        connection.execute(begin, prepare=False)  # more than one statement can't be
        connection.until = work.until


def _again(error: BaseException, *, lost: bool) -> bool:
    """Whether a new attempt may go better: nothing was committed, and the fault lay in the moment."""
    given_up = isinstance(error.__cause__, (errors.DeadlockDetected, errors.SerializationFailure))
    return given_up or (lost and isinstance(error, StoreUnavailable))


def _usable(connection: Connection | None) -> Connection | None:
    """The connection, outside of any transaction again; None when it is lost."""
    if connection is None:
        return None
    with suppress(psycopg.Error):
        if not connection.closed and not connection.is_silent:
            connection.until = time.monotonic() + FIRST_ANSWER
            connection.execute("ROLLBACK")
            return connection
    with suppress(psycopg.Error):
        connection.close()
    return None
