"""
How well each order fits what a caller said, which one fits best, and whether that one is certain.
`clarifying_question` chooses what to ask where it isn't.

Two invariants. A fact that fits never lowers a score, and one that doesn't fit never raises it. And no order is
certain while the caller may mean another: not with two orders behind one plate or phone number, not with a second
plate one letter away, not against anything the caller said.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from planso_connector.domain.folding import fold, fold_plate
from planso_connector.domain.recognition import emails, names, phones, plate
from planso_connector.domain.recognition.district_towns import match_town
from planso_connector.domain.recognition.edits import is_one_edit_apart
from planso_connector.domain.recognition.plate import SpokenPlate

PLATE_EXACT = "plate exact"
PLATE_ONE_TYPO = "plate one letter off"
PLATE_PART = "plate part"
PLATE_OTHER_DISTRICT = "plate of another district"
"""The same letters and digits, with the district code ending elsewhere: BN-O 1234 for B-NO 1234."""
VEHICLE = "vehicle"
ORDER_NUMBER = "order number"

MIN_CERTAIN_LEAD = 0.35
"""How far ahead the best must be to be certain. A plate one letter away is 0.3 or less behind an exact one."""
MIN_PLATE_CERTAINTY = 0.9
"""A plate that is less certain than this makes no order certain."""
OTHER_DISTRICT_FACTOR = 0.6
MIN_PLATE_PART = 2
PART_FACTOR = 1.5
"""Makes up for a part's certainty, which is below 0.5 for not being a whole plate rather than for any doubt."""

UNEXPLAINED_PENALTY, MAX_UNEXPLAINED = 0.05, 4
"""Share taken off a name's fit for each free word that is not in it, since the word may be another first name."""

MAX_WORDS = 12

_WEIGHT = {"order": 1.0, "plate": 1.0, "phone": 1.0, "email": 1.0, "name": 0.7, "vehicle": 0.2}
"""How much it speaks against an order that a fact doesn't fit."""
_POWER = {"order": 0.9, "plate": 1.0, "phone": 1.0, "email": 1.0, "name": 0.8, "vehicle": 0.5}
"""How far a fact alone, fitting perfectly, tells one order from the others."""


@dataclass(frozen=True, slots=True)
class LookupQuery:
    """What a caller said. `names` were said as such; `words` may be names, vehicles, or nothing."""

    plates: tuple[SpokenPlate, ...] = ()
    names: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    order_ids: tuple[int, ...] = ()
    loose_digits: tuple[str, ...] = ()
    """Digits of which nobody said what they are: parts of plates, or the last ones of a phone number."""


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What a caller could say of an order, and a lookup shows of it, as the order has it."""

    order_id: int
    plate: str | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    vehicle: str | None = None
    color: str | None = None
    drop_off: str | None = None
    """A canonical day; a time may follow."""
    project_status: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """An order that fits in at least one fact. `score`: 0 to 1; `reasons`: strongest first."""

    order_id: int
    score: float
    reasons: tuple[str, ...]
    facts: OrderFacts
    exact: frozenset[str] = frozenset()
    """The facts that identify an order and fit exactly: `plate`, `phone`, `name` (the full one)."""
    fits: frozenset[str] = frozenset()
    contradicts: frozenset[str] = frozenset()
    """The facts that were said and that the order has otherwise."""
    support: float = 0.0
    """How much the facts say together. It tells orders apart that one fact alone gives the same full score."""

    def select_personal_data(self, *, shows_all: bool) -> dict[str, str | None]:
        """Name, phone number and address: those that were asked for and fit; `shows_all`: each."""
        facts = self.facts
        held = (("name", "person", facts.name), ("phone", "phone", facts.phone), ("email", "email", facts.email))
        return {member: value if shows_all or fact in self.fits else None for fact, member, value in held}


class Ranking(NamedTuple):
    matches: tuple[Match, ...]
    is_certain: bool
    """Whether the first one is meant, beyond doubt."""


@dataclass(slots=True)
class _Evidence:
    fits: dict[str, tuple[float, str]] = field(default_factory=dict)
    contradictions: dict[str, float] = field(default_factory=dict)
    """With the certainty, 0 to 1, that the fact was said: an uncertain plate speaks little against an order."""

    def add(self, kind: str, fits: Iterable[tuple[float, str]], certainty: float = 1.0) -> None:
        """Take the best of some fits. `certainty` 0: that nothing fits contradicts nothing."""
        best = max(fits)
        if best[0]:
            self.fits[kind] = best
        elif certainty:
            self.contradictions[kind] = certainty


def match_order(query: LookupQuery, facts: OrderFacts) -> Match | None:
    """How well an order fits, None where nothing does. A fact that the order lacks speaks neither way."""
    evidence = _Evidence()
    if query.plates and facts.plate:
        key = plate.strip_season(fold_plate(facts.plate))
        certainty = max(spoken.certainty for spoken in query.plates)
        evidence.add("plate", (_score_plate(spoken, key, facts.plate) for spoken in query.plates), certainty)
    if query.phones and facts.phone:
        evidence.add("phone", [phones.score_match(asked, facts.phone) for asked in query.phones])
    if query.loose_digits and not query.phones and facts.phone:
        evidence.add("phone", [phones.score_match(asked, facts.phone) for asked in query.loose_digits], certainty=0.0)
    if query.emails and facts.email:
        evidence.add("email", [emails.score_match(asked, facts.email) for asked in query.emails])
    if query.order_ids:
        evidence.add("order", [(1.0, ORDER_NUMBER) if facts.order_id in query.order_ids else (0.0, "")])
    asked_name = _asked_name(query, facts)
    if asked_name and facts.name:
        evidence.add("name", [_score_name(asked_name, facts, query)], certainty=1.0 if query.names else 0.0)
    if query.words and facts.vehicle:
        fit = _score_vehicle(query.words[:MAX_WORDS], f"{facts.vehicle} {facts.color or ''}")
        evidence.add("vehicle", [fit], certainty=0.0)
    if not evidence.fits:
        return None
    strongest = sorted(evidence.fits, key=lambda kind: (-evidence.fits[kind][0] * _POWER[kind], kind))
    return Match(
        order_id=facts.order_id,
        score=_total_score(evidence),
        reasons=tuple(evidence.fits[kind][1] for kind in strongest),
        facts=facts,
        exact=_exact_facts(evidence, asked_name, facts),
        fits=frozenset(evidence.fits),
        contradicts=frozenset(evidence.contradictions),
        support=round(sum(_WEIGHT[kind] * fit for kind, (fit, _) in evidence.fits.items()), 4),
    )


def _total_score(evidence: _Evidence) -> float:
    doubt = 1.0
    for kind, (fit, _) in evidence.fits.items():
        doubt *= 1 - _POWER[kind] * fit
    fitting = sum(_WEIGHT[kind] for kind in evidence.fits)
    total = fitting + sum(_WEIGHT[kind] * certainty for kind, certainty in evidence.contradictions.items())
    return round((1 - doubt) * fitting / total, 4)


def _exact_facts(evidence: _Evidence, asked_name: tuple[str, ...], facts: OrderFacts) -> frozenset[str]:
    score, reason = evidence.fits.get("plate", (0.0, ""))
    is_exact = {
        "plate": reason == PLATE_EXACT and score >= MIN_PLATE_CERTAINTY,
        "phone": evidence.fits.get("phone") == (1.0, phones.EXACT),
        "name": "name" in evidence.fits and names.is_full_match(asked_name, facts.name or ""),
    }
    return frozenset(kind for kind, exact in is_exact.items() if exact)


def _score_plate(spoken: SpokenPlate, key: str, text: str) -> tuple[float, str]:
    """`text` is the order's plate as written, `key` its key."""
    if not spoken.key or not key:
        return 0.0, ""
    fit = (0.0, "")
    if not spoken.is_part:
        if spoken.key == key:
            if spoken.district and (plate.written_district(text) or spoken.district) != spoken.district:
                return OTHER_DISTRICT_FACTOR * spoken.certainty, PLATE_OTHER_DISTRICT
            return spoken.certainty, PLATE_EXACT
        distance = plate.distance(spoken.key, key)
        if distance <= 1:
            fit = (0.85 - 0.15 * distance) * spoken.certainty, PLATE_ONE_TYPO
    if len(spoken.key) >= MIN_PLATE_PART and spoken.key in key:
        certainty = min(1.0, PART_FACTOR * spoken.certainty) if spoken.is_part else spoken.certainty
        fit = max(fit, ((0.3 + 0.4 * len(spoken.key) / len(key)) * certainty, PLATE_PART))
    return fit


def _asked_name(query: LookupQuery, facts: OrderFacts) -> tuple[str, ...]:
    """The words said as a name; without any, the free words that occur in the order's name."""
    if query.names or not facts.name:
        return query.names
    return names.filter_name_words(query.words[:MAX_WORDS], facts.name)


def _score_name(asked: tuple[str, ...], facts: OrderFacts, query: LookupQuery) -> tuple[float, str]:
    """Free words that the vehicle explains, and towns, are no other first name."""
    score, reason = names.score_match(asked, facts.name or "")
    vehicle = f"{facts.vehicle or ''} {facts.color or ''}"
    free = () if query.names else (word for word in query.words if word not in asked)
    unexplained = sum(not (_is_town(word) or _score_vehicle((word,), vehicle)[0]) for word in free)
    return round(score * (1 - UNEXPLAINED_PENALTY * min(unexplained, MAX_UNEXPLAINED)), 4), reason


@lru_cache(maxsize=1024)
def _is_town(text: str) -> bool:
    return match_town(fold(text).split()) is not None


_MAKES = {"volkswagen": "vw", **dict.fromkeys(("mercedesbenz", "benz", "daimler", "mb"), "mercedes")}
_BETWEEN_WORDS = re.compile(r"[^\w]+")
_APART = re.compile(r"\b([a-z]) (?=\d)")
"""`C 180`."""


@lru_cache(maxsize=4096)
def vehicle_words(text: str) -> tuple[str, ...]:
    """The folded words of a vehicle, each make by one name, `C 180` as one word."""
    folded = _APART.sub(r"\1", fold(text[:200]))
    return tuple(_MAKES.get(word, word) for word in _BETWEEN_WORDS.split(folded) if word)


@lru_cache(maxsize=4096)
def _score_vehicle(asked: tuple[str, ...], vehicle: str) -> tuple[float, str]:
    """By the number of asked words that are in `vehicle`, give or take a typo (`schwarze`)."""
    held = vehicle_words(vehicle)
    words = (word for text in asked for word in vehicle_words(text))
    fitting = sum(any(is_same_word(word, other) for other in held) for word in words)
    return (1 - 0.2 / fitting, VEHICLE) if fitting else (0.0, "")


def is_same_word(word: str, other: str) -> bool:
    """Give or take a typo."""
    return word == other or (len(word) >= 4 and len(other) >= 4 and is_one_edit_apart(word, other))


def rank_matches(matches: Iterable[Match]) -> Ranking:
    """
    Sort matches, best first, and among equals that with more support, then the newer order first.

    Certain is an order that a whole plate, a whole phone number, or a full name with one more fact identifies, far
    ahead of all others. Needs every match: one that was left out could be as exact.
    """
    ordered = tuple(sorted(matches, key=lambda match: (-match.score, -match.support, -match.order_id)))
    return Ranking(ordered, bool(ordered) and _is_certain(ordered[0], ordered[1:]))


def _is_certain(best: Match, others: Sequence[Match]) -> bool:
    is_identified = bool(best.exact & {"plate", "phone"}) or ("name" in best.exact and len(best.fits) > 1)
    return (
        is_identified
        and not best.contradicts
        and not any(best.exact & other.exact and not _is_ruled_out(other, best) for other in others)
        and all(best.score - other.score >= MIN_CERTAIN_LEAD for other in others)
    )


def _is_ruled_out(other: Match, best: Match) -> bool:
    """A namesake with another number, where the whole number of the best was said."""
    return "phone" in best.exact and "phone" in other.contradicts
