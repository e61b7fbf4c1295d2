"""
Delete rows older than their CONNECTOR_KEEP_* setting, one batch in each transaction. One process at a time does it, by
a lease that each batch renews in its own transaction.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from planso_connector.domain.clock import Clock, Instant, format_instant
from planso_connector.store import change_feed, idempotency_keys, leases, retention, slot_holds, webhooks
from planso_connector.store.engine.database import Database, Transaction

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=1)
_HOLDS_KEPT = timedelta(days=1)
_NAME = "retention"

PAUSE = 0.02
"""Seconds between two batches, in which others can write."""


@dataclass(frozen=True, slots=True)
class RetentionPeriods:
    """How long each kind is kept (settings CONNECTOR_KEEP_*); zero is for ever."""

    operations: timedelta
    history: timedelta
    change_feed: timedelta
    sync_runs: timedelta
    unreadable_pages: timedelta
    deleted_orders: timedelta
    access_log: timedelta


class Retention:
    def __init__(self, database: Database, periods: RetentionPeriods, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._holder = leases.generate_holder()
        drops: dict[str, tuple[timedelta, Callable[[Transaction, Instant], int]]] = {
            "unreadable_pages": (periods.unreadable_pages, retention.drop_unreadable_pages),
            "access_log": (periods.access_log, retention.drop_access_log),
            "sync_runs": (periods.sync_runs, retention.drop_sync_runs),
            "deleted_orders": (periods.deleted_orders, retention.drop_deleted_orders),
            "history": (periods.history, retention.drop_history),
            "change_feed": (periods.change_feed, change_feed.drop_old),
            "webhook_attempts": (periods.change_feed, webhooks.drop_attempts),
            "operations": (periods.operations, self._drop_operations),
            "notices": (periods.operations, retention.drop_notices),
            "slot_holds": (_HOLDS_KEPT, slot_holds.drop_expired),
        }
        self._drops = {name: (period, drop) for name, (period, drop) in drops.items() if period}

    async def run(self) -> dict[str, int] | None:
        """Delete what is due. Returns rows by kind; None where another process does it. Raises StoreUnavailable."""
        if not await self._database.write(self._acquire):
            return None
        now = self._clock()
        dropped: Counter[str] = Counter()
        try:
            for name, (period, drop) in self._drops.items():
                before = format_instant(now - period)
                while count := await self._drop_batch(drop, before):
                    dropped[name] += count
                    await asyncio.sleep(PAUSE)
        finally:
            await self._database.write(lambda tx: leases.release(tx, _NAME, holder=self._holder))
        if dropped:
            log.info("retention", **dropped)
        return dict(dropped)

    async def _drop_batch(self, drop: Callable[[Transaction, Instant], int], before: Instant) -> int:
        return await self._database.write(lambda tx: drop(tx, before) if self._acquire(tx) else 0)

    def _drop_operations(self, tx: Transaction, before: Instant) -> int:
        keys_before = format_instant(self._clock() - idempotency_keys.LIFETIME)
        return retention.drop_operations(tx, before, keys_before)

    def _acquire(self, tx: Transaction) -> bool:
        """Acquire or renew the lease."""
        now = self._clock()
        return leases.acquire(
            tx, _NAME, holder=self._holder, now=format_instant(now), until=format_instant(now + LEASE)
        )
