"""
Spread the planned hours of an order over its days.

PlanSo knows an order's estimated hours and a few of its dates, not which hours are worked on which day. `spread_hours`
decides that, for one order alone:

- **The stay** begins with `shop_date` (work starts), else `repair_date` (the vehicle comes in). It ends with
  `finish_date` (work is finished), else `shop_back_date`, `planned_delivery_date`, `return_date_time`: the first that
  is set.
- **Equal shares**: each working day of the stay has the same part of the hours. Front-loaded shares would be a claim
  that PlanSo does not support: vehicles wait for parts or for the paint shop, and the first day of each stay would look
  full. With equal shares the sum over many orders is right, and an hour too early or too late evens out.
- **Only working days** of the trade: none on weekends, holidays and days on which it has no hours. Where a stay has no
  such day, all hours are on the next one.
- **Paint begins with `paint_date`** where that lies in the stay: nothing is painted before. Body work may come before
  and after.
- **Without an end**, or with one before the begin or over a year after it (a typing error), the stay is as long as the
  hours need at `DAILY_HOURS` a day. Without a begin it is as long, up to the end.
- An order without any of these dates, or without hours, weighs nothing.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from planso_connector.domain.capacity.capacity import HOURS_FIELDS, Trade, WorkshopCalendar
from planso_connector.domain.fields import Value

START_FIELDS = ("shop_date", "repair_date")
END_FIELDS = ("finish_date", "shop_back_date", "planned_delivery_date", "return_date_time")
PAINT_FIELD = "paint_date"
PLANNING_FIELDS = (*START_FIELDS, *END_FIELDS, PAINT_FIELD, *HOURS_FIELDS.values())

DAILY_HOURS = 8.0
"""Hours that one person works on one vehicle in a day; fewer where the trade has fewer on a weekday."""
LONGEST_STAY = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """The days on which a trade works, in order, ISO texts; `daily_hours` are worked on one vehicle in a day."""

    days: Sequence[str]
    daily_hours: float = DAILY_HOURS


class Share(NamedTuple):
    """The hours of one trade: the same on each of these days."""

    days: Sequence[str]
    hours: float


NO_HOURS = Share((), 0.0)


def list_working_days(calendar: WorkshopCalendar, first: date, last: date) -> dict[Trade, WorkingDays]:
    """What `spread_hours` needs to be exact for each day from `first` to `last`: the longest stay before and after."""
    return {
        trade: WorkingDays(
            calendar.list_working_days(trade, first - LONGEST_STAY, last + LONGEST_STAY),
            min(DAILY_HOURS, calendar.usual_hours(trade) or DAILY_HOURS),
        )
        for trade in Trade
    }


Span = tuple[str, str, int]
"""
Begin, end and a number: the days from begin to end; where one of them is `""`, so many days from the other on. A plain
tuple, of which thousands are made for each answer.
"""


def spread_hours(order: Mapping[str, Value], working_days: Mapping[Trade, WorkingDays]) -> dict[Trade, Share]:
    """The order's hours by trade, from its `PLANNING_FIELDS`; see above. `working_days` has to cover the stay."""
    shares = dict.fromkeys(Trade, NO_HOURS)
    for trade, span, hours in find_spans(order, working_days):
        days = list_days(span, working_days[trade])
        shares[trade] = Share(days, hours / len(days))
    return shares


def find_spans(
    order: Mapping[str, Value], working_days: Mapping[Trade, WorkingDays]
) -> list[tuple[Trade, Span, float]]:
    """The trades that work on the order, over which days, and for how many hours."""
    shop, repair, finish, back, delivery, handed_back, paint, karo, lack = map(order.get, PLANNING_FIELDS)
    start = str(shop or repair or "")[:10]
    end = str(finish or back or delivery or handed_back or "")[:10]
    if start and end and (end < start or (end[:4] > start[:4] and end > _a_year_after(start))):
        end = ""
    found: list[tuple[Trade, Span, float]] = []
    if not (start or end):
        return found
    for trade, hours in ((Trade.KARO, karo), (Trade.LACK, lack)):
        if isinstance(hours, int | float) and hours > 0:
            begin = start
            if paint and trade is Trade.LACK and start < (day := str(paint)[:10]) and (not end or day <= end):
                begin = day
            needed = 0 if begin and end else max(1, math.ceil(hours / working_days[trade].daily_hours))
            found.append((trade, (begin, end, needed), hours))
    return found


def list_days(span: Span, working: WorkingDays) -> Sequence[str]:
    """At least one."""
    (begin, end, needed), days = span, working.days
    if not begin:
        past = bisect_right(days, end)
        return days[max(past - needed, 0) : past] or (end,)
    first = bisect_left(days, begin)
    past = bisect_right(days, end) if end else first + needed
    return days[first:past] or days[first : first + 1] or (begin,)


def _a_year_after(day: str) -> str:
    return f"{int(day[:4]) + 1:04}{day[4:]}"
