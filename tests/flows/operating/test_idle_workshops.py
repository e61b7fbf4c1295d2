"""What workshops cost that were used and that nobody asks any more."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.many_workshops import running_workshops
from tests.service import wait_until

NAMES = [f"w{number}" for number in range(1, 9)]
ESTABLISHED = "01"


def count_connections(port: int) -> int:
    """Return how many connections to this port are open. Source: proc(5), /proc/net/tcp."""
    lines = Path("/proc/self/net/tcp").read_text("ascii").splitlines()[1:]
    remote = [fields[2] for line in lines if (fields := line.split())[3] == ESTABLISHED]
    return sum(int(address.rpartition(":")[2], 16) == port for address in remote)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/net/tcp is Linux's")
def test_an_idle_workshop_has_no_task_and_no_connection(tmp_path: Path) -> None:
    """After a sync, a write and a look-up in each: no task is a workshop's, and none has a connection to its PlanSo."""
    with running_workshops(NAMES, f"sqlite:///{tmp_path / 'x.db'}", orders=4) as workshops:
        for http in workshops.http.values():
            order = http.get("/api/orders").json()["orders"][0]
            body = {"order_id": order["id"], "remarks": "Notiz"}
            assert http.put(f"/api/orders/{order['id']}", json=body).status_code == 200
            assert http.get("/api/lookup", params={"plate": order["plate"]}).status_code == 200
        port = int(workshops.service.settings.planso_url.split(":")[2].partition("/")[0])
        wait_until(lambda: not count_connections(port), "connections to PlanSo to be closed")

        def find_task() -> str | None:
            tasks = workshops.service.list_tasks()
            return next((name for name in tasks if not re.match(r"Task-\d+$|supervises |wake-ups: ", name)), None)

        wait_until(lambda: find_task() is None, "the workshops' tasks to end")
        assert len(workshops.service.list_tasks()) < 4 * len(NAMES)
