"""
Queries on orders: one read transaction on the mirror each, without PlanSo.

All that look at an order raise NotFound where there is none or where it was deleted, and MirrorNotFilled where no sync
has filled the mirror yet.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from planso_connector.domain.errors import MirrorNotFilled, NotFound, QueryTooBroad
from planso_connector.domain.part import Part
from planso_connector.domain.values import MAX_ID
from planso_connector.flows.querying.reindex import not_indexed_error
from planso_connector.store import history, lookup_keys, orders, search, sections, sync_runs
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.history import HistoryEntry
from planso_connector.store.last_seen import ReadTimes
from planso_connector.store.orders import StoredOrder
from planso_connector.store.search import OrderFilters, OrderPage
from planso_connector.store.sections import Section

QUERY_TIMEOUT = 2.0
"""Seconds. Usual queries take milliseconds, and none may hold up the others."""
MAX_STEPS = 2_000_000
"""Of SQLite, for a search that compares texts: some hundred thousand orders, 0.3 s."""

T = TypeVar("T")
Found = TypeVar("Found", StoredOrder, ReadTimes)


class OrderQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, filters: OrderFilters) -> OrderPage:
        """
        Raises QueryTooBroad; IndexNotReady where a rebuild of the search index may be the reason, or for no hit; and
        MirrorNotFilled for no hit before the first sync.
        """
        try:
            page = await self._search(filters, lambda tx: _find(tx, filters))
        except QueryTooBroad:
            rebuild = await self._database.read(lookup_keys.read_rebuild_progress)
            if rebuild is None:
                raise
            raise not_indexed_error(rebuild) from None
        if page.rebuild is not None and not page.documents:
            raise not_indexed_error(page.rebuild)
        return page

    def find_now(self, filters: OrderFilters) -> OrderPage:
        """As `find`, on this thread. During a rebuild a page without hits is returned. Raises ReadLater too."""
        return self._database.read_now(lambda tx: _find(tx, filters))

    async def count(self, filters: OrderFilters) -> int:
        """The number of orders on all pages. Raises QueryTooBroad."""
        return await self._search(filters, lambda tx: search.count_orders(tx, filters))

    async def _search(self, filters: OrderFilters, work: Callable[[Transaction], T]) -> T:
        max_steps = MAX_STEPS if filters.compares_texts else None
        return await self._database.read(work, within=QUERY_TIMEOUT, max_steps=max_steps)

    async def get_order(self, order_id: int) -> StoredOrder:
        return await self._database.read_briefly(lambda tx: require_existing(tx, order_id, orders.get(tx, order_id)))

    def get_order_now(self, order_id: int) -> StoredOrder:
        """As `get_order`, on this thread. Raises ReadLater too."""
        return self._database.read_now(lambda tx: require_existing(tx, order_id, orders.get(tx, order_id)))

    async def get_parts(self, order_id: int) -> Sequence[Part]:
        """In the order of PlanSo's page."""
        return await self._read_of(order_id, lambda tx: orders.get_parts(tx, order_id))

    async def list_sections(self, order_id: int) -> Sequence[tuple[str, str]]:
        """Name and last sync of each section that was read."""
        return await self._read_of(order_id, lambda tx: sections.list_names(tx, order_id))

    async def get_section(self, order_id: int, name: str) -> Section:
        """Raises NotFound also for a section that was not read."""
        section = await self._read_of(order_id, lambda tx: sections.get(tx, order_id, name))
        if section is None:
            raise NotFound(
                f"Section '{name}' of order {order_id} was not read; GET .../sections lists those that were."
            )
        return section

    async def get_history(
        self, order_id: int, below: int | None, limit: int
    ) -> tuple[Sequence[HistoryEntry], int | None]:
        """
        The changes of the versions before `below`, newest first, whole versions only; and the next page's `below`.
        A deleted order has a history too.
        """

        def work(tx: Transaction) -> tuple[Sequence[HistoryEntry], int | None]:
            if orders.get(tx, order_id) is None:
                raise missing_order_error(tx, order_id)
            entries = history.list_entries(tx, order_id, below=below or MAX_ID, limit=limit + 1)
            if len(entries) <= limit:
                return entries, None
            # A version may have two entries, which stay together.
            page = [entry for entry in entries if entry.version > entries[-1].version] or entries
            return page, page[-1].version

        return await self._database.read_briefly(work)

    async def _read_of(self, order_id: int, read: Callable[[Transaction], T]) -> T:
        """What `read` returns, of an existing order."""

        def work(tx: Transaction) -> T:
            require_existing(tx, order_id, orders.get(tx, order_id))
            return read(tx)

        return await self._database.read_briefly(work)


def _find(tx: Transaction, filters: OrderFilters) -> OrderPage:
    page = search.find_orders(tx, filters)
    if not page.documents and sync_runs.get_last_success(tx) is None:
        raise mirror_not_filled_error()
    return page


def require_existing(tx: Transaction, order_id: int, found: Found | None) -> Found:
    """The row that was found; raises for none and for a deleted order."""
    if found is None:
        raise missing_order_error(tx, order_id)
    if found.deleted_at is not None:
        raise NotFound(f"Order {order_id} was deleted in PlanSo.")
    return found


def missing_order_error(tx: Transaction, order_id: int) -> NotFound | MirrorNotFilled:
    """An unfilled mirror can't tell that an order does not exist."""
    if sync_runs.get_last_success(tx) is None:
        return mirror_not_filled_error()
    return NotFound(f"There is no order {order_id} in the connector's database.")


def mirror_not_filled_error() -> MirrorNotFilled:
    return MirrorNotFilled(
        "The connector's database is not filled yet, so nobody knows whether there is such an order; "
        "GET /api/sync/status tells how far it is."
    )


PARTLY_FILLED = "The connector's database is being filled for the first time: other orders may fit, too."
"""For what was found before the first sync has ended."""
