"""The store behind PgBouncer in transaction mode; other tests that run there too are marked `behind_pooler`."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import text

from planso_connector.domain import clock
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine.postgresql_url import parse
from planso_connector.store.maintenance import migrate, postgresql_backup
from tests.databases import PostgresqlServer, Store
from tests.pgbouncer import pooler
from tests.store import counting

SETTINGS = """
SELECT name, setting FROM pg_settings WHERE setting <> reset_val AND name IN
('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout', 'synchronous_commit', 'search_path')
"""


def test_nothing_is_left_behind_for_the_next_one(pooled_store: Store) -> None:
    """Settings of a unit end with it: other clients of the same servers have their own."""
    for number in range(20):
        pooled_store.write(counting.put(f"n{number}"))
        pooled_store.read(counting.read("n1"))
    pooled_store.runner.run(pooled_store.database.read(counting.read("n1"), within=60.0))
    for _ in range(10):
        with psycopg.connect(pooled_store.url, autocommit=True, prepare_threshold=None, row_factory=dict_row) as other:
            assert other.execute(SETTINGS).fetchall() == []
            assert other.execute("SELECT * FROM pg_prepared_statements").fetchall() == []
            assert other.execute("SELECT * FROM pg_locks WHERE locktype = 'advisory'").fetchall() == []


def test_an_empty_database_is_migrated_through_it(postgresql_server: PostgresqlServer, pgbouncer: int) -> None:
    """Migrating twice through PgBouncer: the second time finds it done."""
    url = f"{postgresql_server.url(postgresql_server.create_database('template0'))}&port={pgbouncer}"
    for _ in range(2):
        migrate.migrate(url)
    assert migrate.current_revision(url) == migrate.head_revision()


def test_a_pooler_without_a_free_server_is_told(postgresql_server: PostgresqlServer, postgresql_url: str) -> None:
    """Others hold all its servers: StoreUnavailable says where to look, after its `query_wait_timeout`."""
    with pooler(postgresql_server, default_pool_size=1, query_wait_timeout=1) as port:
        url = f"{postgresql_url}&port={port}"
        store = Store(url)
        try:
            store.write(counting.put("before"))
            with psycopg.connect(url) as other:
                other.execute("SELECT 1")
                with pytest.raises(StoreUnavailable, match=r"pooler|can't be reached"):
                    store.read(counting.read("before"))
            assert store.read(counting.read("before")) == "1"
        finally:
            store.close()


def test_a_pooler_that_can_not_work_is_refused(postgresql_server: PostgresqlServer, postgresql_url: str) -> None:
    """Statement pooling, and `options` in the URL, which PgBouncer refuses: the start ends with what to do instead."""
    with pooler(postgresql_server, pool_mode="statement") as port:
        with pytest.raises(StoreUnavailable, match="none of `transaction` and `session`"):
            migrate.migrate(f"{postgresql_url}&port={port}")
        with pytest.raises(StoreUnavailable, match=r"ALTER ROLE ... SET"):
            migrate.migrate(f"{postgresql_url}&port={port}&options=-csearch_path=public")


def test_marking_as_restored_asks_for_the_server_itself(pooled_url: str) -> None:
    """Behind a pooler it can't be seen whether a connector is connected."""
    with pytest.raises(StoreUnavailable, match="server's own address"):
        postgresql_backup.mark_restored(parse(pooled_url), clock.now())


def test_long_statements_are_given_up_in_their_time(pooled_store: Store) -> None:
    """The time limit of a search does not apply to the next unit on the same server connection."""
    with pytest.raises(Exception, match="long"):
        pooled_store.runner.run(
            pooled_store.database.read(lambda tx: tx.fetch_all(text("SELECT CAST(pg_sleep(9) AS text)")), within=0.2)
        )
    for _ in range(8):
        pooled_store.read(lambda tx: tx.fetch_all(text("SELECT CAST(pg_sleep(0.05) AS text)")))
