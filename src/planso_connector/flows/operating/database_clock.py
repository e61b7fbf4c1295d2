"""
The database's clock: the one clock of all processes on a database. It decides leases, deadlines, and how long after it
was sent a request may still take effect; a process's own clock is only compared with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from planso_connector.domain.clock import Clock, monotonic_seconds, now
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.store.engine.database import Database

log = structlog.get_logger(__name__)

MEASURE_INTERVAL = 3.0
"""Seconds between two looks at the database's clock."""

STUCK_AFTER = 10.0
"""Seconds between two looks at most, beside what the database may take."""

MAX_OFFSET = timedelta(seconds=2)
"""A process's clock that differs by more is reported."""

TOLERANCE = timedelta(seconds=0.1)
"""A difference between two measurements that is not corrected, so that this clock does not go back by it."""


class DatabaseClock:
    """
    Gives the present instant by the database's clock, between two measurements by the time that passed since. A SQLite
    database has no clock of its own: there it is the process's. `steady` gives seconds that nobody sets.
    """

    def __init__(self, database: Database, clock: Clock, steady: Callable[[], float] = monotonic_seconds) -> None:
        self._database = database
        self._clock = clock
        self._steady = steady
        self._measured: tuple[datetime, float] | None = None
        self.offset = timedelta(0)
        """How far the process's clock is ahead of the database's; less than nothing: behind."""

    @classmethod
    async def create(cls, database: Database, clock: Clock = now) -> DatabaseClock:
        """Raises StoreUnavailable."""
        measured = cls(database, clock)
        await measured.measure()
        return measured

    def __call__(self) -> datetime:
        if self._measured is None:
            return self._clock()
        instant, since = self._measured
        return instant + timedelta(seconds=self._steady() - since)

    @property
    def is_off(self) -> bool:
        return abs(self.offset) > MAX_OFFSET

    async def measure(self) -> None:
        """Raises StoreUnavailable."""
        measured = await self._database.measure_clock(self._steady)
        if measured is None:
            return
        instant, since, error = measured
        expected, differed = self(), self.is_off
        off = abs(instant + timedelta(seconds=self._steady() - since) - expected)
        if self._measured is None or off > TOLERANCE + timedelta(seconds=error):
            self._measured = instant, since
        self.offset = self._clock() - self()
        if self.is_off != differed:
            told = log.warning if self.is_off else log.info
            told("clock_differs" if self.is_off else "clock_agrees", seconds=round(self.offset.total_seconds(), 1))

    async def run(self, beat: Heartbeat = no_heartbeat) -> None:
        """Until it is cancelled."""
        while True:
            beat(STUCK_AFTER + self._database.max_wait)
            await asyncio.sleep(MEASURE_INTERVAL)
            try:
                await self.measure()
            except StoreUnavailable as error:
                log.debug("clock_not_measured", error=type(error).__name__)
