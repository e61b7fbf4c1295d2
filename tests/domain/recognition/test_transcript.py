from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planso_connector.domain.recognition.spelling import MAX_CHARACTERS
from planso_connector.domain.recognition.spoken_plates import MAX_PLATES
from planso_connector.domain.recognition.transcript import parse_transcript
from tests.lookup_corpus.plates import Question, questions

_VOCABULARY = (
    "eins zwei zwanzig hundert und doppel zweimal wie Anton Berta Umlaut be er es in äh nein WN AE 2309 0171 E "
    "Golf VW A4 Elektro Meyer Frau Telefon + at @ punkt minus gmail com de , - . Kennzeichen"
)
AT_FIVE = 0.98


def find_rank(question: Question) -> int | None:
    keys = [plate.key for plate in parse_transcript(question.said).plates]
    return next((at for at, key in enumerate(keys) if key in question.keys), None)


def recall(asked: list[Question], within: int) -> float:
    return sum((found := find_rank(question)) is not None and found < within for question in asked) / len(asked)


def certain_and_wrong(asked: list[Question]) -> list[str]:
    return [
        question.said
        for question in asked
        if [plate.certainty for plate in parse_transcript(question.said).plates] == [1.0] and find_rank(question) != 0
    ]


def test_recall_on_the_plate_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    """Recall at 5 holds on the development half; nothing is certain and wrong on either half."""
    everything = questions()
    halves = {
        "development": [question for question in everything if question.is_for_development],
        "report only": [question for question in everything if not question.is_for_development],
    }
    assert len(everything) >= 200
    assert sum(question.rule == "hand" for question in everything) >= 60
    with capsys.disabled():
        for name, half in halves.items():
            wrong = len(certain_and_wrong(half))
            print(  # noqa: T201
                f"\nplates, {name}: {len(half)} questions, recall at 1 {recall(half, 1):.3f}, "
                f"at 5 {recall(half, 5):.3f}, certain and wrong {wrong}"
            )
    assert recall(halves["development"], 5) >= AT_FIVE
    assert certain_and_wrong(everything) == []


@given(st.text() | st.lists(st.sampled_from(_VOCABULARY.split()), max_size=40).map(" ".join))
@example("Anton-WN-2309-Elektro-Meyer")
@settings(deadline=None)
def test_any_text_is_parsed(text: str) -> None:
    """Plates are keys, best first, each once, and certain only where there is one; phones are digits."""
    transcript = parse_transcript(text)
    assert len(transcript.plates) <= MAX_PLATES
    assert len({(plate.key, plate.is_part) for plate in transcript.plates}) == len(transcript.plates)
    assert all(re.fullmatch("[A-Z0-9]{1,14}", plate.key) for plate in transcript.plates)
    assert all(0 < plate.certainty <= 1 for plate in transcript.plates)
    assert all(first.certainty >= second.certainty for first, second in pairwise(transcript.plates))
    assert all(plate.certainty < 1 for plate in transcript.plates) or len(transcript.plates) == 1
    assert all(re.fullmatch(r"(\+|00)?[0-9]{3,15}", phone) for phone in transcript.phones)
    assert all(email.count("@") == 1 for email in transcript.emails)


@given(st.lists(st.sampled_from(_VOCABULARY.split()), min_size=60, max_size=120).map(" ".join))
@settings(max_examples=20, deadline=None)
def test_the_rest_of_a_long_text_is_ignored(text: str) -> None:
    """Only the first `MAX_CHARACTERS` count."""
    assert parse_transcript(text * 20) == parse_transcript((text * 20)[:MAX_CHARACTERS])


@pytest.mark.parametrize(
    "word", ["a ", "be ", "1 a ", "er es 1 ", "doppel ", "zwei mal ", "drei und zwanzig ", "at ", "@"]
)
def test_time_is_bounded(word: str) -> None:
    """10,000 characters with as many readings as possible take less than half a second."""
    text = (word * 10_000)[:10_000]
    start = time.process_time()
    parse_transcript.__wrapped__(text)
    assert time.process_time() - start < 0.5


def test_words_of_the_plate_are_no_other_words() -> None:
    """A spelled plate is found, and none of its spelling words is left over as a word."""
    transcript = parse_transcript("Wilhelm Nordpol, Anton Emil, zwo drei null neun, Meyer")
    assert transcript.plates[0].key == "WNAE2309"
    assert transcript.words == ("Meyer",)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Anton Meyer", ("Anton", "Meyer")),
        ("Wilhelm Berg", ("Wilhelm", "Berg")),
        ("Frau Nordpol", ("Nordpol",)),
        ("Hier ist Otto Berger, es geht um meinen VW Polo", ("Otto", "Berger", "VW", "Polo")),
        ("Audi A4, WN-AE 2309, Müller-Linde", ("Audi", "A4", "Müller-Linde")),
        ("roter Golf von Herrn Emil", ("roter", "Golf", "Emil")),
        ("Jan 2309", ("Jan",)),
        ("Frau Beck 2309", ("Beck",)),
        ("Emil Otto 44", ("Emil", "Otto")),
        ("WN AE 2309 Emil Meyer", ("Emil", "Meyer")),
        ("Frau Groß", ("Groß",)),
        ("Guten Tag, mein Name ist Klein", ("Klein",)),
        ("hier spricht Gut", ("Gut",)),
        ("mein Name ist Herr Klein", ("Klein",)),
        ("Volkhard Herr", ("Volkhard", "Herr")),
        ("Petersen, großes B, alles klein geschrieben", ("Petersen", "alles", "geschrieben")),
    ],
)
def test_names_remain_words(said: str, words: tuple[str, ...]) -> None:
    """A spelling word that may be a name is kept as a word, even where it may be a letter."""
    assert parse_transcript(said).words == words


def test_a_name_that_may_be_a_plate_is_both() -> None:
    """Two spelling words before digits are a plate or a name, so the plate is not certain."""
    transcript = parse_transcript("Emil Otto 44")
    assert transcript.plates[0].key == "EO44"
    assert transcript.plates[0].certainty < 1


@pytest.mark.parametrize(("said", "key"), [("2309", "2309"), ("WN-AE", "WNAE"), ("hinten zwo drei null neun", "2309")])
def test_a_part_is_marked(said: str, key: str) -> None:
    """Digits or letters alone are a part, and never certain."""
    plate = parse_transcript(said).plates[0]
    assert (plate.key, plate.is_part) == (key, True)
    assert plate.certainty < 1


@pytest.mark.parametrize(
    ("said", "phone"),
    [
        ("0171 2345678", "01712345678"),
        ("+49 (0)171 2345678", "+491712345678"),
        ("plus vier neun eins sieben eins zwei drei vier fünf sechs sieben acht", "+491712345678"),
        ("Handy null eins sieben eins zwei drei vier fünf sechs sieben acht", "01712345678"),
        ("Telefon null sieben eins fünf eins doppel drei vier", "07151334"),
        ("Herr Maier 0171 2345678", "01712345678"),
        ("WN AE 2309, 0171 2345678", "01712345678"),
    ],
)
def test_phone_numbers_are_found(said: str, phone: str) -> None:
    """Written, spoken, after a label, and behind a plate."""
    assert phone in parse_transcript(said).phones


@pytest.mark.parametrize(
    ("said", "email"),
    [
        ("anna.beispiel@example.org", "anna.beispiel@example.org"),
        ("max punkt beispiel at gmail punkt com", "max.beispiel@gmail.com"),
        ("meine E-Mail ist jana unterstrich beispiel ät t minus online punkt de", "jana_beispiel@t-online.de"),
        ("info Klammeraffe autohaus bindestrich nord punkt de", "info@autohaus-nord.de"),
        ("jana zwei drei at web punkt de", "jana23@web.de"),
        ("jana beispiel at gmx de", "janabeispiel@gmx.de"),
    ],
)
def test_emails_are_found(said: str, email: str) -> None:
    """Written and dictated; their words are no plate."""
    transcript = parse_transcript(said)
    assert email in transcript.emails
    assert transcript.plates == ()


def test_corrected_digits_come_first() -> None:
    """`WN AE 2308, nein, 2309`: the letters stay, the digits change."""
    assert [plate.key for plate in parse_transcript("WN AE 2308, nein, 2309").plates[:2]] == ["WNAE2309", "WNAE2308"]


@pytest.mark.parametrize(
    ("said", "phone", "plate"),
    [
        ("Kennzeichen hinten 2309, Handynummer hinten 4411", "4411", "2309"),
        ("4411 vom Handy, 2309 vom Kennzeichen", "4411", "2309"),
        ("2309 und vom Handy die letzten vier 0080", "0080", "2309"),
        ("die letzten vier vom Telefon sind 4411 und vom Auto 2309", "4411", "2309"),
        ("5544 sind die letzten vier Ziffern meiner Handynummer und 7788 die vom Kennzeichen", "5544", "7788"),
        ("meine Handynummer endet auf 2309, der Wagen hat die 6001", "2309", "6001"),
        ("die Telefonnummer von meiner Frau endet auf 4411, das Kennzeichen auf 2309", "4411", "2309"),
    ],
)
def test_digits_belong_to_the_word_beside_them(said: str, phone: str, plate: str) -> None:
    """Before a number or behind it, in the same clause; how many digits it has is none of them."""
    found = parse_transcript(said)
    assert (found.phones, [part.key for part in found.plates], found.loose_digits) == ((phone,), [plate], ())


@pytest.mark.parametrize(
    ("said", "phones", "orders"),
    [
        ("WN AE 2309 Telefon 0171 3920023", ("01713920023",), ()),
        ("WN AE 2309, Auftragsnummer 12", (), ("12",)),
        ("12 ist die Auftragsnummer, Kennzeichen WN AE 2309", (), ("12",)),
        ("mein Auftrag, WN AE 2309", (), ()),
    ],
)
def test_a_whole_plate_keeps_its_digits(said: str, phones: tuple[str, ...], orders: tuple[str, ...]) -> None:
    """A word behind them is about the next number."""
    found = parse_transcript(said)
    assert (found.plates[0].key, found.phones, found.order_numbers) == ("WNAE2309", phones, orders)


@pytest.mark.parametrize(
    "said", ["2309, Meyer", "Meyer mit der 2309", "die letzten vier sind zwo drei null neun, Meyer"]
)
def test_digits_without_such_a_word_may_be_either(said: str) -> None:
    """Part of a plate, and maybe the end of a phone number."""
    found = parse_transcript(said)
    assert ([part.key for part in found.plates], found.phones, found.loose_digits) == (["2309"], (), ("2309",))


@pytest.mark.parametrize(
    ("said", "district"),
    [
        ("B-NO 1234", "B"),
        ("BN-O 1234", "BN"),
        ("B Strich NO 1234", "B"),
        ("Berlin N O 1234", "B"),
        ("Bonn, O wie Otto, 1234", "BN"),
        ("B NO 1234", ""),
        ("B-N-O 1234", ""),
        ("Berlin Nürnberg Offenbach 1234", ""),
    ],
)
def test_a_hyphen_or_a_town_tells_the_district(said: str, district: str) -> None:
    """One hyphen, typed or said, or a town that is no letter of a spelling alphabet."""
    assert [(plate.key, plate.district) for plate in parse_transcript(said).plates[:1]] == [("BNO1234", district)]


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("TU-XF 451", "TUEXF451"),
        ("Tübingen X F 451", "TUEXF451"),
        ("Esslingen am Neckar D L 921", "ESDL921"),
        ("Villingen-Schwenningen DO 616", "VSDO616"),
        ("St. Wendel AB 12", "WNDAB12"),
        ("Waiblingen WN AE 2309", "WNAE2309"),
        ("WN 8104", "WN8104"),
        ("Bundeswehr 482 917", "Y482917"),
        ("Y-123 456", "Y123456"),
        ("null siebzehn vierzehn", "01714"),
        ("Zürich 123456", "ZH123456"),
        ("HMUE-AN 7", "HMUEAN7"),
    ],
)
def test_plates_that_are_not_said_as_printed(said: str, key: str) -> None:
    """Without an umlaut, with a town or a body for the code, without letters: each is the likeliest plate."""
    assert parse_transcript(said).plates[0].key == key


@pytest.mark.parametrize(
    ("said", "plates", "words"),
    [
        ("BMW X1, Esslingen", ["ES"], ("BMW", "X1", "Esslingen")),
        ("Audi A3, Waiblingen", ["WN"], ("Audi", "A3", "Waiblingen")),
        ("Mercedes C 180, Göppingen", ["GP"], ("Mercedes", "C 180", "Göppingen")),
        ("VW Up, Esslingen", ["ES"], ("VW", "Up", "Esslingen")),
        ("der X1 aus Esslingen", ["ES"], ("X1", "Esslingen")),
        ("Audi TT", [], ("Audi", "TT")),
    ],
)
def test_a_model_is_no_part_of_a_plate(said: str, plates: list[str], words: tuple[str, ...]) -> None:
    """After its make, or where it is known without."""
    found = parse_transcript(said)
    assert ([plate.key for plate in found.plates], found.words) == (plates, words)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("Audi S KL 451", "SKL451"),
        ("BMW X1 ES UB 417", "ESUB417"),
        ("WN klein AE 2309", "WNAE2309"),
        ("Waiblingen Anton Golf 7", "WNAG7"),
    ],
)
def test_a_plate_beside_a_make_or_a_name_stays_one(said: str, key: str) -> None:
    """Its letters are several, or spelled."""
    assert parse_transcript(said).plates[0].key == key
