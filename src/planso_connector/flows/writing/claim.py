"""Claim: one process's hold on one operation while it carries it out. Each step is a transaction of its own."""

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
"""How long a claim lasts without being renewed; then another process takes a dead one's operations over."""

LEASE_MARGIN = timedelta(seconds=2)
"""Nothing is sent in this last part of a lease: another process's clock may be ahead by so much."""


class ClaimLost(Exception):
    """Another process has the operation now, or it was cancelled: nothing of it must be sent."""


class Postponed(Exception):
    """
    Try again at `not_before`, or after the usual backoff. `order_id` is the number that PlanSo gave to a created order.
    """

    def __init__(self, reason: str, *, not_before: datetime | None = None, order_id: int | None = None) -> None:
        super().__init__(reason)
        self.not_before = not_before
        self.order_id = order_id


class PostponedByStop(Postponed):
    """Writes are stopped, by the setting or because a save did damage; nothing is sent meanwhile."""


class Claim:
    """
    A claimed operation. `expires_at` is moved on by whoever renews the claim. `landing_time` is how long after it was
    sent a request may still take effect. Without `can_send` the operation is only looked for in PlanSo.
    """

    def __init__(
        self,
        database: Database,
        operation: Operation,
        *,
        holder: str,
        expires_at: datetime,
        landing_time: timedelta,
        clock: Clock,
        jumps: ClockJumps,
        can_send: bool = True,
    ) -> None:
        self.operation = operation
        self.holder = holder
        self.expires_at = expires_at
        self.sent_at = operation.sent_at
        self.sent = operation.sent
        self._previous_send = self.sent_at, self.sent
        self._database = database
        self._landing_time = landing_time
        self._clock = clock
        self._jumps = jumps
        self._can_send = can_send

    @property
    def deadline(self) -> Instant | None:
        """When to give up; extended by what the clock jumped ahead since the operation was recorded."""
        deadline, created_at = self.operation.deadline_at, self.operation.created_at
        ahead = self._jumps.jumped_ahead_since(created_at) if created_at is not None else None
        return format_instant(parse_instant(deadline) + ahead) if ahead and deadline is not None else deadline

    @property
    def is_past_deadline(self) -> bool:
        return self.deadline is None or format_instant(self._clock()) >= self.deadline

    def check_sendable(self, looked_at: Instant) -> None:
        """
        Raises Expired past the deadline, AmbiguousCreate where a restored database can't tell whether it was sent, and
        Postponed where an earlier send, not seen in PlanSo by a look that began at `looked_at`, may still take effect:
        sent again, it would undo or double what people did since.
        """
        if self.is_past_deadline:
            raise Expired(self.expiry_message())
        if self.sent_at is None:
            return
        landed_by = self._landed_by()
        if parse_instant(looked_at) < landed_by:
            raise Postponed("What was sent does not show in PlanSo yet.", not_before=min(landed_by, self._next_look()))
        if self.operation.restored_at is not None:
            raise AmbiguousCreate(
                "The database was restored from a backup in which this write was pending. PlanSo does not show it: "
                "it was never sent, or it was and somebody changed it since. It was not sent again."
            )

    def expiry_message(self, reason: str = "") -> str:
        because = f" ({reason.rstrip('.')})" if reason else ""
        if self.sent_at is None:
            return f"Its deadline passed, and nothing was sent to PlanSo{because}."
        sent = "It was sent" if self.operation.restored_at is None else "It may have been sent, before a restore"
        if reason:
            return f"Its deadline passed. {sent}, and whether PlanSo has it could not be read{because}."
        return f"Its deadline passed. {sent}, and PlanSo does not show it."

    async def send(
        self,
        request: Callable[[], Awaitable[T]],
        before: Mapping[str, Value] | None = None,
        sent: Mapping[str, Any] | None = None,
    ) -> T | PlansoUnsure | PlansoRefused:
        """
        Make a request that may change PlanSo, after marking the operation as sent on disk; `before` and `sent` as in
        Operation. Returns the result, or the error after which the request may have been applied: a refusal may too.
        After any other error nothing was applied and the mark is reverted. Raises ClaimLost, PostponedByStop,
        StoreUnavailable, and those errors.
        """
        if not self._can_send:
            raise PostponedByStop("Nothing is sent: CONNECTOR_WRITES is not `on`.")
        await self._mark_sent(before, sent)
        try:
            if self._clock() > self.expires_at - LEASE_MARGIN:
                raise ClaimLost(self.operation.id)
            return await request()
        except (PlansoUnsure, PlansoRefused) as outcome:
            log.info("send_not_confirmed", operation=self.operation.id, why=type(outcome).__name__)
            return outcome
        except (ConnectorError, ClaimLost):
            self.revert_sent_mark()
            raise

    async def _mark_sent(self, before: Mapping[str, Value] | None, sent: Mapping[str, Any] | None) -> None:
        def mark(tx: Transaction) -> bool:
            now = format_instant(self._clock())  # in the transaction, for which it may have waited long
            is_marked = operations.mark_sent(
                tx, self.operation.id, holder=self.holder, now=now, before=before, sent=sent
            )
            stop = None if is_marked else write_stops.find_for_operation(tx, self.operation)
            if stop is not None:
                raise PostponedByStop(stop.message)
            return is_marked

        if not await self._database.write(mark):
            raise ClaimLost(self.operation.id)
        self._previous_send = self.sent_at, self.sent
        self.sent_at, self.sent = format_instant(self._clock()), sent

    def revert_sent_mark(self) -> None:
        """The last send did nothing: the one before it, if any, is the last again."""
        self.sent_at, self.sent = self._previous_send

    @property
    def was_clock_set_back(self) -> bool:
        """Whether the clock was set back since the first send: what was seen since may carry an earlier instant."""
        first = self.operation.first_sent_at
        return bool(first and ((self.sent_at or first) < first or self._is_in_future(first)))

    def _landed_by(self) -> datetime:
        """
        When the last send has taken effect, or never will. A clock's jump ahead is not time that passed. Where the
        clock was set back to before the send, the send counts as just made: how long ago it was is not known.
        """
        assert self.sent_at is not None, "only called after a send"
        if self._is_in_future(self.sent_at):
            self.sent_at = format_instant(self._clock())
        last = self.sent_at
        restored_at = self.operation.restored_at
        if restored_at is not None and not self._is_in_future(restored_at):
            last = max(last, restored_at)  # a process on the database before its restore may have sent until then
        return parse_instant(last) + self._landing_time + self._jumps.jumped_ahead_since(last)

    def _is_in_future(self, instant: Instant) -> bool:
        return parse_instant(instant) > self._clock() + CLOCK_TOLERANCE

    def _next_look(self) -> datetime:
        """Looks are repeated at growing intervals since the send."""
        assert self.sent_at is not None, "only called after a send"
        now = self._clock()
        return now + max((now - parse_instant(self.sent_at)) / 2, timedelta(seconds=0.5))
