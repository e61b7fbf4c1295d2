"""Whether two texts of a form say the same, or one is the other broken or cut. Pure."""

from __future__ import annotations

import html
import re
import unicodedata

from planso_connector.domain import german, phones
from planso_connector.domain.plausible import looks_like_plate

_NOTHING = re.compile(r"[0\s\xa0.,:/-]*")
"""`00.00.0000`, `0,00`, `-`: what databases show for nothing."""
_PHONE = re.compile(r"\+?[\d\s()/.\-\xa0]{6,}")
_NUMBER = re.compile(r"[+-]?[\d.,\s']*\d[\d.,\s']*")
_FLAGS = ({"1", "ja", "on", "true", "x"}, {"0", "nein", "off", "false", ""})


def is_nothing(text: str) -> bool:
    return _NOTHING.fullmatch(text) is not None


def is_same_value(one: str, other: str) -> bool:
    """
    Whether PlanSo may have made one of the other by writing the same value otherwise: blanks, case, dates, numbers,
    phone numbers, plates, words for yes and no.
    """
    first, second = _plain(one), _plain(other)
    if first == second or (is_nothing(first) and is_nothing(second)):
        return True
    if is_nothing(first) or is_nothing(second):
        return False
    if any(first in words and second in words for words in _FLAGS):
        return True
    return (
        _same_number(first, second)
        or _same_date(first, second)
        or _same_phone(first, second)
        or _same_plate(first, second)
    )


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text.replace("\xa0", " ")).casefold().split())


def _readings(text: str) -> list[tuple[float, int]]:
    """The numbers that a text may be, each with its decimals: a point groups thousands or begins decimals."""
    if _NUMBER.fullmatch(text) is None:
        return []
    plain = re.sub(r"[\s']", "", text)
    found = []
    for candidate in {plain.replace(".", "").replace(",", "."), plain.replace(",", "")}:
        try:
            found.append((float(candidate), len(candidate.partition(".")[2])))
        except ValueError:
            continue
    return found


def _same_number(one: str, other: str) -> bool:
    return any(
        abs(first - second) <= (0.5 * 10 ** -min(decimals, more) if decimals != more and min(decimals, more) else 1e-9)
        for first, decimals in _readings(one)
        for second, more in _readings(other)
    )


def _same_date(one: str, other: str) -> bool:
    try:
        return german.parse_date(one).removesuffix("T00:00:00") == german.parse_date(other).removesuffix("T00:00:00")
    except ValueError:
        return False


def _same_phone(one: str, other: str) -> bool:
    if _PHONE.fullmatch(one) is None or _PHONE.fullmatch(other) is None:
        return False
    return phones.key(one) == phones.key(other) != ""


def _same_plate(one: str, other: str) -> bool:
    first, second = (re.sub(r"[\s-]", "", text) for text in (one, other))
    return first == second and looks_like_plate(one.upper()) and looks_like_plate(other.upper())


def is_cut(before: str, after: str) -> bool:
    """Whether `after` is the beginning of `before`."""
    first, second = _plain(before), _plain(after)
    return len(second) < len(first) and first.startswith(second)


def is_garbled(before: str, after: str) -> bool:
    """Whether `after` is `before` in a broken encoding: mojibake, marks or nothing for letters, escaped HTML."""
    if before == after or not after:
        return False
    if html.unescape(after) == before:
        return True
    if before.isascii():
        return False
    return after in _broken(before) or _has_marks(before, after)


def _broken(text: str) -> set[str]:
    found = {"".join(letter for letter in text if letter.isascii())}
    for written, read in (("utf-8", "iso-8859-1"), ("utf-8", "cp1252"), ("iso-8859-1", "utf-8"), ("cp1252", "utf-8")):
        found.add(text.encode(written, "replace").decode(read, "replace"))
    return found


def _has_marks(before: str, after: str) -> bool:
    """Whether question marks stand where letters beyond ASCII stood, one for each or one for each byte."""
    pattern = "".join(re.escape(letter) if letter.isascii() else "[?\ufffd]{1,4}" for letter in before)
    return re.fullmatch(pattern, after) is not None
