"""A caller is never asked for what was said already."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planso_connector.domain.recognition.already_said import Topic
from planso_connector.domain.recognition.already_said import find_said_topics as said
from planso_connector.domain.recognition.clarifying_question import choose_question
from planso_connector.domain.recognition.matching import LookupQuery, OrderFacts, match_order, rank_matches
from planso_connector.domain.recognition.plate import SpokenPlate

ANNA = OrderFacts(1, "S-FA 7007", "Anna Lindqvist", "0171 3920070", None, "Volvo V70", "blau", "2026-12-01")
FIRST_NAMES = ("Anna", "Bernd", "Clara", "David", "Eva", "Felix", "Greta")
FAMILY = tuple(
    replace(ANNA, order_id=i, name=f"{name} Lindqvist", phone=f"0171 392007{i}", drop_off=f"2026-12-0{i}")
    for i, name in enumerate(FIRST_NAMES, 1)
)
PLATE = (SpokenPlate("SFA7007"),)


def ask(query: LookupQuery, *orders: OrderFacts) -> str:
    matches = [match for facts in orders if (match := match_order(query, facts)) is not None]
    return choose_question(rank_matches(matches).matches, query, "de")


@pytest.mark.parametrize(
    ("query", "topics"),
    [
        (LookupQuery(), set()),
        (LookupQuery(plates=PLATE), {Topic.DIGITS, Topic.LETTERS}),
        (LookupQuery(plates=(SpokenPlate("7007", 0.5, is_part=True),)), {Topic.DIGITS}),
        (LookupQuery(plates=(SpokenPlate("SFA", 0.5, is_part=True),)), {Topic.LETTERS}),
        (LookupQuery(plates=(SpokenPlate("INS7", 0.05),)), set()),
        (LookupQuery(words=("Anna",)), {Topic.FIRST_NAME}),
        (LookupQuery(names=("Lindkvist",)), {Topic.SURNAME}),
        (LookupQuery(names=("Zimmer",)), {Topic.SURNAME}),
        (LookupQuery(names=("Anna", "Zimmer")), {Topic.FIRST_NAME, Topic.SURNAME}),
        (LookupQuery(words=("Volvo",)), {Topic.VEHICLE}),
        (LookupQuery(words=("Golf",)), set()),
        (LookupQuery(words=("VW",)), {Topic.VEHICLE}),
        (LookupQuery(words=("blaue",)), {Topic.COLOR}),
        (LookupQuery(words=("rot",)), {Topic.COLOR}),
        (LookupQuery(words=("Dienstag",)), {Topic.DROP_OFF}),
        (LookupQuery(phones=("0070",)), {Topic.PHONE}),
    ],
)
def test_what_was_said(query: LookupQuery, topics: set[Topic]) -> None:
    """A word is what it fits: a name of the candidates, a vehicle, a colour, a day; one said as a name is a surname."""
    assert said(query, FAMILY) == topics


def test_a_make_is_no_vehicle_where_models_differ() -> None:
    """`VW` leaves open which one, so it may be asked; with the model nothing is left to ask."""
    golf, polo = replace(ANNA, vehicle="VW Golf"), replace(ANNA, vehicle="VW Polo")
    assert Topic.VEHICLE not in said(LookupQuery(words=("VW",)), (golf, polo))
    assert Topic.VEHICLE in said(LookupQuery(words=("VW", "Polo")), (golf, polo))


@pytest.mark.parametrize(
    ("query", "question"),
    [
        (LookupQuery(plates=PLATE), "Wie lautet der Vorname?"),
        (LookupQuery(plates=PLATE, words=("Anna",)), "An welchem Tag wird oder wurde das Fahrzeug abgegeben?"),
        (LookupQuery(plates=PLATE, words=("Anna", "Dezember")), "Wie lautet Ihre Telefonnummer?"),
        (LookupQuery(plates=PLATE, words=("Anna", "Dezember"), phones=("0171",)), "Wie lautet die Auftragsnummer?"),
    ],
)
def test_a_family_on_one_plate_is_asked_for_what_differs(query: LookupQuery, question: str) -> None:
    """With seven orders behind one plate there is always a question, and each answer leads to another one."""
    assert ask(query, *FAMILY) == question


@pytest.mark.parametrize("words", [("Anna",), ("Anna", "Lindqvist"), ("Lindkwist", "Anna")])
def test_who_was_named_is_first_of_the_family(words: tuple[str, ...]) -> None:
    """A fact beside the plate, which is all of a score by itself, decides among those who share it; none is certain."""
    query = LookupQuery(plates=PLATE, words=words)
    ranking = rank_matches(match for facts in FAMILY if (match := match_order(query, facts)) is not None)
    assert ranking.matches[0].order_id == 1
    assert not ranking.is_certain


def test_one_order_is_confirmed_by_what_was_not_said() -> None:
    """The vehicle is named to confirm an order, unless the caller has named it."""
    assert ask(LookupQuery(names=("Lindqvist",)), ANNA) == "Geht es um den Volvo V70?"
    assert ask(LookupQuery(words=("Lindqvist", "Volvo")), ANNA) == "Wie lauten die Ziffern auf dem Kennzeichen?"


@pytest.mark.parametrize(
    ("query", "question"),
    [
        (LookupQuery(words=("Xyz",)), "Wie lautet das Kennzeichen?"),
        (LookupQuery(plates=(SpokenPlate("WNZZ1"),)), "Auf welchen Namen läuft der Auftrag?"),
        (LookupQuery(plates=(SpokenPlate("WNZZ1"),), names=("Xyz",)), "Wie lautet Ihre Telefonnummer?"),
        (LookupQuery((SpokenPlate("WNZZ1"),), ("Xyz",), ("0711555",)), "Wie lautet die Auftragsnummer?"),
    ],
)
def test_where_nothing_is_found_another_fact_is_asked_for(query: LookupQuery, question: str) -> None:
    """Plate, name, phone number, at last the order's number: the first that was not said."""
    assert ask(query) == question
