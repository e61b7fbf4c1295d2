"""
German dates, times and decimals, in and out.

Canonical forms, used in the mirror and in answers:
- day `2025-12-16`, month `2025-12` (only where a field allows it: HU/AU papers name no day),
- day and time `2025-12-16T12:08:59`, time `12:08` or `12:08:59`,
- number: a float.

PlanSo's forms: `16.12.2025`, `12/2025`, `16.12.2025 12:08:59`, `12:08`, `11,30`. ISO dates occur in PlanSo too.
Instants with an offset (`...Z`, `+02:00`) are told in German local time, which is what a workshop's wall shows.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")

_DAY = re.compile(r"(?P<d>\d{1,2})\s*\.\s*(?P<m>\d{1,2})\s*\.\s*(?P<y>\d{4}|\d{2})(?!\d)")
_ISO_DAY = re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?!\d)")
_MONTH = re.compile(r"(?P<m>\d{1,2})\s*[./-]\s*(?P<y>\d{4})")
_ISO_MONTH = re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})")
_CLOCK = re.compile(
    r"(?P<h>\d{1,2})(?:[:.](?P<min>\d{2})(?::(?P<s>\d{2})(?:\.\d{1,9})?)?)?"
    r"(?P<off>\s*(?:Z|[+-]\d{2}:?\d{2}))?(?P<uhr>\s*Uhr)?",
    re.IGNORECASE,
)
_BLANKS = re.compile(r"[\s\xa0\u202f']")
_GROUPED = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?")
_COMMA = re.compile(r"[+-]?\d*,\d*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")

DATE_HELP = "a date such as 16.12.2025, 16.12.25 or 2025-12-16, a time may follow"
MONTH_HELP = "a date such as 16.12.2025 or 2025-12-16, or a month such as 12/2025"
TIME_HELP = "a time such as 08:30, 08:30:00 or 8 Uhr, a date may stand in front"


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (2000 if year < 70 else 1900)


def _calendar_day(match: re.Match[str]) -> date:
    day = date(_year(match["y"]), int(match["m"]), int(match["d"]))
    if not 1900 <= day.year <= 2199:
        raise ValueError("the year is out of range, 1900 to 2199")
    return day


def _clock_time(text: str) -> tuple[time, str | None]:
    match = _CLOCK.fullmatch(text)
    if match is None or (match["min"] is None and match["uhr"] is None):
        raise ValueError("not a time")
    return time(int(match["h"]), int(match["min"] or 0), int(match["s"] or 0)), match["off"]


def _canonical_time(value: time) -> str:
    return value.strftime("%H:%M:%S" if value.second else "%H:%M")


def parse_date(text: str, *, month_allowed: bool = False) -> str:
    """
    The canonical day, or day and time when `text` names a time other than midnight.

    Raises ValueError with what would be accepted: for words, and for days that no calendar has (31.02.).
    """
    help_text = MONTH_HELP if month_allowed else DATE_HELP
    text = text.strip()
    match = _DAY.match(text) or _ISO_DAY.match(text)
    try:
        if match is not None:
            return _day_and_rest(_calendar_day(match), text[match.end() :])
        month = (_MONTH.fullmatch(text) or _ISO_MONTH.fullmatch(text)) if month_allowed else None
        if month is not None:
            return date(int(month["y"]), int(month["m"]), 1).strftime("%Y-%m")
    except ValueError as error:
        raise ValueError(f"{_quoted(text)} is not on the calendar or the clock; accepted: {help_text}") from error
    raise ValueError(f"{_quoted(text)} is not a date; accepted: {help_text}")


def _quoted(text: str) -> str:
    return f"'{text[:40]}…'" if len(text) > 40 else f"'{text}'"


def _day_and_rest(day: date, rest: str) -> str:
    rest = rest.lstrip("T").strip(" ,\xa0")
    if not rest:
        return day.isoformat()
    clock, offset = _clock_time(rest)
    moment = datetime.combine(day, clock)
    if offset:
        aware = datetime.fromisoformat(moment.isoformat() + offset.strip().upper())
        moment = aware.astimezone(BERLIN).replace(tzinfo=None)
    if moment.time() == time():
        return moment.date().isoformat()
    return moment.isoformat(timespec="seconds")


def parse_time(text: str) -> str:
    """The canonical time, or day and time where a date stands in front. Raises ValueError with what is accepted."""
    text = text.strip()
    try:
        match = _DAY.match(text) or _ISO_DAY.match(text)
        if match is not None:
            rest = text[match.end() :].lstrip("T").strip(" ,\xa0")
            moment = _day_and_rest(_calendar_day(match), rest)
            if not rest:
                raise ValueError("a date alone")
            return moment if "T" in moment else f"{moment}T00:00:00"
        clock, offset = _clock_time(text)
        if offset:
            raise ValueError("an offset needs a date")
        return _canonical_time(clock)
    except ValueError as error:
        raise ValueError(f"{_quoted(text)} is not a time; accepted: {TIME_HELP}") from error


def planso_date(canonical: str) -> str:
    """A canonical day, month, time, or day and time in the words that PlanSo's form uses."""
    if re.fullmatch(r"\d{4}-\d{2}", canonical):
        return f"{canonical[5:7]}/{canonical[:4]}"
    if "-" not in canonical:
        return canonical
    day, _, clock = canonical.partition("T")
    german = f"{day[8:10]}.{day[5:7]}.{day[:4]}"
    return f"{german} {clock}" if clock else german


def parse_decimal(text: str) -> float:
    """
    `1.234,56` and `11,30` as PlanSo writes them; `11.3` too, since some installations do.

    A single point before exactly three digits groups thousands: `1.234` is 1234. Raises ValueError for anything else.
    """
    plain = _BLANKS.sub("", text).removesuffix("h").removesuffix("€")
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(".", "").replace(",", ".")
    elif _COMMA.fullmatch(plain):
        plain = plain.replace(",", ".")
    if not _NUMBER.fullmatch(plain):
        raise ValueError(f"'{text}' is not a number")
    value = float(plain)
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is out of range")
    return value


def planso_decimal(value: float) -> str:
    """`11,30`: at least two decimals and as many as the number has, no grouping."""
    text = f"{value:.2f}" if round(value, 2) == value else repr(value)
    if "e" in text:
        text = f"{value:f}"
    return text.replace(".", ",")
