"""An order's progress: one short read transaction, before it at most one for whether the mirror is stale."""

from collections.abc import Mapping, Sequence

from planso_connector.domain.clock import Clock, parse_instant
from planso_connector.domain.order import Order
from planso_connector.domain.progress.assess import OrderProgress, ReadTimes, assess_progress
from planso_connector.flows.querying.freshness import Freshness
from planso_connector.flows.querying.orders import missing_order_error, require_existing
from planso_connector.store import last_seen, operations, orders
from planso_connector.store.engine.database import Database, Transaction


class ProgressQueries:
    """`labels`: the installation's labels by field path."""

    def __init__(
        self, database: Database, freshness: Freshness, labels: Mapping[str, Sequence[str]], clock: Clock
    ) -> None:
        self._database = database
        self._freshness = freshness
        self._labels = labels
        self._clock = clock

    async def get_progress(self, order_id: int) -> OrderProgress:
        """Assess the mirror's order, without PlanSo. Raises NotFound, also for a deleted order."""
        is_stale = await self._freshness.is_stale()
        order, read_times, pending = await self._database.read(lambda tx: _read(tx, order_id))
        now = self._clock()
        return assess_progress(order, read_times, now, is_stale=is_stale, labels=self._labels, pending=pending)


def _read(tx: Transaction, order_id: int) -> tuple[Order, ReadTimes, int]:
    """The order, when its pages were read, and the number of its pending writes."""
    seen = require_existing(tx, order_id, last_seen.get_read_times(tx, order_id))
    order = orders.load(tx, order_id)
    if order is None:
        raise missing_order_error(tx, order_id)
    parts = parse_instant(seen.parts_read_at) if seen.parts_read_at is not None else None
    read_times = ReadTimes(parse_instant(seen.read_at), parts, parse_instant(seen.synced_at))
    return order, read_times, len(operations.list_pending(tx, order_id))
