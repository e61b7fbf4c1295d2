"""`planso-connector webhooks`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command_line import command_here
from tests.receiver import LOOPBACK, receiving


def test_receivers_are_managed(tmp_path: Path) -> None:
    """Add, list, try, look at attempts, rotate, switch off and on, have events again, remove; faults are exit codes."""
    settings = {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db", "CONNECTOR_WEBHOOK_NETWORKS": LOOPBACK}
    assert command_here(tmp_path, "migrate", **settings).exit_code == 0

    def run(*arguments: str, code: int = 0) -> str:
        done = command_here(tmp_path, "webhooks", *arguments, **settings)
        assert done.exit_code == code, done.output
        return done.output

    with receiving() as receiver:
        added = run("add", receiver.url, "--type", "order.created")
        webhook = added.split()[1]
        secret = added.split()[-1]
        assert secret.startswith("whsec_")
        (listed,) = json.loads(run("list", "--json"))
        assert (listed["id"], listed["types"], listed["state"]) == (webhook, "order.created", "on")
        assert secret not in run("list")
        assert "delivered" in run("send-example", webhook)
        receiver.answer = lambda _: 500
        assert "500" in run("send-example", webhook, code=1)
        outcomes = [attempt["outcome"] for attempt in json.loads(run("attempts", webhook, "--json"))]
        assert outcomes == ["HTTP status 500", "delivered"]
        assert secret not in run("rotate", webhook)
        run("disable", webhook)
        assert "off" in run("list")
        run("enable", webhook)
        run("recover", webhook, "2026-11-23T08:00:00")
        run("remove", webhook)
    assert run("list").strip() == "None."
    assert f"no webhook {webhook}" in run("rotate", webhook, code=1)
    assert "CONNECTOR_WEBHOOK_NETWORKS" in run("add", "https://10.0.0.7/", code=2)
