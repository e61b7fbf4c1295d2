"""
What a field's value may be, by kind: from the caller's words to the canonical value, from there to PlanSo's words and
back, and when two values are the same. Each direction raises ValueError with what would be accepted.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import partial

from planso_connector.domain import german
from planso_connector.domain.fields import Field, Kind, Value

MAX_ID = 2**63 - 1
MAX_HOURS = 1_000_000.0

_ID = re.compile(r"\d{1,18}")
_YES = frozenset({"1", "ja", "j", "yes", "true", "on", "wahr", "x"})
_NO = frozenset({"0", "nein", "n", "no", "false", "off", "falsch", ""})


def checked_text(text: str, *, line_breaks: bool) -> str:
    """`text` itself. Raises ValueError for NUL, control characters (line breaks where allowed) and lone surrogates."""
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            raise ValueError("holds half a character (a lone surrogate); send whole Unicode characters")
        if category == "Cc" and not (line_breaks and character in "\r\n"):
            allowed = "line breaks are the only control characters accepted" if line_breaks else "accepted: one line"
            raise ValueError(f"holds the control character U+{ord(character):04X}; {allowed}")
    return text


def accept(field: Field, given: str | float) -> Value:
    """The canonical value of what a caller sent; `""` (clear it) is None. Raises ValueError."""
    if isinstance(given, str):
        checked_text(given, line_breaks=field.kind is Kind.LONG_TEXT)
        if given and not given.strip():
            raise ValueError('holds nothing but blanks; send "" to clear the field')
        return _canonical_text(field.kind, given.strip())
    if field.kind is Kind.NUMBER and not (math.isfinite(given) and 0 <= given <= MAX_HOURS):
        raise ValueError(f"accepted: a number from 0 to {MAX_HOURS:.0f}")
    if field.kind is Kind.ID and not 1 <= given <= MAX_ID:
        raise ValueError(f"accepted: an id from 1 to {MAX_ID}")
    return given


def _canonical_text(kind: Kind, text: str) -> Value:
    if not text:
        return None
    parse = _PARSED.get(kind)
    return parse(text) if parse is not None else text


def read(kind: Kind, shown: str) -> Value:
    """
    The canonical value of what PlanSo shows; None for nothing, and for what its kind can't hold (the order's `fields`
    keep the words as they are).
    """
    text = shown.replace("\xa0", " ").strip()
    if not text:
        return None
    try:
        to_value = _SHOWN_OTHERWISE.get(kind)
        return to_value(text) if to_value is not None else _canonical_text(kind, text.replace("\r\n", "\n"))
    except ValueError:
        return None


def _id(text: str) -> int | None:
    return int(text) if _ID.fullmatch(text) else None


def planso_words(kind: Kind, value: Value) -> str:
    """What to write into PlanSo's form for a canonical value; None is the empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) or kind is Kind.NUMBER:
        return german.planso_decimal(float(value))
    if kind in (Kind.DATE, Kind.MONTH, Kind.TIME, Kind.DATETIME):
        return german.planso_date(str(value))
    return str(value)


def is_yes(text: str) -> bool:
    """Whether a word means yes. Raises ValueError for words that mean neither."""
    word = text.strip().casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError(f"'{text}' is neither yes nor no; accepted: ja, nein, 1, 0, true, false")


_PARSED: Mapping[Kind, Callable[[str], str]] = {
    Kind.DATE: german.parse_date,
    Kind.DATETIME: german.parse_date,
    Kind.MONTH: partial(german.parse_date, month_allowed=True),
    Kind.TIME: german.parse_time,
}
"""Kinds whose texts are held in another notation than they come in."""

_SHOWN_OTHERWISE: Mapping[Kind, Callable[[str], Value]] = {
    Kind.NUMBER: german.parse_decimal,
    Kind.ID: _id,
    Kind.FLAG: is_yes,
}
"""Kinds whose values are no texts, from what PlanSo shows."""


def same(kind: Kind, one: Value, other: Value) -> bool:
    """
    Whether two canonical values say the same: numbers to the fourth decimal, a day as that day at midnight, texts
    apart from outer white space and the writing of line breaks, nothing as an unchecked flag.
    """
    if kind is Kind.FLAG:
        return bool(one) == bool(other)
    if one is None or other is None:
        return _nothing(one) and _nothing(other)
    if kind is Kind.NUMBER and not isinstance(one, str) and not isinstance(other, str):
        return abs(float(one) - float(other)) < 0.5e-4
    if kind in (Kind.DATE, Kind.DATETIME):
        return str(one).removesuffix("T00:00:00") == str(other).removesuffix("T00:00:00")
    if isinstance(one, str) and isinstance(other, str):
        return _plain(one) == _plain(other)
    return one == other


def _nothing(value: Value) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")).strip()
