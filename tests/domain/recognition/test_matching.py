from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.domain.folding import fold, fold_plate
from planso_connector.domain.language import Language
from planso_connector.domain.recognition import names, phones, plate
from planso_connector.domain.recognition.clarifying_question import choose_question
from planso_connector.domain.recognition.matching import (
    LookupQuery,
    Match,
    OrderFacts,
    Ranking,
    match_order,
    rank_matches,
)
from planso_connector.domain.recognition.plate import SpokenPlate
from planso_connector.domain.recognition.transcript import parse_transcript

JANA = OrderFacts(
    1, "WN-AE 2309", "Jana Petersen", "0151 23456789", "jana.petersen@example.de", "VW Golf", "Schwarz", "2026-12-07"
)
KARL = OrderFacts(2, "S-KL 1177", "Karl Kern", "0711 998877", "kern@example.de", "Audi A4", "Rot", "2026-12-09")
PIA = OrderFacts(3, "LB-PI 80", "Pia Abel", "030 4455667", None, "Ford Focus", "Blau", "2026-12-10")
SHOP = (JANA, KARL, PIA)


def rank_shop(query: LookupQuery, *orders: OrderFacts) -> Ranking:
    return rank_matches(m for facts in orders or SHOP if (m := match_order(query, facts)) is not None)


def match_surely(query: LookupQuery, facts: OrderFacts) -> Match:
    match = match_order(query, facts)
    assert match is not None
    return match


@pytest.mark.parametrize(
    ("query", "reasons"),
    [
        (LookupQuery(plates=(SpokenPlate("WNAE2309"),)), ("plate exact",)),
        (LookupQuery(plates=(SpokenPlate("WMAE2309"),)), ("plate one letter off",)),
        (LookupQuery(plates=(SpokenPlate("2309", 0.8, is_part=True),)), ("plate part",)),
        (LookupQuery(plates=(SpokenPlate("WNAE"),)), ("plate part",)),
        (LookupQuery(names=("Petersen",)), ("name exact",)),
        (LookupQuery(names=("Jana", "Petersen")), ("name exact",)),
        (LookupQuery(names=("Pettersenn",)), ("name sounds alike",)),
        (LookupQuery(names=("Petersek",)), ("name one letter off",)),
        (LookupQuery(names=("Peters",)), ("name starts so",)),
        (LookupQuery(phones=("0151 23456789",)), ("phone exact",)),
        (LookupQuery(phones=("6789",)), ("phone ends so",)),
        (LookupQuery(emails=("jana.petersen@example.de",)), ("email exact",)),
        (LookupQuery(emails=("jana.peterson@example.de",)), ("email one letter off",)),
        (LookupQuery(words=("Volkswagen", "Golf")), ("vehicle",)),
        (LookupQuery(order_ids=(1,)), ("order number",)),
        (LookupQuery(words=("ein", "Golf", "Petersen", "morgen")), ("name exact", "vehicle")),
        (LookupQuery(plates=(SpokenPlate("WMAE2309"),), names=("Petersen",)), ("plate one letter off", "name exact")),
    ],
)
def test_the_order_is_first_and_says_why(query: LookupQuery, reasons: tuple[str, ...]) -> None:
    """Each kind of fact finds the order and gives its reason, the strongest first."""
    ranking = rank_shop(query)
    assert ranking.matches[0].order_id == 1
    assert ranking.matches[0].reasons == reasons


def test_without_a_fitting_fact_there_is_no_match() -> None:
    """An empty query, or one that fits nothing, matches nothing, and nothing is certain."""
    assert match_order(LookupQuery(), JANA) is None
    assert match_order(LookupQuery(names=("Kern",), plates=(SpokenPlate("XX1"),)), JANA) is None
    assert match_order(LookupQuery(plates=(SpokenPlate("WNAE2309"),), names=("Kern",)), OrderFacts(9)) is None
    assert rank_shop(LookupQuery(names=("Nobody",))) == ((), False)


CERTAIN = [
    LookupQuery(plates=(SpokenPlate("WNAE2309"),)),
    LookupQuery(phones=("+49 151 23456789",)),
    LookupQuery(names=("Petersen", "Jana"), words=("Golf",)),
    LookupQuery(names=("Jana", "Petersen"), phones=("6789",)),
    LookupQuery(plates=(SpokenPlate("WNAE2309", 0.95), SpokenPlate("WNAE2390", 0.5)), names=("Petersen",)),
]
UNCERTAIN = [
    LookupQuery(plates=(SpokenPlate("WMAE2309"),)),
    LookupQuery(plates=(SpokenPlate("WNAE2309", 0.6),)),
    LookupQuery(plates=(SpokenPlate("WNAE2309", is_part=True),)),
    LookupQuery(plates=(SpokenPlate("2309"),)),
    LookupQuery(names=("Jana", "Petersen")),
    LookupQuery(names=("Petersen",), words=("Golf",)),
    LookupQuery(names=("Jana", "Pettersen"), words=("Golf",)),
    LookupQuery(phones=("23456789",)),
    LookupQuery(emails=("jana.petersen@example.de",)),
    LookupQuery(plates=(SpokenPlate("WNAE2309"),), names=("Kern",)),
    LookupQuery(plates=(SpokenPlate("WNAE2309"),), phones=("0711 998877",)),
    LookupQuery(plates=(SpokenPlate("WNAE2309"), SpokenPlate("SKL1177"))),
    LookupQuery(phones=("0151 23456789", "0711 998877")),
    LookupQuery(words=("Golf",)),
    LookupQuery(order_ids=(1,)),
]


@pytest.mark.parametrize("query", CERTAIN)
def test_identifying_facts_are_certain(query: LookupQuery) -> None:
    """A whole plate, a whole phone number, or a full name with one more fact is certain."""
    ranking = rank_shop(query)
    assert ranking.is_certain
    assert ranking.matches[0].order_id == 1


@pytest.mark.parametrize("query", UNCERTAIN)
def test_other_facts_are_not_certain(query: LookupQuery) -> None:
    """Parts, sounds, a name alone, an uncertain plate, two plates at once, or a contradiction is not certain."""
    assert not rank_shop(query).is_certain


@pytest.mark.parametrize("query", CERTAIN)
@pytest.mark.parametrize("other", [{"vehicle": "Opel Corsa"}, {"phone": "030 1"}, {"plate": "WN-AE 2308"}, {}])
def test_two_orders_with_one_identifying_fact_are_not_certain(query: LookupQuery, other: dict[str, str]) -> None:
    """With a second order of the same plate, number or full name, whatever else differs, none is certain."""
    twin = replace(JANA, order_id=7, **other)
    shared = match_order(query, twin)
    if shared is not None and (
        match_surely(query, JANA).exact & shared.exact or "plate one letter off" in shared.reasons
    ):
        assert not rank_shop(query, JANA, twin, KARL).is_certain


def test_a_second_plate_one_letter_away_is_not_certain() -> None:
    """The caller may have said the other one; certain only where another fact tells the two apart."""
    near = replace(KARL, order_id=8, plate="WM-AE 2309")
    heard = LookupQuery(plates=(SpokenPlate("WNAE2309"),))
    assert not rank_shop(heard, JANA, near).is_certain
    assert rank_shop(replace(heard, names=("Petersen",)), JANA, near).is_certain


SHOPS = st.lists(
    st.builds(
        OrderFacts,
        order_id=st.integers(1, 10_000),
        plate=st.none() | st.sampled_from(["WN-AE 2309", "WN-AE 2308", "WM-AE 2309", "S-KL 1177", "S-KL 117"]),
        name=st.none()
        | st.sampled_from(["Jana Petersen", "Anna Petersen", "Jana Peters", "Petersen, Jana", "Karl Kern"]),
        phone=st.none() | st.sampled_from(["0151 23456789", "0151 23456788", "23456789", "0711 998877"]),
        email=st.none() | st.sampled_from(["jana@example.de", "jane@example.de", "info@example.de"]),
        vehicle=st.none()
        | st.sampled_from(["VW Golf", "VW Polo", "Audi A4", "WN-AE 2309", "Golf Petersen", "0711 998877"]),
        color=st.none() | st.sampled_from(["Rot", "Schwarz", "Petersen rot", "jana@example.de"]),
        drop_off=st.none() | st.sampled_from(["2026-12-07", "2026-12-09T08:00:00", "bald"]),
    ),
    max_size=8,
    unique_by=lambda facts: facts.order_id,
)
PLATES = st.builds(
    SpokenPlate,
    st.sampled_from(["WNAE2309", "WMAE2309", "SKL1177", "2309", "", "X1"]),
    st.floats(0.1, 1),
    st.booleans(),
)
QUESTIONS = st.builds(
    LookupQuery,
    plates=st.lists(PLATES, max_size=2).map(tuple),
    names=st.sampled_from([(), ("Petersen",), ("Jana", "Petersen"), ("Kern",), ("Jana",)]),
    phones=st.sampled_from([(), ("0151 23456789",), ("6789",), ("0711 998877",)]),
    emails=st.sampled_from([(), ("jana@example.de",), ("jana",)]),
    words=st.lists(st.sampled_from(["Golf", "Petersen", "Jana", "bitte", "Kern"]), max_size=3).map(tuple),
)


@settings(max_examples=60)
@given(QUESTIONS, SHOPS)
def test_a_certain_order_is_alone(query: LookupQuery, shop: list[OrderFacts]) -> None:
    """A certain order fits exactly, is not contradicted, is far ahead, and shares its exact facts with no other."""
    ranking = rank_shop(query, *shop) if shop else rank_matches(())
    scores = [m.score for m in ranking.matches]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < s <= 1 and len(m.reasons) == len(m.fits) > 0 for s, m in zip(scores, ranking.matches, strict=True))
    if not ranking.is_certain:
        return
    best, *others = ranking.matches
    assert best.exact
    assert not best.contradicts
    for other in others:
        assert best.score - other.score >= 0.35
        if "plate" in best.exact:
            assert fold_plate(other.facts.plate or "") != fold_plate(best.facts.plate or "")
        if "phone" in best.exact:
            assert phones.normalize(other.facts.phone or "") != phones.normalize(best.facts.phone or "")


@settings(max_examples=60)
@given(QUESTIONS, SHOPS)
def test_a_misheard_plate_makes_no_other_order_certain(query: LookupQuery, shop: list[OrderFacts]) -> None:
    """Where the plate that was meant is near the one that was heard, no plate alone makes another order certain."""
    heard = replace(LookupQuery(), plates=query.plates)
    ranking = rank_shop(heard, *shop) if shop else rank_matches(())
    if ranking.is_certain:
        keys = {spoken.key for spoken in heard.plates if spoken.certainty >= 0.9}
        near = [f for f in shop if f.plate and any(plate.distance(key, fold_plate(f.plate)) <= 1 for key in keys)]
        assert [f.order_id for f in near] == [ranking.matches[0].order_id]


@settings(max_examples=60)
@given(QUESTIONS, SHOPS.filter(bool))
def test_a_fitting_fact_raises_and_a_contradiction_lowers_the_score(query: LookupQuery, shop: list[OrderFacts]) -> None:
    """One more fact that fits never lowers a score; one that contradicts always does."""
    facts = shop[0]
    without = match_order(replace(query, phones=()), facts)
    with_it = match_order(query, facts)
    if without is None or with_it is None:
        return
    if "phone" in with_it.fits:
        assert with_it.score >= without.score
    if "phone" in with_it.contradicts:
        assert with_it.score < without.score


@settings(max_examples=60)
@given(QUESTIONS, SHOPS, st.sampled_from(get_args(Language)))
def test_a_clarifying_question_has_no_personal_data(
    query: LookupQuery, shop: list[OrderFacts], language: Language
) -> None:
    """No name, number, address or plate of a candidate is in it, though people type them into any field."""
    ranking = rank_shop(query, *shop) if shop else rank_matches(())
    sentence = choose_question(ranking.matches, query, language)
    words = set(fold(sentence).replace("?", " ").replace(",", " ").split())
    for facts in (match.facts for match in ranking.matches):
        assert not words & set(names.split_words(facts.name or ""))
        assert not facts.plate or fold_plate(facts.plate) not in fold_plate(sentence)
        assert not facts.phone or facts.phone not in sentence
    assert "@" not in sentence
    assert sentence.endswith("?")


DIGITS = {"de": "Wie lauten die Ziffern auf dem Kennzeichen?", "en": "What are the digits on the number plate?"}
SURNAME = {"de": "Auf welchen Namen läuft der Auftrag?", "en": "Which name is the order under?"}


def _candidates(*orders: OrderFacts) -> tuple[Match, ...]:
    return tuple(Match(facts.order_id, 0.7, ("name exact",), facts) for facts in orders)


@pytest.mark.parametrize(
    ("orders", "german", "english"),
    [
        ((), "Wie lautet das Kennzeichen?", "What is the number plate?"),
        ((JANA,), "Geht es um den VW Golf?", "Is it about the VW Golf?"),
        ((replace(JANA, vehicle=None),), DIGITS["de"], DIGITS["en"]),
        ((replace(JANA, vehicle="WN-AE 2309", plate=None),), SURNAME["de"], SURNAME["en"]),
        ((replace(JANA, vehicle="wn ae 2309", plate=None),), SURNAME["de"], SURNAME["en"]),
        ((replace(JANA, vehicle="BMW X5"),), "Geht es um den BMW X5?", "Is it about the BMW X5?"),
        ((JANA, KARL), "Geht es um den VW Golf oder den Audi A4?", "Is it about the VW Golf or the Audi A4?"),
        (
            (JANA, KARL, PIA),
            "Geht es um den VW Golf, den Audi A4 oder den Ford Focus?",
            "Is it about the VW Golf, the Audi A4 or the Ford Focus?",
        ),
        (
            (JANA, replace(KARL, vehicle="Mercedes C-Klasse")),
            "Geht es um den VW Golf oder die Mercedes C-Klasse?",
            "Is it about the VW Golf or the Mercedes C-Klasse?",
        ),
        (
            (JANA, replace(KARL, vehicle="VW Golf")),
            "Wie lauten die Ziffern auf dem Kennzeichen?",
            "What are the digits on the number plate?",
        ),
        ((JANA, replace(JANA, name="Anna Petersen")), "Wie lautet der Vorname?", "What is the first name?"),
        (
            (JANA, replace(JANA, color="Rot")),
            "Welche Farbe hat der Wagen: Schwarz oder Rot?",
            "What colour is the car: Schwarz or Rot?",
        ),
        (
            (JANA, replace(JANA, drop_off="2027-01-12T08:00:00")),
            "Geht es um die Abgabe am 7. Dezember 2026 oder am 12. Januar 2027?",
            "Is it about the drop-off on 7 December 2026 or on 12 January 2027?",
        ),
        (
            (JANA, replace(JANA, plate="WN-EA 2309")),
            "Wie lauten die Buchstaben auf dem Kennzeichen?",
            "What are the letters on the number plate?",
        ),
        (
            (JANA, KARL, PIA, replace(PIA, plate="LB-X 5")),
            "Wie lauten die Ziffern auf dem Kennzeichen?",
            "What are the digits on the number plate?",
        ),
        (
            tuple(replace(JANA, vehicle=f"Modell {i}") for i in range(4)),
            "Um welches Fahrzeug geht es?",
            "Which vehicle is it about?",
        ),
        (
            tuple(replace(JANA, name=f"Jana {name}") for name in ("Kern", "Abel", "Weiß", "Lind")),
            "Auf welchen Namen läuft der Auftrag?",
            "Which name is the order under?",
        ),
        ((JANA, JANA), "Wie lautet die Auftragsnummer?", "What is the number of the order?"),
    ],
)
def test_the_question_that_splits_best_is_asked(orders: tuple[OrderFacts, ...], german: str, english: str) -> None:
    """Up to three candidates are named; beyond, it asks for what differs most, at last for the order's number."""
    assert choose_question(_candidates(*orders), LookupQuery(), "de") == german
    assert choose_question(_candidates(*orders), LookupQuery(), "en") == english


def test_an_unlikely_candidate_is_not_named() -> None:
    """The question is about the likely candidates; an unlikely third one doesn't make it longer."""
    unlikely = Match(3, 0.2, ("name part",), PIA)
    assert (
        choose_question((*_candidates(JANA, KARL), unlikely), LookupQuery(), "de")
        == "Geht es um den VW Golf oder den Audi A4?"
    )


@pytest.mark.parametrize(
    "said", ["Ulf Böhm, BMW", "Ulf Böhm, BMW X1", "Ulf Böhm, Esslingen", "Ulf Böhm, BMW X1, Esslingen"]
)
def test_a_fact_said_beside_the_name_never_lowers_the_score(said: str) -> None:
    """Its make, its model, and the town of its plate."""
    order = OrderFacts(4, "ES-UB 417", "Ulf Böhm", vehicle="BMW X1")

    def score(text: str) -> float:
        found = parse_transcript(text)
        match = match_order(LookupQuery(plates=found.plates, words=found.words), order)
        return match.score if match else 0.0

    assert score(said) >= score("Ulf Böhm") >= 0.8
