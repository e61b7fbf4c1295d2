"""PostgreSQL keeps workshops apart by itself: policies for a role without tables, for each transaction."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import insert, select, text, update

from planso_connector.domain import clock
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store import orders as order_store
from planso_connector.store import search
from planso_connector.store.engine import row_security_state
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.engine.postgresql_url import parse
from planso_connector.store.engine.row_level_security import ROLE, SEARCH_ROLE, SETTING
from planso_connector.store.engine.transaction import NotInstallation
from planso_connector.store.maintenance import migrate, postgresql_backup
from planso_connector.store.search import OrderFilters
from planso_connector.store.tables import metadata, orders, rejected_logins
from tests.databases import PostgresqlServer, Store
from tests.pgbouncer import pooler
from tests.store.samples import OTHER_SHOP, SHOP, at, order

WORKSHOPS = (SHOP, OTHER_SHOP)
ALL = select(orders.c.workshop, orders.c.person)
RENAME_ALL = update(orders).values(person="x")
PLANT = insert(rejected_logins).values(workshop=OTHER_SHOP, fingerprint="planted", rejected_at=at(1))
WRITTEN = select(rejected_logins.c.workshop, rejected_logins.c.fingerprint)
CANDIDATES = text("SELECT * FROM text_candidates(:workshop, '[\"petersen\"]', 9)")


def save_one(tx: Transaction) -> None:
    """The same order in each workshop, with its name as the person."""
    order_store.save(tx, order(values={"remarks": tx.workshop}), read_at=at(1), now=at(1), list_fingerprint="")


def workshops_of(tx: Transaction) -> list[str]:
    """By a statement that names none."""
    return sorted(row["workshop"] for row in tx.fetch_all(ALL))


@pytest.fixture
def one_server(postgresql_server: PostgresqlServer, postgresql_url: str) -> Iterator[Store]:
    """A store behind PgBouncer in transaction mode with a single server connection, and an order in each workshop."""
    with pooler(postgresql_server, default_pool_size=1) as port:
        store = Store(f"{postgresql_url}&port={port}")
        try:
            for workshop in WORKSHOPS:
                store.for_workshop(workshop).write(save_one)
            yield store
        finally:
            store.close()
            postgresql_server.disconnect(database=urlsplit(postgresql_url).path[1:])


def test_nothing_crosses_on_one_pooled_backend(one_server: Store) -> None:
    """
    Two workshops in turn on one connection of the server: statements without a condition read and change their own rows
    alone, and no row of the other can be added.
    """
    whole = one_server.for_workshop(SHOP)
    whole.database = Database(one_server.database._backend)  # noqa: SLF001 - as what opens the installation
    for _ in range(5):
        for workshop in WORKSHOPS:
            own = one_server.for_workshop(workshop)
            assert own.read(workshops_of) == [workshop]
            assert own.write(lambda tx: tx.execute(RENAME_ALL)) == 1
            assert [page.id for page in own.read(find("petersen"))] == [123]
        assert whole.read(workshops_of) == sorted(WORKSHOPS)
    with pytest.raises(StoreUnavailable, match="may not do that"):
        one_server.write(lambda tx: tx.execute(PLANT))
    assert whole.read(lambda tx: tx.fetch_all(WRITTEN)) == []


def find(words: str) -> Callable[[Transaction], list[Any]]:
    return lambda tx: search.find_orders(tx, OrderFilters(text=words)).documents


def test_a_transaction_of_no_workshop_sees_nothing(one_server: Store) -> None:
    """Through the same pooler, as the connector's role: unset and empty are no workshop, also after others' units."""
    with psycopg.connect(one_server.url, prepare_threshold=None) as client:
        for value in (None, "", "unknown"):
            one_server.read(workshops_of)
            with client.transaction():
                client.execute(f"SET LOCAL ROLE {ROLE}")
                if value is not None:
                    client.execute("SELECT set_config(%s, %s, true)", (SETTING, value))
                assert client.execute("SELECT id FROM orders").fetchall() == []
                assert client.execute("UPDATE orders SET version = 9").rowcount == 0
                assert client.execute("DELETE FROM last_seen").rowcount == 0
            client.commit()


def test_a_unit_changes_its_workshop_and_never_to_all(one_server: Store) -> None:
    """`use_workshop` moves the policy along; a workshop's transaction can't become the installation's."""

    def other(tx: Transaction) -> list[str]:
        tx.use_workshop(OTHER_SHOP)
        return workshops_of(tx)

    assert one_server.read(other) == [OTHER_SHOP]
    assert one_server.read(workshops_of) == [SHOP]
    with pytest.raises(NotInstallation):
        one_server.read(lambda tx: tx.use_workshop(None))
    for name in ("", "*", "a\0"):
        with pytest.raises(ValueError, match="can't be the name of a workshop"):
            one_server.for_workshop(name).database.for_workshop(name)
        with pytest.raises(ValueError, match="can't be the name of a workshop"):
            one_server.read(lambda tx, name=name: tx.use_workshop(name))  # type: ignore[misc]
    quoted = one_server.database.for_workshop("a'; RESET ROLE; --\\")
    assert one_server.runner.run(quoted.read(workshops_of)) == []


def test_the_search_function_answers_for_the_own_workshop_alone(one_server: Store) -> None:
    """Asked for another workshop, or for all, it finds nothing."""
    for workshop, found in ((SHOP, 1), (OTHER_SHOP, 0), ("*", 0), (None, 0)):
        rows = one_server.read(lambda tx, asked=workshop: tx.fetch_all(CANDIDATES, workshop=asked))  # type: ignore[misc]
        assert len(rows) == found


def test_every_table_has_its_policy(postgresql_url: str) -> None:
    """Each table with a workshop is secured, also against its owner, in a migrated database."""
    secured = "SELECT relname FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid AND polname = 'own_workshop'"
    with psycopg.connect(postgresql_url) as client:
        rows = client.execute(f"{secured} WHERE relrowsecurity AND relforcerowsecurity".encode()).fetchall()
    assert {name for (name,) in rows} == {table.name for table in metadata.sorted_tables if "workshop" in table.c}


FILL = """
INSERT INTO orders SELECT (jsonb_populate_record(found, jsonb_build_object(
    'id', n, 'plate_key', n::text, 'text_key', 'nummer' || n, 'document', repeat('{}', 500)))).*
FROM orders found, generate_series(1000, 4000) n WHERE workshop = 'reit';
INSERT INTO lookup_keys SELECT 'reit', 'plate', n::text, 0, n FROM generate_series(1000, 4000) n;
VACUUM ANALYZE orders, lookup_keys
"""


def test_indexes_are_used_under_the_policies(one_server: Store) -> None:
    """
    An order by its id is read by the primary key, keys by a prefix from their index. LIKE uses none, so texts are
    searched by a function; it reads a few pages of thousands.
    """
    by_id = "SELECT document FROM orders WHERE workshop = 'reit' AND id = 2345"
    prefix = (
        "SELECT order_id FROM lookup_keys WHERE workshop = 'reit' AND kind = 'plate' AND key >= '23' AND key < '24'"
    )
    like = "SELECT id FROM orders WHERE workshop = 'reit' AND text_key LIKE '%nummer2345%'"
    function = "SELECT * FROM text_candidates('reit', '[\"nummer2345\"]', 9)"
    with psycopg.connect(one_server.url, autocommit=True) as client:
        for statement in FILL.split(";\n"):
            client.execute(statement.encode())

    def explain(statement: str) -> tuple[str, int]:
        """The plan, and how many pages were read."""
        command = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}".replace(":", "\\:"))
        plan = one_server.read(lambda tx: tx.fetch_all(command))[0]["QUERY PLAN"][0]["Plan"]
        return str(plan), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

    plan, pages = explain(by_id)
    assert "(workshop = 'reit'::text) AND (id = 2345)" in plan
    assert "'orders_pkey'" in plan
    assert pages < 10
    assert "(key >= '23'::text) AND (key < '24'::text)" in explain(prefix)[0].partition("'Filter'")[0]
    plan, scanned = explain(like)
    assert "orders_by_text" not in plan
    explain(function)  # what a connection reads of the catalogue, once
    pages = explain(function)[1]
    assert pages * 5 < scanned, (pages, scanned)


def test_a_role_that_may_not_make_roles_works_without_and_says_how(postgresql_server: PostgresqlServer) -> None:
    """
    An owner without CREATEROLE, whose tables are in a schema of its name: reads and writes, is told the statements, and
    after they were run has the policies.
    """
    url = postgresql_server.create_owned_database()
    name = str(urlsplit(url).username)
    postgresql_server.sql(f"CREATE SCHEMA AUTHORIZATION {name}", name)
    migrate.migrate(url)
    advice = check_once(url)[1]
    assert f"'{name}' sees the rows of all workshops (it owns tables without FORCE ROW LEVEL SECURITY)" in advice
    statements = advice.partition("in this database: ")[2].partition(". Then restart")[0]
    for statement in statements.split("; "):
        postgresql_server.sql(statement, name)
    migrate.migrate(url)
    assert check_once(url) == ([SHOP], "")
    postgresql_server.sql(f"REVOKE {ROLE} FROM {name}", name)
    assert check_once(url)[0] == [SHOP]  # by FORCE: the owner itself has the policies


def check_once(url: str) -> tuple[list[str], str]:
    """What a statement without a condition sees of both workshops' orders, and the advice."""
    store = Store(url)
    try:
        for workshop in WORKSHOPS:
            store.for_workshop(workshop).write(save_one)
        assert [page.id for page in store.read(find("petersen"))] == [123]
        return store.read(workshops_of), " ".join(store.read(row_security_state.check))
    finally:
        store.close()


@pytest.mark.parametrize(
    ("grant", "told"),
    [
        ("ALTER ROLE {role} BYPASSRLS", "it has BYPASSRLS"),
        (f"GRANT {SEARCH_ROLE} TO {{role}}", f"it is a member of {SEARCH_ROLE}"),
        ("ALTER ROLE {role} SUPERUSER", "it is a superuser"),
    ],
)
def test_a_role_that_policies_do_not_bind_is_named(postgresql_server: PostgresqlServer, grant: str, told: str) -> None:
    """Rights of the role that transactions act as, and why it sees everything."""
    server = postgresql_server
    url = server.create_owned_database()
    migrate.migrate(url)
    role = str(urlsplit(url).username)
    server.sql(grant.format(role=role))
    store = Store(url)
    try:
        assert f"'{role}' sees the rows of all workshops ({told})" in " ".join(store.read(row_security_state.check))
    finally:
        store.close()


def test_the_owner_dumps_and_restores_all_workshops(postgresql_server: PostgresqlServer, tmp_path: Path) -> None:
    """
    A role with CREATEROLE makes the policies itself. The printed commands dump and restore the rows of all workshops; a
    dump without the setting fails, it does not leave rows out.
    """
    url = postgresql_server.create_owned_database()
    name, dump = str(urlsplit(url).username), tmp_path / "all.dump"
    postgresql_server.sql(f"ALTER ROLE {name} CREATEROLE")
    with psycopg.connect(url) as client:
        has_admin_option = client.info.server_version >= 160_000
    if has_admin_option:  # what a role has that made others, since PostgreSQL 16
        options = "WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"
        postgresql_server.sql(f"GRANT {ROLE}, {SEARCH_ROLE} TO {name} {options}")
    migrate.migrate(url)
    assert check_once(url) == ([SHOP], "")

    def run(command: str) -> subprocess.CompletedProcess[str]:
        path = f"{postgresql_server.binaries}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path}
        return subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=False)  # noqa: S602

    plain = run(f"pg_dump --format=custom --file={dump} '{parse(url).without_secrets}'")
    assert "row-level security" in plain.stderr
    assert run(postgresql_backup.backup_command(parse(url), dump)).stderr == ""
    with psycopg.connect(url) as client:
        client.execute(f"SET {SETTING} = '*'")
        client.execute("DELETE FROM last_seen; DELETE FROM orders")

    assert run(postgresql_backup.restore_command(parse(url), dump)).stderr == ""
    assert postgresql_backup.mark_restored(parse(url), clock.now()).pending == 0

    with psycopg.connect(url) as client:
        client.execute(f"SET {SETTING} = '*'")
        assert {name for (name,) in client.execute("SELECT workshop FROM orders").fetchall()} == set(WORKSHOPS)
    assert check_once(url) == ([SHOP], "")
