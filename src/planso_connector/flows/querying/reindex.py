"""
Reindex: write anew what all orders are found by, some hundred in each transaction. One process at a time does it: a
lease, which each step renews in its own transaction, so that nobody says "complete" while another clears. Each step
also writes how far it is: one that breaks off is gone on with, and who asks meanwhile is told.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import NotIndexed, NotPossible
from planso_connector.domain.operation import new_id
from planso_connector.store import leases, lookup_keys, reindex
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.lookup_keys import Rebuild

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=1)
_NAME = "reindex"

T = TypeVar("T")


class Reindex:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._holder = new_id().replace("op_", "process_")

    async def is_due(self) -> bool:
        """Whether orders may lack keys: after an upgrade, or a rebuild that broke off."""
        return await self._database.read(lambda tx: lookup_keys.rebuild(tx)) is not None

    async def run(self, told: Callable[[Rebuild], None] = lambda _: None, *, anew: bool = False) -> None:
        """
        `told` is called after each step. Orders that change meanwhile keep right keys; until the end the look-up finds
        only those that are done, and says so. `anew`: from the beginning, also what is done or was begun.

        Raises NotPossible where another process is at it.
        """
        try:
            so_far = await self._step(lambda tx: lookup_keys.rebuild(tx))
            if anew or (so_far is not None and so_far.after is None):
                while await self._step(lambda tx: reindex.clear(tx)):
                    pass
                await self._step(lambda tx: reindex.begin(tx))
            while (so_far := await self._step(lambda tx: reindex.rebuild(tx))) is not None:
                told(so_far)
        finally:
            await self._database.write(lambda tx: leases.release(tx, _NAME, holder=self._holder))
        log.info("reindexed")

    async def _step(self, do: Callable[[Transaction], T]) -> T:
        now = self._clock()
        mine = {"holder": self._holder, "now": stamp(now), "until": stamp(now + LEASE)}

        def work(tx: Transaction) -> T:
            if not leases.acquire(tx, _NAME, **mine):
                raise NotPossible("Another process is writing the look-up keys; it goes on by itself.")
            return do(tx)

        return await self._database.write(work)


def how_far(rebuild: Rebuild) -> str:
    """For a person: that it is under way, and how far it is."""
    done = "begins" if rebuild.all is None else f"{rebuild.done} of {rebuild.all} orders are done"
    return f"What orders are found by is being written anew, as after an upgrade; {done}"


def not_yet(rebuild: Rebuild) -> NotIndexed:
    """What to raise where nothing was found, or not in time: somebody on the phone must not be told too much."""
    return NotIndexed(f"{how_far(rebuild)}. Until then nobody knows whether there is such an order; ask again soon.")
