"""Backups of a PostgreSQL database are PostgreSQL's own; what is ours is to say how, and to mark what was restored."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store import migrate, postgresql, restored
from planso_connector.store.transaction import Statements

LEAVING = 3.0
"""Seconds that the connections of a connector that was stopped may take to be gone."""

_OTHERS = """
SELECT count(*) AS others FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'planso-connector' AND pid <> pg_backend_pid()
"""


def backup_command(url: URL, file: Path) -> str:
    """For a shell; without the password, because commands stand in histories and lists of processes."""
    return f"pg_dump --format=custom --file={file} '{_shown(url)}'"


def restore_command(url: URL, file: Path) -> str:
    return f"pg_restore --clean --if-exists --no-owner --single-transaction --dbname='{_shown(url)}' {file}"


def mark(url: URL, now: datetime) -> restored.Marked:
    """As `store.restored.mark`. Raises StoreUnavailable, with nothing changed, where a connector is connected."""
    with postgresql.failures_named(url), closing(postgresql.connect(url)) as connection:
        if _is_any_connected(connection):
            raise StoreUnavailable(f"A connector is connected to {postgresql.place(url)}; stop it first.")
        connection.patience = postgresql.MAINTENANCE
        migrate.migrate(url.render_as_string(hide_password=False))
        with connection.transaction():
            return restored.mark(
                postgresql.PostgresqlTransaction(connection, Statements(cast("Any", psycopg_dialect)())), now
            )


def _is_any_connected(connection: postgresql.Connection) -> bool:
    """A connector that has ended is seen a little longer: the server's side of a connection ends after the client's."""
    until = time.monotonic() + LEAVING
    while (row := connection.execute(_OTHERS).fetchone()) is not None and row["others"]:
        if time.monotonic() > until:
            return True
        time.sleep(0.05)
    return False


def _shown(url: URL) -> str:
    return url.set(drivername="postgresql", password=None).render_as_string()
