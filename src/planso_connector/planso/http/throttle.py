"""
How hard PlanSo is asked: one budget for the whole process. The connector is a guest there (protocol, section 8).

How many requests may be in flight follows PlanSo's answers: one more after each round of good answers, half after a
round with errors of overload, one fewer after a round that was several times slower than usual. While errors go on,
pauses that grow keep all but a probe away. What PlanSo asks for by `Retry-After` is kept to by all.

Writes go before reads: a caller waits for them. Instants are the loop's time, durations seconds.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from planso_connector.domain import clock
from planso_connector.domain.errors import PlansoTimeout

OVERLOAD_STATUSES = frozenset({429, 502, 503, 504})
"""The statuses by which a server or its proxy says that it can't keep up. A 500 may be one order's page."""

FIRST_PAUSE = 1.0
"""The longest first pause after an error; each further failing round doubles it. At least half of it is kept."""

MAX_PAUSE = 30.0

MAX_WRITE_PAUSE = 2.0
"""Writes wait no longer than this before they try again whether PlanSo is back."""

MAX_RETRY_AFTER = 600.0
"""A `Retry-After` beyond this is taken for a mistake, and PlanSo asked again then."""

SLOW_FACTOR = 4.0
"""So many times its usual latency a page must take to count as slow..."""

SLOW_MARGIN = 0.25
"""...and so many seconds more than usual: below that it may be our own machine."""

WRITES_PER_READ = 3
"""While both wait, so many writes are served before a read is."""

_SMOOTHING = 1 / 8
"""The newest answer's weight in a smoothed latency."""
_USUAL_FALL, _USUAL_RISE = 0.9, 1.002
"""The usual latency falls by a tenth and rises by a five-hundredth with an answer: a low quantile, slow to forget."""
_TIMER_TOLERANCE = 0.001
"""Timers may come so much early: uvloop counts in milliseconds."""

_urgent_until: ContextVar[float | None] = ContextVar("planso_urgent_until", default=None)
"""None for reads, else the latest instant at which this work's requests may begin."""


@dataclass(slots=True)
class _HeldSlot:
    request_count: int = 0


_held: ContextVar[_HeldSlot | None] = ContextVar("planso_held", default=None)


class Timer(Protocol):
    def cancel(self) -> object: ...


class LoopClock(Protocol):
    """What the throttle needs of an event loop; tests turn one by hand."""

    def time(self) -> float: ...
    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer: ...


@contextmanager
def urgent_requests(begin_by: float | None = None) -> Iterator[None]:
    """
    What is asked of PlanSo in here, and in tasks begun in here, belongs to a write or a live read: it goes before the
    reads of a sync, and has a session of its own.

    A request that can't begin until `begin_by` is never sent: PlansoTimeout. An inner `urgent` replaces an outer one.
    """
    token = _urgent_until.set(math.inf if begin_by is None else begin_by)
    try:
        yield
    finally:
        _urgent_until.reset(token)


def is_urgent() -> bool:
    """Whether what is asked here and now belongs to a write or a live read."""
    return _urgent_until.get() is not None


def parse_retry_after(header: str | None, date: str | None = None) -> float | None:
    """
    The seconds that a `Retry-After` asks for, None where it can't be understood. A date in it is measured against the
    answer's own `Date`, where there is one: the two machines' clocks may differ. Source: RFC 9110, section 10.2.3.
    """
    if header is None:
        return None
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", header.strip()):
        return float(header)
    until = _instant(header)
    if until is None:
        return None
    since = _instant(date) if date is not None else None
    return max(0.0, (until - (since or clock.now())).total_seconds())


def _instant(http_date: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        return None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


class _PageLatency:
    """How long one kind of page takes: lately (`smoothed`), and when all is well (`usual`)."""

    def __init__(self, seconds: float) -> None:
        self.smoothed = self.usual = seconds

    @property
    def slow_above(self) -> float:
        return max(self.usual * SLOW_FACTOR, self.usual + SLOW_MARGIN)

    def record(self, seconds: float) -> bool:
        """Take in an answer; one that hung counts for little, so that slowness is what several answers agree on."""
        self.smoothed += (min(seconds, self.slow_above * 2) - self.smoothed) * _SMOOTHING
        if self.smoothed < self.usual:
            self.usual = max(self.smoothed, self.usual * _USUAL_FALL)
        else:
            self.usual = min(self.smoothed, self.usual * _USUAL_RISE)
        return self.smoothed > self.slow_above


class AdaptiveLimit:
    """
    What PlanSo's answers taught: how many may be in flight, and what must be waited for. It never waits itself.

    A round is as many requests as may be in flight. Errors of requests that began before the last cut are news that
    was known when it was made: they cut nothing again.
    """

    def __init__(self, concurrency: int, dice: Callable[[], float] = random.random) -> None:
        self.concurrency = concurrency
        self.max_in_flight = concurrency
        self.latency: float | None = None
        """Of all pages, smoothed."""
        self.cut_count = 0
        self.failing_rounds = 0
        """In a row; 0 as soon as an answer is good."""
        self.paused_until = -math.inf
        """Nothing is sent before, by `Retry-After`."""
        self._reads_from = self._writes_from = -math.inf
        self._answers = self._slow_answers = 0
        self._paces: dict[str, _PageLatency] = {}
        self._dice = dice

    def earliest_start(self, *, write: bool) -> float:
        return max(self.paused_until, self._writes_from if write else self._reads_from)

    def limit_for(self, *, write: bool) -> int:
        """How many may be in flight for one more of this kind to begin; while errors go on, reads send one probe."""
        return 1 if self.failing_rounds and not write else self.max_in_flight

    def pause_until(self, until: float) -> None:
        self.paused_until = max(self.paused_until, until)

    def record_overload(self, now: float, began_at_cut: int) -> None:
        """An error of overload."""
        if began_at_cut < self.cut_count:
            return
        self.cut_count += 1
        self.max_in_flight = max(1, self.max_in_flight // 2)
        self._answers = self._slow_answers = 0
        longest = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(self.failing_rounds, 30))
        pause = longest * (1 + self._dice()) / 2
        self.failing_rounds += 1
        self._reads_from = now + pause
        self._writes_from = now + min(pause, MAX_WRITE_PAUSE)

    def record_success(self, began_at_cut: int, page: str, seconds: float | None) -> None:
        """A good answer; `seconds` None where its time says nothing about the page."""
        self.failing_rounds = 0
        self._reads_from = self._writes_from = -math.inf
        is_slow = seconds is not None and self._learn(page, seconds)
        if began_at_cut < self.cut_count:
            return
        self._answers += 1
        self._slow_answers += is_slow
        if self._answers >= self.max_in_flight:
            step = -1 if self._slow_answers * 2 > self._answers else 1
            self.max_in_flight = min(self.concurrency, max(1, self.max_in_flight + step))
            self._answers = self._slow_answers = 0

    def _learn(self, page: str, seconds: float) -> bool:
        """Whether that kind of page is slow now."""
        before = self.latency
        self.latency = seconds if before is None else before + (seconds - before) * _SMOOTHING
        return self._paces.setdefault(page, _PageLatency(seconds)).record(seconds)


class Attempt:
    """One request in its slot. Without a word about its outcome, nothing is learned from it."""

    def __init__(self, restraint: AdaptiveLimit, time: LoopClock) -> None:
        self._restraint, self._time = restraint, time
        self._cut, self._began = restraint.cut_count, time.time()

    def record_response(self, status: int, page: str = "", retry_after: float | None = None) -> None:
        """PlanSo answered, now. `page` names the kind of page: each kind has its own usual latency."""
        now = self._time.time()
        if status in OVERLOAD_STATUSES:
            self._restraint.record_overload(now, self._cut)
        elif status < 500:
            self._restraint.record_success(self._cut, page, now - self._began if status < 400 else None)
        if retry_after is not None and status >= 400:
            self._restraint.pause_until(now + min(retry_after, MAX_RETRY_AFTER))

    def record_failure(self) -> None:
        """No answer came, or it broke off: time ran out, the connection broke, nobody was there."""
        self._restraint.record_overload(self._time.time(), self._cut)


class Throttle:
    """
    `concurrency`: requests at once, from 1. `rate`: requests per second that are begun at most, None for no limit.
    `time`: the running loop unless given. `dice` gives numbers from 0 up to 1 for the length of pauses.

    Reads are served in the order in which they came, and so are writes.
    """

    def __init__(
        self,
        concurrency: int = 4,
        rate: float | None = None,
        *,
        time: LoopClock | None = None,
        dice: Callable[[], float] = random.random,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency {concurrency}: accepted: a whole number from 1")
        if rate is not None and not rate > 0:
            raise ValueError(f"rate {rate}: accepted: requests per second above 0")
        self.concurrency = concurrency
        self.in_flight = 0
        self._restraint = AdaptiveLimit(concurrency, dice)
        self._spacing = 1 / rate if rate is not None else 0.0
        self._next_start = -math.inf
        self._own_time = time
        self._writes: deque[asyncio.Future[None]] = deque()
        self._reads: deque[asyncio.Future[None]] = deque()
        self._writes_since_read = 0
        self._timer: Timer | None = None
        self._timer_at = math.inf

    @property
    def max_in_flight(self) -> int:
        """Requests that may be in flight now, 1 to `concurrency`."""
        return self._restraint.max_in_flight

    @property
    def waiting_count(self) -> int:
        """Requests that wait for a slot."""
        return sum(not waiter.done() for queue in (self._writes, self._reads) for waiter in queue)

    @property
    def paused_until(self) -> float | None:
        """When reads may go on, by the loop's time; None when they may now. A good answer to a write ends it sooner."""
        until = self._restraint.earliest_start(write=False)
        return until if until > self._time.time() else None

    @property
    def latency(self) -> float | None:
        """Seconds that answers took lately, smoothed; None before the first."""
        return self._restraint.latency

    @asynccontextmanager
    async def slot(self, urgent: bool = False) -> AsyncIterator[Attempt]:
        """
        Hold a slot for one request, and tell the attempt what came of it. Within the context of `urgent`, or if told
        so here, it goes before reads. Raises PlansoTimeout where that context's `begin_by` passes first.
        """
        held = _held.get()
        if held is not None:
            held.request_count += 1
            yield Attempt(self._restraint, self._time)
            return
        begin_by = _urgent_until.get()
        queue = self._writes if urgent or begin_by is not None else self._reads
        await self._turn(queue, math.inf if begin_by is None else begin_by)
        try:
            yield Attempt(self._restraint, self._time)
        finally:
            self._give_back()

    @asynccontextmanager
    async def hold_slot(self) -> AsyncIterator[None]:
        """
        Hold one slot for several requests in a row, so that nothing waits between them. Raises as `slot` does.

        Tasks begun in here share it. Nothing in here may wait for another request: that one might wait for this slot.
        """
        async with self.slot(urgent=True):
            token = _held.set(_HeldSlot())
            try:
                yield
            finally:
                held = _held.get()
                _held.reset(token)
                extra = held.request_count - 1 if held is not None else 0
                self._next_start += max(0, extra) * self._spacing

    @property
    def is_slot_held(self) -> bool:
        """Whether this work holds its slot from before."""
        return _held.get() is not None

    @property
    def _time(self) -> LoopClock:
        return self._own_time or asyncio.get_running_loop()

    async def _turn(self, queue: deque[asyncio.Future[None]], begin_by: float) -> None:
        """Returns with a slot, or raises without one."""
        if max(self._time.time(), self._restraint.paused_until) > begin_by:
            raise _deadline_error()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(waiter)
        self._serve()
        if waiter.done():
            return
        expiry = self._time.call_at(begin_by, lambda: _expire(waiter)) if begin_by < math.inf else None
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:  # its turn came just now
                self._give_back()
            raise
        finally:
            if expiry is not None:
                expiry.cancel()

    def _give_back(self) -> None:
        self.in_flight -= 1
        self._serve()

    def _serve(self) -> None:
        """Give away what may be given away now, and see to it that the next moment is not missed."""
        now = self._time.time()
        while (queue := self._next_queue(now)) is not None:
            queue.popleft().set_result(None)
            self._writes_since_read = self._writes_since_read + 1 if queue is self._writes else 0
            self.in_flight += 1
            self._next_start = max(now, self._next_start) + self._spacing
        self._set_timer(now)

    def _next_queue(self, now: float) -> deque[asyncio.Future[None]] | None:
        """The queue whose first is served now."""
        write, read = (self._may_begin(queue, now) for queue in (self._writes, self._reads))
        if write and not (read and self._writes_since_read >= WRITES_PER_READ):
            return self._writes
        return self._reads if read else None

    def _may_begin(self, queue: deque[asyncio.Future[None]], now: float) -> bool:
        while queue and queue[0].done():  # cancelled, or expired
            queue.popleft()
        room = self._restraint.limit_for(write=queue is self._writes)
        return bool(queue) and self.in_flight < room and now + _TIMER_TOLERANCE >= self._opens_at(queue)

    def _opens_at(self, queue: deque[asyncio.Future[None]]) -> float:
        return max(self._next_start, self._restraint.earliest_start(write=queue is self._writes))

    def _set_timer(self, now: float) -> None:
        """Wake when a pause ends for somebody. Where a slot is what is missing, its return wakes."""
        pauses = [self._opens_at(queue) for queue in (self._writes, self._reads) if queue]
        when = min((pause for pause in pauses if pause > now + _TIMER_TOLERANCE), default=math.inf)
        if when == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._time.call_at(when, self._wake) if when < math.inf else None

    def _wake(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self._serve()


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(_deadline_error())


def _deadline_error() -> PlansoTimeout:
    return PlansoTimeout("PlanSo must be left alone for longer than this may wait; nothing was sent")
