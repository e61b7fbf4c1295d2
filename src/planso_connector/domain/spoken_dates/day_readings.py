"""Find the days in tokens: dates, weekdays, weeks, and what they are from a given day on."""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from planso_connector.domain.spoken_dates.moment import QuestionReason

PASSED_RECENTLY = timedelta(days=183)
"""A date without a year that passed since then is asked for; one before is next year's."""
_LATEST_YEARS = 5


@dataclass(frozen=True, slots=True)
class DayReading:
    """What one expression says: days that are as likely, days of a span, or, with neither, only a weekday."""

    days: tuple[date, ...] = ()
    span: tuple[date, date] | None = None
    weekday: int | None = None
    """A weekday alone: `days` are those it names by itself."""
    fault: QuestionReason | None = None
    """`days` are then those that may be meant instead."""
    is_day_of_month: bool = False
    """`am vierten`: the month was not said."""


_Handler = Callable[[re.Match[str], date], DayReading]
_NEXT_WEEKS = {"this": 0, "next": 1, "coming": 1, "afternext": 2, "last": -1}
_WHICH = r"(?P<which>this|next|coming|afternext|last)"
_WEEKDAY = r"W(?P<w>\d)"
_YEAR = r"(?: (?:n(?P<year>20\d\d)|n20 n(?P<short>\d\d)|n(?P<two>2[5-9]|3\d)))?"
_DAY_OF_MONTH = r"[on](?P<d>\d{1,2})"
_MONTH = r"M(?P<m>\d{1,2})"
_FAR = timedelta(days=7)


def _add_months(day: date, months: int) -> tuple[int, int]:
    years, month = divmod(day.month - 1 + months, 12)
    return day.year + years, month + 1


def _try_date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _of_year(year: int, month: int, day: int, today: date) -> DayReading:
    found = _try_date(year, month, day)
    if found is None or not 2000 <= year <= today.year + _LATEST_YEARS:
        return DayReading(fault=QuestionReason.NO_SUCH_DAY)
    return DayReading((found,)) if found >= today else DayReading(fault=QuestionReason.PASSED)


def _without_year(month: int, day: int, today: date) -> DayReading:
    has_passed = (month, day) < (today.month, today.day)
    found = _try_date(today.year + has_passed, month, day)
    if found is None:
        return DayReading(fault=QuestionReason.NO_SUCH_DAY)
    passed = _try_date(today.year, month, day)
    is_recent = has_passed and passed is not None and today - passed <= PASSED_RECENTLY
    return DayReading((found,), fault=QuestionReason.PASSED) if is_recent else DayReading((found,))


def _read_date(match: re.Match[str], today: date) -> DayReading:
    groups = match.groupdict()
    year, month, day = groups.get("year"), int(match["m"]), int(match["d"])
    two_digits = groups.get("short") or groups.get("two")
    if year is None and two_digits:
        year = f"20{two_digits}"
    return _of_year(int(year), month, day, today) if year else _without_year(month, day, today)


def _read_either_month(match: re.Match[str], today: date) -> DayReading:
    first, second = int(match["a"]), int(match["b"])
    readings = [_without_year(month, day, today) for day, month in {(first, second), (second, first)} if month <= 12]
    days = sorted(day for reading in readings for day in reading.days)
    fault = readings[0].fault if len(readings) == 1 else None
    return DayReading(tuple(days), fault=fault if days else QuestionReason.NO_SUCH_DAY)


def _read_day_of_month(match: re.Match[str], today: date) -> DayReading:
    day = int(match["d"])
    for ahead in range(13):
        found = _try_date(*_add_months(today, ahead), day)
        if found is not None and found >= today:
            return DayReading((found,), is_day_of_month=True)
    return DayReading(fault=QuestionReason.NO_SUCH_DAY)


def _read_weekday_of_month(match: re.Match[str], today: date) -> DayReading:
    """`erster Montag im Februar`, `letzter Freitag im Dezember`; of the month that is next to come."""
    groups = match.groupdict()
    year, month = today.year, today.month
    if groups.get("m"):
        month = int(groups["m"])
        year += month < today.month
    days = [
        found
        for day in range(1, calendar.monthrange(year, month)[1] + 1)
        if (found := date(year, month, day)).weekday() == int(match["w"])
    ]
    number = int(groups["n"]) if groups.get("n") else len(days)
    if not 1 <= number <= len(days):
        return DayReading(fault=QuestionReason.NO_SUCH_DAY)
    found = days[number - 1]
    return DayReading((found,)) if found >= today else DayReading(fault=QuestionReason.PASSED)


def _read_christmas(match: re.Match[str], today: date) -> DayReading:
    return _without_year(12, 24 + int(match["n"]), today)


def _not_a_day(_match: re.Match[str], _today: date) -> DayReading:
    return DayReading(fault=QuestionReason.NOT_UNDERSTOOD)


def _next_weekday(weekday: int, today: date, *, at_least: int = 0) -> date:
    """The first such day that is at least so many days ahead."""
    start = today + timedelta(days=at_least)
    return start + timedelta(days=(weekday - start.weekday()) % 7)


def _monday(today: date, weeks: int = 0) -> date:
    return today + timedelta(days=7 * weeks - today.weekday())


def _in_week(weekday: int, monday: date, today: date) -> DayReading:
    found = monday + timedelta(days=weekday)
    return DayReading((found,)) if found >= today else DayReading(fault=QuestionReason.PASSED)


def _read_weekday(match: re.Match[str], today: date) -> DayReading:
    weekday = int(match["w"])
    found = _next_weekday(weekday, today)
    days = (found, found + _FAR) if found == today else (found,)
    return DayReading(days, weekday=weekday)


def _read_which_weekday(match: re.Match[str], today: date) -> DayReading:
    """
    `kommenden` is the first from tomorrow on, `diesen` the first from today on. `nächsten` is that of the next week;
    where this week has one still to come, either may be meant.
    """
    which, weekday = match["which"], int(match["w"])
    if which == "last":
        return DayReading(fault=QuestionReason.PASSED)
    if which == "this":
        return DayReading((_next_weekday(weekday, today),))
    first = _next_weekday(weekday, today, at_least=1)
    if which == "coming":
        return DayReading((first,))
    weeks = _FAR if which == "afternext" else timedelta()
    is_this_week = first < _monday(today, 1)
    return DayReading((first + weeks, first + weeks + _FAR) if is_this_week else (first + weeks,))


def _read_weekday_of_week(match: re.Match[str], today: date) -> DayReading:
    return _in_week(int(match["w"]), _monday(today, _NEXT_WEEKS[match["which"]]), today)


def _read_calendar_week(match: re.Match[str], today: date) -> DayReading:
    number = int(match["k"])
    year = today.isocalendar().year
    try:
        monday = date.fromisocalendar(year, number, 1)
        if monday + timedelta(days=6) < today:
            monday = date.fromisocalendar(year + 1, number, 1)
    except ValueError:
        return DayReading(fault=QuestionReason.NO_SUCH_DAY)
    weekday = match.groupdict().get("w") or match.groupdict().get("w2")
    if weekday is not None:
        return _in_week(int(weekday), monday, today)
    return _span(monday, monday + timedelta(days=6), today)


def _span(first: date, last: date, today: date) -> DayReading:
    return DayReading(span=(max(first, today), last)) if last >= today else DayReading(fault=QuestionReason.PASSED)


_DAYS_OF_WEEK = {"begin": (0, 1), "mid": (1, 3), "end": (3, 6), None: (0, 6)}


def _read_week(match: re.Match[str], today: date) -> DayReading:
    groups = match.groupdict()
    monday = _monday(today, _NEXT_WEEKS[groups.get("which") or "this"])
    first, last = _DAYS_OF_WEEK[groups.get("where")]
    return _span(monday + timedelta(days=first), monday + timedelta(days=last), today)


def _read_weekend(match: re.Match[str], today: date) -> DayReading:
    which = match["which"]
    if which == "next" and today.weekday() < 5:
        return _span(_monday(today) + timedelta(days=5), _monday(today, 1) + timedelta(days=6), today)
    saturday = _monday(today, _NEXT_WEEKS["this" if which in (None, "coming", "next") else which]) + timedelta(days=5)
    return _span(saturday, saturday + timedelta(days=1), today)


def _read_month(match: re.Match[str], today: date) -> DayReading:
    groups = match.groupdict()
    if groups.get("m"):
        month = int(groups["m"])
        year = today.year + (month < today.month)
    else:
        year, month = _add_months(today, _NEXT_WEEKS[groups.get("which") or "this"])
    end = calendar.monthrange(year, month)[1]
    first, last = {"begin": (1, 10), "mid": (11, 20), "end": (21, end), None: (1, end)}[groups.get("where")]
    return _span(date(year, month, first), date(year, month, last), today)


_RELATIVE = {"today": 0, "tomorrow": 1, "overmorrow": 2, "overovermorrow": 3}
_UNIT_DAYS = {"day": 1, "week": 7}


def _read_relative(match: re.Match[str], today: date) -> DayReading:
    return DayReading((today + timedelta(days=_RELATIVE[match["rel"]]),))


def _read_from_now(match: re.Match[str], today: date) -> DayReading:
    count, unit = int(match["k"]), match["unit"]
    if count > 366:
        return DayReading(fault=QuestionReason.NO_SUCH_DAY)
    if unit == "month":
        year, month = _add_months(today, count)
        return _span(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]), today)
    days = count * _UNIT_DAYS[unit]
    # In German eight days are a week, to most.
    return DayReading(tuple(today + timedelta(days=ahead) for ahead in ((7, 8) if days == 8 else (days,))))


def _read_weekday_from_now(match: re.Match[str], today: date) -> DayReading:
    """`Freitag in einer Woche`: a week after the first Friday; where that is next week, it may be that one itself."""
    weekday, unit = int(match["w"]), match["unit"]
    days = int(match["k"]) * _UNIT_DAYS[unit]
    if days not in (7, 8, 14, 15, 21, 28):
        return DayReading(fault=QuestionReason.NOT_UNDERSTOOD)
    first = _next_weekday(weekday, today)
    later = first + timedelta(days=days // 7 * 7)
    is_this_week = first < _monday(today, 1)
    return DayReading((later,) if is_this_week else (later - _FAR, later))


def _read_weekday_week(match: re.Match[str], today: date) -> DayReading:
    """`Friday week`, `a week on Friday`: English has one reading."""
    weeks = int(match.groupdict().get("k") or 1)
    return DayReading((_next_weekday(int(match["w"]), today) + weeks * _FAR,) if weeks <= 52 else ())


def _read_relative_from_now(match: re.Match[str], today: date) -> DayReading:
    days = int(match["k"]) * _UNIT_DAYS[match["unit"]]
    return DayReading((today + timedelta(days=_RELATIVE[match["rel"]] + days),) if days <= 366 else ())


def _passed(_match: re.Match[str], _today: date) -> DayReading:
    return DayReading(fault=QuestionReason.PASSED)


_FROM_NOW = r"(?:in )?n(?P<k>\d{1,3}) (?P<unit>day|week)"
_RULES: tuple[tuple[re.Pattern[str], _Handler], ...] = tuple(
    (re.compile(f"(?<= ){pattern}(?= )"), handler)
    for pattern, handler in (
        (r"D(?P<year>\d{4})?-(?P<m>\d\d)-(?P<d>\d\d)", _read_date),
        (r"S(?P<a>\d{1,2})/(?P<b>\d{1,2})", _read_either_month),
        (rf"{_DAY_OF_MONTH} (?:on )?{_MONTH}{_YEAR}", _read_date),
        (rf"{_MONTH} (?:on )?{_DAY_OF_MONTH}(?! uhr){_YEAR}", _read_date),
        (rf"o(?P<d>\d{{1,2}}) (?:on )?o(?P<m>\d{{1,2}}){_YEAR}", _read_date),
        (r"(?<=on )n(?P<d>\d{1,2}) n(?P<m>\d{1,2})(?! (?:n|uhr))", _read_date),
        (rf"(?:n\d+ (?:day|week|month) ago|{_WHICH} (?:month|week) ago|yesterday)", _passed),
        (r"o(?P<n>[12]) christmas", _read_christmas),
        (r"o\d+ (?:not_day|week|month|day)", _not_a_day),
        (rf"o(?P<n>\d) {_WEEKDAY} (?:in |on )*{_MONTH}", _read_weekday_of_month),
        (rf"o(?P<n>\d) {_WEEKDAY} (?:in |on )*(?:this )?month", _read_weekday_of_month),
        (rf"last {_WEEKDAY} (?:in |on )*{_MONTH}", _read_weekday_of_month),
        (rf"last {_WEEKDAY} (?:in |on )*(?:this )?month", _read_weekday_of_month),
        (rf"n(?P<k>\d{{1,2}}) week on {_WEEKDAY}", _read_weekday_week),
        (rf"{_WEEKDAY} week", _read_weekday_week),
        (rf"{_WEEKDAY} (?:P[a-z]+ )?(?:on )?in n(?P<k>\d{{1,2}}) (?P<unit>day|week)", _read_weekday_from_now),
        (rf"(?P<rel>today|tomorrow|overmorrow) {_FROM_NOW}", _read_relative_from_now),
        (r"(?P<rel>overovermorrow|overmorrow|tomorrow|today)", _read_relative),
        (rf"(?:in )?(?:on )?{_WHICH} week (?:on )*{_WEEKDAY}", _read_weekday_of_week),
        (rf"{_WEEKDAY} (?:P[a-z]+ )?(?:in )?(?:on )*{_WHICH} week", _read_weekday_of_week),
        (rf"{_WEEKDAY} (?:on )?(?:in )?(?:on )?kw n(?P<k>\d{{1,2}})", _read_calendar_week),
        (r"kw n(?P<k>\d{1,2})(?: (?:on )?W(?P<w2>\d))?", _read_calendar_week),
        (rf"{_WHICH} {_WEEKDAY}", _read_which_weekday),
        (rf"(?P<where>begin|mid|end) (?:in )?(?:on )*(?:{_WHICH} )?week", _read_week),
        (rf"(?P<where>begin|mid|end) (?:in )?(?:on )*(?:{_WHICH} )?month", _read_month),
        (rf"(?P<where>begin|mid|end) (?:in )?(?:on )*{_MONTH}", _read_month),
        (rf"{_WHICH} week", _read_week),
        (rf"(?:{_WHICH} )?weekend", _read_weekend),
        (rf"{_WHICH} month", _read_month),
        (r"in n(?P<k>\d{1,3}) (?P<unit>day|week|month)", _read_from_now),
        (r"n(?P<k>\d{1,3}) (?P<unit>day|week|month) fromnow", _read_from_now),
        (rf"{_MONTH}", _read_month),
        (r"on (?:x )?[o](?P<d>\d{1,2})", _read_day_of_month),
        (r"o(?P<d>\d{1,2})(?= T\d)", _read_day_of_month),
        (r"(?<=W\d )o(?P<d>\d{1,2})", _read_day_of_month),
        (r"(?<=on )n(?P<d>\d{1,2})(?= (?:T\d|$))", _read_day_of_month),
        (rf"{_WEEKDAY}", _read_weekday),
    )
)


def find_days(text: str, today: date) -> tuple[str, list[DayReading]]:
    """The tokens with `Y0`, `Y1` in place of the days, and their readings."""
    readings: list[DayReading] = []
    for pattern, handler in _RULES:

        def take(match: re.Match[str], handler: _Handler = handler) -> str:
            readings.append(handler(match, today))
            return f"Y{len(readings) - 1}"

        text = pattern.sub(take, text)
    return text, readings
