"""
Names of people and companies: what of them an index holds, and how well words that a caller said fit one.

The look-up, on a dictionary of distinct words (`word`, `sound`, both indexed) and a table of postings (`word`, order;
newest first), takes no scan and no extension of SQLite or PostgreSQL:

1. `probes(asked)` names the words to look for, by equality; each word's neighbours (`neighbours`, some 50 for each
   letter) by equality too, in one statement with a list; the words that start so by a range, limited (on PostgreSQL
   the column sorts by `C`: a server's own rules skip signs); the sounds by equality on `sound`.
2. The postings of the rarest asked word first, of its found words best first, limited to some 100 orders; a second
   asked word narrows them by its own postings, since `Müller` alone is one order in a hundred.
3. `similarity` ranks those, in 50 µs each; in 1 µs where it saw the question and the name before.

Measured with 200,000 distinct words: the neighbours of a word of 15 letters take 0.9 ms on SQLite, 6 ms on PostgreSQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from string import ascii_lowercase
from typing import NamedTuple

from planso_connector.domain.folding import MAX_KEY_LENGTH, fold
from planso_connector.domain.recognition.phonetics import cologne_code

EXACT = "name exact"
STARTS_WITH = "name starts so"
SOUNDS_ALIKE = "name sounds alike"
ONE_TYPO = "name one letter off"
PART = "name part"
"""The first name alone; or something that was asked stands not in the name, which can be another person's."""
REASONS = (EXACT, STARTS_WITH, SOUNDS_ALIKE, ONE_TYPO, PART)

NO_MATCH = (0.0, "")
_SURNAME_ALONE = 0.85

MAX_ASKED_WORDS, MAX_NAME_WORDS, MAX_PAIRS = 8, 10, 12
"""Words, and pairs of them, that are looked at. No name has more, and pairing them stays cheap."""
MAX_WORD_LENGTH = 32


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TITLES = _set(
    "herr herrn hr frau fr fraeulein familie fam eheleute firma fa mr mrs ms miss dr dres prof professor doktor dipl "
    "diplom mag magister"
)
_AFTER_A_TITLE = _set("med ing dent vet jur iur rer nat phil oec pol hc h c kfm kffr habil")
_LEGAL_FORMS = _set(
    "gmbh ggmbh mbh kg kgaa ag ohg ug gbr partg partgmbb mbb haftungsbeschraenkt ltd limited llc inc plc sarl"
)
_SHORT_LEGAL_FORM = re.compile(r"(?<=[\w.)])\s+(?:e\.\s?[KGV]\b\.?|e[KGV]\b|e\.\s?Kf[mr]\w*\.?|[eE]\.?\s?[kK]\.|SE\b)")
"""Those that are names too (Ek, Se): only as a register writes them, and never in front."""
_AND_CO = re.compile(r"(?:&|\+|\bund\b|\bu\.)\s*co\b\.?", re.IGNORECASE)
_JOINING = _set("und and u")
_PARTICLES = _set(
    "von vom van vander zu zum zur de del della dela der den des di da do dos du la le el al ten ter te af av y"
)
_PIECE = re.compile(r"[^\W_]+(?:['’`´][^\W_]+)*")
_HYPHENS = re.compile(r"\s*[-‐‑–]\s*")


class NameKeys(NamedTuple):
    """What an index holds of a name: `words` as `loose` has them, `sounds` their codes."""

    words: frozenset[str]
    sounds: frozenset[str]


class _Words(NamedTuple):
    """A name in pieces. `groups`: for each word its hyphenated pieces. `family`: which of them is the surname."""

    groups: tuple[tuple[str, ...], ...]
    particles: tuple[tuple[str, ...], ...]
    """For each group, the particles in front of it."""
    family: int

    @property
    def pieces(self) -> list[str]:
        return [piece for group in self.groups for piece in group]


@lru_cache(maxsize=16384)
def fold_loosely(word: str) -> str:
    """The folded word with ä=a as well: `Müller`, `Mueller` and `Muller` are all `muller`."""
    return fold(word).replace("ae", "a").replace("oe", "o").replace("ue", "u")


@lru_cache(maxsize=4096)
def _read(name: str) -> _Words:
    text = _AND_CO.sub(" ", _SHORT_LEGAL_FORM.sub(" ", name[:400]))
    before_comma, _, after_comma = text.partition(",")
    raw = [_groups(before_comma), _groups(after_comma)]
    parts = [_without_titles(part, has_comma=bool(raw[1])) for part in raw]
    if not any(parts):
        parts = raw
    groups: list[tuple[str, ...]] = []
    particles: list[tuple[str, ...]] = []
    surnames = 0
    for part in parts:
        waiting: list[str] = []
        for i, group in enumerate(part):
            if group[0] in _PARTICLES and len(group) == 1 and not _all_particles(part[i + 1 :]):
                waiting.append(group[0])
                continue
            groups.append(group)
            particles.append(tuple(waiting))
            waiting = []
        surnames = surnames or len(groups)
    groups, particles = groups[:MAX_NAME_WORDS], particles[:MAX_NAME_WORDS]
    return _Words(tuple(groups), tuple(particles), max(min(surnames, len(groups)) - 1, 0))


def _all_particles(groups: Iterable[tuple[str, ...]]) -> bool:
    return all(len(group) == 1 and group[0] in _PARTICLES for group in groups)


def _groups(text: str) -> list[tuple[str, ...]]:
    groups = []
    # Fold leaves the Turkish dotless i, which people here write and say as i.
    for chunk in _HYPHENS.sub("-", text.replace("ı", "i")).split():
        pieces: list[str] = []
        for part in re.split(r"[-/&+]", chunk):
            pieces += [re.sub(r"\W", "", fold(piece)) for piece in _PIECE.findall(part)]
        if "-" in chunk:
            groups.append(tuple(p[:MAX_WORD_LENGTH] for p in pieces if p)[:MAX_NAME_WORDS])
        else:
            groups += [(p[:MAX_WORD_LENGTH],) for p in pieces if p]
    return [g for g in groups if g]


def _without_titles(groups: Sequence[tuple[str, ...]], *, has_comma: bool) -> list[tuple[str, ...]]:
    kept: list[tuple[str, ...]] = []
    after_title = False
    for i, group in enumerate(groups):
        words = set(group)
        # Herr is a surname too: the last of `Michael Herr` stays.
        is_last = i == len(groups) - 1 and not has_comma and bool(kept)
        is_title = words <= _TITLES | _AFTER_A_TITLE and bool(words & _TITLES) and not is_last
        if is_title or (after_title and words <= _AFTER_A_TITLE):
            after_title = True
            continue
        after_title = False
        if not (words <= _LEGAL_FORMS or words <= _JOINING):
            kept.append(group)
    return kept


def split_words(name: str) -> tuple[str, ...]:
    """
    The folded words of a name, without titles, legal forms and particles. What is hyphenated stands as one and in
    its pieces, what has particles with and without them: `Dr. Jana von Müller-Lüdenscheidt` is `jana`,
    `vonmuellerluedenscheidt`, `muellerluedenscheidt`, `mueller`, `luedenscheidt`.
    """
    found: dict[str, None] = {}
    words = _read(name)
    for group, particles in zip(words.groups, words.particles, strict=True):
        if particles:
            found["".join((*particles, *group))[:MAX_KEY_LENGTH]] = None
        found["".join(group)[:MAX_KEY_LENGTH]] = None
        found.update(dict.fromkeys(group))
    return tuple(found)


def index_keys(name: str) -> NameKeys:
    """What an index needs to hold so that `probes` finds the name."""
    return _keys(split_words(name))


def search_keys(asked: Iterable[str]) -> NameKeys:
    """What to look for: the asked words, and each two neighbours as one (`Schuh Macher` is `Schuhmacher`)."""
    words = _asked(tuple(asked))
    return _keys((*words.pieces, *(word for word, _ in _joins(words))))


def _keys(words: Iterable[str]) -> NameKeys:
    plain = frozenset(fold_loosely(word) for word in words)
    return NameKeys(plain, frozenset(found for word in plain if len(word) > 1 and (found := phonetic_code(word))))


def phonetic_code(word: str) -> str:
    """The Kölner Phonetik of a word as it comes over the phone: `Pf` in front is `F`, as in Pfeiffer, `Qu` is `Kw`."""
    return cologne_code(_as_spoken(word))


def _as_spoken(word: str) -> str:
    return (word[1:] if word[:2] == "pf" else word).replace("qu", "kw")


def typo_variants(word: str) -> frozenset[str]:
    """Every word that is one typo away from `word`, a folded word of 4 letters or more; of shorter ones none."""
    if not 4 <= len(word) <= MAX_WORD_LENGTH:
        return frozenset()
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    left_out = {a + b[1:] for a, b in cuts if b}
    replaced = {a + c + b[1:] for a, b in cuts if b for c in ascii_lowercase}
    put_in = {a + c + b for a, b in cuts for c in ascii_lowercase}
    return frozenset((swapped | left_out | replaced | put_in) - {word})


def is_one_edit_apart(one: str, other: str) -> bool:
    """Whether a single typo makes one of the other: a letter too many, missing, wrong, or two letters swapped."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    return short[at + 1 :] == long[at + 1 :] or (
        short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
    )


_VOWEL_SOUNDS = (
    (re.compile("ai|ay|ei|ey"), "ai"),
    (re.compile("aeu|eu|oi|oy"), "oi"),
    (re.compile("au|ou|ow"), "au"),
    (re.compile("ie|ue|[iyü]"), "i"),
    (re.compile("ae|oe|ee|e"), "e"),
    (re.compile("aa|a"), "a"),
    (re.compile("oo|o"), "o"),
    (re.compile("u"), "u"),
)
_NEAR = frozenset(map(frozenset, ("ie", "ou", ("ai", "oi"), ("au", "o"))))


def _first_vowel(word: str) -> str:
    start = re.search("[aeiouy]", word[1:] if _starts_with_j(word) else word)
    if start is None:
        return ""
    rest = (word[1:] if _starts_with_j(word) else word)[start.start() :]
    return next(sound for pattern, sound in _VOWEL_SOUNDS if pattern.match(rest))


def _starts_with_j(word: str) -> bool:
    return word[:1] == "j" or (word[:1] in {"i", "y"} and word[1:2] in {"a", "e", "o", "u"} and word[:2] != "ie")


@lru_cache(maxsize=16384)
def _sounds_alike(asked: str, held: str) -> float:
    """
    Kölner Phonetik says alike, and the stressed vowel doesn't gainsay it: Postel's code drops vowels and takes `j` for
    one, so Meier is Mohr to it, and Jana Anna. 1 alike, less where the vowels are only near, 0 not alike.
    """
    if min(len(asked), len(held)) < 2 or not phonetic_code(asked) or phonetic_code(asked) != phonetic_code(held):
        return 0.0
    if _starts_with_j(asked) != _starts_with_j(held):
        return 0.0
    one, other = _first_vowel(_as_spoken(asked)), _first_vowel(_as_spoken(held))
    is_near = frozenset((one, other)) in _NEAR and len(phonetic_code(held)) > 2
    likeness = 1.0 if one == other else 0.85 if is_near else 0.0
    return likeness * (1.0 if ("sch" in asked) == ("sch" in held) else 0.85)


@lru_cache(maxsize=16384)
def _word(asked: str, held: str) -> tuple[float, str]:
    if asked == held:
        return 1.0, EXACT
    plain, plain_held = fold_loosely(asked), fold_loosely(held)
    if plain == plain_held:
        return 0.97, EXACT
    alike = _sounds_alike(asked, held)
    typo = min(len(plain), len(plain_held)) >= 4 and (
        is_one_edit_apart(plain, plain_held)
        or ((plain, plain_held) != (asked, held) and is_one_edit_apart(asked, held))
    )
    if alike:
        return (0.9 if typo else 0.85) * alike, SOUNDS_ALIKE
    if typo:
        return (0.8 if len(plain) >= 6 else 0.7), ONE_TYPO
    if len(plain) >= 3 and plain_held.startswith(plain):
        return 0.6 + 0.3 * len(plain) / len(plain_held), STARTS_WITH
    if len(asked) == 1 and held.startswith(asked):
        return 0.7, STARTS_WITH
    if len(held) == 1 and asked.startswith(held):
        return 0.7, STARTS_WITH
    return NO_MATCH


def is_full_match(asked: Iterable[str], name: str) -> bool:
    """Whether the asked words are all of a name that has two words or more, letter by letter."""
    score, reason = score_match(asked, name)
    return reason == EXACT and score >= 0.97 and len(_read(name).groups) > 1


def first_name(name: str) -> str:
    """The folded first name; empty for a surname alone and for a company."""
    words = _read(name)
    if len(words.groups) < 2 or {fold(w).strip(".()") for w in name.split()} & _LEGAL_FORMS:
        return ""
    return "".join(words.groups[0 if words.family else -1])


def surname(name: str) -> str:
    """The folded surname, of a company its last word; empty where the name holds no word."""
    words = _read(name)
    return "".join(words.groups[words.family]) if words.groups else ""


def filter_name_words(words: Iterable[str], name: str) -> tuple[str, ...]:
    """Those of some words, said in whatever connection, that fit a word of the name; of a double name one is enough."""
    held = _read(name).pieces
    return tuple(
        word
        for word in words
        if any(_word(said, piece)[0] for said in (_folded(word), *_asked((word,)).pieces) for piece in held)
    )


@lru_cache(maxsize=1024)
def _folded(word: str) -> str:
    return fold(word)[:MAX_WORD_LENGTH]


@lru_cache(maxsize=256)
def _asked(asked: tuple[str, ...]) -> _Words:
    """Asked words as a name; without the joined forms, where somebody asks with the `tokens` of a name."""
    words = _read(" ".join(asked))
    pieces = words.pieces
    joined = {"".join(pieces[i : i + n]) for n in (2, 3) for i in range(len(pieces) - n + 1)}
    kept = [i for i, group in enumerate(words.groups) if "".join(group) not in joined or len(group) > 1]
    kept = kept[:MAX_ASKED_WORDS]
    return _Words(tuple(words.groups[i] for i in kept), tuple(words.particles[i] for i in kept), max(len(kept) - 1, 0))


class _Pair(NamedTuple):
    score: float
    reason: str
    asked: frozenset[int]
    held: frozenset[int]


def _joined(one: str, other: str) -> tuple[float, str]:
    """Two words as one: they fit as a whole or not at all. What differs much in length can't, and is most of it."""
    if abs(len(one) - len(other)) > 3:
        return NO_MATCH
    score, reason = _word(one, other)
    return NO_MATCH if reason == STARTS_WITH else (score, reason)


def _pairs(asked: _Words, held: _Words) -> list[_Pair]:
    pairs = []
    joins = _joins(held)
    for i, word in enumerate(asked.pieces):
        for j, other in enumerate(held.pieces):
            score, reason = _word(word, other)
            if score:
                pairs.append(_Pair(score, reason, frozenset((i,)), frozenset((j,))))
        for other, places in joins:
            score, reason = _joined(word, other)
            if score:
                pairs.append(_Pair(score, reason, frozenset((i,)), places))
    for word, places in _joins(asked):
        for j, other in enumerate(held.pieces):
            score, reason = _joined(word, other)
            if score:
                pairs.append(_Pair(score, reason, places, frozenset((j,))))
    return pairs


def _best(pairs: Sequence[_Pair]) -> list[_Pair]:
    """The pairs that together explain most words best, no word in two of them."""
    if not pairs:
        return []
    first, rest = pairs[0], pairs[1:]
    free = [p for p in rest if not (p.asked & first.asked or p.held & first.held)]
    taken = [first, *_best(free)]
    if len(free) == len(rest):
        return taken
    left = _best(rest)
    return max(taken, left, key=_worth)


def _worth(pairs: Sequence[_Pair]) -> float:
    return sum(p.score * (len(p.asked) + len(p.held)) for p in pairs)


def score_match(asked: Iterable[str], name: str) -> tuple[float, str]:
    """
    How well asked words fit a name, 0 to 1, and why (`REASONS`; empty with 0). The order is free. 1 is every word,
    letter by letter; a name that holds more, or less, than was asked scores less; one that holds another first name
    beside the same surname less than half.
    """
    return _similarity(tuple(asked), name)


@lru_cache(maxsize=4096)
def _similarity(words: tuple[str, ...], name: str) -> tuple[float, str]:
    whole, held = _asked(words), _read(name)
    asked, pieces = whole.pieces, held.pieces
    found = _best(sorted(_pairs(whole, held), key=lambda p: -p.score)[:MAX_PAIRS])
    if not found or all(len(asked[i]) == 1 or len(pieces[j]) == 1 for p in found for i in p.asked for j in p.held):
        return NO_MATCH
    asked_found = frozenset().union(_at(asked, held.particles), *(p.asked for p in found))
    held_found = frozenset().union(_at(pieces, whole.particles), *(p.held for p in found))
    share = _share(
        len(asked) - len(asked_found),
        len(pieces) - len(held_found),
        len(held_found),
        has_family=bool(held_found & _family(held)),
        ends_alike=len(asked) - 1 in asked_found,
    )
    if not share:
        return NO_MATCH
    quality = _worth(found) / sum(len(p.asked) + len(p.held) for p in found)
    is_part = len(asked_found) < len(asked) or share < _SURNAME_ALONE
    return round(quality * share, 4), PART if is_part else min(found, key=lambda p: p.score).reason


def _at(pieces: Sequence[str], particles: Iterable[tuple[str, ...]]) -> frozenset[int]:
    """Places of words that the other side took for particles: `Le Minh` and `Minh Le`."""
    taken = {word for some in particles for word in some}
    return frozenset(i for i, piece in enumerate(pieces) if piece in taken)


def _joins(words: _Words) -> list[tuple[str, frozenset[int]]]:
    """Pieces as one word, with their places: hyphenated ones, neighbours, and a word with its particles."""
    joins: list[tuple[str, frozenset[int]]] = []
    at = 0
    flat = words.pieces
    for group, particles in zip(words.groups, words.particles, strict=True):
        places = frozenset(range(at, at + len(group)))
        if len(group) > 2:
            joins.append(("".join(group), places))
        if particles:
            joins.append(("".join((*particles, *group)), places))
        at += len(group)
    return joins + [(flat[i] + flat[i + 1], frozenset((i, i + 1))) for i in range(len(flat) - 1)]


def _family(held: _Words) -> frozenset[int]:
    start = sum(len(group) for group in held.groups[: held.family])
    return frozenset(range(start, start + len(held.groups[held.family])))


def _share(asked_left: int, held_left: int, held_found: int, *, has_family: bool, ends_alike: bool) -> float:
    """What is left of the score when words on either side found no partner."""
    if not asked_left and not held_left:
        return 1.0
    if not asked_left:
        return 0.9 if held_found > 1 else _SURNAME_ALONE if has_family else 0.65
    if not held_left:
        return 0.85 if held_found > 1 else 0.8
    if held_found > 1:
        return 0.7 if has_family else 0.35
    # Another first name beside the same surname: the wife may call for the husband's car.
    return 0.45 if has_family and ends_alike and asked_left == 1 else 0.0
