"""Two versions of the connector on one database: a newer one migrates it, the older one goes on."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.sandbox import Sandbox
from planso_connector.store.maintenance import migrate
from tests.databases import migration_sql, run_script
from tests.service import running, settings_for, wait_until

VERSIONS = "planso_connector.store.migrations.versions"
NEWER = """
CREATE TABLE planted (workshop TEXT NOT NULL, id BIGINT NOT NULL, PRIMARY KEY (workshop, id));
ALTER TABLE operations ADD COLUMN planted TEXT;
ALTER TABLE orders ADD COLUMN planted BIGINT;
CREATE INDEX orders_by_planted ON orders (workshop, planted);
UPDATE alembic_version SET version_num = '9999'
"""
"""What a newer version's migration might do, which keeps `oldest_code`."""


def test_an_older_version_goes_on_when_a_newer_one_migrates(database_url: str) -> None:
    """
    A running process reads, searches, writes and syncs on, and readiness says what it saw; another one of its version
    can be started, and migrates nothing. A newer schema that it may not use is refused.
    """
    sandbox = Sandbox(orders=6)
    first, second = sandbox.order_ids()[:2]
    with sandbox.serve() as planso:
        settings = settings_for(sandbox, planso, database_url)
        with running(settings, sandbox) as service:
            service.fill_mirror()
            assert service.put(first, remarks="vorher").status_code == 200

            run_script(database_url, NEWER)

            assert service.put(first, remarks="nachher").status_code == 200
            assert service.put(second, remarks="Wasserkocher").status_code == 200
            found = service.http.get("/api/orders", params={"text": "Wasserkocher"}).json()
            assert [order["id"] for order in found["orders"]] == [second]
            assert service.sync()["state"] == "idle"
            assert service.order(first)["remarks"] == "nachher"

            def says_so() -> bool:
                ready = service.http.get("/health/ready")
                words = {check["name"]: check["words"] for check in ready.json()["checks"]}["migrations"]
                return ready.status_code == 200 and "at 9999, newer than" in words and "goes on" in words

            wait_until(says_so, "readiness")
        with running(settings, sandbox) as again:
            assert again.order(first)["remarks"] == "nachher"
            assert migrate.current_revision(database_url) == "9999"
    run_script(database_url, "UPDATE alembic_version SET oldest_code = '9999'")
    with pytest.raises(StoreUnavailable, match="newer version"):
        migrate.migrate(database_url)


REVISIONS = sorted(
    path.name.removesuffix(".py") for path in Path(migrate.__file__).parents[1].glob("migrations/versions/[0-9]*_*.py")
)
FIRST = "0017"
"""The first migration with an `oldest_code`."""

ADDITIVE = (
    r"CREATE TABLE \w+ \(.*\)( WITHOUT ROWID)?",
    r"CREATE INDEX \w+ ON \w+ .*",
    r"CREATE UNIQUE INDEX \w+ ON change_feed .*",  # of a table that the same migration adds
    r'ALTER TABLE \w+ ADD COLUMN "?\w+"? \w+( COLLATE "C")?( DEFAULT \S+( NOT NULL)?)?',
    r"UPDATE alembic_version SET .*",
    r"DELETE FROM lookup_keys WHERE kind = ''",  # it is rebuilt, and no version takes it for complete
)


def is_additive(sql: str) -> bool:
    """Whether code that does not know of these statements reads and writes as before."""
    statements = (" ".join(statement.split()) for statement in re.sub(r"--.*", "", sql).split(";"))
    return all(any(re.fullmatch(pattern, each) for pattern in ADDITIVE) for each in statements if each)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("name", [name for name in REVISIONS if name[:4] >= FIRST])
def test_a_migration_that_does_more_than_add_says_so(name: str, kind: str) -> None:
    """
    The previous version runs on while this one starts: only a migration that adds tables, nullable columns and indexes
    keeps `oldest_code`, any other one names its own revision; and it never goes back.
    """
    module = import_module(f"{VERSIONS}.{name}")
    assert hasattr(module, "oldest_code"), "see CONTRIBUTING, migrations"
    if name[:4] == FIRST:
        assert module.oldest_code == module.revision
        return
    before = import_module(f"{VERSIONS}.{REVISIONS[REVISIONS.index(name) - 1]}")
    assert before.oldest_code <= module.oldest_code <= module.revision
    if module.oldest_code != module.revision:
        assert is_additive(migration_sql(kind, f"{module.down_revision}:{module.revision}"))


@pytest.mark.parametrize(
    ("revisions", "expected"), [("0013:0015", True), ("0008:0009", True), ("0009:0010", False), ("0004:0005", False)]
)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_only_adds_is_told_apart(kind: str, revisions: str, expected: bool) -> None:
    """Tables, indexes and columns were added by these; renamed, dropped or given triggers by those."""
    assert is_additive(migration_sql(kind, revisions)) is expected


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE orders DROP COLUMN plate",
        "ALTER TABLE orders RENAME COLUMN plate TO number",
        "ALTER TABLE orders ADD COLUMN planted TEXT NOT NULL",
        "ALTER TABLE orders ALTER COLUMN plate SET NOT NULL",
        "CREATE UNIQUE INDEX planted ON orders (workshop, plate)",
        "DROP TABLE parts",
        "UPDATE orders SET plate = upper(plate)",
        "CREATE TABLE planted (id BIGINT); DROP INDEX orders_by_plate",
    ],
)
def test_a_planted_change_is_not_taken_for_an_addition(statement: str) -> None:
    assert not is_additive(statement)
