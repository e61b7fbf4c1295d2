"""Split a transcript into segments: letters and numbers that a caller spelled, and words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from planso_connector.domain.folding import fold
from planso_connector.domain.recognition import spoken_words
from planso_connector.domain.recognition.colloquial_numbers import standardize
from planso_connector.domain.recognition.district_codes import DISTRICT_CODES
from planso_connector.domain.recognition.district_towns import match_town
from planso_connector.domain.recognition.plate import LONG_KEYS, restore_umlaut, split_key
from planso_connector.domain.recognition.spoken_numbers import NumberPart, parse_digits, read_parts

MAX_CHARACTERS = 400
"""Of a transcript; the rest is ignored."""

_MAX_TOWN_WORDS = 7
_AS = frozenset(["wie", "as", "for", "fuer"])
_AND = frozenset(["und", "un", "and"])
_ARTICLES = frozenset(["die", "das", "den", "der", "the"])
_ENGLISH_ZERO = frozenset(["o", "oh"])
_UMLAUTS = frozenset(["AE", "OE", "UE"])
_UMLAUT_VOWELS = frozenset(["A", "O", "U"])
_TWO_WORDS = {("x", "ray"): "xray", ("new", "york"): "york", ("scharfes", "s"): "eszett"}
_HYPHENS = frozenset("-‐‑–")
_POINTS = frozenset(".·")
_TIGHT_GAPS = frozenset([""]) | _POINTS | _HYPHENS
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+")


class SegmentKind(Enum):
    LETTERS = auto()
    DIGITS = auto()
    WORD = auto()
    FILLER = auto()
    CORRECTION = auto()
    """Takes back what was said before."""


@dataclass(frozen=True, slots=True)
class Segment:
    kind: SegmentKind
    text: str
    """As said."""
    options: tuple[str, ...] = ()
    """The letters or digits that it may mean, likeliest first."""
    pieces: tuple[str, ...] = ()
    """The likeliest digits, one piece for each number that was said."""
    is_unambiguous: bool = False
    """Can mean nothing but its letters or digits."""
    is_spelling_word: bool = False
    """A spelling word or a town, which may be a person's name too."""
    districts: tuple[str, ...] = ()
    """The keys of the district codes that the town stands for."""
    is_glued: bool = False
    """No gap before it."""
    is_tight: bool = False
    """At most a hyphen or a point before it."""
    has_example: bool = False
    """A letter with its spelling word: `A wie Anton`."""
    is_letter_name: bool = False
    """A letter by its name, such as `be` or `zett`."""
    start: int = 0
    """Where it begins in the transcript."""
    word: str = ""
    """`text`, folded; empty for a segment of several words."""
    is_after_comma: bool = False
    is_after_hyphen: bool = False


_Segments = Sequence[Segment]


def split_segments(text: str) -> tuple[Segment, ...]:
    """The segments of the first `MAX_CHARACTERS` of a transcript, in the order said."""
    text = text[:MAX_CHARACTERS]
    is_uppercase = text.upper() == text
    rest: _Segments = _tokenize(text)
    segments: list[Segment] = []
    while rest:
        segment, used = _read_segment(rest, is_uppercase=is_uppercase)
        segments.append(segment)
        rest = rest[used:]
    return tuple(segments)


def _tokenize(text: str) -> list[Segment]:
    """Each word and each run of digits as a word."""
    tokens: list[Segment] = []
    end = 0
    for match in _TOKEN.finditer(text):
        word = fold(match[0])
        if tokens and (both := _TWO_WORDS.get((tokens[-1].word, word))):
            tokens[-1] = replace(tokens[-1], text=f"{tokens[-1].text} {match[0]}", word=both)
        else:
            gap = text[end : match.start()]
            token = Segment(
                SegmentKind.WORD,
                match[0],
                is_glued=not gap,
                is_tight=gap in _TIGHT_GAPS,
                start=match.start(),
                word=word,
                is_after_comma="," in gap,
                is_after_hyphen=gap.strip() in _HYPHENS or gap in _POINTS,
            )
            tokens.append(token)
        end = match.end()
    return tokens


def _read_segment(tokens: _Segments, *, is_uppercase: bool) -> tuple[Segment, int]:
    """The first segment of some tokens, and how many of them it takes."""
    for read in (
        _read_count_of_digits,
        _read_vehicle_model,
        _read_repeated_letter,
        _read_letter_with_example,
        _read_umlaut,
        _read_number,
        _read_town,
    ):
        found = read(tokens)
        if found is not None:
            return found
    return _read_listed_word(tokens[0]) or _read_other_word(tokens, is_uppercase=is_uppercase), 1


def _text(tokens: _Segments) -> str:
    return " ".join(token.text for token in tokens)


def _read_count_of_digits(tokens: _Segments) -> tuple[Segment, int] | None:
    """`letzten vier`, `die vier Ziffern`: how many digits follow, none of them."""
    at = 1 if tokens[0].word in spoken_words.LAST else 0
    following = [token.word for token in tokens[at : at + 2]]
    count = _count(following[0], most=6) if following else 0
    if not count or (not at and following[1:] not in ([noun] for noun in spoken_words.DIGIT_NOUNS)):
        return None
    used = at + (2 if following[1] in spoken_words.DIGIT_NOUNS else 1) if len(following) > 1 else at + 1
    number = _read_number(tokens[used:]) if used < len(tokens) and used == at + 1 else None
    if number is not None and not any(len(digits) == count for digits in number[0].options):
        return None
    return replace(tokens[0], kind=SegmentKind.FILLER, text=_text(tokens[:used]), word=""), used


def _read_vehicle_model(tokens: _Segments) -> tuple[Segment, int] | None:
    """`118i`, `A-Klasse`: no letters of a plate."""
    if len(tokens) < 2:
        return None
    first, second = tokens[:2]
    if second.is_glued and second.text in ("d", "i") and re.fullmatch("[1-9][0-9]{2}", first.text):
        return replace(first, text=first.text + second.text, word=""), 2
    if second.word == "klasse" and len(first.text) == 1:
        return replace(first, text=f"{first.text}-{second.text}", word=""), 2
    return None


# Letters


def _letter(
    tokens: _Segments, sign: str, *, is_unambiguous: bool = True, has_example: bool = False
) -> tuple[Segment, int]:
    """One letter, said with all of `tokens`."""
    segment = Segment(
        SegmentKind.LETTERS,
        _text(tokens),
        (sign,),
        is_unambiguous=is_unambiguous,
        has_example=has_example,
        start=tokens[0].start,
    )
    return segment, len(tokens)


def _letter_options(word: str) -> tuple[str, ...]:
    """What the name of a letter or a spelling word stands for."""
    return spoken_words.LETTER_NAMES.get(word) or spoken_words.SPELLING_WORDS.get(word) or ()


def _read_repeated_letter(tokens: _Segments) -> tuple[Segment, int] | None:
    """`doppel N`, `zweimal Otto`. Repeated digits are part of a number."""
    times, used = _read_repetition(tokens)
    options = _letter_options(tokens[used].word) if times and used < len(tokens) else ()
    return _letter(tokens[: used + 1], options[0] * times) if options else None


def _read_repetition(tokens: _Segments) -> tuple[int, int]:
    """How often what follows is meant, 2 to 4, and how many tokens say so; 0 where it isn't repeated."""
    words = [token.word for token in tokens[:2]]
    times, used = spoken_words.REPETITIONS.get(words[0], 0), 1
    if not times and words[1:] == ["mal"]:
        times, used = _count(words[0]), 2
    if not times:
        return 0, 0
    if used < len(tokens) and tokens[used].word in _ARTICLES:
        used += 1
    return times, used


def _count(word: str, *, most: int = 4) -> int:
    """2 to `most` in digits or words; 0 for anything else."""
    count = int(word) if re.fullmatch("[2-9]", word) else spoken_words.DIGIT_WORDS.get(word, 0)
    return count if 2 <= count <= most else 0


def _read_letter_with_example(tokens: _Segments) -> tuple[Segment, int] | None:
    """`A wie Anton`, `H wie Haus`, `B as in Bravo`, `wie Anton`; the word counts where it and the letter disagree."""
    at = 0 if tokens[0].word == "wie" else 1
    words = [token.word for token in tokens[: at + 3]]
    example = at + 2 if words[at : at + 2] == ["as", "in"] else at + 1
    if example >= len(words) or words[at] not in _AS:
        return None
    word, named = words[example], _letter_options(words[0]) if at else ()
    initial = word[0].upper()
    meant = spoken_words.SPELLING_WORDS.get(word, (initial,))[0]
    agree = bool(named) and named[0][0] == initial
    if not agree and (word not in spoken_words.SPELLING_WORDS or words[at] != "wie" or (at and not named)):
        return None
    sign = named[0] if agree and meant not in _UMLAUTS else meant
    return _letter(tokens[: example + 1], sign, is_unambiguous=agree, has_example=True)


def _read_umlaut(tokens: _Segments) -> tuple[Segment, int] | None:
    """`Umlaut Unna`, `U Umlaut`."""
    words = [token.word for token in tokens[:3]]
    if len(words) < 2 or "umlaut" not in words[:2]:
        return None
    if words[1] == "umlaut" and spoken_words.SPELLING_WORDS.get(words[-1], ("",))[0] in _UMLAUT_VOWELS:
        return None  # the umlaut is the one that follows
    options = _letter_options(words[1] if words[0] == "umlaut" else words[0])
    if not options or options[0][0] not in _UMLAUT_VOWELS:
        return None
    return _letter(tokens[:2], options[0][0] + "E")


def _read_town(tokens: _Segments) -> tuple[Segment, int] | None:
    """A town that stands for its district code; one of a spelling alphabet may be a letter as well."""
    if len(tokens[0].text) < 3 and tokens[0].word != "st":
        return None
    words = [token.word for token in tokens[:_MAX_TOWN_WORDS]]
    found = match_town(words) or _match_adjective(words)
    if found is None:
        return None
    districts, used = found
    options = tuple(dict.fromkeys((*spoken_words.SPELLING_WORDS.get(tokens[0].word, ()), *districts)))
    town = replace(
        tokens[0],
        kind=SegmentKind.LETTERS,
        text=_text(tokens[:used]),
        options=options,
        is_spelling_word=True,
        districts=districts,
        word=tokens[0].word if used == 1 else "",
    )
    return town, used


def _match_adjective(words: Sequence[str]) -> tuple[tuple[str, ...], int] | None:
    """`Tübinger Kennzeichen`; without the second word `Esslinger` is a name."""
    if words[1:2] and words[1] in spoken_words.PLATE_LABELS and words[0].endswith("er"):
        stem = words[0].removesuffix("er")
        found = match_town([stem]) or match_town([f"{stem}en"])
        return (found[0], 2) if found else None
    return None


def _read_listed_word(token: Segment) -> Segment | None:
    """A word with one meaning: a spelling word, a correction, or a letter's unmistakable name."""
    word = token.word
    if options := spoken_words.SPELLING_WORDS.get(word):
        return replace(token, kind=SegmentKind.LETTERS, options=options, is_spelling_word=True)
    if word in spoken_words.CORRECTION_WORDS and not (token.text == token.text.upper() and len(token.text) == 2):
        return replace(token, kind=SegmentKind.CORRECTION)
    if word in spoken_words.UNAMBIGUOUS_LETTER_NAMES:
        options = spoken_words.LETTER_NAMES[word]
        return replace(token, kind=SegmentKind.LETTERS, options=options, is_unambiguous=True, is_letter_name=True)
    return None


def _read_other_word(tokens: _Segments, *, is_uppercase: bool) -> Segment:
    """Letters as written, a letter's name, a filler, or a word. `is_uppercase`: all of the transcript is."""
    token, following = tokens[0], tokens[1:2]
    text, word = token.text, token.word
    signs = re.sub(r"[^A-Z]", "", word.upper())
    is_upper, is_filler = text == text.upper(), word in spoken_words.FILLER_WORDS
    digits_follow = bool(following) and following[0].is_glued and following[0].text.isdecimal()
    is_vehicle = word in spoken_words.VEHICLE_WORDS and not digits_follow
    if not signs or (is_vehicle and (is_uppercase or not is_upper or signs not in DISTRICT_CODES)):
        return token
    if is_uppercase and is_filler and len(text) > 2:
        return replace(token, kind=SegmentKind.FILLER)
    if is_upper and len(signs) <= 6 and (_is_short(text, signs) or digits_follow):
        is_unambiguous = not (is_uppercase and is_filler)
        return replace(token, kind=SegmentKind.LETTERS, options=(signs,), is_unambiguous=is_unambiguous)
    names = spoken_words.LETTER_NAMES.get(word, ())
    options = tuple(dict.fromkeys((*names, signs)))
    if is_filler:
        return replace(token, kind=SegmentKind.FILLER, options=options, is_letter_name=bool(names))
    if names:
        is_letter = len(text) == 1
        return replace(
            token, kind=SegmentKind.LETTERS, options=options, is_unambiguous=is_letter, is_letter_name=not is_letter
        )
    if _is_short(text, signs) or (len(signs) <= 6 and (digits_follow or _is_plate_before_number(signs, following))):
        return replace(token, kind=SegmentKind.LETTERS, options=options)
    return token


def _is_short(text: str, signs: str) -> bool:
    """No longer than letters of a plate: three, or four of a code with a spelled-out umlaut, `HMUE`."""
    return len(text) <= 3 or signs in LONG_KEYS


def _is_plate_before_number(signs: str, following: _Segments) -> bool:
    return (
        bool(following)
        and _is_number(following[0].word)
        and bool(split_key(signs + "1") or restore_umlaut(signs + "1")[0])
    )


# Numbers


def _is_number(word: str) -> bool:
    return word.isdecimal() or word in spoken_words.MAGNITUDES or parse_digits(word) is not None


def _read_number(tokens: _Segments) -> tuple[Segment, int] | None:
    """The longest run of numbers at the beginning, without the hesitations in it."""
    parts: list[NumberPart] = []
    between: list[NumberPart] = []
    at = end = 0
    while at < len(tokens):
        rest = tokens[at:]
        word = rest[0].word
        if parts and (_read_vehicle_model(rest) is not None or _is_new_number(rest[0], tokens[0], parts)):
            break
        part, used = _read_part(rest)
        if parts and word in _ENGLISH_ZERO and len(rest) > 1 and _is_number(rest[1].word):
            part, used = NumberPart("0"), 1
        if part is not None:
            parts += [*between, part]
            at += used
            between, end = [], at
        elif parts and (word in _AND or word in spoken_words.HESITATIONS):
            between += [NumberPart()] if word in _AND else []
            at += 1
        else:
            break
    text = _text(tokens[:end])
    if not parts or (text in ("ein", "Ein") and end < len(tokens)):  # the article
        return None
    options, pieces = read_parts(parts)
    number = replace(
        tokens[0], kind=SegmentKind.DIGITS, text=text, word="", is_unambiguous=True, options=options, pieces=pieces
    )
    return number, end


def _is_new_number(token: Segment, first: Segment, parts: Sequence[NumberPart]) -> bool:
    """`2309, 911` and `Q3, 2309` are two numbers; the pieces of a phone number are one."""
    digits = "".join(part.digits for part in parts)
    is_long = token.text.isdecimal() and len(token.text) >= 3
    return token.is_after_comma and is_long and (len(digits) >= 3 or first.is_glued) and digits[:1] != "0"


def _read_part(tokens: _Segments) -> tuple[NumberPart | None, int]:
    """The first part of a number, and how many tokens it takes."""
    times, used = _read_repetition(tokens)
    if times:
        part, more = _read_part(tokens[used:]) if used < len(tokens) else (None, 0)
        is_repeatable = part is not None and part.digits and part.times == 1
        return (replace(part, times=times), used + more) if part is not None and is_repeatable else (None, 0)
    word, following = tokens[0].word, tokens[1].word if len(tokens) > 1 else ""
    if following in spoken_words.DIGIT_PLURALS and (count := _count(word)):
        return NumberPart(str(spoken_words.DIGIT_PLURALS[following]), times=count), 2
    if word.isdecimal():
        return NumberPart("".join(str(int(sign)) for sign in word)), 1
    if magnitude := spoken_words.MAGNITUDES.get(standardize(word)):
        return NumberPart(magnitude=magnitude), 1
    single = re.sub("^doppelt?", "", word)
    digits = parse_digits(single)
    if digits is None:
        return None, 0
    return NumberPart(digits, times=1 if single == word else 2, is_english_tens=word in spoken_words.ENGLISH_TENS), 1
