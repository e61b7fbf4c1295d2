"""
Convert field values by kind: from a caller's text to the canonical value, from there to PlanSo's text and back; and
compare them. A ValueError says what is accepted. How PlanSo may write a value differently is in `domain.saving`.
"""

import math
import re
import unicodedata
from contextlib import suppress
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
from planso_connector.domain.kba import normalize_key_numbers
from planso_connector.domain.messages import MESSAGES, InvalidValue
from planso_connector.domain.recognition import phones

MAX_ID = 2**63 - 1
MAX_HOURS = 1_000_000.0

_ID = re.compile(r"\d{1,18}")
_UNIT = re.compile(r"\s*(?:km|kg|ccm|cm³|cm3|kW|EUR|€)$", re.IGNORECASE)
_EMPTY = re.compile(
    r"(?:00?\.00?\.(?:0000|00)|0000-00-00)?(?:[T\s]*0?0:00(?::00)?)?"
    r"|[+-]?(?:0+[.,]?0*|[.,]0+)(?:\s*(?:h|€))?|€",
    re.IGNORECASE,
)
_NUMERIC = re.compile(
    r"[+-]?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:[.\s\xa0\u202f']\d{3})+)?(?:[.,]\d*)?(?:\s*(?:h|€))?", re.IGNORECASE
)
_PHONE = re.compile(r"(?:\+|0|\(0)[\d\s()/.\-]+")
_MIN_PHONE_DIGITS = 6
_ON = frozenset({"1", "ja", "yes", "true", "on"})
_OFF = frozenset({"0", "nein", "no", "false", "off"})
_YES = frozenset({"1", "ja", "j", "yes", "true", "on", "wahr", "x"})
_NO = frozenset({"0", "nein", "n", "no", "false", "off", "falsch", ""})


def check_text(text: str, *, line_breaks: bool) -> str:
    """`text` itself. Raises ValueError for control characters, except allowed line breaks, and lone surrogates."""
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            raise InvalidValue("lone_surrogate")
        if category == "Cc" and not (line_breaks and character in "\r\n"):
            accepted = MESSAGES["line_breaks_only" if line_breaks else "one_line"]
            raise InvalidValue("control_character", code=f"{ord(character):04X}", accepted=accepted)
    return text


def parse_caller_value(field: OrderField, given: str | float, *, today: date | None = None) -> Value:
    """
    The canonical value of what a caller sent; None for `""`, which clears the field. `today`, by default the
    workshop's, completes a year of two digits. Raises ValueError.
    """
    if isinstance(given, str):
        if len(given) > field.max_length:
            raise InvalidValue("too_long_text", length=len(given), most=field.max_length)
        check_text(given, line_breaks=field.kind is FieldKind.LONG_TEXT)
        if given and not given.strip():
            raise InvalidValue("only_blanks")
        return _canonical_text(field.kind, given.strip(), field.slot, today)
    if field.kind is FieldKind.NUMBER and not (math.isfinite(given) and 0 <= given <= MAX_HOURS):
        raise InvalidValue("number_range", most=f"{MAX_HOURS:.0f}")
    if field.kind is FieldKind.ID and not 1 <= given <= MAX_ID:
        raise InvalidValue("id_range", most=MAX_ID)
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
    return normalize_key_numbers(text) if kind is FieldKind.KBA else text


def _day_or_time(text: str, today: date | None) -> str:
    """A day, a time may follow; or only a time of day, which some installations have there."""
    try:
        return german_formats.parse_date(text, today=today)
    except ValueError:
        with suppress(ValueError):
            return german_formats.parse_time(text, today=today)
        raise


def parse_planso_value(kind: FieldKind, shown: str, *, today: date | None = None) -> Value:
    """
    The canonical value of what PlanSo shows; None for nothing, and for what the kind can't hold (the order's `fields`
    keep the text). `today` as for `parse_caller_value`.
    """
    text = shown.replace("\xa0", " ").strip()
    if not text or (kind not in TEXT_KINDS and len(text) > MAX_NOTATION_LENGTH):
        return None
    try:
        if kind is FieldKind.NUMBER:
            return german_formats.parse_decimal(text, dot_groups=False)
        if kind is FieldKind.ID:
            return int(text) if _ID.fullmatch(text) else None
        if kind is FieldKind.FLAG:
            return parse_flag(text)
        return _canonical_text(kind, text.replace("\r\n", "\n"), None, today)
    except ValueError:
        return None


def parse_amount(text: str) -> Decimal | None:
    """The number in an amount such as `84.210`, `84210 km`, `150,00 €`; None for anything else. Dots group."""
    if len(text) > MAX_NOTATION_LENGTH:
        return None
    try:
        return german_formats.parse_exact_decimal(_UNIT.sub("", text.strip()))
    except ValueError:
        return None


def format_planso_value(kind: FieldKind, value: Value) -> str:
    """The text for PlanSo's form; empty for None."""
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
    """Whether a word means yes. Raises ValueError for one that means neither yes nor no."""
    word = text.strip().casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError(f"'{text}' is neither yes nor no; accepted: ja, nein, 1, 0, true, false")


def are_equal(kind: FieldKind, first: Value, second: Value) -> bool:
    """
    Whether two canonical values mean the same: numbers are compared to the fourth decimal, a day equals that day at
    midnight, amounts are compared as numbers, other texts as `normalize_text` has them, and nothing equals False.
    """
    if kind is FieldKind.FLAG:
        return bool(first) == bool(second)
    if first is None or second is None:
        return _is_blank(first) and _is_blank(second)
    if kind is FieldKind.NUMBER and not isinstance(first, str) and not isinstance(second, str):
        return abs(float(first) - float(second)) < 0.5e-4
    if kind in (FieldKind.DATE, FieldKind.DATETIME):
        return str(first).removesuffix("T00:00:00") == str(second).removesuffix("T00:00:00")
    if isinstance(first, str) and isinstance(second, str):
        return normalize_text(first) == normalize_text(second) or (
            kind is FieldKind.AMOUNT and _is_same_amount(first, second)
        )
    return first == second


def _is_same_amount(first: str, second: str) -> bool:
    number = parse_amount(first)
    return number is not None and number == parse_amount(second)


def _is_blank(value: Value) -> bool:
    return value is None or not str(value).strip()


def normalize_text(text: str) -> str:
    """`text` in NFC with LF for line breaks, blanks for no-break spaces, and no white space around it."""
    return normalize_unicode("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")).strip()


def is_empty_value(text: str) -> bool:
    """
    Whether a control's text is one that databases show for no value: blanks, `00.00.0000`, `0000-00-00 00:00:00`,
    `00:00`, `0`, `0,00`. For controls that nobody asked to change.
    """
    text = normalize_text(text)
    return len(text) <= MAX_NOTATION_LENGTH and _EMPTY.fullmatch(text) is not None


def is_equivalent_text(first: str, second: str) -> bool:
    """
    Whether two texts of a control of unknown kind are notations of one value: of no value, of a text with other blanks
    and line breaks, of a date, time, number or phone number, of yes (`1`, `ja`) or no. Other letters, or another case,
    are another value. Symmetric. An ambiguous number (`1.500`) is equal to either of its readings.
    """
    if is_empty_value(first) and is_empty_value(second):
        return True
    first, second = normalize_text(first), normalize_text(second)
    words = {first.casefold(), second.casefold()}
    if first.split() == second.split() or words <= _ON or words <= _OFF:
        return True
    if max(len(first), len(second)) > MAX_NOTATION_LENGTH:
        return False
    readings, other_readings = _readings(first), _readings(second)
    if readings or other_readings:
        return not readings.isdisjoint(other_readings)
    return _is_phone(first) and _is_phone(second) and phones.is_equivalent_text(first, second)


def _readings(text: str) -> set[tuple[str, object]]:
    """The numbers, dates and times that a text may be."""
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


def _is_phone(text: str) -> bool:
    return _PHONE.fullmatch(text) is not None and sum(c.isdigit() for c in text) >= _MIN_PHONE_DIGITS
