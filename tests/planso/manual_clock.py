"""A clock that tests advance, and throttled requests that end when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from planso_connector.planso.http.throttle import Attempt, Throttle


@dataclass
class ManualTimer:
    when: float
    callback: Callable[[], object]
    timers: list[ManualTimer]

    def cancel(self) -> None:
        if self in self.timers:
            self.timers.remove(self)


@dataclass
class ManualClock:
    """An event loop's clock and timers; time passes in `advance` alone."""

    now: float = 1000.0
    timers: list[ManualTimer] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> ManualTimer:
        timer = ManualTimer(when, callback, self.timers)
        self.timers.append(timer)
        return timer

    async def advance(self, seconds: float) -> None:
        """Fire the timers that are due, each at its time."""
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer.when <= end]:
            timer = min(due, key=lambda timer: timer.when)
            self.timers.remove(timer)
            self.now = max(self.now, timer.when)
            timer.callback()
            await run_ready_tasks()
        self.now = end


async def run_ready_tasks() -> None:
    """Let every task go as far as it can; no step of the throttle needs more turns of the loop than these."""
    for _ in range(6):
        await asyncio.sleep(0)


class ThrottledRequest:
    """A task that waits for its slot and holds it until `finish`."""

    def __init__(self, throttle: Throttle, *, urgent: bool = False) -> None:
        self.attempt: Attempt | None = None
        self._end = asyncio.Event()
        self.task = asyncio.create_task(self._run(throttle, urgent))

    async def _run(self, throttle: Throttle, urgent: bool) -> None:
        async with throttle.slot(urgent) as self.attempt:
            await self._end.wait()

    def is_open(self) -> bool:
        return self.attempt is not None and not self._end.is_set()

    async def finish(self, status: int | None = 200, retry_after: float | None = None) -> None:
        """End with a response, or for None without one."""
        assert self.attempt is not None
        if status is None:
            self.attempt.record_failure()
        else:
            self.attempt.record_response(status, "page", retry_after)
        self._end.set()
        await run_ready_tasks()


async def start_requests(throttle: Throttle, count: int = 1, *, urgent: bool = False) -> list[ThrottledRequest]:
    requests = [ThrottledRequest(throttle, urgent=urgent) for _ in range(count)]
    await run_ready_tasks()
    return requests


def make_throttle(concurrency: int, clock: ManualClock, random_fraction: float = 0.0) -> Throttle:
    return Throttle(concurrency, clock=clock, random_fraction=lambda: random_fraction)
