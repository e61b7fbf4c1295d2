"""
Freshness: whether the mirror is stale, and reading one order live when the mirror's is too old for the caller.

Staleness depends on the sync runs alone, read in one short transaction at most. A live reading is stored like a sync's.
"""

import asyncio
from datetime import UTC, datetime, timedelta

from planso_connector.domain.clock import Clock, parse_instant
from planso_connector.domain.errors import NotFound, PlansoError, TooManyWaiting
from planso_connector.domain.sync_hours import SyncHours
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.querying.orders import OrderQueries
from planso_connector.flows.syncing.read_order import EmptyForm, OrderReader
from planso_connector.flows.syncing.sync import Sync
from planso_connector.flows.writing.read_back import LiveFormReader
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.form_parser import FormMissing
from planso_connector.store.orders import StoredOrder

STALE_AFTER_RUNS = 3
"""The mirror is stale when this many scheduled runs are overdue."""
STALE_AFTER_UNSCHEDULED = timedelta(hours=24)
"""The same, where no runs are scheduled."""

LIVE_READ_TIMEOUT = 8.0
"""Seconds that a caller waits for a live reading; somebody is on the phone."""

NEVER_FILLED = datetime(1970, 1, 1, tzinfo=UTC)


class Freshness:
    def __init__(
        self,
        sync: Sync,
        reader: OrderReader,
        live: LiveFormReader,
        order_queries: OrderQueries,
        hours: SyncHours,
        interval: timedelta,
        clock: Clock,
        wait_limit: WaitLimit,
    ) -> None:
        self._sync = sync
        self._reader = reader
        self._live = live
        self._order_queries = order_queries
        self._hours = hours
        self._interval = interval
        self._clock = clock
        self._wait_limit = wait_limit
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
        begin_by = asyncio.get_running_loop().time() + LIVE_READ_TIMEOUT
        try:
            with self._wait_limit.acquire(), urgent_requests(begin_by=begin_by):
                async with asyncio.timeout(LIVE_READ_TIMEOUT):
                    await self._read_live(order_id)
        except NotFound as gone:
            if gone.read_at is not None:
                await self._reader.mark_deleted(order_id, gone.read_at)
        except (PlansoError, TimeoutError, TooManyWaiting) as error:
            why = str(error) or f"no answer within {LIVE_READ_TIMEOUT:g} s"
            return stored, f"PlanSo could not be asked now ({why}); this is the connector's last reading."
        return await self._order_queries.get_order(order_id), ""

    async def _read_live(self, order_id: int) -> None:
        """PlanSo now and then shows an intact order as it shows one that does not exist: read it again then."""
        try:
            await self._reader.read_unlisted(order_id)
        except (FormMissing, EmptyForm):
            await self._live.read_existing(order_id, await self._reader.load_mirrored(order_id))
            await self._reader.read_unlisted(order_id)
