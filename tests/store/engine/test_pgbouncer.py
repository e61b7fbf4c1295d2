"""A whole connector on a database that others share: behind PgBouncer, or with few connections."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg

from planso_connector.sandbox import Sandbox
from tests.databases import PostgresqlServer
from tests.service import Service, running, settings_for, wait_until

ASYNC = {"Prefer": "respond-async"}
COUNT = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"


def asked_at_once(service: Service, *, requests: int, callers: int = 8) -> Counter[int]:
    """Status codes of reads and writes of so many callers, counted."""
    orders = service.sandbox.order_ids()

    def ask(number: int) -> int:
        order = orders[number % len(orders)]
        if number % 4 == 0:
            return service.http.patch(
                f"/api/orders/{order}", json={"remarks": f"Nr. {number} → €"}, headers=ASYNC
            ).status_code
        if number % 4 == 1:
            return service.http.get("/api/orders", params={"text": "Nr", "limit": "5"}).status_code
        if number % 4 == 2:
            return service.http.get("/api/lookup", params={"plate": "WN-AE 2309"}).status_code
        return service.http.get(f"/api/orders/{order}").status_code

    with ThreadPoolExecutor(callers) as pool:
        return Counter(pool.map(ask, range(requests)))


def test_behind_pgbouncer_everybody_is_answered(pooled_url: str) -> None:
    """Of 400 requests at once over four servers in transaction mode, reads and writes, none fails."""
    sandbox = Sandbox(orders=12)
    with sandbox.serve() as planso, running(settings_for(sandbox, planso, pooled_url), sandbox) as service:
        service.fill_mirror()
        statuses = asked_at_once(service, requests=400, callers=16)
        assert statuses == {200: 300, 202: 100}
        assert service.put(sandbox.order_ids()[0], remarks="zuletzt").status_code == 200


def test_with_few_connections_everybody_is_answered(postgresql_server: PostgresqlServer) -> None:
    """If the server admits fewer connections than configured, the connector works with those it gets."""
    url = postgresql_server.create_owned_database(connections=1)
    sandbox = Sandbox(orders=8)
    with sandbox.serve() as planso, running(settings_for(sandbox, planso, url), sandbox) as service:
        service.fill_mirror()
        statuses = asked_at_once(service, requests=120)
        assert statuses == {200: 90, 202: 30}


def test_it_opens_no_more_than_it_may(postgresql_server: PostgresqlServer) -> None:
    """CONNECTOR_DATABASE_CONNECTIONS bounds the number of connections."""
    url = postgresql_server.create_owned_database()
    sandbox = Sandbox(orders=8)
    settings = settings_for(sandbox, "", url, connector_database_connections=4)
    seen: set[int] = set()
    ended = threading.Event()

    def look() -> None:
        with psycopg.connect(postgresql_server.url("postgres"), autocommit=True) as other:
            while not ended.wait(0.01):
                row = other.execute(COUNT, (urlsplit(url).username,)).fetchone()
                assert row is not None
                seen.add(row[0])

    with sandbox.serve() as planso, running(settings.model_copy(update={"planso_url": planso}), sandbox) as service:
        looking = threading.Thread(target=look)
        looking.start()
        try:
            service.fill_mirror()
            assert asked_at_once(service, requests=120) == {200: 90, 202: 30}
        finally:
            ended.set()
            looking.join()
    assert max(seen) == 4, seen


def test_a_shortage_ends_by_itself(postgresql_server: PostgresqlServer) -> None:
    """After all connections are lost, everybody is answered with one connection, and later with all again."""
    url = postgresql_server.create_owned_database()
    role = urlsplit(url).username
    sandbox = Sandbox(orders=8)
    with sandbox.serve() as planso, running(settings_for(sandbox, planso, url), sandbox) as service:
        service.fill_mirror()
        for limit in (1, -1):
            postgresql_server.sql(f"ALTER ROLE {role} CONNECTION LIMIT {limit}")
            postgresql_server.disconnect(role=role)
            wait_until(lambda: service.http.get("/api/orders").status_code == 200, "a connection")
            assert asked_at_once(service, requests=80) == {200: 60, 202: 20}
