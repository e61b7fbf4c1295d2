"""
UTC instants as sortable text, and clocks.

In the database and in answers an instant is text, ISO 8601 in UTC with six decimals: text order is time order.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NewType

from planso_connector.domain.messages import InvalidValue

Instant = NewType("Instant", str)
"""`2026-11-23T10:15:30.000000Z`, always 27 characters. No instant is None, never `""`."""

Clock = Callable[[], datetime]
"""Returns the present, aware, in UTC."""

LONGEST_EXPIRY = timedelta(minutes=30)
"""Longer than any lease, and than any pause between two attempts."""

CLOCK_TOLERANCE = timedelta(minutes=1)
"""How far the clocks of two processes may differ. A reading further ahead dates from before the clock was set back."""

JUMP_TOLERANCE = timedelta(seconds=2)
"""A clock that moved by this much more or less than time passed was set; less is ordinary clock discipline (NTP)."""


def now() -> datetime:
    return datetime.now(UTC)


def format_instant(moment: datetime) -> Instant:
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")  # a third of strftime's time
    return Instant(f"{text.removesuffix('+00:00')}Z")


def parse_instant(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


def parse_sent_instant(text: str) -> Instant:
    """
    An instant that a caller sent: ISO 8601 with an offset, whose `+` may have become a blank in a URL. Raises
    InvalidValue.
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
        if moment.tzinfo is None:
            raise InvalidValue("not_an_instant")
        return format_instant(moment)
    except (ValueError, OverflowError):
        raise InvalidValue("not_an_instant") from None


def latest_plausible_expiry(now: str) -> Instant:
    """A lease or a pause that ends after this was granted before the clock was set back, and is over."""
    return format_instant(parse_instant(now) + LONGEST_EXPIRY)


def monotonic_seconds() -> float:
    """Seconds of a clock that can't be set. They include the machine's sleep where the system counts it (Linux)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class ClockJumps:
    """
    Forward jumps of the clock that this process saw, so that they don't count as time that passed. A clock that is set
    back cancels them. `check` has to be called every few seconds: a jump is dated to the check that finds it.

    `on_jump` gets the size of each jump, negative for one backwards.
    """

    def __init__(
        self,
        clock: Clock,
        on_jump: Callable[[timedelta], object] = lambda _: None,
        monotonic: Callable[[], float] = monotonic_seconds,
    ) -> None:
        self._clock = clock
        self._on_jump = on_jump
        self._monotonic = monotonic
        self._last = clock(), monotonic()
        self._jumps: list[tuple[datetime, timedelta]] = []
        """Each with the instant before which it counts."""

    def check(self) -> None:
        """Compare the clock with the time that passed since the last check."""
        now, seconds = self._clock(), self._monotonic()
        (last_now, last_seconds), self._last = self._last, (now, seconds)
        expected = last_now + timedelta(seconds=seconds - last_seconds)
        jump = now - expected
        if abs(jump) <= JUMP_TOLERANCE:
            return
        self._on_jump(jump)
        if jump > timedelta(0):
            # No instant written since lies in the span that was jumped over: one that does dates from an earlier clock.
            self._jumps.append((max(expected, last_now + jump), jump))
        back = -jump
        while back > timedelta(0) and self._jumps:
            before, size = self._jumps.pop()
            if size > back:
                self._jumps.append((before - back, size - back))
            back -= size

    def jumped_ahead_since(self, instant: str) -> timedelta:
        """How far the clock jumped ahead after `instant` was written."""
        self.check()
        return sum((size for before, size in self._jumps if instant < format_instant(before)), timedelta(0))
