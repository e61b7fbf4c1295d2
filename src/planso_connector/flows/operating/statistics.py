"""Statistics of a running connector for metrics: one read transaction, and now and then a second one that counts."""

import asyncio
import time
from dataclasses import dataclass, field

from planso_connector.domain.clock import parse_instant
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.readiness import Readiness, ReadinessProbe
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.operating.write_probe import DATABASE_TIMEOUT
from planso_connector.flows.syncing.sync import Sync, SyncStatus
from planso_connector.planso.http.client import PlansoClient
from planso_connector.store import lookup_keys, statistics, write_stops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.lookup_keys import RebuildProgress

COUNT_INTERVAL = 60.0
"""Seconds for which counts are reused: counting reads a whole index."""


@dataclass(frozen=True, slots=True)
class DatabaseStatistics:
    """
    `oldest_pending` in seconds, `last_success` in seconds since 1970. `rebuild`: progress of the lookup keys' rebuild,
    None without one.
    """

    orders: dict[str, int]
    operations: dict[str, int]
    oldest_pending: float
    sync: SyncStatus
    last_success: float | None
    rebuild: RebuildProgress | None
    writes_stopped: bool
    """Whether writes of the whole workshop are stopped."""
    stopped_orders: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """`database` is None if the database did not answer."""

    readiness: Readiness
    planso_sessions: int
    planso_in_flight: int
    planso_waiting: int
    planso_allowed: int
    requests_waiting: int
    """Callers' requests that wait for PlanSo."""
    database_waiting: dict[str, int]
    database_silent: float
    """Seconds since the database last answered, if it does not answer any more; else 0."""
    database_missed: dict[str, int]
    clock_ahead: float
    """Seconds by which this machine's clock is ahead of the database's."""
    database: DatabaseStatistics | None


@dataclass(slots=True)
class StatisticsCollector:
    database: Database
    sync: Sync
    readiness: ReadinessProbe
    planso: PlansoClient
    clock: DatabaseClock
    admission: WaitLimit
    _counted: tuple[float, dict[str, int], dict[str, int]] | None = field(default=None, init=False)

    async def collect(self) -> Statistics:
        database, readiness = await asyncio.gather(self._read_within_timeout(), self.readiness.check())
        throttle = self.planso.throttle
        return Statistics(
            readiness,
            self.planso.sessions.status.count,
            throttle.in_flight,
            throttle.waiting_count,
            throttle.max_in_flight,
            self.admission.waiting,
            self.database.queue_lengths,
            self.database.seconds_silent or 0.0,
            self.database.timeouts,
            self.clock.offset.total_seconds(),
            database,
        )

    async def _read_within_timeout(self) -> DatabaseStatistics | None:
        try:
            async with asyncio.timeout(DATABASE_TIMEOUT):
                return await self._read()
        except (StoreUnavailable, TimeoutError):
            return None

    async def _read(self) -> DatabaseStatistics:
        pending, rebuild, stops = await self.database.read(
            lambda tx: (statistics.get_pending(tx), lookup_keys.read_rebuild_progress(tx), write_stops.list_active(tx))
        )
        orders, operations = await self._counts()
        sync = await self.sync.status()
        now = self.clock()
        success = sync.last_success.ended_at if sync.last_success is not None else None
        return DatabaseStatistics(
            orders=orders,
            operations=operations | {"pending": pending.pending},
            oldest_pending=(now - parse_instant(pending.oldest)).total_seconds() if pending.oldest else 0.0,
            sync=sync,
            last_success=parse_instant(success).timestamp() if success else None,
            rebuild=rebuild,
            writes_stopped=any(stop.order_id is None for stop in stops),
            stopped_orders=sum(stop.order_id is not None for stop in stops),
        )

    async def _counts(self) -> tuple[dict[str, int], dict[str, int]]:
        def work(tx: Transaction) -> tuple[dict[str, int], dict[str, int]]:
            return statistics.count_orders(tx), statistics.count_operations(tx)

        if self._counted is None or time.monotonic() - self._counted[0] > COUNT_INTERVAL:
            self._counted = (time.monotonic(), *await self.database.read(work))
        return self._counted[1], self._counted[2]
