"""
Outbox: claim what is due, have it pushed, keep the claims alive, wake who waits. Each claim, renewal and release is one
transaction. Lives as long as the process; any number of processes may share the database.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import Context, copy_context
from datetime import timedelta

import structlog

from planso_connector.domain.clock import Clock, ClockJumps, format_instant
from planso_connector.domain.errors import ConnectorError, NotFound
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.syncing.pacing import Pacer
from planso_connector.flows.writing.claim import LEASE_DURATION, Claim, ClaimLost
from planso_connector.flows.writing.push import Pusher
from planso_connector.flows.writing.wait_estimator import WaitEstimator
from planso_connector.store import leases, operations, write_stops
from planso_connector.store.engine.database import Database, Transaction

log = structlog.get_logger(__name__)

RENEW_INTERVAL = 3.0
"""Seconds between two renewals of the claims."""

POLL_INTERVAL = 1.0
"""Seconds between two looks for what is due: put back, recorded by another process, or left by a dead one."""

STUCK_AFTER = 10.0
"""Seconds that a turn of its loops takes at most, beside what the database may take."""

MAX_ORIGINS = 1000
"""Of so many operations it is known which request asked for them; the log's line `operation_recorded` tells of all."""

OUTBOX_GRACE = 10.0
"""Seconds that the end of the process waits for operations under way."""


class Outbox:
    """
    `landing`: how long after it was sent a request may still take effect in PlanSo. `admission`: how many requests may
    wait for their operations at once. `at_once`: so many operations are under way. `way`: whom an attempt gives way to
    before it begins. Each is made within `tracing`. Without `sends`, PlanSo is only searched for what was sent before.
    """

    def __init__(
        self,
        database: Database,
        pusher: Pusher,
        landing: timedelta,
        clock: Clock,
        *,
        admission: WaitLimit,
        at_once: int,
        way: Pacer,
        tracing: Callable[[Operation], AbstractContextManager[object]] = nullcontext,
        sends: bool = True,
    ) -> None:
        self._database = database
        self._pusher = pusher
        self._landing = landing
        self._clock = clock
        self._jumps = ClockJumps(clock, lambda by: log.warning("clock_jumped", seconds=round(by.total_seconds())))
        self._tracing = tracing
        self._sends = sends
        self._process = leases.generate_holder()
        self._claims = itertools.count(1)
        self._holder = self._process
        self._under_way: dict[Claim, asyncio.Task[None]] = {}
        self._claiming: asyncio.Task[list[Operation]] | None = None
        self._woken = asyncio.Event()
        self._moved: dict[str, list[asyncio.Event]] = {}
        self._admission = admission
        self._queue = WaitEstimator()
        self._at_once = at_once
        self._way = way
        self._drained_by = math.inf
        self._origins: dict[str, Context] = {}

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    def recorded(self, operation_id: str) -> None:
        """Its push belongs to the trace of the request that asked for it, as long as this process lives."""
        log.info("operation_recorded", operation=operation_id)
        self._queue.add(operation_id, asyncio.get_running_loop().time())
        self._origins[operation_id] = copy_context()
        if len(self._origins) > MAX_ORIGINS:
            del self._origins[next(iter(self._origins))]
        self.wake()

    async def run_claim_loop(self, beat: Heartbeat = no_heartbeat) -> None:
        """Until it is cancelled. What is under way then is `close`'s."""
        # At the first look, what a dead process left is not due yet: its claims have to run out.
        while True:
            beat(STUCK_AFTER + self._database.max_wait)
            try:
                await self._look()
            except Exception:
                log.exception("outbox_fault")
                await asyncio.sleep(POLL_INTERVAL)

    async def run_renewal_loop(self, beat: Heartbeat = no_heartbeat) -> None:
        """Until it is cancelled."""
        while True:
            beat(STUCK_AFTER + self._database.max_wait)
            await asyncio.sleep(RENEW_INTERVAL)
            try:
                await self._renew()
            except Exception:
                log.exception("outbox_fault")

    async def wait(self, operation: Operation, seconds: float, *, give_up: Callable[[Operation], bool]) -> Operation:
        """
        The operation when it is settled, or when the time is up, or when `give_up` says so of what it became: it is
        looked at when this process moves it, and every second, because another process may. At once where as many wait
        as may, or where so many are before it that its turn comes later.
        """
        turn_in = self._queue.seconds_until(operation.id, beside=self._at_once)
        if self._admission.is_full or turn_in > seconds:
            return operation
        with self._admission.acquire():
            found = await self._settled(operation, seconds, give_up)
        if found.state is not OperationState.PENDING:
            self._queue.discard(found.id)
        return found

    async def _settled(self, operation: Operation, seconds: float, give_up: Callable[[Operation], bool]) -> Operation:
        moved = asyncio.Event()
        self._moved.setdefault(operation.id, []).append(moved)
        until = asyncio.get_running_loop().time() + seconds
        try:
            while operation.state is OperationState.PENDING and not give_up(operation):
                if self._is_left_to_others(operation.id):
                    return await self._now(operation.id)
                left = min(until, self._drained_by) - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, POLL_INTERVAL)):
                        await moved.wait()
                moved.clear()
                operation = await self._now(operation.id)
            return operation
        finally:
            waiting = self._moved[operation.id]
            waiting.remove(moved)
            if not waiting:
                del self._moved[operation.id]

    def drain(self, seconds: float) -> None:
        """
        Nothing is begun any more; what is under way has so many seconds. Who waits for something that is not is told
        how it stands.
        """
        self._drained_by = asyncio.get_running_loop().time() + seconds
        for operation_id in self._moved:
            self.moved(operation_id)

    def _is_left_to_others(self, operation_id: str) -> bool:
        under_way = {claim.operation.id for claim in self._under_way}
        return self._drained_by < math.inf and operation_id not in under_way

    async def _now(self, operation_id: str) -> Operation:
        def work(tx: Transaction) -> Operation | None:
            found = operations.get(tx, operation_id)
            return found and write_stops.add_stop_message(tx, found)

        found = await self._database.read(work)
        if found is None:
            raise NotFound(f"There is no operation {operation_id} any more.")
        return found

    def moved(self, operation_id: str) -> None:
        """The operation is otherwise than before."""
        for event in self._moved.get(operation_id, ()):
            event.set()

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(POLL_INTERVAL):
                await self._woken.wait()
            is_any_due = True
        except TimeoutError:
            is_any_due = await self._is_any_due()
        self._woken.clear()
        self._jumps.check()
        if is_any_due and len(self._under_way) < self._at_once and self._drained_by == math.inf:
            await self._claim()

    async def _is_any_due(self) -> bool:
        now = format_instant(self._clock())
        try:
            return await self._database.read(lambda tx: operations.is_any_due(tx, now=now, sends=self._sends))
        except ConnectorError as error:
            log.warning("outbox_unread", error=type(error).__name__)
            return False

    async def _claim(self) -> None:
        now = self._clock()
        until = now + LEASE_DURATION
        # Of its own: an attempt that outlived its lease must not end what this process claimed anew.
        holder = self._holder = f"{self._process} {next(self._claims)}"
        room = self._at_once - len(self._under_way)
        claiming = self._claiming = asyncio.create_task(
            self._database.write(
                lambda tx: operations.claim(
                    tx,
                    holder=holder,
                    now=format_instant(now),
                    until=format_instant(until),
                    at_most=room,
                    sends=self._sends,
                )
            )
        )
        try:
            claimed = await asyncio.shield(claiming)  # cancelled, it may be committed all the same: see `close`
        except ConnectorError as error:
            log.warning("outbox_not_claimed", error=type(error).__name__)
            return
        for operation in claimed:
            claim = Claim(
                self._database,
                operation,
                holder=holder,
                until=until,
                landing=self._landing,
                clock=self._clock,
                jumps=self._jumps,
                sends=self._sends,
            )
            origin = self._origins.get(operation.id)
            context = origin.copy() if origin is not None else None
            self._under_way[claim] = asyncio.create_task(self._attempt(claim), name=operation.id, context=context)

    async def _attempt(self, claim: Claim) -> None:
        operation_id = claim.operation.id
        structlog.contextvars.bind_contextvars(operation=operation_id)
        try:
            with self._tracing(claim.operation):
                await self._way.wait_turn()
                await self._pusher.attempt(claim)
        except ClaimLost:
            log.warning("operation_lost", operation=operation_id)
        except ConnectorError as error:
            log.warning("operation_stays_claimed", operation=operation_id, error=type(error).__name__)
        except Exception:
            log.exception("push_failed", operation=operation_id)
            await self._fault(claim)
        finally:
            self._under_way.pop(claim, None)
            self._queue.tried(operation_id, asyncio.get_running_loop().time())
            self.moved(operation_id)
            self.wake()

    async def _fault(self, claim: Claim) -> None:
        try:
            await self._pusher.fault(claim)
        except ConnectorError as error:
            log.warning("operation_stays_claimed", operation=claim.operation.id, error=type(error).__name__)

    async def _renew(self) -> None:
        now = self._clock()
        until = now + LEASE_DURATION
        claims = sorted(self._under_way, key=lambda claim: claim.operation.id)
        if not claims:
            return

        def work(tx: Transaction) -> list[Claim]:
            told = {"now": format_instant(now), "until": format_instant(until)}
            return [
                claim for claim in claims if operations.renew(tx, [claim.operation.id], holder=claim.holder, **told)
            ]

        try:
            kept = await self._database.write(work)
        except ConnectorError as error:
            log.warning("claims_not_renewed", error=type(error).__name__)
            return
        for claim in kept:
            claim.until = until

    async def close(self) -> None:
        """What is not settled within the grace is given back, for the next process to go on with."""
        if self._claiming is not None:
            await asyncio.gather(self._claiming, return_exceptions=True)
        holders = {self._holder, *(claim.holder for claim in self._under_way)}
        late = set(self._under_way.values())
        until = min(self._drained_by, asyncio.get_running_loop().time() + OUTBOX_GRACE)
        while late and (left := until - asyncio.get_running_loop().time()) > 0:
            _, late = await asyncio.wait(late, timeout=min(left, RENEW_INTERVAL))
            await self._renew()
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        try:
            await self._database.write(lambda tx: [operations.release(tx, holder=one) for one in sorted(holders)])
        except ConnectorError as error:
            log.warning("claims_not_released", error=type(error).__name__)
