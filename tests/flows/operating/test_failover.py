"""The primary of two PostgreSQL servers is lost, and its standby takes over."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import CalledProcessError

import psycopg
import pytest

from planso_connector.sandbox import Sandbox
from tests.databases import PostgresqlServer
from tests.service import running, settings_for, wait_until

ASYNC = {"Prefer": "respond-async"}
SYNCHRONOUS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


@pytest.fixture
def pair(postgresql_server: PostgresqlServer) -> Iterator[tuple[PostgresqlServer, PostgresqlServer]]:
    """A primary whose commits wait for the standby, and that standby."""
    folders = [Path(tempfile.mkdtemp(prefix="pc-", dir="/tmp")) for _ in range(2)]
    primary, standby = (postgresql_server.new_server(folder) for folder in folders)
    try:
        primary.init_cluster()
        standby.become_standby_of(primary)
        primary.start(synchronous_standby_names="*", synchronous_commit="local")
        standby.start(
            connections=100,  # initdb's number, of which the copied log knows
            primary_conninfo=f"host={primary.folder} user=postgres",
            wal_retrieve_retry_interval="100ms",
        )
        with psycopg.connect(primary.url("postgres"), autocommit=True) as session:
            wait_until(lambda: session.execute(SYNCHRONOUS).fetchone() == (1,), "the standby")
        yield primary, standby
    finally:
        for server in (primary, standby):
            with suppress(CalledProcessError):  # it does not run
                server.stop()
            shutil.rmtree(server.folder)


def test_an_accepted_write_outlives_its_primary(pair: tuple[PostgresqlServer, PostgresqlServer]) -> None:
    """
    The primary dies while an accepted write waits for PlanSo. Until the standby is promoted requests are 503 and say
    why; then, without a restart, the write is sent once, and new ones are accepted.
    """
    primary, standby = pair
    primary.sql("CREATE DATABASE shop")
    url = f"postgresql://postgres@/shop?host={primary.folder}&host={standby.folder}"
    sandbox = Sandbox(orders=4)
    order, other = sandbox.order_ids()[:2]
    with sandbox.serve() as planso, running(settings_for(sandbox, planso, url), sandbox) as service:
        service.fill_mirror()
        sandbox.knobs.fail_next = 1_000_000
        accepted = service.http.patch(f"/api/orders/{order}", json={"remarks": "angenommen"}, headers=ASYNC)
        assert accepted.status_code == 202
        primary.stop()
        for response in (
            service.http.get(f"/api/orders/{order}"),
            service.put(other, remarks="abgewiesen"),
            service.http.get("/health/ready"),
        ):
            assert (response.status_code, response.json()["success"]) == (503, False), response.text
            assert "can't be reached" in response.text
        standby.promote()
        wait_until(lambda: service.http.get("/health/ready").status_code == 200, "readiness")
        assert service.operation(accepted)["state"] == "pending"
        sandbox.forget_requests()
        sandbox.knobs.fail_next = 0
        assert service.wait_until_settled(accepted)["state"] == "confirmed"
        assert sum(request.saving for request in sandbox.requests) == 1
        assert sandbox.value(other, "Bemerkungen") != "abgewiesen"
        assert service.put(other, remarks="danach").status_code == 200
