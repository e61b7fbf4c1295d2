"""
Slow down syncs while API requests come in, and the outbox while GET requests do. Reading and storing an order keeps the
process busy for some milliseconds: with a PlanSo that answers at once, callers would get next to nothing of it.

Workshops are slowed down side by side, so that none waits for the orders of a huge one; their sum is bounded, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

QUIET_AFTER = 0.05
"""Seconds without a request after which nothing is delayed."""
ORDER_INTERVAL = 0.1
"""Seconds from one order of a workshop to the next while requests come in; most of the time is theirs."""
SHARED_INTERVAL = 0.025
"""The same for orders of all workshops of the process: each costs 4 to 8 ms of CPU."""


class Pacer:
    """Of a process; `for_workshop` makes that of a workshop, whose turns are also turns of the process."""

    def __init__(
        self, clock: Callable[[], float] = monotonic, *, interval: float = SHARED_INTERVAL, process: Pacer | None = None
    ) -> None:
        self._clock = clock
        self._interval = interval
        self._process = process
        self._requested_at = float("-inf")
        self._next_at = 0.0

    def for_workshop(self) -> Pacer:
        return Pacer(self._clock, interval=ORDER_INTERVAL, process=self)

    def record_request(self) -> None:
        """For the process's."""
        self._requested_at = self._clock()

    def is_quiet(self, now: float) -> bool:
        """Whether no request came for a while. For the process's."""
        return now - self._requested_at > QUIET_AFTER

    def reserve_turn(self) -> float:
        """Reserve the next turn; returns the seconds until it."""
        now = self._clock()
        if (self._process or self).is_quiet(now):
            return 0.0
        turn = max(now, self._next_at)
        self._next_at = turn + self._interval
        return turn - now

    async def wait_turn(self) -> None:
        pause = self.reserve_turn()
        if pause:
            await asyncio.sleep(pause)
        if self._process is not None:  # only now: who waits for its own workshop's turn takes none of the others'
            await self._process.wait_turn()
