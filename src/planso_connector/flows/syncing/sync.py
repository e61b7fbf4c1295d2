"""
Sync: one run at a time among all processes on a database. Its start and its end are a transaction each, which also take
and release the lease; in between, a heartbeat stores the progress and renews the lease.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import structlog

from planso_connector.domain.clock import Clock, Instant, format_instant, parse_instant
from planso_connector.domain.errors import ConnectorError, MassRemoval, PlansoUnavailable, StoreUnavailable
from planso_connector.domain.events import EventType
from planso_connector.domain.notes import join_names
from planso_connector.domain.page_drift import DoubtKind
from planso_connector.domain.priority import has_priority
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.flows.syncing.pacing import Pacer
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.syncing.run_progress import RunProgress, SyncPhase
from planso_connector.flows.syncing.sync_run import SyncPolicy, SyncRun
from planso_connector.flows.writing.accepting import check_not_paused
from planso_connector.planso.http.client import PlansoClient
from planso_connector.store import change_feed, leases, orders, sync_runs, unreadable_pages
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.sync_runs import RunKind, RunState, StoredRun, Trigger

log = structlog.get_logger(__name__)

LEASE_NAME = "sync"
LEASE_DURATION = timedelta(seconds=10)
"""How long after a crash a run still counts as running."""

HEARTBEAT_INTERVAL = 3.0
"""Seconds between two heartbeats."""

STUCK_AFTER = 1800.0
"""Seconds within which a run reads another page, even if PlanSo asks for its longest pause several times."""

FIND_LIMIT = 20
"""How many runs back `find_run` looks."""

RESUME_WITHIN = timedelta(hours=12)
"""A full run that broke off is resumed if it began within this time."""

_EMPTY_NAMED = 5
_DOUBTS_NAMED = 10
_WITHOUT_VALUE = {DoubtKind.UNREADABLE: "is no date or number", DoubtKind.TOO_LONG: "is longer than is kept"}


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """`state` is idle, running, or failed: none is running and the last one failed."""

    state: str
    running: StoredRun | None
    expected_end: str | None
    last_run: StoredRun | None
    """The last run that ended."""
    last_success: StoredRun | None


class Sync:
    def __init__(
        self,
        database: Database,
        planso: PlansoClient,
        reader: OrderReader,
        clock: Clock,
        policy: SyncPolicy,
        pacer: Pacer,
        tracing: Callable[[RunProgress], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Each run is within `tracing`."""
        self._database = database
        self._planso = planso
        self._reader = reader
        self._clock = clock
        self._policy = policy
        self._pacer = pacer
        self._tracing = tracing
        self._holder = leases.generate_holder()
        self._task: asyncio.Task[None] | None = None
        self._progress: RunProgress | None = None
        self._starting = asyncio.Lock()
        self._last_success: str | None = None

    async def start(self, trigger: Trigger, *, full: bool = False, accept: bool = False) -> tuple[str, bool]:
        """
        Start a run, or join the one that is running, here or in another process. Returns its id, and whether it was
        running already. `accept`: believe removals and pages that would be doubted. Raises WorkshopPaused.
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
        """The new run, and since when orders read need not be read again; or the run that holds the lease."""
        check_not_paused(tx)
        until = format_instant(now + LEASE_DURATION)
        taken = leases.acquire(tx, LEASE_NAME, holder=self._holder, now=format_instant(now), until=until)
        if not taken:
            last = sync_runs.get_last(tx)
            assert last is not None, "whoever takes the lease stores a run"
            return last, None
        sync_runs.interrupt_running(tx, now=format_instant(now))
        broken = sync_runs.get_resumable(tx)
        run = sync_runs.start(tx, now=format_instant(now), phase=SyncPhase.LIST, kind=kind, trigger=trigger)
        if kind is not RunKind.FULL:
            return run, None
        # What is to be accepted must be read again, even if the run that broke off had read it.
        if broken is not None and not accept and now - parse_instant(broken.started_at) < RESUME_WITHIN:
            return run, parse_instant(broken.started_at)
        return run, now

    async def run(
        self, trigger: Trigger, *, full: bool = False, accept: bool = False, beat: Heartbeat = no_heartbeat
    ) -> StoredRun | None:
        """
        Start or join a run and wait for its end; None for a run in another process, which is not waited for. Sends a
        heartbeat whenever the run gets further.
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
        """The run of this process, None between runs."""
        return self._progress if self._task is not None and not self._task.done() else None

    async def find_run(self, run_id: str) -> StoredRun | None:
        found = await self.list_runs(FIND_LIMIT)
        return next((run for run in found if run.id == run_id), None)

    async def list_runs(self, limit: int) -> list[StoredRun]:
        """The latest runs, newest first."""
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
            running = replace(running, **progress.counts(running.requests))
        failed = ended is not None and ended.state is RunState.FAILED
        state = "running" if running is not None else "failed" if failed else "idle"
        return SyncStatus(state, running, self._expected_end(running), ended, success)

    async def last_success_at(self) -> datetime | None:
        """When the last successful run ended; cached between runs of this process."""
        if self._last_success is None:
            success = await self._database.read_briefly(sync_runs.get_last_success)
            self._last_success = success.ended_at if success is not None else None
        return parse_instant(self._last_success) if self._last_success is not None else None

    @property
    def known_last_success(self) -> datetime | None:
        """As `last_success_at`; None also where that is not known yet."""
        return parse_instant(self._last_success) if self._last_success is not None else None

    async def is_mirror_empty(self) -> bool:
        return await is_mirror_empty(self._database)

    async def close(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self, progress: RunProgress, full_since: datetime | None, *, accept: bool) -> None:
        has_priority.set(False)  # inherited from the request that started it; a run must not come before reads
        with self._tracing(progress):
            sent_before = self._planso.request_count
            state, message = RunState.FAILED, ""
            log.info("sync_started", run=progress.run_id, kind=progress.kind)
            heartbeat = asyncio.create_task(self._send_heartbeats(progress, sent_before), name="sync heartbeat")
            run = SyncRun(self._database, self._planso, self._reader, self._clock, self._policy, self._pacer, progress)
            try:
                await run.run(full_since=full_since, accept=accept)
                state = RunState.DONE if progress.is_successful else RunState.FAILED
                message = _summarize(progress)
            except ConnectorError as error:
                message = str(error)
                # The messages of these consist of counts, pages and causes alone, so they may be logged.
                reason = message if isinstance(error, MassRemoval | StoreUnavailable | PlansoUnavailable) else None
                log.warning("sync_failed", run=progress.run_id, error=type(error).__name__, reason=reason)
            except asyncio.CancelledError:
                state, message = RunState.INTERRUPTED, "The connector was stopped."
                raise
            except Exception as error:
                message = f"A fault in the connector: {type(error).__name__}. The log has its place."
                log.exception("sync_failed", run=progress.run_id)
            finally:
                heartbeat.cancel()
                await asyncio.shield(self._finish(progress, state, message, self._planso.request_count - sent_before))

    async def _send_heartbeats(self, progress: RunProgress, sent_before: int) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL)
            instant = self._clock()
            now, until = format_instant(instant), format_instant(instant + LEASE_DURATION)

            def work(tx: Transaction, now: Instant = now, until: Instant = until) -> None:
                leases.renew(tx, LEASE_NAME, holder=self._holder, now=now, until=until)
                counts = progress.counts(self._planso.request_count - sent_before)
                sync_runs.record_progress(tx, progress.run_id, now=now, **counts)

            try:
                await self._database.write(work)
            except ConnectorError as error:
                log.warning("sync_progress_not_stored", run=progress.run_id, error=type(error).__name__)
            except Exception:
                log.exception("sync_progress_not_stored", run=progress.run_id)

    async def _finish(self, progress: RunProgress, state: RunState, message: str, requests: int) -> None:
        now = format_instant(self._clock())
        doubts = progress.summarize_doubts()

        def work(tx: Transaction) -> None:
            _append_drift(tx, doubts, now)
            sync_runs.finish(
                tx,
                progress.run_id,
                state=state,
                now=now,
                message=message,
                failed=[asdict(failure) for failure in progress.failures],
                doubts=doubts,
                **progress.counts(requests),
            )
            if state is RunState.DONE:
                _delete_pages_read_since(tx, progress)
            leases.release(tx, LEASE_NAME, holder=self._holder)

        try:
            await self._database.write(work)
        except ConnectorError as error:
            log.exception("sync_end_not_stored", run=progress.run_id, error=type(error).__name__)
        if state is RunState.DONE:
            self._last_success = now
        log.info("sync_ended", run=progress.run_id, state=state, done=progress.done, requests=requests)

    def _expected_end(self, running: StoredRun | None) -> str | None:
        if running is None or not running.done:
            return None
        now = self._clock()
        passed = (now - parse_instant(running.started_at)).total_seconds()
        return format_instant(now + timedelta(seconds=passed / running.done * (running.total - running.done)))


async def is_mirror_empty(database: Database) -> bool:
    """Whether a workshop's mirror holds no order yet, or no run was ever successful. Raises StoreUnavailable."""
    return await database.read(lambda tx: not orders.has_any(tx) or sync_runs.get_last_success(tx) is None)


def _append_drift(tx: Transaction, doubts: Sequence[Mapping[str, object]], now: Instant) -> None:
    """Append to the change feed what no recent run doubted yet."""
    if not doubts:
        return
    known = {_doubted(doubt) for run in sync_runs.list_latest(tx) for doubt in run.doubts}
    new = [doubt for doubt in doubts if _doubted(doubt) not in known]
    if new:
        change_feed.append(tx, EventType.SYNC_DRIFTED, at=now, details={"after": {"doubts": new}})


def _doubted(doubt: object) -> tuple[object, ...]:
    assert isinstance(doubt, Mapping), "runs hold doubts as RunProgress summarizes them"
    return doubt["page"], doubt["kind"], doubt["what"]


def _delete_pages_read_since(tx: Transaction, progress: RunProgress) -> None:
    """Delete the unreadable pages that this run could read."""
    failed = {failure.order_id for failure in progress.failures}
    pages = unreadable_pages.list_all(tx)
    read = [page.id for page in pages if page.kept_at < progress.started_at and page.order_id not in failed]
    unreadable_pages.delete_pages(tx, read)


def _summarize(progress: RunProgress) -> str:
    sentences = []
    if progress.failed:
        sentences.append(
            f"{progress.failed} of {progress.total} orders could not be read; their rows stay as they were."
        )
    if any(failure.kind == "empty_form" for failure in progress.failures):
        sentences.append(
            "Orders of kind empty_form lost nearly all their values at once. If somebody emptied them, accept it: "
            "planso-connector sync --full --accept-removals."
        )
    if progress.empty_orders:
        named = join_names([*map(str, sorted(progress.empty_orders))], _EMPTY_NAMED)
        sentences.append(f"Orders that hold nothing in PlanSo were not taken over: {named}.")
    if progress.has_too_many_empty:
        sentences.append("So many empty orders are not believed; the run counts as failed.")
    all_doubts = progress.summarize_doubts()
    doubts = [doubt for doubt in all_doubts if doubt["kind"] not in _WITHOUT_VALUE]
    if doubts:
        first = doubts[0]
        sentences.append(
            f"PlanSo's pages seem to have moved in {len(doubts)} {'thing' if len(doubts) == 1 else 'things'}, such as "
            f"'{first['what']}' ({first['kind']}, in {first['orders']} orders): the last good values stay. "
            "If PlanSo is right, accept them: planso-connector sync --full --accept-removals."
        )
    for kind, why in _WITHOUT_VALUE.items():
        found = [f"{doubt['what']} (in {doubt['orders']} orders)" for doubt in all_doubts if doubt["kind"] == kind]
        if found:
            named = join_names(found, _DOUBTS_NAMED)
            sentences.append(f"What the form shows there {why}, so these have no value: {named}.")
    return " ".join(sentences)
