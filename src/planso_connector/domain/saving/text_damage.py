"""Tell whether two texts of a form mean the same, or one is the other truncated or in a broken encoding. Pure."""

import re
from urllib.parse import unquote, unquote_plus

from planso_connector.domain.character_references import unescape_html
from planso_connector.domain.input_warnings import looks_like_plate
from planso_connector.domain.values import is_equivalent_text, normalize_text

_DECIMAL = re.compile(r"[+-]?\d+[.,]\d+")
_SHORT_DECIMAL = re.compile(r"\d+[.,]\d{1,2}")
"""Not a number with grouped thousands."""
_PLACEHOLDER_OF_FAULT = re.compile(
    r"array|null|undefined|nan|\[object object\]|invalid date"
    r"|(?:(?:01\.01\.1970|1970-01-01)(?:[ T]0[01]:00(?::00)?)?|30\.11\.-0001|-0001-11-30)(?: 00:00(?::00)?)?",
    re.IGNORECASE,
)
"""What PHP and JavaScript write for a missing value: names of types, and the first day of their calendars."""
_LETTERS, _QUESTION_MARKS = re.compile(r"([?\x80-\U0010ffff]+)"), re.compile(r"([?\ufffd]+)")
_LINE_BREAK = re.compile(r"<br\s*/?>(?:\r?\n)?", re.IGNORECASE)
_MISREADINGS = (("utf-8", "iso-8859-1"), ("utf-8", "cp1252"), ("iso-8859-1", "utf-8"), ("cp1252", "utf-8"))
"""Encoding in which a text was written, and the one in which it was read."""


def is_same_after_normalisation(first: str, second: str) -> bool:
    """Whether both are one value in PlanSo: up to notation, case, a plate's blanks and rounded decimals."""
    if is_equivalent_text(first, second) or casefold_text(first) == casefold_text(second):
        return True
    return _is_same_plate(first, second) or _is_rounded(first, second) or _is_rounded(second, first)


def casefold_text(text: str) -> str:
    """In lower case and with single blanks."""
    return " ".join(normalize_text(text).casefold().split())


def _is_same_plate(first: str, second: str) -> bool:
    compact, other = (re.sub(r"[\s-]", "", text).upper() for text in (first, second))
    return compact == other and looks_like_plate(first.upper()) and looks_like_plate(second.upper())


def _is_rounded(exact: str, rounded: str) -> bool:
    """Whether `rounded` is the same number with fewer decimals, at least one."""
    if not (_DECIMAL.fullmatch(exact) and _DECIMAL.fullmatch(rounded)):
        return False
    longer, shorter = exact.replace(",", "."), rounded.replace(",", ".")
    decimals = len(shorter.partition(".")[2])
    return decimals < len(longer.partition(".")[2]) and abs(float(longer) - float(shorter)) <= 0.5001 * 10**-decimals


def is_truncated(before: str, after: str) -> bool:
    """Whether `after` is the beginning of `before`."""
    whole, beginning = casefold_text(before), casefold_text(after)
    return len(beginning) < len(whole) and whole.startswith(beginning)


def is_garbled(before: str, after: str) -> bool:
    """
    Whether `after` is `before` in a broken encoding: mojibake, question marks or nothing in place of letters, escaped
    or unescaped once too often, a decimal number without its comma; or the placeholder of a fault in any case.
    """
    if before == after or not after.strip():
        return False
    if _PLACEHOLDER_OF_FAULT.fullmatch(after.strip()):
        return True
    if not before:
        return False
    if before in _unescape(after) or after.strip() == unquote_plus(before).strip() or _lacks_comma(before, after):
        return True
    return not before.isascii() and (after in _misread(before) or _has_question_marks(before, after))


def _unescape(text: str) -> tuple[str, ...]:
    return (
        unescape_html(text),
        unquote(text),
        unquote_plus(text),
        re.sub(r"\\(.)", r"\1", text),
        re.sub(r"\\?u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), text),
        _LINE_BREAK.sub("\n", text),
    )


def _lacks_comma(before: str, after: str) -> bool:
    return _SHORT_DECIMAL.fullmatch(before) is not None and after.lstrip("0") == re.sub(r"\D", "", before).lstrip("0")


def _misread(text: str) -> set[str]:
    misread = {text.encode(written, "replace").decode(read, "replace") for written, read in _MISREADINGS}
    return misread | {text.encode("ascii", "ignore").decode()}


def _has_question_marks(before: str, after: str) -> bool:
    """Whether question marks are in place of the letters beyond ASCII, one for each letter or each of its bytes."""
    written, read = _LETTERS.split(before), _QUESTION_MARKS.split(after)
    return written[::2] == read[::2] and all(
        len(letters) <= len(marks) <= 4 * len(letters) - 3 * letters.count("?")
        for letters, marks in zip(written[1::2], read[1::2], strict=True)
    )
