"""
A PostgreSQL connection that receives notifications (LISTEN). It counts among the connections that the database may
open, and is given up as soon as one for units of work is refused.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, cast

import psycopg

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine.postgresql_pool import ConnectionPool
from planso_connector.store.engine.postgresql_url import PostgresqlUrl

CHANNEL = "planso_connector"

OPEN_TIMEOUT = 10.0
"""Seconds to connect and to begin to listen."""

CHECK_INTERVAL = 1.0
"""Seconds between two looks whether the connection is needed elsewhere."""


class PostgresqlListener:
    def __init__(
        self,
        connection: psycopg.AsyncConnection[Any],
        pool: ConnectionPool,
        translate_errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._connection = connection
        self._pool = pool
        self._refusals = pool.refusals
        self._translate_errors = translate_errors

    async def receive(self, seconds: float) -> list[str]:
        """As `Listener.receive`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        messages: list[str] = []
        with self._translate_errors():
            while not messages and (left := until - loop.time()) > 0:
                if self._pool.refusals > self._refusals:
                    raise StoreUnavailable("A connection for units of work was refused: the listener gives up its own.")
                found = self._connection.notifies(timeout=min(left, CHECK_INTERVAL), stop_after=1)
                messages = [notification.payload async for notification in found]
        return messages


@asynccontextmanager
async def listen(
    url: PostgresqlUrl,
    parameters: Mapping[str, str],
    pool: ConnectionPool,
    translate_errors: Callable[[], AbstractContextManager[None]],
) -> AsyncIterator[PostgresqlListener]:
    """Raises StoreUnavailable, also behind a pooler, and where the pool has no connection to spare."""
    if not pool.lend():
        raise StoreUnavailable("All connections to the connector's database are needed, so none listens.")
    connection: psycopg.AsyncConnection[Any] | None = None
    try:
        with translate_errors():
            try:
                async with asyncio.timeout(OPEN_TIMEOUT):
                    connection = await psycopg.AsyncConnection.connect(
                        "", **cast("Any", dict(parameters)), autocommit=True, prepare_threshold=None
                    )
                    await _require_no_pooler(connection, url)
                    await connection.execute(f"LISTEN {CHANNEL}")
            except TimeoutError as error:
                raise psycopg.OperationalError("no answer in time") from error
        yield PostgresqlListener(connection, pool, translate_errors)
    finally:
        if connection is not None:
            await connection.close()
        pool.take_back()


async def _require_no_pooler(connection: psycopg.AsyncConnection[Any], url: PostgresqlUrl) -> None:
    """Raises StoreUnavailable where a pooler is in between: see `postgresql.has_pooler`."""
    found = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    if found is None or found[0] != connection.info.backend_pid:
        raise StoreUnavailable(
            f"Notifications of the connector's database ({url.location}) don't get through its pooler."
        )
