"""A connector that is killed while it delivers: each event arrives, those of an order in their order."""

from __future__ import annotations

from pathlib import Path

from planso_connector.sandbox import Sandbox
from tests.process import connector_process
from tests.receiver import LOOPBACK, receiving
from tests.service import wait_until

KILLS = 4


def test_a_killed_connector_leaves_no_event_out(sqlite_path: Path, tmp_path: Path) -> None:
    """Killed with -9 under writes, again and again: every confirmed write's event arrives at least once."""
    sandbox = Sandbox(orders=6)
    with sandbox.serve() as url, receiving() as receiver:
        environment = {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
            "CONNECTOR_DATABASE_URL": f"sqlite:///{sqlite_path}",
            "CONNECTOR_SYNC_INTERVAL": "0",
            "CONNECTOR_WEBHOOK_NETWORKS": LOOPBACK,
        }
        orders = sandbox.order_ids()[:3]
        for turn in range(KILLS):
            with connector_process(environment, tmp_path) as connector:
                if turn == 0:
                    connector.wait_for_sync()
                    body = {"url": receiver.url, "types": ["order.updated"]}
                    assert connector.http.post("/api/webhooks", json=body).status_code == 200
                for number in range(3):
                    for order_id in orders:
                        text = f"Lauf {turn}, Nr. {number}"
                        answer = connector.http.patch(f"/api/orders/{order_id}", json={"remarks": text})
                        assert answer.status_code == 200, answer.text
                if turn < KILLS - 1:
                    connector.kill()
                    continue
                versions = {
                    order_id: connector.http.get(f"/api/orders/{order_id}").json()["order"]["version"]
                    for order_id in orders
                }

                def has_all(versions: dict[int, int] = versions) -> bool:
                    return all((receiver.taken_of(one) or [0])[-1] == last for one, last in versions.items())

                wait_until(has_all, "the last events")
        for order_id, last in versions.items():
            assert receiver.taken_of(order_id) == list(range(2, last + 1))
