"""
Sync: one run at a time, for all processes on one database. A run is begun and ended in one transaction each, which
also take and give back the lease; while it lasts, its progress and the lease are renewed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import structlog

from planso_connector.domain.clock import Clock, format_instant, parse_instant
from planso_connector.domain.errors import ConnectorError, MassRemoval, PlansoUnavailable, StoreUnavailable
from planso_connector.domain.page_drift import DoubtKind
from planso_connector.domain.priority import has_priority
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.flows.syncing.pacing import Pacer
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.syncing.run_progress import RunProgress, SyncPhase
from planso_connector.flows.syncing.sync_run import SyncPolicy, SyncRun
from planso_connector.planso.http.client import PlansoClient
from planso_connector.store import leases, orders, sync_runs, unreadable_pages
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.sync_runs import RunKind, RunState, StoredRun, Trigger

log = structlog.get_logger(__name__)

LEASE_NAME = "sync"
LEASE_DURATION = timedelta(seconds=10)
"""So long after its death a run is still thought to be under way."""

HEARTBEAT_INTERVAL = 3.0
"""Seconds between two renewals of the lease and of the stored progress."""

STUCK_AFTER = 1800.0
"""
Seconds in which a run comes a page further, also with a PlanSo that asks for a pause: `LONGEST_RETRY_AFTER`, several
times.
"""

FIND_LIMIT = 20
"""So many runs back one is looked for."""

RESUME_WITHIN = timedelta(hours=12)
"""A full run that broke off is gone on with, if it began within this time."""

_EMPTY_NAMED = 5
_DOUBTS_NAMED = 10
_WITHOUT_VALUE = {DoubtKind.UNREADABLE: "is no date or number", DoubtKind.TOO_LONG: "is longer than is kept"}


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """`state` is idle, running, or failed: the last run did not end well and none is running."""

    state: str
    running: StoredRun | None
    expected_end: str | None
    last_run: StoredRun | None
    """The last one that ended."""
    last_success: StoredRun | None


class Sync:
    """Lives as long as the process. Each run is within `tracing`."""

    def __init__(
        self,
        database: Database,
        planso: PlansoClient,
        reader: OrderReader,
        clock: Clock,
        policy: SyncPolicy,
        way: Pacer,
        tracing: Callable[[RunProgress], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._database = database
        self._planso = planso
        self._reader = reader
        self._clock = clock
        self._policy = policy
        self._way = way
        self._tracing = tracing
        self._holder = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._task: asyncio.Task[None] | None = None
        self._progress: RunProgress | None = None
        self._starting = asyncio.Lock()
        self._last_success: str | None = None

    async def start(self, trigger: Trigger, *, full: bool = False, accept: bool = False) -> tuple[str, bool]:
        """
        Begin a run, or join the one under way, here or in another process: its id, and whether it was there already.
        `accept`: take over removals and pages that would be doubted.
        """
        async with self._starting:
            if (progress := self.progress) is not None:
                return progress.run_id, True
            now = self._clock()
            kind = RunKind.FULL if full else RunKind.INCREMENTAL
            run, full_since = await self._database.write(lambda tx: self._begin(tx, now, kind, trigger, accept=accept))
            self._last_success = None
            if run.state is RunState.RUNNING and run.started_at != format_instant(now):
                return run.id, True
            self._progress = progress = RunProgress(run.id, run.started_at, kind)
            self._task = asyncio.create_task(self._run(progress, full_since, accept=accept), name=f"sync {run.id}")
            return run.id, False

    def _begin(
        self, tx: Transaction, now: datetime, kind: RunKind, trigger: Trigger, *, accept: bool
    ) -> tuple[StoredRun, datetime | None]:
        """The new run, and since when orders need not be read again; or the run that holds the lease."""
        until = format_instant(now + LEASE_DURATION)
        taken = leases.acquire(tx, LEASE_NAME, holder=self._holder, now=format_instant(now), until=until)
        if not taken:
            last = sync_runs.get_last(tx)
            assert last is not None, "who takes the lease stores a run"
            return last, None
        sync_runs.interrupt_running(tx, now=format_instant(now))
        broken = sync_runs.get_resumable(tx)
        run = sync_runs.start(tx, now=format_instant(now), phase=SyncPhase.LIST, kind=kind, trigger=trigger)
        if kind is not RunKind.FULL:
            return run, None
        # What is accepted must be read with that leave, also where the run that broke off had read it.
        if broken is not None and not accept and now - parse_instant(broken.started_at) < RESUME_WITHIN:
            return run, parse_instant(broken.started_at)
        return run, now

    async def run(
        self, trigger: Trigger, *, full: bool = False, accept: bool = False, beat: Heartbeat = no_heartbeat
    ) -> StoredRun | None:
        """
        Begin or join a run and wait for its end; a run in another process is not waited for (None). It beats whenever
        the run comes further.
        """
        run_id, _ = await self.start(trigger, full=full, accept=accept)
        beat(STUCK_AFTER)
        task, at = self._task, None
        while task is not None and not task.done():
            if (progress := self._progress) is not None and at != (at := (progress.phase, progress.done)):
                beat(STUCK_AFTER)
            await asyncio.wait({task}, timeout=HEARTBEAT_INTERVAL)
        if task is not None and not task.cancelled():
            task.result()
        beat(STUCK_AFTER)
        found = await self.find_run(run_id)
        return found if found is not None and found.state is not RunState.RUNNING else None

    @property
    def progress(self) -> RunProgress | None:
        """The run under way in this process, None between runs."""
        return self._progress if self._task is not None and not self._task.done() else None

    async def find_run(self, run_id: str) -> StoredRun | None:
        found = await self.list_runs(FIND_LIMIT)
        return next((run for run in found if run.id == run_id), None)

    async def list_runs(self, limit: int) -> list[StoredRun]:
        """The last runs, newest first."""
        return await self._database.read(lambda tx: sync_runs.list_latest(tx, limit))

    async def status(self) -> SyncStatus:
        def work(tx: Transaction) -> tuple[list[StoredRun], StoredRun | None, str | None]:
            now = format_instant(self._clock())
            holder = leases.find_holder(tx, LEASE_NAME, now=now)
            return sync_runs.list_latest(tx, 2), sync_runs.get_last_success(tx), holder

        found, success, holder = await self._database.read(work)
        ended = next((run for run in found if run.state is not RunState.RUNNING), None)
        running = next((run for run in found if run.state is RunState.RUNNING and holder is not None), None)
        if running is not None and (progress := self.progress) is not None and progress.run_id == running.id:
            running = replace(
                running,
                phase=progress.phase,
                done=progress.done,
                total=progress.total,
                changed=progress.changed,
            )
        failed = ended is not None and ended.state is RunState.FAILED
        state = "running" if running is not None else "failed" if failed else "idle"
        return SyncStatus(state, running, self._expected_end(running), ended, success)

    async def last_success_at(self) -> datetime | None:
        """When the last run ended well; remembered between runs of this process."""
        if self._last_success is None:
            success = await self._database.read(lambda tx: sync_runs.get_last_success(tx))
            self._last_success = success.ended_at if success is not None else None
        return parse_instant(self._last_success) if self._last_success is not None else None

    async def is_mirror_empty(self) -> bool:
        """Whether the mirror holds no order yet, or its first run never ended well."""
        return await self._database.read(lambda tx: not orders.has_any(tx) or sync_runs.get_last_success(tx) is None)

    async def close(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    # a run ------------------------------------------------------------------------------------------------------

    async def _run(self, progress: RunProgress, full_since: datetime | None, *, accept: bool) -> None:
        has_priority.set(False)  # a request that began it has it set, and a run would go before all who read
        with self._tracing(progress):
            await self._carried_out(progress, full_since, accept=accept)

    async def _carried_out(self, progress: RunProgress, full_since: datetime | None, *, accept: bool) -> None:
        sent_before = self._planso.request_count
        state, message = RunState.FAILED, ""
        log.info("sync_started", run=progress.run_id, kind=progress.kind)
        heart = asyncio.create_task(self._beat(progress, sent_before), name="sync heartbeat")
        run = SyncRun(
            self._database,
            self._planso,
            self._reader,
            self._clock,
            self._policy,
            self._way,
            progress,
        )
        try:
            await run.run(full_since=full_since, accept=accept)
            state = RunState.DONE if progress.is_successful else RunState.FAILED
            message = _summary(progress)
        except ConnectorError as error:
            message = str(error)
            # What these say is made of counts, pages and causes alone.
            reason = message if isinstance(error, MassRemoval | StoreUnavailable | PlansoUnavailable) else None
            log.warning("sync_failed", run=progress.run_id, error=type(error).__name__, reason=reason)
        except asyncio.CancelledError:
            state, message = RunState.INTERRUPTED, "The connector was stopped."
            raise
        except Exception as error:
            message = f"A fault in the connector: {type(error).__name__}. The log has its place."
            log.exception("sync_failed", run=progress.run_id)
        finally:
            heart.cancel()
            await asyncio.shield(self._finish(progress, state, message, self._planso.request_count - sent_before))

    async def _beat(self, progress: RunProgress, sent_before: int) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL)
            now = self._clock()

            def work(tx: Transaction, now: datetime = now) -> None:
                until = format_instant(now + LEASE_DURATION)
                leases.renew(tx, LEASE_NAME, holder=self._holder, now=format_instant(now), until=until)
                sync_runs.record_progress(
                    tx,
                    progress.run_id,
                    now=format_instant(now),
                    phase=progress.phase,
                    done=progress.done,
                    total=progress.total,
                    requests=self._planso.request_count - sent_before,
                    changed=progress.changed,
                )

            try:
                await self._database.write(work)
            except ConnectorError as error:
                log.warning("sync_progress_not_stored", run=progress.run_id, error=type(error).__name__)
            except Exception:
                log.exception("sync_progress_not_stored", run=progress.run_id)

    async def _finish(self, progress: RunProgress, state: RunState, message: str, requests: int) -> None:
        now = format_instant(self._clock())

        def work(tx: Transaction) -> None:
            sync_runs.finish(
                tx,
                progress.run_id,
                state=state,
                now=now,
                message=message,
                failed=[asdict(failure) for failure in progress.failures],
                doubts=progress.summarize_doubts(),
                phase=progress.phase,
                done=progress.done,
                total=progress.total,
                requests=requests,
                changed=progress.changed,
            )
            if state is RunState.DONE:
                self._let_go(tx, progress)
            leases.release(tx, LEASE_NAME, holder=self._holder)

        try:
            await self._database.write(work)
        except ConnectorError as error:
            log.exception("sync_end_not_stored", run=progress.run_id, error=type(error).__name__)
        if state is RunState.DONE:
            self._last_success = now
        log.info("sync_ended", run=progress.run_id, state=state, done=progress.done, requests=requests)

    def _let_go(self, tx: Transaction, progress: RunProgress) -> None:
        """Of the pages that could not be read once, and can be by now."""
        failed = {failure.order_id for failure in progress.failures}
        pages = unreadable_pages.list_all(tx)
        read = [page.id for page in pages if page.kept_at < progress.started_at and page.order_id not in failed]
        unreadable_pages.delete_pages(tx, read)

    def _expected_end(self, running: StoredRun | None) -> str | None:
        if running is None or not running.done:
            return None
        now = self._clock()
        passed = (now - parse_instant(running.started_at)).total_seconds()
        return format_instant(now + timedelta(seconds=passed / running.done * (running.total - running.done)))


def _summary(progress: RunProgress) -> str:
    told = []
    if progress.failed:
        told.append(f"{progress.failed} of {progress.total} orders could not be read; their rows stay as they were.")
    if any(failure.kind == "empty_form" for failure in progress.failures):
        told.append(
            "Orders of kind empty_form lost nearly all their values at once. If somebody emptied them, accept it: "
            "planso-connector sync --full --accept-removals."
        )
    if progress.empty_orders:
        named = ", ".join(str(order_id) for order_id in sorted(progress.empty_orders)[:_EMPTY_NAMED])
        more = (
            f" and {len(progress.empty_orders) - _EMPTY_NAMED} more"
            if len(progress.empty_orders) > _EMPTY_NAMED
            else ""
        )
        told.append(f"Orders that hold nothing in PlanSo were not taken over: {named}{more}.")
    if progress.has_too_many_empty:
        told.append("So many empty orders are not believed; the run counts as failed.")
    all_doubts = progress.summarize_doubts()
    doubts = [doubt for doubt in all_doubts if doubt["kind"] not in _WITHOUT_VALUE]
    if doubts:
        first = doubts[0]
        told.append(
            f"PlanSo's pages seem to have moved in {len(doubts)} {'thing' if len(doubts) == 1 else 'things'}, such as "
            f"'{first['what']}' ({first['kind']}, in {first['orders']} orders): the last good values stay. "
            "If PlanSo is right, accept them: planso-connector sync --full --accept-removals."
        )
    for kind, why in _WITHOUT_VALUE.items():
        found = [f"{doubt['what']} (in {doubt['orders']} orders)" for doubt in all_doubts if doubt["kind"] == kind]
        more = f" and {len(found) - _DOUBTS_NAMED} more" if len(found) > _DOUBTS_NAMED else ""
        if found:
            told.append(f"What stands there {why}, so these have no value: {', '.join(found[:_DOUBTS_NAMED])}{more}.")
    return " ".join(told)
