"""PostgreSQL configured by others: the connector works all the same, or says what to change."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, text

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.sandbox import Sandbox
from planso_connector.store.engine.postgresql_check import check_server
from planso_connector.store.maintenance import migrate, vacuum
from planso_connector.store.tables import rejected_logins
from tests.databases import PostgresqlServer, Store
from tests.service import running, settings_for, wait_until
from tests.store import counting

WORDS = "Łódź → 20 € 日本"


@contextmanager
def opened(url: str) -> Iterator[Store]:
    store = Store(url)
    try:
        yield store
    finally:
        store.close()


def test_settings_of_the_role_change_nothing(postgresql_server: PostgresqlServer) -> None:
    """A role with settings for other programs: a connector fills its mirror, writes, reads, finds."""
    url = postgresql_server.create_owned_database(
        "client_encoding = latin1",
        "default_transaction_read_only = on",
        "default_transaction_isolation = serializable",
        "statement_timeout = '2s'",
        "datestyle = 'German, DMY'",
        "intervalstyle = 'iso_8601'",
        "timezone = 'Asia/Kathmandu'",
        "standard_conforming_strings = off",
        "bytea_output = 'escape'",
        'search_path = "$user", public',
    )
    sandbox = Sandbox(orders=4)
    with sandbox.serve() as planso, running(settings_for(sandbox, planso, url), sandbox) as service:
        service.fill_mirror()
        order = sandbox.order_ids()[0]
        assert service.put(order, remarks=WORDS).status_code == 200
        assert service.order(order)["remarks"] == WORDS
        assert service.http.get("/api/orders", params={"text": "Łódź"}).json()["count"] == 1
        assert service.http.get("/health/ready").json()["state"] == "ready"


def test_bounds_of_the_role_are_not_those_of_a_unit(postgresql_server: PostgresqlServer) -> None:
    """
    The role's own time limits hold for none of the connector's transactions, nor does a `synchronous_commit` that waits
    for less than disk and synchronous standby; one that waits for more does.
    """
    url = postgresql_server.create_owned_database(
        "statement_timeout = '500ms'", "idle_in_transaction_session_timeout = '500ms'", "synchronous_commit = off"
    )
    migrate.migrate(url)
    setting = text("SELECT current_setting('synchronous_commit') AS setting")
    with opened(url) as store:
        store.read(lambda tx: tx.fetch_all(text("SELECT CAST(pg_sleep(0.7) AS text)")))
        assert store.write(lambda tx: tx.fetch_all(setting)) == [{"setting": "on"}]
    assert vacuum.vacuum(url)
    role = urlsplit(url).username
    for configured, in_force in (("local", "on"), ("remote_apply", "remote_apply")):
        postgresql_server.sql(f"ALTER ROLE {role} SET synchronous_commit = {configured}")
        with opened(url) as store:
            assert store.write(lambda tx: tx.fetch_all(setting)) == [{"setting": in_force}]


def test_what_the_environment_sets_is_not_what_counts(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PGCLIENTENCODING, PGOPTIONS and `client_encoding` in the URL have no effect."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv("PGOPTIONS", "-c default_transaction_read_only=on")
    for url in (postgresql_url, f"{postgresql_url}&client_encoding=latin1"):
        with opened(url) as store:
            store.write(counting.put("a", WORDS))
            assert store.read(counting.read("a")) == WORDS


def test_a_table_that_somebody_renamed_is_told(postgresql_server: PostgresqlServer) -> None:
    """Callers get 503, readiness names what is missing; with its old name it works again by itself."""
    name = postgresql_server.borrow_database()
    sandbox = Sandbox(orders=4)
    settings = settings_for(sandbox, "", postgresql_server.url(name))
    with sandbox.serve() as planso, running(settings.model_copy(update={"planso_url": planso}), sandbox) as service:
        service.fill_mirror()
        order = sandbox.order_ids()[0]
        postgresql_server.sql("ALTER TABLE operations RENAME TO lost", name)
        for path in ("/api/orders", f"/api/orders/{order}", "/api/operations", "/health/ready"):
            answer = service.http.get(path)
            assert (answer.status_code, answer.json()["success"]) == (503, False), answer.text
            assert '"operations" does not exist' in answer.json()["message"]
        assert service.put(order, remarks="a").status_code == 503
        assert service.http.get("/metrics").status_code == 200
        postgresql_server.sql("ALTER TABLE lost RENAME TO operations", name)
        wait_until(lambda: service.http.get("/health/ready").status_code == 200, "readiness")
        assert service.put(order, remarks="b").status_code == 200
    postgresql_server.return_database(name)


def test_a_table_that_was_altered_is_read_again(postgresql_server: PostgresqlServer) -> None:
    """A prepared statement survives that another process altered its table."""
    name = postgresql_server.create_database()
    remembered = select(rejected_logins.c.fingerprint)
    with opened(postgresql_server.url(name)) as store:
        for _ in range(10):
            store.read(lambda tx: tx.fetch_all(remembered))
        postgresql_server.sql("ALTER TABLE rejected_logins ALTER COLUMN fingerprint TYPE varchar(90)", name)
        assert store.read(lambda tx: tx.fetch_all(remembered)) == []
    postgresql_server.drop_database(name)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_of_another_encoding_is_refused(postgresql_server: PostgresqlServer, encoding: str) -> None:
    """The start fails with the statement that creates a suitable database."""
    name = f"coded_{encoding.lower()}"
    postgresql_server.sql(
        f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE_PROVIDER libc "
        "LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    url = postgresql_server.url(name)
    with pytest.raises(StoreUnavailable, match=f"its encoding is {encoding}.*ENCODING 'UTF8' TEMPLATE template0"):
        migrate.migrate(url)
    with opened(url) as store, pytest.raises(StoreUnavailable, match="its encoding is"):
        store.read(counting.read("a"))
    postgresql_server.drop_database(name)


def test_trigrams_are_found_in_another_schema(postgresql_server: PostgresqlServer) -> None:
    """`pg_trgm` in a schema that is on no search_path, the tables in one that the role's search_path names."""
    url = postgresql_server.create_owned_database("search_path = shop")
    role = urlsplit(url).username
    for statement in (
        "CREATE SCHEMA extensions",
        "CREATE EXTENSION pg_trgm SCHEMA extensions",
        f"CREATE SCHEMA shop AUTHORIZATION {role}",
    ):
        postgresql_server.sql(statement, str(role))
    with pytest.raises(StoreUnavailable, match=f'GRANT USAGE ON SCHEMA extensions TO "{role}"'):
        migrate.migrate(url)
    postgresql_server.sql(f"GRANT USAGE ON SCHEMA extensions TO {role}", str(role))
    migrate.migrate(url)
    with opened(url) as store:
        made = text("SELECT indexdef FROM pg_indexes WHERE schemaname = 'shop' AND indexdef LIKE '%gin_trgm_ops%'")
        assert len(store.read(lambda tx: tx.fetch_all(made))) == 1
    elsewhere = f"{url}&options=-csearch_path=nothing"
    with pytest.raises(StoreUnavailable, match=r"none of the schemas of its search_path \(nothing\)"):
        migrate.migrate(elsewhere)


def test_rights_that_are_missing_are_reported(postgresql_server: PostgresqlServer) -> None:
    """No right to make tables, then none to make the extension: the statement that helps, until it works."""
    url = postgresql_server.create_owned_database()
    role = str(urlsplit(url).username)
    postgresql_server.sql(f"ALTER DATABASE {role} OWNER TO postgres")
    postgresql_server.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", role)
    for told in (f'GRANT CREATE, USAGE ON SCHEMA public TO "{role}"', "CREATE EXTENSION pg_trgm"):
        with pytest.raises(StoreUnavailable, match=told):
            migrate.migrate(url)
        postgresql_server.sql(told, role)
    migrate.migrate(url)
    assert migrate.current_revision(url) == migrate.head_revision()


def test_too_low_limits_are_reported(postgresql_server: PostgresqlServer) -> None:
    """Connection limits of the role, the database and the server are reported at start."""
    url = postgresql_server.create_owned_database(connections=5)
    role = urlsplit(url).username
    with opened(url) as store:
        store.read(lambda tx: tx.fetch_all(text("SELECT 1")))

        def told(wanted: int) -> str:
            return " ".join(words for words in store.read(lambda tx: check_server(tx, wanted)) if "fsync" not in words)

        assert told(5) == ""
        assert f"'{role}' has CONNECTION LIMIT 5. Set CONNECTOR_DATABASE_CONNECTIONS to fewer" in told(6)
        postgresql_server.sql(f"ALTER DATABASE {role} CONNECTION LIMIT 4")
        assert "the database has CONNECTION LIMIT 4" in told(5)
        assert "max_connections leaves 57" in told(58)


@pytest.fixture
def standby(postgresql_server: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """A server that follows another one, and takes no writes."""
    folder = Path(tempfile.mkdtemp(prefix="pc-", dir="/tmp"))
    server = postgresql_server.new_server(folder)
    try:
        server.init_cluster()
        (folder / "data" / "standby.signal").touch()
        server.start(connections=100)  # a standby has to allow as many as what it follows had
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def test_a_standby_is_refused_and_passed_over(
    postgresql_server: PostgresqlServer, standby: PostgresqlServer, postgresql_url: str
) -> None:
    """A standby alone is refused; of two hosts, the primary is used whichever comes first."""
    with pytest.raises(StoreUnavailable, match="standby"):
        migrate.migrate(standby.url("postgres"))
    with opened(standby.url("postgres")) as store:
        with pytest.raises(StoreUnavailable, match="standby"):
            store.write(counting.put("a"))
        assert store.read(lambda tx: tx.fetch_all(text("SELECT 1 AS one"))) == [{"one": 1}]
    database = postgresql_url.partition("@/")[2].partition("?")[0]
    with opened(f"postgresql://postgres@/{database}?host={standby.folder}&host={postgresql_server.folder}") as store:
        store.write(counting.put("a"))
        assert store.read(counting.read("a")) == "1"
