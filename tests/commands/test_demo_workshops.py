"""`serve --demo --workshops 3`: the sandbox's workshops, one of them the environment's and two registered."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2

from tests.command_line import command_here
from tests.process import ConnectorProcess, connector_process, free_port
from tests.service import wait_until


def read_order(connector: ConnectorProcess, key: str = "") -> dict[str, str]:
    """Order 123 of the key's workshop, once it is there."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    def find() -> dict[str, str] | None:
        response = connector.http.get("/api/orders/123", headers=headers)
        return response.json()["order"] if response.status_code == 200 else None

    order = wait_until(find, "order 123")
    assert order is not None
    return order


def test_the_demo_serves_several_workshops(tmp_path: Path) -> None:
    """
    Each key reads and writes its own workshop; without one it is the first, whose order 123 is the README's. At the
    next start, with another port of the sandbox, changes are still there and the keys are new.
    """
    found: list[list[str]] = []
    for expected in (None, "Dora Dauerhaft"):
        port = str(free_port())
        arguments = ("--demo", "--workshops", "3", "--sandbox-port", port)
        with connector_process({}, tmp_path, *arguments) as connector:
            assert "Key of the workshop w003" in connector.log()
            keys = re.findall(r"^pc_\S+$", connector.log(), re.MULTILINE)
            found.append(keys)
            people = [read_order(connector, key)["person"] for key in ("", *keys)]
            assert people[0] == "Jana Petersen"
            assert len(keys) == 2
            if expected is not None:
                assert people[1] == expected
            headers = {"Authorization": f"Bearer {keys[0]}"}
            body = {"order_id": 123, "person": "Dora Dauerhaft"}
            assert connector.http.put("/api/orders/123", json=body, headers=headers).status_code == 200
            assert [read_order(connector, key)["person"] for key in ("", *keys)] == [
                people[0],
                "Dora Dauerhaft",
                people[2],
            ]
            seen = httpx2.get(f"http://127.0.0.1:{port}/sandbox/sessions").json()
            assert seen == {"shared_use": {}, "foreign_sessions": {}}
            assert connector.stop() == 0
    first, second = found
    assert [key.split("_")[1] for key in first] == [key.split("_")[1] for key in second]
    assert not set(first) & set(second)


def test_workshops_belong_to_the_demo(tmp_path: Path) -> None:
    """Without --demo the error names the command that adds workshops."""
    done = command_here(tmp_path, "serve", "--workshops", "2")
    assert done.exit_code == 2
    assert "workshops add" in done.stderr
