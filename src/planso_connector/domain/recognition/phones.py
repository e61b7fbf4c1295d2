"""
Phone numbers: one canonical form for every notation, and how well digits that a caller said fit one.

A key is the number's digits with country code: `030 23125-118`, `+49 (0)30/23125118` and `0049 30 23125 118` are
`493023125118`, `+43 1 5880` is `4315880`. A number without prefix (`23125118`) can't be completed: its key is its
digits. An index of reversed keys finds all that `score_match` accepts: whole numbers by equality with `search_keys`,
last digits by a range.
"""

import re
import unicodedata
from functools import lru_cache

EXACT = "phone exact"
ENDS_WITH = "phone ends so"

NO_MATCH = (0.0, "")

MIN_LAST_DIGITS = 4
MIN_WHOLE_DIGITS = 8
"""Digits, with country code, from which a key is a whole number; fewer may be the last ones."""
MAX_DIGITS = 18
_MIN_SUBSCRIBER_DIGITS = 5
_MIN_DIGITS_WITH_AREA = 9
"""Digits from which a key can't be a local number."""

_BETWEEN_NUMBERS = re.compile(r"[,;|\n]|\s+/\s*(?=[0+])|\b(?:oder|und|or|and)\b", re.IGNORECASE)
_BETWEEN_UNSEPARATED = re.compile(r"(?<=\d)\s+(?=\+|00?[1-9](?:[ /-]?\d){6})")
_SWITCHBOARD = re.compile(r"\d\s*[-–/]\s*0\s*$")


def normalize(text: str) -> str:
    """The key of the first number in `text`; empty where there is none. The key of a key is itself."""
    return next(iter(index_keys(text)), "")


def index_keys(text: str) -> tuple[str, ...]:
    """The keys to index `text` by: of each number in it, and without the `-0` of a switchboard."""
    return _index_keys(text[:200])


@lru_cache(maxsize=4096)
def _index_keys(text: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for piece in _split_numbers(text):
        key = _canonical(piece)
        if key and len(key) <= MAX_DIGITS:
            found[key] = None
            if _SWITCHBOARD.search(piece) and len(key) > MIN_WHOLE_DIGITS:
                found[key[:-1]] = None
    return tuple(found)


def search_keys(asked: str) -> frozenset[str]:
    """The keys of whole numbers that match `asked`: its own, and the German one where 0 or +49 was left out."""
    return frozenset(form for key in index_keys(asked) for form in (key, f"49{key}", key.removeprefix("49")) if form)


def score_match(asked: str, held: str) -> tuple[float, str]:
    """
    How well asked digits fit the numbers in `held`, 0 to 1, and the reason: 1 the same number, 0.9 where both may lack
    the area code; 0.8 all but the area code; 0.5 to 0.75, by their count, the last digits, from `MIN_LAST_DIGITS`.
    """
    digits = re.sub(r"\D", "", _ascii_digits(asked[:200]))[:MAX_DIGITS]
    scores = (_score_key(key, digits, other) for key in index_keys(asked) or (digits,) for other in index_keys(held))
    return max(scores, default=NO_MATCH)


def is_equivalent_text(first: str, second: str) -> bool:
    """
    Whether two texts have the same words and the same numbers in the same order, in any notation: `0151 234` and
    `+49 151 234`. False where one has no number, or more digits than a number can have.
    """
    keys, other_keys = ([_canonical(piece) for piece in _split_numbers(text[:200])] for text in (first, second))
    return keys == other_keys and all(keys) and _words(first) == _words(second)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.casefold())


def _score_key(asked: str, digits: str, held: str) -> tuple[float, str]:
    """Score the asked key, and the digits as said, against one key."""
    if _is_same(asked, held):
        return (1.0 if len(held) >= _MIN_DIGITS_WITH_AREA else 0.9), EXACT
    end = max((end for end in (asked, digits) if held.endswith(end)), key=len, default="")
    if len(end) >= MIN_LAST_DIGITS:
        if len(end) >= len(_subscriber(held)) >= _MIN_SUBSCRIBER_DIGITS:
            return 0.8, ENDS_WITH
        return min(0.5 + 0.05 * (len(end) - MIN_LAST_DIGITS), 0.75), ENDS_WITH
    # The order has a local number, and the caller said the area code too.
    if len(held) >= _MIN_SUBSCRIBER_DIGITS and held == _subscriber(asked):
        return 0.8, ENDS_WITH
    return NO_MATCH


def load_metadata() -> None:
    """
    Load phonenumbers and its tables of all countries, 0.1 to 1 s. A server calls it before it serves: else the first
    number would block the event loop, and fail where no file descriptor is left.
    """
    import phonenumbers

    phonenumbers.PhoneMetadata.load_all()


def _is_same(first: str, second: str) -> bool:
    """The same number, of which one may lack its 0 or +49; both long enough to be whole."""
    short, long = sorted((first, second), key=len)
    return len(short) >= MIN_WHOLE_DIGITS and long in (short, f"49{short}")


@lru_cache(maxsize=4096)
def _subscriber(key: str) -> str:
    """A key without country and area code; empty where it has none."""
    import phonenumbers  # here: commands should not wait for it

    try:
        number = phonenumbers.parse(f"+{key}")
    except phonenumbers.NumberParseException:
        return ""
    area = phonenumbers.length_of_national_destination_code(number)
    return phonenumbers.national_significant_number(number)[area:] if area else ""


def _ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c if (d := unicodedata.decimal(c, None)) is None else str(d) for c in text).replace("＋", "+")


def _split_numbers(text: str) -> list[str]:
    """The numbers of a text, each with the words around it; two without a separator too, where they are too long."""
    numbers: list[str] = []
    for piece in _BETWEEN_NUMBERS.split(_ascii_digits(text)):
        numbers += _BETWEEN_UNSEPARATED.split(piece) if sum(c.isdigit() for c in piece) > 15 else [piece]
    return numbers


def _canonical(number: str) -> str:
    # Letters are words about the number (`Tel.`, `privat`); phonenumbers would read them as a vanity number.
    plain = re.sub(r"[^0-9+]", " ", number).strip()
    digits = re.sub(r"\D", "", plain)
    if not digits or len(digits) > MAX_DIGITS:
        return ""
    return _with_country_code(plain, digits) if plain.startswith(("+", "0")) else digits


def _with_country_code(plain: str, digits: str) -> str:
    """The key of a number with a prefix. A German one needs no table."""
    if not digits.strip("0"):
        return ""
    international = digits if plain.startswith("+") else digits[2:] if digits.startswith("00") else ""
    if not international:
        return f"49{digits.lstrip('0')}"
    if international.startswith("49"):
        return f"49{international[2:].lstrip('0')}"
    import phonenumbers  # here, as above: it knows which countries keep their 0 (Italy)

    try:
        number = phonenumbers.parse(f"+{international}")
    except phonenumbers.NumberParseException:
        return digits.lstrip("0")
    return f"{number.country_code}{phonenumbers.national_significant_number(number)}"
