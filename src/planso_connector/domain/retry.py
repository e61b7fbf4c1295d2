"""When an operation that could not be carried through is tried again. Pure."""

from __future__ import annotations

from datetime import timedelta
from random import Random

FIRST_DELAY, MAX_DELAY = 0.5, 60.0
"""Seconds before the second attempt, and at most before any."""


def compute_backoff(attempts: int, dice: Random) -> timedelta:
    """
    The time to leave PlanSo alone after so many attempts: doubled each time, and a quarter more or less, so that what
    failed together does not come back together.
    """
    seconds = min(FIRST_DELAY * 2 ** min(max(attempts - 1, 0), 30), MAX_DELAY)
    return timedelta(seconds=seconds * dice.uniform(0.75, 1.25))
