"""The laws of spreading an order's planned hours over its days."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.capacity.capacity import (
    HOURS_FIELDS,
    Capacity,
    DayException,
    Trade,
    WorkingDay,
    WorkshopCalendar,
)
from planso_connector.domain.capacity.spreading import (
    DAILY_HOURS,
    END_FIELDS,
    PAINT_FIELD,
    START_FIELDS,
    list_working_days,
    spread_hours,
)
from planso_connector.domain.fields import Value

FIRST, LAST = date(2026, 1, 1), date(2027, 12, 31)
WORKING = WorkingDay({Trade.KARO: 32.0, Trade.LACK: 16.0})
HOLIDAY = date(2026, 12, 24)
CAPACITY = Capacity(
    weekdays={**dict.fromkeys(range(5), WORKING), 5: WorkingDay({Trade.KARO: 4.0, Trade.LACK: 0.0})},
    exceptions=(DayException(HOLIDAY, date(2027, 1, 3), None),),
)
CALENDAR = WorkshopCalendar(CAPACITY, lambda _state, day: "Tag der Arbeit" if (day.month, day.day) == (5, 1) else None)
DAYS = list_working_days(CALENDAR, FIRST, LAST)
TRADES = list(HOURS_FIELDS.items())

days = st.dates(FIRST, LAST).map(date.isoformat)
hours = st.one_of(st.none(), st.floats(0, 200, allow_nan=False).map(lambda number: round(number, 2)))
DATE_FIELDS = (*START_FIELDS, *END_FIELDS, PAINT_FIELD)
orders = st.fixed_dictionaries(
    dict.fromkeys(HOURS_FIELDS.values(), hours),
    optional={field: st.one_of(st.none(), days, days.map(lambda day: f"{day}T09:30:00")) for field in DATE_FIELDS},
)
Order = dict[str, Value]


def plan(*planned: Order) -> Counter[tuple[Trade, str]]:
    """Hours by trade and day."""
    total: Counter[tuple[Trade, str]] = Counter()
    for order in planned:
        for trade, (on, each) in spread_hours(order, DAYS).items():
            for day in on:
                total[trade, day] += each  # type: ignore[assignment] # hours, not counts
    return total


def has_stay(order: Order) -> bool:
    return any(order.get(field) for field in (*START_FIELDS, *END_FIELDS))


@given(orders)
def test_hours_are_conserved_and_never_negative(order: Order) -> None:
    """The days of an order have exactly its hours, each the same part of them, and none without a date of its stay."""
    for trade, field in TRADES:
        on, each = spread_hours(order, DAYS)[trade]
        asked = float(order[field] or 0) if has_stay(order) else 0.0
        assert each >= 0
        assert abs(each * len(on) - asked) < 1e-9 * max(asked, 1)
        assert list(on) == sorted(set(on))


@given(orders)
def test_work_is_on_working_days_of_the_trade(order: Order) -> None:
    """Never on a day on which the trade has no hours."""
    for trade in Trade:
        for day in spread_hours(order, DAYS)[trade].days:
            assert CALENDAR.capacity_of(date.fromisoformat(day), trade) != 0


@given(st.lists(orders, max_size=6), orders, orders)
def test_moving_an_order_moves_exactly_its_hours(others: list[Order], before: Order, after: Order) -> None:
    """What a day has is the sum of its orders: the rest stays as it is, whatever becomes of one of them."""
    moved, stayed, added = plan(*others, before), plan(*others, after), plan(before)
    added.subtract(plan(after))
    moved.subtract(stayed)
    assert all(abs(moved[key] - added[key]) < 1e-6 for key in {*moved, *added})


@given(orders, st.integers(1, 8))
def test_an_order_that_moves_by_weeks_keeps_its_pattern(order: Order, weeks: int) -> None:
    """By whole weeks, in a calendar without holidays, each day's hours move by as many days."""
    calendar = WorkshopCalendar(Capacity(CAPACITY.weekdays), lambda _state, _day: None)
    plain = list_working_days(calendar, FIRST, LAST + timedelta(weeks=8))

    def move(day: str) -> str:
        return (date.fromisoformat(day[:10]) + timedelta(weeks=weeks)).isoformat() + day[10:]

    later: Order = {
        name: move(value) if name in DATE_FIELDS and isinstance(value, str) else value for name, value in order.items()
    }
    for trade, (on, each) in spread_hours(order, plain).items():
        if sum(bool(order.get(field)) for field in (*START_FIELDS, *END_FIELDS)) < 2:  # a year has 365 or 366 days
            moved = spread_hours(later, plain)[trade]
            assert (list(moved.days), moved.hours) == ([move(day) for day in on], each)


@given(st.integers(1, 40), st.sampled_from(["2026-12-07", "2026-12-08", "2026-12-09"]))
def test_full_hours_of_a_day_add_up(count: int, day: str) -> None:
    """Orders of one day each fill it with the sum of their hours."""
    one: Order = {"shop_date": day, "finish_date": day, "est_hours_karo": 3.25, "est_hours_lack": 1.5}
    total = plan(*[one] * count)
    assert (total[Trade.KARO, day], total[Trade.LACK, day]) == (3.25 * count, 1.5 * count)
    assert set(total) == {(Trade.KARO, day), (Trade.LACK, day)}


def test_a_stay_of_a_week() -> None:
    """Tuesday to the next Monday: five days of body work, Saturday among them, and paint from the paint date on."""
    order: Order = {
        "repair_date": "2026-12-04",
        "shop_date": "2026-12-08",
        "paint_date": "2026-12-10T08:00:00",
        "finish_date": "2026-12-14",
        "planned_delivery_date": "2026-12-16",
        "est_hours_karo": 12.0,
        "est_hours_lack": 6,
    }
    shares = spread_hours(order, DAYS)
    assert shares[Trade.KARO] == (
        ["2026-12-08", "2026-12-09", "2026-12-10", "2026-12-11", "2026-12-12", "2026-12-14"],
        2.0,
    )
    assert shares[Trade.LACK] == (["2026-12-10", "2026-12-11", "2026-12-14"], 2.0)


def test_a_stay_with_one_end() -> None:
    """As many days as the hours need, from the begin or up to the end."""
    needs_two: Order = {"est_hours_karo": DAILY_HOURS, "est_hours_lack": None}
    begun = spread_hours({**needs_two, "shop_date": "2026-12-11"}, DAYS)
    assert begun[Trade.KARO] == (["2026-12-11", "2026-12-12"], 4.0)
    ended = spread_hours({**needs_two, "finish_date": "2026-12-14"}, DAYS)
    assert ended[Trade.KARO] == (["2026-12-12", "2026-12-14"], 4.0)
    mistyped = {**needs_two, "shop_date": "2026-12-11", "finish_date": "2062-12-14"}
    assert spread_hours(mistyped, DAYS)[Trade.KARO].days == ["2026-12-11", "2026-12-12"]


def test_a_stay_without_a_working_day() -> None:
    """Its hours are on the next working day."""
    order: Order = {"shop_date": "2026-12-24", "finish_date": "2026-12-27", "est_hours_karo": 5.0}
    assert spread_hours(order, DAYS)[Trade.KARO] == (["2027-01-04"], 5.0)
