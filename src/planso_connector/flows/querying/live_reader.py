"""Read one order from PlanSo now, and store it like a sync's reading."""

import asyncio

from planso_connector.domain.errors import NotFound
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.syncing.read_order import EmptyForm, OrderReader
from planso_connector.flows.writing.read_back import LiveFormReader
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.form_parser import FormMissing

LIVE_READ_TIMEOUT = 8.0
"""Seconds that a caller waits for a live reading; somebody is on the phone."""


class LiveReader:
    def __init__(self, reader: OrderReader, live: LiveFormReader, wait_limit: WaitLimit) -> None:
        self._reader = reader
        self._live = live
        self._wait_limit = wait_limit

    async def read(self, order_id: int) -> None:
        """
        An order that PlanSo has deleted is marked deleted. Raises NotFound where PlanSo shows none, PlansoError,
        TimeoutError, TooManyWaiting.
        """
        begin_by = asyncio.get_running_loop().time() + LIVE_READ_TIMEOUT
        try:
            with self._wait_limit.acquire(), urgent_requests(begin_by=begin_by):
                async with asyncio.timeout(LIVE_READ_TIMEOUT):
                    await self._read(order_id)
        except NotFound as gone:
            if gone.read_at is not None:
                await self._reader.mark_deleted(order_id, gone.read_at)
            raise

    async def _read(self, order_id: int) -> None:
        """PlanSo now and then shows an intact order as it shows one that does not exist: read it again then."""
        try:
            await self._reader.read_unlisted(order_id)
        except (FormMissing, EmptyForm):
            await self._live.read_existing(order_id, await self._reader.load_mirrored(order_id))
            await self._reader.read_unlisted(order_id)
