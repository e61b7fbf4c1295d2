"""When there is room: one read transaction, in which the orders are read and the days assessed."""

from dataclasses import dataclass, replace
from datetime import datetime

from planso_connector.domain.capacity.assessment import Availability, Question, Reason, assess
from planso_connector.domain.capacity.capacity import Capacity, Trade, WorkingDay, WorkshopCalendar
from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.german_formats import BERLIN
from planso_connector.flows.operating.capacity import parse_stored
from planso_connector.flows.querying.freshness import Freshness
from planso_connector.flows.querying.orders import mirror_not_filled_error
from planso_connector.flows.writing.bookings import to_hold
from planso_connector.store import capacities, planned_orders, slot_holds, sync_runs
from planso_connector.store.engine.database import Database, Transaction

_NOT_SET = Capacity({weekday: WorkingDay(dict.fromkeys(Trade)) for weekday in range(5)})
"""Stands in where the workshop set no capacity, to say what is planned: Monday to Friday, no limits, and no levels."""


@dataclass(frozen=True, slots=True)
class AvailabilityAnswer:
    availability: Availability
    has_capacity: bool
    """False: the workshop set no capacity, and every level is unknown."""
    is_stale: bool


class AvailabilityQueries:
    def __init__(self, database: Database, freshness: Freshness, clock: Clock) -> None:
        self._database = database
        self._freshness = freshness
        self._clock = clock

    def local_now(self) -> datetime:
        """In German time, which the workshop's clock shows."""
        return self._clock().astimezone(BERLIN)

    async def get(self, question: Question, *, call: str | None = None) -> AvailabilityAnswer:
        """
        `call`: whose own hold takes no room. Raises MirrorNotFilled before the first sync: what is planned is not known
        yet.
        """
        is_stale = await self._freshness.is_stale()
        now = self.local_now()
        found, has_capacity = await self._database.read(lambda tx: _read(tx, question, now, call))
        return AvailabilityAnswer(found, has_capacity, is_stale)


def _read(tx: Transaction, question: Question, now: datetime, call: str | None) -> tuple[Availability, bool]:
    stored = capacities.get(tx)
    capacity = _NOT_SET if stored is None else parse_stored(stored)
    orders = planned_orders.list_current(tx)
    if sync_runs.get_last_success(tx) is None:
        raise mirror_not_filled_error()
    holds = [to_hold(hold) for hold in slot_holds.list_valid(tx, format_instant(now)) if hold.call != call]
    found = assess(orders, capacity, WorkshopCalendar(capacity), question, now, holds)
    if stored is None:
        days = (replace(day, level=None, reasons=(Reason.CAPACITY_NOT_SET,)) for day in found.days)
        found = replace(found, days=tuple(days))
    return found, stored is not None
