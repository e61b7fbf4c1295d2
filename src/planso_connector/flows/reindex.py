"""Reindex: write the look-up keys of all orders anew, some hundred in each transaction."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from planso_connector.store import lookup_keys, orders
from planso_connector.store.engine import Database, Transaction

log = structlog.get_logger(__name__)


class Reindex:
    def __init__(self, database: Database, workshop: str) -> None:
        self._database = database
        self._workshop = workshop

    async def is_due(self) -> bool:
        """Whether there are orders and no keys: after an upgrade."""

        def work(tx: Transaction) -> bool:
            return not lookup_keys.is_written(tx, self._workshop) and orders.count(tx, self._workshop) > 0

        return await self._database.read(work)

    async def run(self, told: Callable[[int], None] = lambda _: None) -> None:
        """
        `told` is called with the last order's id after each step. Orders that change meanwhile keep right keys; until
        the end the look-up finds only those that are done.
        """
        await self._database.write(lambda tx: lookup_keys.clear(tx, self._workshop))
        after: int | None = 0
        while after is not None:
            after = await self._database.write(
                lambda tx, last=after: lookup_keys.rebuild(tx, self._workshop, last)  # type: ignore[misc]
            )
            if after is not None:
                told(after)
        log.info("reindexed")
