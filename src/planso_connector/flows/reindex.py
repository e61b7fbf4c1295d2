"""
Reindex: write anew what all orders are found by, some hundred in each transaction. One process at a time does it: a
lease, which each step renews in its own transaction, so that nobody says "complete" while another clears.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import NotPossible
from planso_connector.domain.operation import new_id
from planso_connector.store import leases, lookup_keys, reindex
from planso_connector.store.engine import Database, Transaction

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=1)
_NAME = "reindex"

T = TypeVar("T")


class Reindex:
    def __init__(self, database: Database, workshop: str, clock: Clock) -> None:
        self._database = database
        self._workshop = workshop
        self._clock = clock
        self._holder = new_id().replace("op_", "process_")

    async def is_due(self) -> bool:
        """Whether orders may lack keys: after an upgrade, or a rebuild that broke off."""
        return not await self._database.read(lambda tx: lookup_keys.is_complete(tx, self._workshop))

    async def run(self, told: Callable[[int], None] = lambda _: None) -> None:
        """
        `told` is called with the last order's id after each step. Orders that change meanwhile keep right keys; until
        the end the look-up finds only those that are done. Raises NotPossible where another process is at it.
        """
        while await self._step(lambda tx: reindex.clear(tx, self._workshop)):
            pass
        after: int | None = 0
        while after is not None:
            after = await self._step(lambda tx, last=after: reindex.rebuild(tx, self._workshop, last))  # type: ignore[misc]
            if after is not None:
                told(after)
        await self._database.write(lambda tx: leases.release(tx, self._workshop, _NAME, holder=self._holder))
        log.info("reindexed")

    async def _step(self, do: Callable[[Transaction], T]) -> T:
        now = self._clock()
        mine = {"holder": self._holder, "now": stamp(now), "until": stamp(now + LEASE)}

        def work(tx: Transaction) -> T:
            if not leases.acquire(tx, self._workshop, _NAME, **mine):
                raise NotPossible("Another process is writing the look-up keys; it goes on by itself.")
            return do(tx)

        return await self._database.write(work)
