"""How far an order is: one short read transaction, before it at most one for whether the mirror is stale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planso_connector.domain.clock import Clock, parse_instant
from planso_connector.domain.errors import NotFound
from planso_connector.domain.order import Order
from planso_connector.domain.progress import assess
from planso_connector.domain.progress.assess import OrderProgress, ReadTimes
from planso_connector.flows.querying.freshness import Freshness
from planso_connector.flows.querying.orders import missing_order_error
from planso_connector.store import last_seen, operations, orders
from planso_connector.store.engine.database import Database, Transaction


class ProgressQueries:
    """`labels`: the installation's labels by field path."""

    def __init__(
        self,
        database: Database,
        freshness: Freshness,
        labels: Mapping[str, Sequence[str]],
        clock: Clock,
    ) -> None:
        self._database = database
        self._freshness = freshness
        self._labels = labels
        self._clock = clock

    async def get_progress(self, order_id: int) -> OrderProgress:
        """From the mirror alone. Raises NotFound, also for an order that was deleted."""
        stale = await self._freshness.is_stale()
        order, readings, pending = await self._database.read(lambda tx: self._read(tx, order_id))
        return assess.assess_progress(
            order, readings, self._clock(), is_stale=stale, labels=self._labels, pending=pending
        )

    def _read(self, tx: Transaction, order_id: int) -> tuple[Order, ReadTimes, int]:
        seen = last_seen.get_read_times(tx, order_id)
        if seen is not None and seen.deleted_at is not None:
            raise NotFound(f"Order {order_id} was deleted in PlanSo.")
        order = orders.load(tx, order_id)
        if seen is None or order is None:
            raise missing_order_error(tx, order_id)
        parts = parse_instant(seen.parts_read_at) if seen.parts_read_at is not None else None
        readings = ReadTimes(parse_instant(seen.read_at), parts, parse_instant(seen.synced_at))
        return order, readings, len(operations.list_pending(tx, order_id))
