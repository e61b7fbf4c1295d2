"""
Migrate the schema. Alembic writes the script, we execute it: a SQLite file may only be opened by apsw's SQLite, and
PostgreSQL goes the same way. Two processes may migrate at once: one waits and finds it done.
"""

from __future__ import annotations

import io
import time
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import apsw

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine import sqlite
from planso_connector.store.engine.database import parse_database_url

if TYPE_CHECKING:
    from alembic.config import Config

    from planso_connector.store.engine.postgresql_pool import TimeoutConnection
    from planso_connector.store.engine.postgresql_url import PostgresqlUrl

_FOLDER = Path(__file__).parents[1] / "migrations"
_LOCK = 7_021_568_311
"""The number of PostgreSQL's advisory lock for migrations."""

_LOCK_TIMEOUT = 60_000
"""Milliseconds to wait for another process that migrates the same file."""


def migrate(url: str) -> None:
    """
    Create or upgrade the tables, in one transaction. Raises StoreUnavailable, also for a database of a newer version of
    the connector.
    """
    where = parse_database_url(url)
    if isinstance(where, Path):
        migrate_file(where)
    else:
        _migrate_postgresql(where)


def current_revision(url: str) -> str | None:
    """The database's revision, None before the first migration. Raises StoreUnavailable."""
    where = parse_database_url(url)
    if isinstance(where, Path):
        if not where.exists():
            return None
        with closing(sqlite.connect(where)) as connection, sqlite.translate_errors(where):
            return sqlite_revision(connection)
    from planso_connector.store.engine import postgresql  # here: psycopg loads libpq

    with postgresql.translate_errors(where, verbose=True), closing(postgresql.connect(where)) as session:
        return _postgresql_revision(session)


@cache
def head_revision() -> str:
    """The newest revision that this version knows; a script's name begins with its revision."""
    return max(script.name.partition("_")[0] for script in (_FOLDER / "versions").glob("[0-9]*_*.py"))


def migrate_file(path: Path) -> None:
    """As `migrate`, for a SQLite file."""
    with closing(sqlite.connect(path)) as connection, sqlite.translate_errors(path):
        connection.set_busy_timeout(_LOCK_TIMEOUT)
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Fetched to the end: apsw stops at each statement that returns rows, as Alembic's INSERT ... RETURNING.
            connection.execute(_script("sqlite", sqlite_revision(connection))).fetchall()
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _migrate_postgresql(url: PostgresqlUrl) -> None:
    from planso_connector.store.engine import postgresql, postgresql_check  # here: psycopg loads libpq
    from planso_connector.store.maintenance import row_level_security

    with postgresql.translate_errors(url, verbose=True), closing(postgresql.connect(url)) as connection:
        postgresql.begin(connection, postgresql.BEGIN_WRITE, postgresql.MAINTENANCE_TIMEOUT)
        # Polled: a silent server must not look like one on which another process migrates.
        while not _is_locked(connection):
            time.sleep(0.2)
        script = _script("postgresql", _postgresql_revision(connection))
        if script:
            connection.execute("SET LOCAL lock_timeout = 0")
            connection.timeout = postgresql.MAINTENANCE_TIMEOUT
            postgresql_check.prepare_for_migration(connection, url)
            connection.execute(script)
        row_level_security.build(connection)
        connection.execute("COMMIT")


def _is_locked(connection: TimeoutConnection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s) AS locked", (_LOCK,)).fetchone()
    return row is not None and bool(row["locked"])


def sqlite_revision(connection: apsw.Connection) -> str | None:
    """A SQLite database's revision, None before the first migration."""
    # In SQL: apsw's `table_exists` uses the schema as this connection last read it.
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").get:
        return None
    return cast("str | None", connection.execute("SELECT version_num FROM alembic_version").get)


def _postgresql_revision(connection: TimeoutConnection) -> str | None:
    found = connection.execute("SELECT to_regclass('alembic_version') AS found").fetchone()
    if found is None or found["found"] is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row["version_num"]) if row else None


def check_revision(revision: str | None) -> str | None:
    """Return the revision. Raises StoreUnavailable if it is of a newer version of the connector."""
    if revision not in (None, head_revision()):
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError

        try:
            ScriptDirectory.from_config(_config()).get_revision(revision)
        except CommandError as error:
            raise StoreUnavailable(
                f"The database was made by a newer version of the connector (its revision is {revision}, "
                f"this version knows up to {head_revision()}): install that version again, or restore a backup."
            ) from error
    return revision


def _script(dialect: str, revision: str | None) -> str:
    """The SQL from `revision` to head; empty if there is nothing to do."""
    if check_revision(revision) == head_revision():
        return ""
    from alembic import command  # here: importing it doubles the time of a start with nothing to migrate

    config = _config()
    config.attributes["dialect"] = dialect
    command.upgrade(config, f"{revision}:head" if revision else "head", sql=True)
    return cast("io.StringIO", config.output_buffer).getvalue()


def _config() -> Config:
    from alembic.config import Config

    config = Config(output_buffer=io.StringIO())
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config
