"""The scheduled syncs of all workshops: which, when, and how many at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import structlog

from planso_connector.domain.clock import Clock
from planso_connector.flows.operating.heartbeat import Heartbeat
from planso_connector.flows.syncing.sync import is_mirror_empty
from planso_connector.open_workshops import OpenWorkshops
from planso_connector.store.engine.database import Database
from planso_connector.store.sync_runs import Trigger
from planso_connector.workers import startup
from planso_connector.workers.sync_timer import SyncTimer

log = structlog.get_logger(__name__)

MAX_SYNCS = 8
"""Syncs at once; one that takes longer than LONG_SYNC does not count, so that stuck ones hold up nobody."""
RETRY_INTERVAL = 5.0
"""Seconds between two looks whether a mirror that another process fills is filled."""
LONG_SYNC = 60.0
"""Seconds."""


class ScheduledSyncs:
    """`on_filled` gets each workshop whose empty mirror was filled."""

    def __init__(self, workshops: OpenWorkshops, database: Database, clock: Clock) -> None:
        self.timer = SyncTimer(self._run, self._fill, clock, dice=Random())  # noqa: S311 - jitter
        self.on_filled: Callable[[str], None] = lambda _: None
        self._workshops = workshops
        self._database = database
        self._slots = asyncio.Semaphore(MAX_SYNCS)

    async def plan_all(self) -> None:
        """Plan the syncs of all workshops."""
        for served in self._workshops.directory:
            self.plan(served.name)
            await asyncio.sleep(0)  # with hundreds, others get their turn

    def plan(self, name: str) -> None:
        """A workshop was added, changed or removed."""
        directory = self._workshops.directory
        if name not in directory or directory.get(name).is_paused:
            self.timer.remove(name)
            return
        hours, interval = directory.get_schedule(name)
        self.timer.set_schedule(name, hours, interval, at_once=True)

    async def _run(self, name: str, beat: Heartbeat) -> None:
        async with self._slot():
            if await self._workshops.directory.get(name).access.acquire():
                parts = await self._workshops.open_parts(name)
                await parts.sync.run(Trigger.SCHEDULE, beat=beat)

    async def _fill(self, name: str, beat: Heartbeat) -> bool:
        """
        Sync until a run is successful: also out of hours, while PlanSo is down, or another process seems to sync.
        Between two attempts others have the slot. Returns whether the mirror was empty before.
        """
        database = self._database.for_workshop(name)
        was_empty = False

        async def step() -> bool:
            nonlocal was_empty
            while True:
                async with self._slot():
                    if not await is_mirror_empty(database):
                        return True
                    was_empty = True
                    if await self._workshops.directory.get(name).access.acquire():
                        await (await self._workshops.open_parts(name)).sync.run(Trigger.START, beat=beat)
                        return False
                beat(2 * RETRY_INTERVAL)
                await asyncio.sleep(RETRY_INTERVAL)  # another process fills it

        await startup.retry_until_done(step, "mirror_not_filled", beat)
        if was_empty:
            self.on_filled(name)
        return was_empty

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        await self._slots.acquire()
        is_held = True

        def release() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                self._slots.release()

        timer = asyncio.get_running_loop().call_later(LONG_SYNC, release)
        try:
            yield
        finally:
            timer.cancel()
            release()
