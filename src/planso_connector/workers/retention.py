"""When retention runs: soon after the start, then every hour, and never by a clock that has just jumped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from planso_connector.domain.clock import Clock
from planso_connector.domain.errors import ConnectorError
from planso_connector.flows.operating.heartbeat import Beat, unwatched

log = structlog.get_logger(__name__)

FIRST, EVERY = 300.0, 3600.0
"""Seconds."""

TURN = 3600.0
"""Seconds that a turn takes at most; one that is stuck is no danger to anybody."""

JUMP = timedelta(minutes=10)
"""A clock that moved so much more or less than time passed is not believed yet: by a wrong year all would be old."""


async def run(
    apply: Callable[[], Awaitable[object]],
    clock: Clock,
    beat: Beat = unwatched,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Until it is cancelled."""
    pause = FIRST
    while True:
        beat(pause + TURN)
        shown, since = clock(), monotonic()
        await sleep(pause)
        pause = EVERY
        passed = timedelta(seconds=monotonic() - since)
        if abs(clock() - shown - passed) > JUMP:
            log.warning("retention_waits", reason="the clock jumped")
            continue
        try:
            await apply()
        except ConnectorError as error:
            log.warning("retention_failed", error=type(error).__name__)
        except Exception:
            log.exception("retention_failed")
