"""What to ask a caller when it isn't certain which order is meant: the question that splits the likely ones best."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from planso_connector.domain.folding import fold, fold_plate
from planso_connector.domain.language import MONTHS, Language
from planso_connector.domain.recognition import names
from planso_connector.domain.recognition.matching import Match, OrderFacts

PLAUSIBLE_SHARE = 0.6
"""A question is asked about the matches that reach this share of the best score."""
MAX_NAMED_VEHICLES = 3
"""A question names so many vehicles; beyond, it asks for what is missing."""
MAX_CANDIDATES = 50


class _Split(NamedTuple):
    """One way to tell candidates apart. `value` is what they may differ in, empty where an order holds nothing."""

    value: Callable[[OrderFacts], str]
    spoken: Callable[[OrderFacts, Language], str] | None
    """The words to name a candidate with; None for what only the caller may say."""
    either: dict[str, tuple[str, str]]
    """By language: what stands in front of the choice, and before each item."""
    missing: dict[str, str]


def choose_question(candidates: Sequence[Match], language: Language) -> str | None:
    """
    The question whose answer leaves fewest of the candidates on average; None where none would tell them apart.
    It names vehicles, colours and days, never a name, a
    number or an address: those the caller has to say.
    """
    best_score = max((m.score for m in candidates), default=0.0)
    near = [m.facts for m in candidates[:MAX_CANDIDATES]]
    likely = [m.facts for m in candidates[:MAX_CANDIDATES] if m.score >= PLAUSIBLE_SHARE * best_score]
    private = frozenset(word for facts in near for word in names.split_words(facts.name or ""))
    plates = frozenset(fold_plate(facts.plate) for facts in near if facts.plate)
    plausible = [
        replace(
            facts,
            vehicle=facts.vehicle if _is_speakable(facts.vehicle, private, plates) else None,
            color=facts.color if _is_speakable(facts.color, private, plates) else None,
        )
        for facts in likely
    ]
    if not plausible:
        return None
    if len(plausible) == 1:
        return _confirm(plausible[0], language)
    splits = _FEW if len(plausible) <= MAX_NAMED_VEHICLES else _MANY
    left = [_left(split, plausible) for split in splits]
    best = min(left)
    if best >= len(plausible):
        return None
    return _words(splits[left.index(best)], plausible, language)


def _left(split: _Split, candidates: Sequence[OrderFacts]) -> float:
    """How many candidates an answer leaves on average; one that holds no value stays whatever is answered."""
    counted = Counter(split.value(facts) for facts in candidates)
    unknown = counted.pop("", 0)
    known = sum(n * (n + unknown) for n in counted.values())
    return round((known + unknown * len(candidates)) / len(candidates), 6)


def _confirm(facts: OrderFacts, tongue: Language) -> str | None:
    vehicle = _vehicle_value(facts)
    if not vehicle:
        return None
    return (
        f"Geht es um {_spoken_vehicle(facts, 'de')}?"
        if tongue == "de"
        else f"Is it about {_spoken_vehicle(facts, 'en')}?"
    )


def _words(split: _Split, candidates: Sequence[OrderFacts], tongue: Language) -> str:
    items = {split.value(f): split.spoken(f, tongue) for f in candidates if split.spoken and split.value(f)}
    if not 2 <= len(items) <= MAX_NAMED_VEHICLES or len(candidates) > MAX_NAMED_VEHICLES:
        return split.missing[tongue]
    front, each = split.either[tongue]
    *some, last = (f"{each}{item}" for item in items.values())
    return f"{front} {', '.join(some)} {'oder' if tongue == 'de' else 'or'} {last}?"


def _vehicle_value(facts: OrderFacts) -> str:
    return fold(facts.vehicle or "")


def _spoken_vehicle(facts: OrderFacts, tongue: Language) -> str:
    vehicle = " ".join((facts.vehicle or "").split())
    if tongue == "en":
        return f"the {vehicle}"
    return f"die {vehicle}" if vehicle.endswith("Klasse") else f"den {vehicle}"


def _color_value(facts: OrderFacts) -> str:
    return fold(facts.color or "")


_LOOKS_LIKE_A_PLATE = re.compile(
    r"[A-ZÄÖÜ]{1,3}(-[A-Z]{1,2}[- ]?\d{1,4}|[- ]?[A-Z]{1,2}[- ]?\d{3,4}) ?[EH]?", re.IGNORECASE
)
_LOOKS_LIKE_A_NUMBER = re.compile(r"\d(?:\W?\d){4}")


def _is_speakable(text: str | None, private: frozenset[str], plates: frozenset[str]) -> bool:
    """PlanSo's fields hold what people typed: a plate, a name or a number stands under `Fahrzeug` too."""
    if not text or len(text) > 40 or "@" in text or not text.isprintable():
        return False
    if _LOOKS_LIKE_A_NUMBER.search(text) or _LOOKS_LIKE_A_PLATE.fullmatch(text.strip()):
        return False
    plain = fold_plate(text)
    return private.isdisjoint(re.split(r"[^\w]+", fold(text))) and not any(plate and plate in plain for plate in plates)


def _day(facts: OrderFacts) -> str:
    return facts.drop_off[:10] if facts.drop_off and re.match(r"\d{4}-\d\d-\d\d", facts.drop_off) else ""


def _spoken_day(facts: OrderFacts, tongue: Language) -> str:
    year, month, day = _day(facts).split("-")
    name = MONTHS[tongue][(int(month) - 1) % 12]
    return f"{int(day)}. {name} {year}" if tongue == "de" else f"{int(day)} {name} {year}"


def _digits(facts: OrderFacts) -> str:
    found = re.search(r"\d+", fold_plate(facts.plate or ""))
    return found[0] if found else ""


def _letters(facts: OrderFacts) -> str:
    found = re.match(r"[A-Z]+", fold_plate(facts.plate or ""))
    return found[0] if found else ""


_BY_VEHICLE = _Split(
    _vehicle_value,
    _spoken_vehicle,
    {"de": ("Geht es um", ""), "en": ("Is it about", "")},
    {"de": "Um welches Fahrzeug geht es?", "en": "Which vehicle is it about?"},
)
_BY_COLOR = _Split(
    _color_value,
    lambda facts, _: " ".join((facts.color or "").split()),
    {"de": ("Welche Farbe hat der Wagen:", ""), "en": ("What colour is the car:", "")},
    {"de": "Welche Farbe hat der Wagen?", "en": "What colour is the car?"},
)
_BY_DAY = _Split(
    _day,
    _spoken_day,
    {"de": ("Geht es um die Abgabe", "am "), "en": ("Is it about the drop-off", "on ")},
    {
        "de": "An welchem Tag wird oder wurde das Fahrzeug abgegeben?",
        "en": "On which day is or was the car dropped off?",
    },
)
_BY_DIGITS = _Split(
    _digits,
    None,
    {},
    {"de": "Wie lauten die Ziffern auf dem Kennzeichen?", "en": "What are the digits on the number plate?"},
)
_BY_LETTERS = _Split(
    _letters,
    None,
    {},
    {"de": "Wie lauten die Buchstaben auf dem Kennzeichen?", "en": "What are the letters on the number plate?"},
)
_BY_FIRST_NAME = _Split(
    lambda facts: names.first_name(facts.name or ""),
    None,
    {},
    {"de": "Wie lautet der Vorname?", "en": "What is the first name?"},
)
_BY_NAME = _Split(
    lambda facts: names.surname(facts.name or ""),
    None,
    {},
    {"de": "Auf welchen Namen läuft der Auftrag?", "en": "Which name is the order under?"},
)
_FEW = (_BY_VEHICLE, _BY_DIGITS, _BY_NAME, _BY_FIRST_NAME, _BY_COLOR, _BY_DAY, _BY_LETTERS)
_MANY = (_BY_DIGITS, _BY_NAME, _BY_FIRST_NAME, _BY_VEHICLE, _BY_LETTERS, _BY_DAY, _BY_COLOR)
"""In the order in which they are tried where they split alike."""
