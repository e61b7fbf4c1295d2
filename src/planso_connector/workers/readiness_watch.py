"""Check readiness regularly, so that `since` is when a state began and not when somebody asked."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.flows.operating.readiness import ReadinessProbe

log = structlog.get_logger(__name__)

WATCH_INTERVAL = 15.0
"""Seconds between two checks that nobody asked for."""

STUCK_AFTER = 30.0
"""Seconds that a check takes at most; the database has the least part of it."""


async def run(get_probe: Callable[[], Awaitable[ReadinessProbe]], beat: Heartbeat = no_heartbeat) -> None:
    """Until cancelled."""
    while True:
        beat(WATCH_INTERVAL + STUCK_AFTER)
        await asyncio.sleep(WATCH_INTERVAL)
        try:
            await (await get_probe()).check()
        except StoreUnavailable as error:
            log.warning("readiness_not_checked", error=type(error).__name__)
