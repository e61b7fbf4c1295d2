"""Instants. In the database and in answers: UTC, ISO 8601, six decimals and a Z, so that text order is time order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present instant, aware, in UTC."""


def now() -> datetime:
    return datetime.now(UTC)


def stamp(instant: datetime) -> str:
    """`2026-11-23T10:15:30.000000Z`, always 27 characters."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_stamp(text: str) -> datetime:
    return datetime.fromisoformat(text)
