"""A database of each earlier version, in use: the connector brings it up to date at its start, and serves it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from planso_connector.sandbox import Sandbox
from planso_connector.store.maintenance import migrate
from planso_connector.store.order_rows import to_json
from tests.databases import make_as_of, run_script
from tests.service import running, settings_for
from tests.store.maintenance.old_rows import OLD_ROWS
from tests.store.samples import order

EARLIER = sorted(
    revision
    for script in (Path(migrate.__file__).parents[1] / "migrations" / "versions").glob("[0-9]*_*.py")
    if (revision := script.name.partition("_")[0]) != migrate.head_revision()
)

RENAMED = import_module("planso_connector.store.migrations.versions.0010_plain_names")
"""From this revision on the tables of the old rows have other names."""


@pytest.mark.parametrize("revision", EARLIER)
def test_every_earlier_database_is_upgraded_and_served(tmp_path: Path, revision: str) -> None:
    """Its order is shown and looked up, what was pending is settled, a sync and a write go well, history is kept."""
    sandbox = Sandbox(orders=5)
    order_id = sandbox.order_ids()[0]
    url = f"sqlite:///{tmp_path}/old.db"
    make_as_of(url, revision)
    document = to_json(order(order_id).to_document()).replace("'", "''")
    rows = OLD_ROWS.replace("""{"id":123,"person":"Jürgen"}""", "DOCUMENT").replace("'reit'", "'default'")
    rows = rows.replace("123", str(order_id)).replace("'fingerprint'", "'00$00'")
    if revision >= RENAMED.revision:
        for old, new in RENAMED.TABLES.items():
            rows = rows.replace(f"INSERT INTO {old} ", f"INSERT INTO {new} ")
    run_script(url, rows.replace("DOCUMENT", document))

    with sandbox.serve() as planso, running(settings_for(sandbox, planso, url), sandbox) as service:
        assert migrate.current_revision(url) == migrate.head_revision()
        operation = service.http.get("/api/operations/op_1", params={"wait": "60"}).json()["operation"]
        assert operation["state"] == "expired"
        assert service.sync()["state"] == "idle"
        assert service.order(order_id)["version"] > 7
        plate = service.order(order_id)["plate"]
        found = service.http.get("/api/lookup", params={"plate": plate}).json()
        assert str(order_id) in str(found)
        assert service.put(order_id, remarks="nach dem Umzug").status_code == 200
        history = service.http.get(f"/api/orders/{order_id}/history").json()["history"]
        assert {entry["by"] for entry in history} >= {"PlanSo"}
