"""Levels of days and slots, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.domain.capacity.assessment import (
    Availability,
    DayAssessment,
    Hold,
    Level,
    Question,
    Reason,
    assess,
    find_nearest,
)
from planso_connector.domain.capacity.capacity import (
    BookingKind,
    BookingRules,
    Capacity,
    DayException,
    Slot,
    Trade,
    WorkingDay,
    WorkshopCalendar,
)
from planso_connector.domain.fields import Value
from planso_connector.domain.german_formats import BERLIN

NOW = datetime(2026, 12, 7, 9, 30, tzinfo=BERLIN)
"""A Monday."""
TUESDAY = date(2026, 12, 8)
EARLY, LATE = Slot("07:30", "09:00"), Slot("09:00", "10:30")
CAPACITY = Capacity(
    weekdays=dict.fromkeys(range(5), WorkingDay({Trade.KARO: 20.0, Trade.LACK: 10.0})),
    rules={
        BookingKind.DROP_OFF: BookingRules(per_day=5, per_slot=2, slots=(EARLY, LATE)),
        BookingKind.ESTIMATE: BookingRules(per_day=2, same_day_until="09:30", weekdays=frozenset({0, 1, 2})),
        BookingKind.PICK_UP: BookingRules(per_day=3, lead_days=2),
    },
    federal_state="BW",
    exceptions=(
        DayException(date(2026, 12, 14), date(2026, 12, 15), None, "Inventur"),
        DayException(date(2026, 12, 19), date(2026, 12, 19), WorkingDay({Trade.KARO: 8.0, Trade.LACK: 0.0})),
    ),
    horizon_days=30,
)
Order = dict[str, Value]


def order(day: date = TUESDAY, karo: float | None = 4.0, lack: float | None = 1.0, **more: Value) -> Order:
    dates = {"shop_date": day.isoformat(), "finish_date": day.isoformat(), "return_date_time": day.isoformat()}
    return {**dates, "est_hours_karo": karo, "est_hours_lack": lack, **more}


def ask(
    orders: list[Order],
    kind: BookingKind = BookingKind.DROP_OFF,
    first: date = TUESDAY,
    days: int = 1,
    capacity: Capacity = CAPACITY,
    holds: tuple[Hold, ...] = (),
    **hours: float,
) -> Availability:
    question = Question(kind, first, days, {Trade(name): value for name, value in hours.items()})
    return assess(orders, capacity, WorkshopCalendar(capacity), question, NOW, holds)


def on_tuesday(orders: list[Order], **options: float) -> DayAssessment:
    return ask(orders, **options).days[0]  # type: ignore[arg-type]


def test_days_on_which_nothing_can_be_booked() -> None:
    """Each is closed for its own reason, with the name of the holiday and the reason of the exception."""
    found = {day.day: day for day in ask([], first=date(2026, 12, 6), days=40).days}
    reasons = {day: (found[date.fromisoformat(day)].reasons, found[date.fromisoformat(day)].note) for day in (
        "2026-12-06", "2026-12-12", "2026-12-14", "2026-12-15", "2026-12-25", "2027-01-06",
    )}  # fmt: skip
    assert reasons == {
        "2026-12-06": ((Reason.PAST,), None),
        "2026-12-12": ((Reason.CLOSED_WEEKDAY,), None),
        "2026-12-14": ((Reason.EXCEPTION,), "Inventur"),
        "2026-12-15": ((Reason.EXCEPTION,), "Inventur"),
        "2026-12-25": ((Reason.HOLIDAY,), "Erster Weihnachtstag"),
        "2027-01-06": ((Reason.HOLIDAY,), "Heilige Drei Könige"),
    }
    assert found[date(2026, 12, 19)].level is Level.FREE  # a Saturday that is open by exception
    assert found[date(2027, 1, 5)].level is Level.FREE  # the last day of the horizon
    assert found[date(2027, 1, 7)].reasons == (Reason.TOO_FAR,)
    assert {slot.level for slot in found[date(2026, 12, 12)].slots} == {Level.CLOSED}


def test_lead_time_and_the_cutoff_of_the_same_day() -> None:
    """Two open days begin before a pick-up; an estimate of today can't be booked from the cutoff on."""
    monday = NOW.date()
    pick_ups = ask([order()], BookingKind.PICK_UP, monday, 3).days
    assert [day.reasons for day in pick_ups] == [(Reason.TOO_SOON,), (Reason.TOO_SOON,), ()]
    estimates = ask([order(estimate_date="2026-12-01")], BookingKind.ESTIMATE, monday, 4).days
    assert [day.reasons for day in estimates] == [(Reason.TOO_SOON,), (), (), (Reason.CLOSED_WEEKDAY,)]


@pytest.mark.parametrize(
    ("planned", "asked", "level"),
    [
        (15.9, 0.0, Level.FREE),
        (16.0, 0.0, Level.TIGHT),
        (20.0, 0.0, Level.TIGHT),  # paint still has room, and nobody said what is to be done
        (12.0, 3.9, Level.FREE),
        (12.0, 4.0, Level.TIGHT),
        (12.0, 8.0, Level.TIGHT),
        (12.5, 8.0, Level.FULL),
        (20.0, 0.5, Level.FULL),
        (0.0, 24.0, Level.FREE),  # three days of eight hours
    ],
)
def test_hours(planned: float, asked: float, level: Level) -> None:
    """Planned and asked hours against 20 hours of body work."""
    day = on_tuesday([order(karo=planned)], karo=asked)
    assert (day.level, day.hours[Trade.KARO].planned) == (level, planned)
    assert day.reasons == (() if level is Level.FREE else (Reason.HOURS_KARO,))


def test_a_later_day_of_the_stay_counts() -> None:
    """Work of two days does not begin the day before one that is full."""
    full = [order(date(2026, 12, 9), karo=20.0)]
    assert on_tuesday(full, karo=8.0).level is Level.FREE
    assert on_tuesday(full, karo=9.0).level is Level.FULL


def test_both_trades_full() -> None:
    assert on_tuesday([order(karo=20.0, lack=10.0)]).reasons == (Reason.HOURS_KARO, Reason.HOURS_LACK)
    assert on_tuesday([order(karo=20.0, lack=10.0)]).level is Level.FULL


def test_arrivals_and_slots() -> None:
    """A slot is full by its own bookings, the day by the number of all; a time may be in a field of its own."""
    early = order(shop_date="2026-12-08T07:30:00", karo=1.0)
    late = order(karo=1.0, repair_date_time_from="09:00")
    day = on_tuesday([early, early, late])
    assert [(slot.level, slot.booked) for slot in day.slots] == [(Level.FULL, 2), (Level.FREE, 1)]
    assert (day.level, day.booked, day.limit) == (Level.FREE, 3, 5)
    assert on_tuesday([early, early, late, late]).reasons == (Reason.SLOTS,)
    anytime = order(karo=1.0)
    full = on_tuesday([early, late, anytime, anytime, anytime])
    assert (full.level, full.reasons) == (Level.FULL, (Reason.ARRIVALS,))
    assert {slot.level for slot in full.slots} == {Level.FULL}


def test_a_hold_counts_like_its_booking() -> None:
    hold = Hold(BookingKind.DROP_OFF, TUESDAY, "09:00-10:30", {Trade.KARO: 8.0, Trade.LACK: 0.0})
    found = ask([order()], holds=(hold, hold))
    assert [slot.booked for slot in found.days[0].slots] == [0, 2]
    assert found.days[0].hours[Trade.KARO].planned == 20.0
    assert found.basis == ask([order()]).basis


def test_levels_are_not_invented() -> None:
    """With hours in too few orders the level is unknown; full by what is known is full all the same."""
    without = order(karo=None, lack=None)
    found = ask([order(), without, without])
    assert (found.days[0].level, found.days[0].reasons) == (None, (Reason.NOT_ENOUGH_DATA,))
    assert [slot.level for slot in found.days[0].slots] == [None, None]
    assert (found.basis.orders_with_hours, found.basis.orders_with_date) == (1 / 3, 1.0)
    assert ask([order(), without, without], BookingKind.PICK_UP, date(2026, 12, 10)).days[0].level is Level.FREE
    full = ask([order(karo=30.0), without, without], karo=1.0)
    assert (full.days[0].level, full.days[0].reasons) == (Level.FULL, (Reason.HOURS_KARO,))
    unlimited = replace(CAPACITY, weekdays=dict.fromkeys(range(5), WorkingDay(dict.fromkeys(Trade))))
    assert ask([order(), without, without], capacity=unlimited).days[0].level is Level.FREE


def test_dates_in_too_few_orders() -> None:
    """Pick-ups can't be counted where orders have no such date; estimates, where no order ever has one."""
    undated = order(return_date_time=None)
    thursday = date(2026, 12, 10)
    assert ask([order(), undated, undated], BookingKind.PICK_UP, thursday).days[0].level is None
    assert ask([order()], BookingKind.ESTIMATE).days[0].level is None
    assert ask([order(estimate_date="2026-12-01"), order()], BookingKind.ESTIMATE).days[0].level is Level.FREE
    assert ask([], BookingKind.ESTIMATE).days[0].level is Level.FREE  # nothing is planned, which is known


HOURS = st.floats(0, 40)
DAYS = st.dates(date(2026, 12, 1), date(2027, 1, 10))


@settings(max_examples=40)  # each builds a calendar of over two years
@given(st.lists(st.builds(order, DAYS, HOURS, HOURS), max_size=20))
def test_planned_hours_are_never_negative_and_add_up(orders: list[Order]) -> None:
    """Over a range that covers all stays the days have all hours."""
    days = ask(orders, first=date(2026, 11, 20), days=60).days
    for trade, field in ((Trade.KARO, "est_hours_karo"), (Trade.LACK, "est_hours_lack")):
        planned = [day.hours[trade].planned for day in days]
        assert min(planned) >= 0
        assert sum(planned) == pytest.approx(sum(float(one[field] or 0) for one in orders))


def test_the_nearest_days() -> None:
    """Three bookable days on either side, in their order."""
    full = [order(day, karo=20.0, lack=10.0) for day in (TUESDAY, date(2026, 12, 9))]
    days = ask(full, first=NOW.date(), days=20).days
    assert [day.day.day for day in find_nearest(days, TUESDAY)] == [7, 10, 11]
