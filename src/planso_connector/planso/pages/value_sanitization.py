"""
What a browser makes of an input's `value` attribute before anybody sees or sends it. Pure.

Source: HTML's value sanitisation algorithm of each input type, held against Chromium: a text input drops line breaks,
an input of type number or date that holds anything but its own notation is empty.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date

_LINE_BREAKS = str.maketrans("", "", "\r\n")
_SPACE = " \t\n\f\r"
_NUMBER = re.compile(r"-?(\d+(\.\d+)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_DATE = re.compile(r"(\d{4,6})-(\d\d)-(\d\d)", re.ASCII)
_MONTH = re.compile(r"\d{4,6}-(0[1-9]|1[0-2])", re.ASCII)
_WEEK = re.compile(r"(\d{4})-W(\d\d)", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,3})?)?", re.ASCII)
_MOMENT = re.compile(r"([\d-]+)[T ]([\d:.]+)", re.ASCII)
_NOUGHTS = re.compile(r"(?<=\.\d)0+$|(?<=\.\d\d)0+$|\.0+$")
_COLOUR = re.compile(r"#[\da-f]{6}", re.ASCII)


def sanitize_value(input_type: str, value: str, attributes: Mapping[str, str | None]) -> str:
    """The value that a browser gives an input of this type (lower case) whose attribute is `value`."""
    sanitise = _BY_TYPE.get(input_type)
    if sanitise is not None:
        return sanitise(value, attributes)
    if input_type in _KEPT or ("\n" not in value and "\r" not in value):
        return value
    return value.translate(_LINE_BREAKS)


_KEPT = frozenset({"hidden", "checkbox", "radio", "submit", "button", "image", "reset", "file", "textarea", "select"})
"""Types whose value stays as it is. All others, unknown ones too, are text inputs."""


def _number(value: str, _: object) -> str:
    return value if _NUMBER.fullmatch(value) and math.isfinite(float(value)) else ""


def _range(value: str, attributes: Mapping[str, str | None]) -> str:
    """A slider always holds a number: the middle where it names none. Its steps are left to the browser."""
    low, high = _bound(attributes, "min", 0.0), _bound(attributes, "max", 100.0)
    if not _number(value, None):
        return _short(low + (high - low) / 2 if high > low else low)
    number = float(value)
    if number < low or high < low:
        return _short(low)
    return _short(high) if number > high else value


def _bound(attributes: Mapping[str, str | None], name: str, default: float) -> float:
    text = attributes.get(name) or ""
    return float(text) if _number(text, None) else default


def _short(number: float) -> str:
    return repr(number).removesuffix(".0")


def _date(value: str, _: object) -> str:
    match = _DATE.fullmatch(value)
    if match is None:
        return ""
    year, month, day = map(int, match.groups())
    try:
        # The calendar repeats every 400 years; Python's ends at 9999, HTML's does not.
        date(2000 + year % 400 if year else 0, month, day)
    except ValueError:
        return ""
    return value if year <= 275760 else ""


def _month(value: str, _: object) -> str:
    return value if _MONTH.fullmatch(value) and int(value[:-3]) else ""


def _week(value: str, _: object) -> str:
    match = _WEEK.fullmatch(value)
    if match is None:
        return ""
    try:
        date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError:
        return ""
    return value


def _time(value: str, _: object) -> str:
    return value if _TIME.fullmatch(value) else ""


def _moment(value: str, _: object) -> str:
    """`2026-12-15 16:00:00` is `2026-12-15T16:00`: seconds only where there are some."""
    match = _MOMENT.fullmatch(value)
    if match is None or not _date(match[1], None) or not _time(match[2], None):
        return ""
    clock = match[2]
    if len(clock) > len("16:00"):
        clock = _NOUGHTS.sub("", clock).removesuffix(":00")
    return f"{match[1]}T{clock}"


def _address(value: str, attributes: Mapping[str, str | None]) -> str:
    line = value.translate(_LINE_BREAKS)
    if "multiple" in attributes:
        return ",".join(part.strip(_SPACE) for part in line.split(","))
    return line.strip(_SPACE)


def _url(value: str, _: object) -> str:
    return value.translate(_LINE_BREAKS).strip(_SPACE)


def _colour(value: str, _: object) -> str:
    return value.lower() if _COLOUR.fullmatch(value.lower()) else "#000000"


_BY_TYPE: Mapping[str, Callable[[str, Mapping[str, str | None]], str]] = {
    "number": _number,
    "range": _range,
    "date": _date,
    "month": _month,
    "week": _week,
    "time": _time,
    "datetime-local": _moment,
    "email": _address,
    "url": _url,
    "color": _colour,
}
