"""`serve --demo`: the sandbox as PlanSo, its first workshop as the one of the environment, the others registered."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from planso_connector import app, configuration
from planso_connector.commands.listening import listen
from planso_connector.commands.sandbox import import_sandbox
from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.api_keys import ApiKeys
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.password_encryption import generate_key
from planso_connector.flows.operating.workshops import NewWorkshop, WorkshopChanges
from planso_connector.settings import Settings

DEMO_FOLDER = Path(".demo")
KEY_NAME = "demo"
SCOPES = (Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.SYNC)


@contextmanager
def demo_planso(settings: Settings, port: int, workshops: int) -> Iterator[tuple[Settings, list[NewWorkshop]]]:
    """The settings with the sandbox as PlanSo, and the workshops to register beside the one of the settings."""
    DEMO_FOLDER.mkdir(exist_ok=True)
    # Checked before the thread starts, so that a port in use is reported here and not in its log.
    with listen("127.0.0.1", port, "--sandbox-port", "--sandbox-port"):
        pass
    with import_sandbox() as sandbox:
        if workshops == 1:
            planso, name = sandbox.Sandbox(state=DEMO_FOLDER / "planso.json"), "connector"
            logins = [("", planso.installation)]
        else:
            planso, name = sandbox.Sandboxes(workshops, state=DEMO_FOLDER / "planso"), "workshops"
            logins = [(workshop, planso.installation(workshop)) for workshop in planso.names]
        with planso.serve("127.0.0.1", port) as url:
            first, *others = (
                NewWorkshop(
                    workshop,
                    f"{url}{planso.path(workshop)}" if workshop else url,
                    login.username,
                    login.password,
                    login.table_id,
                )
                for workshop, login in logins
            )
            changes: dict[str, Any] = {
                "planso_url": first.planso_url,
                "planso_user": first.planso_user,
                "planso_password": SecretStr(first.password),
                "planso_table_id": first.table_id,
                "planso_profile": None,
            }
            if "connector_database_url" not in settings.model_fields_set:
                changes["connector_database_url"] = f"sqlite:///{DEMO_FOLDER / f'{name}.db'}"
            if others and not settings.connector_secrets_key.get_secret_value():
                changes["connector_secrets_key"] = SecretStr(load_secrets_key(DEMO_FOLDER / "secrets.key"))
            yield settings.model_copy(update=changes), others


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
