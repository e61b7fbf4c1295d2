"""Migrations and tables agree; migrating is safe at any time, by several processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_mock_engine

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.domain.operation import OperationState
from planso_connector.domain.order import PLATE
from planso_connector.sandbox import Sandbox
from planso_connector.store import last_seen, operations, orders, rejected_logins, sections, sync_runs
from planso_connector.store.engine.database import Transaction
from planso_connector.store.maintenance import migrate
from planso_connector.store.sync_runs import RunKind, Trigger
from planso_connector.store.tables import metadata
from tests.databases import PostgresqlServer, Store, make_as_of, needs_migration, run_script
from tests.service import running, settings_for
from tests.store.maintenance.old_rows import OLD_ROWS
from tests.store.samples import at

SCHEMA = """
SELECT 'column', c.table_name, c.column_name, c.data_type, c.is_nullable, c.collation_name, c.column_default
FROM information_schema.columns c WHERE c.table_schema = 'public'
UNION ALL
SELECT 'index', tablename, indexname, indexdef, '', '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""


def tables_as_sql(kind: str) -> str:
    """What `store.tables` says, as a script for that kind of database."""
    statements: list[str] = []

    def keep(statement: Any, *_: object, **__: object) -> None:
        statements.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine(f"{kind}://", keep)
    metadata.create_all(engine, checkfirst=False)
    return ";\n".join(statements)


def sqlite_schema(path: Path) -> set[tuple[Any, ...]]:
    """Columns with types and keys, foreign keys, indexes with directions, collations and conditions."""
    connection = apsw.Connection(str(path))
    found: set[tuple[Any, ...]] = set()
    for name, without_rowid, strict in connection.execute(
        "SELECT name, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'"
    ).fetchall():
        if name == "alembic_version" or str(name).startswith("text_index"):  # FTS5 and its triggers: not for MetaData
            continue
        found.add(("table", name, without_rowid, strict))
        for column in connection.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)):
            found.add(("column", name, *column[1:]))
        for key in connection.execute("SELECT * FROM pragma_foreign_key_list(?)", (name,)):
            found.add(("foreign key", name, *key))
        for _, index, unique, origin, partial in connection.execute("SELECT * FROM pragma_index_list(?)", (name,)):
            columns = tuple(connection.execute("SELECT * FROM pragma_index_xinfo(?)", (index,)))
            condition = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).get
            where = str(condition or "").partition(" WHERE ")[2]
            found.add(("index", name, index, unique, origin, partial, columns, where))
    connection.close()
    return found


def test_migrations_build_the_tables_on_sqlite(sqlite_path: Path, tmp_path: Path) -> None:
    """A migrated file has exactly the columns, types, keys and indexes that `store.tables` says."""
    connection = apsw.Connection(str(tmp_path / "tables.db"))
    connection.execute(tables_as_sql("sqlite"))
    connection.close()

    migrated = sqlite_schema(sqlite_path)

    assert migrated == sqlite_schema(tmp_path / "tables.db")
    assert {entry[1] for entry in migrated} == set(metadata.tables)


def test_migrations_build_the_tables_on_postgresql(postgresql_server: PostgresqlServer) -> None:
    """A migrated database has exactly the columns, types, collations, keys and indexes that `store.tables` says."""
    migrated, made = postgresql_server.create_database(), postgresql_server.create_database("template1")
    schemas = []
    with psycopg.connect(postgresql_server.url(made)) as connection:
        connection.execute("CREATE EXTENSION pg_trgm")
        connection.execute(tables_as_sql("postgresql").encode())
    for name in (migrated, made):
        with psycopg.connect(postgresql_server.url(name)) as connection:
            rows = connection.execute(SCHEMA.encode()).fetchall()
            schemas.append({row for row in rows if "alembic_version" not in row[1]})
        postgresql_server.drop_database(name)

    assert schemas[0] == schemas[1]
    assert {row[1] for row in schemas[0]} >= set(metadata.tables)


def test_migrating_again_does_nothing(database_url: str) -> None:
    """A database that is up to date says so, and stays as it is."""
    assert not needs_migration(database_url)
    assert migrate.current_revision(database_url) == migrate.head_revision()
    migrate.migrate(database_url)
    assert migrate.current_revision(database_url) == migrate.head_revision()


def test_a_new_file_waits_for_its_migration(tmp_path: Path) -> None:
    """Asking does not make the file; migrating does, also where the path holds a per cent sign."""
    path = tmp_path / "100% neu.db"
    url = f"sqlite:///{path}"
    assert needs_migration(url)
    assert migrate.current_revision(url) is None
    assert not path.exists()
    migrate.migrate(url)
    assert not needs_migration(url)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_upgrade_keeps_all_there_is(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A database of the first version, in use: after the upgrade all its rows are read as ever, and take part."""
    url = f"sqlite:///{tmp_path}/old.db"
    if kind == "postgresql":
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        url = server.url(server.create_database("template1"))
    make_as_of(url, "0001")
    run_script(url, OLD_ROWS)
    assert migrate.current_revision(url) == "0001"
    assert needs_migration(url)

    migrate.migrate(url)

    assert not needs_migration(url)
    store = Store(url)
    try:
        store.read(_check_old_rows)
        store.write(lambda tx: sync_runs.interrupt_running(tx, now=at(9)))
        run = store.read(lambda tx: sync_runs.get_resumable(tx))
        assert run is not None
        assert (run.id, run.kind, run.trigger, run.doubts) == ("run_1", RunKind.FULL, Trigger.REQUEST, ())
        assert store.write(lambda tx: sections.save(tx, 123, "work", "{}", read_at=at(9), now=at(9)))
    finally:
        store.close()


def _check_old_rows(tx: Transaction) -> None:
    stored = orders.get(tx, 123)
    assert stored is not None
    assert (stored.version, stored.read_at, stored.synced_at) == (7, at(1), at(2))
    document = json.loads(stored.order.document)
    assert (document["person"], document["pending"][0]["asked"]) == ("Jürgen", {"person": "Olga"})
    assert last_seen.get_all(tx)[123].list_fingerprint == "one"
    assert [part.part_no for part in orders.get_parts(tx, 123)] == ["5G6 807 421"]
    (left,) = operations.list_page(tx, state=OperationState.PENDING)
    assert (left.id, left.requested, left.sent_at) == ("op_1", {"person": "Olga"}, at(3))
    assert rejected_logins.get(tx) == "fingerprint"


LEFT_PENDING = """
INSERT INTO operations (workshop, id, action, order_id, state, asked, message, created_at)
VALUES ('default', '{0}', '{1}', {2}, 'pending', '{3}', '', '2026-11-20T09:41:00.118000Z');
"""


def test_what_an_older_version_left_pending_is_settled_by_a_look(tmp_path: Path) -> None:
    """
    Operations that 0002 left pending: after the upgrade PlanSo is looked at once for each, and it is confirmed exactly
    where PlanSo has it; nothing is sent.
    """
    sandbox = Sandbox(orders=12)
    there, other, kept, gone = sandbox.order_ids()[:4]
    person = sandbox.value(there, "Fahrername")
    named = json.dumps({"person": sandbox.value(other, "Fahrername"), PLATE: sandbox.value(other, "Kennzeichen")})
    left = {
        "op_there": ("update", there, json.dumps({"person": person}), "confirmed"),
        "op_not_there": ("update", other, '{"person": "Nie Angekommen"}', "expired"),
        "op_created": ("create", "NULL", named, "confirmed"),
        "op_not_created": ("create", "NULL", '{"person": "Nie Angekommen"}', "expired"),
        "op_kept": ("delete", kept, "{}", "expired"),
        "op_deleted": ("delete", gone, "{}", "confirmed"),
    }
    sandbox.delete(gone)
    before = {order_id: sandbox.snapshot(order_id) for order_id in sandbox.order_ids()}
    url = f"sqlite:///{tmp_path}/old.db"
    make_as_of(url, "0002")
    for operation_id, (action, order_id, asked, _) in left.items():
        run_script(url, LEFT_PENDING.format(operation_id, action, order_id, asked))

    with sandbox.serve() as planso, running(settings_for(sandbox, planso, url), sandbox) as service:
        service.wait_for_sync()
        for operation_id, (_, _, _, state) in left.items():
            told = service.http.get(f"/api/operations/{operation_id}", params={"wait": "60"}).json()["operation"]
            assert (told["state"], told["attempts"]) == (state, 1), told["message"]
            assert state == "confirmed" or "was sent, and PlanSo does not show it" in told["message"]
        assert service.http.get("/api/operations/op_created").json()["operation"]["order_id"] == other
    assert not any(request.saving for request in sandbox.requests)
    assert {order_id: sandbox.snapshot(order_id) for order_id in sandbox.order_ids()} == before


MIGRATE = """
import sys
from planso_connector.store.maintenance import migrate
sys.stdin.readline()
migrate.migrate(sys.argv[1])
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_that_migrate_at_once_all_succeed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Two processes that migrate one empty database at the same moment: all end well, and it is migrated."""
    url = f"sqlite:///{tmp_path}/new.db"
    if kind == "postgresql":
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        url = server.url(server.create_database("template1"))
    command = [sys.executable, "-c", MIGRATE, url]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=180)[1] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], errors
    assert not needs_migration(url)


def test_a_newer_database_is_refused(database_url: str) -> None:
    """A database of a newer connector is not touched: told in words."""
    run_script(database_url, "UPDATE alembic_version SET version_num = '9999', oldest_code = '9999'")

    with pytest.raises(StoreUnavailable, match="newer version"):
        migrate.migrate(database_url)
    with pytest.raises(StoreUnavailable, match="newer version"):
        needs_migration(database_url)


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A table that stands in the way stops it; nothing of it stays, and it is not called migrated."""
    path = tmp_path / "old.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE parts (x)")
    connection.close()

    with pytest.raises(apsw.SQLError, match="parts"):
        migrate.migrate(f"sqlite:///{path}")

    assert {entry[1] for entry in sqlite_schema(path)} == {"parts"}
    assert needs_migration(f"sqlite:///{path}")


def test_the_newest_script_is_alembics_head() -> None:
    """What a start compares without loading Alembic is what Alembic says."""
    scripts = ScriptDirectory(str(Path(migrate.__file__).parents[1] / "migrations"))
    assert scripts.get_current_head() == migrate.head_revision()
