"""The commands `keys` and `accesses` beside a running connector; and where a connector may listen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from planso_connector import logs
from planso_connector.cli import cli
from planso_connector.domain.scopes import SCOPE_DESCRIPTIONS
from planso_connector.flows.operating.access_log import BATCH
from planso_connector.sandbox import Sandbox
from planso_connector.store.maintenance import migrate
from tests.process import connector_process
from tests.service import wait_until

EVERYWHERE = "0.0.0.0"  # noqa: S104 - it is what is refused

KEY = re.compile(r"pc_([0-9a-f]{10})_[0-9a-f]{64}")


@pytest.fixture
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    sandbox = Sandbox(orders=getattr(request, "param", 12))
    with sandbox.serve() as url:
        yield {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
            "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db",
        }


def command(*arguments: str, **environment: str) -> Result:
    """Run a command in this process, which is not the connector's."""
    try:
        return CliRunner().invoke(cli, arguments, env={"COLUMNS": "200", **environment})
    finally:
        logs.configure("error", [])


def create(*arguments: str, **environment: str) -> tuple[str, str]:
    """Create a key; its id and text."""
    done = command("keys", "create", *arguments, **environment)
    match = KEY.fullmatch(done.stdout.strip())
    assert match is not None, done
    return match[1], match[0]


def list_accesses(environment: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(command("accesses", "--limit", "1000", "--json", **environment).stdout)
    return found


def test_a_keys_life_beside_a_running_connector(tmp_path: Path, environment: dict[str, str]) -> None:
    """
    The first key closes the running connector to requests without one; last use, accesses, rotation and revocation are
    seen from the other process at once. No key is in any log line or in the database's files, and none is listed.
    """
    with connector_process({**environment, "CONNECTOR_LOG_LEVEL": "debug"}, tmp_path) as connector:
        connector.wait_for_sync()
        order_id = connector.http.get("/api/orders?limit=1").json()["orders"][0]["id"]
        key_id, first = create("Telefonagent", "--scope", "orders:read", "--expires", "90d", **environment)
        assert connector.http.get(f"/api/orders/{order_id}").status_code == 401

        def status(key: str) -> int:
            return connector.http.get(f"/api/orders/{order_id}", headers={"X-API-Key": key}).status_code

        assert (status(first), status(first[:-1] + "x")) == (200, 401)
        rotated = command("keys", "rotate", key_id, "--overlap", "1h", **environment)
        second = rotated.stdout.strip()
        assert (status(first), status(second)) == (200, 200)
        shown = json.loads(command("keys", "list", "--json", **environment).stdout)
        assert [(one["id"], one["scopes"], one["state"]) for one in shown] == [(key_id, ["orders:read"], "valid")]
        assert command("keys", "revoke", key_id, **environment).exit_code == 0
        assert (status(first), status(second)) == (401, 401)
        assert connector.stop() == 0
        log = connector.log()

    read = command("accesses", "--order", str(order_id), "--json", **environment)
    assert sum(one["times"] for one in json.loads(read.stdout) if one["caller"] == key_id) == 3
    assert key_id in command("accesses", "--key", key_id, **environment).stdout
    listed = command("keys", "list", **environment)
    assert "revoked" in listed.stdout
    assert "Telefonagent" in listed.stdout
    assert json.loads(command("keys", "list", "--json", **environment).stdout)[0]["last_used_at"]
    files = [file.read_bytes() for file in tmp_path.glob("connector.db*")]
    for text in (first, second):
        secret = text.rpartition("_")[2]
        assert all(secret not in told for told in (log, read.stdout, listed.stdout, listed.stderr))
        assert all(secret.encode() not in file for file in files)
    assert not KEY.search(log)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("create", "x"), "--scope"),
        (("create", "x", "--scope", "alles"), "orders:read"),
        (("create", "x", "--scope", "sync", "--expires", "bald"), "--expires: accepted"),
        (("create", "x", "--scope", "sync", "--expires", "999999999999d"), "--expires: accepted"),
        (("create", " ", "--scope", "sync"), "NAME: "),
        (("create", "x\x07", "--scope", "sync"), "NAME: "),
        (("rotate", "0123456789", "--overlap", "-1d"), "--overlap: accepted"),
        (("revoke", "0123456789"), "There is no key 0123456789"),
    ],
)
def test_a_wrong_call_is_reported(environment: dict[str, str], arguments: tuple[str, ...], named: str) -> None:
    """A wrong argument is named with what is accepted; no key is created."""
    migrate.migrate(environment["CONNECTOR_DATABASE_URL"])
    done = command("keys", *arguments, **environment)
    assert done.exit_code in (1, 2)
    assert named in " ".join(done.stderr.split())
    assert isinstance(done.exception, SystemExit)
    assert not KEY.search(done.stdout)


def test_other_machines_are_served_with_keys_alone(tmp_path: Path, environment: dict[str, str]) -> None:
    """
    Asked to listen beyond this machine without any key: exit 2, with what to do. With a key, or where a proxy checks,
    it starts; and this machine's own addresses want neither.
    """
    refused = command("serve", "--port", "0", "--host", EVERYWHERE, **environment)
    assert refused.exit_code == 2
    assert "keys create" in refused.stderr
    assert "CONNECTOR_ALLOW_ANONYMOUS=yes" in refused.stderr
    everywhere = {**environment, "CONNECTOR_HOST": EVERYWHERE}
    with connector_process({**everywhere, "CONNECTOR_ALLOW_ANONYMOUS": "yes"}, tmp_path) as connector:
        assert connector.http.get("/api/sync/status", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 200
    _, key = create("Proxy", "--scope", "sync", **environment)
    with connector_process(everywhere, tmp_path) as connector:
        assert connector.http.get("/api/sync/status").status_code == 401
        assert connector.http.get("/api/sync/status", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_help_names_every_scope() -> None:
    """`keys create --help` names each scope."""
    told = command("keys", "create", "--help").stdout
    assert [scope for scope in SCOPE_DESCRIPTIONS if scope not in told] == []


@pytest.mark.parametrize("environment", [120], indirect=True)
def test_what_a_killed_connector_noted_before_is_there(tmp_path: Path, environment: dict[str, str]) -> None:
    """
    A kill loses no more of the access log than what waits: what another process can see stays. As many as are written
    at once are seen soon; on a busy machine some are written after 15 s, and the rest after 15 more.
    """
    with connector_process(environment, tmp_path) as connector:
        connector.wait_for_sync()
        found = connector.http.get("/api/orders?limit=500").json()["orders"]
        for number in range(BATCH):
            rest = ("", "/parts", "/sections", "/history", "/progress")[number // len(found)]
            connector.http.get(f"/api/orders/{found[number % len(found)]['id']}{rest}")
        wait_until(lambda: len(list_accesses(environment)) >= BATCH, "as many entries")
        connector.kill()
    noted = list_accesses(environment)
    assert len(noted) >= BATCH
    assert len(noted[-1]["order_ids"]) == len(found)
