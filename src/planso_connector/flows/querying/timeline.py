"""The repair timeline of an order: one short read transaction."""

from datetime import datetime, timedelta

from planso_connector.domain.clock import Clock, Instant, parse_instant
from planso_connector.domain.fields import Value
from planso_connector.domain.order import Order
from planso_connector.domain.timeline.build import build_timeline
from planso_connector.domain.timeline.timeline import ObservedChange, Timeline
from planso_connector.domain.values import MAX_ID
from planso_connector.flows.querying.orders import missing_order_error
from planso_connector.store import history, last_seen, orders
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.history import HistoryEntry

MAX_ENTRIES = 1000
"""Entries of the history that a timeline is made of, the newest."""


class TimelineQueries:
    """`history_kept`: how long the history is; zero: for ever."""

    def __init__(self, database: Database, clock: Clock, history_kept: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._history_kept = history_kept

    async def get_timeline(self, order_id: int) -> Timeline:
        """Also of an order that was deleted. Raises NotFound, MirrorNotFilled."""

        def work(tx: Transaction) -> tuple[Order, list[HistoryEntry], str, bool]:
            order = orders.load(tx, order_id)
            seen = last_seen.get_read_times(tx, order_id)
            if order is None or seen is None:
                raise missing_order_error(tx, order_id)
            entries = history.list_entries(tx, order_id, below=MAX_ID, limit=MAX_ENTRIES + 1)
            return order, entries, orders.get_first_seen(tx, order_id), seen.parts_read_at is not None

        order, entries, first_seen_at, has_parts = await self._database.read_briefly(work)
        now = self._clock()
        return build_timeline(
            order,
            [change for entry in entries[:MAX_ENTRIES] for change in _list_changes(entry)],
            now,
            observed_since=self._observed_since(first_seen_at, now),
            is_cut=len(entries) > MAX_ENTRIES,
            has_parts=has_parts,
        )

    def _observed_since(self, first_seen_at: str, now: datetime) -> datetime | None:
        known = [now - self._history_kept] if self._history_kept else []
        known += [parse_instant(first_seen_at)] if first_seen_at else []
        return max(known) if first_seen_at else None


def _list_changes(entry: HistoryEntry) -> list[ObservedChange]:
    is_write = entry.operation is not None
    return [
        ObservedChange(
            at=Instant(entry.at),
            field=change["field"],
            before=_to_value(change["before"]),
            after=_to_value(change["after"]),
            is_write=is_write,
            by=entry.caller if is_write else "",
        )
        for change in entry.changes
        if change.get("field")
    ]


def _to_value(value: object) -> Value:
    return value if isinstance(value, (str, int, float, bool)) else None
