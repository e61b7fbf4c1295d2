"""
Write a value in the notation of the text that a control holds now: ISO dates, a time behind the day, a decimal point or
comma, grouped thousands. An empty or unknown text gives PlanSo's German notation. Pure.

Source: the PlanSo protocol's section 10: a field can be stored in another notation than it is shown.
"""

import re
from dataclasses import dataclass

from planso_connector.domain import german_formats
from planso_connector.domain.german_formats import format_planso_date, format_planso_decimal

_DAY = r"(?P<german>\d{1,2}\.\d{1,2}\.(?:\d{4}|(?P<short>\d{2})))|(?P<iso>\d{4}-\d{2}-\d{2})"
_CLOCK = r"(?P<clock>\d{1,2}:\d{2}(?P<seconds>:\d{2})?)(?P<uhr>\s*Uhr)?"
_MOMENT = re.compile(rf"(?:{_DAY})(?:(?P<gap>T|,?\s+){_CLOCK})?")
_TIME = re.compile(_CLOCK)
_MONTH = re.compile(r"\d{1,2}(?P<sep>[/.])(?:\d{4}|(?P<short>\d{2}))|(?P<iso>\d{4}-\d{2})")
_NUMBER = re.compile(r"(?:\d+|\d{1,3}(?P<grouped>\.\d{3})+)(?:(?P<point>[.,])(?P<decimals>\d*))?(?P<unit>\s*(?:h|€))?")


@dataclass(frozen=True, slots=True)
class DateNotation:
    """`gap`: between day and time; `clock`: `HH:MM`, `HH:MM:SS` or empty for a day alone; `suffix`: such as ` Uhr`."""

    has_day: bool = True
    is_iso: bool = False
    has_short_year: bool = False
    gap: str = " "
    clock: str = ""
    suffix: str = ""


def parse_date_notation(held: str) -> DateNotation | None:
    """The notation of a day or a time; None for another text."""
    text = held.replace("\xa0", " ").strip()
    match = _MOMENT.fullmatch(text)
    if match is not None:
        return DateNotation(
            is_iso=match["iso"] is not None,
            has_short_year=match["short"] is not None,
            gap=match["gap"] or " ",
            clock=_clock_notation(match),
            suffix=match["uhr"] or "",
        )
    match = _TIME.fullmatch(text)
    return DateNotation(has_day=False, clock=_clock_notation(match), suffix=match["uhr"] or "") if match else None


def _clock_notation(match: re.Match[str]) -> str:
    if match["clock"] is None:
        return ""
    return "HH:MM:SS" if match["seconds"] else "HH:MM"


def format_day(notation: DateNotation, day: str) -> str:
    """`day` is canonical, as in all of these."""
    if notation.is_iso:
        return day
    return f"{day[8:10]}.{day[5:7]}.{day[2:4] if notation.has_short_year else day[:4]}"


def format_clock(notation: DateNotation, clock: str) -> str:
    """Seconds other than 00 are always written."""
    if notation.clock == "HH:MM":
        clock = clock.removesuffix(":00") if clock.count(":") == 2 else clock
    elif notation.clock and clock.count(":") == 1:
        clock = f"{clock}:00"
    return f"{clock}{notation.suffix}"


def format_moment(notation: DateNotation, moment: str) -> str:
    """A day, or a day and time. A day alone is written with midnight where the notation has a time."""
    day, _, clock = moment.partition("T")
    if not clock and notation.clock:
        clock = "00:00"
    formatted = format_day(notation, day)
    return f"{formatted}{notation.gap}{format_clock(notation, clock)}" if clock else formatted


def format_month(held: str, month: str) -> str:
    """In the notation of the text that the control holds."""
    match = _MONTH.fullmatch(held.strip())
    if match is None:
        return format_planso_date(month)
    if match["iso"]:
        return month
    return f"{month[5:7]}{match['sep']}{month[2:4] if match['short'] else month[:4]}"


def format_hours(held: str, hours: float) -> str:
    """In the notation of the held text, with as many decimals, at least two. A dot alone is a decimal point."""
    text = format_planso_decimal(hours)
    match = _NUMBER.fullmatch(held.replace("\xa0", " ").strip())
    if match is None:
        return text
    whole, _, decimals = text.partition(",")
    decimals = decimals.ljust(len(match["decimals"] or ""), "0")
    point = match["point"] or ","
    if match["grouped"] is not None and point == ",":
        whole = f"{int(whole):,}".replace(",", ".")
    formatted = f"{whole}{point}{decimals}{match['unit'] or ''}"
    return formatted if _reads_as(formatted, hours) else text


def _reads_as(text: str, hours: float) -> bool:
    try:
        return german_formats.parse_decimal(text, dot_groups=False) == hours
    except ValueError:
        return False
