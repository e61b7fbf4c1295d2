"""Heartbeat: how a background loop shows that it goes on."""

from __future__ import annotations

from collections.abc import Callable

Heartbeat = Callable[[float], None]
"""Called at each turn of a loop, with the seconds within which it calls again unless it is stuck."""


def no_heartbeat(_within: float) -> None:
    """For a loop that nobody watches."""
