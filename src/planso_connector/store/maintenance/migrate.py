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
from typing import TYPE_CHECKING, NamedTuple, cast

import apsw
import structlog

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine import sqlite
from planso_connector.store.engine.database import parse_database_url
from planso_connector.store.engine.postgresql_errors import translate_errors

if TYPE_CHECKING:
    from alembic.config import Config

    from planso_connector.store.engine.postgresql_pool import TimeoutConnection
    from planso_connector.store.engine.postgresql_url import PostgresqlUrl

log = structlog.get_logger(__name__)

_FOLDER = Path(__file__).parents[1] / "migrations"
_LOCK = 7_021_568_311
"""The number of PostgreSQL's advisory lock for migrations."""

_LOCK_TIMEOUT = 60_000
"""Milliseconds to wait for another process that migrates the same file."""


def migrate(url: str) -> None:
    """
    Create or upgrade the tables, in one transaction. A database of a newer version that this one may use stays as it
    is. Raises StoreUnavailable, also for a newer one that it may not use.
    """
    where = parse_database_url(url)
    if isinstance(where, Path):
        migrate_file(where)
    else:
        _migrate_postgresql(where)


def current_revision(url: str) -> str | None:
    """The database's revision, None before the first migration. Raises StoreUnavailable."""
    return current_version(url).revision


def current_version(url: str) -> SchemaVersion:
    """Raises StoreUnavailable."""
    where = parse_database_url(url)
    if isinstance(where, Path):
        if not where.exists():
            return SchemaVersion()
        with closing(sqlite.connect(where)) as connection, sqlite.translate_errors(where):
            return sqlite_version(connection)
    from planso_connector.store.engine import postgresql  # here: psycopg loads libpq

    with translate_errors(where, verbose=True), closing(postgresql.connect(where)) as session:
        return _postgresql_version(session)


class SchemaVersion(NamedTuple):
    """
    The revision of a database, None before the first migration; and the oldest revision whose code may use it, None
    where it does not say so.
    """

    revision: str | None = None
    oldest_code: str | None = None

    def is_usable_by(self, code: str) -> bool:
        """Whether code of an older revision may use this newer schema."""
        return self.oldest_code is not None and self.oldest_code <= code


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
            connection.execute(_script("sqlite", sqlite_version(connection))).fetchall()
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _migrate_postgresql(url: PostgresqlUrl) -> None:
    from planso_connector.store.engine import postgresql, postgresql_check  # here: psycopg loads libpq
    from planso_connector.store.maintenance import row_level_security

    with translate_errors(url, verbose=True), closing(postgresql.connect(url)) as connection:
        postgresql.begin(connection, postgresql.BEGIN_WRITE, postgresql.MAINTENANCE_TIMEOUT)
        # Polled: a silent server must not look like one on which another process migrates.
        while not _is_locked(connection):
            time.sleep(0.2)
        script = _script("postgresql", _postgresql_version(connection))
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


def sqlite_version(connection: apsw.Connection) -> SchemaVersion:
    """A SQLite database's version."""
    # In SQL: apsw's `table_exists` uses the schema as this connection last read it.
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").get:
        return SchemaVersion()
    columns = {str(name) for (name,) in connection.execute("SELECT name FROM pragma_table_info('alembic_version')")}
    oldest = "oldest_code" if "oldest_code" in columns else "NULL"
    row = connection.execute(f"SELECT version_num, {oldest} FROM alembic_version").fetchone()  # noqa: S608 - a constant
    return SchemaVersion(*cast("tuple[str, str | None]", row)) if row else SchemaVersion()


def _postgresql_version(connection: TimeoutConnection) -> SchemaVersion:
    found = connection.execute("SELECT to_regclass('alembic_version') AS found").fetchone()
    if found is None or found["found"] is None:
        return SchemaVersion()
    row = connection.execute("SELECT to_jsonb(v) AS version FROM alembic_version v").fetchone()
    return SchemaVersion(row["version"]["version_num"], row["version"].get("oldest_code")) if row else SchemaVersion()


def check_version(found: SchemaVersion) -> str | None:
    """Return the revision. Raises StoreUnavailable if it is of a newer version that this one may not use."""
    revision, head = found.revision, head_revision()
    if revision in (None, head) or _is_known(revision):
        return revision
    if not found.is_usable_by(head):
        raise StoreUnavailable(
            f"The database was made by a newer version of the connector (its revision is {revision}, "
            f"this version knows up to {head}): install that version again, or restore a backup."
        )
    log.warning("database_schema_newer", revision=revision, known=head)
    return revision


def _is_known(revision: str) -> bool:
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        ScriptDirectory.from_config(_config()).get_revision(revision)
    except CommandError:
        return False
    return True


def _script(dialect: str, found: SchemaVersion) -> str:
    """The SQL from a revision to head; empty if there is nothing to do."""
    revision = check_version(found)
    if revision == head_revision() or (revision is not None and not _is_known(revision)):
        return ""
    from alembic import command  # here: importing it doubles the time of a start with nothing to migrate
    from alembic.script import ScriptDirectory

    config = _config()
    config.attributes["dialect"] = dialect
    command.upgrade(config, f"{revision}:head" if revision else "head", sql=True)
    head = ScriptDirectory.from_config(_config()).get_revision("head")
    oldest = getattr(head.module, "oldest_code", head.revision)
    script = cast("io.StringIO", config.output_buffer).getvalue()
    return f"{script}\nUPDATE alembic_version SET oldest_code = '{oldest}'"


def _config() -> Config:
    from alembic.config import Config

    config = Config(output_buffer=io.StringIO())
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config
