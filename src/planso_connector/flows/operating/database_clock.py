"""
The database's clock: the common clock of all processes on a database, for leases, deadlines, and how long a sent
request may still take effect. A process's own clock is only compared with it.
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
"""Seconds between two measurements."""

STUCK_AFTER = 10.0
"""Seconds between two measurements at most, plus the time that the database may take."""

MAX_OFFSET = timedelta(seconds=2)
"""A larger difference of the process's clock is reported."""

TOLERANCE = timedelta(seconds=0.1)
"""Smaller differences between two measurements are not corrected: this clock must not go back."""


class DatabaseClock:
    """
    Returns the current instant by the database's clock; between measurements it adds the time that passed. SQLite has
    no clock of its own: there it is the process's. `steady` is a clock in seconds that nobody sets.
    """

    def __init__(self, database: Database, clock: Clock, steady: Callable[[], float] = monotonic_seconds) -> None:
        self._database = database
        self._clock = clock
        self._steady = steady
        self._measured: tuple[datetime, float] | None = None
        self.offset = timedelta(0)
        """How far the process's clock is ahead of the database's; negative: behind."""

    @classmethod
    async def create(cls, database: Database, clock: Clock = now) -> DatabaseClock:
        """Raises StoreUnavailable."""
        database_clock = cls(database, clock)
        await database_clock.measure()
        return database_clock

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
        expected, was_off = self(), self.is_off
        difference = abs(instant + timedelta(seconds=self._steady() - since) - expected)
        if self._measured is None or difference > TOLERANCE + timedelta(seconds=error):
            self._measured = instant, since
        self.offset = self._clock() - self()
        if self.is_off != was_off:
            write_log, event = (log.warning, "clock_differs") if self.is_off else (log.info, "clock_agrees")
            write_log(event, seconds=round(self.offset.total_seconds(), 1))

    async def run(self, beat: Heartbeat = no_heartbeat) -> None:
        """Measure regularly until cancelled."""
        while True:
            beat(STUCK_AFTER + self._database.max_wait)
            await asyncio.sleep(MEASURE_INTERVAL)
            try:
                await self.measure()
            except StoreUnavailable as error:
                log.debug("clock_not_measured", error=type(error).__name__)
