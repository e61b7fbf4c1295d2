"""
One sync run: read the list, plan, then read the planned orders, a few pages at a time.

Each order is stored in a transaction of its own as soon as it is read, so a run that dies loses nothing, and the next
one continues from there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from planso_connector.domain.clock import CLOCK_TOLERANCE, Clock, Instant, format_instant, parse_instant
from planso_connector.domain.errors import ConnectorError, LoginRejected, PlansoError
from planso_connector.domain.order import BoardEntry
from planso_connector.domain.reconcile import MirroredOrder, OrderToRead, ReconcilePolicy, SyncPlan, reconcile
from planso_connector.flows.syncing.pacing import Pacer
from planso_connector.flows.syncing.read_order import EmptyForm, EmptyOrder, OrderReader
from planso_connector.flows.syncing.run_progress import ReadFailure, RunProgress, SyncPhase
from planso_connector.planso.http.client import PlansoClient
from planso_connector.store import last_seen, operations, orders, sections
from planso_connector.store.engine.database import Database, Transaction

T = TypeVar("T")
log = structlog.get_logger(__name__)

MAX_CONSECUTIVE_FAILURES = 10
"""Orders failing in a row that end a run: PlanSo is in trouble, and more requests do not help it."""

READ_TASKS_PER_REQUEST = 2
"""While one order is parsed and stored, another's page is requested; the throttle bounds what PlanSo gets."""


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """What a sync reads, and how often. `sections_interval`: how often the other tabs are read, None for never."""

    reading: ReconcilePolicy = field(default_factory=ReconcilePolicy)
    sections_interval: timedelta | None = None
    concurrency: int = 4


@dataclass(frozen=True, slots=True)
class SyncRun:
    """Raises errors that must end the run; those of one order are recorded in `progress`."""

    database: Database
    planso: PlansoClient
    reader: OrderReader
    clock: Clock
    policy: SyncPolicy
    pacer: Pacer
    progress: RunProgress

    async def run(self, *, full_since: datetime | None, accept: bool) -> None:
        listed_at = self._now()
        board = await self.planso.read_board()
        plan = await self._plan(board, full_since=full_since, accept=accept)
        progress = self.progress
        progress.listed = len(board)
        progress.total = len(plan.to_read) + len(plan.removed)
        progress.phase = SyncPhase.ORDERS

        async def read(reading: OrderToRead) -> None:
            await self._record_errors(reading.entry.order_id, self._read(reading, accept=accept))

        await self._each(plan.to_read, read)
        progress.phase = SyncPhase.GONE

        async def check(order_id: int) -> None:
            await self._record_errors(order_id, self._check_removed(order_id, listed_at))

        await self._each(plan.removed, check)
        if plan.unchanged:
            await self.database.write(lambda tx: last_seen.mark_seen(tx, plan.unchanged, now=listed_at))
        if self.policy.sections_interval is not None:
            progress.phase = SyncPhase.SECTIONS
            await self._read_sections(board, self.policy.sections_interval)

    async def _plan(self, board: list[BoardEntry], *, full_since: datetime | None, accept: bool) -> SyncPlan:
        def work(tx: Transaction) -> tuple[dict[int, MirroredOrder], set[int]]:
            mirrored = {
                order_id: MirroredOrder(
                    fingerprint=seen.list_fingerprint,
                    read_at=parse_instant(seen.read_at),
                    archived=seen.archived,
                    in_workshop=seen.station_state == "active",
                    missing_parts=seen.missing_parts,
                )
                for order_id, seen in last_seen.get_all(tx).items()
            }
            return mirrored, operations.list_pending_orders(tx)

        mirrored, pending = await self.database.read(work)
        return reconcile(
            board, mirrored, pending, self.clock(), self.policy.reading, full_since=full_since, accept_removals=accept
        )

    async def _each(self, work: Iterable[T], do: Callable[[T], Awaitable[None]]) -> None:
        """Process items a few at a time. The first error that ends the run is raised once all have finished."""
        remaining = iter(work)
        fatal: list[ConnectorError] = []

        async def process() -> None:
            for item in remaining:
                if fatal:
                    return
                if self.progress.consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
                    fatal.append(
                        PlansoError(f"{MAX_CONSECUTIVE_FAILURES} orders in a row could not be read; the run was ended.")
                    )
                    return
                await self.pacer.wait_turn()
                try:
                    await do(item)
                except ConnectorError as error:
                    fatal.append(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(self.policy.concurrency * READ_TASKS_PER_REQUEST):
                group.create_task(process())
        if fatal:
            raise fatal[0]

    async def _record_errors(self, order_id: int, work: Awaitable[None]) -> None:
        """Record errors of one order; a rejected login ends the run."""
        try:
            await work
        except LoginRejected:
            raise
        except EmptyOrder:
            self.progress.record_empty(order_id)
        except EmptyForm:
            self.progress.record_failure(ReadFailure(order_id, "form", "empty_form"))
        except PlansoError as error:
            self.progress.record_failure(
                ReadFailure(order_id, getattr(error, "page", "") or "form", type(error).__name__)
            )

    async def _read(self, reading: OrderToRead, *, accept: bool) -> None:
        self.progress.record_read(await self.reader.read(reading.entry, accept=accept))

    async def _check_removed(self, order_id: int, listed_at: Instant) -> None:
        """Check an order that left the list: it was deleted if PlanSo has no form of it, archived if it has."""
        read_at = self._now()
        mirrored = await self.reader.load_mirrored(order_id)
        is_gone = await self.reader.is_form_gone(order_id, mirrored.values if mirrored is not None else {})
        now = self._now()
        changed: int
        if is_gone:
            changed = await self.database.write(lambda tx: orders.mark_deleted(tx, order_id, now=now, read_at=read_at))
        else:
            changed = await self.database.write(lambda tx: orders.archive(tx, [order_id], now=now, read_at=listed_at))
        self.progress.done += 1
        self.progress.consecutive_failures = 0
        self.progress.changed += changed

    async def _read_sections(self, board: list[BoardEntry], interval: timedelta) -> None:
        def work(tx: Transaction) -> tuple[dict[int, str], set[int]]:
            return sections.read_at_by_order(tx), orders.list_ids(tx, archived=False)

        read_at, mirrored = await self.database.read(work)
        now = self.clock()
        oldest, latest = format_instant(now - interval), format_instant(now + CLOCK_TOLERANCE)
        listed = (entry.order_id for entry in board if entry.order_id in mirrored)
        due = [order_id for order_id in listed if not oldest <= read_at.get(order_id, "") <= latest]
        self.progress.total += len(due)
        await self._each(due, self._read_tabs)

    async def _read_tabs(self, order_id: int) -> None:
        """Read all tabs, also if this installation lacks one of them."""
        failed: ReadFailure | None = None
        for name in self.planso.tab_names:
            read_at = self._now()
            try:
                section = await self.planso.read_tab(name, order_id)
            except LoginRejected:
                raise
            except PlansoError as error:
                failed = failed or ReadFailure(order_id, name, type(error).__name__)
                continue
            save = partial(
                sections.save,
                order_id=order_id,
                name=name,
                document=section.to_json(),
                read_at=read_at,
                now=self._now(),
            )
            await self.database.write(save)
        if failed is not None:
            self.progress.record_failure(failed)
            return
        self.progress.done += 1
        self.progress.consecutive_failures = 0

    def _now(self) -> Instant:
        return format_instant(self.clock())
