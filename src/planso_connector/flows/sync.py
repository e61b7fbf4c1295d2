"""
Sync: bring the mirror in step with PlanSo: the list, then each order's form and parts.

Each order is stored in a transaction of its own as soon as it is read; a run that dies loses nothing of what it had.
A page that can't be read leaves the mirror's row as it was. Orders that left the list are archived only when the whole
list was believable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from enum import StrEnum

import structlog

from planso_connector.domain.clock import Clock, parse_stamp, stamp
from planso_connector.domain.errors import ConnectorError, LoginRejected, MassRemoval, PlansoError
from planso_connector.domain.order import BoardEntry, Order, PartsReading, compose, has_emptied
from planso_connector.planso.client import Planso
from planso_connector.store import orders, runs
from planso_connector.store.engine import Database, Transaction
from planso_connector.store.orders import Outcome
from planso_connector.store.runs import Run, RunState

log = structlog.get_logger(__name__)

FAILURES_IN_A_ROW = 10
"""So many orders failing one after the other end a run: PlanSo is not well, and asking on does not help it."""

REASONS_KEPT = 100
"""Of a run's failures, so many are kept with their reason."""

BELIEVABLE_SHARE = 0.5
"""A list that lacks more than this share of the mirror's current orders is not believed..."""

BELIEVABLE_FROM = 10
"""...when the mirror has at least so many."""


class Phase(StrEnum):
    """What a run is at."""

    LIST = "list"
    """Reading PlanSo's list of current orders."""
    ORDERS = "orders"
    """Reading each order's form and parts."""
    ARCHIVE = "archive"
    """Marking the orders that left the list."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One order that could not be read; holds no customer's data."""

    order_id: int
    page: str
    kind: str


@dataclass(slots=True)
class Progress:
    """A run under way. Counts are orders."""

    run_id: str
    started_at: str
    phase: Phase = Phase.LIST
    done: int = 0
    total: int = 0
    changed: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    in_a_row: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    state: RunState
    message: str
    progress: Progress
    requests: int


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """`state` is idle, running, or failed: the last run did not end well and none is running."""

    state: str
    progress: Progress | None
    expected_end: str | None
    last_run: Run | None
    last_success: Run | None


class Sync:
    """Lives as long as the process; one run at a time, a second request joins the one under way."""

    def __init__(
        self, database: Database, planso: Planso, workshop: str, clock: Clock, *, with_parts: bool, concurrency: int
    ) -> None:
        self._database = database
        self._planso = planso
        self._workshop = workshop
        self._clock = clock
        self._with_parts = with_parts
        self._concurrency = concurrency
        self._task: asyncio.Task[Ended] | None = None
        self._starting = asyncio.Lock()
        self._progress: Progress | None = None

    async def start(self) -> tuple[str, bool]:
        """Begin a run, or join the one under way: its id, and whether it was there already."""
        async with self._starting:
            if (progress := self.progress) is not None:
                return progress.run_id, True
            now = self._now()
            run = await self._database.write(lambda tx: runs.start(tx, self._workshop, now=now, phase=Phase.LIST))
            self._progress = progress = Progress(run.id, started_at=now)
            self._task = asyncio.create_task(self._run(progress), name=f"sync {run.id}")
            return run.id, False

    async def run(self) -> Ended:
        """Begin or join a run and wait for its end. A run never raises; its end says what went wrong."""
        await self.start()
        assert self._task is not None, "start sets it"
        return await asyncio.shield(self._task)

    @property
    def progress(self) -> Progress | None:
        """The run under way, None between runs."""
        return self._progress if self._task is not None and not self._task.done() else None

    async def status(self) -> SyncStatus:
        def work(tx: Transaction) -> tuple[Run | None, Run | None]:
            return runs.last(tx, self._workshop), runs.last_success(tx, self._workshop)

        last, success = await self._database.read(work)
        progress = self.progress
        if progress is not None:
            state = "running"
        else:
            state = "failed" if last is not None and last.state is RunState.FAILED else "idle"
        return SyncStatus(state, progress, self._expected_end(progress), last, success)

    async def is_empty(self) -> bool:
        """Whether the mirror holds no order yet."""
        return await self._database.read(lambda tx: orders.count(tx, self._workshop)) == 0

    async def abandon_dead_runs(self) -> None:
        """End, as interrupted, the runs that an earlier process left running."""
        await self._database.write(lambda tx: runs.abandon(tx, self._workshop, now=self._now()))

    async def close(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self, progress: Progress) -> Ended:
        sent_before = self._planso.requests
        state, message = RunState.FAILED, ""
        log.info("sync_started", run=progress.run_id)
        try:
            await self._read_all(progress)
            state = RunState.FAILED if progress.failed else RunState.DONE
            message = "" if not progress.failed else f"{progress.failed} of {progress.total} orders could not be read."
        except ConnectorError as error:
            message = str(error)
            log.warning("sync_failed", run=progress.run_id, error=type(error).__name__)
        except asyncio.CancelledError:
            state, message = RunState.INTERRUPTED, "The connector was stopped."
            raise
        except Exception as error:
            message = f"A fault in the connector: {type(error).__name__}. The log has its place."
            log.exception("sync_failed", run=progress.run_id)
        finally:
            requests = self._planso.requests - sent_before
            await asyncio.shield(self._finish(progress, state, message, requests))
        return Ended(state, message, progress, requests)

    async def _finish(self, progress: Progress, state: RunState, message: str, requests: int) -> None:
        def work(tx: Transaction) -> None:
            runs.finish(
                tx,
                self._workshop,
                progress.run_id,
                state=state,
                now=self._now(),
                message=message,
                failed=[asdict(failure) for failure in progress.failures],
                done=progress.done,
                total=progress.total,
                requests=requests,
                changed=progress.changed,
            )

        try:
            await self._database.write(work)
        except ConnectorError as error:
            log.exception("sync_end_not_stored", run=progress.run_id, error=type(error).__name__)
        log.info("sync_ended", run=progress.run_id, state=state, done=progress.done, requests=requests)

    async def _read_all(self, progress: Progress) -> None:
        list_read_at = self._now()
        board = await self._planso.board()
        known = await self._database.read(lambda tx: orders.ids(tx, self._workshop, archived=False))
        vanished = known - {entry.order_id for entry in board}
        _believe(len(known), len(vanished), len(board))
        progress.total = len(board)
        progress.phase = Phase.ORDERS
        waiting = iter(board)
        async with asyncio.TaskGroup() as group:
            readers = [
                group.create_task(self._read_orders(waiting, progress))
                for _ in range(min(self._concurrency, len(board)))
            ]
        for reader in readers:
            if (error := reader.result()) is not None:
                raise error
        progress.phase = Phase.ARCHIVE
        if vanished:
            now = self._now()
            await self._database.write(
                lambda tx: orders.archive(tx, self._workshop, vanished, now=now, read_at=list_read_at)
            )
            progress.changed += len(vanished)

    async def _read_orders(self, waiting: Iterator[BoardEntry], progress: Progress) -> ConnectorError | None:
        """Returns, not raises, what must end the run, so that the other readers finish their order first."""
        for entry in waiting:
            if progress.in_a_row >= FAILURES_IN_A_ROW:
                return PlansoError(f"{FAILURES_IN_A_ROW} orders in a row could not be read; the run was ended.")
            page = "form"
            try:
                read_at = self._now()
                form = (await self._planso.read_form(entry.order_id)).reading()
                if has_emptied(await self._known(entry.order_id), form):
                    self._failed(progress, Failure(entry.order_id, page, "empty_form"))
                    continue
                page = "parts"
                parts = await self._planso.parts(entry.order_id) if self._with_parts else None
                await self._store(compose(entry, entry.order_id, form, parts), parts, read_at, progress)
            except LoginRejected as error:
                return error
            except PlansoError as error:
                self._failed(progress, Failure(entry.order_id, page, type(error).__name__))
        return None

    async def _store(self, order: Order, parts: PartsReading | None, read_at: str, progress: Progress) -> None:
        now = self._now()
        saved = await self._database.write(
            lambda tx: orders.save(tx, self._workshop, order, read_at=read_at, now=now, with_parts=parts is not None)
        )
        progress.changed += saved.outcome in (Outcome.INSERTED, Outcome.CHANGED)
        progress.in_a_row = 0
        progress.done += 1

    async def _known(self, order_id: int) -> Order | None:
        return await self._database.read(lambda tx: orders.load(tx, self._workshop, order_id))

    @staticmethod
    def _failed(progress: Progress, failure: Failure) -> None:
        progress.failed += 1
        progress.in_a_row += 1
        progress.done += 1
        if len(progress.failures) < REASONS_KEPT:
            progress.failures.append(failure)

    def _expected_end(self, progress: Progress | None) -> str | None:
        if progress is None or not progress.done:
            return None
        now = self._clock()
        passed = (now - parse_stamp(progress.started_at)).total_seconds()
        return stamp(now + timedelta(seconds=passed / progress.done * (progress.total - progress.done)))

    def _now(self) -> str:
        return stamp(self._clock())


def _believe(known: int, vanished: int, listed: int) -> None:
    """Raises MassRemoval for a list that lacks more than a workshop archives between two looks."""
    if known >= BELIEVABLE_FROM and (listed == 0 or vanished > known * BELIEVABLE_SHARE):
        raise MassRemoval(
            f"PlanSo's list lacks {vanished} of the {known} orders known here; nothing was archived. "
            "If that is right, a person has to say so."
        )
