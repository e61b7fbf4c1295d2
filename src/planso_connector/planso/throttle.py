"""How hard PlanSo is asked: at most so many requests at once, and at least so much time between two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Throttle:
    """
    `concurrency`: requests at once, from 1. `rate`: requests per second that are begun at most, None for no limit.
    Those who wait are served in the order in which they came.
    """

    def __init__(self, concurrency: int = 4, rate: float | None = None) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency {concurrency}: accepted: a whole number from 1")
        if rate is not None and not rate > 0:
            raise ValueError(f"rate {rate}: accepted: requests per second above 0")
        self.concurrency = concurrency
        self._spacing = 1 / rate if rate is not None else 0.0
        self._slots = asyncio.Semaphore(concurrency)
        self._next_start = 0.0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one of the slots; entered when it is free and the spacing has passed."""
        async with self._slots:
            if self._spacing:
                now = asyncio.get_running_loop().time()
                start = max(now, self._next_start)
                self._next_start = start + self._spacing
                await asyncio.sleep(start - now)
            yield
