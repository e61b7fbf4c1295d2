"""The whole connector on SQLite and on PostgreSQL: the same responses."""

from __future__ import annotations

from planso_connector.sandbox import Sandbox
from tests.service import running, settings_for


def test_the_connector_is_the_same_on_both_databases(database_url: str) -> None:
    """Sync, lookup, write, create, delete, a quiet resync and two connectors at once, on each database."""
    sandbox = Sandbox(orders=12)
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, database_url)
        with running(settings, sandbox) as first, running(settings, sandbox) as second:
            first.wait_for_sync()
            assert second.wait_for_sync()["state"] == "idle"
            order_id = sandbox.order_ids()[0]
            assert first.put(order_id, person="Öl & Söhne ß", shop_date="1.12.26").status_code == 200
            assert second.order(order_id)["person"] == "Öl & Söhne ß"
            assert second.order(order_id)["pending"] == []
            found = second.http.get("/api/orders", params={"person": "OEL & soehne SS"}).json()
            assert [order["id"] for order in found["orders"]] == [order_id]
            created = first.http.post(
                "/api/orders", json={"person": "Neu", "vehicle_details": {"number_plate": "B-NO 7"}}
            )
            new_id = created.json()["order_id"]
            assert second.http.get("/api/orders", params={"plate": "bno7"}).json()["orders"][0]["id"] == new_id
            parts = second.http.get(f"/api/orders/{sandbox.order_ids()[1]}/parts").json()
            assert parts["count"] == len(sandbox.parts(sandbox.order_ids()[1]))
            assert second.http.delete(f"/api/orders/{new_id}").status_code == 200
            assert first.http.get(f"/api/orders/{new_id}").status_code == 404
            first.sync()
            second.sync()  # logs in: callers were served in another session
            assert second.sync()["last_result"]["requests"] == 1
            page = second.http.get("/api/orders", params={"limit": "7"}).json()
            rest = first.http.get("/api/orders", params={"limit": "500", "cursor": page["next_cursor"]}).json()
            listed = [order["id"] for order in page["orders"] + rest["orders"]]
            assert sorted(listed) == sorted(sandbox.order_ids())
            table = second.http.get("/api/orders.csv", params={"fields": "id", "dialect": "standard"}).text.split()
            assert table[0] == "id"
            assert sorted(map(int, table[1:])) == sorted(sandbox.order_ids())
            timeline = second.http.get(f"/api/orders/{order_id}/timeline").json()["timeline"]
            assert "changed.shop_date" in {entry["what"] for entry in timeline["entries"]}
