"""
What a field's value may be, by kind: from the caller's words to the canonical value, from there to PlanSo's words and
back, and when two values are the same. Each direction raises ValueError with what would be accepted. How PlanSo may
write a value otherwise is in `agreement`, how a text that stands in a control is matched in `notation`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import date
from decimal import Decimal

from planso_connector.domain import german_formats
from planso_connector.domain.fields import (
    MAX_NOTATION_LENGTH,
    MONTH_KINDS,
    TEMPORAL_KINDS,
    TEXT_KINDS,
    FieldKind,
    OrderField,
    Value,
)
from planso_connector.domain.folding import normalize_unicode
from planso_connector.domain.german_formats import SlotEnd, TwoDigitYears
from planso_connector.domain.recognition import phones

MAX_ID = 2**63 - 1
MAX_HOURS = 1_000_000.0

_ID = re.compile(r"\d{1,18}")
_UNIT = re.compile(r"\s*(?:km|kg|ccm|cm³|cm3|kW|EUR|€)$", re.IGNORECASE)
_NOTHING = re.compile(
    r"(?:00?\.00?\.(?:0000|00)|0000-00-00)?(?:[T\s]*0?0:00(?::00)?)?"
    r"|[+-]?(?:0+[.,]?0*|[.,]0+)(?:\s*(?:h|€))?|€",
    re.IGNORECASE,
)
_NUMERIC = re.compile(
    r"[+-]?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:[.\s\xa0\u202f']\d{3})+)?(?:[.,]\d*)?(?:\s*(?:h|€))?", re.IGNORECASE
)
_NUMBERED = re.compile(r"(?:\+|0|\(0)[\d\s()/.\-]+")
_PHONE_DIGITS = 6
"""Digits from which on a text that begins as a phone number is one."""
_ON = frozenset({"1", "ja", "yes", "true", "on"})
_OFF = frozenset({"0", "nein", "no", "false", "off"})
_YES = frozenset({"1", "ja", "j", "yes", "true", "on", "wahr", "x"})
_NO = frozenset({"0", "nein", "n", "no", "false", "off", "falsch", ""})


def check_text(text: str, *, line_breaks: bool) -> str:
    """`text` itself. Raises ValueError for NUL, control characters (line breaks where allowed) and lone surrogates."""
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            raise ValueError("holds half a character (a lone surrogate); send whole Unicode characters")
        if category == "Cc" and not (line_breaks and character in "\r\n"):
            allowed = "line breaks are the only control characters accepted" if line_breaks else "accepted: one line"
            raise ValueError(f"holds the control character U+{ord(character):04X}; {allowed}")
    return text


def parse_caller_value(field: OrderField, given: str | float, *, today: date | None = None) -> Value:
    """
    The canonical value of what a caller sent; `""` (clear it) is None. `today`, by default the workshop's, completes a
    year of two digits. Raises ValueError.
    """
    if isinstance(given, str):
        if len(given) > field.max_length:
            raise ValueError(f"has {len(given)} characters; accepted: up to {field.max_length}")
        check_text(given, line_breaks=field.kind is FieldKind.LONG_TEXT)
        if given and not given.strip():
            raise ValueError('holds nothing but blanks; send "" to clear the field')
        return _canonical_text(field.kind, given.strip(), field.slot, today)
    if field.kind is FieldKind.NUMBER and not (math.isfinite(given) and 0 <= given <= MAX_HOURS):
        raise ValueError(f"accepted: a number from 0 to {MAX_HOURS:.0f}")
    if field.kind is FieldKind.ID and not 1 <= given <= MAX_ID:
        raise ValueError(f"accepted: an id from 1 to {MAX_ID}")
    return given + 0.0 if field.kind is FieldKind.NUMBER else given  # JSON knows -0.0


def _canonical_text(kind: FieldKind, text: str, slot: SlotEnd | None, today: date | None) -> Value:
    if not text:
        return None
    if kind is FieldKind.TIME:
        return german_formats.parse_time(text, slot=slot, today=today)
    if kind is FieldKind.DATETIME:
        return _day_or_time(text, today)
    if kind in TEMPORAL_KINDS:
        years = TwoDigitYears.PAST if kind is FieldKind.PAST_MONTH else TwoDigitYears.NEAR
        return german_formats.parse_date(text, month_allowed=kind in MONTH_KINDS, years=years, today=today)
    return text


def _day_or_time(text: str, today: date | None) -> str:
    """A day, a time may follow; or a time of day alone, which some installations have there."""
    try:
        return german_formats.parse_date(text, today=today)
    except ValueError:
        try:
            return german_formats.parse_time(text, today=today)
        except ValueError:
            pass
        raise


def parse_planso_value(kind: FieldKind, shown: str, *, today: date | None = None) -> Value:
    """
    The canonical value of what PlanSo shows; None for nothing, and for what its kind can't hold (the order's `fields`
    keep the words as they are). `today` as for `accept`.
    """
    text = shown.replace("\xa0", " ").strip()
    if not text or (kind not in TEXT_KINDS and len(text) > MAX_NOTATION_LENGTH):
        return None
    try:
        if kind is FieldKind.NUMBER:
            return german_formats.parse_decimal(text, dot_groups=False)
        if kind is FieldKind.ID:
            return _id(text)
        if kind is FieldKind.FLAG:
            return parse_flag(text)
        return _canonical_text(kind, text.replace("\r\n", "\n"), None, today)
    except ValueError:
        return None


def parse_amount(text: str) -> Decimal | None:
    """The number of an amount, as `84.210`, `84210 km`, `150,00 €`; None for anything else. A dot groups."""
    if len(text) > MAX_NOTATION_LENGTH:
        return None
    try:
        return german_formats.parse_exact_decimal(_UNIT.sub("", text.strip()))
    except ValueError:
        return None


def _id(text: str) -> int | None:
    return int(text) if _ID.fullmatch(text) else None


def format_planso_value(kind: FieldKind, value: Value) -> str:
    """What to write into PlanSo's form for a canonical value; None is the empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) or kind is FieldKind.NUMBER:
        return german_formats.format_planso_decimal(float(value))
    if kind in TEMPORAL_KINDS:
        return german_formats.format_planso_date(str(value))
    return str(value)


def parse_flag(text: str) -> bool:
    """Whether a word means yes. Raises ValueError for words that mean neither."""
    word = text.strip().casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError(f"'{text}' is neither yes nor no; accepted: ja, nein, 1, 0, true, false")


def are_equal(kind: FieldKind, one: Value, other: Value) -> bool:
    """
    Whether two canonical values say the same: numbers to the fourth decimal, a day as that day at midnight, amounts as
    numbers, other texts apart from outer white space and the writing of line breaks, nothing as an unchecked flag.
    """
    if kind is FieldKind.FLAG:
        return bool(one) == bool(other)
    if one is None or other is None:
        return _nothing(one) and _nothing(other)
    if kind is FieldKind.NUMBER and not isinstance(one, str) and not isinstance(other, str):
        return abs(float(one) - float(other)) < 0.5e-4
    if kind in (FieldKind.DATE, FieldKind.DATETIME):
        return str(one).removesuffix("T00:00:00") == str(other).removesuffix("T00:00:00")
    if isinstance(one, str) and isinstance(other, str):
        return normalize_text(one) == normalize_text(other) or (
            kind is FieldKind.AMOUNT and _is_same_amount(one, other)
        )
    return one == other


def _is_same_amount(one: str, other: str) -> bool:
    number = parse_amount(one)
    return number is not None and number == parse_amount(other)


def _nothing(value: Value) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def normalize_text(text: str) -> str:
    """`text` with line breaks as LF, no-break spaces as blanks, in NFC, without outer white space."""
    return normalize_unicode("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")).strip()


def is_empty_value(text: str) -> bool:
    """
    Whether a control's text says nothing, as databases show it: blanks, `00.00.0000`, `0000-00-00 00:00:00`, `00:00`,
    `0`, `0,00`. For the comparison of a control that nobody asked to change.
    """
    text = normalize_text(text)
    return len(text) <= MAX_NOTATION_LENGTH and _NOTHING.fullmatch(text) is not None


def is_equivalent_text(one: str, other: str) -> bool:
    """
    Whether two texts of a control are the same value written otherwise: nothing and nothing, blanks and line breaks,
    two notations of a date, a time, a number or a phone number, `1` and `ja`. Letters that differ, in case too, never
    are. Symmetric; its field is not known, so a number counts as the same if one reading of both agrees (`1.500`).
    """
    if is_empty_value(one) and is_empty_value(other):
        return True
    mine, theirs = normalize_text(one), normalize_text(other)
    if mine.split() == theirs.split():
        return True
    words = {mine.casefold(), theirs.casefold()}
    if words <= _ON or words <= _OFF:
        return True
    if max(len(mine), len(theirs)) > MAX_NOTATION_LENGTH:
        return False
    here, there = _readings(mine), _readings(theirs)
    if here or there:
        return bool(here & there)
    return _is_number_of_phone(mine) and _is_number_of_phone(theirs) and phones.is_equivalent_text(mine, theirs)


def _readings(text: str) -> set[tuple[str, object]]:
    """What number, date or time a text may be."""
    found: set[tuple[str, object]] = set()
    if not any(character.isdigit() for character in text):
        return found
    if _NUMERIC.fullmatch(text):
        found |= {("number", german_formats.parse_exact_decimal(text, dot_groups=groups)) for groups in (True, False)}
    for kind in (FieldKind.MONTH, FieldKind.PAST_MONTH, FieldKind.TIME):
        value = parse_planso_value(kind, text)
        if value is not None:
            found.add(("moment", str(value).removesuffix("T00:00:00")))
    return found


def _is_number_of_phone(text: str) -> bool:
    return _NUMBERED.fullmatch(text) is not None and sum(c.isdigit() for c in text) >= _PHONE_DIGITS
