"""
Rebuild the search index, lookup keys and texts, of all orders, in batches.

One process does it at a time, by a lease that each batch renews in its own transaction. Each batch also stores the
progress, so that an interrupted rebuild continues and searches can say that they are incomplete.
"""

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
_LEASE = "reindex"

T = TypeVar("T")


class Reindexer:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._holder = leases.generate_holder()

    @property
    def workshop(self) -> str | None:
        return self._database.workshop

    async def is_due(self) -> bool:
        """Whether orders may lack keys: after an upgrade, or an interrupted rebuild."""
        return await self._database.read(lookup_keys.read_rebuild_progress) is not None

    async def run(
        self, report: Callable[[RebuildProgress], None] = lambda _: None, *, from_start: bool = False
    ) -> None:
        """
        Start the rebuild or continue it, and call `report` after each batch. Orders that change meanwhile keep their
        keys right. `from_start`: whatever is done already.

        Raises NotPossible where another process is at it.
        """
        try:
            progress = await self._step(lookup_keys.read_rebuild_progress)
            if from_start or (progress is not None and progress.after is None):
                while await self._step(reindex.clear_keys):
                    pass
                await self._step(reindex.begin_rebuild)
            while (progress := await self._step(reindex.rebuild_batch)) is not None:
                report(progress)
        finally:
            await self._database.write(lambda tx: leases.release(tx, _LEASE, holder=self._holder))
        log.info("reindexed")

    async def _step(self, step: Callable[[Transaction], T]) -> T:
        now = self._clock()
        now_text, until = format_instant(now), format_instant(now + LEASE_DURATION)

        def work(tx: Transaction) -> T:
            if not leases.acquire(tx, _LEASE, holder=self._holder, now=now_text, until=until):
                raise NotPossible("Another process is rebuilding the search index; wait until it is done.")
            return step(tx)

        return await self._database.write(work)


def describe_rebuild(progress: RebuildProgress) -> str:
    """A sentence without its full stop."""
    done = "starting" if progress.all is None else f"{progress.done} of {progress.all} orders are done"
    return f"The search index is being rebuilt, as after an upgrade; {done}"


def not_indexed_error(progress: RebuildProgress) -> IndexNotReady:
    """For a search that found nothing, or not in time."""
    return IndexNotReady(
        f"{describe_rebuild(progress)}. Until then an order may exist without being found; ask again soon."
    )
