"""The database's file goes away under a running connector: callers, readiness and metrics say so; what to do helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planso_connector.sandbox import Sandbox
from tests.service import Service, running, running_on_sqlite, settings_for, wait_until
from tests.store.engine.file_faults import FAULTS, overwrite

ASYNC = {"Prefer": "respond-async"}


def database_check(service: Service) -> dict[str, Any]:
    checks: list[dict[str, Any]] = service.http.get("/health/ready").json()["checks"]
    return next(check for check in checks if check["name"] == "database")


@pytest.mark.parametrize("fault", ["deleted", "replaced", "log deleted", "overwritten"])
def test_a_lost_database_file_is_told_to_everybody(tmp_path: Path, fault: str) -> None:
    """Writes are 503 and say since when and what to do; readiness and its metric name the database; reads go on."""
    do, words = FAULTS[fault]
    sandbox = Sandbox(orders=3)
    order_id = sandbox.order_ids()[0]
    with running_on_sqlite(tmp_path, sandbox) as service:
        assert database_check(service)["ok"] is True
        do(tmp_path / "connector.db")
        wait_until(lambda: not database_check(service)["ok"], "readiness to say it")

        check = database_check(service)
        assert words in str(check["words"])
        assert str(check["since"])[:19] in str(check["words"])
        assert service.http.get("/health/ready").status_code == 503
        assert 'check_ok{check="database"} 0.0' in service.http.get("/metrics").text
        refused = service.http.patch(f"/api/orders/{order_id}", json={"remarks": "neu"}, headers=ASYNC)
        assert (refused.status_code, "Operation-Id" in refused.headers) == (503, False)
        assert refused.json()["message"] == check["words"]
        read = service.http.get(f"/api/orders/{order_id}")
        assert read.status_code == (503 if do is overwrite else 200)
    assert sandbox.value(order_id, "Bemerkungen") != "neu"


def test_what_was_accepted_outlives_a_deleted_log(tmp_path: Path) -> None:
    """202, then the write-ahead log is deleted: after a restart the write is there, and reaches PlanSo."""
    sandbox = Sandbox(orders=3)
    order_id = sandbox.order_ids()[0]
    with sandbox.serve() as planso:
        settings = settings_for(sandbox, planso, f"sqlite:///{tmp_path}/connector.db")
        with running(settings, sandbox) as service:
            service.fill_mirror()
            sandbox.knobs.fail_next = 1_000_000
            accepted = service.http.patch(f"/api/orders/{order_id}", json={"remarks": "bleibt"}, headers=ASYNC)
            assert accepted.status_code == 202
            (tmp_path / "connector.db-wal").unlink()
            wait_until(lambda: not database_check(service)["ok"], "readiness to say it")
        sandbox.knobs.fail_next = 0
        with running(settings, sandbox) as service:
            assert service.wait_until_settled(accepted)["state"] == "confirmed"
    assert sandbox.value(order_id, "Bemerkungen") == "bleibt"
