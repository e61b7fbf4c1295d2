"""The question that tells the likely orders apart best, where it isn't certain which one a caller means."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from planso_connector.domain.folding import fold, fold_plate
from planso_connector.domain.language import MONTHS, Language
from planso_connector.domain.recognition import names
from planso_connector.domain.recognition.matching import Match, OrderFacts

PLAUSIBLE_SHARE = 0.6
"""The question is about the matches that reach this share of the best score."""
MAX_NAMED_VEHICLES = 3
"""With more candidates the question names none, and asks for what is missing."""
MAX_CANDIDATES = 50

_OR: Mapping[Language, str] = {"de": "oder", "en": "or"}
_LOOKS_LIKE_A_PLATE = re.compile(
    r"[A-ZÄÖÜ]{1,3}(-[A-Z]{1,2}[- ]?\d{1,4}|[- ]?[A-Z]{1,2}[- ]?\d{3,4}) ?[EH]?", re.IGNORECASE
)
_LOOKS_LIKE_A_NUMBER = re.compile(r"\d(?:\W?\d){4}")


class _Topic(NamedTuple):
    """One thing to ask for."""

    value: Callable[[OrderFacts], str]
    """What candidates may differ in; empty where an order has nothing."""
    question: Mapping[Language, str]
    """The question that names no candidate."""
    choice: Mapping[Language, str] = MappingProxyType({})
    """The beginning of the question that names the candidates; empty for what only the caller may say."""
    spoken: Callable[[OrderFacts, Language], str] = lambda *_: ""
    """The words that name a candidate in it."""


def choose_question(candidates: Sequence[Match], language: Language) -> str | None:
    """
    The question whose answer leaves the fewest candidates on average; None where none would tell them apart.

    It names vehicles, colours and days, never a name, a number or an address: those the caller has to say.
    """
    best_score = max((match.score for match in candidates), default=0.0)
    near = candidates[:MAX_CANDIDATES]
    private_words = frozenset(word for match in near for word in names.split_words(match.facts.name or ""))
    plates = frozenset(fold_plate(match.facts.plate) for match in near if match.facts.plate)

    def if_speakable(text: str | None) -> str | None:
        return text if text and _is_speakable(text, private_words, plates) else None

    plausible = [
        replace(match.facts, vehicle=if_speakable(match.facts.vehicle), color=if_speakable(match.facts.color))
        for match in near
        if match.score >= PLAUSIBLE_SHARE * best_score
    ]
    if len(plausible) <= 1:
        return _choice(_VEHICLE, plausible, language) if plausible and _VEHICLE.value(plausible[0]) else None
    topics = _TOPICS_FOR_FEW if len(plausible) <= MAX_NAMED_VEHICLES else _TOPICS_FOR_MANY
    topic = min(topics, key=lambda topic: _average_left(topic, plausible))
    if _average_left(topic, plausible) >= len(plausible):
        return None
    named = list({value: facts for facts in plausible if (value := topic.value(facts))}.values())
    if not topic.choice or len(named) < 2 or len(plausible) > MAX_NAMED_VEHICLES:
        return topic.question[language]
    return _choice(topic, named, language)


def _average_left(topic: _Topic, candidates: Sequence[OrderFacts]) -> float:
    """How many candidates an answer leaves on average; one without a value stays whatever the answer is."""
    counts = Counter(map(topic.value, candidates))
    unknown = counts.pop("", 0)
    known = sum(count * (count + unknown) for count in counts.values())
    return round((known + unknown * len(candidates)) / len(candidates), 6)


def _choice(topic: _Topic, candidates: Sequence[OrderFacts], language: Language) -> str:
    *others, last = (topic.spoken(facts, language) for facts in candidates)
    listed = f"{', '.join(others)} {_OR[language]} {last}" if others else last
    return f"{topic.choice[language]} {listed}?"


def _is_speakable(text: str, private_words: frozenset[str], plates: frozenset[str]) -> bool:
    """False for personal data: people type plates, names and numbers into the field `Fahrzeug` too."""
    if len(text) > 40 or "@" in text or not text.isprintable():
        return False
    if _LOOKS_LIKE_A_NUMBER.search(text) or _LOOKS_LIKE_A_PLATE.fullmatch(text.strip()):
        return False
    plain = fold_plate(text)
    has_plate = any(plate and plate in plain for plate in plates)
    return private_words.isdisjoint(re.split(r"[^\w]+", fold(text))) and not has_plate


def _spoken_vehicle(facts: OrderFacts, language: Language) -> str:
    vehicle = " ".join((facts.vehicle or "").split())
    if language == "en":
        return f"the {vehicle}"
    return f"die {vehicle}" if vehicle.endswith("Klasse") else f"den {vehicle}"


def _spoken_color(facts: OrderFacts, _: Language) -> str:
    return " ".join((facts.color or "").split())


def _day(facts: OrderFacts) -> str:
    return facts.drop_off[:10] if facts.drop_off and re.match(r"\d{4}-\d\d-\d\d", facts.drop_off) else ""


def _spoken_day(facts: OrderFacts, language: Language) -> str:
    year, month, day = map(int, _day(facts).split("-"))
    name = MONTHS[language][(month - 1) % 12]
    return f"am {day}. {name} {year}" if language == "de" else f"on {day} {name} {year}"


def _in_plate(pattern: str) -> Callable[[OrderFacts], str]:
    def value(facts: OrderFacts) -> str:
        found = re.search(pattern, fold_plate(facts.plate or ""))
        return found[0] if found else ""

    return value


_VEHICLE = _Topic(
    lambda facts: fold(facts.vehicle or ""),
    {"de": "Um welches Fahrzeug geht es?", "en": "Which vehicle is it about?"},
    {"de": "Geht es um", "en": "Is it about"},
    _spoken_vehicle,
)
_COLOR = _Topic(
    lambda facts: fold(facts.color or ""),
    {"de": "Welche Farbe hat der Wagen?", "en": "What colour is the car?"},
    {"de": "Welche Farbe hat der Wagen:", "en": "What colour is the car:"},
    _spoken_color,
)
_DROP_OFF = _Topic(
    _day,
    {
        "de": "An welchem Tag wird oder wurde das Fahrzeug abgegeben?",
        "en": "On which day is or was the car dropped off?",
    },
    {"de": "Geht es um die Abgabe", "en": "Is it about the drop-off"},
    _spoken_day,
)
_DIGITS = _Topic(
    _in_plate(r"\d+"),
    {"de": "Wie lauten die Ziffern auf dem Kennzeichen?", "en": "What are the digits on the number plate?"},
)
_LETTERS = _Topic(
    _in_plate("^[A-Z]+"),
    {"de": "Wie lauten die Buchstaben auf dem Kennzeichen?", "en": "What are the letters on the number plate?"},
)
_FIRST_NAME = _Topic(
    lambda facts: names.extract_first_name(facts.name or ""),
    {"de": "Wie lautet der Vorname?", "en": "What is the first name?"},
)
_SURNAME = _Topic(
    lambda facts: names.extract_surname(facts.name or ""),
    {"de": "Auf welchen Namen läuft der Auftrag?", "en": "Which name is the order under?"},
)
_TOPICS_FOR_FEW = (_VEHICLE, _DIGITS, _SURNAME, _FIRST_NAME, _COLOR, _DROP_OFF, _LETTERS)
_TOPICS_FOR_MANY = (_DIGITS, _SURNAME, _FIRST_NAME, _VEHICLE, _LETTERS, _DROP_OFF, _COLOR)
"""In order of preference among topics that split alike."""
