"""
Retention: let go of what was kept for long enough, some rows in each transaction. One process at a time does it: a
lease, which each step renews in its own transaction.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.store import leases, retention
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.operations import IDEMPOTENCY_KEY_LIFETIME

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=1)
_NAME = "retention"

PAUSE = 0.02
"""Seconds between two steps, for those who wait to write."""


@dataclass(frozen=True, slots=True)
class RetentionPeriods:
    """How long each kind is kept; zero is for ever."""

    operations: timedelta = timedelta(0)
    history: timedelta = timedelta(0)
    sync_runs: timedelta = timedelta(0)
    unreadable_pages: timedelta = timedelta(0)
    deleted_orders: timedelta = timedelta(0)
    access_log: timedelta = timedelta(0)


class Retention:
    """Lives as long as the process."""

    def __init__(self, database: Database, kept: RetentionPeriods, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._holder = leases.generate_holder()
        keys = stamp_before(clock, IDEMPOTENCY_KEY_LIFETIME)
        drops: list[tuple[str, timedelta, Callable[[Transaction, str], int]]] = [
            (
                "kept_pages",
                kept.unreadable_pages,
                lambda tx, before: retention.drop_unreadable_pages(tx, before=before),
            ),
            ("accesses", kept.access_log, lambda tx, before: retention.drop_access_log(tx, before=before)),
            ("runs", kept.sync_runs, lambda tx, before: retention.drop_sync_runs(tx, before=before)),
            ("tombstones", kept.deleted_orders, lambda tx, before: retention.drop_deleted_orders(tx, before=before)),
            ("history", kept.history, lambda tx, before: retention.drop_history(tx, before=before)),
            (
                "operations",
                kept.operations,
                lambda tx, before: retention.drop_operations(tx, before=before, keys_before=keys()),
            ),
        ]
        self._drops = [drop for drop in drops if drop[1] > timedelta(0)]

    async def run(self) -> dict[str, int] | None:
        """How many of each kind went; None where another process is at it. Raises StoreUnavailable."""
        now = self._clock()
        told = {"holder": self._holder, "now": format_instant(now), "until": format_instant(now + LEASE)}
        if not await self._database.write(lambda tx: leases.acquire(tx, _NAME, **told)):
            return None
        gone: Counter[str] = Counter()
        try:
            for name, kept, drop in self._drops:
                before = format_instant(now - kept)
                while some := await self._step(drop, before):
                    gone[name] += some
                    await asyncio.sleep(PAUSE)
        finally:
            await self._database.write(lambda tx: leases.release(tx, _NAME, holder=self._holder))
        if gone:
            log.info("retention", **gone)
        return dict(gone)

    async def _step(self, drop: Callable[[Transaction, str], int], before: str) -> int:
        now = self._clock()
        told = {"holder": self._holder, "now": format_instant(now), "until": format_instant(now + LEASE)}

        def work(tx: Transaction) -> int:
            return drop(tx, before) if leases.renew(tx, _NAME, **told) else 0

        return await self._database.write(work)


def stamp_before(clock: Clock, by: timedelta) -> Callable[[], str]:
    return lambda: format_instant(clock() - by)
