"""
Phone numbers: one canonical form for every way of writing them, and how well digits that a caller said fit one.

A key is digits alone, with the country code: `030 23125-118`, `+49 (0)30/23125118` and `0049 30 23125 118` are
`493023125118`, `+43 1 5880` is `4315880`. A number without any prefix (`23125118`) can't be completed: its key is its
digits. An index of keys and one of reversed keys answer all that `matches` does: `probes` by equality, last digits by
a range on the reversed.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

EXACT = "phone exact"
ENDS_WITH = "phone ends so"
REASONS = (EXACT, ENDS_WITH)

NO_MATCH = (0.0, "")

MIN_LAST_DIGITS = 4
"""Of last digits that say anything."""
MIN_WHOLE_DIGITS = 8
"""Digits of a key, country code included, that is a whole number; fewer may be the last ones."""
MAX_DIGITS = 18
_SUBSCRIBER_AT_LEAST = 5
_WITH_AREA_AT_LEAST = 9
"""Digits of a key that can't be a local number alone."""

_BETWEEN_NUMBERS = re.compile(r"[,;|\n]|\s+/\s*(?=[0+])|\b(?:oder|und|or|and)\b", re.IGNORECASE)
_GLUED = re.compile(r"(?<=\d)\s+(?=\+|00?[1-9](?:[ /-]?\d){6})")
_CENTRAL = re.compile(r"\d\s*[-–/]\s*0\s*$")


def normalize(text: str) -> str:
    """The canonical digits of the first number in `text`; empty where there is none. A key's key is itself."""
    found = index_keys(text)
    return found[0] if found else ""


def index_keys(text: str) -> tuple[str, ...]:
    """The keys under which an index holds `text`: of each number in it, and without `-0` where it ends so."""
    return _keys(text[:200])


@lru_cache(maxsize=4096)
def _keys(text: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for piece in _pieces(_ascii_digits(text)):
        whole = _canonical(piece)
        if whole and len(whole) <= MAX_DIGITS:
            found[whole] = None
            if _CENTRAL.search(piece) and len(whole) > MIN_WHOLE_DIGITS:
                found[whole[:-1]] = None
    return tuple(found)


def search_keys(asked: str) -> frozenset[str]:
    """The keys that match `asked` as a whole: its own, and the German one where its 0 or +49 was left out."""
    return frozenset(form for one in index_keys(asked) for form in (one, f"49{one}", one.removeprefix("49")) if form)


def score_match(asked: str, held: str) -> tuple[float, str]:
    """
    How well asked digits fit the numbers that an order holds, 0 to 1, and why: 1 the same number, 0.9 if it may
    lack the area code on both sides; 0.8 all but the area
    code; 0.5 to 0.75 by the count of last digits, from 4.
    """
    best = NO_MATCH
    said = re.sub(r"\D", "", _ascii_digits(asked[:200]))[:MAX_DIGITS]
    for one in index_keys(asked) or (said,):
        for other in index_keys(held):
            best = max(best, _fit(one, said, other))
    return best


def is_equivalent_text(one: str, other: str) -> bool:
    """
    Whether two texts hold the same numbers in the same order and the same words, however the numbers are written:
    `0151 234` and `+49 151 234`. False where one holds no number, or more digits than a number has.
    """
    mine, theirs = ([_canonical(piece) for piece in _pieces(_ascii_digits(text[:200]))] for text in (one, other))
    return mine == theirs and all(mine) and _words(one) == _words(other)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.casefold())


def _fit(asked: str, said: str, held: str) -> tuple[float, str]:
    if _is_same(asked, held):
        return (1.0 if len(held) >= _WITH_AREA_AT_LEAST else 0.9), EXACT
    ends = max((end for end in {asked, said} if held.endswith(end)), key=len, default="")
    if len(ends) >= MIN_LAST_DIGITS:
        local = len(_subscriber(held))
        if len(ends) >= max(local, 1) and local >= _SUBSCRIBER_AT_LEAST:
            return 0.8, ENDS_WITH
        return min(0.5 + 0.05 * (len(ends) - MIN_LAST_DIGITS), 0.75), ENDS_WITH
    # PlanSo holds a local number, the caller said the area code too.
    if len(held) >= _SUBSCRIBER_AT_LEAST and held == _subscriber(asked):
        return 0.8, ENDS_WITH
    return NO_MATCH


def load_metadata() -> None:
    """
    Load the library and the tables of all countries, 0.1 to 1 s: for a server before it serves, whose event loop would
    stand still for it at the first number, and fail without a file descriptor left.
    """
    import phonenumbers

    phonenumbers.PhoneMetadata.load_all()


def _is_same(one: str, other: str) -> bool:
    """The same number, of which one may lack the 0 or +49 in front; both long enough to be whole."""
    short, long = sorted((one, other), key=len)
    return len(long) >= MIN_WHOLE_DIGITS and (
        short == long or (long == f"49{short}" and len(short) >= MIN_WHOLE_DIGITS)
    )


@lru_cache(maxsize=4096)
def _subscriber(whole: str) -> str:
    """A key without country and area code; empty where it has none."""
    import phonenumbers  # here: commands should not wait for it

    try:
        number = phonenumbers.parse(f"+{whole}")
    except phonenumbers.NumberParseException:
        return ""
    area = phonenumbers.length_of_national_destination_code(number)
    return phonenumbers.national_significant_number(number)[area:] if area else ""


def _ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c if (d := unicodedata.decimal(c, None)) is None else str(d) for c in text).replace("＋", "+")


def _pieces(text: str) -> list[str]:
    pieces = []
    for piece in _BETWEEN_NUMBERS.split(text):
        if sum(c.isdigit() for c in piece) > 15:
            pieces += _GLUED.split(piece)
        else:
            pieces.append(piece)
    return pieces


def _canonical(piece: str) -> str:
    # Letters are words about the number (`Tel.`, `privat`); phonenumbers would read them as a vanity number.
    plain = re.sub(r"[^0-9+]", " ", piece).strip()
    digits = re.sub(r"\D", "", plain)
    if not digits or len(digits) > MAX_DIGITS:
        return ""
    if not plain.startswith(("+", "0")):
        return digits
    return _international(plain, digits)


def _international(plain: str, digits: str) -> str:
    """The key of a number with a prefix. A German one needs no table."""
    if not digits.strip("0"):
        return ""
    abroad = digits if plain.startswith("+") else digits[2:] if digits.startswith("00") else ""
    if not abroad:
        return f"49{digits.lstrip('0')}"
    if abroad.startswith("49"):
        return f"49{abroad[2:].lstrip('0')}"
    import phonenumbers  # as above: which countries keep their 0 (Italy) and which drop it

    try:
        number = phonenumbers.parse(f"+{abroad}")
    except phonenumbers.NumberParseException:
        return digits.lstrip("0")
    return f"{number.country_code}{phonenumbers.national_significant_number(number)}"
