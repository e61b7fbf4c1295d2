"""Delete the rows of removed workshops, whichever process removed them."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from planso_connector.domain.errors import ConnectorError
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat

log = structlog.get_logger(__name__)

INTERVAL = 30.0
"""Seconds between two looks, each of which is one read where no workshop was removed."""

MAX_DURATION = 3600.0
"""Seconds that a purge takes at most; one that is stuck does no harm."""


async def run(purge: Callable[[], Awaitable[int]], beat: Heartbeat = no_heartbeat) -> None:
    """Run `purge`, which returns the number of deleted rows, regularly until cancelled."""
    while True:
        beat(INTERVAL + MAX_DURATION)
        await asyncio.sleep(INTERVAL)
        try:
            if deleted := await purge():
                log.info("workshops_purged", rows=deleted)
        except ConnectorError as error:
            log.warning("workshops_purge_failed", error=type(error).__name__)
