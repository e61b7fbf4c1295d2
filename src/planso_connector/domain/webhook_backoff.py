"""When an event that a receiver did not take is sent again: the schedule of the Standard Webhooks specification."""

from datetime import timedelta
from random import Random

_HOUR = 3600
PAUSES = (5, 300, 1800, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR)
"""Seconds before each retry, without jitter. After the last one the event is given up."""

MAX_RETRY_AFTER = timedelta(hours=24)
"""A receiver's `Retry-After` is kept up to here."""

GIVE_UP_AFTER = timedelta(days=5)
"""A receiver that took nothing for so long is switched off."""


def compute_pause(attempts: int, random: Random, retry_after: timedelta | None = None) -> timedelta | None:
    """The pause after `attempts` failed attempts, up to 20 % longer by chance; None after the last one."""
    if attempts > len(PAUSES):
        return None
    pause = timedelta(seconds=PAUSES[attempts - 1] * random.uniform(1.0, 1.2))
    return max(pause, min(retry_after, MAX_RETRY_AFTER)) if retry_after is not None else pause
