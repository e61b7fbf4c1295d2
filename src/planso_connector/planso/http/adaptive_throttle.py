"""
Raise and lower the concurrency towards PlanSo by its errors and latency, and pause after overload. Never waits itself.

The limit grows by one after each round of good responses, halves after a round with errors of overload, and falls by
one after a round that was several times slower than usual. A round is as many requests as may be in flight. While
errors continue, only one probing read is in flight at a time, after growing pauses. All requests honour `Retry-After`.
Durations in seconds.
"""

import math
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from planso_connector.domain import clock

FIRST_PAUSE = 1.0
"""The longest first pause after an error, doubled by each further failing round. A pause is at least half as long."""

MAX_PAUSE = 30.0

MAX_WRITE_PAUSE = 2.0
"""Writes try again after this at the latest."""

SLOW_FACTOR = 4.0
"""A page is slow if it takes this many times its usual latency..."""

SLOW_MARGIN = 0.25
"""...and this much more than that: below, our own machine may be the cause."""

_SMOOTHING = 1 / 8
"""The weight of the newest response in a smoothed latency."""
_USUAL_FALL, _USUAL_RISE = 0.9, 1.002
"""Factors per response by which the usual latency falls or rises: it tracks a low quantile."""


def parse_retry_after(header: str | None, date: str | None = None) -> float | None:
    """
    The seconds that a `Retry-After` asks for, None where it can't be parsed. A date in it counts from the response's
    own `Date`, as the two machines' clocks may differ. Source: RFC 9110, section 10.2.3.
    """
    if header is None:
        return None
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", header.strip()):
        return float(header)
    until = _parse_http_date(header)
    if until is None:
        return None
    since = _parse_http_date(date) if date is not None else None
    return max(0.0, (until - (since or clock.now())).total_seconds())


def _parse_http_date(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
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
        """Returns whether the page is slow now. One response that hung counts for little: several must be slow."""
        self.smoothed += (min(seconds, self.slow_above * 2) - self.smoothed) * _SMOOTHING
        if self.smoothed < self.usual:
            self.usual = max(self.smoothed, self.usual * _USUAL_FALL)
        else:
            self.usual = min(self.smoothed, self.usual * _USUAL_RISE)
        return self.smoothed > self.slow_above


class AdaptiveLimit:
    """
    `random_fraction`: numbers from 0 up to 1, for the length of pauses.

    Errors of requests that began before the last cut of the limit don't cut it again.
    """

    def __init__(self, concurrency: int, random_fraction: Callable[[], float] = random.random) -> None:
        self.concurrency = concurrency
        self.max_in_flight = concurrency
        self.latency: float | None = None
        """Of all pages, smoothed."""
        self.cut_count = 0
        self.failing_rounds = 0
        """In a row; 0 after a good response."""
        self.paused_until = -math.inf
        """Nothing is sent before, by `Retry-After`."""
        self._reads_from = self._writes_from = -math.inf
        self._responses = self._slow_responses = 0
        self._latencies: dict[str, _PageLatency] = {}
        self._random_fraction = random_fraction

    def set_concurrency(self, concurrency: int) -> None:
        """A higher one is reached by good responses, step by step."""
        self.concurrency = concurrency
        self.max_in_flight = min(self.max_in_flight, concurrency)

    def earliest_start(self, *, write: bool) -> float:
        return max(self.paused_until, self._writes_from if write else self._reads_from)

    def limit_for(self, *, write: bool) -> int:
        """How many requests may be in flight once one more of this kind has begun."""
        return 1 if self.failing_rounds and not write else self.max_in_flight

    def pause_until(self, until: float) -> None:
        self.paused_until = max(self.paused_until, until)

    def record_overload(self, now: float, cut_count_at_start: int) -> None:
        if cut_count_at_start < self.cut_count:
            return
        self.cut_count += 1
        self.max_in_flight = max(1, self.max_in_flight // 2)
        self._responses = self._slow_responses = 0
        longest = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(self.failing_rounds, 30))
        pause = longest * (1 + self._random_fraction()) / 2
        self.failing_rounds += 1
        self._reads_from = now + pause
        self._writes_from = now + min(pause, MAX_WRITE_PAUSE)

    def record_success(self, cut_count_at_start: int, page: str, seconds: float | None) -> None:
        """`seconds`: None where they say nothing about the page's latency."""
        self.failing_rounds = 0
        self._reads_from = self._writes_from = -math.inf
        is_slow = seconds is not None and self._record_latency(page, seconds)
        if cut_count_at_start < self.cut_count:
            return
        self._responses += 1
        self._slow_responses += is_slow
        if self._responses >= self.max_in_flight:
            step = -1 if self._slow_responses * 2 > self._responses else 1
            self.max_in_flight = min(self.concurrency, max(1, self.max_in_flight + step))
            self._responses = self._slow_responses = 0

    def _record_latency(self, page: str, seconds: float) -> bool:
        """Returns whether this kind of page is slow now."""
        before = self.latency
        self.latency = seconds if before is None else before + (seconds - before) * _SMOOTHING
        return self._latencies.setdefault(page, _PageLatency(seconds)).record(seconds)
