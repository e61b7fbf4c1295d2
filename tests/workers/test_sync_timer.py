from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from planso_connector import logs
from planso_connector.domain.sync_hours import SyncHours
from planso_connector.flows.operating.heartbeat import Heartbeat
from planso_connector.workers.sync_timer import SyncTimer

SHOP = "shop"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ALWAYS = SyncHours.parse("00:00-24:00")
WORKDAYS = SyncHours.parse("07:00-19:00", "UTC")
FRIDAY = datetime(2026, 6, 12, 12, 0, tzinfo=UTC)


class Passing:
    """
    Time that passes only where a schedule sleeps or a sync takes its time, and a clock that shows it, set right or not.

    `elapsed` is the time that truly passed; a jump moves only what the clock shows.
    """

    def __init__(self, shown: datetime, until: timedelta) -> None:
        self.shown = shown
        self.elapsed = timedelta()
        self.until = until
        self.sleeps: list[timedelta] = []
        self.jumps: dict[timedelta, timedelta] = {}
        """Once so much time has passed, the clock jumps so far."""
        self.over = asyncio.Event()

    def clock(self) -> datetime:
        return self.shown

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(timedelta(seconds=seconds))
        await self.passes(timedelta(seconds=seconds))

    async def passes(self, time: timedelta) -> None:
        self.shown += time
        self.elapsed += time
        for moment in [moment for moment in self.jumps if moment <= self.elapsed]:
            self.shown += self.jumps.pop(moment)
        if self.elapsed >= self.until:
            self.over.set()
            await asyncio.Event().wait()


class Syncs:
    """A sync that takes `takes`, and notes when it began and ended, by true time and by the clock."""

    def __init__(self, passing: Passing, takes: timedelta = timedelta(seconds=10)) -> None:
        self.passing = passing
        self.takes = takes
        self.under_way = 0
        self.began: list[timedelta] = []
        self.ended: list[timedelta] = []
        self.shown: list[datetime] = []
        self.fails: Exception | None = None

    async def __call__(self, beat: Heartbeat) -> None:
        assert not self.under_way, "two at once"
        self.under_way += 1
        self.began.append(self.passing.elapsed)
        self.shown.append(self.passing.shown)
        try:
            await self.passing.passes(self.takes)
        finally:
            self.under_way -= 1
        self.ended.append(self.passing.elapsed)
        if self.fails is not None:
            raise self.fails


def schedule(
    passing: Passing,
    start: Callable[[Heartbeat], Awaitable[object]],
    hours: SyncHours = ALWAYS,
    interval: timedelta = 5 * MINUTE,
    sleep: Callable[[float], Awaitable[None]] | None = None,
) -> SyncTimer:
    """A timer of one workshop."""

    async def run(_: str, beat: Heartbeat) -> None:
        await start(beat)

    async def fill(_: str, __: Heartbeat) -> bool:
        raise AssertionError("nothing begins at once")

    timer = SyncTimer(run, fill, passing.clock, dice=Random(7), sleep=sleep or passing.sleep)
    timer.set_schedule(SHOP, hours, interval)
    return timer


async def until_over(passing: Passing, built: SyncTimer) -> None:
    """Let the schedule run until the time is over, and cancel it."""
    task = asyncio.create_task(built.run())
    ending = asyncio.create_task(passing.over.wait())
    await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
    assert not task.done(), task.exception()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def gaps(syncs: Syncs) -> list[timedelta]:
    """From the end of each run to the beginning of the next, true time."""
    return [began - ended for ended, began in zip(syncs.ended, syncs.began[1:], strict=False)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize("takes", [timedelta(seconds=1), 4 * MINUTE, 17 * MINUTE])
async def test_the_next_run_comes_an_interval_after_the_end(takes: timedelta) -> None:
    """However long a run takes, the next begins an interval and up to a tenth after its end; never two at once."""
    passing = Passing(FRIDAY, until=5 * HOUR)
    syncs = Syncs(passing, takes)

    await until_over(passing, schedule(passing, syncs))

    assert syncs.began[0] <= MINUTE / 2
    assert len(gaps(syncs)) > 10
    assert all(5 * MINUTE <= gap <= 5.5 * MINUTE for gap in gaps(syncs))
    assert len(set(gaps(syncs))) > 10


@pytest.mark.anyio
async def test_outside_the_hours_nothing_is_started() -> None:
    """Over a weekend the workshop is left alone; Monday's first run comes with the opening."""
    passing = Passing(FRIDAY, until=timedelta(days=4))
    syncs = Syncs(passing)

    await until_over(passing, schedule(passing, syncs, WORKDAYS, HOUR))

    assert all(WORKDAYS.is_open(shown) for shown in syncs.shown)
    monday = datetime(2026, 6, 15, 7, 0, tzinfo=UTC)
    assert sum(shown < monday for shown in syncs.shown) in (6, 7)
    assert monday <= next(shown for shown in syncs.shown if shown >= monday) <= monday + 6 * MINUTE


@pytest.mark.anyio
async def test_a_start_at_night_waits_for_the_morning() -> None:
    """Started outside the hours, the first run comes with the next opening, which status can tell."""
    passing = Passing(datetime(2026, 6, 12, 3, 0, tzinfo=UTC), until=3 * HOUR)
    syncs = Syncs(passing)
    told: list[datetime | None] = []

    async def sleep(seconds: float) -> None:
        told.append(built.next_run_at(SHOP))
        await passing.sleep(seconds)

    built = schedule(passing, syncs, WORKDAYS, sleep=sleep)
    await until_over(passing, built)

    assert not syncs.began
    assert told[0] is not None
    opening = datetime(2026, 6, 12, 7, 0, tzinfo=UTC)
    assert opening <= told[0] <= opening + MINUTE / 2


@pytest.mark.anyio
async def test_a_failing_start_is_tried_again_at_the_next_turn() -> None:
    """A start that raises is logged by the error's class, without its text, and the schedule goes on."""
    passing = Passing(FRIDAY, until=HOUR)
    syncs = Syncs(passing)
    syncs.fails = RuntimeError("geheim")

    logs.configure("warning", [])
    try:
        with capture_logs() as lines:
            await until_over(passing, schedule(passing, syncs))
    finally:
        logs.configure("error", [])

    assert len(syncs.ended) > 5
    assert all(5 * MINUTE <= gap <= 5.5 * MINUTE for gap in gaps(syncs))
    assert lines == [
        {"event": "scheduled_sync_failed", "workshop": SHOP, "error": "RuntimeError", "log_level": "warning"}
    ] * len(syncs.ended)


@pytest.mark.anyio
async def test_no_interval_is_no_schedule() -> None:
    """With an interval of zero a workshop has no next run and no sync, while another one's go on."""
    passing = Passing(FRIDAY, until=HOUR)
    syncs = Syncs(passing)
    built = schedule(passing, syncs)
    built.set_schedule("unscheduled", ALWAYS, timedelta(0))

    await until_over(passing, built)

    assert built.next_run_at("unscheduled") is None
    assert len(syncs.began) > 5
    assert max(passing.sleeps) <= MINUTE


@pytest.mark.anyio
async def test_workshops_do_not_wait_for_each_other() -> None:
    """While one workshop's sync never ends, the other's run on schedule; the stuck one is known."""
    passing = Passing(FRIDAY, until=2 * HOUR)
    syncs = Syncs(passing)

    async def start(workshop: str, beat: Heartbeat) -> None:
        if workshop == "stuck":
            beat(0.0)
            await asyncio.Event().wait()
        await syncs(beat)

    async def fill(_: str, __: Heartbeat) -> bool:
        raise AssertionError("nothing begins at once")

    built = SyncTimer(start, fill, passing.clock, dice=Random(7), sleep=passing.sleep)
    for workshop in ("stuck", SHOP):
        built.set_schedule(workshop, ALWAYS, 5 * MINUTE)
    task = asyncio.create_task(built.run())
    await passing.over.wait()

    assert len(syncs.began) > 20
    assert built.find_stuck("stuck") is not None
    assert built.find_stuck(SHOP) is None
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.anyio
async def test_many_workshops_are_spread_over_the_interval() -> None:
    """The first syncs of a hundred workshops, and the ones after them, do not come all at once."""
    passing = Passing(FRIDAY, until=15 * MINUTE)
    began: dict[str, list[timedelta]] = {f"shop-{number}": [] for number in range(100)}

    async def start(workshop: str, _: Heartbeat) -> None:
        began[workshop].append(passing.elapsed)

    async def fill(_: str, __: Heartbeat) -> bool:
        raise AssertionError("nothing begins at once")

    built = SyncTimer(start, fill, passing.clock, dice=Random(7), sleep=passing.sleep)
    for workshop in began:
        built.set_schedule(workshop, ALWAYS, 5 * MINUTE)
    await until_over(passing, built)

    for turn in (0, 1):
        minutes = Counter(syncs[turn] // MINUTE for syncs in began.values())
        assert max(minutes.values()) < 50
        assert max(syncs[turn] for syncs in began.values()) <= (turn + 1) * 5.5 * MINUTE + MINUTE


@pytest.mark.anyio
@pytest.mark.parametrize("is_empty", [True, False])
async def test_an_empty_mirror_is_filled_at_night(is_empty: bool) -> None:
    """It is filled at once, in whatever hours; a mirror that is filled already waits for them."""
    passing = Passing(datetime(2026, 6, 12, 3, 0, tzinfo=UTC), until=5 * HOUR)
    syncs = Syncs(passing)
    filled: list[datetime] = []

    async def start(_: str, beat: Heartbeat) -> None:
        await syncs(beat)

    async def fill(_: str, __: Heartbeat) -> bool:
        filled.append(passing.shown)
        return is_empty

    built = SyncTimer(start, fill, passing.clock, dice=Random(7), sleep=passing.sleep)
    built.set_schedule(SHOP, WORKDAYS, 5 * MINUTE, at_once=True)
    await until_over(passing, built)

    assert filled == [datetime(2026, 6, 12, 3, 0, tzinfo=UTC)]
    assert syncs.shown[0] >= datetime(2026, 6, 12, 7, 0, tzinfo=UTC)


@pytest.mark.anyio
async def test_a_changed_workshop_is_filled_anew() -> None:
    """A filling that never ends, because of what the workshop was, does not keep it from being filled as it is now."""
    passing = Passing(FRIDAY, until=HOUR)
    syncs = Syncs(passing)
    fillings: list[asyncio.Event] = []

    async def start(_: str, beat: Heartbeat) -> None:
        await syncs(beat)

    async def fill(_: str, __: Heartbeat) -> bool:
        fillings.append(asyncio.Event())
        if len(fillings) == 1:
            built.set_schedule(SHOP, ALWAYS, 5 * MINUTE, at_once=True)
            await fillings[0].wait()
        return True

    built = SyncTimer(start, fill, passing.clock, dice=Random(7), sleep=passing.sleep)
    built.set_schedule(SHOP, ALWAYS, 5 * MINUTE, at_once=True)
    await until_over(passing, built)

    assert len(fillings) == 2
    assert len(syncs.began) > 5


@pytest.mark.anyio
async def test_the_next_run_is_known_between_runs_only() -> None:
    """`next_run_at` is None before `run`, during a sync and after the end; between syncs it is the next start."""
    passing = Passing(FRIDAY, until=HOUR)
    syncs = Syncs(passing)
    during: list[datetime | None] = []
    between: list[datetime | None] = []

    async def start(beat: Heartbeat) -> None:
        during.append(built.next_run_at(SHOP))
        await syncs(beat)

    async def sleep(seconds: float) -> None:
        between.append(built.next_run_at(SHOP))
        await passing.sleep(seconds)

    built = schedule(passing, start, sleep=sleep)
    assert built.next_run_at(SHOP) is None
    await until_over(passing, built)

    assert built.next_run_at(SHOP) is None
    assert during
    assert set(during) == {None}
    assert [told for told, later in pairwise(between) if told != later][: len(syncs.shown)] == syncs.shown


@pytest.mark.anyio
async def test_a_laptop_that_slept_over_the_hours_starts_nothing_at_night() -> None:
    """A clock that jumps from the afternoon into the night starts nothing; the morning does."""
    passing = Passing(FRIDAY - timedelta(days=1), until=12 * HOUR)
    passing.jumps = {2 * MINUTE: 12 * HOUR}
    syncs = Syncs(passing)

    await until_over(passing, schedule(passing, syncs, WORKDAYS))

    assert all(WORKDAYS.is_open(shown) for shown in syncs.shown)
    assert len(syncs.began) > 10
    opening = FRIDAY.replace(hour=7)
    assert opening <= syncs.shown[1] <= opening + MINUTE


@pytest.mark.anyio
async def test_a_clock_set_back_into_the_hours_does_not_wait_for_the_next_day() -> None:
    """Set back from a wrong evening to the right noon, the clock brings the run that was due at noon."""
    passing = Passing(FRIDAY.replace(hour=20), until=HOUR)
    passing.jumps = {10 * MINUTE: -8 * HOUR}
    syncs = Syncs(passing)

    await until_over(passing, schedule(passing, syncs, WORKDAYS))

    assert 10 * MINUTE <= syncs.began[0] <= 11 * MINUTE
    assert all(5 * MINUTE <= gap <= 5.5 * MINUTE for gap in gaps(syncs))


moments = st.timedeltas(timedelta(), 3 * HOUR)
leaps = st.timedeltas(-timedelta(days=4000), timedelta(days=4000))


@given(jumps=st.dictionaries(moments, leaps, max_size=5))
@settings(deadline=None)
def test_a_clock_that_jumps_brings_neither_burst_nor_stall(jumps: dict[timedelta, timedelta]) -> None:
    """
    A jump brings at most the one run that is due by the new time; set back, the next run is late by at most a minute.
    No sleep is longer than a minute.
    """
    passing, syncs = asyncio.run(_jumping(jumps, ALWAYS))

    assert max(passing.sleeps) <= MINUTE
    assert all(gap <= 5.5 * MINUTE + MINUTE * len(jumps) for gap in gaps(syncs))
    assert sum(gap < 5 * MINUTE for gap in gaps(syncs)) <= len(jumps)
    assert syncs.began[0] <= MINUTE * (1 + len(jumps))
    assert passing.elapsed - syncs.ended[-1] <= 6 * MINUTE + MINUTE * len(jumps)


@given(jumps=st.dictionaries(moments, leaps, max_size=5))
@settings(deadline=None)
def test_a_clock_that_jumps_starts_nothing_outside_the_hours(jumps: dict[timedelta, timedelta]) -> None:
    """Wherever the clock jumps, nothing starts while it shows a time outside the hours."""
    passing, syncs = asyncio.run(_jumping(jumps, WORKDAYS))

    assert max(passing.sleeps) <= MINUTE
    assert all(WORKDAYS.is_open(shown) for shown in syncs.shown)


async def _jumping(jumps: dict[timedelta, timedelta], hours: SyncHours) -> tuple[Passing, Syncs]:
    passing = Passing(datetime(2060, 1, 2, 15, 0, tzinfo=UTC), until=4 * HOUR)
    passing.jumps = dict(jumps)
    syncs = Syncs(passing)
    await until_over(passing, schedule(passing, syncs, hours))
    return passing, syncs
