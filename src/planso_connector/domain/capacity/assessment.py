"""
Assess days and slots: how much is planned against the workshop's capacity, and so what level each has. Pure.

A level is never invented. Where an order's hours or dates are filled in too rarely to say that there is room, the level
is None and `not_enough_data` is among the reasons; a day that is full by what is known is full all the same.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import cast

from planso_connector.domain.capacity import spreading
from planso_connector.domain.capacity.capacity import (
    BOOKED_FIELDS,
    HOURS_FIELDS,
    BookingKind,
    BookingRules,
    CalendarDay,
    Capacity,
    Slot,
    Trade,
    WorkshopCalendar,
)
from planso_connector.domain.capacity.spreading import END_FIELDS, PLANNING_FIELDS, START_FIELDS, Share, Span
from planso_connector.domain.fields import Value

TIME_FIELD = "repair_date_time_from"
"""The time of a drop-off whose date has none."""
USED_FIELDS = tuple(dict.fromkeys((*PLANNING_FIELDS, *BOOKED_FIELDS.values(), TIME_FIELD)))
"""All fields of an order that count."""

_KARO, _LACK = HOURS_FIELDS[Trade.KARO], HOURS_FIELDS[Trade.LACK]
_STAY_FIELDS = (*START_FIELDS, *END_FIELDS)

ENOUGH_SHARE = 0.6
"""The share of orders that must have a field for it to be relied on."""

_ROUNDING = 1e-6


class Level(StrEnum):
    FREE = "free"
    TIGHT = "tight"
    """There is room, and not much."""
    FULL = "full"
    CLOSED = "closed"
    """Nothing can be booked, however little is planned."""


class Reason(StrEnum):
    """Why a day or slot is not free."""

    CLOSED_WEEKDAY = "closed_weekday"
    HOLIDAY = "holiday"
    EXCEPTION = "exception"
    PAST = "past"
    TOO_SOON = "too_soon"
    TOO_FAR = "too_far"
    HOURS_KARO = "hours_karo"
    HOURS_LACK = "hours_lack"
    ARRIVALS = "arrivals"
    SLOTS = "slots"
    NOT_ENOUGH_DATA = "not_enough_data"
    CAPACITY_NOT_SET = "capacity_not_set"


REASON_DESCRIPTIONS = {
    Reason.CLOSED_WEEKDAY: "not open on this weekday",
    Reason.HOLIDAY: "a public holiday",
    Reason.EXCEPTION: "closed by an exception",
    Reason.PAST: "it lies in the past",
    Reason.TOO_SOON: "less than the lead time ahead, or today after the time until which today can be booked",
    Reason.TOO_FAR: "beyond the horizon",
    Reason.HOURS_KARO: "planned body hours against the capacity",
    Reason.HOURS_LACK: "planned paint hours against the capacity",
    Reason.ARRIVALS: "bookings of this kind against the day's limit",
    Reason.SLOTS: "bookings against the limit of the slot, or of all slots of the day",
    Reason.NOT_ENOUGH_DATA: "the fields that it needs are filled in for too few orders",
    Reason.CAPACITY_NOT_SET: "the workshop has not set its capacity",
}

_HOURS_REASONS = {Trade.KARO: Reason.HOURS_KARO, Trade.LACK: Reason.HOURS_LACK}
_RANK = {Level.FREE: 0, Level.TIGHT: 1, Level.FULL: 2, Level.CLOSED: 3}


@dataclass(frozen=True, slots=True)
class Question:
    """Whether there is room for a booking of `kind` with these hours, on each of `days` days from `first` on."""

    kind: BookingKind
    first: date
    days: int
    hours: Mapping[Trade, float] = field(default_factory=dict)


def _worst(levels: Iterable[Level]) -> Level:
    return max(levels, key=_RANK.__getitem__, default=Level.FREE)


@dataclass(frozen=True, slots=True)
class SlotAssessment:
    slot: Slot
    level: Level | None
    booked: int


@dataclass(frozen=True, slots=True)
class HoursOfDay:
    """`planned` is without the hours that are asked for; `capacity` None: not limited."""

    planned: float
    capacity: float | None


@dataclass(frozen=True, slots=True)
class DayAssessment:
    """`level` None: unknown. `note`: the name of the holiday, or the reason of the exception."""

    day: date
    level: Level | None
    reasons: tuple[Reason, ...]
    note: str | None
    hours: Mapping[Trade, HoursOfDay]
    booked: int
    """Bookings of this kind on this day, those that are held among them."""
    limit: int | None
    slots: tuple[SlotAssessment, ...]

    @property
    def is_bookable(self) -> bool:
        return self.level in (Level.FREE, Level.TIGHT)


@dataclass(frozen=True, slots=True)
class Basis:
    """
    What the assessment rests on. Shares are None where there is no order to say anything about; `orders_with_hours`: of
    those whose stay touches the asked days; `orders_with_date`: of the current orders with any date of a stay, those
    with the field that this kind books.
    """

    orders: int
    orders_with_hours: float | None
    orders_with_date: float | None
    hours_are_enough: bool
    dates_are_enough: bool

    def is_enough_for(self, kind: BookingKind) -> bool:
        return self.dates_are_enough and (self.hours_are_enough or kind is not BookingKind.DROP_OFF)


@dataclass(frozen=True, slots=True)
class Availability:
    days: tuple[DayAssessment, ...]
    basis: Basis


@dataclass(frozen=True, slots=True)
class Hold:
    """A slot kept for a call that has not booked yet."""

    kind: BookingKind
    day: date
    slot: str
    """`07:30-09:00`; empty: no slot, only the day."""
    hours: Mapping[Trade, float]

    def to_order(self) -> dict[str, Value]:
        """The order that a booking with it will be."""
        moment = f"{self.day.isoformat()}T{self.slot[:5]}:00" if self.slot else self.day.isoformat()
        hours = {HOURS_FIELDS[trade]: hours for trade, hours in self.hours.items()}
        return {BOOKED_FIELDS[self.kind]: moment, **(hours if self.kind is BookingKind.DROP_OFF else {})}


def assess(
    orders: Collection[Mapping[str, Value]],
    capacity: Capacity,
    calendar: WorkshopCalendar,
    question: Question,
    now: datetime,
    holds: Iterable[Hold] = (),
) -> Availability:
    """`orders`: the workshop's current ones, `USED_FIELDS` of each. `now` is in German time."""
    load = _Load(calendar, question)
    for order in orders:
        load.add(order)
    basis = load.build_basis(len(orders))
    for hold in holds:
        load.add(hold.to_order())
    assessor = _Assessor(capacity, calendar, question, now, load, load.sum_planned(), basis)
    days = (question.first + timedelta(days=ahead) for ahead in range(question.days))
    return Availability(tuple(map(assessor.assess_day, days)), basis)


def find_nearest(days: Iterable[DayAssessment], day: date, at_most: int = 3) -> list[DayAssessment]:
    """The bookable days nearest to `day`, in their order; of two as near the later one."""
    nearest = sorted(
        (one for one in days if one.is_bookable), key=lambda one: (abs((one.day - day).days), one.day < day)
    )
    return sorted(nearest[:at_most], key=lambda one: one.day)


class _Load:
    """What is planned on the asked days, and how completely the orders are filled in."""

    def __init__(self, calendar: WorkshopCalendar, question: Question) -> None:
        last = question.first + timedelta(days=question.days - 1)
        self.working_days = spreading.list_working_days(calendar, question.first, last)
        self._first, self._end = question.first.isoformat(), f"{last.isoformat()}~"  # after every time of that day
        self._field = BOOKED_FIELDS[question.kind]
        self._kind = question.kind
        self._hours: dict[Trade, dict[Span, float]] = {trade: defaultdict(float) for trade in Trade}
        """Many orders have the same stay: their hours are spread together."""
        self.booked: Counter[str] = Counter()
        """Bookings of the kind by day."""
        self.moments: dict[str, list[str]] = defaultdict(list)
        """Their times of day, where they have one, by day."""
        self._with_stay = self._with_date = self._touching = self._with_hours = 0

    def add(self, order: Mapping[str, Value]) -> None:
        for trade, span, hours in spreading.find_spans(order, self.working_days):
            self._hours[trade][span] += hours
        if booked := order.get(self._field):
            self._with_date += 1
            self._book(order, str(booked))
        dates = cast("list[str]", [*filter(None, map(order.get, _STAY_FIELDS))])
        if dates:
            self._with_stay += 1
            if min(dates) < self._end and max(dates) >= self._first:
                self._touching += 1
                self._with_hours += order.get(_KARO) is not None or order.get(_LACK) is not None

    def sum_planned(self) -> dict[Trade, dict[str, float]]:
        """Planned hours by trade and day."""
        planned: dict[Trade, dict[str, float]] = {trade: defaultdict(float) for trade in Trade}
        for trade, of_trade in planned.items():
            for span, hours in self._hours[trade].items():
                days = spreading.list_days(span, self.working_days[trade])
                each = hours / len(days)
                for day in days:
                    of_trade[day] += each
        return planned

    def _book(self, order: Mapping[str, Value], booked: str) -> None:
        day, time = booked[:10], booked[11:16]
        if self._kind is BookingKind.DROP_OFF:
            time = time or str(order.get(TIME_FIELD) or "")[-8:][:5]
        self.booked[day] += 1
        if time:
            self.moments[day].append(time)

    def build_basis(self, orders: int) -> Basis:
        hours = self._with_hours / self._touching if self._touching else None
        if self._kind is BookingKind.ESTIMATE:
            # An order without an inspection needs no such date: only that none ever has one says something.
            dates = self._with_date / orders if orders else None
            dates_are_enough = dates != 0
        else:
            dates = self._with_date / self._with_stay if self._with_stay else None
            dates_are_enough = dates is None or dates >= ENOUGH_SHARE
        return Basis(orders, hours, dates, hours is None or hours >= ENOUGH_SHARE, dates_are_enough)


@dataclass(frozen=True, slots=True)
class _Assessor:
    capacity: Capacity
    calendar: WorkshopCalendar
    question: Question
    now: datetime
    load: _Load
    planned: Mapping[Trade, Mapping[str, float]]
    basis: Basis

    def assess_day(self, day: date) -> DayAssessment:
        known = self.calendar[day]
        closed = self._why_closed(day, known)
        level, reasons, slots = self._weigh(day) if closed is None else (Level.CLOSED, (closed,), ())
        if closed is not None:
            slots = tuple(SlotAssessment(slot, Level.CLOSED, self._booked_in(day, slot)) for slot in self._rules.slots)
        return DayAssessment(
            day=day,
            level=level,
            reasons=reasons,
            note=known.note,
            hours={trade: self._hours_of(day, trade) for trade in Trade},
            booked=self.load.booked[day.isoformat()],
            limit=self._rules.per_day,
            slots=slots,
        )

    @property
    def _rules(self) -> BookingRules:
        return self.capacity.rules.get(self.question.kind, BookingRules())

    def _hours_of(self, day: date, trade: Trade) -> HoursOfDay:
        planned = self.planned[trade].get(day.isoformat(), 0.0)
        return HoursOfDay(planned, self.calendar.capacity_of(day, trade))

    def _why_closed(self, day: date, known: CalendarDay) -> Reason | None:
        rules, today = self._rules, self.now.date()
        if day < today:
            return Reason.PAST
        if known.reason is not None:
            return Reason(known.reason.value)
        if rules.weekdays is not None and day.weekday() not in rules.weekdays:
            return Reason.CLOSED_WEEKDAY
        if day >= today + timedelta(days=self.capacity.horizon_days):
            return Reason.TOO_FAR
        begun = (today + timedelta(days=ahead) for ahead in range((day - today).days))
        if rules.lead_days and sum(self.calendar[one].working is not None for one in begun) < rules.lead_days:
            return Reason.TOO_SOON
        is_late = rules.same_day_until is not None and f"{self.now:%H:%M}" >= rules.same_day_until
        return Reason.TOO_SOON if day == today and is_late else None

    def _weigh(self, day: date) -> tuple[Level | None, tuple[Reason, ...], tuple[SlotAssessment, ...]]:
        found = [*self._weigh_hours(day), *self._weigh_arrivals(day)]
        slots = self._weigh_slots(day)
        if slots:
            # The day has room as long as one of its slots has.
            found.append((Reason.SLOTS, min((level for _, level, _ in slots), key=_RANK.__getitem__)))
        worst = _worst(level for _, level in found)
        reasons = tuple(reason for reason, level in found if level is worst and worst is not Level.FREE)
        level: Level | None = worst
        if worst not in (Level.FULL, Level.CLOSED) and not self._is_known(day):
            level, reasons = None, (*reasons, Reason.NOT_ENOUGH_DATA)
        has_room = level in (Level.FREE, Level.TIGHT)
        assessed = tuple(
            SlotAssessment(slot, own if has_room or own in (Level.FULL, Level.CLOSED) else level, booked)
            for slot, own, booked in slots
        )
        return level, reasons, assessed

    def _is_known(self, day: date) -> bool:
        """Whether the orders tell enough of what is limited on this day."""
        limits_arrivals = self._rules.per_day is not None or self._rules.per_slot is not None
        limits_hours = self.question.kind is BookingKind.DROP_OFF and any(
            self._hours_of(day, trade).capacity is not None for trade in Trade
        )
        return (self.basis.hours_are_enough or not limits_hours) and (
            self.basis.dates_are_enough or not limits_arrivals
        )

    def _weigh_hours(self, day: date) -> list[tuple[Reason, Level]]:
        """
        Of a drop-off alone: its work begins then. Without asked hours a day is full once every limited trade is, and
        tight where one of them is full or tight.
        """
        if self.question.kind is not BookingKind.DROP_OFF:
            return []
        asked = {trade: hours for trade, hours in self.question.hours.items() if hours > 0}
        if asked:
            order: dict[str, Value] = {START_FIELDS[0]: day.isoformat()}
            order |= {HOURS_FIELDS[trade]: hours for trade, hours in asked.items()}
            shares = spreading.spread_hours(order, self.load.working_days)
            return [(_HOURS_REASONS[trade], self._weigh_days(trade, shares[trade])) for trade in asked]
        limited = [trade for trade in Trade if self._hours_of(day, trade).capacity]
        found = [(_HOURS_REASONS[trade], self._weigh_share(day.isoformat(), trade, 0.0)) for trade in limited]
        if any(level is not Level.FULL for _, level in found):
            return [(reason, Level.TIGHT if level is Level.FULL else level) for reason, level in found]
        return found

    def _weigh_days(self, trade: Trade, share: Share) -> Level:
        return _worst(self._weigh_share(day, trade, share.hours) for day in share.days)

    def _weigh_share(self, day: str, trade: Trade, asked: float) -> Level:
        hours = self._hours_of(date.fromisoformat(day), trade)
        if hours.capacity is None:
            return Level.FREE
        used = hours.planned + asked
        is_full = used > hours.capacity + _ROUNDING if asked else used >= hours.capacity - _ROUNDING
        return Level.FULL if is_full else self._level_of(used, hours.capacity)

    def _weigh_arrivals(self, day: date) -> list[tuple[Reason, Level]]:
        limit, booked = self._rules.per_day, self.load.booked[day.isoformat()]
        if limit is None:
            return []
        return [(Reason.ARRIVALS, Level.FULL if booked >= limit else self._level_of(booked, limit))]

    def _weigh_slots(self, day: date) -> list[tuple[Slot, Level, int]]:
        """Each slot's own level, and its bookings."""
        limit = self._rules.per_slot
        found: list[tuple[Slot, Level, int]] = []
        for slot in self._rules.slots:
            booked = self._booked_in(day, slot)
            level = Level.FREE
            if day == self.now.date() and slot.end <= f"{self.now:%H:%M}":
                level = Level.CLOSED
            elif limit is not None:
                level = Level.FULL if booked >= limit else self._level_of(booked, limit)
            found.append((slot, level, booked))
        return found

    def _booked_in(self, day: date, slot: Slot) -> int:
        times: Sequence[str] = self.load.moments.get(day.isoformat(), ())
        return sum(slot.begin <= time < slot.end for time in times)

    def _level_of(self, used: float, limit: float) -> Level:
        return Level.TIGHT if used >= self.capacity.tight_from * limit - _ROUNDING else Level.FREE
