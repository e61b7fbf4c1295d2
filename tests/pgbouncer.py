"""Debian's PgBouncer in front of the tests' PostgreSQL server: few server connections for many clients."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psycopg
import pytest

from tests.databases import PostgresqlServer, Store
from tests.service import wait_until

MISSING = "no PgBouncer on this machine (apt-get install pgbouncer)"
_ports = count(6432)


@contextmanager
def pooler(server: PostgresqlServer, **changes: object) -> Iterator[int]:
    """Run a PgBouncer with its socket in the server's folder; yield its port. Skip the test if none is installed."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    port, folder, account = next(_ports), server.folder, server.account
    settings = {
        "unix_socket_dir": folder,
        "listen_addr": "",
        "listen_port": port,
        "auth_type": "trust",
        "auth_file": folder / f"users-{port}",
        "admin_users": "postgres",
        "pool_mode": "transaction",
        "default_pool_size": 4,
        "logfile": folder / f"pgbouncer-{port}.log",
    } | changes
    lines = [f"{name} = {value}" for name, value in settings.items()]
    configuration = folder / f"pgbouncer-{port}.ini"
    configuration.write_text("\n".join(["[databases]", f"* = host={folder}", "[pgbouncer]", *lines, ""]))
    (folder / f"users-{port}").write_text('"postgres" ""\n')
    process = subprocess.Popen(
        [program, "-q", configuration],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        user=account.pw_uid if account is not None else None,
        group=account.pw_gid if account is not None else None,
        extra_groups=[] if account is not None else None,
    )

    def accepts_connections() -> bool:
        assert process.poll() is None, "PgBouncer does not start"
        try:
            psycopg.connect(f"postgresql://postgres@/pgbouncer?host={folder}&port={port}", autocommit=True).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        wait_until(accepts_connections, "PgBouncer")
        yield port
    finally:
        process.terminate()
        process.wait(90)


@pytest.fixture(scope="session")
def pgbouncer(postgresql_server: PostgresqlServer) -> Iterator[int]:
    """Return the port of a PgBouncer in transaction mode."""
    with pooler(postgresql_server) as port:
        yield port


@pytest.fixture
def pooled_url(pgbouncer: int, postgresql_server: PostgresqlServer, postgresql_url: str) -> Iterator[str]:
    """Return the URL of a fresh, migrated PostgreSQL database behind PgBouncer."""
    yield f"{postgresql_url}&port={pgbouncer}"
    # PgBouncer keeps its connections; the next borrower of the database would take them for a running connector.
    postgresql_server.disconnect(database=postgresql_url.partition("@/")[2].partition("?")[0])


@pytest.fixture
def pooled_store(pooled_url: str) -> Iterator[Store]:
    opened = Store(pooled_url)
    yield opened
    opened.close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Report at the very end how many tests were skipped for lack of PgBouncer."""
    yield
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if MISSING in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"SKIPPED: {len(skipped)} tests that need PgBouncer: {MISSING}.", yellow=True)
