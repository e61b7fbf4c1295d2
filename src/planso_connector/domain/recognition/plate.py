"""
German plates without their gaps: what they can be split into, and what they can have been misheard for.

A key is what `fold.fold_plate` makes: `A` to `Z` and digits, `TÜ` as `TUE`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from planso_connector.domain.folding import fold_plate
from planso_connector.domain.recognition.district_codes import AUTHORITY_CODES, DISTRICT_CODES

CONFUSION_DISTANCE = 0.25
EDIT_DISTANCE = 0.5
DOUBLE_CONFUSION_DISTANCE = 0.75

MAX_LENGTH = 12
"""Signs of the longest key that `near` and `distance` take for a plate."""
MAX_VARIANTS = 1500

_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LEGAL_LENGTH = 8
_LONGEST_DISTRICT = 4
_SEASON = r"(?:(?:0[1-9]|1[0-2]){2})?"
_PLATE = re.compile(rf"(?P<key>(?P<letters>[A-Z]{{2,6}})(?P<digits>[1-9]\d{{0,3}})(?P<suffix>[EH]?)){_SEASON}")
_BARE = re.compile(r"(?P<district>[A-Z]{1,4})(?P<digits>\d{1,6})")
_SHORT_TERM = re.compile(r"0[3-7]\d{2,3}")

_BY_KEY = {fold_plate(code): code for code in DISTRICT_CODES | AUTHORITY_CODES}

_SOUND_ALIKE = (
    "BPDTGEW", "MN", "CKZS", "0O", "1IL", "FSX", "VWF", "AHK", "23", "QKU", "IJ", "8B", "5S", "2Z", "OQ", "TZ",
    "IE", "UO", "59",
)  # fmt: skip
_CONFUSIONS = {
    sign: "".join(sorted({other for group in _SOUND_ALIKE if sign in group for other in group} - {sign}))
    for sign in _SIGNS
}


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
        for cut in range(max(1, len(letters) - 2), min(len(letters) - 1, _LONGEST_DISTRICT) + 1):
            code = _BY_KEY.get(letters[:cut])
            if code in DISTRICT_CODES:
                plates.append(Plate(code, letters[cut:], match["digits"], match["suffix"]))
    if (match := _BARE.fullmatch(key)) is not None:
        code = _BY_KEY.get(match["district"])
        if code in AUTHORITY_CODES or (code is not None and _SHORT_TERM.fullmatch(match["digits"])):
            plates.append(Plate(code, "", match["digits"]))
    return tuple(sorted(plates, key=_unusual))


def _unusual(plate: Plate) -> tuple[bool, int]:
    length = len(plate.district + plate.letters + plate.digits + plate.suffix)
    return length > _LEGAL_LENGTH, -len(plate.district)


def strip_season(key: str) -> str:
    """`key` without the months of a seasonal plate: `WNAE23090410` is `WNAE2309`; unchanged without a reading."""
    match = _PLATE.fullmatch(key)
    return match["key"] if match is not None and split_key(key) else key


def format_plate(key: str) -> str | None:
    """The plate as people write it, `WN-AE 2309`; None where `key` has no reading or several."""
    found = split_key(key)
    return str(found[0]) if len(found) == 1 else None


def misheard_variants(key: str) -> tuple[str, ...]:
    """
    All keys at a finite `distance` from `key`, itself left out, closest first, at most `NEAR_AT_MOST`.

    All single edits are always among them. Empty for what is longer than `LONGEST`, or empty.
    """
    if not 0 < len(key) <= MAX_LENGTH:
        return ()
    once = dict.fromkeys(_confused(key))
    found = dict.fromkeys((*once, *_edited(key)))
    for other in once:
        if len(found) > MAX_VARIANTS:
            break
        found.update(dict.fromkeys(_confused(other)))
    found.pop(key, None)
    return tuple(found)[:MAX_VARIANTS]


def distance(heard: str, key: str) -> float:
    """
    0 for the same, `CONFUSED` for one typical confusion on the phone, `EDITED` for any other single insertion,
    deletion, substitution or swap of neighbours, `CONFUSED_TWICE` for two typical confusions, else infinity.
    """
    if heard == key:
        return 0.0
    if not 0 < len(heard) <= MAX_LENGTH or not key or abs(len(heard) - len(key)) > 2:
        return math.inf
    once = _confused_once(heard)
    if key in once:
        return CONFUSION_DISTANCE
    if _one_edit(heard, key):
        return EDIT_DISTANCE
    return DOUBLE_CONFUSION_DISTANCE if not once.isdisjoint(_confused(key)) else math.inf


@lru_cache(maxsize=64)
def _confused_once(key: str) -> frozenset[str]:
    return frozenset(_confused(key))


def _confused(key: str) -> Iterator[str]:
    """What one typical confusion makes of a key. Symmetric: `distance` meets in the middle."""
    for i, sign in enumerate(key):
        head, tail = key[:i], key[i + 1 :]
        for other in _CONFUSIONS.get(sign, ""):
            yield head + other + tail
        if sign in "AOU":  # the dots of an umlaut, which fold_plate turns to an E, are lost or invented
            if tail[:1] == "E":
                yield head + sign + tail[1:]
            yield head + sign + "E" + tail
        yield from _confused_pair(head, sign, tail)


def _confused_pair(head: str, sign: str, tail: str) -> Iterator[str]:
    after = tail[:1]
    if not (sign.isdigit() and after.isdigit()):
        return
    if sign != after:  # zweiunddreißig, dreiundzwanzig
        yield head + after + sign + tail[1:]
    if sign == "1" and after in "3456789":  # fünfzehn, fünfzig
        yield head + after + "0" + tail[1:]
    if after == "0" and sign in "3456789":
        yield head + "1" + sign + tail[1:]


def _edited(key: str) -> Iterator[str]:
    for i in range(len(key)):
        head, tail = key[:i], key[i + 1 :]
        if len(key) > 1:
            yield head + tail
        if tail:
            yield head + tail[0] + key[i] + tail[1:]
        for sign in _SIGNS:
            yield head + sign + tail
    for i in range(len(key) + 1):
        for sign in _SIGNS:
            yield key[:i] + sign + key[i:]


def _one_edit(one: str, other: str) -> bool:
    if len(one) > len(other):
        one, other = other, one
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if len(one) < len(other):
        return one[start:] == other[start + 1 :]
    if one[start + 1 :] == other[start + 1 :]:
        return True
    return one[start : start + 2] == other[start : start + 2][::-1] and one[start + 2 :] == other[start + 2 :]
