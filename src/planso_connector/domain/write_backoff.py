"""How long to wait before the next attempt of a write."""

from datetime import timedelta
from random import Random

FIRST_DELAY, MAX_DELAY = 0.5, 60.0
"""Seconds before the second attempt, and at most before any; without jitter."""


def compute_backoff(attempts: int, random: Random) -> timedelta:
    """
    The pause after `attempts` failed attempts: doubled each time, with 25 % jitter either way, so that operations that
    failed together are not retried together.
    """
    seconds = min(FIRST_DELAY * 2 ** min(max(attempts - 1, 0), 30), MAX_DELAY)
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))
