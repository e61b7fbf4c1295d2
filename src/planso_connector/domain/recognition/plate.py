"""
German number plates without gaps: the ways to split one, and what it can be misheard as.

A key is the output of `folding.fold_plate`: `A` to `Z` and digits, `TÜ` as `TUE`.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from planso_connector.domain.folding import fold_plate
from planso_connector.domain.recognition.district_codes import AUTHORITY_CODES, DISTRICT_CODES
from planso_connector.domain.recognition.edits import is_one_edit_apart, single_edits

CONFUSION_DISTANCE = 0.25
EDIT_DISTANCE = 0.5
DOUBLE_CONFUSION_DISTANCE = 0.75

MAX_LENGTH = 12
"""Longest key that `misheard_variants` and `distance` take for a plate."""
MAX_VARIANTS = 1500

_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_MAX_LEGAL_LENGTH = 8
_MAX_DISTRICT_LENGTH = 4
_SEASON = r"(?:(?:0[1-9]|1[0-2]){2})?"
_PLATE = re.compile(rf"(?P<key>(?P<letters>[A-Z]{{2,6}})(?P<digits>[1-9]\d{{0,3}})(?P<suffix>[EH]?)){_SEASON}")
_WITHOUT_LETTERS = re.compile(r"(?P<district>[A-Z]{1,4})(?P<digits>\d{1,6})")
_SHORT_TERM_DIGITS = re.compile(r"0[3-7]\d{2,3}")

_CODE_BY_KEY = {fold_plate(code): code for code in DISTRICT_CODES | AUTHORITY_CODES}

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
        if code in AUTHORITY_CODES or (code is not None and _SHORT_TERM_DIGITS.fullmatch(match["digits"])):
            plates.append(Plate(code, "", match["digits"]))
    return tuple(sorted(plates, key=_unlikeliness))


def _unlikeliness(plate: Plate) -> tuple[bool, int]:
    length = len(plate.district + plate.letters + plate.digits + plate.suffix)
    return length > _MAX_LEGAL_LENGTH, -len(plate.district)


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
    confused = _confusion_set(heard)
    if key in confused:
        return CONFUSION_DISTANCE
    if is_one_edit_apart(heard, key):
        return EDIT_DISTANCE
    return DOUBLE_CONFUSION_DISTANCE if not confused.isdisjoint(_confusions(key)) else math.inf


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
