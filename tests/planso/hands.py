"""A clock that tests turn by hand, and requests that end when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from planso_connector.planso.http.throttle import Attempt, Throttle


@dataclass
class Call:
    when: float
    callback: Callable[[], object]
    calls: list[Call]

    def cancel(self) -> None:
        if self in self.calls:
            self.calls.remove(self)


@dataclass
class Hands:
    """A loop's time that moves only when a test turns it."""

    now: float = 1000.0
    calls: list[Call] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> Call:
        call = Call(when, callback, self.calls)
        self.calls.append(call)
        return call

    async def turn(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [call for call in self.calls if call.when <= end]:
            call = min(due, key=lambda call: call.when)
            self.calls.remove(call)
            self.now = max(self.now, call.when)
            call.callback()
            await settle()
        self.now = end


async def settle() -> None:
    """Every task goes as far as it can: no step here needs more turns of the loop than these."""
    for _ in range(6):
        await asyncio.sleep(0)


class Request:
    """Waits for its slot, and holds it until it is answered."""

    def __init__(self, throttle: Throttle, *, urgent: bool = False) -> None:
        self.attempt: Attempt | None = None
        self._end = asyncio.Event()
        self.task = asyncio.create_task(self._go(throttle, urgent))

    async def _go(self, throttle: Throttle, urgent: bool) -> None:
        async with throttle.slot(urgent) as self.attempt:
            await self._end.wait()

    def is_open(self) -> bool:
        return self.attempt is not None and not self._end.is_set()

    async def ends(self, status: int | None = 200, retry_after: float | None = None) -> None:
        """With an answer, or without one for None."""
        assert self.attempt is not None
        if status is None:
            self.attempt.record_failure()
        else:
            self.attempt.record_response(status, "page", retry_after)
        self._end.set()
        await settle()


async def asked(throttle: Throttle, count: int = 1, *, urgent: bool = False) -> list[Request]:
    requests = [Request(throttle, urgent=urgent) for _ in range(count)]
    await settle()
    return requests


def throttle_of(concurrency: int, hands: Hands, dice: float = 0.0) -> Throttle:
    return Throttle(concurrency, clock=hands, random_fraction=lambda: dice)
