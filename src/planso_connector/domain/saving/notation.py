"""
Writing a value in the notation of the text that stands in a control now: ISO dates where ISO stands, a time behind the
day where one stands there, a decimal point or comma, grouped thousands. Pure.

Source: the PlanSo protocol's section 10: a field can be stored in another notation than it is shown. Where nothing
stands there, or nothing that is understood, PlanSo's German notation is written.
"""

from __future__ import annotations

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
    """How a date or time is written. `clock` is empty for a day alone, else `HH:MM` or `HH:MM:SS`."""

    has_day: bool = True
    is_iso: bool = False
    has_short_year: bool = False
    gap: str = " "
    clock: str = ""
    suffix: str = ""
    """` Uhr` where that stands behind the time."""


def parse_date_notation(standing: str) -> DateNotation | None:
    """The notation of a day or a time; None where nothing stands there, or something else."""
    text = standing.replace("\xa0", " ").strip()
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
    """A canonical day."""
    if notation.is_iso:
        return day
    return f"{day[8:10]}.{day[5:7]}.{day[2:4] if notation.has_short_year else day[:4]}"


def format_clock(notation: DateNotation, clock: str) -> str:
    """A canonical time; its seconds are never left out where it has some."""
    if notation.clock == "HH:MM":
        clock = clock.removesuffix(":00") if clock.count(":") == 2 else clock
    elif notation.clock and clock.count(":") == 1:
        clock = f"{clock}:00"
    return f"{clock}{notation.suffix}"


def format_moment(notation: DateNotation, canonical: str) -> str:
    """A canonical day, or day and time. A day alone is written with midnight where a time stands."""
    day, _, clock = canonical.partition("T")
    if not clock and notation.clock:
        clock = "00:00"
    return (
        f"{format_day(notation, day)}{notation.gap}{format_clock(notation, clock)}"
        if clock
        else format_day(notation, day)
    )


def format_month(standing: str, canonical: str) -> str:
    """A canonical month, in the notation of a month that stands there."""
    match = _MONTH.fullmatch(standing.strip())
    if match is None:
        return format_planso_date(canonical)
    if match["iso"]:
        return canonical
    return f"{canonical[5:7]}{match['sep']}{canonical[2:4] if match['short'] else canonical[:4]}"


def format_hours(standing: str, value: float) -> str:
    """
    A number of hours: with a point or a comma, grouped or not, with the unit and at least as many decimals as stand
    there, two at least. A dot alone is a decimal point.
    """
    text = format_planso_decimal(value)
    match = _NUMBER.fullmatch(standing.replace("\xa0", " ").strip())
    if match is None:
        return text
    whole, _, decimals = text.partition(",")
    decimals = decimals.ljust(len(match["decimals"] or ""), "0")
    point = match["point"] or ","
    if match["grouped"] is not None and point == ",":
        whole = f"{int(whole):,}".replace(",", ".")
    written = f"{whole}{point}{decimals}{match['unit'] or ''}"
    return written if _reads_as(written, value) else text


def _reads_as(written: str, value: float) -> bool:
    try:
        return german_formats.parse_decimal(written, dot_groups=False) == value
    except ValueError:
        return False
