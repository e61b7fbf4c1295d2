"""GET /health/ready: 503 and the reason where the connector can't work, but not because PlanSo is down."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import psycopg
from sqlalchemy import update

from planso_connector.domain import clock
from planso_connector.sandbox import Sandbox
from planso_connector.store.maintenance import migrate
from planso_connector.store.tables import operations
from tests.databases import run_script
from tests.service import Service, running, running_on_sqlite, settings_for, wait_until

NAMES = ["database", "migrations", "mirror", "sync", "planso_login", "planso_sessions", "planso", "writes", "index"]
NAMES += ["clock", "workers", "log"]


def ready(service: Service) -> tuple[int, str, dict[str, dict[str, Any]]]:
    """Status, state, and the checks that are not ok, by name."""
    answer = service.http.get("/health/ready")
    body = answer.json()
    assert [check["name"] for check in body["checks"]] == NAMES
    assert body["success"] is (answer.status_code == 200)
    wrong = {check["name"]: check for check in body["checks"] if not check["ok"]}
    assert all(name in body["message"] and check["words"] in body["message"] for name, check in wrong.items())
    return answer.status_code, body["state"], wrong


def test_another_versions_schema_is_not_ready(database_url: str) -> None:
    """Migrated by another process, or by none: 503 names the migrations and says what to do."""

    def set_to(number: str) -> None:
        run_script(database_url, f"UPDATE alembic_version SET version_num = '{number}', oldest_code = '{number}'")  # noqa: S608

    sandbox = Sandbox(orders=12)
    with sandbox.serve() as url, running(settings_for(sandbox, url, database_url), sandbox) as service:
        service.wait_for_sync()
        wait_until(lambda: ready(service) == (200, "ready", {}))
        for revision, remedy in (("0001", "planso-connector migrate"), ("9999", "newer")):
            set_to(revision)

            def names_the_remedy(remedy: str = remedy) -> bool:
                status, state, wrong = ready(service)
                is_alone = (status, state, list(wrong)) == (503, "not_ready", ["migrations"])
                return is_alone and remedy in wrong["migrations"]["words"]

            wait_until(names_the_remedy)  # on a busy machine the database may miss a check's time limit, too
        set_to(migrate.head_revision())
        wait_until(lambda: ready(service) == (200, "ready", {}))


def test_a_full_disk_of_postgresql_is_not_ready(postgresql_url: str) -> None:
    """
    Tables can't grow, while the small write of readiness still finds room: 503 as long as writes fail for it, ready
    again by itself afterwards.
    """
    body = "BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END"
    sandbox = Sandbox(orders=4)
    with (
        sandbox.serve() as url,
        running(settings_for(sandbox, url, postgresql_url), sandbox) as service,
        psycopg.connect(postgresql_url, autocommit=True) as server,
    ):
        service.fill_mirror()
        server.execute(f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $${body}$$".encode())
        server.execute(b"CREATE TRIGGER full_disk BEFORE INSERT ON operations EXECUTE FUNCTION full_disk()")
        try:
            refused = service.put(sandbox.order_ids()[0], remarks="a")
            assert (refused.status_code, "its disk is full" in refused.json()["message"]) == (503, True), refused.text
            status, _, wrong = ready(service)
            assert (status, "its disk is full" in wrong["database"]["words"]) == (503, True)
        finally:
            server.execute(b"DROP FUNCTION full_disk CASCADE")
        wait_until(lambda: ready(service)[0] == 200, "readiness")
        assert service.put(sandbox.order_ids()[0], remarks="b").status_code == 200


def test_a_locked_database_is_not_ready(tmp_path: Path) -> None:
    """Another program locks the file: 503 names the database and since when, reads go on; it recovers."""
    sandbox = Sandbox(orders=12)
    with running_on_sqlite(tmp_path, sandbox) as service, closing(apsw.Connection(f"{tmp_path}/connector.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        wait_until(lambda: ready(service)[0] == 503)
        assert service.order(sandbox.order_ids()[0])
        _, state, wrong = ready(service)
        assert (state, list(wrong)) == ("not_ready", ["database"])
        since = wrong["database"]["since"]
        assert ready(service)[2]["database"]["since"] == since
        other.execute("ROLLBACK")
        wait_until(lambda: ready(service)[0] == 200)


def test_readiness_does_not_depend_on_planso(tmp_path: Path) -> None:
    """PlanSo answers with errors: 200, degraded, with its answer; a write that waits long is named too."""
    sandbox = Sandbox(orders=12)
    with running_on_sqlite(tmp_path, sandbox) as service:
        order_id = sandbox.order_ids()[0]
        sandbox.knobs.fail_next = 10_000
        waiting = service.http.put(
            f"/api/orders/{order_id}",
            json={"order_id": order_id, "remarks": "wartet"},
            headers={"Prefer": "respond-async"},
        )
        wait_until(lambda: "planso" in ready(service)[2])
        status, state, wrong = ready(service)
        assert (status, state, list(wrong)) == (200, "degraded", ["planso"])
        assert "overloaded" in wrong["planso"]["words"]

        long_ago = clock.format_instant(clock.now() - timedelta(minutes=6))
        statement = update(operations).values(created_at=long_ago)
        service.write_database(lambda tx: (tx.execute(statement), None)[1])
        status, state, wrong = ready(service)
        assert (status, state, list(wrong)) == (200, "degraded", ["planso", "writes"])
        assert "1 wait for PlanSo, the oldest for 6 min" in wrong["writes"]["words"]

        sandbox.knobs.fail_next = 0
        assert service.wait_until_settled(waiting)["state"] == "confirmed"
        assert ready(service) == (200, "ready", {})
