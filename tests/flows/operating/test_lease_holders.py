"""Two connector processes on one database: each PlanSo hears from one of them at a time, whoever is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandboxes
from planso_connector.store.maintenance import migrate
from tests.laws import environment
from tests.many_workshops import make_key, register, settings_for_workshops
from tests.process import ConnectorProcess, connector_process, free_port
from tests.service import wait_for_sync, wait_until

NAMES = ("alpha", "beta", "gamma")
ASYNC = {"Prefer": "respond-async"}
TURNS = 2


class Installation:
    """Workshops in a database, with a key of each, for connectors that a test starts and kills."""

    def __init__(self, sandboxes: Sandboxes, planso: str, database_url: str, folder: Path) -> None:
        self.sandboxes = sandboxes
        self._folder = folder
        secret = Fernet.generate_key().decode()
        first = sandboxes.names[0]
        account = sandboxes.installation(first)
        self._environment = environment(planso + sandboxes.path(first), database_url) | {
            "PLANSO_USER": account.username,
            "PLANSO_PASSWORD": account.password,
            "CONNECTOR_WORKSHOP": first,
            "CONNECTOR_SECRETS_KEY": secret,
            "CONNECTOR_SYNC_INTERVAL": "0",
        }
        migrate.migrate(database_url)
        settings = settings_for_workshops(sandboxes, planso, database_url, connector_secrets_key=SecretStr(secret))
        register(settings, sandboxes, planso, sandboxes.names[1:])
        self.keys = {name: make_key(database_url, name, Scope.ADMIN) for name in sandboxes.names}

    @contextmanager
    def connector(self, port: int | None = None) -> Iterator[ConnectorProcess]:
        with connector_process(self._environment, self._folder, port=port) as connector:
            yield connector

    def ask(self, connector: ConnectorProcess, name: str, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {"X-API-Key": self.keys[name], **options.pop("headers", {})}
        return connector.http.request(method, path, headers=headers, **options)

    def fill_mirrors(self, connector: ConnectorProcess) -> None:
        for name in self.sandboxes.names:
            connector.http.headers["X-API-Key"] = self.keys[name]
            wait_for_sync(connector.http)
        del connector.http.headers["X-API-Key"]


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/connector.db" if is_sqlite else request.getfixturevalue("postgresql_url")
    sandboxes = Sandboxes(NAMES, orders=8)
    with sandboxes.serve() as planso:
        yield Installation(sandboxes, planso, url, tmp_path)


def test_whoever_is_asked_one_process_talks_to_planso(installation: Installation) -> None:
    """Writes, dry runs, live reads, logins and syncs work at both processes; each PlanSo has one process's sessions."""
    sandboxes = installation.sandboxes
    with installation.connector() as first, installation.connector() as second:
        installation.fill_mirrors(first)
        for name in NAMES:
            order_id = sandboxes[name].order_ids()[0]
            path = f"/api/orders/{order_id}"
            for number, connector in enumerate((first, second)):
                remarks = {"remarks": f"{name} {number}"}
                preview = installation.ask(connector, name, "PATCH", path, json=remarks, params={"dry_run": "true"})
                assert (preview.status_code, preview.json()["dry_run"]) == (200, True), preview.text
                answer = installation.ask(connector, name, "PATCH", path, json=remarks)
                assert (answer.status_code, answer.json()["message"]) == (200, "")
                live = installation.ask(connector, name, "GET", path, params={"max_age": "0"})
                assert (live.json()["message"], live.json()["order"]["remarks"]) == ("", f"{name} {number}")
                assert installation.ask(connector, name, "POST", "/api/auth/login").status_code == 200
                wrong = {"username": "werkstatt", "password": "falsch"}
                assert installation.ask(connector, name, "POST", "/api/auth/login", json=wrong).status_code == 401
                assert installation.ask(connector, name, "POST", "/api/sync").status_code == 202
        assert sandboxes.find_shared_use() == {}
        assert all(sandboxes[name].sessions for name in NAMES)


def test_a_killed_process_is_replaced(installation: Installation) -> None:
    """
    Two processes are killed in turn while writes come in at both: all are settled, each PlanSo has the last one of each
    order, and never hears from two processes at once.
    """
    sandboxes = installation.sandboxes
    paths = {name: f"/api/orders/{sandboxes[name].order_ids()[0]}" for name in NAMES}
    accepted: dict[str, list[str]] = {name: [] for name in NAMES}
    last: dict[str, str] = {}

    def write(connector: ConnectorProcess, text: str) -> None:
        for name, path in paths.items():
            answer = installation.ask(connector, name, "PATCH", path, json={"remarks": text}, headers=ASYNC)
            assert answer.status_code == 202, answer.text
            accepted[name].append(answer.headers["Operation-Id"])
            last[name] = text

    def settle(connector: ConnectorProcess) -> None:
        for name, operations in accepted.items():
            for operation in operations:
                wait_until(lambda: find_state(connector, name, operation) != "pending", operation)  # noqa: B023
                assert find_state(connector, name, operation) == "confirmed"

    def find_state(connector: ConnectorProcess, name: str, operation: str) -> str:
        answer = installation.ask(connector, name, "GET", f"/api/operations/{operation}", params={"wait": "5"})
        return str(answer.json()["operation"]["state"])

    with ExitStack() as stack:
        ports = free_port(), free_port()
        older, newer = (stack.enter_context(installation.connector(port)) for port in ports)
        installation.fill_mirrors(older)
        for name, path in paths.items():  # until one save was found clean, writes go one at a time
            assert installation.ask(older, name, "PATCH", path, json={"remarks": "first"}).status_code == 200
        for turn in range(TURNS):
            write(older, f"before kill {turn}")
            older.kill()
            write(newer, f"after kill {turn}")
            settle(newer)
            older, newer = newer, stack.enter_context(installation.connector(ports[turn % 2]))
    for name, text in last.items():
        assert sandboxes[name].value(sandboxes[name].order_ids()[0], "Bemerkungen") == text
    assert sandboxes.find_shared_use() == {}
