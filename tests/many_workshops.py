"""Run a connector that serves several workshops, each with a sandbox as its PlanSo."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
from cryptography.fernet import Fernet
from pydantic import SecretStr

from planso_connector import configuration
from planso_connector.domain import caller, clock
from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.workshops import NewWorkshop
from planso_connector.sandbox import Sandboxes
from planso_connector.settings import Settings
from planso_connector.store import api_keys
from planso_connector.store.api_keys import ApiKey
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.maintenance import migrate
from tests.service import PATIENCE, Service, running, settings_for, wait_for_sync
from tests.store.samples import at


class Workshops:
    """
    A connector and its workshops by name, the first one from the environment. Each has a sandbox and a client `http`
    with a key of all scopes but `installation`.
    """

    def __init__(self, service: Service, sandboxes: Sandboxes, url: str) -> None:
        self.service = service
        self.sandboxes = sandboxes
        self.database_url = url
        self.keys = {name: make_key(url, name, Scope.ADMIN) for name in sandboxes.names}
        self.http = {name: self.client(key) for name, key in self.keys.items()}

    def client(self, key: str, **headers: str) -> httpx2.Client:
        """To be closed by the caller."""
        given = {"X-API-Key": key, **headers}
        return httpx2.Client(base_url=self.service.address, headers=given, timeout=PATIENCE, verify=False)

    def fill_mirrors(self) -> None:
        for http in self.http.values():
            assert wait_for_sync(http)["last_result"]["state"] == "done"


def make_key(database_url: str, workshop: str, *scopes: Scope) -> str:
    """A new key of a workshop, as its text."""
    key_id, secret = caller.generate_key_id(), caller.generate_secret()
    key = ApiKey(key_id, "agent", frozenset(scopes), caller.hash_secret(secret), at(1))

    def add(tx: Transaction) -> None:
        api_keys.add(tx, key)

    async def write() -> None:
        database = Database.open(database_url)
        await database.for_workshop(workshop).write(add)
        await database.close()

    asyncio.run(write())
    return caller.format_key(key_id, secret)


def register(settings: Settings, sandboxes: Sandboxes, planso: str, names: Sequence[str]) -> None:
    """Add workshops to the registry; `planso` is the sandboxes' address."""

    async def add() -> None:
        database = Database.open(settings.connector_database_url)
        registry = configuration.workshop_registry(settings, database, clock.now)
        for name in names:
            account = sandboxes.installation(name)
            await registry.add(
                NewWorkshop(name, planso + sandboxes.path(name), account.username, account.password, account.table_id)
            )
        await database.close()

    asyncio.run(add())


def settings_for_workshops(sandboxes: Sandboxes, planso: str, database_url: str, **changes: Any) -> Settings:
    """Of a connector whose environment names the first workshop; the others are registered."""
    first = sandboxes.names[0]
    base = settings_for(sandboxes[first], planso + sandboxes.path(first), database_url)
    own = {"connector_workshop": first, "connector_secrets_key": SecretStr(Fernet.generate_key().decode())}
    return base.model_copy(update=own | changes)


@contextmanager
def running_workshops(
    names: Sequence[str], database_url: str, *, orders: int = 12, **changes: Any
) -> Iterator[Workshops]:
    """Run a connector with these workshops, their mirrors filled."""
    sandboxes = Sandboxes(names, orders=orders)
    with sandboxes.serve() as planso:
        settings = settings_for_workshops(sandboxes, planso, database_url, **changes)
        migrate.migrate(database_url)
        register(settings, sandboxes, planso, names[1:])
        with running(settings, sandboxes[names[0]]) as service:
            workshops = Workshops(service, sandboxes, database_url)
            try:
                workshops.fill_mirrors()
                yield workshops
            finally:
                for http in workshops.http.values():
                    http.close()
