from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.folding import fold
from planso_connector.domain.recognition.spelling import (
    MAX_CHARACTERS,
    Segment,
    SegmentKind,
    split_segments,
)
from planso_connector.domain.recognition.spoken_numbers import MAX_READINGS, parse_number_word
from tests.lookup_corpus.plates import in_words

WORDS = "null eins zwei drei vier fünf sechs sieben acht neun".split()  # noqa: SIM905
_VOCABULARY = (
    "eins zwei zwanzig hundert tausend und doppel mal die wie Anton Berta Umlaut Unna be er es äh nein WN 2300 9 , - E"
)


def only(text: str) -> Segment:
    (item,) = split_segments(text)
    return item


@given(st.integers(0, 9999))
def test_a_number_in_words_is_that_number(value: int) -> None:
    """All numbers that a plate can hold, as one word."""
    assert parse_number_word(fold(in_words(value))) == value
    assert only(in_words(value)).options[0] == str(value)


@given(st.text("0123456789", min_size=1, max_size=12), st.sampled_from([" ", ", ", " äh ", "-", " und dann "]))
def test_digits_one_by_one(digits: str, gap: str) -> None:
    """Single digits are never put together to something else."""
    item = only(gap.join(WORDS[int(sign)] for sign in digits))
    assert item.kind is SegmentKind.DIGITS
    assert item.options == (digits,)


@given(st.lists(st.integers(10, 99), min_size=1, max_size=3))
def test_pairs_of_digits(pairs: list[int]) -> None:
    """`dreiundzwanzig siebzehn` is among the readings as 2317, first unless a tens stands before a unit."""
    assert only(" ".join(in_words(pair) for pair in pairs)).options[0] == "".join(map(str, pairs))


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
def test_ambiguous_numbers_give_several(said: str, options: tuple[str, ...]) -> None:
    assert only(said).options == options


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
def test_spelled(said: str, signs: str) -> None:
    item = only(said)
    assert item.kind is SegmentKind.LETTERS
    assert item.options[0] == signs


@given(st.text() | st.lists(st.sampled_from(_VOCABULARY.split()), max_size=60).map(" ".join))
def test_anything_is_taken_apart(text: str) -> None:
    """No text is a fault; what has signs has letters or digits alone, few readings, and stands in order."""
    found = split_segments(text)
    for item in found:
        assert len(item.options) <= MAX_READINGS
        if item.kind is SegmentKind.LETTERS:
            assert item.options
            assert all(option.isascii() and option.isalpha() and option.isupper() for option in item.options)
        if item.kind is SegmentKind.DIGITS:
            assert item.options
            assert all(option.isascii() and option.isdecimal() for option in item.options)
            assert "".join(item.pieces) == item.options[0]
    places = [item.start for item in found]
    assert places == sorted(places)
    assert all(at < MAX_CHARACTERS for at in places)


def test_the_same_dice_the_same_words() -> None:
    """Items hold no state: asking twice, with others between, says the same."""
    lines = [" ".join(random.Random(at).choices(_VOCABULARY.split(), k=8)) for at in range(20)]
    first = [split_segments(line) for line in lines]
    assert [split_segments(line) for line in reversed(lines)] == first[::-1]
