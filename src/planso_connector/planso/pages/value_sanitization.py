"""
HTML's value sanitization: what a browser makes of an input's `value` attribute before anybody sees or sends it. Source:
the HTML standard, checked against Chromium: a text input drops line breaks, an input of type number or date that holds
anything but its own notation is empty.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date

_Attributes = Mapping[str, str | None]
_LINE_BREAKS = str.maketrans("", "", "\r\n")
_SPACE = " \t\n\f\r"
_NUMBER = re.compile(r"-?(\d+(\.\d+)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_DATE = re.compile(r"(\d{4,6})-(\d\d)-(\d\d)", re.ASCII)
_MONTH = re.compile(r"(?!0+-)\d{4,6}-(0[1-9]|1[0-2])", re.ASCII)
_WEEK = re.compile(r"(\d{4})-W(\d\d)", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,3})?)?", re.ASCII)
_MOMENT = re.compile(r"([\d-]+)[T ]([\d:.]+)", re.ASCII)
_TRAILING_ZEROS = re.compile(r"(?<=\.\d)0+$|(?<=\.\d\d)0+$|\.0+$")
_COLOUR = re.compile(r"#[\da-f]{6}", re.ASCII)
_UNCHANGED_TYPES = frozenset(
    {"hidden", "checkbox", "radio", "submit", "button", "image", "reset", "file", "textarea", "select"}
)
"""All other types, unknown ones too, are text inputs."""


def sanitize_value(input_type: str, value: str, attributes: _Attributes) -> str:
    """The value that a browser gives an input of this type (lower case) whose attribute is `value`."""
    sanitize = _SANITIZERS.get(input_type)
    if sanitize is not None:
        return sanitize(value, attributes)
    if input_type in _UNCHANGED_TYPES or ("\n" not in value and "\r" not in value):
        return value
    return value.translate(_LINE_BREAKS)


def _is_number(value: str) -> bool:
    return _NUMBER.fullmatch(value) is not None and math.isfinite(float(value))


def _sanitize_range(value: str, attributes: _Attributes) -> str:
    """A slider always holds a number: the middle where it names none. Its steps are left to the browser."""
    low, high = _read_bound(attributes, "min", 0.0), _read_bound(attributes, "max", 100.0)
    if not _is_number(value):
        return _format(low + (high - low) / 2 if high > low else low)
    if float(value) < low or high < low:
        return _format(low)
    return _format(high) if float(value) > high else value


def _read_bound(attributes: _Attributes, name: str, default: float) -> float:
    text = attributes.get(name) or ""
    return float(text) if _is_number(text) else default


def _format(number: float) -> str:
    return repr(number).removesuffix(".0")


def _is_date(value: str) -> bool:
    match = _DATE.fullmatch(value)
    if match is None:
        return False
    year, month, day = map(int, match.groups())
    try:
        # The calendar repeats every 400 years; Python's ends at 9999, HTML's does not.
        date(2000 + year % 400 if year else 0, month, day)
    except ValueError:
        return False
    return year <= 275760


def _is_week(value: str) -> bool:
    match = _WEEK.fullmatch(value)
    try:
        return match is not None and bool(date.fromisocalendar(int(match[1]), int(match[2]), 1))
    except ValueError:
        return False


def _sanitize_moment(value: str) -> str:
    """`2026-12-15 16:00:00` is `2026-12-15T16:00`: seconds only where there are some."""
    match = _MOMENT.fullmatch(value)
    if match is None or not _is_date(match[1]) or not _TIME.fullmatch(match[2]):
        return ""
    time = match[2]
    if len(time) > len("16:00"):
        time = _TRAILING_ZEROS.sub("", time).removesuffix(":00")
    return f"{match[1]}T{time}"


def _sanitize_email(value: str, attributes: _Attributes) -> str:
    addresses = value.translate(_LINE_BREAKS).split(",") if "multiple" in attributes else [_sanitize_url(value)]
    return ",".join(address.strip(_SPACE) for address in addresses)


def _sanitize_url(value: str) -> str:
    return value.translate(_LINE_BREAKS).strip(_SPACE)


_SANITIZERS: Mapping[str, Callable[[str, _Attributes], str]] = {
    "number": lambda value, _: value if _is_number(value) else "",
    "range": _sanitize_range,
    "date": lambda value, _: value if _is_date(value) else "",
    "month": lambda value, _: value if _MONTH.fullmatch(value) else "",
    "week": lambda value, _: value if _is_week(value) else "",
    "time": lambda value, _: value if _TIME.fullmatch(value) else "",
    "datetime-local": lambda value, _: _sanitize_moment(value),
    "email": _sanitize_email,
    "url": lambda value, _: _sanitize_url(value),
    "color": lambda value, _: value.lower() if _COLOUR.fullmatch(value.lower()) else "#000000",
}
