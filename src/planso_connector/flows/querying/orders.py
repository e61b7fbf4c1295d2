"""Look-up: one read transaction on the mirror for each question. PlanSo is not involved."""

from __future__ import annotations

from collections.abc import Sequence

from planso_connector.domain.errors import MirrorNotFilled, NotFound, QueryTooBroad
from planso_connector.domain.part import Part
from planso_connector.domain.values import MAX_ID
from planso_connector.flows.querying.reindex import not_indexed_error
from planso_connector.store import history, lookup_keys, orders, search, sections, sync_runs
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.history import HistoryEntry
from planso_connector.store.orders import StoredOrder
from planso_connector.store.search import OrderFilters, OrderPage
from planso_connector.store.sections import Section

QUERY_TIMEOUT = 2.0
"""Seconds that a query may take. What is asked on the telephone takes milliseconds; no question may hold others up."""


class OrderQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, filters: OrderFilters) -> OrderPage:
        """The page. Raises TooBroad; NotIndexed where what it is found by is being written anew, and that is why."""
        try:
            page = await self._database.read(lambda tx: search.find_orders(tx, filters), within=QUERY_TIMEOUT)
        except QueryTooBroad:
            rebuild = await self._database.read(lambda tx: lookup_keys.read_rebuild_progress(tx))
            if rebuild is None:
                raise
            raise not_indexed_error(rebuild) from None
        if page.rebuild is not None and not page.documents:
            raise not_indexed_error(page.rebuild)
        return page

    async def count(self, filters: OrderFilters) -> int:
        """How many there are on all pages. Raises TooBroad."""
        return await self._database.read(lambda tx: search.count_orders(tx, filters), within=QUERY_TIMEOUT)

    async def get_order(self, order_id: int) -> StoredOrder:
        """The order as answers show it. Raises NotFound, also for one that was deleted."""
        return await self._database.read(lambda tx: self._existing(tx, order_id))

    async def get_parts(self, order_id: int) -> Sequence[Part]:
        """The parts of an order, in the order of PlanSo's page. Raises NotFound as `order` does."""

        def work(tx: Transaction) -> Sequence[Part]:
            self._existing(tx, order_id)
            return orders.get_parts(tx, order_id)

        return await self._database.read(work)

    async def list_sections(self, order_id: int) -> Sequence[tuple[str, str]]:
        """Name and last sync of each section that was read. Raises NotFound as `order` does."""

        def work(tx: Transaction) -> Sequence[tuple[str, str]]:
            self._existing(tx, order_id)
            return sections.list_names(tx, order_id)

        return await self._database.read(work)

    async def get_section(self, order_id: int, name: str) -> Section:
        """Raises NotFound, also for a section that was not read."""

        def work(tx: Transaction) -> Section | None:
            self._existing(tx, order_id)
            return sections.get(tx, order_id, name)

        found = await self._database.read(work)
        if found is None:
            raise NotFound(
                f"Section '{name}' of order {order_id} was not read; GET .../sections lists those that were."
            )
        return found

    async def get_history(
        self, order_id: int, below: int | None, limit: int
    ) -> tuple[Sequence[HistoryEntry], int | None]:
        """
        What changed, newest first, of the versions before `below`, whole versions only; and where the next page begins.
        Raises NotFound for an order that never was here.
        """

        def work(tx: Transaction) -> tuple[Sequence[HistoryEntry], int | None]:
            if orders.get(tx, order_id) is None:
                raise missing_order_error(tx, order_id)
            found = history.list_entries(tx, order_id, below=below or MAX_ID, limit=limit + 1)
            if len(found) <= limit:
                return found, None
            # A version may have two entries, which stay together.
            whole = [entry for entry in found if entry.version > found[-1].version] or found
            return whole, whole[-1].version

        return await self._database.read(work)

    def _existing(self, tx: Transaction, order_id: int) -> StoredOrder:
        stored = orders.get(tx, order_id)
        if stored is None:
            raise missing_order_error(tx, order_id)
        if stored.deleted_at is not None:
            raise NotFound(f"Order {order_id} was deleted in PlanSo.")
        return stored


def missing_order_error(tx: Transaction, order_id: int) -> NotFound | MirrorNotFilled:
    """What to raise for an order that the mirror does not have: somebody on the phone must not be told too much."""
    if sync_runs.get_last_success(tx) is None:
        return mirror_not_filled_error()
    return NotFound(f"There is no order {order_id} in the connector's database.")


def mirror_not_filled_error() -> MirrorNotFilled:
    return MirrorNotFilled(
        "The connector's database is not filled yet, so nobody knows whether there is such an order; "
        "GET /api/sync/status tells how far it is."
    )
