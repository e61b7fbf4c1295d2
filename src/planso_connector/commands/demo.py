"""`serve --demo --workshops N`: register the sandbox's further workshops beside the one of the environment."""

import os
from collections.abc import Sequence
from pathlib import Path

from planso_connector import app, configuration
from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.api_keys import ApiKeys
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.password_encryption import generate_key
from planso_connector.flows.operating.workshops import NewWorkshop, WorkshopChanges
from planso_connector.settings import Settings

KEY_NAME = "demo"
SCOPES = (Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.SYNC)


async def register_workshops(settings: Settings, workshops: Sequence[NewWorkshop]) -> dict[str, str]:
    """
    Add the workshops to the registry, or change those that are there; returns a key for each by name. At the next start
    it is the same key with another secret. Raises as `WorkshopRegistry` does.
    """
    keys = {}
    async with app.open_installation(settings) as database:
        clock = await DatabaseClock.create(database)
        registry = configuration.workshop_registry(settings, database, clock)
        registered = {workshop.name for workshop in await registry.list_all()}
        for new in workshops:
            if new.name in registered:
                # The sandbox's port may be another one.
                changes = WorkshopChanges(
                    planso_url=new.planso_url, planso_user=new.planso_user, password=new.password, table_id=new.table_id
                )
                await registry.change(new.name, changes)
            else:
                await registry.add(new)
            keys[new.name] = await _make_key(ApiKeys(database.for_workshop(new.name), clock))
    return keys


async def _make_key(api_keys: ApiKeys) -> str:
    for key in await api_keys.list_all():
        if key.name == KEY_NAME and key.revoked_at is None:
            return (await api_keys.rotate(key.id))[1]
    return (await api_keys.create(KEY_NAME, SCOPES, None))[1]


def load_secrets_key(file: Path) -> str:
    """The key that encrypts the demo's passwords; made where the file does not exist."""
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as new:
            new.write(generate_key())
    return file.read_text("ascii")
