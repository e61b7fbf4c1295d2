"""
Queue: the writes of this process that were not tried yet, oldest first, and how fast they are tried: to tell a caller
early that its write will not be confirmed within its wait.
"""

from __future__ import annotations

from itertools import takewhile

FORGOTTEN_AFTER = 60.0
"""Seconds; the longest wait. Older ones are tried by another process, or wait for an earlier write to their order."""

_SMOOTHING = 1 / 8
"""The newest interval's weight in the smoothed one."""


class WaitEstimator:
    """`now` is the loop's time, in seconds."""

    def __init__(self) -> None:
        self._waiting: dict[str, float] = {}
        """Since when, by operation."""
        self._tried_at: float | None = None
        self._interval = 0.0
        """Seconds from one try to the next while others waited, smoothed; 0 before there was any."""

    def add(self, operation_id: str, now: float) -> None:
        for oldest in list(takewhile(lambda one: self._waiting[one] < now - FORGOTTEN_AFTER, self._waiting)):
            del self._waiting[oldest]
        self._waiting.setdefault(operation_id, now)

    def discard(self, operation_id: str) -> None:
        """It need not be tried any more."""
        self._waiting.pop(operation_id, None)

    def tried(self, operation_id: str, now: float) -> None:
        if self._waiting.pop(operation_id, None) is None:
            return
        if self._tried_at is not None:
            weight = _SMOOTHING if self._interval else 1.0
            self._interval += (now - self._tried_at - self._interval) * weight
        self._tried_at = now if self._waiting else None

    def seconds_until(self, operation_id: str, *, beside: int) -> float:
        """How long until it is tried, as far as can be told; 0 where fewer than `beside` are before it."""
        if operation_id not in self._waiting or len(self._waiting) <= beside:
            return 0.0
        before = sum(1 for _ in takewhile(lambda one: one != operation_id, self._waiting))
        return before * self._interval if before >= beside else 0.0
