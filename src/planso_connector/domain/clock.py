"""Instants. In the database and in answers: UTC, ISO 8601, six decimals and a Z, so that text order is time order."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Gives the present instant, aware, in UTC."""


def now() -> datetime:
    return datetime.now(UTC)


def format_instant(instant: datetime) -> str:
    """`2026-11-23T10:15:30.000000Z`, always 27 characters."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


LONGEST_EXPIRY = timedelta(minutes=30)
"""No lease and no pause between two tries is that long: one that ends later was given before the clock was set back."""


def latest_plausible_expiry(now: str) -> str:
    """From where on an end of a lease or a pause can't be meant."""
    return format_instant(parse_instant(now) + LONGEST_EXPIRY)


CLOCK_TOLERANCE = timedelta(minutes=1)
"""A reading that lies further ahead was made before the clock was set back, and is no later one."""


def parse_instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


JUMP_TOLERANCE = timedelta(seconds=2)
"""A clock that moved by so much more or less than time passed was set; less is how clocks are kept right."""


def monotonic_seconds() -> float:
    """Seconds that nobody sets; while the machine sleeps they go on, where its system counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class ClockJumps:
    """
    How far the clock jumped ahead since something was written down, as far as this process saw it: that is no time that
    passed. A clock that is set back undoes it. Looked at every few seconds, or a jump can't be told from its past.
    """

    def __init__(
        self,
        clock: Clock,
        told: Callable[[timedelta], object] = lambda _: None,
        steady: Callable[[], float] = monotonic_seconds,
    ) -> None:
        self._clock = clock
        self._told = told
        self._steady = steady
        self._last = clock(), steady()
        self._ahead: list[tuple[datetime, timedelta]] = []

    def check(self) -> None:
        """`told` is how far the clock jumped since the last look, if it did; back is less than nothing."""
        now, seconds = self._clock(), self._steady()
        (shown, since), self._last = self._last, (now, seconds)
        expected = shown + timedelta(seconds=seconds - since)
        jump = now - expected
        if abs(jump) <= JUMP_TOLERANCE:
            return
        self._told(jump)
        if jump > timedelta(0):
            # Nothing that was written since bears an instant that was jumped over: it comes from an earlier clock.
            self._ahead.append((max(expected, shown + jump), jump))
        back = -jump
        while back > timedelta(0) and self._ahead:
            before, by = self._ahead.pop()
            if by > back:
                self._ahead.append((before - back, by - back))
            back -= by

    def jumped_ahead_since(self, instant: str) -> timedelta:
        """Of a stamp that was written before the jumps; of one that was written after them, nothing."""
        self.check()
        return sum((by for before, by in self._ahead if instant < format_instant(before)), timedelta(0))
