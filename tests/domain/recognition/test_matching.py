from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.domain.folding import fold, fold_plate
from planso_connector.domain.progress.sentence import Language
from planso_connector.domain.recognition import names, phones
from planso_connector.domain.recognition.clarifying_question import ask
from planso_connector.domain.recognition.matching import Facts, Match, Question, Ranking, rank, score


class Plate(NamedTuple):
    key: str
    certainty: float = 1.0
    part: bool = False


def ear(heard: str, key: str) -> float:
    """A stand-in for `plate.distance` that any distance has to keep to: 0, at most 1, infinity."""
    return 0.0 if heard == key else 0.5 if names.one_off(heard, key) else math.inf


JANA = Facts(
    1, "WN-AE 2309", "Jana Petersen", "0151 23456789", "jana.petersen@example.de", "VW Golf", "Schwarz", "2026-12-07"
)
KARL = Facts(2, "S-KL 1177", "Karl Kern", "0711 998877", "kern@example.de", "Audi A4", "Rot", "2026-12-09")
PIA = Facts(3, "LB-PI 80", "Pia Abel", "030 4455667", None, "Ford Focus", "Blau", "2026-12-10")
SHOP = (JANA, KARL, PIA)


def found(question: Question, *orders: Facts) -> Ranking:
    return rank(m for facts in orders or SHOP if (m := score(question, facts, ear)) is not None)


def fit(question: Question, facts: Facts) -> Match:
    match = score(question, facts, ear)
    assert match is not None
    return match


@pytest.mark.parametrize(
    ("question", "reasons"),
    [
        (Question(plates=(Plate("WNAE2309"),)), ("plate exact",)),
        (Question(plates=(Plate("WMAE2309"),)), ("plate one letter off",)),
        (Question(plates=(Plate("2309", 0.8, part=True),)), ("plate part",)),
        (Question(plates=(Plate("WNAE"),)), ("plate part",)),
        (Question(names=("Petersen",)), ("name exact",)),
        (Question(names=("Jana", "Petersen")), ("name exact",)),
        (Question(names=("Pettersenn",)), ("name sounds alike",)),
        (Question(names=("Petersek",)), ("name one letter off",)),
        (Question(names=("Peters",)), ("name starts so",)),
        (Question(phones=("0151 23456789",)), ("phone exact",)),
        (Question(phones=("6789",)), ("phone ends so",)),
        (Question(emails=("jana.petersen@example.de",)), ("email exact",)),
        (Question(emails=("jana.peterson@example.de",)), ("email one letter off",)),
        (Question(vehicle=("Volkswagen", "Golf")), ("vehicle",)),
        (Question(dates=("2026-12-07",)), ("date",)),
        (Question(words=("ein", "Golf", "Petersen", "morgen")), ("name exact", "vehicle")),
        (Question(plates=(Plate("WMAE2309"),), names=("Petersen",)), ("plate one letter off", "name exact")),
    ],
)
def test_the_order_is_first_and_says_why(question: Question, reasons: tuple[str, ...]) -> None:
    """Each kind of fact finds the order, with the reason that it gave, the stronger one first."""
    ranking = found(question)
    assert ranking.matches[0].order_id == 1
    assert ranking.matches[0].reasons == reasons


def test_nothing_heard_or_nothing_that_fits_is_no_match() -> None:
    """Without a fact that fits there is no match, and nothing is certain."""
    assert score(Question(), JANA, ear) is None
    assert score(Question(names=("Kern",), plates=(Plate("XX1"),)), JANA, ear) is None
    assert score(Question(plates=(Plate("WNAE2309"),), names=("Kern",)), Facts(9), ear) is None
    assert found(Question(names=("Nobody",))) == ((), False)


CERTAIN = [
    Question(plates=(Plate("WNAE2309"),)),
    Question(phones=("+49 151 23456789",)),
    Question(names=("Petersen", "Jana"), vehicle=("Golf",)),
    Question(names=("Jana", "Petersen"), phones=("6789",)),
    Question(plates=(Plate("WNAE2309", 0.95), Plate("WNAE2390", 0.5)), names=("Petersen",)),
]
UNCERTAIN = [
    Question(plates=(Plate("WMAE2309"),)),
    Question(plates=(Plate("WNAE2309", 0.6),)),
    Question(plates=(Plate("WNAE2309", part=True),)),
    Question(plates=(Plate("2309"),)),
    Question(names=("Jana", "Petersen")),
    Question(names=("Petersen",), vehicle=("Golf",)),
    Question(names=("Jana", "Pettersen"), vehicle=("Golf",)),
    Question(phones=("23456789",)),
    Question(emails=("jana.petersen@example.de",)),
    Question(plates=(Plate("WNAE2309"),), names=("Kern",)),
    Question(plates=(Plate("WNAE2309"),), phones=("0711 998877",)),
    Question(plates=(Plate("WNAE2309"), Plate("SKL1177"))),
    Question(phones=("0151 23456789", "0711 998877")),
    Question(words=("Golf",)),
]


@pytest.mark.parametrize("question", CERTAIN)
def test_what_identifies_is_certain(question: Question) -> None:
    """A whole plate, a whole phone number, a full name with one more."""
    ranking = found(question)
    assert ranking.is_certain
    assert ranking.matches[0].order_id == 1


@pytest.mark.parametrize("question", UNCERTAIN)
def test_what_does_not_identify_is_not_certain(question: Question) -> None:
    """Parts, sounds, a name alone, an unsure reading, two answers at once, or anything said against it."""
    assert not found(question).is_certain


@pytest.mark.parametrize("question", CERTAIN)
@pytest.mark.parametrize("other", [{"vehicle": "Opel Corsa"}, {"phone": "030 1"}, {"plate": "WN-AE 2308"}, {}])
def test_two_orders_behind_one_thing_are_not_certain(question: Question, other: dict[str, str]) -> None:
    """A second order with the same plate, number or full name, whatever else differs: ask, don't guess."""
    twin = replace(JANA, order_id=7, **other)
    shared = score(question, twin, ear)
    if shared is not None and (fit(question, JANA).exact & shared.exact or "plate one letter off" in shared.reasons):
        assert not found(question, JANA, twin, KARL).is_certain


def test_a_plate_one_letter_away_is_asked_about() -> None:
    """The caller may have said the other one: certain only when something else tells the two apart."""
    near = replace(KARL, order_id=8, plate="WM-AE 2309")
    heard = Question(plates=(Plate("WNAE2309"),))
    assert not found(heard, JANA, near).is_certain
    assert found(replace(heard, names=("Petersen",)), JANA, near).is_certain


SHOPS = st.lists(
    st.builds(
        Facts,
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
    Plate, st.sampled_from(["WNAE2309", "WMAE2309", "SKL1177", "2309", "", "X1"]), st.floats(0.1, 1), st.booleans()
)
QUESTIONS = st.builds(
    Question,
    plates=st.lists(PLATES, max_size=2).map(tuple),
    names=st.sampled_from([(), ("Petersen",), ("Jana", "Petersen"), ("Kern",), ("Jana",)]),
    phones=st.sampled_from([(), ("0151 23456789",), ("6789",), ("0711 998877",)]),
    emails=st.sampled_from([(), ("jana@example.de",), ("jana",)]),
    vehicle=st.sampled_from([(), ("Golf",), ("VW",), ("A4",)]),
    dates=st.sampled_from([(), ("2026-12-07",)]),
    words=st.lists(st.sampled_from(["Golf", "Petersen", "Jana", "bitte", "Kern"]), max_size=3).map(tuple),
)


@settings(max_examples=60)
@given(QUESTIONS, SHOPS)
def test_certain_is_never_two(question: Question, shop: list[Facts]) -> None:
    """What is certain is exact, unopposed, far ahead, and shares what identifies it with no other order."""
    ranking = found(question, *shop) if shop else rank(())
    scores = [m.score for m in ranking.matches]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < s <= 1 and len(m.reasons) == len(m.fits) > 0 for s, m in zip(scores, ranking.matches, strict=True))
    if not ranking.is_certain:
        return
    best, *others = ranking.matches
    assert best.exact
    assert not best.against
    for other in others:
        assert best.score - other.score >= 0.35
        if "plate" in best.exact:
            assert fold_plate(other.facts.plate or "") != fold_plate(best.facts.plate or "")
        if "phone" in best.exact:
            assert phones.key(other.facts.phone or "") != phones.key(best.facts.phone or "")


@settings(max_examples=60)
@given(QUESTIONS, SHOPS)
def test_a_misheard_plate_is_never_certain_and_wrong(question: Question, shop: list[Facts]) -> None:
    """Whoever was meant: if the meant plate is one edit from what was heard, no plate alone makes another certain."""
    heard = replace(Question(), plates=question.plates)
    ranking = found(heard, *shop) if shop else rank(())
    if ranking.is_certain:
        keys = {plate.key for plate in heard.plates if plate.certainty >= 0.9}
        near = [f for f in shop if f.plate and any(ear(key, fold_plate(f.plate)) <= 1 for key in keys)]
        assert [f.order_id for f in near] == [ranking.matches[0].order_id]


@settings(max_examples=60)
@given(QUESTIONS, SHOPS.filter(bool))
def test_what_fits_raises_and_what_does_not_lowers(question: Question, shop: list[Facts]) -> None:
    """One more fact that fits never lowers a score; one that stands otherwise never raises it."""
    facts = shop[0]
    without = score(replace(question, phones=()), facts, ear)
    with_it = score(question, facts, ear)
    if without is None or with_it is None:
        return
    if "phone" in with_it.fits:
        assert with_it.score >= without.score
    if "phone" in with_it.against:
        assert with_it.score < without.score


@settings(max_examples=60)
@given(QUESTIONS, SHOPS, st.sampled_from(get_args(Language)))
def test_a_question_tells_nothing_personal(question: Question, shop: list[Facts], language: Language) -> None:
    """No name, number, address or plate of any candidate is in a question, though people type them anywhere."""
    ranking = found(question, *shop) if shop else rank(())
    sentence = ask(ranking.matches, language)
    if sentence is None:
        return
    words = set(fold(sentence).replace("?", " ").replace(",", " ").split())
    for facts in (match.facts for match in ranking.matches):
        assert not words & set(names.tokens(facts.name or ""))
        assert not facts.plate or fold_plate(facts.plate) not in fold_plate(sentence)
        assert not facts.phone or facts.phone not in sentence
    assert "@" not in sentence
    assert sentence.endswith("?")


def _candidates(*orders: Facts) -> tuple[Match, ...]:
    return tuple(Match(facts.order_id, 0.7, ("name exact",), facts) for facts in orders)


@pytest.mark.parametrize(
    ("orders", "german", "english"),
    [
        ((), None, None),
        ((JANA,), "Geht es um den VW Golf?", "Is it about the VW Golf?"),
        ((replace(JANA, vehicle=None),), None, None),
        ((replace(JANA, vehicle="WN-AE 2309", plate=None),), None, None),
        ((replace(JANA, vehicle="wn ae 2309", plate=None),), None, None),
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
        (
            (JANA, replace(JANA, name="Anna Petersen")),
            "Wie lautet der Vorname?",
            "What is the first name?",
        ),
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
        ((JANA, JANA), None, None),
    ],
)
def test_the_question_that_splits_best(orders: tuple[Facts, ...], german: str | None, english: str | None) -> None:
    """Up to three vehicles are named; beyond, the caller is asked for what differs most; nothing is asked in vain."""
    assert ask(_candidates(*orders), "de") == german
    assert ask(_candidates(*orders), "en") == english


def test_far_behind_is_not_asked_about() -> None:
    """A question is about the likely ones: an unlikely third doesn't make it longer."""
    unlikely = Match(3, 0.2, ("name part",), PIA)
    assert ask((*_candidates(JANA, KARL), unlikely), "de") == "Geht es um den VW Golf oder den Audi A4?"
