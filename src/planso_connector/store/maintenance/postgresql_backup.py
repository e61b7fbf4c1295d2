"""Print the commands that back up and restore a PostgreSQL database, and mark a restored one."""

import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine import postgresql
from planso_connector.store.engine.postgresql_errors import translate_errors
from planso_connector.store.engine.postgresql_pool import TimeoutConnection
from planso_connector.store.engine.postgresql_url import PostgresqlUrl
from planso_connector.store.engine.row_level_security import ROLE, SEARCH_ROLE, SETTING
from planso_connector.store.engine.transaction import EVERY_WORKSHOP
from planso_connector.store.maintenance import after_restore, migrate

DISCONNECT_GRACE = 3.0
"""Seconds that the connections of a stopped connector may take to disappear."""

_ALL_ROWS = f"-c {SETTING}={EVERY_WORKSHOP}"
_OTHERS = """
SELECT count(*) AS others FROM pg_stat_activity
WHERE datname = current_database() AND application_name = %s AND pid <> pg_backend_pid()
"""


def backup_command(url: PostgresqlUrl, file: Path) -> str:
    """
    For a shell; without the password, which would be visible in histories and process lists. Row-level security applies
    to the tables' owner too: without the setting, pg_dump fails.
    """
    return (
        f"PGOPTIONS='{_ALL_ROWS}' pg_dump --enable-row-security --format=custom --file={file} '{url.without_secrets}'"
    )


def restore_command(url: PostgresqlUrl, file: Path) -> str:
    """For a shell. The roles of row-level security have to be there; `migrate` grants them their rights again."""
    options = "--clean --if-exists --no-owner --no-privileges --single-transaction"
    return f"pg_restore {options} --dbname='{url.without_secrets}' {file}"


def create_roles_command(url: PostgresqlUrl) -> str:
    """For a shell, as a superuser: what a dump names and a server that never had this database lacks."""
    return f"psql '{url.without_secrets}' -c 'CREATE ROLE {ROLE} NOLOGIN' -c 'CREATE ROLE {SEARCH_ROLE} NOLOGIN'"


def mark_restored(url: PostgresqlUrl, now: datetime) -> after_restore.RestoreMarks:
    """As `after_restore.mark_restored`. Raises StoreUnavailable, with nothing changed, if a connector is connected."""
    with translate_errors(url, verbose=True), closing(postgresql.connect(url)) as connection:
        if postgresql.has_pooler(connection):
            raise StoreUnavailable(
                f"Behind a pooler ({url.location}) nothing tells whether a connector is connected: stop it, and give "
                "CONNECTOR_DATABASE_URL the server's own address for this command."
            )
        if _is_any_connected(connection):
            raise StoreUnavailable(f"A connector is connected to {url.location}; stop it first.")
        connection.timeout = postgresql.MAINTENANCE_TIMEOUT
        migrate.migrate(url.text)
        postgresql.begin(connection, postgresql.BEGIN_WRITE, postgresql.MAINTENANCE_TIMEOUT)
        marked = after_restore.mark_restored(postgresql.PostgresqlTransaction(connection), now)
        connection.execute("COMMIT")
        return marked


def _is_any_connected(connection: TimeoutConnection) -> bool:
    """Wait for a stopped connector to disappear: the server's side of a connection ends after the client's."""
    until, name = time.monotonic() + DISCONNECT_GRACE, connection.info.parameter_status("application_name")
    while (row := connection.execute(_OTHERS, (name,)).fetchone()) is not None and row["others"]:
        if time.monotonic() > until:
            return True
        time.sleep(0.05)
    return False
