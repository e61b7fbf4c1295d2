"""PostgreSQL through psycopg: threads take a connection for each unit of work, a new one if it was lost."""

import math
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any, cast

import psycopg
from psycopg import errors
from psycopg.rows import dict_row
from sqlalchemy import Double, Executable, func, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from planso_connector.domain.errors import CommitUnknown, QueryTooBroad, StoreTimeout, StoreUnavailable
from planso_connector.store.engine import row_level_security, row_security_state
from planso_connector.store.engine.backend import Backend, Listener
from planso_connector.store.engine.postgresql_check import check_server
from planso_connector.store.engine.postgresql_errors import in_one_line, translate_errors
from planso_connector.store.engine.postgresql_listener import CHANNEL, listen
from planso_connector.store.engine.postgresql_pool import ConnectionPool, ConnectionUse, TimeoutConnection
from planso_connector.store.engine.postgresql_url import PostgresqlUrl
from planso_connector.store.engine.transaction import Row, StatementCache, WorkshopScope
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
libpq's parameters unless the URL sets them: seconds, the last in milliseconds. Linux's own defaults notice a peer that
is gone after two hours if nothing was sent, and after a quarter of an hour otherwise.
"""
MAINTENANCE_TIMEOUT = 3600.0
"""Seconds for statements over whole tables: an index over a large one takes minutes."""
PROBE_TIMEOUT = 2.0
"""Seconds for BEGIN, ROLLBACK and a read's COMMIT, which cost a server nothing: if it takes longer, it is gone."""

READER_THREADS, SEARCH_THREADS = 2, 3
"""Threads for short reads, and for searches that may take seconds."""
WRITER_THREADS = 8
"""Threads that write at once: PostgreSQL flushes their commits together."""
BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
BEGIN_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_ON_DISK = (
    "SELECT set_config('synchronous_commit', 'on', true) "
    "WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)
"""
A write that was accepted is on disk, and on the synchronous standby where the server has one, even if this role was
configured otherwise. With `local` a failover would lose it.
"""
APPLICATION_NAME = "planso-connector"
"""The connections' `application_name` unless the URL sets another."""
PREPARE_THRESHOLD, PREPARED_MAX = 5, 500
"""Executions after which a statement is prepared, which halves the cost of a short one; how many are kept."""
LOCK_TIMEOUT, LOCK_TIMEOUT_SHARE = 5.0, 0.8
"""Seconds to wait for a lock, and the share of a search's time: a locked table does not make a search too broad."""
_BOUNDS = "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)"
LIMIT_REFRESH = 0.1
"""Seconds of a search's time after which its next statement gets a new bound."""
MAX_ATTEMPTS = 5
"""Attempts for a unit that PostgreSQL rolled back (a deadlock) or whose connection was lost."""
RETRY_PAUSE = 0.01
"""Seconds before the second attempt, so that the other transaction can finish; more before each further one."""


def connection_parameters(url: PostgresqlUrl) -> dict[str, str]:
    """libpq's parameters of every connection."""
    return {
        **NETWORK_PARAMETERS,
        "fallback_application_name": APPLICATION_NAME,
        **({"target_session_attrs": "primary"} if url.has_several_hosts else {}),
        **url.parameters,
        "client_encoding": "UTF8",
    }


def connect(url: PostgresqlUrl) -> TimeoutConnection:
    """
    Open a connection, outside of any transaction. Raises psycopg's errors; StoreUnavailable if the database itself
    is unsuitable.
    """
    try:
        connection = TimeoutConnection.connect(
            "", **cast("Any", connection_parameters(url)), row_factory=cast("Any", dict_row), autocommit=True
        )
    except psycopg.ProgrammingError as error:
        raise StoreUnavailable(f"The database URL can't be used: {in_one_line(error, url)}.") from None
    try:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StoreUnavailable(
                f"The connector's database ({url.location}) can't be used: its encoding is {encoding}, which can't "
                "hold every text. Make one with UTF8: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0."
            )
        has_pooler = row_level_security.prepare_session(connection)
        # Statements prepared on one of a pooler's connections are missing on the next.
        connection.prepare_threshold = None if has_pooler else PREPARE_THRESHOLD
        connection.prepared_max = PREPARED_MAX
    except BaseException:
        connection.close()
        raise
    return connection


def has_pooler(connection: psycopg.Connection[Any]) -> bool:
    """Whether a pooler such as PgBouncer is in between."""
    return connection.prepare_threshold is None


_STATEMENTS = StatementCache(cast("Any", psycopg_dialect)())


class PostgresqlTransaction(WorkshopScope):
    """Statements on one connection, in whatever transaction it is in, within the time that `work` has left."""

    def __init__(self, connection: TimeoutConnection, work: QueuedWork | None = None) -> None:
        self._connection = connection
        self._work = work
        self.begin_as(work.workshop if work is not None else None)
        self._limited_at = math.inf

    def use_workshop(self, workshop: str | None) -> None:
        super().use_workshop(workshop)
        self._connection.execute(row_level_security.USE_WORKSHOP, (row_level_security.setting_value(workshop),))

    def fetch_all(self, statement: Executable, /, **parameters: object) -> list[Row]:
        self._limit()
        compiled = _STATEMENTS[statement]
        return self._connection.execute(compiled.text, {**self._own, **compiled.defaults, **parameters}).fetchall()

    def _limit(self) -> None:
        """Set the time that is left as the bound of the next statement: PostgreSQL bounds each, not their sum."""
        left = self._work.seconds_left if self._work is not None else None
        if left is None or self._limited_at - left < LIMIT_REFRESH:
            return
        self._limited_at = left
        bounds = [f"{max(0.001, seconds):.3f}s" for seconds in (left, min(LOCK_TIMEOUT, LOCK_TIMEOUT_SHARE * left))]
        self._connection.execute(_BOUNDS, bounds)

    def execute(self, statement: Executable, /, **parameters: object) -> int:
        compiled = _STATEMENTS[statement]
        return self._connection.execute(compiled.text, {**self._own, **compiled.defaults, **parameters}).rowcount

    def execute_many(self, statement: Executable, rows: Iterable[Mapping[str, object]], /) -> None:
        compiled = _STATEMENTS[statement]
        with self._connection.cursor() as cursor:
            cursor.executemany(compiled.text, [{**self._own, **compiled.defaults, **row} for row in rows])

    def lock(self, name: str) -> None:
        self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))

    def notify(self, message: str) -> None:
        self._connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, message))


class PostgresqlBackend(Backend):
    def __init__(self, url: PostgresqlUrl, connections: int, timeout: float = TIMEOUT) -> None:
        super().__init__(url.location, timeout)
        self._url = url
        self._timeout = timeout
        self._probe_timeout = min(PROBE_TIMEOUT, timeout / 2)
        self._connections = ConnectionPool(lambda: connect(url), connections, timeout)
        epoch = func.extract("epoch", func.clock_timestamp())
        self.clock = select(sql_cast(epoch, Double).label("epoch"))
        self.check = lambda tx: [*check_server(tx, connections), *row_security_state.check(tx)]
        for queue, use, mode, threads in (
            (self.reads, ConnectionUse.READ, BEGIN_READ, READER_THREADS),
            (self.searches, ConnectionUse.SEARCH, BEGIN_READ, SEARCH_THREADS),
            (self.writes, ConnectionUse.WRITE, BEGIN_WRITE, WRITER_THREADS),
        ):
            for _ in range(threads):
                queue.start_thread(self._serve, queue, use, mode)

    def listen(self) -> AbstractAsyncContextManager[Listener]:
        return listen(
            self._url, connection_parameters(self._url), self._connections, partial(translate_errors, self._url)
        )

    async def close(self) -> None:
        await super().close()
        self._connections.close()

    def _serve(self, queue: WorkQueue, use: ConnectionUse, mode: str) -> None:
        while (work := queue.take()) is not None:
            if not work.is_abandoned:
                if not work.expire():
                    for attempt in range(1, MAX_ATTEMPTS + 1):
                        pause = self._attempt(work, use, mode, queue.responsiveness, is_first=attempt == 1)
                        if pause is None or attempt == MAX_ATTEMPTS:
                            break
                        time.sleep(pause * attempt)
                resolve_futures([work])
            del work  # waiting for the next one must not keep this one's result alive

    def _attempt(
        self, work: QueuedWork, use: ConnectionUse, mode: str, responsiveness: Responsiveness, *, is_first: bool
    ) -> float | None:
        """Run the unit in a transaction. Returns seconds to wait before another attempt; None: no other."""
        connection: TimeoutConnection | None = None
        is_new = is_committing = False
        try:
            with translate_errors(self._url):
                connection, is_new = self._connections.acquire(use)
                connection.on_answer = responsiveness.record_answer
                if work.begin():  # else its caller was told meanwhile that nothing of it was done
                    self._begin(connection, work, mode)
                    result = work.function(PostgresqlTransaction(connection, work))
                    is_committing = use is ConnectionUse.WRITE  # what only read may read again
                    now = time.monotonic()
                    write_deadline = max(connection.deadline, now + PROBE_TIMEOUT)
                    connection.deadline = write_deadline if is_committing else now + self._probe_timeout
                    connection.execute("COMMIT", prepare=False)
                    work.result, work.error = result, None
        except BaseException as error:  # noqa: BLE001 - the caller gets it, whatever it is
            if isinstance(error, StoreTimeout) and not work.is_abandoned:
                responsiveness.record_timeout(work.queued_at)
            if isinstance(error.__cause__, errors.DiskFull):
                self.disk_full_at = time.monotonic()
            usable = _reset(connection)
            is_lost = connection is not None and usable is None
            if is_lost:
                self.disk_full_at = None  # another server, or the same one after a restart
            if connection is not None:
                self._connections.release(use, usable)
            work.error = self._explain(error, work, is_first=is_first, is_commit_lost=is_committing and is_lost)
            is_over = work.is_abandoned or (work.deadline is not None and time.monotonic() >= work.deadline)
            if is_committing or is_over or not _is_retriable(error, is_lost=is_lost and not is_new):
                return None
            return 0.0 if is_lost else RETRY_PAUSE
        self._connections.release(use, connection)
        return None

    def _explain(
        self, error: BaseException, work: QueuedWork, *, is_first: bool, is_commit_lost: bool
    ) -> BaseException:
        """The error that the caller gets."""
        if is_commit_lost:
            return CommitUnknown(
                f"The connection to the connector's database ({self._url.location}) broke while it committed."
            )
        is_cancelled = isinstance(error.__cause__, errors.QueryCanceled)
        # With time left, somebody else cancelled it.
        if is_first and is_cancelled and work.seconds_left is not None and work.seconds_left < LIMIT_REFRESH:
            return QueryTooBroad(work.time_limit or 0.0)
        return error

    def _begin(self, connection: TimeoutConnection, work: QueuedWork, mode: str) -> None:
        """BEGIN also probes the connection: one that does not answer at once is dead, and nothing is done yet."""
        now = time.monotonic()
        if work.deadline is None:
            work.deadline = now + LEEWAY + (self._timeout if work.seconds_left is None else work.seconds_left)
        connection.deadline = min(work.deadline, now + self._probe_timeout)
        begin(connection, mode, self._timeout, work.workshop, act_as_role=True)
        connection.deadline = work.deadline


def begin(
    connection: TimeoutConnection,
    mode: str,
    timeout: float = TIMEOUT,
    workshop: str | None = None,
    *,
    act_as_role: bool = False,
) -> None:
    """
    Begin a transaction (`mode` is BEGIN_READ or BEGIN_WRITE) with the settings that units rely on, whatever the role or
    the server has configured. Set for the transaction, since behind PgBouncer a session's settings reach its next
    user; sent with BEGIN, they cost no round trip. The server ends what takes longer than `timeout` seconds, or whose
    connector is gone: else it would hold locks until TCP notices, for hours.

    `workshop`: whose rows it reads and writes, None: those of the whole installation. `act_as_role`: without the rights
    of the tables' owner, as units do; migrations need them.
    """
    statements = [
        mode,
        f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT:.3f}s'",
        f"SET LOCAL statement_timeout = '{timeout:.3f}s'",
        f"SET LOCAL idle_in_transaction_session_timeout = '{timeout + LEEWAY:.3f}s'",
    ]
    if mode == BEGIN_WRITE:
        statements.append(_ON_DISK)
    statements += row_level_security.statements_to_begin(connection, workshop, act_as_role=act_as_role)
    try:
        connection.execute("; ".join(statements).encode(), prepare=False)  # several statements can't be prepared
    except errors.FeatureNotSupported as error:  # "cannot set transaction read-write mode during recovery"
        raise errors.ReadOnlySqlTransaction(str(error)) from error


def _is_retriable(error: BaseException, *, is_lost: bool) -> bool:
    """Whether another attempt may succeed: nothing was committed, and the cause was momentary."""
    is_rolled_back = isinstance(error.__cause__, (errors.DeadlockDetected, errors.SerializationFailure))
    is_outdated = isinstance(
        error, errors.FeatureNotSupported
    )  # a prepared statement of a table that was altered since
    return is_rolled_back or is_outdated or (is_lost and isinstance(error, StoreUnavailable))


def _reset(connection: TimeoutConnection | None) -> TimeoutConnection | None:
    """Roll back whatever transaction the connection is in; None if it is lost."""
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
