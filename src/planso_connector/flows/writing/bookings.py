"""
Bookings within the transaction that records a write: is there room, and does it take up a hold?

The transaction holds the lock of each day that it books, so that two writes, or a write and a hold, never get the same
last place. It reads what is planned after that.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from planso_connector.domain.capacity.assessment import (
    REASON_DESCRIPTIONS,
    Availability,
    DayAssessment,
    Hold,
    Level,
    Question,
    Reason,
    assess,
    find_nearest,
)
from planso_connector.domain.capacity.booking import Booking, find_bookings
from planso_connector.domain.capacity.capacity import BOOKED_FIELDS, BookingKind, BookingRules, Trade, WorkshopCalendar
from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import Invalid, NoRoom, NotFound, NotPossible, Problem
from planso_connector.domain.fields import Value
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.operation import Operation
from planso_connector.flows.operating.capacity import open_calendar
from planso_connector.store import capacities, planned_orders, slot_holds
from planso_connector.store.engine.database import Database, Row, Transaction
from planso_connector.store.slot_holds import SlotHold

HOLD_HEADER = "Availability-Hold"
HOLD_TIME = timedelta(minutes=10)
SEARCHED_DAYS = 60
"""Within how many days the nearest alternatives are looked for: half of them before the day, as far as today."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is planned in a workshop, as one transaction sees it. `now` is in German time."""

    calendar: WorkshopCalendar
    orders: Sequence[Row]
    holds: Sequence[SlotHold]
    now: datetime

    def assess(self, question: Question) -> Availability:
        holds = [to_hold(hold) for hold in self.holds]
        return assess(self.orders, self.calendar.capacity, self.calendar, question, self.now, holds)

    def find_order(self, order_id: int | None) -> Mapping[str, Value]:
        """Empty for a create, and for an order that is not a current one."""
        return next((row for row in self.orders if order_id is not None and row.get("id") == order_id), {})

    def without(self, *, order_id: int | None = None, call: str | None = None) -> "Plan":
        """Without the order that is written, and the hold of a call that takes another."""
        orders = [row for row in self.orders if order_id is None or row.get("id") != order_id]
        return replace(self, orders=orders, holds=[hold for hold in self.holds if hold.call != call])

    def find_alternatives(self, booking: Booking) -> list[DayAssessment]:
        """The nearest days with room: also the day itself, where another of its slots has some."""
        day, today = date.fromisoformat(booking.day), self.now.date()
        first = max(today, day - timedelta(days=SEARCHED_DAYS // 2))
        found = self.assess(Question(booking.kind, first, SEARCHED_DAYS, booking.hours))
        return find_nearest(found.days, day)


def load_plan(tx: Transaction, now: datetime) -> Plan | None:
    """None where the workshop set no capacity."""
    stored = capacities.get(tx)
    if stored is None:
        return None
    holds = slot_holds.list_valid(tx, format_instant(now))
    return Plan(open_calendar(stored), planned_orders.list_current(tx), holds, now.astimezone(BERLIN))


def to_hold(hold: SlotHold) -> Hold:
    hours = {Trade.KARO: hold.hours_karo, Trade.LACK: hold.hours_lack}
    return Hold(BookingKind(hold.kind), date.fromisoformat(hold.day), hold.slot, hours)


def check_bookings(
    tx: Transaction,
    operation: Operation,
    now: datetime,
    *,
    hold_id: str | None = None,
    call: str | None = None,
    is_strict: bool = False,
    is_dry_run: bool = False,
) -> str:
    """
    A note for the caller where there is no room for what the operation books; empty where there is, or where nobody
    knows. Takes up the named hold, or that of the `call` if it fits a booking; not with `is_dry_run`. Raises NoRoom
    with `is_strict`, and for a hold that has run out; Invalid for a hold of something else.
    """
    days = {str(day)[:10] for field in BOOKED_FIELDS.values() if (day := operation.requested.get(field))}
    if hold_id is None and (not days or capacities.get(tx) is None):
        return ""
    if not is_dry_run:
        for day in sorted(days):
            slot_holds.lock_day(tx, day)
    plan = load_plan(tx, now)
    if plan is None:
        raise _unknown_hold("the workshop has set no capacity, and holds none")
    bookings = find_bookings(operation.requested, plan.find_order(operation.order_id))
    plan = plan.without(order_id=operation.order_id)
    held = None
    if hold_id is None and call is not None:
        plan, own = plan.without(call=call), next((hold for hold in plan.holds if hold.call == call), None)
        if own is not None and not is_dry_run and any(_fits(own, booking) for booking in bookings):
            slot_holds.release(tx, own.id)
    elif hold_id is not None:
        hold, held = _take_up(tx, hold_id, bookings, plan)
        plan = plan.without(call=hold.call)
        if not is_dry_run:
            slot_holds.release(tx, hold_id)
    checked = (_check(plan, booking, is_strict=is_strict) for booking in bookings if booking is not held)
    return " ".join(filter(None, checked))


def _check(plan: Plan, booking: Booking, *, is_strict: bool) -> str:
    (day,) = plan.assess(Question(booking.kind, date.fromisoformat(booking.day), 1, booking.hours)).days
    fault = find_fault(day, booking)
    if fault is None:
        return ""
    if is_strict:
        raise no_room(f"{fault} Nothing was recorded.", plan.find_alternatives(booking))
    return "" if Reason.PAST in day.reasons else fault


def _take_up(tx: Transaction, hold_id: str, bookings: Sequence[Booking], plan: Plan) -> tuple[SlotHold, Booking]:
    """The hold, and the booking that it is for. Raises NoRoom, Invalid."""
    if not bookings:
        raise _unknown_hold(f"accepted: with a write that sets {', '.join(BOOKED_FIELDS.values())} to another time")
    hold = slot_holds.get(tx, hold_id)
    if hold is None or hold not in plan.holds:
        message = f"{HOLD_HEADER}: {hold_id} has run out, was given back or was taken up. Nothing was recorded."
        raise no_room(message, plan.find_alternatives(bookings[0]))
    fitting = [booking for booking in bookings if _fits(hold, booking)]
    if not fitting:
        field, when = BOOKED_FIELDS[BookingKind(hold.kind)], f"{hold.day} {hold.slot}".strip()
        raise _unknown_hold(f"accepted: with a write that sets {field} to a time of what it holds, {when}")
    return hold, fitting[0]


def _fits(hold: SlotHold, booking: Booking) -> bool:
    begin, _, end = hold.slot.partition("-")
    is_in_slot = not hold.slot or begin <= booking.time < end
    return (hold.kind, hold.day) == (booking.kind.value, booking.day) and is_in_slot


def _unknown_hold(message: str) -> Invalid:
    return Invalid([Problem(("header", HOLD_HEADER), message, "availability_hold")])


def find_fault(day: DayAssessment, booking: Booking) -> str | None:
    """Why there is no room, as a sentence; None where there is, or where it is not known."""
    what = f"{BOOKED_FIELDS[booking.kind]}: {booking.day}"
    if day.level in (Level.FULL, Level.CLOSED):
        reasons = ", ".join(REASON_DESCRIPTIONS[reason] for reason in day.reasons)
        return f"{what} is {day.level} ({reasons}{f': {day.note}' if day.note else ''})."
    for slot in day.slots:
        if slot.slot.begin <= booking.time < slot.slot.end and slot.level in (Level.FULL, Level.CLOSED):
            return f"{what} {slot.slot} is {slot.level} ({slot.booked} booked)."
    return None


def no_room(message: str, nearest: Sequence[DayAssessment]) -> NoRoom:
    """With the nearest alternatives, by day and slot, in words too."""
    alternatives = [
        {
            "date": day.day.isoformat(),
            "level": str(day.level),
            "slots": [str(slot.slot) for slot in day.slots if slot.level in (Level.FREE, Level.TIGHT)],
        }
        for day in nearest
    ]
    days = ", ".join(day.day.isoformat() for day in nearest)
    return NoRoom(f"{message} {f'Nearest: {days}.' if days else f'None within {SEARCHED_DAYS} days.'}", alternatives)


def fingerprint_call(key_id: str, call_id: str) -> str:
    """What names a call: its own id, which may be anybody's, of one API key; without one the key alone."""
    return hashlib.blake2b(f"{key_id}\0{call_id}".encode(), digest_size=16).hexdigest()


class SlotHolds:
    """Keep a slot for one call for `HOLD_TIME`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def hold(self, call: str, kind: BookingKind, day: date, slot: str, hours: Mapping[Trade, float]) -> SlotHold:
        """
        In place of the call's last one. `slot` is `07:30-09:00`, or empty where the kind has no slots. Raises NoRoom,
        NotPossible where the workshop set no capacity, and Invalid for a slot that there is not.
        """
        now = self._clock()
        new = SlotHold(
            call=call,
            id="hold_" + secrets.token_hex(10),
            kind=kind.value,
            day=day.isoformat(),
            slot=slot,
            hours_karo=hours.get(Trade.KARO, 0.0),
            hours_lack=hours.get(Trade.LACK, 0.0),
            expires_at=format_instant(now + HOLD_TIME),
        )

        def work(tx: Transaction) -> SlotHold:
            slot_holds.lock_day(tx, new.day)
            plan = load_plan(tx, now)
            if plan is None:
                raise NotPossible("The workshop has set no capacity, so nothing can be held: PUT /api/capacity.")
            slots = [str(one) for one in plan.calendar.capacity.rules.get(kind, BookingRules()).slots]
            if slot not in (slots or [""]):
                accepted = ", ".join(slots) or "none, because there are no slots for this kind"
                raise Invalid([Problem(("body", "slot"), f"accepted: {accepted}", "slot")])
            plan = plan.without(call=call)
            booking = Booking(kind, new.day, slot[:5], hours)
            (found,) = plan.assess(Question(kind, day, 1, hours)).days
            fault = find_fault(found, booking)
            if fault is not None:
                raise no_room(f"{fault} Nothing is held.", plan.find_alternatives(booking))
            slot_holds.save(tx, new)
            return new

        return await self._database.write(work)

    async def release(self, hold_id: str) -> None:
        """Raises NotFound."""
        if not await self._database.write(lambda tx: slot_holds.release(tx, hold_id)):
            raise NotFound(f"There is no hold {hold_id[:60]}: it was given back, taken up or replaced.")
