"""
German number plates without gaps: the ways to split one, and what it can be misheard as.

A key is the output of `folding.fold_plate`: `A` to `Z` and digits, `TÜ` as `TUE`.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from planso_connector.domain.folding import fold_plate, strip_invisible
from planso_connector.domain.recognition.district_codes import AUTHORITY_CODES, CANTON_CODES, DISTRICT_CODES
from planso_connector.domain.recognition.edits import is_one_edit_apart, single_edits

CONFUSION_DISTANCE = 0.25
EDIT_DISTANCE = 0.5
DOUBLE_CONFUSION_DISTANCE = 0.75

MAX_LENGTH = 12
"""Longest key that `misheard_variants` and `distance` take for a plate."""
MAX_VARIANTS = 1500
_MAX_OTHER_SIGNS = 4
"""Signs that only one of two keys has, where two confusions lie between them: each replaces one sign by another."""

_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_MAX_LEGAL_LENGTH = 8
_MAX_DISTRICT_LENGTH = 4
_SEASON = r"(?:(?:0[1-9]|1[0-2]){2})?"
_PLATE = re.compile(rf"(?P<key>(?P<letters>[A-Z]{{2,6}})(?P<digits>[1-9]\d{{0,3}})(?P<suffix>[EH]?)){_SEASON}")
_WITHOUT_LETTERS = re.compile(r"(?P<district>[A-Z]{1,4})(?P<digits>\d{1,6})")
_SHORT_TERM_DIGITS = re.compile(r"0[3-7]\d{2,3}")
_DIPLOMATIC = re.compile(r"0[1-9]\d{2,4}")
_WRITTEN_DISTRICT = re.compile(r"\W*([^\W\d_]{1,3})\s?[\s·.-]\s?(?=[A-Z]{1,2}\W*\d)")

_CODE_BY_KEY = {fold_plate(code): code for code in DISTRICT_CODES | AUTHORITY_CODES | CANTON_CODES}
LONG_KEYS = frozenset(key for key in _CODE_BY_KEY if len(key) > 3)
_DOTTED = {code.translate(str.maketrans("ÄÖÜ", "AOU")): code for code in DISTRICT_CODES if not code.isascii()}
"""Codes with an umlaut by what is left without its dots: `TU` is `TÜ`."""

_SOUND_ALIKE = (
    "BPDTGEW", "MN", "CKZS", "0O", "1IL", "FSX", "VWF", "AHK", "23", "QKU", "IJ", "8B", "5S", "2Z", "OQ", "TZ",
    "IE", "UO", "59",
)  # fmt: skip
_CONFUSIONS = {
    sign: "".join(sorted({other for group in _SOUND_ALIKE if sign in group for other in group} - {sign}))
    for sign in _SIGNS
}


@dataclass(frozen=True, slots=True)
class SpokenPlate:
    """A plate, or a part of one, that a caller may have said."""

    key: str
    """Without the months of a seasonal plate."""
    certainty: float = 1.0
    """0 to 1. 1: nothing else can have been said; values below 1 compare within one transcript only."""
    is_part: bool = False
    """Only the digits or only the letters were said."""
    district: str = ""
    """The key of the district code, where a hyphen or a town's name tells which it is: `B` for `B-NO 1234`."""


@dataclass(frozen=True, slots=True)
class Plate:
    district: str
    """As printed, with umlauts: `TÜ`."""
    letters: str
    """Empty on plates of authorities and on short-term ones."""
    digits: str
    suffix: str = ""
    """`E` electric, `H` historic, else empty."""

    def __str__(self) -> str:
        """`WN-AE 2309`, `WN-AE 230E`, `THW-81234`."""
        gap = " " if self.letters else ""
        return f"{self.district}-{self.letters}{gap}{self.digits}{self.suffix}"


@lru_cache(maxsize=4096)
def split_key(key: str) -> tuple[Plate, ...]:
    """Every split of `key` that begins with a district code, likeliest first; none for a foreign plate or a part."""
    plates = []
    if (match := _PLATE.fullmatch(key)) is not None:
        letters = match["letters"]
        for cut in range(max(1, len(letters) - 2), min(len(letters) - 1, _MAX_DISTRICT_LENGTH) + 1):
            code = _CODE_BY_KEY.get(letters[:cut])
            if code in DISTRICT_CODES:
                plates.append(Plate(code, letters[cut:], match["digits"], match["suffix"]))
    if (match := _WITHOUT_LETTERS.fullmatch(key)) is not None:
        code = _CODE_BY_KEY.get(match["district"])
        digits = match["digits"]
        if code is not None and (digits[0] != "0" or _SHORT_TERM_DIGITS.fullmatch(digits)):
            plates.append(Plate(code, "", digits))
    return tuple(sorted(plates, key=_unlikeliness))


def _unlikeliness(plate: Plate) -> tuple[bool, int]:
    length = len(plate.district + plate.letters + plate.digits + plate.suffix)
    return length > _MAX_LEGAL_LENGTH, -len(plate.district)


def is_diplomatic(digits: str) -> bool:
    """Whether digits alone may be a plate: `01714` is `0-17-14`, the zero, a country and a number."""
    return _DIPLOMATIC.fullmatch(digits) is not None


def is_usual(key: str) -> bool:
    """Whether a key may have letters behind its district code."""
    return any(plate.letters for plate in split_key(key))


def is_of_authority(key: str) -> bool:
    """Whether a key has the code of a body whose plates never have letters behind it."""
    return any(plate.district in AUTHORITY_CODES for plate in split_key(key))


def restore_umlaut(key: str) -> tuple[str, int]:
    """
    The key whose district code lost the dots of its umlaut, and which letter they belong to: `TUXF451` is `TUEXF451`,
    letter 1. Empty where no code with an umlaut fits.
    """
    for length in (3, 2, 1):
        code = _DOTTED.get(key[:length])
        restored = f"{fold_plate(code)}{key[length:]}" if code else ""
        if restored and any(plate.district == code for plate in split_key(restored)):
            return restored, next(i for i, sign in enumerate(code or "") if not sign.isascii())
    return "", 0


def written_district(text: str) -> str:
    """The key of the district code of a plate as somebody wrote it, with a gap behind it: `B` of `B-NO 1234`."""
    match = _WRITTEN_DISTRICT.match(strip_invisible(text).upper())
    key = fold_plate(match[1]) if match else ""
    return key if key in _CODE_BY_KEY else ""


def strip_season(key: str) -> str:
    """`key` without the months of a seasonal plate: `WNAE23090410` is `WNAE2309`; unchanged where it has no split."""
    match = _PLATE.fullmatch(key)
    return match["key"] if match is not None and split_key(key) else key


def misheard_variants(key: str) -> tuple[str, ...]:
    """
    The keys at a finite `distance` from `key`, closest first, without `key` itself, at most `MAX_VARIANTS`.

    Every single edit is among them. None for an empty key and for one longer than `MAX_LENGTH`.
    """
    if not 0 < len(key) <= MAX_LENGTH:
        return ()
    confused = dict.fromkeys(_confusions(key))
    found = dict.fromkeys((*confused, *single_edits(key, _SIGNS)))
    for other in confused:
        if len(found) > MAX_VARIANTS:
            break
        found.update(dict.fromkeys(_confusions(other)))
    for other in ("", key):
        found.pop(other, None)
    return tuple(found)[:MAX_VARIANTS]


def distance(heard: str, key: str) -> float:
    """
    How far `heard` is from `key`: 0 for the same, `CONFUSION_DISTANCE` for one sign that sounds alike on the phone,
    `EDIT_DISTANCE` for any other single edit, `DOUBLE_CONFUSION_DISTANCE` for two such signs, else infinity.
    """
    if heard == key:
        return 0.0
    if not 0 < len(heard) <= MAX_LENGTH or not key or abs(len(heard) - len(key)) > 2:
        return math.inf
    if len(_sign_set(heard) ^ frozenset(key)) > _MAX_OTHER_SIGNS:
        return math.inf
    confused = _confusion_set(heard)
    if key in confused:
        return CONFUSION_DISTANCE
    if is_one_edit_apart(heard, key):
        return EDIT_DISTANCE
    return DOUBLE_CONFUSION_DISTANCE if not confused.isdisjoint(_confusions(key)) else math.inf


@lru_cache(maxsize=64)
def _sign_set(key: str) -> frozenset[str]:
    return frozenset(key)


@lru_cache(maxsize=64)
def _confusion_set(key: str) -> frozenset[str]:
    return frozenset(_confusions(key))


def _confusions(key: str) -> Iterator[str]:
    """What one typical confusion makes of a key. Symmetric, so that `distance` can meet in the middle."""
    for i, sign in enumerate(key):
        head, tail = key[:i], key[i + 1 :]
        for other in _CONFUSIONS.get(sign, ""):
            yield head + other + tail
        if sign in "AOU":  # an umlaut's dots, an E in a key, get lost or are invented
            if tail[:1] == "E":
                yield head + sign + tail[1:]
            yield head + sign + "E" + tail
        yield from _confused_numbers(head, sign, tail)


def _confused_numbers(head: str, sign: str, tail: str) -> Iterator[str]:
    """Two digits that are said as one number: `zweiunddreißig` for `dreiundzwanzig`, `fünfzehn` for `fünfzig`."""
    after = tail[:1]
    if not (sign.isdigit() and after.isdigit()):
        return
    if sign != after:
        yield head + after + sign + tail[1:]
    if sign == "1" and after in "3456789":
        yield head + after + "0" + tail[1:]
    if after == "0" and sign in "3456789":
        yield head + "1" + sign + tail[1:]
