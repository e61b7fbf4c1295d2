"""Claim: one process's hold on one operation. Each of its steps is a transaction of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog

from planso_connector.domain.clock import CLOCK_TOLERANCE, Clock, ClockJumps, Instant, format_instant, parse_instant
from planso_connector.domain.errors import AmbiguousCreate, ConnectorError, Expired, PlansoRefused, PlansoUnsure
from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Operation
from planso_connector.store import operations, write_stops
from planso_connector.store.engine.database import Database, Transaction

T = TypeVar("T")
log = structlog.get_logger(__name__)

LEASE_DURATION = timedelta(seconds=10)
"""How long a claim stands without being renewed: after so long a dead process's operations are taken over."""

LEASE_MARGIN = timedelta(seconds=2)
"""Nothing is sent in the last part of a lease, by which another process's clock may be ahead."""


class ClaimLost(Exception):
    """The operation is not this process's any more, or was called off: nothing of it must be sent."""


class Postponed(Exception):
    """
    Not yet: to be tried again at `not_before`, or after the usual pause. `order_id` is the number that PlanSo gave to a
    created order.
    """

    def __init__(self, reason: str, *, not_before: datetime | None = None, order_id: int | None = None) -> None:
        super().__init__(reason)
        self.not_before = not_before
        self.order_id = order_id


class PostponedByStop(Postponed):
    """Writes are stopped, by a person's setting or because a save did damage: nothing of it is sent meanwhile."""


class Claim:
    """
    `until` is moved on by who renews it. `landing` is how long after it was sent a request may still take effect.
    Where this process never `sends`, the operation is only looked for.
    """

    def __init__(
        self,
        database: Database,
        operation: Operation,
        *,
        holder: str,
        until: datetime,
        landing: timedelta,
        clock: Clock,
        jumps: ClockJumps,
        sends: bool = True,
    ) -> None:
        self.operation = operation
        self.holder = holder
        self.until = until
        self.sent_at = operation.sent_at
        self.sent = operation.sent
        self._earlier = self.sent_at, self.sent
        self._database = database
        self._landing = landing
        self._clock = clock
        self._jumps = jumps
        self._sends = sends

    @property
    def deadline(self) -> Instant | None:
        """Until when it is tried, a stamp: later than was said by what the clock jumped ahead since it was recorded."""
        deadline, created_at = self.operation.deadline_at, self.operation.created_at
        ahead = self._jumps.jumped_ahead_since(created_at) if created_at is not None else None
        return format_instant(parse_instant(deadline) + ahead) if ahead and deadline is not None else deadline

    @property
    def is_late(self) -> bool:
        return self.deadline is None or format_instant(self._clock()) >= self.deadline

    def check_sendable(self, looked_at: str) -> None:
        """
        Raises Expired when the deadline passed, and Later where something that was sent before, and was not seen in
        PlanSo by a look that began at `looked_at`, may take effect after that: sent again, it would undo or double
        what came since. Raises Ambiguous where a restored database can't tell what became of it.
        """
        if self.is_late:
            raise Expired(self.late_words())
        if self.sent_at is not None:
            landed_by = self._landed_by()
            if parse_instant(looked_at) < landed_by:
                raise Postponed("What was sent does not show in PlanSo yet.", not_before=min(landed_by, self._soon()))
            if self.operation.restored_at is not None:
                raise AmbiguousCreate(
                    "The database was restored from a backup in which this write was pending. PlanSo does not show it: "
                    "it was never sent, or it was and somebody changed it since. It was not sent again."
                )

    def late_words(self, reason: str = "") -> str:
        because = f" ({reason.rstrip('.')})" if reason else ""
        if self.sent_at is None:
            return f"Its deadline passed, and nothing was sent to PlanSo{because}."
        sent = "It was sent" if self.operation.restored_at is None else "It may have been sent, before a restore"
        if reason:
            return f"Its deadline passed. {sent}, and whether PlanSo has it could not be read{because}."
        return f"Its deadline passed. {sent}, and PlanSo does not show it."

    def check_held(self) -> None:
        """Raises Lost. Right before anything is sent."""
        if self._clock() > self.until - LEASE_MARGIN:
            raise ClaimLost(self.operation.id)

    async def send(
        self,
        request: Callable[[], Awaitable[T]],
        before: Mapping[str, Value] | None = None,
        sent: Mapping[str, Any] | None = None,
    ) -> T | PlansoUnsure | PlansoRefused:
        """
        Make a request that may change PlanSo, marked on disk before it begins; `before` and `sent` as in Operation.
        What it returns, or the error that leaves open what PlanSo did: a refusal does too. Any other error says that
        nothing was done, and takes the mark back when the operation is put back. Raises Lost, Stopped,
        StoreUnavailable, and that error.
        """
        if not self._sends:
            raise PostponedByStop("Nothing is sent: CONNECTOR_WRITES is not `on`.")
        await self._mark_sent(before, sent)
        try:
            self.check_held()
            return await request()
        except (PlansoUnsure, PlansoRefused) as outcome:
            log.info("send_not_confirmed", operation=self.operation.id, why=type(outcome).__name__)
            return outcome
        except (ConnectorError, ClaimLost):
            self.take_back_mark()
            raise

    async def _mark_sent(self, before: Mapping[str, Value] | None, sent: Mapping[str, Any] | None) -> None:
        def mark(tx: Transaction) -> bool:
            # By the clock as it is when its turn with the database has come, for which it may have waited long.
            now = format_instant(self._clock())
            is_marked = operations.mark_sent(
                tx, self.operation.id, holder=self.holder, now=now, before=before, sent=sent
            )
            stop = None if is_marked else write_stops.find_for_operation(tx, self.operation)
            if stop is not None:
                raise PostponedByStop(stop.message)
            return is_marked

        if not await self._database.write(mark):
            raise ClaimLost(self.operation.id)
        self._earlier = self.sent_at, self.sent
        self.sent_at, self.sent = format_instant(self._clock()), sent

    def take_back_mark(self) -> None:
        """The last send is known to have done nothing: what is known of the one before counts again."""
        self.sent_at, self.sent = self._earlier

    @property
    def was_set_back(self) -> bool:
        """Whether the clock was set back since it was first sent: what was seen since does not look later then."""
        first = self.operation.first_sent_at
        return bool(first and ((self.sent_at or first) < first or self._is_ahead(first)))

    def _landed_by(self) -> datetime:
        """
        A jump ahead is no time in which it lands. What was sent by a clock that was ahead, and was set back since, was
        sent now: how long ago it was can't be told any more.
        """
        assert self.sent_at is not None, "only what was sent lands"
        if self._is_ahead(self.sent_at):
            self.sent_at = format_instant(self._clock())
        # Whoever worked on the database before it was restored may have sent until then.
        restored_at = self.operation.restored_at or ""
        last = max(self.sent_at, restored_at) if restored_at and not self._is_ahead(restored_at) else self.sent_at
        return parse_instant(last) + self._landing + self._jumps.jumped_ahead_since(last)

    def _is_ahead(self, instant: str) -> bool:
        return parse_instant(instant) > self._clock() + CLOCK_TOLERANCE

    def _soon(self) -> datetime:
        """Looks are repeated at growing distances from the send."""
        assert self.sent_at is not None, "only what was sent lands"
        now = self._clock()
        return now + max((now - parse_instant(self.sent_at)) / 2, timedelta(seconds=0.5))
