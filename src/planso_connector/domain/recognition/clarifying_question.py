"""The question that tells the likely orders apart best, where it isn't certain which one a caller means."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from planso_connector.domain.folding import fold, fold_plate
from planso_connector.domain.language import MONTHS, Language
from planso_connector.domain.recognition import names, phones
from planso_connector.domain.recognition.already_said import Topic, find_said_topics
from planso_connector.domain.recognition.matching import LookupQuery, Match, OrderFacts
from planso_connector.domain.recognition.speakable_texts import speak_color, speak_vehicle

PLAUSIBLE_SHARE = 0.6
"""The question is about the matches that reach this share of the best score."""
MAX_NAMED_VEHICLES = 3
"""With more candidates the question names none, and asks for what is missing."""
MAX_CANDIDATES = 20

_OR: Mapping[Language, str] = {"de": "oder", "en": "or"}
_LOOKS_LIKE_A_PLATE = re.compile(
    r"[A-ZÄÖÜ]{1,3}(-[A-Z]{1,2}[- ]?\d{1,4}|[- ]?[A-Z]{1,2}[- ]?\d{3,4}) ?[EH]?", re.IGNORECASE
)
_LOOKS_LIKE_A_NUMBER = re.compile(r"\d(?:\W?\d){4}")


class _Question(NamedTuple):
    """One thing to ask for."""

    topic: Topic
    value: Callable[[OrderFacts], str]
    """What candidates may differ in; empty where an order has nothing."""
    question: Mapping[Language, str]
    """The question that names no candidate."""
    choice: Mapping[Language, str] = MappingProxyType({})
    """The beginning of the question that names the candidates; empty for what only the caller may say."""
    spoken: Callable[[OrderFacts, Language], str] = lambda *_: ""
    """The words that name a candidate in it; empty where nothing that may be read out does."""


def choose_question(candidates: Sequence[Match], query: LookupQuery, language: Language) -> str:
    """
    The question whose answer leaves the fewest candidates on average, about nothing that `query` has already.
    Where nothing tells them apart it asks for the number of the order; without candidates for a fact to search by.

    It names vehicles, colours and days, never a name, a number or an address: those the caller has to say.
    """
    best_score = max((match.score for match in candidates), default=0.0)
    near = candidates[:MAX_CANDIDATES]
    private_words = frozenset(word for match in near for word in names.split_words(match.facts.name or ""))
    plates = frozenset(fold_plate(match.facts.plate) for match in near if match.facts.plate)

    def speakable(facts: OrderFacts) -> OrderFacts:
        texts = facts.vehicle, facts.color
        vehicle, color = (text if text and _is_speakable(text, private_words, plates) else None for text in texts)
        return facts if (vehicle, color) == texts else replace(facts, vehicle=vehicle, color=color)

    plausible = [match.facts for match in near if match.score >= PLAUSIBLE_SHARE * best_score]
    said = find_said_topics(query, plausible)
    if not plausible:
        unsaid = (question for question in _QUESTIONS_TO_SEARCH_BY if question.topic not in said)
        return next(unsaid, _ORDER_NUMBER).question[language]
    plausible = list(map(speakable, plausible))
    questions = _QUESTIONS_FOR_FEW if len(plausible) <= MAX_NAMED_VEHICLES else _QUESTIONS_FOR_MANY
    open_questions = [question for question in questions if question.topic not in said]
    if len(plausible) == 1:
        return _confirm(plausible[0], open_questions, language)
    best = min(open_questions, key=lambda question: _average_left(question, plausible), default=_ORDER_NUMBER)
    if _average_left(best, plausible) >= len(plausible):
        return _ORDER_NUMBER.question[language]
    named = list({value: facts for facts in plausible if (value := best.value(facts))}.values())
    if not best.choice or len(named) < 2 or len(plausible) > MAX_NAMED_VEHICLES:
        return best.question[language]
    return _choice(best, named, language)


def _confirm(facts: OrderFacts, questions: Sequence[_Question], language: Language) -> str:
    """About a single order: whether it is its vehicle, else for something that the order has."""
    for question in questions:
        if question.value(facts):
            return _choice(question, [facts], language) if question is _VEHICLE else question.question[language]
    return _ORDER_NUMBER.question[language]


def _average_left(question: _Question, candidates: Sequence[OrderFacts]) -> float:
    """How many candidates an answer leaves on average; one without a value stays whatever the answer is."""
    counts = Counter(map(question.value, candidates))
    unknown = counts.pop("", 0)
    known = sum(count * (count + unknown) for count in counts.values())
    return round((known + unknown * len(candidates)) / len(candidates), 6)


def _choice(question: _Question, candidates: Sequence[OrderFacts], language: Language) -> str:
    """The question that names the candidates; where one can't be named, or two sound alike, that which names none."""
    spoken = [question.spoken(facts, language) for facts in candidates]
    if not all(spoken) or len(set(spoken)) < len(spoken):
        return question.question[language]
    *others, last = spoken
    listed = f"{', '.join(others)} {_OR[language]} {last}" if others else last
    return f"{question.choice[language]} {listed}?"


def _is_speakable(text: str, private_words: frozenset[str], plates: frozenset[str]) -> bool:
    """False for personal data: people type plates, names and numbers into the field `Fahrzeug` too."""
    is_innocent, words, plain = _look_at(text)
    return is_innocent and private_words.isdisjoint(words) and not any(plate and plate in plain for plate in plates)


@lru_cache(maxsize=4096)
def _look_at(text: str) -> tuple[bool, frozenset[str], str]:
    """Whether a text has no look of an address, number or plate; its words; it, folded like a plate."""
    is_innocent = len(text) <= 40 and "@" not in text and text.isprintable()
    is_innocent = is_innocent and not (_LOOKS_LIKE_A_NUMBER.search(text) or _LOOKS_LIKE_A_PLATE.fullmatch(text.strip()))
    return is_innocent, frozenset(re.split(r"[^\w]+", fold(text))), fold_plate(text)


def _spoken_vehicle(facts: OrderFacts, language: Language) -> str:
    vehicle = speak_vehicle(facts.vehicle or "")
    if not vehicle:
        return ""
    if language == "en":
        return f"the {vehicle}"
    return f"die {vehicle}" if vehicle.endswith("Klasse") else f"den {vehicle}"


def _spoken_color(facts: OrderFacts, _: Language) -> str:
    return speak_color(facts.color or "")


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


_VEHICLE = _Question(
    Topic.VEHICLE,
    lambda facts: fold(facts.vehicle or ""),
    {"de": "Um welches Fahrzeug geht es?", "en": "Which vehicle is it about?"},
    {"de": "Geht es um", "en": "Is it about"},
    _spoken_vehicle,
)
_COLOR = _Question(
    Topic.COLOR,
    lambda facts: fold(facts.color or ""),
    {"de": "Welche Farbe hat der Wagen?", "en": "What colour is the car?"},
    {"de": "Welche Farbe hat der Wagen:", "en": "What colour is the car:"},
    _spoken_color,
)
_DROP_OFF = _Question(
    Topic.DROP_OFF,
    _day,
    {
        "de": "An welchem Tag wird oder wurde das Fahrzeug abgegeben?",
        "en": "On which day is or was the car dropped off?",
    },
    {"de": "Geht es um die Abgabe", "en": "Is it about the drop-off"},
    _spoken_day,
)
_DIGITS = _Question(
    Topic.DIGITS,
    _in_plate(r"\d+"),
    {"de": "Wie lauten die Ziffern auf dem Kennzeichen?", "en": "What are the digits on the number plate?"},
)
_LETTERS = _Question(
    Topic.LETTERS,
    _in_plate("^[A-Z]+"),
    {"de": "Wie lauten die Buchstaben auf dem Kennzeichen?", "en": "What are the letters on the number plate?"},
)
_FIRST_NAME = _Question(
    Topic.FIRST_NAME,
    lambda facts: names.extract_first_name(facts.name or ""),
    {"de": "Wie lautet der Vorname?", "en": "What is the first name?"},
)
_SURNAME = _Question(
    Topic.SURNAME,
    lambda facts: names.extract_surname(facts.name or ""),
    {"de": "Auf welchen Namen läuft der Auftrag?", "en": "Which name is the order under?"},
)
_PHONE = _Question(
    Topic.PHONE,
    lambda facts: phones.normalize(facts.phone or ""),
    {"de": "Wie lautet Ihre Telefonnummer?", "en": "What is your phone number?"},
)
_ORDER_NUMBER = _Question(
    Topic.ORDER_NUMBER,
    lambda facts: str(facts.order_id),
    {"de": "Wie lautet die Auftragsnummer?", "en": "What is the number of the order?"},
)
_PLATE = _Question(
    Topic.DIGITS,
    lambda facts: fold_plate(facts.plate or ""),
    {"de": "Wie lautet das Kennzeichen?", "en": "What is the number plate?"},
)
_QUESTIONS_TO_SEARCH_BY = (_PLATE, _SURNAME, _PHONE)
_QUESTIONS_FOR_FEW = (_VEHICLE, _DIGITS, _SURNAME, _FIRST_NAME, _COLOR, _DROP_OFF, _LETTERS, _PHONE)
_QUESTIONS_FOR_MANY = (_DIGITS, _SURNAME, _FIRST_NAME, _VEHICLE, _LETTERS, _DROP_OFF, _COLOR, _PHONE)
"""In order of preference among questions that split alike."""
