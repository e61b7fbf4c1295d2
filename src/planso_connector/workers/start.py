"""What a connector clears up: at its start, and from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta

import structlog

from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import ConnectorError
from planso_connector.flows.sync import Sync
from planso_connector.flows.write import Writer
from planso_connector.store.runs import Trigger

log = structlog.get_logger(__name__)

LOOK_EVERY = 60.0
"""Seconds between two looks at operations that were left pending."""

FILL_AGAIN_FIRST, FILL_AGAIN_LAST = 3.0, 300.0
"""Seconds between two tries to fill an empty mirror, doubled each time."""

LEFT_FOR = timedelta(minutes=15)
"""An operation that is pending for so long is nobody's any more, also where several processes share the database."""


async def chores(sync: Sync, writer: Writer, clock: Clock) -> None:
    """Fill the mirror when it is empty or half filled; settle what was left pending, at once and again. Never ends."""
    await _attempt("look_at_leftovers", writer.look_at_leftovers(recorded_before=stamp(clock())))
    async with asyncio.TaskGroup() as group:
        group.create_task(_fill(sync))
        group.create_task(_look_now_and_then(writer, clock))


async def _look_now_and_then(writer: Writer, clock: Clock) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY)
        await _attempt("look_at_leftovers", writer.look_at_leftovers(recorded_before=stamp(clock() - LEFT_FOR)))


async def _fill(sync: Sync) -> None:
    """Until a run has ended well: also when another process seems to be at it, or PlanSo is away, also out of hours."""
    pause = FILL_AGAIN_FIRST
    while True:
        try:
            if not await sync.is_empty():
                return
            await sync.run(Trigger.START)
        except ConnectorError as error:
            log.warning("mirror_not_filled", error=type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(pause * 2, FILL_AGAIN_LAST)


async def _attempt(chore: str, work: Coroutine[None, None, None]) -> None:
    try:
        await work
    except ConnectorError as error:
        log.warning("chore_failed", chore=chore, error=type(error).__name__)
