"""
Parse and format German dates, times and decimals.

Canonical forms, in the mirror and in responses:
- day `2025-12-16`, month `2025-12` (only where a field allows it: HU/AU papers name no day),
- day and time `2025-12-16T12:08:59`, time `12:08` or `12:08:59`,
- number: a float.

PlanSo's forms: `16.12.2025`, `12/2025`, `16.12.2025 12:08:59`, `12:08`, `11,30`; ISO dates occur too. Instants with an
offset (`2025-12-16T12:08:59Z`) become German local time, which a workshop's clock shows. Anything left over behind a
date or time is an error.
"""

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Literal
from zoneinfo import ZoneInfo

from planso_connector.domain.messages import MESSAGES, InvalidValue, Message

BERLIN = ZoneInfo("Europe/Berlin")

_DAY = re.compile(r"(?P<d>\d{1,2})\s*\.\s*(?P<m>\d{1,2})\s*\.\s*(?P<y>\d{4}|\d{2})(?!\d)")
_ISO_DAY = re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?!\d)")
_MONTH = re.compile(r"(?P<m>\d{1,2})(?:\s*[./-]\s*(?P<y>\d{4})|\s*(?P<sep>[./])\s*(?P<short>\d{2}))")
_ISO_MONTH = re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})(?P<short>)")
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?P<seconds>:\d{2})?(?:\.\d{1,9})?(?:Z|(?P<sign>[+-])\d{2}:?[0-5]\d)",
    re.IGNORECASE,
)
_BEFORE_CLOCK = re.compile(r"T|\s*,\s*|\s+", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?P<h>\d{1,2})(?:[:.](?P<min>\d{2})(?::(?P<s>\d{2})(?:\.\d{1,9})?)?)?(?P<uhr>\s*Uhr)?", re.IGNORECASE
)
_RANGE = re.compile(r"\s*(?:[-\u2013\u2014]|\bbis\b)\s*", re.IGNORECASE)
_UHR = re.compile(r"\s*Uhr$", re.IGNORECASE)
_BLANKS = re.compile(r"[\s\xa0\u202f']")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?")
_GROUPED_SURELY = re.compile(r"[+-]?[1-9]\d{0,2}((\.\d{3})+,\d*|(\.\d{3}){2,})")
_COMMA = re.compile(r"[+-]?\d*,\d*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")

DATE_HELP = MESSAGES["date_help"].en

SlotEnd = Literal["from", "to"]
"""Which end of a range of times a field holds."""


class TwoDigitYears(Enum):
    """How a field's years of two digits are completed."""

    NEAR = auto()
    """Appointments, HU: at most `MAX_YEARS_FROM_TODAY` from today's year."""
    PAST = auto()
    """Registrations: the latest year up to the next one, so `01.07.65` is 1965."""


MAX_YEARS_FROM_TODAY = 25


def local_today() -> date:
    """Today at the workshop."""
    return datetime.now(BERLIN).date()


def _get_reason(error: ValueError, otherwise: str) -> Message:
    """What completes the sentence `'...' ...`."""
    return error.message if isinstance(error, InvalidValue) else MESSAGES[otherwise]


_LIKE_A_DATE = re.compile(
    r"\D{0,12}(?:\d{1,2}\.\s?\d{1,2}\.|\d{4}-\d\d-\d\d|\d{1,2}[-/]\d{1,2}[-/](?:\d\d){1,2}\b|\d{8}$|\d{1,2}:\d\d).*"
)


def looks_like_date(text: str) -> bool:
    """Whether a text is a date or time, maybe incomplete or with words around it: `14.12.`, `bis 14.12.26 8 Uhr`."""
    return _LIKE_A_DATE.fullmatch(text.strip()) is not None


def parse_date(
    text: str, *, month_allowed: bool = False, years: TwoDigitYears = TwoDigitYears.NEAR, today: date | None = None
) -> str:
    """
    The canonical day, or day and time for a time other than midnight; a month where `month_allowed`.

    `years` and `today`, by default the workshop's, complete a year of two digits. Raises ValueError with what is
    accepted: for words, ranges, weekdays, and days that are on no calendar (31.02.).
    """
    text = text.strip()
    try:
        return _parse_date(text, month_allowed, years, today)
    except ValueError as error:
        reason, accepted = (
            _get_reason(error, "not_on_calendar"),
            MESSAGES["month_help" if month_allowed else "date_help"],
        )
        raise InvalidValue("moment", text=_shorten(text), reason=reason, accepted=accepted) from error


def _parse_date(text: str, month_allowed: bool, years: TwoDigitYears, today: date | None) -> str:
    instant = _parse_instant(text)
    if instant is not None:
        return _format_moment(instant)
    found = _split_day(text, years, today)
    if found is not None:
        day, clock = found
        return _format_moment(reject_skipped_hour(datetime.combine(day, _parse_clock(clock) if clock else time())))
    month = (_MONTH.fullmatch(text) or _ISO_MONTH.fullmatch(text)) if month_allowed else None
    if month is None:
        raise InvalidValue("not_a_date")
    short = month["short"]
    if short and month["sep"] == "." and int(short) <= 12:
        raise ValueError("a day without a year, or a month")
    return date(_complete_year(short or month["y"], years, today), int(month["m"]), 1).strftime("%Y-%m")


def parse_time(text: str, *, slot: SlotEnd | None = None, today: date | None = None) -> str:
    """
    The canonical time, or day and time where a date comes first. With a `slot` also that end of a range of times:
    `14-16 Uhr`, `05.12.2026 14:00-16:00`. Raises ValueError with what is accepted.
    """
    text = text.strip()
    try:
        instant = _parse_instant(text)
        if instant is not None:
            return instant.isoformat(timespec="seconds")
        found = _split_day(text, TwoDigitYears.NEAR, today)
        if found is None:
            clock = _parse_clock_or_range(text, slot)
            return clock.strftime("%H:%M:%S" if clock.second else "%H:%M")
        day, rest = found
        moment = reject_skipped_hour(datetime.combine(day, _parse_clock_or_range(rest, slot)))
        return moment.isoformat(timespec="seconds")
    except ValueError as error:
        reason, accepted = _get_reason(error, "not_a_time"), MESSAGES["slot_help" if slot else "time_help"]
        raise InvalidValue("moment", text=_shorten(text), reason=reason, accepted=accepted) from error


def _shorten(text: str) -> str:
    return f"{text[:40]}…" if len(text) > 40 else text


def _quote(text: str) -> str:
    return f"'{_shorten(text)}'"


def _parse_instant(text: str) -> datetime | None:
    """The workshop's local time of a date and time with an offset; None for any other text."""
    match = _INSTANT.fullmatch(text)
    # Behind a time without seconds, a minus is the dash of a range.
    if match is None or (match["sign"] == "-" and match["seconds"] is None):
        return None
    moment = datetime.fromisoformat(text.upper()).replace(microsecond=0)
    offset = moment.utcoffset()
    if offset is None or not timedelta(hours=-12) <= offset <= timedelta(hours=14):
        raise ValueError("no country has such an offset")
    _check_year(moment)
    return moment.astimezone(BERLIN).replace(tzinfo=None)


def _split_day(text: str, years: TwoDigitYears, today: date | None) -> tuple[date, str] | None:
    """The day at the beginning of a text, and the time behind it, which may be empty; None without a day."""
    match = _DAY.match(text) or _ISO_DAY.match(text)
    if match is None:
        return None
    day = date(_complete_year(match["y"], years, today), int(match["m"]), int(match["d"]))
    _check_year(day)
    rest = text[match.end() :]
    separator = _BEFORE_CLOCK.match(rest)
    if rest and separator is None:
        raise ValueError("something is left over behind the day")
    return day, rest[separator.end() :] if separator is not None else ""


def _complete_year(digits: str, years: TwoDigitYears, today: date | None) -> int:
    if len(digits) == 4:
        return int(digits)
    this_year = (today or local_today()).year
    latest = this_year + (1 if years is TwoDigitYears.PAST else MAX_YEARS_FROM_TODAY)
    year = latest - (latest - int(digits)) % 100
    if years is TwoDigitYears.NEAR and abs(year - this_year) > MAX_YEARS_FROM_TODAY:
        raise InvalidValue("unclear_century")
    return year


def _check_year(day: date) -> None:
    if not 1900 <= day.year <= 2199:
        raise ValueError("the year is out of range, 1900 to 2199")


def _parse_clock(text: str) -> time:
    match = _CLOCK.fullmatch(text)
    if match is None or (match["min"] is None and match["uhr"] is None):
        raise ValueError("not a time")
    return time(int(match["h"]), int(match["min"] or 0), int(match["s"] or 0))


def _parse_clock_or_range(text: str, slot: SlotEnd | None) -> time:
    parts = _RANGE.split(text) if slot is not None else [text]
    if len(parts) == 1:
        return _parse_clock(text)
    start, end = parts
    if _UHR.search(end) and not _UHR.search(start):
        start += " Uhr"
    times = _parse_clock(start), _parse_clock(end)
    if times[0] >= times[1]:
        raise ValueError("the range ends before it starts")
    return times[slot == "to"]


def _format_moment(moment: datetime) -> str:
    return moment.date().isoformat() if moment.time() == time() else moment.isoformat(timespec="seconds")


def reject_skipped_hour(moment: datetime) -> datetime:
    """`moment` itself, a local time. Raises ValueError in the hour that is skipped when summer time begins."""
    there_and_back = moment.replace(tzinfo=BERLIN).astimezone(UTC).astimezone(BERLIN)
    if there_and_back.replace(tzinfo=None) != moment:
        raise InvalidValue("skipped_hour")
    return moment


def format_planso_date(canonical: str) -> str:
    """A canonical day, month, time, or day and time as PlanSo's form has it."""
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
        raise ValueError(f"{_quote(text)} is out of range")
    return value + 0.0  # no -0.0


def parse_exact_decimal(text: str, *, dot_groups: bool = True) -> Decimal:
    """As `parse_decimal`, with the decimals of the text: `11,30` has two."""
    plain = _BLANKS.sub("", text).removesuffix("h").removesuffix("€")
    if (_GROUPED if dot_groups else _GROUPED_SURELY).fullmatch(plain):
        plain = plain.replace(".", "").replace(",", ".")
    elif _COMMA.fullmatch(plain):
        plain = plain.replace(",", ".")
    if not _NUMBER.fullmatch(plain):
        raise ValueError(f"{_quote(text)} is not a number")
    return Decimal(plain)


def format_planso_decimal(value: float) -> str:
    """`11,30`: at least two decimals and as many as the number has, no grouping."""
    text = f"{value:.2f}" if round(value, 2) == value else repr(value)
    if "e" in text:
        text = f"{value:f}"
    return text.replace(".", ",")
