"""Whether two texts of a form say the same, or one is the other broken or cut. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_plus

from planso_connector.domain.character_references import unescape_html
from planso_connector.domain.input_warnings import looks_like_plate
from planso_connector.domain.values import is_equivalent_text, normalize_text

_SHORTEST_DECIMAL = re.compile(r"[+-]?\d+[.,]\d+")
_NO_GROUPS = re.compile(r"\d+[.,]\d{1,2}")
_WORD_OF_A_FAULT = re.compile(
    r"array|null|undefined|nan|\[object object\]|invalid date"
    r"|(?:(?:01\.01\.1970|1970-01-01)(?:[ T]0[01]:00(?::00)?)?|30\.11\.-0001|-0001-11-30)(?: 00:00(?::00)?)?",
    re.IGNORECASE,
)
"""What PHP and JavaScript make of a value that is none: the names of their types, and the day on which time begins."""
_LETTERS, _MARKS = re.compile(r"([?\x80-\U0010ffff]+)"), re.compile(r"([?\ufffd]+)")
_LINE_BREAK = re.compile(r"<br\s*/?>(?:\r?\n)?", re.IGNORECASE)


def is_same_after_normalisation(one: str, other: str) -> bool:
    """
    Whether PlanSo may have made one of the other by its own normalisation: another notation, case, a plate's blanks,
    fewer decimals.
    """
    if is_equivalent_text(one, other) or normalise_text(one) == normalise_text(other):
        return True
    return _is_same_plate(one, other) or _is_rounded(one, other) or _is_rounded(other, one)


def normalise_text(text: str) -> str:
    """Without case and with single blanks."""
    return " ".join(normalize_text(text).casefold().split())


def _is_same_plate(one: str, other: str) -> bool:
    first, second = (re.sub(r"[\s-]", "", text).upper() for text in (one, other))
    return first == second and looks_like_plate(one.upper()) and looks_like_plate(other.upper())


def _is_rounded(exact: str, rounded: str) -> bool:
    """Whether `rounded` is a decimal number with fewer decimals; at least one is left."""
    if not (_SHORTEST_DECIMAL.fullmatch(exact) and _SHORTEST_DECIMAL.fullmatch(rounded)):
        return False
    longer, shorter = exact.replace(",", "."), rounded.replace(",", ".")
    decimals = len(shorter.partition(".")[2])
    return decimals < len(longer.partition(".")[2]) and abs(float(longer) - float(shorter)) <= 0.5001 * 10**-decimals


def is_truncated(before: str, after: str) -> bool:
    """Whether `after` is the beginning of `before`."""
    first, second = normalise_text(before), normalise_text(after)
    return len(second) < len(first) and first.startswith(second)


def is_garbled(before: str, after: str) -> bool:
    """
    Whether `after` is `before` in a broken encoding: mojibake, marks or nothing for letters, escaped once too often or
    decoded so, a decimal number without its comma; or no value but the word of a fault.
    """
    if before == after or not after.strip():
        return False
    if _WORD_OF_A_FAULT.fullmatch(after.strip()):
        return True
    if not before:
        return False
    if before in _unescaped(after) or after.strip() == unquote_plus(before).strip() or _lost_its_comma(before, after):
        return True
    if before.isascii():
        return False
    return after in _broken(before) or _has_marks(before, after)


def _unescaped(text: str) -> tuple[str, ...]:
    return (
        unescape_html(text),
        unquote(text),
        unquote_plus(text),
        re.sub(r"\\(.)", r"\1", text),
        re.sub(r"\\?u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text),
        _LINE_BREAK.sub("\n", text),
    )


def _lost_its_comma(before: str, after: str) -> bool:
    return _NO_GROUPS.fullmatch(before) is not None and after.lstrip("0") == re.sub(r"\D", "", before).lstrip("0")


def _broken(text: str) -> set[str]:
    found = {"".join(letter for letter in text if letter.isascii())}
    for written, read in (("utf-8", "iso-8859-1"), ("utf-8", "cp1252"), ("iso-8859-1", "utf-8"), ("cp1252", "utf-8")):
        found.add(text.encode(written, "replace").decode(read, "replace"))
    return found


def _has_marks(before: str, after: str) -> bool:
    """Whether question marks stand where letters beyond ASCII stood, one for each or one for each byte."""
    written, read = _LETTERS.split(before), _MARKS.split(after)
    return written[::2] == read[::2] and all(
        len(letters) <= len(marks) <= 4 * len(letters) - 3 * letters.count("?")
        for letters, marks in zip(written[1::2], read[1::2], strict=True)
    )
