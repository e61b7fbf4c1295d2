"""Processes wake each other with a commit; where notifications don't get through they poll, and know it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import pytest
from sqlalchemy import literal, select

from planso_connector.domain import clock
from planso_connector.flows.operating.planso_lease import PlansoLease, PlansoLeases
from planso_connector.flows.operating.wake_ups import WakeUps
from planso_connector.store import leases, wake_ups
from planso_connector.store.engine.backend import Listener
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.wake_ups import WakeUpKind
from tests.databases import PostgresqlServer
from tests.service import wait_until_async
from tests.store.samples import at

SHOP = "reit"


def change(tx: Transaction) -> None:
    wake_ups.notify(tx, WakeUpKind.CALL)
    leases.acquire(tx, "sync", holder="a", now=at(1), until=at(2))


class Process:
    """A process's wake-ups, and those that it got."""

    def __init__(self, url: str, poll_interval: float, connections: int = 13) -> None:
        self.installation = Database.open(url, 60.0, connections)
        self.database = self.installation.for_workshop(SHOP)
        self.wake_ups = WakeUps(self.installation, poll_interval)
        self.got: list[tuple[WakeUpKind, str | None]] = []
        for kind in (WakeUpKind.CALL, WakeUpKind.ANSWER):
            self.wake_ups.subscribe(kind, lambda subject, kind=kind: self.got.append((kind, subject)))  # type: ignore[misc]

    async def notify(self, kind: WakeUpKind, subject: str | None = None) -> None:
        await self.database.write(lambda tx: wake_ups.notify(tx, kind, subject))

    async def hear(self, kind: WakeUpKind, subject: str | None) -> None:
        await wait_until_async(lambda: (kind, subject) in self.got, f"{kind} {subject}")


@asynccontextmanager
async def processes(url: str, count: int = 1, poll_interval: float = 3600.0) -> AsyncIterator[list[Process]]:
    """By default they never poll: what wakes them is a notification."""
    opened = [Process(url, poll_interval) for _ in range(count)]
    tasks = [asyncio.create_task(process.wake_ups.run()) for process in opened]
    try:
        yield opened
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for process in opened:
            await process.installation.close()


def test_a_commit_wakes_all_that_listen(postgresql_url: str) -> None:
    """
    Every process on the database gets kind and workshop, those that subscribed to the kind alone, and the sender too; a
    transaction that is rolled back wakes nobody.
    """

    def fail(tx: Transaction) -> None:
        wake_ups.notify(tx, WakeUpKind.CALL, "rolled back")
        raise LookupError

    async def story() -> None:
        async with processes(postgresql_url, 2) as (a, b):
            await wait_until_async(lambda: a.wake_ups.is_listening and b.wake_ups.is_listening, "both to listen")
            assert (WakeUpKind.CALL, None) in b.got  # what came before it listened is unknown
            for process in (a, b):
                process.got.clear()
            with suppress(LookupError):
                await a.database.write(fail)
            await a.notify(WakeUpKind.OPERATION)
            await a.notify(WakeUpKind.CALL)
            await a.notify(WakeUpKind.ANSWER, "Straße 1 / x" + "ü" * 4000)
            for process in (a, b):
                await process.hear(WakeUpKind.ANSWER, None)
                assert process.got == [(WakeUpKind.CALL, SHOP), (WakeUpKind.ANSWER, None)]
            for subject in (SHOP, "waiblingen", SHOP):
                a.wake_ups.send(WakeUpKind.ANSWER, subject)
            await b.hear(WakeUpKind.ANSWER, "waiblingen")
            assert b.got[2:] == [(WakeUpKind.ANSWER, SHOP), (WakeUpKind.ANSWER, "waiblingen")]

    asyncio.run(story())


@pytest.mark.parametrize("fixture", ["sqlite_path", "pooled_url"])
def test_where_nothing_is_heard_it_polls(fixture: str, request: pytest.FixtureRequest) -> None:
    """On SQLite, and behind a pooler that swallows notifications, all are called, and the reason is known."""

    found = request.getfixturevalue(fixture)
    url = found if isinstance(found, str) else f"sqlite:///{found}"

    async def story() -> None:
        async with processes(url, 2, poll_interval=0.05) as (a, b):
            await wait_until_async(lambda: b.wake_ups.deaf_reason != "not tried yet", "the reason")
            assert ("pooler" in b.wake_ups.deaf_reason) == (fixture == "pooled_url")
            await b.hear(WakeUpKind.CALL, None)
            b.got.clear()
            await a.database.write(change)
            await b.hear(WakeUpKind.CALL, None)
            assert not b.wake_ups.is_listening

    asyncio.run(story())


def test_a_released_lease_wakes_who_waits_for_it(postgresql_url: str) -> None:
    """Released one by one, and by a process that ends."""

    async def story() -> None:
        async with processes(postgresql_url) as (a,):
            released: list[str | None] = []
            a.wake_ups.subscribe(WakeUpKind.LEASE, released.append)
            await wait_until_async(lambda: a.wake_ups.is_listening, "it to listen")
            leases_of_a = PlansoLeases(a.installation, clock.now, print)
            for address in ("a.planso.de", "b.planso.de", "c.planso.de"):
                assert isinstance(await leases_of_a.acquire(address, SHOP), PlansoLease)
            await leases_of_a.release("b.planso.de", SHOP)
            await wait_until_async(lambda: "b.planso.de" in released, "the release")
            await leases_of_a.close()
            await wait_until_async(lambda: {"a.planso.de", "c.planso.de"} <= {*released}, "the others")

    asyncio.run(story())


class OtherNotifications(Database):
    """A database whose notifications come from another one, as behind a pooler that can't be told from a server."""

    def __init__(self, database: Database, other: Database) -> None:
        super().__init__(database._backend)  # noqa: SLF001 - as `for_workshop`
        self._other = other

    def listen(self) -> AbstractAsyncContextManager[Listener] | None:
        return self._other.listen()


def test_who_does_not_hear_itself_is_deaf(postgresql_url: str, postgresql_server: PostgresqlServer) -> None:
    """A connection on which the own notifications don't arrive is closed, and the process polls."""

    async def story() -> None:
        async with processes(postgresql_url) as (a,):
            await wait_until_async(lambda: a.wake_ups.is_listening, "it to listen")
            other = Database.open(postgresql_server.url("postgres"))
            wakes = WakeUps(OtherNotifications(a.installation, other), 0.05, self_test_timeout=0.2)
            called: list[str | None] = []
            wakes.subscribe(WakeUpKind.LEASE, called.append)
            task = asyncio.create_task(wakes.run())
            await wait_until_async(lambda: "does not reach it" in wakes.deaf_reason, "it to find out")
            called.clear()
            await wait_until_async(lambda: called, "it to poll")
            assert not wakes.is_listening
            task.cancel()
            await asyncio.wait({task})
            await other.close()

    asyncio.run(story())


def test_it_listens_again_after_the_connection_was_lost(
    postgresql_url: str, postgresql_server: PostgresqlServer
) -> None:
    """As after a failover; all are called once it listens again, since something may have been missed."""

    async def story() -> None:
        async with processes(postgresql_url) as (a,):
            await wait_until_async(lambda: a.wake_ups.is_listening, "it to listen")
            a.got.clear()
            name = postgresql_url.partition("@/")[2].partition("?")[0]
            await asyncio.to_thread(postgresql_server.disconnect, database=name)
            await a.hear(WakeUpKind.CALL, None)
            await a.notify(WakeUpKind.CALL)
            await a.hear(WakeUpKind.CALL, SHOP)
            assert a.wake_ups.is_listening

    asyncio.run(story())


def test_the_listener_takes_no_connection_that_is_needed(postgresql_server: PostgresqlServer) -> None:
    """
    With few connections by setting it does not listen; where the server admits one alone, it leaves that to the units
    of work, also if it was first.
    """

    async def story() -> None:
        url = postgresql_server.create_owned_database(connections=1)
        for connections, reason in ((3, "none listens"), (13, "can't be used")):
            process = Process(url, 3600.0, connections)
            task = asyncio.create_task(process.wake_ups.run())
            await wait_until_async(lambda p=process, r=reason: r in p.wake_ups.deaf_reason, reason)  # type: ignore[misc]
            for _ in range(3):
                await process.installation.read(lambda tx: tx.fetch_all(select(literal(1).label("one"))))
                await process.notify(WakeUpKind.CALL)
            assert not process.wake_ups.is_listening
            task.cancel()
            await asyncio.wait({task})
            await process.installation.close()

    asyncio.run(story())
