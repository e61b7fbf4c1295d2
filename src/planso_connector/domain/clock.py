"""Instants. In the database and in answers: UTC, ISO 8601, six decimals and a Z, so that text order is time order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Gives the present instant, aware, in UTC."""


def now() -> datetime:
    return datetime.now(UTC)


def stamp(instant: datetime) -> str:
    """`2026-11-23T10:15:30.000000Z`, always 27 characters."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


SET_BACK = timedelta(minutes=30)
"""No lease and no pause between two tries is that long: one that ends later was given before the clock was set back."""


def too_far(now: str) -> str:
    """From where on an end of a lease or a pause can't be meant."""
    return stamp(parse_stamp(now) + SET_BACK)


def parse_stamp(text: str) -> datetime:
    return datetime.fromisoformat(text)
