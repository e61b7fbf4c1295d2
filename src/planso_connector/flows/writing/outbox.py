"""
The outbox of one workshop: claim due operations, push them, renew their claims, wake waiting callers. Each claim,
renewal and release is one transaction; any number of processes may share the database. `workers.outbox_worker` says
when.
"""

import asyncio
import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import Context, copy_context
from datetime import datetime, timedelta
from functools import partial

import structlog

from planso_connector.domain.clock import Clock, ClockJumps, format_instant
from planso_connector.domain.errors import ConnectorError, NotFound
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.syncing.pacing import Pacer
from planso_connector.flows.writing.claim import LEASE_DURATION, Claim, ClaimLost
from planso_connector.flows.writing.push import Pusher
from planso_connector.flows.writing.wait_estimator import WaitEstimator
from planso_connector.store import leases, operations, write_stops
from planso_connector.store.engine.database import Database, ReadLater, Transaction

log = structlog.get_logger(__name__)

RENEW_INTERVAL = 3.0
"""Seconds between two renewals of the claims."""

LOAD_INTERVAL = 1.0
"""Seconds after which a waiting caller's operation is loaded again: another process may have changed it."""

MAX_ORIGINS = 1000
"""How many operations keep the context of the request that recorded them; the log line `operation_recorded` has all."""

OUTBOX_GRACE = 10.0
"""Seconds that the shutdown waits for operations in progress."""


class Outbox:
    """
    `landing_time`: how long after it was sent a request may still take effect in PlanSo. `wait_limit`: how many callers
    may wait at once. `max_pushes`: how many operations are pushed at once. Each attempt waits for `pacer`, and is made
    within `tracing`. Without `can_send`, operations that may have been sent before are looked for, and none is sent.
    `on_wake` is called when operations may be due: `claim_due` is to be called then. `on_tried` gets the id of each
    operation of another process after an attempt.
    """

    def __init__(
        self,
        database: Database,
        pusher: Pusher,
        landing_time: timedelta,
        clock: Clock,
        *,
        wait_limit: WaitLimit,
        max_pushes: int,
        pacer: Pacer,
        on_wake: Callable[[], None] = lambda: None,
        on_tried: Callable[[str], None] = lambda _: None,
        tracing: Callable[[Operation], AbstractContextManager[object]] = nullcontext,
        can_send: bool = True,
    ) -> None:
        self._database = database
        self._pusher = pusher
        self._landing_time = landing_time
        self._clock = clock
        self._jumps = ClockJumps(clock, lambda by: log.warning("clock_jumped", seconds=round(by.total_seconds())))
        self._tracing = tracing
        self._can_send = can_send
        self._process = leases.generate_holder()
        self._claim_numbers = itertools.count(1)
        self._last_holder = self._process
        self._pushes: dict[Claim, asyncio.Task[None]] = {}
        self._claiming: asyncio.Task[list[Operation]] | None = None
        self._on_wake = on_wake
        self._on_tried = on_tried
        self._waiting: dict[str, list[asyncio.Event]] = {}
        self._wait_limit = wait_limit
        self._wait_estimator = WaitEstimator()
        self._max_pushes = max_pushes
        self._pacer = pacer
        self._drained_by = math.inf
        self._origins: dict[str, Context] = {}

    def wake(self) -> None:
        """Operations may be due: have them claimed now rather than at the next poll."""
        self._on_wake()

    def notify_recorded(self, operation_id: str) -> None:
        """An operation was recorded: attempt it soon, in the trace context of this request."""
        log.info("operation_recorded", operation=operation_id)
        self._wait_estimator.add(operation_id, asyncio.get_running_loop().time())
        self._origins[operation_id] = copy_context()
        if len(self._origins) > MAX_ORIGINS:
            del self._origins[next(iter(self._origins))]
        self.wake()

    def notify_cancelled(self, operation_id: str) -> None:
        """An operation was cancelled: wake its callers, and claim what waited for it."""
        self._wait_estimator.discard(operation_id)
        self.notify_changed(operation_id)
        self.wake()

    def notify_changed(self, operation_id: str) -> None:
        """Wake every caller that waits for this operation."""
        for event in self._waiting.get(operation_id, ()):
            event.set()

    @property
    def is_busy(self) -> bool:
        """Whether operations are in progress, or callers wait."""
        return bool(self._pushes or self._waiting or self._claiming is not None)

    async def wait_until_settled(
        self, operation: Operation, seconds: float, *, give_up: Callable[[Operation], bool]
    ) -> Operation:
        """
        The operation once it is settled, the time is up or `give_up` is true of it; at once where the wait limit is
        reached, or so many writes are before it that its first attempt would come too late. It is loaded when this
        process changed it, and every second, because another process may have.
        """
        delay = self._wait_estimator.estimate(operation.id, slots=self._max_pushes)
        if self._wait_limit.is_full or delay > seconds:
            return operation
        with self._wait_limit.acquire():
            latest = await self._wait(operation, seconds, give_up)
        if latest.state is not OperationState.PENDING:
            self._wait_estimator.discard(latest.id)
        return latest

    async def _wait(self, operation: Operation, seconds: float, give_up: Callable[[Operation], bool]) -> Operation:
        changed = asyncio.Event()
        self._waiting.setdefault(operation.id, []).append(changed)
        until = asyncio.get_running_loop().time() + seconds
        try:
            while operation.state is OperationState.PENDING and not give_up(operation):
                if self._is_left_to_others(operation.id):
                    return await self.load(operation.id)
                left = min(until, self._drained_by) - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, LOAD_INTERVAL)):
                        await changed.wait()
                changed.clear()
                operation = await self.load(operation.id)
            return operation
        finally:
            self._waiting[operation.id].remove(changed)
            if not self._waiting[operation.id]:
                del self._waiting[operation.id]

    async def load(self, operation_id: str) -> Operation:
        """The operation as stored, with the message of a stop that holds it back. Raises NotFound."""

        def work(tx: Transaction) -> Operation | None:
            operation = operations.get(tx, operation_id)
            return operation and write_stops.add_stop_message(tx, operation)

        operation = await self._database.read_briefly(work)
        if operation is None:
            raise NotFound(f"There is no operation {operation_id}.")
        return operation

    def drain(self, seconds: float) -> None:
        """Begin no more attempts; those in progress have so many seconds. Callers of others get their answers now."""
        self._drained_by = asyncio.get_running_loop().time() + seconds
        for operation_id in self._waiting:
            self.notify_changed(operation_id)

    def _is_left_to_others(self, operation_id: str) -> bool:
        is_draining = self._drained_by < math.inf
        return is_draining and all(claim.operation.id != operation_id for claim in self._pushes)

    async def claim_due(self) -> None:
        """Claim due operations and push them. Not to be called again before it returned."""
        self._jumps.check()
        if len(self._pushes) >= self._max_pushes or self._drained_by < math.inf:
            return
        now = self._clock()
        if not self._may_claim(now):
            return
        expires_at = now + LEASE_DURATION
        # A holder for each claim: an attempt that outlived its lease must not settle what was claimed again.
        holder = self._last_holder = f"{self._process} {next(self._claim_numbers)}"
        free = self._max_pushes - len(self._pushes)
        times = {"now": format_instant(now), "until": format_instant(expires_at)}
        claiming = self._claiming = asyncio.create_task(
            self._database.write(
                lambda tx: operations.claim(tx, holder=holder, at_most=free, can_send=self._can_send, **times)
            )
        )
        claimed: list[Operation] = []
        with _logging_errors("outbox_not_claimed"):
            claimed = await asyncio.shield(claiming)  # cancelled, it may be committed all the same: see `close`
        self._claiming = None
        for operation in claimed:
            claim = Claim(
                self._database,
                operation,
                holder=holder,
                expires_at=expires_at,
                landing_time=self._landing_time,
                clock=self._clock,
                jumps=self._jumps,
                can_send=self._can_send,
            )
            origin = self._origins.get(operation.id)
            context = origin.copy() if origin is not None else None
            self._pushes[claim] = asyncio.create_task(self._push(claim), name=operation.id, context=context)

    def _may_claim(self, now: datetime) -> bool:
        """False if a quick look shows that nothing is due, as after most attempts: a commit costs more."""
        work = partial(operations.find_claimable, now=format_instant(now), at_most=1, can_send=self._can_send)
        try:
            return bool(self._database.read_now(work))
        except (ReadLater, ConnectorError):
            return True

    async def _push(self, claim: Claim) -> None:
        operation_id = claim.operation.id
        structlog.contextvars.bind_contextvars(operation=operation_id)
        try:
            with _logging_errors("operation_stays_claimed"), self._tracing(claim.operation):
                await self._pacer.wait_turn()
                await self._pusher.attempt(claim)
        except ClaimLost:
            log.warning("operation_lost", operation=operation_id)
        except Exception:
            log.exception("push_failed", operation=operation_id)
            with _logging_errors("operation_stays_claimed"):
                await self._pusher.handle_fault(claim)
        finally:
            self._pushes.pop(claim, None)
            self._wait_estimator.record_attempt(operation_id, asyncio.get_running_loop().time())
            self.notify_changed(operation_id)
            if operation_id not in self._origins:
                self._on_tried(operation_id)
            self.wake()

    async def renew_claims(self) -> None:
        now = self._clock()
        expires_at = now + LEASE_DURATION
        times = {"now": format_instant(now), "until": format_instant(expires_at)}
        claims = sorted(self._pushes, key=lambda claim: claim.operation.id)
        if not claims:
            return

        def work(tx: Transaction) -> list[Claim]:
            return [
                claim for claim in claims if operations.renew(tx, [claim.operation.id], holder=claim.holder, **times)
            ]

        with _logging_errors("claims_not_renewed"):
            for claim in await self._database.write(work):
                claim.expires_at = expires_at

    async def close(self) -> None:
        """Wait for the pushes in progress; what is not settled within OUTBOX_GRACE is released to the next process."""
        if self._claiming is not None:
            await asyncio.gather(self._claiming, return_exceptions=True)
        holders = {self._last_holder, *(claim.holder for claim in self._pushes)}
        unfinished = set(self._pushes.values())
        until = min(self._drained_by, asyncio.get_running_loop().time() + OUTBOX_GRACE)
        while unfinished and (left := until - asyncio.get_running_loop().time()) > 0:
            _, unfinished = await asyncio.wait(unfinished, timeout=min(left, RENEW_INTERVAL))
            await self.renew_claims()
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)
        with _logging_errors("claims_not_released"):
            await self._database.write(lambda tx: [operations.release(tx, holder=holder) for holder in sorted(holders)])


@contextmanager
def _logging_errors(event: str) -> Iterator[None]:
    """Log a ConnectorError under this event, and go on: the operations stay in the outbox."""
    try:
        yield
    except ConnectorError as error:
        log.warning(event, error=type(error).__name__)
