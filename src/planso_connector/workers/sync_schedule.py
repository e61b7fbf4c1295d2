"""Start an incremental sync at every interval within CONNECTOR_SYNC_HOURS; `domain.sync_hours` computes the times."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from random import Random

import structlog

from planso_connector.domain.clock import Clock
from planso_connector.domain.sync_hours import SyncHours
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat

log = structlog.get_logger(__name__)

MAX_SLEEP = timedelta(minutes=1)
"""The longest sleep between two looks at the clock, which may jump: laptops suspend, and NTP corrects."""


class SyncSchedule:
    """
    Runs one sync at a time, only in `hours`: the first within a tenth of the interval, each further one an interval
    after the end of the one before.
    """

    def __init__(
        self,
        start: Callable[[Heartbeat], Awaitable[object]],
        hours: SyncHours,
        interval: timedelta,
        clock: Clock,
        *,
        dice: Random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """
        `start` starts or joins a sync and returns at its end, with heartbeats meanwhile. An interval of zero: no
        schedule.
        """
        self._start = start
        self._hours = hours
        self._interval = interval
        self._clock = clock
        self._sleep = sleep
        self._dice = dice
        self.next_run_at: datetime | None = None
        """UTC. None during a sync, whose end decides when the next one starts, and without a schedule."""

    async def run(self, beat: Heartbeat = no_heartbeat) -> None:
        if self._interval <= timedelta(0):
            return
        try:
            # As if a sync had ended an interval ago.
            ended = self._clock() - self._interval
            while True:
                await self._wait(ended, beat)
                self.next_run_at = None
                await self._run_sync(beat)
                ended = self._clock()
        finally:
            self.next_run_at = None

    async def _run_sync(self, beat: Heartbeat) -> None:
        try:
            await self._start(beat)
        except Exception as error:  # noqa: BLE001 - the next one tries again; its text may hold secrets
            log.warning("scheduled_sync_failed", error=type(error).__name__)

    async def _wait(self, ended: datetime, beat: Heartbeat) -> None:
        """Wait until the next sync is due. When the clock is set back, so is `ended`, the end of the one before."""
        jitter = self._dice.random()
        due = await self._due(ended, jitter)
        now = self._clock()
        while True:
            if now >= due:
                if self._hours.is_open(now):
                    return
                # The clock jumped over the hours in which it was due.
                due = await self._due(now - self._interval, jitter)
            beat(2 * MAX_SLEEP.total_seconds())
            pause = min(MAX_SLEEP, due - now)
            await self._sleep(pause.total_seconds())
            before, now = now, self._clock()
            if now < before:
                ended -= before + pause - now
                due = await self._due(ended, jitter)

    async def _due(self, ended: datetime, jitter: float) -> datetime:
        # In a thread, because the holidays' first use takes most of a second.
        due = await asyncio.to_thread(self._hours.next_run, ended, self._interval, jitter)
        self.next_run_at = due
        return due
