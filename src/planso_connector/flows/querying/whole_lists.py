"""
Whole lists, page by page, each in a read transaction of its own: an order that changes its place meanwhile may be on
two pages, or on none. Errors of the first page are raised before anything is yielded.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from planso_connector.domain.order import OrderDocument
from planso_connector.flows.querying.freshness import NEVER_FILLED, Freshness
from planso_connector.flows.querying.orders import OrderQueries, mirror_not_filled_error
from planso_connector.flows.querying.reindex import not_indexed_error
from planso_connector.store.history import HistoryEntry
from planso_connector.store.search import OrderFilters

PAGE = 500
"""Orders or history entries of a page."""


async def iter_orders(
    queries: OrderQueries, freshness: Freshness, filters: OrderFilters, at_most: int | None
) -> AsyncIterator[Sequence[OrderDocument]]:
    """
    The orders that match, from the filters' cursor on. Raises as `OrderQueries.find`, and MirrorNotFilled and
    IndexNotReady where orders may be missing: a list without a message can't say so.
    """
    if await freshness.stale_from() == NEVER_FILLED:
        raise mirror_not_filled_error()
    while at_most is None or at_most > 0:
        limit = PAGE if at_most is None else min(PAGE, at_most)
        page = await queries.find(replace(filters, limit=limit))
        if page.rebuild is not None:
            raise not_indexed_error(page.rebuild)
        yield page.documents
        if page.next_cursor is None:
            return
        at_most = at_most - len(page.documents) if at_most is not None else None
        filters = replace(filters, cursor=page.next_cursor)


async def iter_history(
    queries: OrderQueries, order_id: int, at_most: int | None
) -> AsyncIterator[Sequence[HistoryEntry]]:
    """The order's changes, newest first; whole versions, so that there may be one entry less than `at_most`."""
    below: int | None = None
    while at_most is None or at_most > 0:
        limit = PAGE if at_most is None else min(PAGE, at_most)
        entries, below = await queries.get_history(order_id, below, limit)
        yield entries
        if below is None:
            return
        at_most = at_most - len(entries) if at_most is not None else None
