"""Run retention soon after the start, then every hour; never right after the clock jumped."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog

from planso_connector.domain.clock import Clock
from planso_connector.domain.errors import ConnectorError, StoreUnavailable
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat

log = structlog.get_logger(__name__)

FIRST_DELAY, INTERVAL = 300.0, 3600.0
"""Seconds until the first run, and between two."""

MAX_DURATION = 3600.0
"""Seconds that a run takes at most; one that is stuck does no harm."""

MAX_CLOCK_JUMP = timedelta(minutes=10)
"""A clock that moved so much more or less than time passed is not trusted: in a wrong year everything is old."""


@contextmanager
def going_on_after_faults(workshop: str) -> Iterator[None]:
    """Log what one workshop's run raises, so that the others get theirs; StoreUnavailable concerns all, and passes."""
    try:
        yield
    except StoreUnavailable:
        raise
    except ConnectorError as error:
        log.warning("retention_failed", workshop=workshop, error=type(error).__name__)
    except Exception:
        log.exception("retention_failed", workshop=workshop)


async def run(
    apply: Callable[[], Awaitable[object]],
    clock: Clock,
    beat: Heartbeat = no_heartbeat,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Run `apply` regularly until cancelled."""
    pause = FIRST_DELAY
    while True:
        beat(pause + MAX_DURATION)
        instant, since = clock(), monotonic()
        await sleep(pause)
        pause = INTERVAL
        passed = timedelta(seconds=monotonic() - since)
        if abs(clock() - instant - passed) > MAX_CLOCK_JUMP:
            log.warning("retention_waits", reason="the clock jumped")
            continue
        try:
            await apply()
        except ConnectorError as error:
            log.warning("retention_failed", error=type(error).__name__)
        except Exception:
            log.exception("retention_failed")
