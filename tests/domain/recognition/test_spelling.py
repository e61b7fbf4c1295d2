from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.folding import fold
from planso_connector.domain.recognition.spelling import MAX_CHARACTERS, Segment, SegmentKind, split_segments
from planso_connector.domain.recognition.spoken_numbers import MAX_READINGS, parse_number_word
from tests.lookup_corpus.plates import in_words

WORDS = "null eins zwei drei vier fünf sechs sieben acht neun".split()  # noqa: SIM905
_VOCABULARY = (
    "eins zwei zwanzig hundert tausend und doppel mal die wie Anton Berta Umlaut Unna be er es äh nein WN 2300 9 , - E"
)


def read_only_segment(text: str) -> Segment:
    (segment,) = split_segments(text)
    return segment


@given(st.integers(0, 9999))
def test_a_number_in_words_is_that_number(value: int) -> None:
    """Every number that a plate can have, as one word."""
    assert parse_number_word(fold(in_words(value))) == value
    assert read_only_segment(in_words(value)).options[0] == str(value)


@pytest.mark.parametrize(
    ("said", "digits"),
    [
        ("vierzich", "40"),
        ("dreiundzwanzich", "23"),
        ("dreinzwanzig", "23"),
        ("siebnundsiebzig", "77"),
        ("neunezwanzig", "29"),
        ("einunfuffzich", "51"),
        ("zwanzisch", "20"),
        ("dreissich", "30"),
        ("dreiundachtzsch", "83"),
        ("fuffzehn", "15"),
        ("vierhunnertzwo", "402"),
        ("vier hunnert", "400"),
        ("dausend", "1000"),
        ("zweiundzwanzichzehn", "2210"),
        ("fümf noin siebn", "597"),
        ("hundertdreiundzwanzigtausendvierhundertsechsundfünfzig", "123456"),
    ],
)
def test_colloquial_numbers(said: str, digits: str) -> None:
    """As people say them and speech-to-text writes them."""
    assert read_only_segment(said).options[0] == digits


@pytest.mark.parametrize(
    "word", ["Meier", "Neuner", "Viersen", "Achtern", "Sechser", "Fuchs", "Zwingel", "Elfen", "und"]
)
def test_other_words_are_no_numbers(word: str) -> None:
    """Names and towns that begin like a number stay words."""
    assert read_only_segment(word).kind is not SegmentKind.DIGITS


@given(st.text("0123456789", min_size=1, max_size=12), st.sampled_from([" ", ", ", " äh ", "-", " und dann "]))
def test_digits_one_by_one(digits: str, gap: str) -> None:
    """Single digits have one reading."""
    segment = read_only_segment(gap.join(WORDS[int(sign)] for sign in digits))
    assert segment.kind is SegmentKind.DIGITS
    assert segment.options == (digits,)


@given(st.lists(st.integers(10, 99), min_size=1, max_size=3))
def test_pairs_of_digits(pairs: list[int]) -> None:
    """`dreiundzwanzig siebzehn` is among the readings as 2317, first unless a tens stands before a unit."""
    assert read_only_segment(" ".join(in_words(pair) for pair in pairs)).options[0] == "".join(map(str, pairs))


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ("zwanzig neun", ("209", "29")),
        ("dreiundzwanzig null neun", ("2309",)),
        ("drei und zwanzig null neun", ("2309", "32009")),
        ("zwölfhundertvierunddreißig", ("1234",)),
        ("twenty nine", ("29", "209")),
        ("doppel drei", ("33",)),
        ("zwei mal die fünf", ("55",)),
        ("2300 9", ("2309", "23009")),
        ("zwodreinullneun", ("2309",)),
        ("drei Nullen", ("000",)),
        ("23 09", ("2309",)),
    ],
)
def test_ambiguous_numbers_have_several_readings(said: str, options: tuple[str, ...]) -> None:
    """All readings are kept, the likeliest first."""
    assert read_only_segment(said).options == options


@pytest.mark.parametrize(
    ("said", "signs"),
    [
        ("Anton", "A"),
        ("Schule", "SCH"),
        ("Ärger", "AE"),
        ("Umlaut Aachen", "AE"),
        ("U Umlaut", "UE"),
        ("Zwickau", "Z"),
        ("x-ray", "X"),
        ("zett", "Z"),
        ("D wie Dora", "D"),
        ("H wie Haus", "H"),
        ("D wie Berta", "B"),
        ("Ü wie Übermut", "UE"),
        ("B as in bravo", "B"),
        ("doppel N", "NN"),
        ("WN", "WN"),
        ("Waiblingen", "WN"),
    ],
)
def test_each_way_to_spell_a_letter(said: str, signs: str) -> None:
    """Spelling words of each alphabet, letter names, examples, umlauts, repetitions and towns."""
    segment = read_only_segment(said)
    assert segment.kind is SegmentKind.LETTERS
    assert segment.options[0] == signs


@given(st.text() | st.lists(st.sampled_from(_VOCABULARY.split()), max_size=60).map(" ".join))
def test_any_text_is_split(text: str) -> None:
    """Letters and digits have a bounded number of options, of letters or of digits only; segments are in order."""
    found = split_segments(text)
    for segment in found:
        assert len(segment.options) <= MAX_READINGS
        if segment.kind is SegmentKind.LETTERS:
            assert segment.options
            assert all(option.isascii() and option.isalpha() and option.isupper() for option in segment.options)
        if segment.kind is SegmentKind.DIGITS:
            assert segment.options
            assert all(option.isascii() and option.isdecimal() for option in segment.options)
            assert "".join(segment.pieces) == segment.options[0]
    places = [segment.start for segment in found]
    assert places == sorted(places)
    assert all(at < MAX_CHARACTERS for at in places)


def test_splitting_has_no_state() -> None:
    """The same text gives the same segments, whatever was split in between."""
    lines = [" ".join(random.Random(at).choices(_VOCABULARY.split(), k=8)) for at in range(20)]
    first = [split_segments(line) for line in lines]
    assert [split_segments(line) for line in reversed(lines)] == first[::-1]
