"""What a connector does at its start: fill a mirror that is empty or half filled, write look-up keys that lack."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from planso_connector.domain.errors import ConnectorError
from planso_connector.flows.operating.heartbeat import Beat, unwatched
from planso_connector.flows.querying.reindex import Reindex
from planso_connector.flows.syncing.sync import Sync
from planso_connector.store.sync_runs import Trigger

log = structlog.get_logger(__name__)

AGAIN_FIRST, AGAIN_LAST = 3.0, 300.0
"""Seconds between two tries, doubled each time."""

STEP = 900.0
"""Seconds that a question to the database, or a step of a rebuild, takes at most; clearing old keys is one."""


LOOK_AGAIN = 60.0
"""Seconds until the look-up keys are looked at again."""


async def until_done(
    step: Callable[[], Awaitable[bool]],
    failed: str,
    beat: Beat = unwatched,
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Until `step` says so, whatever it raises meanwhile: that is logged as `failed`."""
    pause = AGAIN_FIRST
    while True:
        beat(STEP)
        try:
            if await step():
                return
        except ConnectorError as error:
            log.warning(failed, error=type(error).__name__)
        except Exception:
            log.exception(failed)
        beat(pause + STEP)
        await sleep(pause)
        pause = min(pause * 2, AGAIN_LAST)


async def fill(sync: Sync, beat: Beat) -> None:
    """Until a run has ended well: also when another process seems to be at it, or PlanSo is away, also out of hours."""

    async def step() -> bool:
        if not await sync.is_empty():
            return True
        await sync.run(Trigger.START, beat=beat)
        return False

    await until_done(step, "mirror_not_filled", beat)


async def reindex(reindex: Reindex, beat: Beat, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
    """
    After an upgrade from a version that had no keys, or other ones, by this process or another; and whenever they lack
    later: a process that wrote them anew was ended, or a database was restored under this one.
    """

    async def step() -> bool:
        if not await reindex.is_due():
            return True
        await reindex.run(lambda _: beat(STEP))
        return False

    while True:
        await until_done(step, "not_reindexed", beat)
        beat(LOOK_AGAIN + STEP)
        await sleep(LOOK_AGAIN)
