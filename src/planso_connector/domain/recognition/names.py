"""
Names of people and companies: the keys an index holds of a name, and how well words that a caller said fit one.

Needs an index by word and one by sound, no scan and no database extension: words, `typo_variants` (some 50 for each
letter) and sounds are searched by equality, beginnings of words by a range. With 200,000 distinct words the variants of
a word of 15 letters take 0.9 ms on SQLite, 6 ms on PostgreSQL; `score_match` takes 50 µs, cached 1 µs.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise, product
from string import ascii_lowercase
from typing import NamedTuple

from planso_connector.domain.folding import MAX_KEY_LENGTH, fold
from planso_connector.domain.recognition.edits import is_one_edit_apart, single_edits
from planso_connector.domain.recognition.name_parts import LEGAL_FORMS, MAX_WORD_LENGTH, ParsedName, parse_name
from planso_connector.domain.recognition.phonetics import cologne_code

EXACT = "name exact"
STARTS_WITH = "name starts so"
SOUNDS_ALIKE = "name sounds alike"
ONE_TYPO = "name one letter off"
PART = "name part"
"""Only the first name fits, or an asked word is not in the name, which may then be another person's."""

NO_MATCH = (0.0, "")
_SURNAME_ALONE = 0.85

MAX_ASKED_WORDS, MAX_PAIRS = 8, 12
"""Words, and pairs of words, that are compared; no name has more, and it bounds the time."""
_MIN_JOINED_LENGTH = 5


class NameKeys(NamedTuple):
    """What an index holds of a name, or is asked for."""

    words: frozenset[str]
    """Folded by `fold_loosely`."""
    sounds: frozenset[str]
    """The words' `phonetic_code`s."""


@lru_cache(maxsize=16384)
def fold_loosely(word: str) -> str:
    """Fold a word with `ä`=`a` too: `Müller`, `Mueller` and `Muller` are all `muller`."""
    return fold(word).replace("ae", "a").replace("oe", "o").replace("ue", "u")


def split_words(name: str) -> tuple[str, ...]:
    """
    The folded words of a name, without titles, legal forms and particles. A hyphenated word is given whole and in
    pieces, one with particles with and without them: `Dr. Jana von Müller-Lüdenscheidt` is `jana`,
    `vonmuellerluedenscheidt`, `muellerluedenscheidt`, `mueller`, `luedenscheidt`.
    """
    found: dict[str, None] = {}
    parsed = parse_name(name)
    for group, particles in zip(parsed.groups, parsed.particles, strict=True):
        if particles:
            found["".join((*particles, *group))[:MAX_KEY_LENGTH]] = None
        found["".join(group)[:MAX_KEY_LENGTH]] = None
        found.update(dict.fromkeys(group))
    return tuple(found)


def index_keys(name: str) -> NameKeys:
    """The keys to index a name by, so that `search_keys` finds it: its words, and those that may be said as one."""
    joined = (form.text[:MAX_KEY_LENGTH] for form in parse_name(name).joined)
    return _keys((*split_words(name), *joined))


def search_keys(asked: Iterable[str]) -> NameKeys:
    """The keys to search for: the asked words, and each two in a row as one (`Schuh Macher` is `Schuhmacher`)."""
    return _keys(form.text for form in _parse_asked(tuple(asked)).forms)


def _keys(words: Iterable[str]) -> NameKeys:
    folded = frozenset(map(fold_loosely, words))
    return NameKeys(folded, frozenset(map(phonetic_code, (word for word in folded if len(word) > 1))) - {""})


def phonetic_code(word: str) -> str:
    """The Cologne code of a folded word as it sounds on the phone: `Pf` in front is `F`, as in Pfeiffer, `Qu` `Kw`."""
    return cologne_code(_as_spoken(word))


def _as_spoken(word: str) -> str:
    return (word[1:] if word[:2] == "pf" else word).replace("qu", "kw")


def typo_variants(word: str) -> frozenset[str]:
    """Every word one typo away from a folded word of 4 letters or more; shorter words have none."""
    if not 4 <= len(word) <= MAX_WORD_LENGTH:
        return frozenset()
    return frozenset(single_edits(word, ascii_lowercase)) - {word}


_VOWEL_SOUND = re.compile(
    "(?P<ai>ai|ay|ei|ey)|(?P<oi>aeu|eu|oi|oy)|(?P<au>au|ou|ow)|(?P<i>ie|ue|[iy])|(?P<e>ae|oe|ee|e)|(?P<a>a)|(?P<o>o)|(?P<u>u)"
)
_SIMILAR_VOWELS = frozenset(map(frozenset, ("ie", "ou", ("ai", "oi"), ("au", "o"))))


def _first_vowel(word: str) -> str | None:
    found = _VOWEL_SOUND.search(word, 1 if _starts_with_j(word) else 0)
    return found.lastgroup if found else None


def _starts_with_j(word: str) -> bool:
    return word[:1] == "j" or (word[:1] in {"i", "y"} and word[1:2] in {"a", "e", "o", "u"} and word[:2] != "ie")


@lru_cache(maxsize=16384)
def _sound_likeness(asked: str, held: str) -> float:
    """
    1 where the phonetic codes and the stressed vowels are the same, less where the vowels are only similar, else 0.

    The code alone is too coarse: it drops vowels and takes `j` for one, so Meier is Mohr to it, and Jana Anna.
    """
    if min(len(asked), len(held)) < 2 or not phonetic_code(asked) or phonetic_code(asked) != phonetic_code(held):
        return 0.0
    if _starts_with_j(asked) != _starts_with_j(held):
        return 0.0
    vowels = frozenset((_first_vowel(_as_spoken(asked)), _first_vowel(_as_spoken(held))))
    is_similar = vowels in _SIMILAR_VOWELS and len(phonetic_code(held)) > 2
    likeness = 1.0 if len(vowels) == 1 else 0.85 if is_similar else 0.0
    return likeness * (1.0 if ("sch" in asked) == ("sch" in held) else 0.85)


@lru_cache(maxsize=16384)
def _score_word(asked: str, held: str) -> tuple[float, str]:
    if asked == held:
        return 1.0, EXACT
    loose, loose_held = fold_loosely(asked), fold_loosely(held)
    if loose == loose_held:
        return 0.97, EXACT
    has_typo = min(len(loose), len(loose_held)) >= 4 and (
        is_one_edit_apart(loose, loose_held)
        or ((loose, loose_held) != (asked, held) and is_one_edit_apart(asked, held))
    )
    if likeness := _sound_likeness(asked, held):
        return (0.9 if has_typo else 0.85) * likeness, SOUNDS_ALIKE
    if has_typo:
        return (0.8 if len(loose) >= 6 else 0.7), ONE_TYPO
    if len(loose) >= 3 and loose_held.startswith(loose):
        return 0.6 + 0.3 * len(loose) / len(loose_held), STARTS_WITH
    if (len(asked) == 1 and held.startswith(asked)) or (len(held) == 1 and asked.startswith(held)):
        return 0.7, STARTS_WITH
    return NO_MATCH


def _score_joined(asked: str, held: str) -> tuple[float, str]:
    """Score words of which one is joined: they fit whole or not at all. With very different lengths they can't."""
    if abs(len(asked) - len(held)) > 3:
        return NO_MATCH
    score, reason = _score_word(asked, held)
    return NO_MATCH if reason == STARTS_WITH else (score, reason)


def is_full_match(asked: tuple[str, ...], name: str) -> bool:
    """Whether the asked words are all of a name that has two words or more, letter by letter."""
    score, reason = score_match(asked, name)
    return reason == EXACT and score >= 0.97 and len(parse_name(name).groups) > 1


@lru_cache(maxsize=4096)
def extract_first_name(name: str) -> str:
    """The folded first name; empty for a surname alone and for a company."""
    parsed = parse_name(name)
    if len(parsed.groups) < 2 or {fold(word).strip(".()") for word in name.split()} & LEGAL_FORMS:
        return ""
    return "".join(parsed.groups[0 if parsed.surname else -1])


@lru_cache(maxsize=4096)
def extract_surname(name: str) -> str:
    """The folded surname, of a company its last word; empty where the name has no word."""
    parsed = parse_name(name)
    return "".join(parsed.groups[parsed.surname]) if parsed.groups else ""


def filter_name_words(words: Iterable[str], name: str) -> tuple[str, ...]:
    """The words that fit some word of the name, or several written as one; of a double name one is enough."""
    words = tuple(words)
    held = parse_name(name)
    joined = [form.text for form in held.joined]
    # `Abdel Hamid` for Abdelhamid: neither word fits alone.
    in_pair = {i + n for i, text in enumerate(_joined_pairs(words)) if _fits_joined(text, held.pieces) for n in (0, 1)}
    return tuple(
        word
        for i, word in enumerate(words)
        if i in in_pair
        or any(_score_word(asked, piece)[0] for asked in _asked_forms(word) for piece in held.pieces)
        or _fits_joined(_fold_word(word), joined)
    )


@lru_cache(maxsize=1024)
def _asked_forms(word: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((_fold_word(word), *_parse_asked((word,)).pieces)))


@lru_cache(maxsize=256)
def _joined_pairs(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("".join(map(_fold_word, pair)) for pair in pairwise(words))


def _fits_joined(text: str, others: Sequence[str]) -> bool:
    return len(text) >= _MIN_JOINED_LENGTH and any(_score_joined(text, other)[0] for other in others)


@lru_cache(maxsize=1024)
def _fold_word(word: str) -> str:
    return fold(word)[:MAX_WORD_LENGTH]


@lru_cache(maxsize=256)
def _parse_asked(asked: tuple[str, ...]) -> ParsedName:
    """Asked words as a name; without the joined words, where somebody asks with the `split_words` of a name."""
    parsed = parse_name(" ".join(asked))
    pieces = parsed.pieces
    joined = {"".join(pieces[i : i + n]) for n in (2, 3) for i in range(len(pieces) - n + 1)}
    kept = [i for i, group in enumerate(parsed.groups) if "".join(group) not in joined or len(group) > 1]
    kept = kept[:MAX_ASKED_WORDS]
    return ParsedName(
        tuple(parsed.groups[i] for i in kept), tuple(parsed.particles[i] for i in kept), max(len(kept) - 1, 0)
    )


class _Pair(NamedTuple):
    """Asked pieces and pieces of the name that fit each other."""

    score: float
    reason: str
    asked: frozenset[int]
    held: frozenset[int]


def _fitting_pairs(asked: ParsedName, held: ParsedName) -> Iterator[_Pair]:
    for word, other in product(asked.forms, held.forms):
        if not (word.is_joined and other.is_joined):
            score_words = _score_joined if word.is_joined or other.is_joined else _score_word
            score, reason = score_words(word.text, other.text)
            if score:
                yield _Pair(score, reason, word.places, other.places)


def _best_pairs(pairs: Sequence[_Pair]) -> list[_Pair]:
    """The pairs that together explain most words best, no word in two of them."""
    if not pairs:
        return []
    first, rest = pairs[0], pairs[1:]
    free = [pair for pair in rest if not (pair.asked & first.asked or pair.held & first.held)]
    with_first = [first, *_best_pairs(free)]
    return with_first if len(free) == len(rest) else max(with_first, _best_pairs(rest), key=_total_score)


def _total_score(pairs: Sequence[_Pair]) -> float:
    return sum(pair.score * (len(pair.asked) + len(pair.held)) for pair in pairs)


@lru_cache(maxsize=4096)
def score_match(words: tuple[str, ...], name: str) -> tuple[float, str]:
    """
    How well asked words fit a name, 0 to 1, and the reason (empty with 0). Their order doesn't matter. 1: every word,
    letter by letter. Less where the name has more or fewer words than were asked; less than half where it has another
    first name with the same surname.
    """
    asked, held = _parse_asked(words), parse_name(name)
    asked_pieces, held_pieces = asked.pieces, held.pieces
    pairs = _best_pairs(sorted(_fitting_pairs(asked, held), key=lambda pair: -pair.score)[:MAX_PAIRS])
    if all(len(asked_pieces[i]) == 1 or len(held_pieces[j]) == 1 for p in pairs for i in p.asked for j in p.held):
        return NO_MATCH  # nothing fits, or nothing but initials
    asked_found = _particle_places(asked_pieces, held).union(*(pair.asked for pair in pairs))
    held_found = _particle_places(held_pieces, asked).union(*(pair.held for pair in pairs))
    share = _explained_share(
        len(asked_pieces) - len(asked_found),
        len(held_pieces) - len(held_found),
        len(held_found),
        has_surname=bool(held_found & _surname_places(held)),
        ends_alike=len(asked_pieces) - 1 in asked_found,
    )
    if not share:
        return NO_MATCH
    quality = _total_score(pairs) / sum(len(pair.asked) + len(pair.held) for pair in pairs)
    is_part = len(asked_found) < len(asked_pieces) or share < _SURNAME_ALONE
    return round(quality * share, 4), PART if is_part else min(pairs, key=lambda pair: pair.score).reason


def _particle_places(pieces: Sequence[str], other: ParsedName) -> frozenset[int]:
    """The pieces that the other side has as particles: `Le Minh` and `Minh Le`."""
    particles = {word for group in other.particles for word in group}
    return frozenset(i for i, piece in enumerate(pieces) if piece in particles)


def _surname_places(name: ParsedName) -> frozenset[int]:
    start = sum(map(len, name.groups[: name.surname]))
    return frozenset(range(start, start + len(name.groups[name.surname])))


def _explained_share(asked_left: int, held_left: int, held_found: int, *, has_surname: bool, ends_alike: bool) -> float:
    """The factor on the score where `asked_left` or `held_left` words found no partner; 0: another person."""
    if not asked_left and not held_left:
        return 1.0
    if not asked_left:
        return 0.9 if held_found > 1 else _SURNAME_ALONE if has_surname else 0.65
    if not held_left:
        return 0.85 if held_found > 1 else 0.8
    if held_found > 1:
        return 0.7 if has_surname else 0.35
    # Another first name with the same surname: the wife may call about the husband's car.
    return 0.45 if has_surname and ends_alike and asked_left == 1 else 0.0
