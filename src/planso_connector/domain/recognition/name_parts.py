"""The parts of a name of a person or company: its words without titles and legal forms, and its particles."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from planso_connector.domain.folding import fold, strip_invisible

MAX_NAME_WORDS = 10
"""Of a name; no name has more, and it bounds the time."""
MAX_WORD_LENGTH = 32


def _word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TITLES = _word_set(
    "herr herrn hr frau fr fraeulein familie fam eheleute firma fa mr mrs ms miss dr dres prof professor doktor dipl "
    "diplom mag magister"
)
_TITLE_SUFFIXES = _word_set("med ing dent vet jur iur rer nat phil oec pol hc h c kfm kffr habil")
LEGAL_FORMS = _word_set(
    "gmbh ggmbh mbh kg kgaa ag ohg ug gbr partg partgmbb mbb haftungsbeschraenkt ltd limited llc inc plc sarl"
)
_SHORT_LEGAL_FORM = re.compile(r"(?<=[\w.)])\s+(?:e\.\s?[KGV]\b\.?|e[KGV]\b|e\.\s?Kf[mr]\w*\.?|[eE]\.?\s?[kK]\.|SE\b)")
"""Legal forms that are surnames too (Ek, Se): only as registers write them, and never as the first word."""
_AND_CO = re.compile(r"(?:&|\+|\bund\b|\bu\.)\s*co\b\.?", re.IGNORECASE)
_CONJUNCTIONS = _word_set("und and u")
_PARTICLES = _word_set(
    "von vom van vander zu zum zur de del della dela der den des di da do dos du la le el al ten ter te af av y"
)
_PIECE = re.compile(r"[^\W_]+(?:['’`´][^\W_]+)*")
_ELISION = re.compile(r"\b([^\W\d_]{1,2})['’`´]([^\W\d_]{3,})")
_HYPHENS = re.compile(r"\s*[-‐‑–]\s*")


class NameForm(NamedTuple):
    """One piece of a name, or several pieces written as one word."""

    text: str
    places: frozenset[int]
    """The pieces, by number."""
    is_joined: bool = False


@dataclass(frozen=True)
class ParsedName:
    """A name without titles and legal forms. A hyphenated word is one group of several pieces."""

    groups: tuple[tuple[str, ...], ...]
    particles: tuple[tuple[str, ...], ...]
    """For each group, the particles in front of it."""
    surname: int
    """Which group is the surname."""
    elisions: tuple[tuple[str, str], ...] = ()
    """Each piece with an apostrophe, as its piece and without what comes before it: `oneil`, `neil`."""

    @cached_property
    def pieces(self) -> list[str]:
        return [piece for group in self.groups for piece in group]

    @cached_property
    def forms(self) -> list[NameForm]:
        """Each piece; then `joined`."""
        return [*(NameForm(piece, frozenset((i,))) for i, piece in enumerate(self.pieces)), *self.joined]

    @cached_property
    def joined(self) -> list[NameForm]:
        """
        Hyphenated words of three pieces or more, words with particles, any two in a row with and without them; and what
        follows an apostrophe.
        """
        pieces = self.pieces
        found: list[NameForm] = []
        start = 0
        for group, particles in zip(self.groups, self.particles, strict=True):
            places = frozenset(range(start, start + len(group)))
            if len(group) > 2:
                found.append(NameForm("".join(group), places, is_joined=True))
            found += (
                NameForm("".join((*particles[first:], *group)), places, is_joined=True)
                for first in range(len(particles))
            )
            if particles and start:
                both = "".join((pieces[start - 1], *particles, group[0]))
                found.append(NameForm(both, frozenset((start - 1, start)), is_joined=True))
            start += len(group)
        pairs = (
            NameForm(pieces[i] + pieces[i + 1], frozenset((i, i + 1)), is_joined=True) for i in range(len(pieces) - 1)
        )
        elided = dict(self.elisions)
        short = (
            NameForm(elided[piece], frozenset((i,)), is_joined=True)
            for i, piece in enumerate(pieces)
            if piece in elided
        )
        return [*found, *pairs, *short]


@lru_cache(maxsize=4096)
def parse_name(name: str) -> ParsedName:
    """The parts of a name as written."""
    text = _AND_CO.sub(" ", _SHORT_LEGAL_FORM.sub(" ", strip_invisible(name[:400])))
    before_comma, _, after_comma = text.partition(",")
    raw = [_split_groups(before_comma), _split_groups(after_comma)]
    parts = [_strip_titles(part, has_comma=bool(raw[1])) for part in raw]
    if not any(parts):
        parts = raw
    groups: list[tuple[str, ...]] = []
    particles: list[tuple[str, ...]] = []
    surname_end = 0
    for part in parts:
        pending: list[str] = []
        for i, group in enumerate(part):
            if _is_particle(group) and not all(map(_is_particle, part[i + 1 :])):
                pending.append(group[0])
                continue
            groups.append(group)
            particles.append(tuple(pending))
            pending = []
        surname_end = surname_end or len(groups)
    groups, particles = groups[:MAX_NAME_WORDS], particles[:MAX_NAME_WORDS]
    elisions = tuple((fold(head + tail), fold(tail)) for head, tail in _ELISION.findall(text))
    return ParsedName(tuple(groups), tuple(particles), max(min(surname_end, len(groups)) - 1, 0), elisions)


def _is_particle(group: tuple[str, ...]) -> bool:
    return len(group) == 1 and group[0] in _PARTICLES


def _split_groups(text: str) -> list[tuple[str, ...]]:
    groups: list[tuple[str, ...]] = []
    for chunk in _HYPHENS.sub("-", text).split():
        folded = [
            re.sub(r"\W", "", fold(piece))[:MAX_WORD_LENGTH]
            for part in re.split(r"[-/&+]", chunk)
            for piece in _PIECE.findall(part)
        ]
        pieces = tuple(piece for piece in folded if piece)
        groups += [pieces[:MAX_NAME_WORDS]] if "-" in chunk else [(piece,) for piece in pieces]
    return [group for group in groups if group]


def _strip_titles(groups: Sequence[tuple[str, ...]], *, has_comma: bool) -> list[tuple[str, ...]]:
    """The groups that are no title, legal form or conjunction."""
    kept: list[tuple[str, ...]] = []
    is_after_title = False
    for i, group in enumerate(groups):
        words = set(group)
        # Herr is a surname too: the last word of `Michael Herr` stays.
        is_last = i == len(groups) - 1 and not has_comma and bool(kept)
        is_title = words <= _TITLES | _TITLE_SUFFIXES and bool(words & _TITLES) and not is_last
        is_after_title = is_title or (is_after_title and words <= _TITLE_SUFFIXES)
        if not (is_after_title or words <= LEGAL_FORMS or words <= _CONJUNCTIONS):
            kept.append(group)
    return kept
