"""
Freshness: whether the mirror is as young as it should be, and a look at PlanSo for one order that is asked for now.

Stale is told from the runs alone, one short read transaction at most; a live look is a reading like a sync's.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from planso_connector.domain.clock import Clock, parse_stamp
from planso_connector.domain.errors import NotFound, PlansoError, TooManyWaiting
from planso_connector.domain.workhours import WorkHours
from planso_connector.flows.operating.admission import Admission
from planso_connector.flows.querying.orders import Lookup
from planso_connector.flows.syncing.read_order import EmptyForm, Reader
from planso_connector.flows.syncing.sync import Sync
from planso_connector.flows.writing.read_back import Live
from planso_connector.planso.http.throttle import urgent
from planso_connector.planso.pages.form import NoForm
from planso_connector.store.orders import StoredOrder

LATE_RUNS = 3
"""The mirror is stale when so many runs are overdue."""

LIVE_WITHIN = 8.0
"""Seconds that a caller waits for a live reading; somebody is on the phone."""

WITHOUT_SCHEDULE = timedelta(hours=24)
"""And where none is scheduled, after this time."""

NEVER_FILLED = datetime(1970, 1, 1, tzinfo=UTC)


class Freshness:
    """Lives as long as the process."""

    def __init__(
        self,
        sync: Sync,
        reader: Reader,
        live: Live,
        lookup: Lookup,
        hours: WorkHours,
        interval: timedelta,
        clock: Clock,
        admission: Admission,
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

    async def is_too_long_ago(self, last: datetime) -> bool:
        """The same, where that run ended at `last`."""
        return self._clock() > await self._late_from(last)

    async def _late_from(self, last: datetime) -> datetime:
        if self._told is None or self._told[0] != last:
            # In a thread: the holidays' first use takes most of a second.
            self._told = (last, await asyncio.to_thread(self._stale_from, last))
        return self._told[1]

    def _stale_from(self, last: datetime) -> datetime:
        if not self._interval:
            return last + WITHOUT_SCHEDULE
        return self._hours.next_run(last, self._interval, 1.0) + self._interval * (LATE_RUNS - 1)

    def now(self) -> datetime:
        return self._clock()

    async def order(self, order_id: int, max_age: float | None) -> tuple[StoredOrder, str]:
        """
        The order, read live first if it was last read more than `max_age` seconds ago. When PlanSo can't be asked, the
        mirror's, and a sentence that says so. Raises NotFound, also where PlanSo is seen to have it no more: the mirror
        takes note of that.
        """
        stored = await self._lookup.order(order_id)
        if max_age is None or (self._clock() - parse_stamp(stored.read_at)).total_seconds() <= max_age:
            return stored, ""
        try:
            with self._admission.place(), urgent(begin_by=asyncio.get_running_loop().time() + LIVE_WITHIN):
                async with asyncio.timeout(LIVE_WITHIN):
                    await self._read(order_id)
        except NotFound as gone:
            await self._reader.gone(order_id, gone.read_at)
        except (PlansoError, TimeoutError, TooManyWaiting) as error:
            why = str(error) or f"no answer within {LIVE_WITHIN:g} s"
            return stored, f"PlanSo could not be asked now ({why}); this is the connector's last reading."
        return await self._lookup.order(order_id), ""

    async def _read(self, order_id: int) -> None:
        """What PlanSo shows of an order that is not there, it shows now and then of one that is well."""
        try:
            await self._reader.read_unlisted(order_id)
        except (NoForm, EmptyForm):
            await self._live.existing_form(order_id, await self._reader.known(order_id))
            await self._reader.read_unlisted(order_id)
