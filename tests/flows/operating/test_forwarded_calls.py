"""A call is executed once, by the process that has the lease, and answered or refused where it was made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from planso_connector.domain import clock
from planso_connector.domain.errors import NotFound, PlansoTimeout, PlansoUnavailable, TooManyWaiting
from planso_connector.domain.fields import Value
from planso_connector.flows.operating import forwarded_calls as calls
from planso_connector.flows.operating.forwarded_calls import CallHandlers, ForwardedCalls, ForwardedCallServer
from planso_connector.flows.operating.forwarded_kinds import DRY_RUN, LIVE_READ, DryRunAction, DryRunCall, LiveRead
from planso_connector.flows.operating.wake_ups import WakeUps
from planso_connector.flows.writing.dry_run import Preview
from planso_connector.store import forwarded_calls
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.tables import forwarded_calls as rows
from tests.service import wait_until_async
from tests.store.samples import OTHER_SHOP, SHOP, at

PATIENCE = 60.0


class Process:
    """A process that makes calls, and executes those of the workshops in `leases`."""

    def __init__(self, url: str, *leases: str) -> None:
        self.installation = Database.open(url, PATIENCE)
        self.database = self.installation.for_workshop(SHOP)
        self.wake_ups = WakeUps(self.installation, 0.05)
        self.leases = set(leases)
        self.calls = ForwardedCalls(clock.now, self.wake_ups, 0.05)
        self.server = ForwardedCallServer(
            self.installation,
            clock.now,
            self.wake_ups,
            holder=f"process {id(self)}",
            has_lease=self.leases.__contains__,
            poll_interval=0.05,
        )
        self.seen: list[tuple[str, int]] = []
        self.may_end = asyncio.Event()
        self.handlers = CallHandlers()
        self.handlers.add(LIVE_READ, self._read)
        self.handlers.add(DRY_RUN, self._preview)

    async def _read(self, workshop: str, request: LiveRead, seconds: float) -> None:
        self.seen.append((workshop, request.order_id))
        if request.order_id == 404:
            raise NotFound("There is no order 404.", read_at=at(7))
        if request.order_id == 500:
            raise ZeroDivisionError
        if request.order_id == 1:
            await self.may_end.wait()

    async def _preview(self, workshop: str, request: DryRunCall, seconds: float) -> Preview:
        assert seconds <= PATIENCE
        return Preview(request.order_id, (), (workshop,), requested=request.requested)

    async def read(self, order_id: int, seconds: float = PATIENCE, database: Database | None = None) -> None:
        await self.calls.call(database or self.database, LIVE_READ, LiveRead(order_id), seconds)

    async def count(self) -> int:
        return len(await self.installation.read(lambda tx: tx.fetch_all(rows.select())))


@asynccontextmanager
async def processes(url: str, *leases: tuple[str, ...]) -> AsyncIterator[list[Process]]:
    """One for each of `leases`."""
    opened = [Process(url, *names) for names in leases]
    tasks = [
        asyncio.create_task(work)
        for process in opened
        for work in (process.wake_ups.run(), process.server.run(process.handlers))
    ]
    try:
        yield opened
    finally:
        for process in opened:
            process.may_end.set()
            await process.server.close(PATIENCE)
            await process.calls.close()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for process in opened:
            await process.installation.close()


@pytest.mark.behind_pooler
def test_the_lease_holder_answers(database_url: str) -> None:
    """
    Results and errors come back, of many calls at once each its own; the process without the lease executes none, and
    no row stays.
    """

    async def story() -> None:
        async with processes(database_url, (), (SHOP,), (OTHER_SHOP,)) as (asking, holding, other):
            requested: dict[str, Value] = {"person": "Jürgen", "est_hours_karo": 1.5, "remarks": None}
            call = DryRunCall(DryRunAction.UPDATE, 123, requested)
            preview = await asking.calls.call(asking.database, DRY_RUN, call, PATIENCE)
            assert preview == Preview(123, (), (SHOP,), requested=requested)
            with pytest.raises(NotFound) as found:
                await asking.read(404)
            assert found.value.read_at == at(7)
            with pytest.raises(calls.RemoteFault, match="ZeroDivisionError"):
                await asking.read(500)
            await asking.read(7, database=asking.installation.for_workshop(OTHER_SHOP))
            await asyncio.gather(*(asking.read(order_id) for order_id in range(10, 30)))
            assert sorted(order_id for _, order_id in holding.seen) == [*range(10, 30), 404, 500]
            assert (asking.seen, other.seen) == ([], [(OTHER_SHOP, 7)])
            assert await asking.count() == 0

    asyncio.run(story())


def test_a_call_is_executed_once(database_url: str) -> None:
    """Of several processes that all believe to have the lease, one executes each call."""

    async def story() -> None:
        async with processes(database_url, (SHOP,), (SHOP,), (SHOP,)) as all_of_them:
            await asyncio.gather(*(process.read(order_id) for process in all_of_them for order_id in range(10, 22)))
            assert sorted(order_id for process in all_of_them for _, order_id in process.seen) == sorted(
                [*range(10, 22)] * 3
            )

    asyncio.run(story())


def test_who_gives_up_says_what_was_done(database_url: str) -> None:
    """
    Where nobody has the lease, nothing was sent; where the holder takes too long it breaks off, and the row is gone
    either way, also of a caller that was cancelled.
    """

    async def story() -> None:
        async with processes(database_url, (), (SHOP,)) as (asking, holding):
            holding.leases.clear()
            with pytest.raises(PlansoTimeout, match=r"did not begin within 0\.2 s; nothing was sent"):
                await asking.read(5, 0.2)
            holding.leases.add(SHOP)
            with pytest.raises(PlansoTimeout, match="did not answer within"):
                await asking.read(1, 0.4)
            await wait_until_async(lambda: not holding.server.running, "the holder to break off")

            cancelled = asyncio.create_task(asking.read(1))
            await wait_until_async(lambda: holding.seen.count((SHOP, 1)) == 2, "the second read to begin")
            cancelled.cancel()
            await asyncio.wait({cancelled})
            assert await asking.count() == 0
            holding.may_end.set()
            assert (5 in dict(holding.seen).values(), await asking.count()) == (False, 0)

    asyncio.run(story())


def test_calls_are_bounded_and_expire(database_url: str) -> None:
    """Past MAX_CALLS of a workshop a call is refused at once; those of a caller that died are deleted."""

    async def story() -> None:
        async with processes(database_url, ()) as (asking,):
            long_ago = at(0)

            def fill(tx: Transaction) -> None:
                for number in range(calls.MAX_CALLS + 5):
                    dead = forwarded_calls.ForwardedCall(f"dead {number}", "live_read", "{}", long_ago, long_ago)
                    forwarded_calls.add(tx, dead, at_most=1000)

            waiting = [asyncio.create_task(asking.read(number)) for number in range(calls.MAX_CALLS)]
            await wait_until_async(lambda: asking.calls.waiting_count == calls.MAX_CALLS, "all to wait")
            with pytest.raises(TooManyWaiting, match="64 requests of this workshop"):
                await asking.read(1)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            await asking.database.write(fill)
            assert await asking.count() == calls.MAX_CALLS + 5
            await asking.server.drop_expired()
            assert await asking.count() == 0

    asyncio.run(story())


def test_a_holder_that_stops_says_so(database_url: str) -> None:
    """What it has not done by then is refused with a message to try again, and it begins nothing more."""

    async def story() -> None:
        async with processes(database_url, (), (SHOP,)) as (asking, holding):
            reading = asyncio.create_task(asking.read(1))
            await wait_until_async(lambda: holding.seen == [(SHOP, 1)], "the call to begin")
            await holding.server.close(0.05)
            with pytest.raises(PlansoUnavailable, match="is stopping"):
                await reading
            with pytest.raises(PlansoTimeout, match="nothing was sent"):
                await asking.read(2, 0.3)

    asyncio.run(story())
