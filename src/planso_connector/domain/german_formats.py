"""
German dates, times and decimals, in and out.

Canonical forms, used in the mirror and in answers:
- day `2025-12-16`, month `2025-12` (only where a field allows it: HU/AU papers name no day),
- day and time `2025-12-16T12:08:59`, time `12:08` or `12:08:59`,
- number: a float.

PlanSo's forms: `16.12.2025`, `12/2025`, `16.12.2025 12:08:59`, `12:08`, `11,30`. ISO dates occur in PlanSo too.
Instants with an offset (`2025-12-16T12:08:59Z`, `...+02:00`) are converted to German local time, which is what a
workshop's wall clock shows. Everything that is left over behind a date or time is an error, never ignored.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Literal
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")

_DAY = re.compile(r"(?P<d>\d{1,2})\s*\.\s*(?P<m>\d{1,2})\s*\.\s*(?P<y>\d{4}|\d{2})(?!\d)")
_ISO_DAY = re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?!\d)")
_MONTH = re.compile(r"(?P<m>\d{1,2})(?:\s*[./-]\s*(?P<y>\d{4})|\s*(?P<sep>[./])\s*(?P<short>\d{2}))")
_ISO_MONTH = re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})(?P<short>)")
_INSTANT = re.compile(
    r"(?P<wall>\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?P<seconds>:\d{2})?)(?:\.\d{1,9})?"
    r"(?P<offset>Z|(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>[0-5]\d))",
    re.IGNORECASE,
)
_BEFORE_CLOCK = re.compile(r"T|\s*,\s*|\s+", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?P<h>\d{1,2})(?:[:.](?P<min>\d{2})(?::(?P<s>\d{2})(?:\.\d{1,9})?)?)?(?P<uhr>\s*Uhr)?",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\s*(?:[-\u2013\u2014]|\bbis\b)\s*", re.IGNORECASE)
_UHR = re.compile(r"\s*Uhr$", re.IGNORECASE)
_BLANKS = re.compile(r"[\s\xa0\u202f']")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?")
_GROUPED_SURELY = re.compile(r"[+-]?[1-9]\d{0,2}((\.\d{3})+,\d*|(\.\d{3}){2,})")
_COMMA = re.compile(r"[+-]?\d*,\d*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")

DATE_HELP = "a date such as 16.12.2025, 16.12.25 or 2025-12-16, a time may follow"
MONTH_HELP = "a date such as 16.12.2025 or 2025-12-16, or a month such as 12/2025"
TIME_HELP = "a time such as 08:30, 08:30:00 or 8 Uhr, a date may stand in front"
SLOT_HELP = f"{TIME_HELP}, or a range such as 14:00-16:00"

SlotEnd = Literal["from", "to"]
"""Which end of a range of times a field holds."""


class TwoDigitYears(Enum):
    """What a field can be, which decides the century of a year of two digits."""

    NEAR = auto()
    """Appointments, HU: at most `NEAR_YEARS` from today's year."""
    PAST = auto()
    """Registrations: the latest year that is not after the next one, so `01.07.65` is 1965."""


MAX_YEARS_FROM_TODAY = 25


def local_today() -> date:
    """Today by the workshop's wall clock."""
    return datetime.now(BERLIN).date()


def _year(digits: str, years: TwoDigitYears, today: date | None) -> int:
    if len(digits) == 4:
        return int(digits)
    this_year = (today or local_today()).year
    latest = this_year + (1 if years is TwoDigitYears.PAST else MAX_YEARS_FROM_TODAY)
    year = latest - (latest - int(digits)) % 100
    if years is TwoDigitYears.NEAR and abs(year - this_year) > MAX_YEARS_FROM_TODAY:
        raise ValueError("the year has two digits and its century is not clear")
    return year


def _calendar_day(match: re.Match[str], years: TwoDigitYears, today: date | None) -> date:
    day = date(_year(match["y"], years, today), int(match["m"]), int(match["d"]))
    if not 1900 <= day.year <= 2199:
        raise ValueError("the year is out of range, 1900 to 2199")
    return day


def _clock_time(text: str) -> time:
    match = _CLOCK.fullmatch(text)
    if match is None or (match["min"] is None and match["uhr"] is None):
        raise ValueError("not a time")
    return time(int(match["h"]), int(match["min"] or 0), int(match["s"] or 0))


def _canonical_time(value: time) -> str:
    return value.strftime("%H:%M:%S" if value.second else "%H:%M")


def parse_date(
    text: str, *, month_allowed: bool = False, years: TwoDigitYears = TwoDigitYears.NEAR, today: date | None = None
) -> str:
    """
    The canonical day, or day and time when `text` names a time other than midnight.

    `years` and `today` complete a year of two digits; without `today` it is the workshop's own. Raises ValueError with
    what would be accepted: for words, ranges, weekdays, and days that no calendar has (31.02.).
    """
    help_text = MONTH_HELP if month_allowed else DATE_HELP
    text = text.strip()
    try:
        instant = _instant(text)
        if instant is not None:
            return _canonical_moment(_local_time(instant))
        match = _DAY.match(text) or _ISO_DAY.match(text)
        if match is not None:
            return _day_and_rest(_calendar_day(match, years, today), text[match.end() :])
        month = (_MONTH.fullmatch(text) or _ISO_MONTH.fullmatch(text)) if month_allowed else None
        if month is not None:
            return _canonical_month(month, years, today)
    except _SkippedHour as error:
        raise ValueError(f"{_quoted(text)} {error}; accepted: {help_text}") from error
    except ValueError as error:
        if "century" in str(error):
            told = f"{_quoted(text)} has a year of two digits that may be of two centuries"
            raise ValueError(f"{told}; accepted: {help_text}; here with four digits") from error
        raise ValueError(f"{_quoted(text)} is not on the calendar or the clock; accepted: {help_text}") from error
    raise ValueError(f"{_quoted(text)} is not a date; accepted: {help_text}")


def _canonical_month(match: re.Match[str], years: TwoDigitYears, today: date | None) -> str:
    short = match["short"]
    if short and match["sep"] == "." and int(short) <= 12:
        raise ValueError("a day without a year, or a month")
    return date(_year(short or match["y"], years, today), int(match["m"]), 1).strftime("%Y-%m")


def _quoted(text: str) -> str:
    return f"'{text[:40]}…'" if len(text) > 40 else f"'{text}'"


def _instant(text: str) -> re.Match[str] | None:
    """A date and time with an offset. Behind a time without seconds, a minus is the dash of a range."""
    match = _INSTANT.fullmatch(text)
    return None if match is None or (match["sign"] == "-" and match["seconds"] is None) else match


def _local_time(instant: re.Match[str]) -> datetime:
    """On the workshop's wall clock."""
    offset = timedelta()
    if instant["sign"] is not None:
        offset = timedelta(hours=int(instant["hours"]), minutes=int(instant["minutes"]))
        offset = -offset if instant["sign"] == "-" else offset
    if not timedelta(hours=-12) <= offset <= timedelta(hours=14):
        raise ValueError("no country has such an offset")
    wall = datetime.fromisoformat(instant["wall"].upper())
    if not 1900 <= wall.year <= 2199:
        raise ValueError("the year is out of range, 1900 to 2199")
    return (wall - offset).replace(tzinfo=UTC).astimezone(BERLIN).replace(tzinfo=None)


def _canonical_moment(moment: datetime) -> str:
    return moment.date().isoformat() if moment.time() == time() else moment.isoformat(timespec="seconds")


def _day_and_rest(day: date, rest: str) -> str:
    clock = _clock_behind(rest)
    return _canonical_moment(reject_skipped_hour(datetime.combine(day, _clock_time(clock) if clock else time())))


class _SkippedHour(ValueError):
    """The text says what is wrong with a time that no clock shows."""


def reject_skipped_hour(moment: datetime) -> datetime:
    """`moment` itself, of a wall clock. Raises ValueError in the hour that is left out when summer time begins."""
    there_and_back = moment.replace(tzinfo=BERLIN).astimezone(UTC).astimezone(BERLIN)
    if there_and_back.replace(tzinfo=None) != moment:
        raise _SkippedHour("does not exist: clocks go from 2:00 to 3:00 on that day")
    return moment


def _clock_behind(rest: str) -> str:
    """What stands behind a day, without what separates them; empty where nothing does."""
    separator = _BEFORE_CLOCK.match(rest)
    if rest and separator is None:
        raise ValueError("something is left over behind the day")
    return rest[separator.end() :] if separator is not None else ""


def parse_time(
    text: str, *, slot: SlotEnd | None = None, years: TwoDigitYears = TwoDigitYears.NEAR, today: date | None = None
) -> str:
    """
    The canonical time, or day and time where a date stands in front. With a `slot`, a range of times is taken too,
    and its start or end is meant: `14-16 Uhr`, `05.12.2026 14:00-16:00`. Raises ValueError with what is accepted.
    """
    text = text.strip()
    try:
        instant = _instant(text)
        if instant is not None:
            return _local_time(instant).isoformat(timespec="seconds")
        match = _DAY.match(text) or _ISO_DAY.match(text)
        if match is None:
            return _canonical_time(_time_or_range(text, slot))
        day = _calendar_day(match, years, today)
        clock = _time_or_range(_clock_behind(text[match.end() :]), slot)
        return reject_skipped_hour(datetime.combine(day, clock)).isoformat(timespec="seconds")
    except _SkippedHour as error:
        raise ValueError(f"{_quoted(text)} {error}; accepted: {SLOT_HELP if slot else TIME_HELP}") from error
    except ValueError as error:
        raise ValueError(f"{_quoted(text)} is not a time; accepted: {SLOT_HELP if slot else TIME_HELP}") from error


def _time_or_range(text: str, slot: SlotEnd | None) -> time:
    pieces = _RANGE.split(text) if slot is not None else [text]
    if len(pieces) == 1:
        return _clock_time(text)
    start, end = pieces
    if _UHR.search(end) and not _UHR.search(start):
        start += " Uhr"
    times = _clock_time(start), _clock_time(end)
    if times[0] >= times[1]:
        raise ValueError("the range ends before it starts")
    return times[slot == "to"]


def format_planso_date(canonical: str) -> str:
    """A canonical day, month, time, or day and time in the words that PlanSo's form uses."""
    if re.fullmatch(r"\d{4}-\d{2}", canonical):
        return f"{canonical[5:7]}/{canonical[:4]}"
    if "-" not in canonical:
        return canonical
    day, _, clock = canonical.partition("T")
    german = f"{day[8:10]}.{day[5:7]}.{day[:4]}"
    return f"{german} {clock}" if clock else german


def parse_decimal(text: str, *, dot_groups: bool = True) -> float:
    """
    `1.234,56` and `11,30` as PlanSo writes them; `11.3` too, since some installations do.

    A single dot before exactly three digits groups thousands (`1.234` is 1234, as prices and kilometres are written),
    unless `dot_groups` is False: hours are never thousands, and `1.500` is one and a half. `0.125` is less than one
    either way. Raises ValueError for anything else.
    """
    value = float(parse_exact_decimal(text, dot_groups=dot_groups))
    if not math.isfinite(value):
        raise ValueError(f"{_quoted(text)} is out of range")
    return value + 0.0  # no -0.0


def parse_exact_decimal(text: str, *, dot_groups: bool = True) -> Decimal:
    """As `parse_decimal`, with the decimals that stand there: `11,30` has two."""
    plain = _BLANKS.sub("", text).removesuffix("h").removesuffix("€")
    if (_GROUPED if dot_groups else _GROUPED_SURELY).fullmatch(plain):
        plain = plain.replace(".", "").replace(",", ".")
    elif _COMMA.fullmatch(plain):
        plain = plain.replace(",", ".")
    if not _NUMBER.fullmatch(plain):
        raise ValueError(f"{_quoted(text)} is not a number")
    return Decimal(plain)


def format_planso_decimal(value: float) -> str:
    """`11,30`: at least two decimals and as many as the number has, no grouping."""
    text = f"{value:.2f}" if round(value, 2) == value else repr(value)
    if "e" in text:
        text = f"{value:f}"
    return text.replace(".", ",")
