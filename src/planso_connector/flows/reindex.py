"""Reindex: write anew what all orders are found by, some hundred in each transaction."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from planso_connector.store import lookup_keys, reindex
from planso_connector.store.engine import Database

log = structlog.get_logger(__name__)


class Reindex:
    def __init__(self, database: Database, workshop: str) -> None:
        self._database = database
        self._workshop = workshop

    async def is_due(self) -> bool:
        """Whether orders may lack keys: after an upgrade, or a rebuild that broke off."""
        return not await self._database.read(lambda tx: lookup_keys.is_complete(tx, self._workshop))

    async def run(self, told: Callable[[int], None] = lambda _: None) -> None:
        """
        `told` is called with the last order's id after each step. Orders that change meanwhile keep right keys; until
        the end the look-up finds only those that are done.
        """
        while await self._database.write(lambda tx: reindex.clear(tx, self._workshop)):
            pass
        after: int | None = 0
        while after is not None:
            after = await self._database.write(
                lambda tx, last=after: reindex.rebuild(tx, self._workshop, last)  # type: ignore[misc]
            )
            if after is not None:
                told(after)
        log.info("reindexed")
