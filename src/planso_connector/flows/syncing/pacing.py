"""
Slow down syncs while API requests come in, and the outbox while GET requests do. Reading and storing an order keeps the
process busy for some milliseconds: with a PlanSo that answers at once, callers would get next to nothing of it.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

QUIET_AFTER = 0.05
"""Seconds without a request after which nothing is delayed."""
ORDER_INTERVAL = 0.1
"""Seconds from one order to the next while requests come in; most of the time is theirs."""


class Pacer:
    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._requested_at = float("-inf")
        self._next_at = 0.0

    def record_request(self) -> None:
        self._requested_at = self._clock()

    def reserve_turn(self) -> float:
        """Reserve the next turn; returns the seconds until it."""
        now = self._clock()
        if now - self._requested_at > QUIET_AFTER:
            return 0.0
        turn = max(now, self._next_at)
        self._next_at = turn + ORDER_INTERVAL
        return turn - now

    async def wait_turn(self) -> None:
        pause = self.reserve_turn()
        if pause:
            await asyncio.sleep(pause)
