"""VACUUM after an erasure: databases keep the bytes of deleted rows until they reuse the space."""

from contextlib import closing
from pathlib import Path

import apsw

from planso_connector.store.engine import sqlite
from planso_connector.store.engine.database import parse_database_url
from planso_connector.store.engine.postgresql_errors import translate_errors
from planso_connector.store.tables import metadata

LOCK_TIMEOUT = 60_000
"""Milliseconds to wait for others that write or read."""


def vacuum(url: str) -> bool:
    """
    SQLite: rewrite the file without deleted rows and empty the write-ahead log. PostgreSQL: `VACUUM`, which frees the
    rows; their bytes stay until overwritten. Others may read meanwhile, writes wait. False if the log could not be
    emptied because of a permanent reader. Raises StoreUnavailable.
    """
    where = parse_database_url(url)
    if not isinstance(where, Path):
        from planso_connector.store.engine import postgresql  # here: psycopg loads libpq

        with translate_errors(where, verbose=True), closing(postgresql.connect(where)) as session:
            session.timeout = postgresql.MAINTENANCE_TIMEOUT
            session.execute(f"VACUUM {', '.join(metadata.tables)}".encode())
        return True
    with closing(sqlite.connect(where)) as connection, sqlite.translate_errors(where):
        connection.set_busy_timeout(LOCK_TIMEOUT)
        # The text index keeps deleted entries until its segments are merged.
        connection.execute("INSERT INTO text_index (text_index) VALUES ('optimize')")
        connection.execute("VACUUM")
        try:
            row = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
        except (apsw.BusyError, apsw.LockedError):
            return False
        return row[0] == 0
