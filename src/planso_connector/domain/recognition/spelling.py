"""Words to signs: what a caller, or a machine that wrote down what it heard, spells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import lru_cache

from planso_connector.domain.folding import fold
from planso_connector.domain.recognition.district_codes import DISTRICT_CODES
from planso_connector.domain.recognition.plate import split_key
from planso_connector.domain.recognition.vocabulary import (
    BELOW_100,
    CORRECTION_WORDS,
    DIGIT_PLURALS,
    DIGIT_WORDS,
    DISTRICT_TOWNS,
    ENGLISH_TENS,
    FILLER_WORDS,
    GERMAN_TENS,
    HESITATIONS,
    LETTER_NAMES,
    MAGNITUDES,
    REPETITIONS,
    SPELLING_WORDS,
    UNAMBIGUOUS_LETTER_NAMES,
    VEHICLE_WORDS,
)

MAX_CHARACTERS = 400
"""Characters of a question that are read; the rest is cut off."""
MAX_READINGS = 6
"""Readings of one group of numbers that are kept."""


_AS = frozenset(["wie", "as", "for", "fuer"])
_DOTTED = frozenset(["AE", "OE", "UE"])
_PLAIN_VOWELS = frozenset(["A", "O", "U"])
_ZERO = frozenset(["o", "oh"])
_AND = frozenset(["und", "and"])
_OF_TWO = {("x", "ray"): "xray", ("new", "york"): "york", ("scharfes", "s"): "eszett"}
_TIGHT = frozenset(["", "-", ".", "·"])
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+")


class SegmentKind(Enum):
    LETTERS = auto()
    DIGITS = auto()
    WORD = auto()
    FILLER = auto()
    CORRECTION = auto()
    """What was said before is taken back."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of what was said."""

    kind: SegmentKind
    said: str
    options: tuple[str, ...] = ()
    """The signs that it may mean, likeliest first."""
    pieces: tuple[str, ...] = ()
    """Digits: the likeliest reading, one part per word or number."""
    sure: bool = False
    """Nothing but signs can be meant."""
    named: bool = False
    """A spelling word, and maybe the name of a person."""
    glued: bool = False
    """No gap before it."""
    tight: bool = False
    """No gap but a hyphen or a point before it."""
    explained: bool = False
    """A letter with its `wie`."""
    voiced: bool = False
    """The name of a letter, such as `be` or `zett`."""
    at: int = 0
    """Where it begins in the text."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    word: str
    """`text` folded."""
    glued: bool
    tight: bool
    at: int
    behind_comma: bool = False


def split_segments(text: str) -> tuple[Segment, ...]:
    """What `text` (its first `LONGEST` characters) consists of, in the order said."""
    text = text[:MAX_CHARACTERS]
    tokens = _tokens(text)
    shouted = text.upper() == text
    found: list[Segment] = []
    i = 0
    while i < len(tokens):
        item, i = _item(tokens, i, shouted=shouted)
        found.append(item)
    return tuple(found)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    end = 0
    for match in _TOKEN.finditer(text):
        word = fold(match[0])
        if tokens and (both := _OF_TWO.get((tokens[-1].word, word))):
            tokens[-1] = replace(tokens[-1], text=f"{tokens[-1].text} {match[0]}", word=both)
        else:
            gap = text[end : match.start()]
            tokens.append(_Token(match[0], word, match.start() == end, gap in _TIGHT, match.start(), "," in gap))
        end = match.end()
    return tokens


def _item(tokens: Sequence[_Token], i: int, *, shouted: bool) -> tuple[Segment, int]:
    for read in (_model, _repeated, _explained, _dotted, _numbers):
        found = read(tokens, i)
        if found is not None:
            return found
    return _single(tokens, i, shouted=shouted), i + 1


def _model(tokens: Sequence[_Token], i: int) -> tuple[Segment, int] | None:
    """`118i`, `A-Klasse`: a vehicle, and no letter of a plate."""
    if i + 1 == len(tokens):
        return None
    token, after = tokens[i], tokens[i + 1]
    if after.glued and after.text in ("d", "i") and re.fullmatch("[1-9][0-9]{2}", token.text):
        said = token.text + after.text
    elif after.word == "klasse" and len(token.text) == 1:
        said = f"{token.text}-{after.text}"
    else:
        return None
    return Segment(SegmentKind.WORD, said, glued=token.glued, tight=token.tight, at=token.at), i + 2


# Letters


def _named(word: str) -> tuple[str, ...] | None:
    """The signs that a letter's name or a spelling word stands for."""
    return LETTER_NAMES.get(word) or SPELLING_WORDS.get(word)


def _repeated(tokens: Sequence[_Token], i: int) -> tuple[Segment, int] | None:
    """`doppel N`, `zweimal Otto`; numbers see to themselves."""
    times, after = _times(tokens, i)
    signs = _named(tokens[after].word) if times and after < len(tokens) else None
    if signs is None:
        return None
    said = " ".join(token.text for token in tokens[i : after + 1])
    return Segment(SegmentKind.LETTERS, said, (signs[0] * times,), sure=True, at=tokens[i].at), after + 1


def _times(tokens: Sequence[_Token], i: int) -> tuple[int, int]:
    """How often what follows is meant, and where it begins; 0 where nothing of the kind is said."""
    words = [token.word for token in tokens[i : i + 2]]
    times, after = REPETITIONS.get(words[0]), i + 1
    if times is None and words[1:] == ["mal"]:
        times = int(words[0]) if words[0] in ("2", "3", "4") else DIGIT_WORDS.get(words[0])
        after = i + 2
    if not times or not 2 <= times <= 4:
        return 0, i
    if after < len(tokens) and tokens[after].word in ("die", "das", "den", "der", "the"):
        after += 1
    return times, after


def _explained(tokens: Sequence[_Token], i: int) -> tuple[Segment, int] | None:
    """`A wie Anton`, `H wie Haus`, `B as in Bravo`, `wie Anton`; the word counts where it and the letter disagree."""
    at = i if tokens[i].word == "wie" else i + 1
    if at >= len(tokens) or tokens[at].word not in _AS:
        return None
    after = at + 2 if [token.word for token in tokens[at : at + 2]] == ["as", "in"] else at + 1
    if after >= len(tokens):
        return None
    word = tokens[after].word
    first = word[0].upper()
    meant = SPELLING_WORDS.get(word, (first,))[0]
    named = None if at == i else _named(tokens[i].word)
    agreed = named is not None and named[0][0] == first
    if not agreed and (word not in SPELLING_WORDS or tokens[at].word != "wie" or (named is None and at != i)):
        return None
    letter = named[0] if agreed and named is not None and meant not in _DOTTED else meant
    said = " ".join(token.text for token in tokens[i : after + 1])
    return Segment(SegmentKind.LETTERS, said, (letter,), sure=agreed, explained=True, at=tokens[i].at), after + 1


def _dotted(tokens: Sequence[_Token], i: int) -> tuple[Segment, int] | None:
    """`Umlaut Unna`, `U Umlaut`."""
    words = [token.word for token in tokens[i : i + 2]]
    if len(words) < 2 or "umlaut" not in words:
        return None
    if (
        words[1] == "umlaut"
        and i + 2 < len(tokens)
        and SPELLING_WORDS.get(tokens[i + 2].word, ("",))[0] in _PLAIN_VOWELS
    ):
        return None
    signs = _named(words[1] if words[0] == "umlaut" else words[0])
    if signs is None or signs[0][0] not in "AOU":
        return None
    said = f"{tokens[i].text} {tokens[i + 1].text}"
    return Segment(SegmentKind.LETTERS, said, (signs[0][0] + "E",), sure=True, at=tokens[i].at), i + 2


def _single(tokens: Sequence[_Token], i: int, *, shouted: bool) -> Segment:
    token = tokens[i]
    text, word, plain = token.text, token.word, _signs(token.text)
    bare = Segment(SegmentKind.WORD, text, glued=token.glued, tight=token.tight, at=token.at)
    letters = replace(bare, kind=SegmentKind.LETTERS, options=(plain,))
    upper, numbered = text == text.upper(), _before_digits(tokens, i)
    if word in SPELLING_WORDS or word in DISTRICT_TOWNS:
        return replace(letters, options=SPELLING_WORDS.get(word) or DISTRICT_TOWNS[word], named=True)
    if word in CORRECTION_WORDS and not (upper and len(text) == 2):
        return replace(bare, kind=SegmentKind.CORRECTION)
    if word in UNAMBIGUOUS_LETTER_NAMES:
        return replace(letters, options=LETTER_NAMES[word], sure=True, voiced=True)
    if not plain or (word in VEHICLE_WORDS and not numbered and (shouted or not upper or plain not in DISTRICT_CODES)):
        return bare
    if shouted and word in FILLER_WORDS and len(text) > 2:
        return replace(bare, kind=SegmentKind.FILLER)
    if upper and len(plain) <= 6 and (len(text) <= 3 or numbered):
        return replace(letters, sure=not shouted or word not in FILLER_WORDS)
    voiced = word in LETTER_NAMES
    names = tuple(dict.fromkeys((*LETTER_NAMES.get(word, ()), plain)))
    if word in FILLER_WORDS:
        return replace(bare, kind=SegmentKind.FILLER, options=names, voiced=voiced)
    if voiced:
        return replace(letters, options=names, sure=len(text) == 1, voiced=len(text) > 1)
    if len(text) <= 3 or (len(plain) <= 6 and numbered):
        return letters
    if len(plain) <= 6 and i + 1 < len(tokens) and _is_number(tokens[i + 1].word) and split_key(plain + "1"):
        return letters
    return bare


def _before_digits(tokens: Sequence[_Token], i: int) -> bool:
    return i + 1 < len(tokens) and tokens[i + 1].glued and tokens[i + 1].text.isdecimal()


def _signs(text: str) -> str:
    return re.sub(r"[^A-Z]", "", fold(text).upper())


# Numbers


@lru_cache(maxsize=4096)
def parse_number_word(word: str) -> int | None:
    """The number, 0 to 9999, that a folded word names: `zwoelfhundertvierunddreissig`; None for any other word."""
    thousands, cut, rest = word.partition("tausend")
    if not cut:
        return _hundreds(word)
    head, tail = _hundreds(thousands) if thousands else 1, _hundreds(rest.removeprefix("und")) if rest else 0
    return head * 1000 + tail if head and tail is not None and head < 10 and tail < 1000 else None


def _hundreds(word: str) -> int | None:
    hundreds, cut, rest = word.partition("hundert")
    if not cut:
        return _below_100(word)
    head, tail = _below_100(hundreds) if hundreds else 1, _below_100(rest.removeprefix("und")) if rest else 0
    return head * 100 + tail if head and tail is not None else None


def _below_100(word: str) -> int | None:
    value = BELOW_100.get(word)
    if value is not None:
        return value
    unit, cut, tens = word.partition("und")
    return GERMAN_TENS[tens] + DIGIT_WORDS[unit] if cut and DIGIT_WORDS.get(unit) and tens in GERMAN_TENS else None


@dataclass(frozen=True, slots=True)
class _Part:
    """A word of a group of numbers: digits with how often, a magnitude, or `und` (all empty)."""

    digits: str = ""
    times: int = 1
    magnitude: int = 0
    english: bool = False


def _numbers(tokens: Sequence[_Token], i: int) -> tuple[Segment, int] | None:
    """The longest run of numbers from `i` on, hesitations between them left out."""
    start = end = i
    parts: list[_Part] = []
    between: list[_Part] = []
    while i < len(tokens):
        word = tokens[i].word
        if parts and (_model(tokens, i) is not None or _begins_anew(tokens[start], parts, tokens[i])):
            break
        part, after = _part(tokens, i)
        if parts and word in _ZERO and i + 1 < len(tokens) and _is_number(tokens[i + 1].word):
            part, after = _Part("0"), i + 1
        if part is not None:
            parts += [*between, part]
            between, i, end = [], after, after
        elif parts and (word in _AND or word in HESITATIONS):
            between += [_Part()] if word in _AND else []
            i += 1
        else:
            break
    if not parts:
        return None
    said = " ".join(token.text for token in tokens[start:end])
    if said in ("ein", "Ein") and end < len(tokens):  # the article
        return None
    options, pieces = _read(parts)
    first = tokens[start]
    item = Segment(
        SegmentKind.DIGITS, said, options, pieces, sure=True, glued=first.glued, tight=first.tight, at=first.at
    )
    return item, end


def _begins_anew(first: _Token, parts: Sequence[_Part], token: _Token) -> bool:
    """`2309, 911` and `Q3, 2309` are two numbers; the pieces of a phone number are one."""
    said = "".join(part.digits for part in parts)
    ends = len(said) >= 3 or first.glued
    return token.behind_comma and token.text.isdecimal() and len(token.text) >= 3 and ends and said[:1] != "0"


def _is_number(word: str) -> bool:
    return word.isdecimal() or word in MAGNITUDES or _run_together(word) is not None


def _part(tokens: Sequence[_Token], i: int) -> tuple[_Part | None, int]:
    times, after = _times(tokens, i)
    if times:
        part, end = _part(tokens, after) if after < len(tokens) else (None, i)
        return (replace(part, times=times), end) if part is not None and part.digits and part.times == 1 else (None, i)
    word, behind = tokens[i].word, tokens[i + 1].word if i + 1 < len(tokens) else ""
    if behind in DIGIT_PLURALS and (count := DIGIT_WORDS.get(word, int(word) if word in ("2", "3", "4") else 0)) in (
        2,
        3,
        4,
    ):
        return _Part(str(DIGIT_PLURALS[behind]), times=count), i + 2
    if word.isdecimal():
        return _Part("".join(str(int(sign)) for sign in word)), i + 1
    if word in MAGNITUDES:
        return _Part(magnitude=MAGNITUDES[word]), i + 1
    repeated = re.match("doppelt?", word)
    digits = _run_together(word[repeated.end() :] if repeated else word)
    if digits is None:
        return None, i
    return _Part(digits, times=2 if repeated else 1, english=word in ENGLISH_TENS), i + 1


@lru_cache(maxsize=4096)
def _run_together(word: str) -> str | None:
    """The digits of a number, or of several without a gap: `zwodreinullneun`."""
    value = parse_number_word(word)
    if value is not None or not 6 <= len(word) <= 60:
        return None if value is None else str(value)
    for cut in range(len(word) - 3, 2, -1):
        head = _below_100(word[:cut])
        tail = _run_together(word[cut:]) if head is not None else None
        if tail is not None:
            return f"{head}{tail}"
    return None


_Reading = tuple[int, tuple[str, ...]]
"""How unlikely it is, and its parts."""


def _read(parts: Sequence[_Part]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The digits that a group of numbers may mean, likeliest first, and the parts of the likeliest."""
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


_Step = tuple[int, str, int]
"""How unlikely it is, its digits, and the part to go on from."""


def _steps(parts: Sequence[_Part], i: int) -> list[_Step]:
    """What the parts from `i` on can begin with."""
    part = parts[i]
    if not part.digits:
        return _magnitude(parts, i, 1) if part.magnitude else [(0, "", i + 1)]
    following, after = parts[i + 1 : i + 2], parts[i + 2 : i + 3]
    if part.times > 1 or not following or following[0].times > 1:
        return [(0, part.digits * part.times, i + 1)]
    if following[0].magnitude:
        return [*_magnitude(parts, i + 1, int(part.digits[-4:])), (3, part.digits, i + 1)]
    if not following[0].digits and after and _is_tens(after[0].digits) and _is_unit(part.digits):
        return [(0, after[0].digits[0] + part.digits, i + 3), (2, part.digits, i + 1)]
    if _fits(part.digits, following[0].digits):
        merged = part.digits[: -len(following[0].digits)] + following[0].digits
        apart = 1 if part.english or len(part.digits) > 2 else 0
        return [(apart, part.digits, i + 1), (1 - apart, merged, i + 2)]
    return [(0, part.digits, i + 1)]


def _magnitude(parts: Sequence[_Part], i: int, times: int) -> list[_Step]:
    """`zwei tausend drei hundert neun`, from the magnitude on."""
    size = parts[i].magnitude
    value, i = times * size, i + 1
    if i < len(parts) and parts[i] == _Part():
        i += 1
    steps: list[_Step] = [(1 if i < len(parts) else 0, str(value), i)]
    if i >= len(parts) or not parts[i].digits or parts[i].times > 1:
        return steps
    for cost, digits, after in _steps(parts, i):
        if digits and not digits.startswith("0") and len(digits) <= 3 and int(digits) < size:
            steps.append((cost, str(value + int(digits)), after))
    return steps


def _is_unit(digits: str) -> bool:
    return len(digits) == 1 and digits != "0"


def _is_tens(digits: str) -> bool:
    return len(digits) == 2 and digits[0] != "0" and digits[1] == "0"


def _fits(digits: str, following: str) -> bool:
    """Whether one number may have been cut in two: `20 9` for 29, `2300 9` for 2309."""
    zeros = len(digits) - len(digits.rstrip("0"))
    if not following or following.startswith("0") or not 2 <= len(digits) <= 4:
        return False
    return len(following) <= zeros < len(digits)
