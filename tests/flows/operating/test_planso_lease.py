"""A PlanSo lease has one valid holder at a time, whatever processes and the database do, and a dead one loses it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planso_connector.domain import clock
from planso_connector.domain.errors import CommitUnknown, PlansoLeaseLost
from planso_connector.flows.operating.planso_lease import (
    LEASE_DURATION,
    LEASE_MARGIN,
    RENEW_INTERVAL,
    PlansoLease,
    PlansoLeases,
)
from planso_connector.store import planso_leases
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.planso_leases import LeaseRow
from tests.databases import Store
from tests.service import wait_until_async

T = TypeVar("T")
SHOP = "reit"
ADDRESS = "reit.planso.de"


class UncertainDatabase(Database):
    """
    A database whose next write goes as `fault` says. `lost`: its caller gets no answer, and `land` commits it. `late`
    and `unanswered`: it waits for `go_on`, before or after it is committed.
    """

    fault = ""

    def __init__(self, database: Database) -> None:
        super().__init__(database._backend)  # noqa: SLF001 - as `for_workshop`
        self._lost: list[Callable[[Transaction], Any]] = []
        self._may_go_on = asyncio.Event()
        self.waits = asyncio.Event()

    async def write_with_priority(self, work: Callable[[Transaction], T], seconds: float) -> T:
        return await self._write(work)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        return await self._write(work)

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        fault, self.fault = self.fault, ""
        if fault == "lost":
            self._lost.append(work)
            raise CommitUnknown("the answer never came")
        if fault == "late":
            await self._pause()
        result = await super().write(work)
        if fault == "unanswered":
            await self._pause()
        return result

    async def _pause(self) -> None:
        self._may_go_on.clear()
        self.waits.set()
        await self._may_go_on.wait()

    def go_on(self) -> None:
        self._may_go_on.set()

    async def land(self) -> None:
        lost, self._lost = self._lost, []
        for work in lost:
            await super().write(work)


class World:
    """Several processes on one database, with clocks that a test moves. `slowness`: seconds that pass at each look."""

    def __init__(self, store: Store, address: str = ADDRESS, slowness: float = 0.0) -> None:
        self.store = store
        self.address = address
        self.slowness = slowness
        self.seconds = 1000.0
        self.wall = datetime(2026, 11, 23, tzinfo=clock.now().tzinfo)
        self.lost: list[PlansoLease] = []
        self.processes: list[PlansoLeases] = []
        self.databases: list[UncertainDatabase] = []
        self.given: list[PlansoLease] = []
        self._tasks: dict[asyncio.Task[Any], UncertainDatabase] = {}

    def steady(self) -> float:
        self.seconds += self.slowness
        return self.seconds

    def start_process(self) -> PlansoLeases:
        database = UncertainDatabase(self.store.database)
        process = PlansoLeases(database, lambda: self.wall, self.lost.append, steady=self.steady)
        self.processes.append(process)
        self.databases.append(database)
        return process

    async def run(self, process: PlansoLeases, action: Coroutine[Any, Any, Any], fault: str) -> asyncio.Task[Any]:
        """Begin an action, whose first write goes as `fault` says; returns when it ends or waits for `go_on`."""
        database = self.databases[self.processes.index(process)]
        if any(waiting is database for waiting in self._tasks.values()):
            await self.go_on()
        database.fault = fault
        database.waits.clear()
        task = asyncio.create_task(action)
        self._tasks[task] = database
        waits = asyncio.create_task(database.waits.wait())
        await asyncio.wait({task, waits}, return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
        database.fault = ""
        if task.done():
            self._tasks.pop(task, None)
            task.result()
        return task

    async def go_on(self) -> None:
        """End all actions that wait."""
        while self._tasks:
            task, database = self._tasks.popitem()
            database.go_on()
            await task

    async def acquire(self, process: PlansoLeases, address: str) -> PlansoLease | LeaseRow | None:
        """None where the answer got lost."""
        try:
            found = await process.acquire(address, SHOP)
        except CommitUnknown:
            return None
        if isinstance(found, PlansoLease):
            self.given.append(found)
        return found

    async def renew(self, process: PlansoLeases) -> None:
        try:
            await process.renew()
        except CommitUnknown:
            return

    def check(self) -> None:
        """No two leases are valid, those of stalled processes included."""
        slowness, self.slowness = self.slowness, 0.0
        assert len({lease.id for lease in self.given if lease.is_valid}) <= 1
        self.slowness = slowness


def test_a_lease_that_nobody_has_is_acquired_at_once(store: Store) -> None:
    """
    Another process is told who has it, and gets it with its release; two workshops of one PlanSo share it, and it is
    released with the second.
    """

    async def story() -> None:
        world = World(store)
        a, b = world.start_process(), world.start_process()
        lease = await world.acquire(a, ADDRESS)
        assert isinstance(lease, PlansoLease)
        assert await a.acquire(ADDRESS, "waiblingen") is lease
        lease.require()
        refused = await world.acquire(b, ADDRESS)
        assert isinstance(refused, LeaseRow)
        assert (refused.holder, refused.expires_at) == (a.holder, "2026-11-23T00:00:10.000000Z")
        await a.release(ADDRESS, SHOP)
        assert isinstance(await world.acquire(b, ADDRESS), LeaseRow)
        await a.release(ADDRESS, "waiblingen")
        with pytest.raises(PlansoLeaseLost, match="released; nothing was sent"):
            lease.require()
        taken = await world.acquire(b, ADDRESS)
        assert isinstance(taken, PlansoLease)
        taken.require()
        await b.close()
        assert isinstance(await world.acquire(a, ADDRESS), PlansoLease)
        assert world.lost == []

    store.runner.run(story())


def test_a_stalled_process_stops_sending_before_its_lease_is_taken(store: Store) -> None:
    """
    It stops LEASE_MARGIN before its lease is over, another process gets it LEASE_DURATION after it saw the last
    renewal, and the first one learns of it with its next renewal. Renewed in time, it keeps the lease.
    """

    async def story() -> None:
        world = World(store)
        a, b = world.start_process(), world.start_process()
        lease = await world.acquire(a, ADDRESS)
        assert isinstance(lease, PlansoLease)
        for _ in range(20):
            world.seconds += RENEW_INTERVAL
            await asyncio.gather(a.renew(), b.renew())
            assert isinstance(await world.acquire(b, ADDRESS), LeaseRow)
            lease.require()
        world.seconds += LEASE_DURATION - LEASE_MARGIN
        with pytest.raises(PlansoLeaseLost, match="not confirmed"):
            lease.require()
        assert isinstance(await world.acquire(b, ADDRESS), LeaseRow)
        world.seconds += LEASE_MARGIN
        assert isinstance(await world.acquire(b, ADDRESS), PlansoLease)
        assert world.lost == []
        await a.renew()
        assert (world.lost, a.held) == ([lease], [])
        with pytest.raises(PlansoLeaseLost, match="another process has it now"):
            lease.require()
        refused = await world.acquire(a, ADDRESS)
        assert isinstance(refused, LeaseRow)
        assert refused.holder == b.holder

    store.runner.run(story())


def test_a_lease_that_nobody_took_is_valid_again_once_renewed(store: Store) -> None:
    """After an outage of the database longer than the lease, its holder goes on without a new login."""

    async def story() -> None:
        world = World(store)
        a = world.start_process()
        lease = await world.acquire(a, ADDRESS)
        assert isinstance(lease, PlansoLease)
        world.seconds += 3600
        assert not lease.is_valid
        await a.renew()
        lease.require()
        assert (await world.acquire(a, ADDRESS), world.lost) == (lease, [])

    store.runner.run(story())


def test_who_asks_once_learns_whether_the_holder_lives(store: Store) -> None:
    """A holder that renews keeps its lease, and one that does not loses it to who waits."""

    async def story() -> None:
        world = World(store)
        a, b = world.start_process(), world.start_process()
        await world.acquire(a, ADDRESS)
        waiting = asyncio.create_task(b.acquire_unless_renewed(ADDRESS, SHOP))
        await wait_until_async(lambda: b.has_seen(ADDRESS), "it to look")
        await a.renew()
        refused = await waiting
        assert isinstance(refused, LeaseRow)
        assert (refused.holder, refused.renewals) == (a.holder, 1)
        c = world.start_process()
        waiting = asyncio.create_task(c.acquire_unless_renewed(ADDRESS, SHOP))
        await wait_until_async(lambda: c.has_seen(ADDRESS), "it to look")
        world.seconds += LEASE_DURATION
        assert isinstance(await waiting, PlansoLease)

    store.runner.run(story())


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400)])
def test_clocks_that_are_set_move_no_lease(store: Store, jump: timedelta) -> None:
    """A holder keeps its lease whatever the clock says, also beside a process that starts just then."""

    async def story() -> None:
        world = World(store)
        a = world.start_process()
        lease = await world.acquire(a, ADDRESS)
        world.wall += jump
        b = world.start_process()
        for _ in range(8):
            await b.renew()
            assert isinstance(await world.acquire(b, ADDRESS), LeaseRow)
            world.seconds += RENEW_INTERVAL
            await a.renew()
        assert isinstance(lease, PlansoLease)
        lease.require()

    store.runner.run(story())


def test_a_renewal_counts_from_before_it_was_sent(store: Store) -> None:
    """Where its answer takes long, the lease is over by the time at which others may take it."""

    async def story() -> None:
        world = World(store)
        a, b = world.start_process(), world.start_process()
        lease = await world.acquire(a, ADDRESS)
        renewing = await world.run(a, a.renew(), "unanswered")
        await b.renew()
        world.seconds += LEASE_DURATION - LEASE_MARGIN
        await world.go_on()
        await renewing
        assert isinstance(lease, PlansoLease)
        assert not lease.is_valid
        world.seconds += LEASE_MARGIN
        assert isinstance(await world.acquire(b, ADDRESS), PlansoLease)
        world.check()

    store.runner.run(story())


def test_a_renewal_goes_before_a_take_over(store: Store) -> None:
    """Who found a lease over, and takes it after its holder renewed it all the same, does not get it."""

    async def story() -> None:
        world = World(store)
        a, b = world.start_process(), world.start_process()
        lease = await world.acquire(a, ADDRESS)
        await b.renew()
        world.seconds += LEASE_DURATION
        taking = await world.run(b, world.acquire(b, ADDRESS), "late")
        await a.renew()
        await world.go_on()
        assert isinstance(await taking, LeaseRow)
        assert isinstance(lease, PlansoLease)
        lease.require()

    store.runner.run(story())


def test_a_late_release_releases_no_later_lease(store: Store) -> None:
    """A release that the database commits after the same process acquired the lease again does nothing."""

    async def story() -> None:
        world = World(store)
        a, b = world.start_process(), world.start_process()
        await world.acquire(a, ADDRESS)
        await world.run(a, a.release(ADDRESS, SHOP), "lost")
        again = await world.acquire(a, ADDRESS)
        await world.databases[0].land()
        assert isinstance(await world.acquire(b, ADDRESS), LeaseRow)
        await a.renew()
        assert isinstance(again, PlansoLease)
        again.require()

    store.runner.run(story())


def test_a_lease_whose_answer_got_lost_is_given_back(store: Store) -> None:
    """
    A process that never learned that it acquired a lease gives it back with its next renewal; one that is still waiting
    for the answer keeps it.
    """

    async def story() -> None:
        world = World(store)
        a, b = world.start_process(), world.start_process()
        await world.run(a, world.acquire(a, ADDRESS), "lost")
        await world.databases[0].land()
        assert isinstance(await world.acquire(b, ADDRESS), LeaseRow)
        await a.renew()
        assert isinstance(await world.acquire(b, ADDRESS), PlansoLease)
        await b.release(ADDRESS, SHOP)

        acquiring = await world.run(a, world.acquire(a, ADDRESS), "unanswered")
        await a.renew()
        await world.go_on()
        lease = await acquiring
        assert isinstance(lease, PlansoLease)
        assert isinstance(await world.acquire(b, ADDRESS), LeaseRow)

    store.runner.run(story())


_EXAMPLES = itertools.count()
_ACTION = st.tuples(
    st.sampled_from(["acquire", "acquire", "renew", "renew", "release"]),
    st.integers(0, 2),
    st.sampled_from(["", "", "", "lost", "late", "unanswered"]),
)
_STEPS = st.lists(
    st.one_of(
        _ACTION,
        _ACTION,
        st.tuples(st.sampled_from(["race", "restart", "land", "go on"]), st.just(0), st.just("")),
        st.tuples(st.just("wait"), st.sampled_from([1, 3, 6, 9, 11]), st.just("")),
        st.tuples(st.just("set clock"), st.sampled_from([-1e6, 1e6]), st.just("")),
    ),
    max_size=30,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(_STEPS, st.sampled_from([0.0, 0.3, 1.7]))
def test_whatever_happens_one_process_may_send(
    store: Store, steps: list[tuple[str, float, str]], slowness: float
) -> None:
    """
    Processes acquire, renew, stall, release and restart, answers of the database get lost or come late and so do its
    commits, and clocks are set: no PlanSo ever has two processes that may send. In the end, when all others stand
    still, a new process gets the lease.
    """
    world = World(store, f"reit{next(_EXAMPLES)}", slowness)

    async def take(step: str, which: float, fault: str) -> None:
        if step == "race":
            await world.go_on()
            await asyncio.gather(*(world.acquire(process, world.address) for process in world.processes[-3:]))
        elif step == "wait":
            world.seconds += which
        elif step == "set clock":
            world.wall += timedelta(seconds=which)
        elif step == "restart":
            world.start_process()
        elif step == "land":
            for database in world.databases:
                await database.land()
        elif step == "go on":
            await world.go_on()
        else:
            process = world.processes[-1 - int(which)]
            actions: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
                "acquire": lambda: world.acquire(process, world.address),
                "renew": lambda: world.renew(process),
                "release": lambda: process.release(world.address, SHOP),
            }
            await world.run(process, actions[step](), fault)

    async def story() -> None:
        for _ in range(3):
            world.start_process()
        for step, which, fault in steps:
            await take(step, which, fault)
            world.check()
        await world.go_on()
        world.check()
        last = world.start_process()
        await last.renew()
        world.seconds += LEASE_DURATION
        assert isinstance(await world.acquire(last, world.address), PlansoLease)
        world.check()
        await store.database.write(lambda tx: [planso_leases.release_all(tx, holder=p.holder) for p in world.processes])

    store.runner.run(story())


@pytest.mark.behind_pooler
def test_processes_that_ask_at_once_share_no_lease(database_url: str) -> None:
    """Four processes, each with connections of its own, ask for the same thirty leases at once: each has one holder."""

    async def story() -> None:
        databases = [Database.open(database_url, 60.0) for _ in range(4)]
        processes = [PlansoLeases(database, clock.now, print) for database in databases]
        for number in range(30):
            found = await asyncio.gather(*(process.acquire(f"{number}", SHOP) for process in processes))
            assert [isinstance(one, PlansoLease) for one in found].count(True) == 1
            (holder,) = {one.holder for one in found if isinstance(one, LeaseRow)}
            assert next(process for process in processes if process.find_held(f"{number}")).holder == holder
        await asyncio.gather(*(process.renew() for process in processes))
        assert sum(len(process.held) for process in processes) == 30
        rows = await databases[0].read(planso_leases.list_all)
        assert {row.renewals for row in rows} == {1}
        await asyncio.gather(*(process.close() for process in processes))
        assert await databases[0].read(planso_leases.list_all) == []
        await asyncio.gather(*(database.close() for database in databases))

    asyncio.run(story())
