"""Estimate how long a write waits for its first attempt, so that a caller whose wait is too short gets 202 at once."""

from itertools import takewhile

MAX_AGE = 60.0
"""Seconds; the longest wait. Older writes are left to another process, or wait for an earlier write to their order."""

_SMOOTHING = 1 / 8
"""The newest interval's weight in the exponentially smoothed one."""


class WaitEstimator:
    """This process's writes without an attempt, oldest first. `now` is the event loop's time, in seconds."""

    def __init__(self) -> None:
        self._waiting_since: dict[str, float] = {}
        self._last_attempt_at: float | None = None
        self._interval = 0.0
        """Seconds between two attempts while others waited, smoothed; 0 before there was one."""

    def add(self, operation_id: str, now: float) -> None:
        for stale in list(takewhile(lambda one: self._waiting_since[one] < now - MAX_AGE, self._waiting_since)):
            del self._waiting_since[stale]
        self._waiting_since.setdefault(operation_id, now)

    def discard(self, operation_id: str) -> None:
        """Forget a write that needs no attempt any more."""
        self._waiting_since.pop(operation_id, None)

    def record_attempt(self, operation_id: str, now: float) -> None:
        if self._waiting_since.pop(operation_id, None) is None:
            return
        if self._last_attempt_at is not None:
            weight = _SMOOTHING if self._interval else 1.0
            self._interval += (now - self._last_attempt_at - self._interval) * weight
        self._last_attempt_at = now if self._waiting_since else None

    def estimate(self, operation_id: str, *, slots: int) -> float:
        """Seconds until the first attempt; 0 where it is not waiting, or fewer than `slots` writes are before it."""
        if operation_id not in self._waiting_since or len(self._waiting_since) <= slots:
            return 0.0
        before = sum(1 for _ in takewhile(lambda one: one != operation_id, self._waiting_since))
        return before * self._interval if before >= slots else 0.0
