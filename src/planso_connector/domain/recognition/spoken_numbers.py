"""Number words, German and English, and the digits that several of them in a row may mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from planso_connector.domain.recognition.colloquial_numbers import standardize
from planso_connector.domain.recognition.spoken_words import BELOW_100, DIGIT_WORDS, GERMAN_TENS

_MAX_WORD_LENGTH = 60
MAX_READINGS = 6
"""Readings of one group of numbers that are kept."""


@lru_cache(maxsize=4096)
def parse_number_word(word: str) -> int | None:
    """The number, 0 to 999999, of a folded number word: `zwoelfhundertvierunddreissig`; None for any other word."""
    thousands, separator, rest = word.partition("tausend")
    if not separator:
        return _parse_hundreds(word)
    head = _parse_hundreds(thousands) if thousands else 1
    tail = _parse_hundreds(rest.removeprefix("und")) if rest else 0
    return head * 1000 + tail if head and tail is not None and head < 1000 and tail < 1000 else None


def _parse_hundreds(word: str) -> int | None:
    hundreds, separator, rest = word.partition("hundert")
    if not separator:
        return _parse_below_100(word)
    head = _parse_below_100(hundreds) if hundreds else 1
    tail = _parse_below_100(rest.removeprefix("und")) if rest else 0
    return head * 100 + tail if head and tail is not None else None


def _parse_below_100(word: str) -> int | None:
    if word in BELOW_100:
        return BELOW_100[word]
    unit, separator, tens = word.partition("und")
    return (
        GERMAN_TENS[tens] + DIGIT_WORDS[unit] if separator and DIGIT_WORDS.get(unit) and tens in GERMAN_TENS else None
    )


@lru_cache(maxsize=4096)
def parse_digits(word: str) -> str | None:
    """The digits of a number word, or of several written as one: `zwodreinullneun`; None for any other word."""
    digits = _parse_digits(word)
    return _parse_digits(standardize(word)) if digits is None and len(word) <= _MAX_WORD_LENGTH else digits


def _parse_digits(word: str) -> str | None:
    value = parse_number_word(word)
    if value is not None or not 6 <= len(word) <= _MAX_WORD_LENGTH:
        return None if value is None else str(value)
    for cut in range(len(word) - 3, 2, -1):
        head = _parse_below_100(word[:cut])
        tail = _parse_digits(word[cut:]) if head is not None else None
        if tail is not None:
            return f"{head}{tail}"
    return None


@dataclass(frozen=True, slots=True)
class NumberPart:
    """A word in a group of numbers: digits, a magnitude such as `hundert`, or, with neither, `und`."""

    digits: str = ""
    times: int = 1
    magnitude: int = 0
    is_english_tens: bool = False


_AND = NumberPart()

_Reading = tuple[int, tuple[str, ...]]
"""How unlikely it is, and its pieces."""
_Step = tuple[int, str, int]
"""How unlikely it is, its digits, and the index of the part after it."""


def read_parts(parts: Sequence[NumberPart]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The digits that a group of numbers may mean, likeliest first, and the likeliest, one piece for each number."""
    best: list[list[_Reading]] = [[] for _ in parts] + [[(0, ())]]
    for i in range(len(parts) - 1, -1, -1):
        readings: dict[str, _Reading] = {}
        for cost, digits, after in _steps(parts, i):
            for rest_cost, rest in best[after]:
                reading = (cost + rest_cost, (digits, *rest) if digits else rest)
                key = "".join(reading[1])
                if key not in readings or reading[0] < readings[key][0]:
                    readings[key] = reading
        best[i] = sorted(readings.values(), key=lambda reading: reading[0])[:MAX_READINGS]
    return tuple("".join(pieces) for _, pieces in best[0]), best[0][0][1]


def _steps(parts: Sequence[NumberPart], i: int) -> list[_Step]:
    """The numbers that the parts from `i` on can begin with."""
    part = parts[i]
    if not part.digits:
        return _magnitude_steps(parts, i, 1) if part.magnitude else [(0, "", i + 1)]
    following, after = parts[i + 1 : i + 2], parts[i + 2 : i + 3]
    if part.times > 1 or not following or following[0].times > 1:
        return [(0, part.digits * part.times, i + 1)]
    if following[0].magnitude:
        return [*_magnitude_steps(parts, i + 1, int(part.digits[-4:])), (3, part.digits, i + 1)]
    if following[0] == _AND and after and _is_unit(part.digits) and _is_tens(after[0].digits):
        return [(0, after[0].digits[0] + part.digits, i + 3), (2, part.digits, i + 1)]
    if _may_be_one_number(part.digits, following[0].digits):
        merged = part.digits[: -len(following[0].digits)] + following[0].digits
        separate_cost = 1 if part.is_english_tens or len(part.digits) > 2 else 0
        return [(separate_cost, part.digits, i + 1), (1 - separate_cost, merged, i + 2)]
    return [(0, part.digits, i + 1)]


def _magnitude_steps(parts: Sequence[NumberPart], i: int, times: int) -> list[_Step]:
    """`zwei tausend drei hundert neun`, from the magnitude at `i` on."""
    size = parts[i].magnitude
    value, i = times * size, i + 1
    if i < len(parts) and parts[i] == _AND:
        i += 1
    steps: list[_Step] = [(1 if i < len(parts) else 0, str(value), i)]
    if i < len(parts) and parts[i].digits and parts[i].times == 1:
        steps += (
            (cost, str(value + int(digits)), after)
            for cost, digits, after in _steps(parts, i)
            if digits and not digits.startswith("0") and len(digits) <= 3 and int(digits) < size
        )
    return steps


def _is_unit(digits: str) -> bool:
    return len(digits) == 1 and digits != "0"


def _is_tens(digits: str) -> bool:
    return re.fullmatch("[1-9]0", digits) is not None


def _may_be_one_number(digits: str, following: str) -> bool:
    """Whether one number may have been said in two words: `20 9` for 29, `2300 9` for 2309."""
    zeros = len(digits) - len(digits.rstrip("0"))
    if not following or following.startswith("0") or not 2 <= len(digits) <= 6:
        return False
    return len(following) <= zeros < len(digits)
