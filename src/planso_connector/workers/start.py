"""What a connector does at its start: fill a mirror that is empty or half filled, write look-up keys that lack."""

from __future__ import annotations

import asyncio

import structlog

from planso_connector.domain.errors import ConnectorError
from planso_connector.flows.reindex import Reindex
from planso_connector.flows.sync import Sync
from planso_connector.store.runs import Trigger

log = structlog.get_logger(__name__)

AGAIN_FIRST, AGAIN_LAST = 3.0, 300.0
"""Seconds between two tries, doubled each time."""


async def fill(sync: Sync) -> None:
    """Until a run has ended well: also when another process seems to be at it, or PlanSo is away, also out of hours."""
    pause = AGAIN_FIRST
    while True:
        try:
            if not await sync.is_empty():
                return
            await sync.run(Trigger.START)
        except ConnectorError as error:
            log.warning("mirror_not_filled", error=type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(pause * 2, AGAIN_LAST)


async def reindex(reindex: Reindex) -> None:
    """After an upgrade from a version that had no keys, or other ones: until it is done, by this process or another."""
    pause = AGAIN_FIRST
    while True:
        try:
            if not await reindex.is_due():
                return
            await reindex.run()
        except ConnectorError as error:
            log.warning("not_reindexed", error=type(error).__name__)
        except Exception:
            # Look-ups answer 503 until it is done: it must not end for good.
            log.exception("reindex_fault")
        await asyncio.sleep(pause)
        pause = min(pause * 2, AGAIN_LAST)
