"""What a connector does at its start: fill a mirror that is empty or half filled, write look-up keys that lack."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from planso_connector.domain.errors import ConnectorError
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.flows.querying.reindex import Reindexer
from planso_connector.flows.syncing.sync import Sync
from planso_connector.store.sync_runs import Trigger

log = structlog.get_logger(__name__)

FIRST_RETRY_DELAY, MAX_RETRY_DELAY = 3.0, 300.0
"""Seconds between two tries, doubled each time."""

STEP_TIMEOUT = 900.0
"""Seconds that a question to the database, or a step of a rebuild, takes at most; clearing old keys is one."""


CHECK_INTERVAL = 60.0
"""Seconds until the look-up keys are looked at again."""


async def retry_until_done(
    step: Callable[[], Awaitable[bool]],
    failed: str,
    beat: Heartbeat = no_heartbeat,
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Until `step` says so, whatever it raises meanwhile: that is logged as `failed`."""
    pause = FIRST_RETRY_DELAY
    while True:
        beat(STEP_TIMEOUT)
        try:
            if await step():
                return
        except ConnectorError as error:
            log.warning(failed, error=type(error).__name__)
        except Exception:
            log.exception(failed)
        beat(pause + STEP_TIMEOUT)
        await sleep(pause)
        pause = min(pause * 2, MAX_RETRY_DELAY)


async def fill_mirror(sync: Sync, beat: Heartbeat) -> None:
    """Until a run has ended well: also when another process seems to be at it, or PlanSo is away, also out of hours."""

    async def step() -> bool:
        if not await sync.is_mirror_empty():
            return True
        await sync.run(Trigger.START, beat=beat)
        return False

    await retry_until_done(step, "mirror_not_filled", beat)


async def rebuild_lookup_keys(
    reindex: Reindexer, beat: Heartbeat, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> None:
    """
    After an upgrade from a version that had no keys, or other ones, by this process or another; and whenever they lack
    later: a process that wrote them anew was ended, or a database was restored under this one.
    """

    async def step() -> bool:
        if not await reindex.is_due():
            return True
        await reindex.run(lambda _: beat(STEP_TIMEOUT))
        return False

    while True:
        await retry_until_done(step, "not_reindexed", beat)
        beat(CHECK_INTERVAL + STEP_TIMEOUT)
        await sleep(CHECK_INTERVAL)
