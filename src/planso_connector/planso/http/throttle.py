"""
Queue requests to PlanSo, writes first, within a fixed rate and the concurrency that `adaptive_throttle` allows: one
budget for the process (protocol, section 8).

Instants are the event loop's time, durations seconds.
"""

import asyncio
import math
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from planso_connector.domain.errors import PlansoTimeout
from planso_connector.planso.http.adaptive_throttle import AdaptiveLimit
from planso_connector.planso.http.outcome import OVERLOAD_STATUSES

MAX_RETRY_AFTER = 600.0
"""A longer `Retry-After` is taken for a mistake and cut to this."""

WRITES_PER_READ = 3
"""While both wait, a read is served after this many writes."""

_TIMER_TOLERANCE = 0.001
"""Timers may fire this much early: uvloop counts in milliseconds."""

_urgent_until: ContextVar[float | None] = ContextVar("planso_urgent_until", default=None)
"""The latest instant at which an urgent request may begin; None for requests that are not urgent."""


@dataclass(slots=True)
class _HeldSlot:
    request_count: int = 0


_held: ContextVar[_HeldSlot | None] = ContextVar("planso_held_slot", default=None)


class Timer(Protocol):
    def cancel(self) -> object: ...


class LoopClock(Protocol):
    """What the throttle needs of an event loop."""

    def time(self) -> float: ...
    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer: ...


@contextmanager
def urgent_requests(begin_by: float | None = None) -> Iterator[None]:
    """
    Requests in here, and in tasks started in here, belong to a write or a live read: they go before a sync's reads, and
    use the foreground session.

    A request that can't begin by `begin_by` is not sent and raises PlansoTimeout. The innermost context counts.
    """
    token = _urgent_until.set(math.inf if begin_by is None else begin_by)
    try:
        yield
    finally:
        _urgent_until.reset(token)


def is_urgent() -> bool:
    """Whether this runs within `urgent_requests`."""
    return _urgent_until.get() is not None


class Attempt:
    """One request in its slot. Nothing is learned from it unless its outcome is recorded."""

    def __init__(self, limit: AdaptiveLimit, clock: LoopClock) -> None:
        self._limit, self._clock = limit, clock
        self._cut_count, self._began = limit.cut_count, clock.time()

    def record_response(self, status: int, page: str = "", retry_after: float | None = None) -> None:
        """A response arrived now. `page`: the kind of page; each has its own usual latency."""
        now = self._clock.time()
        if status in OVERLOAD_STATUSES:
            self._limit.record_overload(now, self._cut_count)
        elif status < 500:
            self._limit.record_success(self._cut_count, page, now - self._began if status < 400 else None)
        if retry_after is not None and status >= 400:
            self._limit.pause_until(now + min(retry_after, MAX_RETRY_AFTER))

    def record_failure(self) -> None:
        """No response, or an incomplete one."""
        self._limit.record_overload(self._clock.time(), self._cut_count)


class Throttle:
    """
    `concurrency`: requests in flight at most. `rate`: requests begun per second at most, None for no limit.
    `clock`: the running loop by default. `random_fraction`: numbers from 0 up to 1 for the length of pauses.

    Reads are served in the order in which they came, and so are writes.
    """

    def __init__(
        self,
        concurrency: int = 4,
        rate: float | None = None,
        *,
        clock: LoopClock | None = None,
        random_fraction: Callable[[], float] = random.random,
    ) -> None:
        self.in_flight = 0
        self._limit = AdaptiveLimit(concurrency, random_fraction)
        self.set_limits(concurrency, rate)
        self._next_start = -math.inf
        self._given_clock = clock
        self._writes: deque[asyncio.Future[None]] = deque()
        self._reads: deque[asyncio.Future[None]] = deque()
        self._writes_since_read = 0
        self._timer: Timer | None = None
        self._timer_at = math.inf

    def set_limits(self, concurrency: int, rate: float | None) -> None:
        """From the next request on."""
        if concurrency < 1:
            raise ValueError(f"concurrency {concurrency}: accepted: a whole number from 1")
        if rate is not None and not rate > 0:
            raise ValueError(f"rate {rate}: accepted: requests per second above 0")
        self.concurrency = concurrency
        self._limit.set_concurrency(concurrency)
        self._spacing = 1 / rate if rate is not None else 0.0

    @property
    def max_in_flight(self) -> int:
        """Requests that may be in flight now, from 1 to `concurrency`."""
        return self._limit.max_in_flight

    @property
    def waiting_count(self) -> int:
        """Requests that wait for a slot."""
        return sum(not waiter.done() for queue in (self._writes, self._reads) for waiter in queue)

    @property
    def paused_until(self) -> float | None:
        """When reads may go on, None for now. A good response to a write ends the pause sooner."""
        until = self._limit.earliest_start(write=False)
        return until if until > self._clock.time() else None

    @property
    def latency(self) -> float | None:
        """Smoothed seconds of the last responses; None before the first."""
        return self._limit.latency

    @asynccontextmanager
    async def slot(self, urgent: bool = False) -> AsyncIterator[Attempt]:
        """
        Wait for a slot for one request. Goes before reads if `urgent` or within `urgent_requests`. Raises
        PlansoTimeout where the latter's `begin_by` passes first.
        """
        held = _held.get()
        if held is not None:
            held.request_count += 1
            yield Attempt(self._limit, self._clock)
            return
        begin_by = _urgent_until.get()
        queue = self._writes if urgent or begin_by is not None else self._reads
        await self._wait_in(queue, math.inf if begin_by is None else begin_by)
        try:
            yield Attempt(self._limit, self._clock)
        finally:
            self._release()

    @asynccontextmanager
    async def hold_slot(self) -> AsyncIterator[None]:
        """
        Hold one slot for several requests in a row, so that nothing waits between them. Raises as `slot` does.

        Tasks started in here share it. Nothing in here may wait for a request outside, which might wait for this slot.
        """
        async with self.slot(urgent=True):
            held = _HeldSlot()
            token = _held.set(held)
            try:
                yield
            finally:
                _held.reset(token)
                self._next_start += max(0, held.request_count - 1) * self._spacing

    @property
    def is_slot_held(self) -> bool:
        """Whether this runs within `hold_slot`."""
        return _held.get() is not None

    @property
    def _clock(self) -> LoopClock:
        return self._given_clock or asyncio.get_running_loop()

    async def _wait_in(self, queue: deque[asyncio.Future[None]], begin_by: float) -> None:
        """Returns with a slot, or raises without one."""
        if max(self._clock.time(), self._limit.paused_until) > begin_by:
            raise _deadline_error()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(waiter)
        self._serve()
        if waiter.done():
            return
        expiry = self._clock.call_at(begin_by, lambda: _expire(waiter)) if begin_by < math.inf else None
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:  # it got its slot just now
                self._release()
            raise
        finally:
            if expiry is not None:
                expiry.cancel()

    def _release(self) -> None:
        self.in_flight -= 1
        self._serve()

    def _serve(self) -> None:
        """Give slots to all that may begin now, and set the timer for the next."""
        now = self._clock.time()
        while (queue := self._next_queue(now)) is not None:
            queue.popleft().set_result(None)
            self._writes_since_read = self._writes_since_read + 1 if queue is self._writes else 0
            self.in_flight += 1
            self._next_start = max(now, self._next_start) + self._spacing
        self._set_timer(now)

    def _next_queue(self, now: float) -> deque[asyncio.Future[None]] | None:
        """The queue whose first waiter gets a slot now; None for neither."""
        write, read = (self._may_begin(queue, now) for queue in (self._writes, self._reads))
        if write and not (read and self._writes_since_read >= WRITES_PER_READ):
            return self._writes
        return self._reads if read else None

    def _may_begin(self, queue: deque[asyncio.Future[None]], now: float) -> bool:
        while queue and queue[0].done():  # cancelled, or expired
            queue.popleft()
        limit = self._limit.limit_for(write=queue is self._writes)
        return bool(queue) and self.in_flight < limit and now + _TIMER_TOLERANCE >= self._earliest_start(queue)

    def _earliest_start(self, queue: deque[asyncio.Future[None]]) -> float:
        return max(self._next_start, self._limit.earliest_start(write=queue is self._writes))

    def _set_timer(self, now: float) -> None:
        """Wake when a pause ends for a waiter. Where a slot is missing, its release wakes."""
        starts = [self._earliest_start(queue) for queue in (self._writes, self._reads) if queue]
        when = min((start for start in starts if start > now + _TIMER_TOLERANCE), default=math.inf)
        if when == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._clock.call_at(when, self._wake) if when < math.inf else None

    def _wake(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self._serve()


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(_deadline_error())


def _deadline_error() -> PlansoTimeout:
    return PlansoTimeout("PlanSo can't be asked before this request's deadline; nothing was sent")
