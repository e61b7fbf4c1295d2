"""Repeat what has to be done once after the start until it is done, and rebuild missing lookup keys."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from planso_connector.domain.errors import ConnectorError, StoreUnavailable
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.flows.querying.reindex import Reindexer

log = structlog.get_logger(__name__)

FIRST_RETRY_DELAY, MAX_RETRY_DELAY = 3.0, 300.0
"""Seconds between two attempts, doubled each time."""

STEP_TIMEOUT = 900.0
"""Seconds that a database read or a step of a rebuild takes at most; deleting old keys is one step."""

CHECK_INTERVAL = 60.0
"""Seconds until the lookup keys are checked again."""


async def retry_until_done(
    step: Callable[[], Awaitable[bool]],
    event: str,
    beat: Heartbeat = no_heartbeat,
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Repeat `step` until it returns True; what it raises is logged as `event`."""
    pause = FIRST_RETRY_DELAY
    while True:
        beat(STEP_TIMEOUT)
        try:
            if await step():
                return
        except ConnectorError as error:
            log.warning(event, error=type(error).__name__)
        except Exception:
            log.exception(event)
        beat(pause + STEP_TIMEOUT)
        await sleep(pause)
        pause = min(pause * 2, MAX_RETRY_DELAY)


async def rebuild_lookup_keys(
    find_due: Callable[[], Awaitable[Iterable[Reindexer]]],
    beat: Heartbeat,
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """
    Rebuild lookup keys after an upgrade from a version without them or with others, and whenever they are missing
    later: a rebuild was interrupted, or a database restored under this process. `find_due` gives the workshops that
    need it.
    """

    async def step() -> bool:
        for reindex in await find_due():
            try:
                await reindex.run(lambda _: beat(STEP_TIMEOUT))
            except StoreUnavailable:
                raise
            except Exception:  # one workshop's fault holds up no other; it is tried again with the next check
                log.exception("not_reindexed", workshop=reindex.workshop)
        return True

    while True:
        await retry_until_done(step, "not_reindexed", beat)
        beat(CHECK_INTERVAL + STEP_TIMEOUT)
        await sleep(CHECK_INTERVAL)
