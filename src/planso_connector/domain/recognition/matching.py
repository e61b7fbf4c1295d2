"""
Which order a caller means: how well one order fits what was heard, which orders fit best, and whether that is certain.
What to ask when it isn't is in `domain.ask`.

Two laws. A fact that fits never lowers a score, one that doesn't never raises it. And nothing is certain that could be
another order: not with two orders behind one plate or phone number, not with a second plate one letter away, not
against anything that the caller said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Protocol

from planso_connector.domain.folding import fold, fold_plate
from planso_connector.domain.recognition import emails, names, phones

PLATE_EXACT = "plate exact"
PLATE_ONE_TYPO = "plate one letter off"
PLATE_PART = "plate part"
VEHICLE = "vehicle"
DATE = "date"

MIN_CERTAIN_LEAD = 0.35
"""How far the best has to be ahead to be certain. A plate one letter away is 0.3 or less behind an exact one."""
MIN_PLATE_CERTAINTY = 0.9
"""A reading of a plate that is less sure than this makes nothing certain."""
MIN_PLATE_PART = 2
PART_SURER = 1.5
"""A part's certainty is below 0.5 because no whole plate was said, and not because the part is in doubt."""

UNEXPLAINED, UNEXPLAINED_AT_MOST = 0.05, 4
"""Each free word that is not in an order's name may be another first name, and takes so much from how well it fits."""

MAX_WORDS = 12

_WEIGHT = {"plate": 1.0, "phone": 1.0, "email": 1.0, "name": 0.7, "date": 0.3, "vehicle": 0.2}
"""How much it speaks against an order that it doesn't fit."""
_POWER = {"plate": 1.0, "phone": 1.0, "email": 1.0, "name": 0.8, "date": 0.4, "vehicle": 0.5}
"""How far it alone, fitting perfectly, tells one order from the others."""


class PlateDistance(Protocol):
    """0 for the same key, up to 1 for what can have been misheard, the likelier the less; else infinity."""

    def __call__(self, heard: str, key: str, /) -> float: ...


class SpokenPlate(Protocol):
    """What a caller may have said: a whole plate, as `fold_plate` has it, or a part. `certainty`: 0 to 1."""

    @property
    def key(self) -> str: ...
    @property
    def certainty(self) -> float: ...
    @property
    def part(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class LookupQuery:
    """What was heard. `names` and `vehicle` were said as such; `words` may belong to either, or to nothing."""

    plates: tuple[SpokenPlate, ...] = ()
    names: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    vehicle: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    """Canonical days of drop-off."""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What one order holds that a caller could say, as it stands there; None where nothing stands."""

    order_id: int
    plate: str | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    vehicle: str | None = None
    color: str | None = None
    drop_off: str | None = None
    """A canonical day; a time may follow."""


@dataclass(frozen=True, slots=True)
class Match:
    """One order that fits in something. `score`: 0 to 1; `reasons`: best first."""

    order_id: int
    score: float
    reasons: tuple[str, ...]
    facts: OrderFacts
    exact: frozenset[str] = frozenset()
    """What identifies and is exact: `plate`, `phone`, `name` (the full one)."""
    fits: frozenset[str] = frozenset()
    against: frozenset[str] = frozenset()
    """What was heard and stands otherwise in the order."""


class Ranking(NamedTuple):
    matches: tuple[Match, ...]
    is_certain: bool
    """Whether the first one is meant, beyond doubt."""


@dataclass(slots=True)
class _Evidence:
    found: dict[str, tuple[float, str]] = field(default_factory=dict)
    against: set[str] = field(default_factory=set)
    sureness: dict[str, float] = field(default_factory=dict)
    """How sure it is that something of the kind was said, 0 to 1: what may be a name speaks little against a plate."""

    def add(self, kind: str, fit: tuple[float, str], *, speaks_against: bool = True) -> None:
        if fit[0]:
            self.found[kind] = max(fit, self.found.get(kind, (0.0, "")))
        elif speaks_against:
            self.against.add(kind)


def match_order(question: LookupQuery, facts: OrderFacts, distance: PlateDistance) -> Match | None:
    """How well an order fits, None where nothing does. What it doesn't hold speaks neither way."""
    evidence = _Evidence()
    if question.plates and facts.plate:
        evidence.add("plate", _best(_plate(p, fold_plate(facts.plate), distance) for p in question.plates))
        evidence.sureness["plate"] = max(p.certainty for p in question.plates)
    if question.phones and facts.phone:
        evidence.add("phone", _best(phones.score_match(asked, facts.phone) for asked in question.phones))
    if question.emails and facts.email:
        evidence.add("email", _best(emails.score_match(asked, facts.email) for asked in question.emails))
    said_name = _names(question, facts)
    if said_name and facts.name:
        likeness, reason = names.score_match(said_name, facts.name)
        left = 0 if question.names else len(question.words) - len(said_name)
        likeness = round(likeness * (1 - UNEXPLAINED * min(left, UNEXPLAINED_AT_MOST)), 4)
        evidence.add("name", (likeness, reason), speaks_against=bool(question.names))
    said_vehicle = question.vehicle or question.words[:MAX_WORDS]
    if said_vehicle and facts.vehicle:
        fit = _vehicle(said_vehicle, f"{facts.vehicle} {facts.color or ''}", all_count=bool(question.vehicle))
        evidence.add("vehicle", fit, speaks_against=bool(question.vehicle))
    if question.dates and facts.drop_off:
        evidence.add("date", (1.0, DATE) if facts.drop_off[:10] in question.dates else (0.0, ""))
    if not evidence.found:
        return None
    ordered = sorted(evidence.found, key=lambda kind: (-evidence.found[kind][0] * _POWER[kind], kind))
    return Match(
        order_id=facts.order_id,
        score=_total(evidence),
        reasons=tuple(evidence.found[kind][1] for kind in ordered),
        facts=facts,
        exact=_exact(evidence, said_name, facts),
        fits=frozenset(evidence.found),
        against=frozenset(evidence.against),
    )


def _best(fits: Iterable[tuple[float, str]]) -> tuple[float, str]:
    return max(fits, default=(0.0, ""))


def _total(evidence: _Evidence) -> float:
    doubt = 1.0
    for kind, (fit, _) in evidence.found.items():
        doubt *= 1 - _POWER[kind] * fit
    fitting = sum(_WEIGHT[kind] for kind in evidence.found)
    all_said = fitting + sum(_WEIGHT[kind] * evidence.sureness.get(kind, 1.0) for kind in evidence.against)
    return round((1 - doubt) * fitting / all_said, 4)


def _exact(evidence: _Evidence, said_name: Sequence[str], facts: OrderFacts) -> frozenset[str]:
    exact = set()
    plate, reason = evidence.found.get("plate", (0.0, ""))
    if reason == PLATE_EXACT and plate >= MIN_PLATE_CERTAINTY:
        exact.add("plate")
    if evidence.found.get("phone") == (1.0, phones.EXACT):
        exact.add("phone")
    if "name" in evidence.found and facts.name and names.is_full_match(said_name, facts.name):
        exact.add("name")
    return frozenset(exact)


def _plate(heard: SpokenPlate, key: str, distance: PlateDistance) -> tuple[float, str]:
    if not heard.key or not key:
        return 0.0, ""
    fit = (0.0, "")
    if not heard.part:
        if heard.key == key:
            return heard.certainty, PLATE_EXACT
        off = distance(heard.key, key)
        if off <= 1:
            fit = (0.85 - 0.15 * off) * heard.certainty, PLATE_ONE_TYPO
    if len(heard.key) >= MIN_PLATE_PART and heard.key in key:
        sure = min(1.0, PART_SURER * heard.certainty) if heard.part else heard.certainty
        fit = max(fit, ((0.3 + 0.4 * len(heard.key) / len(key)) * sure, PLATE_PART))
    return fit


def _names(question: LookupQuery, facts: OrderFacts) -> tuple[str, ...]:
    """The words said as a name; without any, those of the free words that occur in the order's name."""
    if question.names or not facts.name:
        return question.names
    return names.filter_name_words(question.words[:MAX_WORDS], facts.name)


_MAKES = {
    "volkswagen": "vw",
    "mercedesbenz": "mercedes",
    "benz": "mercedes",
    "daimler": "mercedes",
    "mb": "mercedes",
}
_LEFT_IN_WORDS = re.compile(r"[^\w]+")


@lru_cache(maxsize=4096)
def _vehicle_words(text: str) -> tuple[str, ...]:
    return tuple(_MAKES.get(word, word) for word in _LEFT_IN_WORDS.split(fold(text[:200])) if word)


def _vehicle(asked: Iterable[str], vehicle: str, *, all_count: bool) -> tuple[float, str]:
    """The share of asked words that the vehicle's words hold, a typo aside (`schwarze`); else how many they are."""
    held = set(_vehicle_words(vehicle))
    said = [word for text in asked for word in _vehicle_words(text)]
    close = [
        w
        for w in said
        if w in held or (len(w) >= 4 and any(len(h) >= 4 and names.is_one_edit_apart(w, h) for h in held))
    ]
    if not close:
        return 0.0, ""
    return (len(close) / len(said) if all_count else 1 - 0.2 / len(close)), VEHICLE


def rank_matches(matches: Iterable[Match]) -> Ranking:
    """
    Best first; the newer order where scores are equal. Certain is only what a whole plate, a whole phone number or a
    full name and one more fact identify, far ahead of all others. Needs every match to tell: an exact one that is left
    out would be missed.
    """
    ordered = tuple(sorted(matches, key=lambda m: (-m.score, -m.order_id)))
    return Ranking(ordered, bool(ordered) and _is_certain(ordered[0], ordered[1:]))


def _is_certain(best: Match, others: Sequence[Match]) -> bool:
    identified = bool(best.exact & {"plate", "phone"}) or ("name" in best.exact and len(best.fits) > 1)
    return (
        identified
        and not best.against
        and not any(best.exact & other.exact for other in others)
        and all(best.score - other.score >= MIN_CERTAIN_LEAD for other in others)
    )
