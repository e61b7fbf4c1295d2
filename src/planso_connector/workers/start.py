"""What a connector does once after its start."""

from __future__ import annotations

import structlog

from planso_connector.domain.errors import ConnectorError
from planso_connector.flows.sync import Sync
from planso_connector.flows.write import Writer

log = structlog.get_logger(__name__)


async def chores(sync: Sync, writer: Writer, begun: str) -> None:
    """Settle the writes that an earlier process left pending; fill the mirror when it is empty."""
    try:
        await writer.look_at_leftovers(recorded_before=begun)
        if await sync.is_empty():
            await sync.start()
    except ConnectorError as error:
        log.warning("start_chores_failed", error=type(error).__name__)
