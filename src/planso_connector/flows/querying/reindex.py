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

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import IndexNotReady, NotPossible
from planso_connector.store import leases, lookup_keys, reindex
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.lookup_keys import RebuildProgress

log = structlog.get_logger(__name__)

LEASE_DURATION = timedelta(minutes=1)
_NAME = "reindex"

T = TypeVar("T")


class Reindexer:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._holder = leases.generate_holder()

    async def is_due(self) -> bool:
        """Whether orders may lack keys: after an upgrade, or a rebuild that broke off."""
        return await self._database.read(lambda tx: lookup_keys.read_rebuild_progress(tx)) is not None

    async def run(self, told: Callable[[RebuildProgress], None] = lambda _: None, *, anew: bool = False) -> None:
        """
        `told` is called after each step. Orders that change meanwhile keep right keys; until the end the look-up finds
        only those that are done, and says so. `anew`: from the beginning, also what is done or was begun.

        Raises NotPossible where another process is at it.
        """
        try:
            so_far = await self._step(lambda tx: lookup_keys.read_rebuild_progress(tx))
            if anew or (so_far is not None and so_far.after is None):
                while await self._step(lambda tx: reindex.clear_keys(tx)):
                    pass
                await self._step(lambda tx: reindex.begin_rebuild(tx))
            while (so_far := await self._step(lambda tx: reindex.rebuild_batch(tx))) is not None:
                told(so_far)
        finally:
            await self._database.write(lambda tx: leases.release(tx, _NAME, holder=self._holder))
        log.info("reindexed")

    async def _step(self, do: Callable[[Transaction], T]) -> T:
        now = self._clock()
        mine = {"holder": self._holder, "now": format_instant(now), "until": format_instant(now + LEASE_DURATION)}

        def work(tx: Transaction) -> T:
            if not leases.acquire(tx, _NAME, **mine):
                raise NotPossible("Another process is writing the look-up keys; it goes on by itself.")
            return do(tx)

        return await self._database.write(work)


def describe_rebuild(rebuild: RebuildProgress) -> str:
    """For a person: that it is under way, and how far it is."""
    done = "begins" if rebuild.all is None else f"{rebuild.done} of {rebuild.all} orders are done"
    return f"What orders are found by is being written anew, as after an upgrade; {done}"


def not_indexed_error(rebuild: RebuildProgress) -> IndexNotReady:
    """What to raise where nothing was found, or not in time: somebody on the phone must not be told too much."""
    return IndexNotReady(
        f"{describe_rebuild(rebuild)}. Until then nobody knows whether there is such an order; ask again soon."
    )
