"""
One timer for the scheduled syncs of all workshops: each runs an incremental sync at every interval within its
CONNECTOR_SYNC_HOURS; `domain.sync_hours` computes the times.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from time import monotonic

import structlog

from planso_connector.domain.clock import Clock
from planso_connector.domain.sync_hours import SyncHours
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat

log = structlog.get_logger(__name__)

FIRST_HEARTBEAT_WITHIN = 60.0
"""Seconds from a sync's start to its first heartbeat, at most."""

SPREAD_FROM = 10
"""Workshops up to which all begin at once. More would keep the process busy for seconds, interval for interval."""

MAX_SLEEP = timedelta(minutes=1)
"""The longest sleep between two looks at the clock, which may jump: laptops suspend, and NTP corrects."""


@dataclass(slots=True)
class _Schedule:
    """When one workshop's next sync is due. An interval of zero: only the first one, if that is due `at_once`."""

    hours: SyncHours
    interval: timedelta
    ended: datetime
    """When the last sync ended, by the clock as it is set now."""
    at_once: bool = False
    """Whether the mirror may be empty: that sync does not wait for the hours."""
    due: datetime | None = None
    """None while it is not planned: during a sync, or without an interval."""
    jitter: float = 0.0
    run: asyncio.Task[None] | None = None
    """The sync in progress."""
    heartbeat_at: float = 0.0
    """`time.monotonic`; the sync in progress is stuck if it has sent no other heartbeat within `heartbeat_within`."""
    heartbeat_within: float = 0.0

    @property
    def is_running(self) -> bool:
        return self.run is not None

    def beat(self, within: float) -> None:
        self.heartbeat_at, self.heartbeat_within = monotonic(), within

    def plan(self) -> None:
        """Takes most of a second where a state's holidays are used for the first time."""
        self.due = self.hours.next_run(self.ended, self.interval, self.jitter) if self.interval else None


def _plan_all(schedules: Iterable[_Schedule]) -> None:
    for schedule in schedules:
        schedule.plan()


class SyncTimer:
    """
    Runs one sync at a time of each workshop, only in its hours: the first within a tenth of the interval, with more
    than SPREAD_FROM workshops within the interval; each further one an interval after the end of the one before.

    `start` gets a workshop and a heartbeat; it starts or joins a sync and returns at its end, with heartbeats until
    then. `fill` is called first where a schedule begins at once; it returns whether it had to sync.
    """

    def __init__(
        self,
        start: Callable[[str, Heartbeat], Awaitable[object]],
        fill: Callable[[str, Heartbeat], Awaitable[bool]],
        clock: Clock,
        *,
        dice: Random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._start = start
        self._fill = fill
        self._clock = clock
        self._sleep = sleep
        self._dice = dice
        self._schedules: dict[str, _Schedule] = {}
        self._runs: set[asyncio.Task[None]] = set()
        self._is_changed = asyncio.Event()

    def set_schedule(self, workshop: str, hours: SyncHours, interval: timedelta, *, at_once: bool = False) -> None:
        """
        Add a workshop, or change its schedule. `at_once`: its mirror may be empty, and is filled now, in whatever
        hours. An interval of zero: no schedule. A run of the schedule as it was is not waited for any more.
        """
        # As if a sync had ended an interval ago; many are spread over the interval, once and for all.
        spread = self._dice.random() * interval if len(self._schedules) >= SPREAD_FROM else timedelta(0)
        schedule = _Schedule(hours, interval, self._clock() - interval + spread, at_once)
        known = self._schedules.get(workshop)
        if known is not None:
            schedule.ended = known.ended
            self._cancel(known)
        self._schedules[workshop] = schedule
        self._is_changed.set()

    def remove(self, workshop: str) -> None:
        """A run in progress is not waited for any more."""
        known = self._schedules.pop(workshop, None)
        if known is not None:
            self._cancel(known)

    def _cancel(self, schedule: _Schedule) -> None:
        if schedule.run is not None:
            schedule.run.cancel()

    def next_run_at(self, workshop: str) -> datetime | None:
        """UTC. None during a sync, whose end decides when the next one starts, and without a schedule."""
        schedule = self._schedules.get(workshop)
        return schedule.due if schedule is not None and not schedule.is_running else None

    def find_stuck(self, workshop: str) -> float | None:
        """For how many seconds the workshop's scheduled sync has made no progress, if that is too long."""
        schedule = self._schedules.get(workshop)
        if schedule is None or not schedule.is_running:
            return None
        age = monotonic() - schedule.heartbeat_at
        return age if age > schedule.heartbeat_within else None

    async def run(self, beat: Heartbeat = no_heartbeat) -> None:
        """Until cancelled; waiting for the syncs in progress ends then, too."""
        try:
            await self._run(beat)
        finally:
            for schedule in self._schedules.values():
                schedule.due = None
            for run in self._runs:
                run.cancel()
            if self._runs:
                await asyncio.wait(self._runs)

    async def _run(self, beat: Heartbeat) -> None:
        while True:
            self._is_changed.clear()
            beat(2 * MAX_SLEEP.total_seconds())
            await self._plan()
            now = self._clock()
            for workshop, schedule in self._schedules.items():
                if self._is_due(schedule, now):
                    self._begin(workshop, schedule)
            slept = await self._wait()
            set_back = now + slept - self._clock()
            if set_back > slept:  # and so is the end of each sync before
                for schedule in self._schedules.values():
                    schedule.ended -= set_back
                    schedule.due = None

    async def _plan(self) -> None:
        """Plan what is not planned, in a thread, because of the holidays."""
        unplanned = [one for one in self._schedules.values() if one.due is None and one.interval and not one.is_running]
        for schedule in unplanned:
            schedule.jitter = self._dice.random()
        if unplanned:
            await asyncio.to_thread(_plan_all, unplanned)

    def _is_due(self, schedule: _Schedule, now: datetime) -> bool:
        if schedule.is_running:
            return False
        if schedule.at_once:
            return True
        if schedule.due is None or now < schedule.due:
            return False
        if schedule.hours.is_open(now):
            return True
        # The clock jumped over the hours in which it was due.
        schedule.ended = now - schedule.interval
        schedule.plan()
        return False

    def _begin(self, workshop: str, schedule: _Schedule) -> None:
        run_sync = self._run_first if schedule.at_once else self._run_sync
        schedule.at_once, schedule.due = False, None
        schedule.beat(FIRST_HEARTBEAT_WITHIN)
        run = asyncio.create_task(run_sync(workshop, schedule), name=f"scheduled sync {workshop}")
        schedule.run = run
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)

    async def _run_first(self, workshop: str, schedule: _Schedule) -> None:
        structlog.contextvars.bind_contextvars(workshop=workshop)
        has_synced = False
        try:
            has_synced = await self._fill(workshop, schedule.beat)
        except Exception as error:  # noqa: BLE001 - as below
            log.warning("mirror_not_filled", workshop=workshop, error=type(error).__name__)
        finally:
            self._end(schedule, has_synced=has_synced)

    async def _run_sync(self, workshop: str, schedule: _Schedule) -> None:
        structlog.contextvars.bind_contextvars(workshop=workshop)
        try:
            await self._start(workshop, schedule.beat)
        except Exception as error:  # noqa: BLE001 - the next one tries again; its text may hold secrets
            log.warning("scheduled_sync_failed", workshop=workshop, error=type(error).__name__)
        finally:
            self._end(schedule, has_synced=True)

    def _end(self, schedule: _Schedule, *, has_synced: bool) -> None:
        schedule.run = None
        if has_synced:
            schedule.ended = self._clock()
        self._is_changed.set()

    async def _wait(self) -> timedelta:
        """Wait until something is due or to be planned. Returns the time that it slept; zero if it was woken."""
        due = [schedule.due for schedule in self._schedules.values() if schedule.due is not None]
        if not due:
            with suppress(TimeoutError):
                async with asyncio.timeout(MAX_SLEEP.total_seconds()):
                    await self._is_changed.wait()
            return timedelta(0)
        pause = max(timedelta(0), min(MAX_SLEEP, min(due) - self._clock()))
        sleeping = asyncio.ensure_future(self._sleep(pause.total_seconds()))
        waking = asyncio.ensure_future(self._is_changed.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
            return pause if sleeping.done() else timedelta(0)
        finally:
            sleeping.cancel()
            waking.cancel()
