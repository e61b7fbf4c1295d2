"""What a caller has said already, so that nobody asks for it again."""

import re
from collections.abc import Sequence
from enum import Enum, auto

from planso_connector.domain.folding import fold
from planso_connector.domain.language import MONTHS, WEEKDAYS
from planso_connector.domain.recognition import names
from planso_connector.domain.recognition.matching import LookupQuery, OrderFacts, is_same_word, vehicle_words
from planso_connector.domain.recognition.spoken_words import COLOR_WORDS, VEHICLE_WORDS

MIN_LETTERS_CERTAINTY = 0.4
"""Of a plate; below, its letters may be a word that was misread."""
_DAYS = frozenset(fold(name) for table in (MONTHS, WEEKDAYS) for listed in table.values() for name in listed)


class Topic(Enum):
    """What a question may ask for."""

    DIGITS = auto()
    LETTERS = auto()
    """Of the plate, as DIGITS."""
    FIRST_NAME = auto()
    SURNAME = auto()
    VEHICLE = auto()
    COLOR = auto()
    DROP_OFF = auto()
    PHONE = auto()
    ORDER_NUMBER = auto()


def find_said_topics(query: LookupQuery, candidates: Sequence[OrderFacts]) -> frozenset[Topic]:
    """What was said, as far as the candidates show it: a word may be a first name, a surname or a vehicle."""
    said = _said_of_plate(query) | _said_of_names(query, candidates) | _said_of_vehicle(query, candidates)
    if query.phones:
        said |= {Topic.PHONE}
    if query.order_ids:
        said |= {Topic.ORDER_NUMBER}
    if any(fold(word) in _DAYS for word in query.words):
        said |= {Topic.DROP_OFF}
    return said


def _said_of_plate(query: LookupQuery) -> frozenset[Topic]:
    sure = [spoken.key for spoken in query.plates if spoken.certainty >= MIN_LETTERS_CERTAINTY]
    parts = [spoken.key for spoken in query.plates if spoken.is_part]
    topics = {Topic.DIGITS: any(re.search(r"\d", key) for key in (*sure, *parts))}
    topics[Topic.LETTERS] = any(re.search("[A-Z]", key) for key in sure)
    return frozenset(topic for topic, is_said in topics.items() if is_said)


def _said_of_names(query: LookupQuery, candidates: Sequence[OrderFacts]) -> frozenset[Topic]:
    parts = {Topic.FIRST_NAME: names.extract_first_name, Topic.SURNAME: names.extract_surname}
    words = query.names or query.words
    said = frozenset(
        topic
        for topic, extract in parts.items()
        if any(names.filter_name_words(words, extract(facts.name or "")) for facts in candidates)
    )
    if len(query.names) > 1:
        return frozenset(parts)
    return said or (frozenset({Topic.SURNAME}) if query.names else said)


def _said_of_vehicle(query: LookupQuery, candidates: Sequence[OrderFacts]) -> frozenset[Topic]:
    """A make alone is not the vehicle where candidates of that make differ."""
    words = [word for text in query.words for word in vehicle_words(text)]
    fitting: dict[str, int] = {}
    for facts in candidates:
        held = vehicle_words(facts.vehicle or "")
        fitting[" ".join(held)] = sum(any(is_same_word(word, other) for other in held) for word in words)
    most = max(fitting.values(), default=0)
    is_model_said = most > 0 and list(fitting.values()).count(most) == 1
    is_vehicle_said = is_model_said or (not most and any(word in VEHICLE_WORDS - COLOR_WORDS for word in words))
    colors = {word for facts in candidates for word in vehicle_words(facts.color or "")}
    is_color_said = any(any(is_same_word(word, color) for color in colors | COLOR_WORDS) for word in words)
    return frozenset({Topic.VEHICLE} if is_vehicle_said else ()) | ({Topic.COLOR} if is_color_said else set())
