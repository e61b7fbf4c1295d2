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

from planso_connector.domain.clock import Clock, parse_stamp, stamp
from planso_connector.domain.errors import ConnectorError, MassRemoval, PlansoUnavailable, StoreUnavailable
from planso_connector.domain.page_drift import Doubtful
from planso_connector.flows.operating.heartbeat import Beat, unwatched
from planso_connector.flows.syncing.pacing import GiveWay
from planso_connector.flows.syncing.read_order import Reader
from planso_connector.flows.syncing.run_progress import Phase, Progress
from planso_connector.flows.syncing.sync_run import SyncPolicy, SyncRun
from planso_connector.planso.http.client import Planso
from planso_connector.store import leases, orders, sync_runs, unreadable_pages
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.engine.threads import goes_first
from planso_connector.store.sync_runs import Run, RunKind, RunState, Trigger

log = structlog.get_logger(__name__)

LEASE = "sync"
LEASE_FOR = timedelta(seconds=10)
"""So long after its death a run is still thought to be under way."""

HEARTBEAT = 3.0
"""Seconds between two renewals of the lease and of the stored progress."""

STUCK_AFTER = 1800.0
"""
Seconds in which a run comes a page further, also with a PlanSo that asks for a pause: `LONGEST_RETRY_AFTER`, several
times.
"""

HISTORY = 20
"""So many runs back one is looked for."""

RESUMED_WITHIN = timedelta(hours=12)
"""A full run that broke off is gone on with, if it began within this time."""

_EMPTY_NAMED = 5
_DOUBTS_NAMED = 10
_WITHOUT_VALUE = {Doubtful.UNREADABLE: "is no date or number", Doubtful.TOO_LONG: "is longer than is kept"}


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """`state` is idle, running, or failed: the last run did not end well and none is running."""

    state: str
    running: Run | None
    expected_end: str | None
    last_run: Run | None
    """The last one that ended."""
    last_success: Run | None


class Sync:
    """Lives as long as the process. Each run is within `tracing`."""

    def __init__(
        self,
        database: Database,
        planso: Planso,
        reader: Reader,
        clock: Clock,
        policy: SyncPolicy,
        way: GiveWay,
        tracing: Callable[[Progress], AbstractContextManager[object]] = nullcontext,
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
        self._progress: Progress | None = None
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
            if run.state is RunState.RUNNING and run.started_at != stamp(now):
                return run.id, True
            self._progress = progress = Progress(run.id, run.started_at, kind)
            self._task = asyncio.create_task(self._run(progress, full_since, accept=accept), name=f"sync {run.id}")
            return run.id, False

    def _begin(
        self, tx: Transaction, now: datetime, kind: RunKind, trigger: Trigger, *, accept: bool
    ) -> tuple[Run, datetime | None]:
        """The new run, and since when orders need not be read again; or the run that holds the lease."""
        until = stamp(now + LEASE_FOR)
        taken = leases.acquire(tx, LEASE, holder=self._holder, now=stamp(now), until=until)
        if not taken:
            last = sync_runs.last(tx)
            assert last is not None, "who takes the lease stores a run"
            return last, None
        sync_runs.abandon(tx, now=stamp(now))
        broken = sync_runs.resumable(tx)
        run = sync_runs.start(tx, now=stamp(now), phase=Phase.LIST, kind=kind, trigger=trigger)
        if kind is not RunKind.FULL:
            return run, None
        # What is accepted must be read with that leave, also where the run that broke off had read it.
        if broken is not None and not accept and now - parse_stamp(broken.started_at) < RESUMED_WITHIN:
            return run, parse_stamp(broken.started_at)
        return run, now

    async def run(
        self, trigger: Trigger, *, full: bool = False, accept: bool = False, beat: Beat = unwatched
    ) -> Run | None:
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
            await asyncio.wait({task}, timeout=HEARTBEAT)
        if task is not None and not task.cancelled():
            task.result()
        beat(STUCK_AFTER)
        found = await self.find(run_id)
        return found if found is not None and found.state is not RunState.RUNNING else None

    @property
    def progress(self) -> Progress | None:
        """The run under way in this process, None between runs."""
        return self._progress if self._task is not None and not self._task.done() else None

    async def find(self, run_id: str) -> Run | None:
        found = await self.history(HISTORY)
        return next((run for run in found if run.id == run_id), None)

    async def history(self, limit: int) -> list[Run]:
        """The last runs, newest first."""
        return await self._database.read(lambda tx: sync_runs.history(tx, limit))

    async def status(self) -> SyncStatus:
        def work(tx: Transaction) -> tuple[list[Run], Run | None, str | None]:
            now = stamp(self._clock())
            holder = leases.holder(tx, LEASE, now=now)
            return sync_runs.history(tx, 2), sync_runs.last_success(tx), holder

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
            success = await self._database.read(lambda tx: sync_runs.last_success(tx))
            self._last_success = success.ended_at if success is not None else None
        return parse_stamp(self._last_success) if self._last_success is not None else None

    async def is_empty(self) -> bool:
        """Whether the mirror holds no order yet, or its first run never ended well."""
        return await self._database.read(lambda tx: not orders.is_any(tx) or sync_runs.last_success(tx) is None)

    async def close(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    # a run ------------------------------------------------------------------------------------------------------

    async def _run(self, progress: Progress, full_since: datetime | None, *, accept: bool) -> None:
        goes_first.set(False)  # a request that began it has it set, and a run would go before all who read
        with self._tracing(progress):
            await self._carried_out(progress, full_since, accept=accept)

    async def _carried_out(self, progress: Progress, full_since: datetime | None, *, accept: bool) -> None:
        sent_before = self._planso.requests
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
            await run.carry_out(full_since=full_since, accept=accept)
            state = RunState.DONE if progress.is_good else RunState.FAILED
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
            await asyncio.shield(self._finish(progress, state, message, self._planso.requests - sent_before))

    async def _beat(self, progress: Progress, sent_before: int) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            now = self._clock()

            def work(tx: Transaction, now: datetime = now) -> None:
                until = stamp(now + LEASE_FOR)
                leases.renew(tx, LEASE, holder=self._holder, now=stamp(now), until=until)
                sync_runs.progress(
                    tx,
                    progress.run_id,
                    now=stamp(now),
                    phase=progress.phase,
                    done=progress.done,
                    total=progress.total,
                    requests=self._planso.requests - sent_before,
                    changed=progress.changed,
                )

            try:
                await self._database.write(work)
            except ConnectorError as error:
                log.warning("sync_progress_not_stored", run=progress.run_id, error=type(error).__name__)
            except Exception:
                log.exception("sync_progress_not_stored", run=progress.run_id)

    async def _finish(self, progress: Progress, state: RunState, message: str, requests: int) -> None:
        now = stamp(self._clock())

        def work(tx: Transaction) -> None:
            sync_runs.finish(
                tx,
                progress.run_id,
                state=state,
                now=now,
                message=message,
                failed=[asdict(failure) for failure in progress.failures],
                doubts=progress.doubts(),
                phase=progress.phase,
                done=progress.done,
                total=progress.total,
                requests=requests,
                changed=progress.changed,
            )
            if state is RunState.DONE:
                self._let_go(tx, progress)
            leases.release(tx, LEASE, holder=self._holder)

        try:
            await self._database.write(work)
        except ConnectorError as error:
            log.exception("sync_end_not_stored", run=progress.run_id, error=type(error).__name__)
        if state is RunState.DONE:
            self._last_success = now
        log.info("sync_ended", run=progress.run_id, state=state, done=progress.done, requests=requests)

    def _let_go(self, tx: Transaction, progress: Progress) -> None:
        """Of the pages that could not be read once, and can be by now."""
        failed = {failure.order_id for failure in progress.failures}
        pages = unreadable_pages.all(tx)
        read = [page.id for page in pages if page.kept_at < progress.started_at and page.order_id not in failed]
        unreadable_pages.forget(tx, read)

    def _expected_end(self, running: Run | None) -> str | None:
        if running is None or not running.done:
            return None
        now = self._clock()
        passed = (now - parse_stamp(running.started_at)).total_seconds()
        return stamp(now + timedelta(seconds=passed / running.done * (running.total - running.done)))


def _summary(progress: Progress) -> str:
    told = []
    if progress.failed:
        told.append(f"{progress.failed} of {progress.total} orders could not be read; their rows stay as they were.")
    if any(failure.kind == "empty_form" for failure in progress.failures):
        told.append(
            "Orders of kind empty_form lost nearly all their values at once. If somebody emptied them, accept it: "
            "planso-connector sync --full --accept-removals."
        )
    if progress.empty:
        named = ", ".join(str(order_id) for order_id in sorted(progress.empty)[:_EMPTY_NAMED])
        more = f" and {len(progress.empty) - _EMPTY_NAMED} more" if len(progress.empty) > _EMPTY_NAMED else ""
        told.append(f"Orders that hold nothing in PlanSo were not taken over: {named}{more}.")
    if progress.is_emptied:
        told.append("So many empty orders are not believed; the run counts as failed.")
    all_doubts = progress.doubts()
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
