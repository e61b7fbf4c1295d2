"""The workshops of a process: opened as the registry has them now, and closed with all that they hold."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from planso_connector.app import Connector, open_connector
from planso_connector.background import run_workers
from planso_connector.domain import clock
from planso_connector.domain.errors import NotFound, PlansoUnavailable
from planso_connector.flows.operating.workshops import NOTICE, NewWorkshop, WorkshopChanges
from planso_connector.flows.writing.accepting import check_not_paused
from planso_connector.open_workshops import OpenWorkshops
from planso_connector.sandbox import Sandboxes
from planso_connector.scheduled_syncs import MAX_SYNCS
from planso_connector.settings import Settings, SettingsError
from planso_connector.store.engine.transaction import Transaction
from planso_connector.workshop_directory import ServedWorkshop
from planso_connector.workshop_parts import WorkshopParts
from tests.service import wait_until_async

NAME = "reit"
NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there."""

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def settings_at(folder: Path, **changes: Any) -> Settings:
    """With a workshop of the environment."""
    given: dict[str, Any] = {
        "connector_database_url": f"sqlite:///{folder}/connector.db",
        "connector_secrets_key": SecretStr(Fernet.generate_key().decode()),
        "planso_url": NOWHERE,
        "planso_user": "anna",
        "planso_password": SecretStr("geheim"),
    }
    return Settings(_env_file=None, **given | changes)


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Connector]:
    """A connector with one registered workshop, without workers."""
    async with open_connector(settings_at(tmp_path)) as connector:
        await connector.registry.add(NewWorkshop(NAME, NOWHERE, "anna", "geheim"))
        await connector.workshops.refresh()
        yield connector


class SlowBuild:
    """Builds workshops as the connector does, but ends the first build only once `may_end` is set."""

    def __init__(self, built: Connector) -> None:
        self._built = built
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.workshops = OpenWorkshops("default", built.workshops.directory, self._build)

    async def _build(self, served: ServedWorkshop) -> WorkshopParts:
        self._built.workshops.begin_close(served.name, "for the test")
        parts = await self._built.workshops.open_parts(served.name)
        self.has_begun.set()
        await self.may_end.wait()
        return parts


async def test_a_workshop_that_is_paused_while_it_is_opened_sends_nothing(built: Connector) -> None:
    """What was built from the registry as it was before is not used."""
    slow = SlowBuild(built)
    opening = asyncio.create_task(slow.workshops.open_parts(NAME))
    await slow.has_begun.wait()
    await built.registry.pause(NAME)
    await slow.workshops.refresh()
    slow.may_end.set()

    parts = await opening

    assert parts.access is built.workshops.directory.get(NAME).access
    assert "paused" in parts.access.refusal


async def test_a_workshop_that_is_removed_while_it_is_opened_is_not_there(built: Connector) -> None:
    """Nothing of it stays open."""
    slow = SlowBuild(built)
    opening = asyncio.create_task(slow.workshops.open_parts(NAME))
    await slow.has_begun.wait()
    await built.registry.remove(NAME)
    await slow.workshops.refresh()
    slow.may_end.set()

    with pytest.raises(NotFound):
        await opening

    assert list(slow.workshops) == []


async def test_a_workshop_with_another_address_gives_up_the_lease_of_the_old_one(built: Connector) -> None:
    """Although it is open again, at the other address, before it is closed at the old one."""
    parts = await built.workshops.open_parts(NAME)
    assert await parts.access.acquire()
    await built.registry.change(NAME, WorkshopChanges(planso_url="http://127.0.0.1:19", password="geheim"))
    may_write = threading.Event()

    def hold(_: Transaction) -> None:
        may_write.wait()

    holding = asyncio.create_task(built.database.write(hold))  # closing a workshop writes, opening one only reads
    await built.workshops.refresh()
    anew = await built.workshops.open_parts(NAME)
    may_write.set()
    await holding

    await wait_until_async(lambda: not parts.access.is_held, "the lease of the old address is released")
    assert anew.access.address != parts.access.address


async def test_a_mirror_is_filled_once_a_wrong_password_is_corrected(built: Connector) -> None:
    """Filling it goes on with what the registry has, not with what it had when filling began."""
    sandboxes = Sandboxes(("mueller",), orders=2)
    account = sandboxes.installation("mueller")
    with sandboxes.serve() as planso:
        address = planso + sandboxes.path("mueller")
        await built.registry.add(NewWorkshop("mueller", address, account.username, "falsch", account.table_id))
        filled: list[str] = []
        async with run_workers(built, filled.append):

            def find_login_state() -> str:
                parts = built.workshops.find_parts("mueller")
                return parts.planso.login_status.state if parts is not None else ""

            await wait_until_async(lambda: find_login_state() == "rejected", "PlanSo rejects the password")
            await built.registry.change("mueller", WorkshopChanges(password=account.password))
            await wait_until_async(lambda: find_login_state() == "logged_in", "the other password is tried")
            await wait_until_async(lambda: filled == ["mueller"], "the mirror is filled")


async def test_a_closed_workshop_sends_nothing(built: Connector) -> None:
    """Who still has its client, a sync for example, can't open a new connection with it."""
    parts = await built.workshops.open_parts(NAME)
    assert await parts.access.acquire()
    built.workshops.begin_close(NAME, "for the test")
    await wait_until_async(lambda: not parts.access.is_held, "it is closed")
    await parts.access.acquire()

    with pytest.raises(PlansoUnavailable, match="nothing was sent"):
        await parts.planso.read_board()

    assert parts.planso.request_count == 0


async def test_the_environment_may_have_the_name_of_a_removed_workshop(tmp_path: Path) -> None:
    """Not before the rows of that one are deleted; then its writes are accepted like any workshop's."""

    def later() -> datetime:
        return clock.now() + 2 * NOTICE

    async with open_connector(settings_at(tmp_path)) as connector:
        await connector.registry.add(NewWorkshop(NAME, NOWHERE, "anna", "geheim"))
        await connector.registry.remove(NAME)
    settings = settings_at(tmp_path, connector_workshop=NAME)
    with pytest.raises(SettingsError, match="CONNECTOR_WORKSHOP: 'reit' was removed"):
        async with open_connector(settings):
            pass

    async with open_connector(settings, later) as connector:
        await connector.default.database.write(check_not_paused)
        assert await connector.registry.purge_removed() == 0


async def test_other_limits_of_a_workshop_apply_when_it_is_opened_anew(built: Connector) -> None:
    """Although its throttle is in use: of workshops at one address, as these two, the lowest limits count."""
    own = await built.workshops.open_parts(NAME)
    assert own.planso.throttle is built.default.planso.throttle

    async def reopen(concurrency: int) -> int:
        await built.registry.change(NAME, WorkshopChanges(settings={"CONNECTOR_PLANSO_CONCURRENCY": concurrency}))
        await built.workshops.refresh()
        return (await built.workshops.open_parts(NAME)).planso.throttle.concurrency

    lowest = built.settings.connector_planso_concurrency
    assert [await reopen(1), await reopen(lowest + 1), await reopen(2)] == [1, lowest, 2]


async def test_mirrors_that_can_not_be_filled_hold_up_no_other(built: Connector) -> None:
    """More than are filled at once are tried again and again, and one that was added last is filled all the same."""
    numbers = range(2, 2 * MAX_SYNCS + 2)  # an address for each: they share no throttle
    unreachable = [NewWorkshop(f"none-{number}", f"http://127.0.0.{number}:9", "anna", "geheim") for number in numbers]
    sandboxes = Sandboxes(("mueller",), orders=2)
    account = sandboxes.installation("mueller")
    filled: list[str] = []
    with sandboxes.serve() as planso:
        address = planso + sandboxes.path("mueller")
        good = NewWorkshop("mueller", address, account.username, account.password, account.table_id)
        await built.registry.import_all([*unreachable, good])
        await built.workshops.refresh()
        async with run_workers(built, filled.append):
            await wait_until_async(lambda: filled == ["mueller"], "the mirror is filled")
