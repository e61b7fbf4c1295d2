"""
Give way: a sync lets callers go first, and the writes on their way to PlanSo those who read. Reading and storing an
order keeps the process busy for some milliseconds, and without this a PlanSo that answers at once leaves next to
nothing of it to those who are on the phone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

QUIET_AFTER = 0.05
"""Seconds without a request, after which nothing waits any more."""
ORDER_INTERVAL = 0.1
"""Seconds from one order to the next while requests come: most of the time is theirs."""


class Pacer:
    """Lives as long as the process."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._asked_at = float("-inf")
        self._next_at = 0.0

    def record_request(self) -> None:
        """Somebody asks something."""
        self._asked_at = self._clock()

    def reserve_turn(self) -> float:
        """Seconds to wait before the next order; each call takes the turn that it tells."""
        now = self._clock()
        if now - self._asked_at > QUIET_AFTER:
            return 0.0
        turn = max(now, self._next_at)
        self._next_at = turn + ORDER_INTERVAL
        return turn - now

    async def wait_turn(self) -> None:
        pause = self.reserve_turn()
        if pause:
            await asyncio.sleep(pause)
