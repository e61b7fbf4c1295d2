"""
Freshness: whether the mirror is as young as it should be, and a look at PlanSo for one order that is asked for now.

Stale is told from the runs alone, one short read transaction at most; a live look is a reading like a sync's.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from planso_connector.domain.clock import Clock, parse_instant
from planso_connector.domain.errors import NotFound, PlansoError, TooManyWaiting
from planso_connector.domain.workhours import WorkHours
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.querying.orders import OrderQueries
from planso_connector.flows.syncing.read_order import EmptyForm, OrderReader
from planso_connector.flows.syncing.sync import Sync
from planso_connector.flows.writing.read_back import LiveForms
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.form import FormMissing
from planso_connector.store.orders import StoredOrder

STALE_AFTER_RUNS = 3
"""The mirror is stale when so many runs are overdue."""

LIVE_READ_TIMEOUT = 8.0
"""Seconds that a caller waits for a live reading; somebody is on the phone."""

STALE_AFTER_UNSCHEDULED = timedelta(hours=24)
"""And where none is scheduled, after this time."""

NEVER_FILLED = datetime(1970, 1, 1, tzinfo=UTC)


class Freshness:
    """Lives as long as the process."""

    def __init__(
        self,
        sync: Sync,
        reader: OrderReader,
        live: LiveForms,
        lookup: OrderQueries,
        hours: WorkHours,
        interval: timedelta,
        clock: Clock,
        admission: WaitLimit,
    ) -> None:
        self._sync = sync
        self._reader = reader
        self._live = live
        self._lookup = lookup
        self._hours = hours
        self._interval = interval
        self._clock = clock
        self._admission = admission
        self._told: tuple[datetime, datetime] | None = None

    async def is_stale(self) -> bool:
        """Whether no run ended well for longer than the schedule and a grace allow."""
        return self._clock() > await self.stale_from()

    async def stale_from(self) -> datetime:
        """Since or from when on the mirror is stale, if no run ends well."""
        last = await self._sync.last_success_at()
        return NEVER_FILLED if last is None else await self._late_from(last)

    async def is_stale_since(self, last: datetime) -> bool:
        """The same, where that run ended at `last`."""
        return self._clock() > await self._late_from(last)

    async def _late_from(self, last: datetime) -> datetime:
        if self._told is None or self._told[0] != last:
            # In a thread: the holidays' first use takes most of a second.
            self._told = (last, await asyncio.to_thread(self._stale_from, last))
        return self._told[1]

    def _stale_from(self, last: datetime) -> datetime:
        if not self._interval:
            return last + STALE_AFTER_UNSCHEDULED
        return self._hours.next_run(last, self._interval, 1.0) + self._interval * (STALE_AFTER_RUNS - 1)

    def now(self) -> datetime:
        return self._clock()

    async def get_order(self, order_id: int, max_age: float | None) -> tuple[StoredOrder, str]:
        """
        The order, read live first if it was last read more than `max_age` seconds ago. When PlanSo can't be asked, the
        mirror's, and a sentence that says so. Raises NotFound, also where PlanSo is seen to have it no more: the mirror
        takes note of that.
        """
        stored = await self._lookup.get_order(order_id)
        if max_age is None or (self._clock() - parse_instant(stored.read_at)).total_seconds() <= max_age:
            return stored, ""
        try:
            with (
                self._admission.acquire(),
                urgent_requests(begin_by=asyncio.get_running_loop().time() + LIVE_READ_TIMEOUT),
            ):
                async with asyncio.timeout(LIVE_READ_TIMEOUT):
                    await self._read(order_id)
        except NotFound as gone:
            if gone.read_at is not None:
                await self._reader.mark_deleted(order_id, gone.read_at)
        except (PlansoError, TimeoutError, TooManyWaiting) as error:
            why = str(error) or f"no answer within {LIVE_READ_TIMEOUT:g} s"
            return stored, f"PlanSo could not be asked now ({why}); this is the connector's last reading."
        return await self._lookup.get_order(order_id), ""

    async def _read(self, order_id: int) -> None:
        """What PlanSo shows of an order that is not there, it shows now and then of one that is well."""
        try:
            await self._reader.read_unlisted(order_id)
        except (FormMissing, EmptyForm):
            await self._live.read_existing(order_id, await self._reader.load_mirrored(order_id))
            await self._reader.read_unlisted(order_id)
