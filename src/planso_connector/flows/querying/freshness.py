"""
Freshness: whether the mirror is stale, and reading one order live when the mirror's is too old for the caller.

Staleness depends on the sync runs alone, read in one short transaction at most. A live reading is stored like a sync's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from planso_connector.domain.clock import Clock, parse_instant
from planso_connector.domain.errors import NotFound, PlansoError, TooManyWaiting
from planso_connector.domain.sync_hours import SyncHours
from planso_connector.flows.querying.live_reader import LIVE_READ_TIMEOUT
from planso_connector.flows.querying.orders import OrderQueries
from planso_connector.flows.syncing.sync import Sync
from planso_connector.store.orders import StoredOrder

STALE_AFTER_RUNS = 3
"""The mirror is stale when this many scheduled runs are overdue."""
STALE_AFTER_UNSCHEDULED = timedelta(hours=24)
"""The same, where no runs are scheduled."""

NEVER_FILLED = datetime(1970, 1, 1, tzinfo=UTC)


class Freshness:
    """`read_live` reads an order from PlanSo and stores it; it raises as `LiveReader.read`."""

    def __init__(
        self,
        sync: Sync,
        read_live: Callable[[int], Awaitable[None]],
        order_queries: OrderQueries,
        hours: SyncHours,
        interval: timedelta,
        clock: Clock,
    ) -> None:
        self._sync = sync
        self._read_live = read_live
        self._order_queries = order_queries
        self._hours = hours
        self._interval = interval
        self._clock = clock
        self._stale_from: tuple[datetime, datetime] | None = None
        """End of the last successful run, and what `_compute_stale_from` returned for it."""

    async def is_stale(self) -> bool:
        return self._clock() > await self.stale_from()

    async def stale_from(self) -> datetime:
        """When the mirror becomes stale unless a sync succeeds."""
        last_success = await self._sync.last_success_at()
        return NEVER_FILLED if last_success is None else await self.stale_after(last_success)

    def stale_from_now(self) -> datetime | None:
        """As `stale_from`, on this thread; None where it is not known at once, or no sync has filled the mirror yet."""
        last_success = self._sync.known_last_success
        known = self._stale_from
        return known[1] if known is not None and known[0] == last_success else None

    async def is_stale_given(self, last_success: datetime) -> bool:
        """`is_stale`, where the end of the last successful run is known."""
        return self._clock() > await self.stale_after(last_success)

    async def stale_after(self, last_success: datetime) -> datetime:
        """When the mirror becomes stale after the successful run that ended then."""
        if self._stale_from is None or self._stale_from[0] != last_success:
            # In a thread: the first use of the holidays takes most of a second.
            self._stale_from = last_success, await asyncio.to_thread(self._compute_stale_from, last_success)
        return self._stale_from[1]

    def _compute_stale_from(self, last_success: datetime) -> datetime:
        if not self._interval:
            return last_success + STALE_AFTER_UNSCHEDULED
        return self._hours.next_run(last_success, self._interval, 1.0) + self._interval * (STALE_AFTER_RUNS - 1)

    def now(self) -> datetime:
        return self._clock()

    async def get_order(self, order_id: int, max_age: float | None) -> tuple[StoredOrder, str]:
        """
        The order, read live first if its last reading is more than `max_age` seconds old. When that fails, the mirror's
        order, and a sentence that says so. Raises NotFound, also where PlanSo turns out to have deleted it; the mirror
        marks it deleted then.
        """
        stored = await self._order_queries.get_order(order_id)
        if max_age is None or (self._clock() - parse_instant(stored.read_at)).total_seconds() <= max_age:
            return stored, ""
        try:
            await self._read_live(order_id)
        except NotFound:
            pass  # what the mirror holds now says why
        except (PlansoError, TimeoutError, TooManyWaiting) as error:
            why = str(error) or f"no answer within {LIVE_READ_TIMEOUT:g} s"
            return stored, f"PlanSo could not be asked now ({why}); this is the connector's last reading."
        return await self._order_queries.get_order(order_id), ""
