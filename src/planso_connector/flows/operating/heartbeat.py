"""Heartbeats, by which background loops show that they are not stuck."""

from collections.abc import Callable

Heartbeat = Callable[[float], None]
"""Called by a loop in each iteration, with the seconds until the next call unless it is stuck."""


def no_heartbeat(_within: float) -> None:
    """For a loop that nobody supervises."""
