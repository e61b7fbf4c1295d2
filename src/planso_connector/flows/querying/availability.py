"""When there is room: one read transaction, in which the orders are read and the days assessed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from planso_connector.domain.capacity.assessment import Availability, Question, Reason, assess
from planso_connector.domain.capacity.capacity import HOURS_FIELDS, Capacity, Trade, WorkingDay, WorkshopCalendar
from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.german_formats import BERLIN
from planso_connector.flows.operating.capacity import open_calendar
from planso_connector.flows.querying.freshness import Freshness
from planso_connector.flows.querying.orders import mirror_not_filled_error
from planso_connector.flows.writing.bookings import to_hold
from planso_connector.store import capacities, planned_orders, slot_holds, sync_runs
from planso_connector.store.engine.database import Database, Transaction

_NOT_SET = Capacity({weekday: WorkingDay(dict.fromkeys(Trade)) for weekday in range(5)})
"""Stands in where the workshop set no capacity, to say what is planned: Monday to Friday, no limits, and no levels."""


@dataclass(frozen=True, slots=True)
class AskedFor:
    """For whom availability is asked: what they have already takes no room of what they may get instead."""

    call: str = ""
    """The call whose hold it is, by `bookings.fingerprint_call`."""
    order_id: int | None = None
    """The order, whose estimated hours are then those asked about."""


_NOBODY = AskedFor()


@dataclass(frozen=True, slots=True)
class AvailabilityAnswer:
    availability: Availability
    has_capacity: bool
    """False: the workshop set no capacity, and every level is unknown."""
    is_stale: bool
    hours: Mapping[Trade, float]
    """Those that were asked about, or the order's."""


class AvailabilityQueries:
    def __init__(self, database: Database, freshness: Freshness, clock: Clock) -> None:
        self._database = database
        self._freshness = freshness
        self._clock = clock

    def local_now(self) -> datetime:
        """In German time, which the workshop's clock shows."""
        return self._clock().astimezone(BERLIN)

    async def get(self, question: Question, asked_for: AskedFor = _NOBODY) -> AvailabilityAnswer:
        """Raises MirrorNotFilled before the first sync: what is planned is not known yet."""
        is_stale = await self._freshness.is_stale()
        now = self.local_now()
        return await self._database.read(lambda tx: _read(tx, question, now, asked_for, is_stale=is_stale))


def _read(
    tx: Transaction, question: Question, now: datetime, asked_for: AskedFor, *, is_stale: bool
) -> AvailabilityAnswer:
    stored = capacities.get(tx)
    calendar = WorkshopCalendar(_NOT_SET) if stored is None else open_calendar(stored)
    orders = planned_orders.list_current(tx)
    if sync_runs.get_last_success(tx) is None:
        raise mirror_not_filled_error()
    if asked_for.order_id is not None:
        own = [row for row in orders if row.get("id") == asked_for.order_id]
        orders = [row for row in orders if row.get("id") != asked_for.order_id]
        hours = {trade: float(row.get(name) or 0) for row in own for trade, name in HOURS_FIELDS.items()}
        question = replace(question, hours=hours)
    holds = [hold for hold in slot_holds.list_valid(tx, format_instant(now)) if hold.call != asked_for.call]
    found = assess(orders, calendar.capacity, calendar, question, now, map(to_hold, holds))
    if stored is None:
        days = (replace(day, level=None, reasons=(Reason.CAPACITY_NOT_SET,)) for day in found.days)
        found = replace(found, days=tuple(days))
    return AvailabilityAnswer(found, stored is not None, is_stale, question.hours)
