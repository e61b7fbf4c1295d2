from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.domain.folding import fold_plate
from planso_connector.domain.recognition.district_codes import AUTHORITY_CODES, CANTON_CODES, DISTRICT_CODES
from planso_connector.domain.recognition.plate import (
    CONFUSION_DISTANCE,
    DOUBLE_CONFUSION_DISTANCE,
    EDIT_DISTANCE,
    MAX_LENGTH,
    MAX_VARIANTS,
    Plate,
    distance,
    misheard_variants,
    restore_umlaut,
    split_key,
    strip_season,
    written_district,
)

SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
plates = st.builds(
    Plate,
    st.sampled_from(sorted(DISTRICT_CODES)),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=2),
    st.integers(1, 9999).map(str),
    st.sampled_from(["", "", "E", "H"]),
)
keys = st.text(SIGNS, min_size=1, max_size=MAX_LENGTH)
short_keys = st.text("BPMN01523EAU", min_size=1, max_size=5)


def key_of(plate: Plate) -> str:
    return fold_plate(str(plate))


def test_codes_stay_apart_when_folded() -> None:
    """No two district codes fold to one key, though TÜ is TUE."""
    codes = DISTRICT_CODES | AUTHORITY_CODES
    assert len({fold_plate(code) for code in codes}) == len(codes)
    assert all(re.fullmatch("[A-ZÄÖÜ]{1,3}", code) for code in codes)


@given(plates)
def test_a_plate_is_among_the_splits_of_its_key(plate: Plate) -> None:
    """One split of any plate without gaps is the plate."""
    assert plate in split_key(key_of(plate))


@given(plates)
def test_splits_are_the_key_with_gaps(plate: Plate) -> None:
    """Each split folds to the key again, and begins with a known code."""
    found = split_key(key_of(plate))
    assert len(set(found)) == len(found)
    for reading in found:
        assert key_of(reading) == key_of(plate)
        assert reading.district in (
            DISTRICT_CODES if reading.letters else DISTRICT_CODES | AUTHORITY_CODES | CANTON_CODES
        )


@given(plates, st.integers(1, 12), st.integers(1, 12))
def test_months_of_a_seasonal_plate_are_ignored(plate: Plate, first: int, last: int) -> None:
    """`WN-AE 2309 04-10` is `WN-AE 2309`."""
    seasonal = f"{key_of(plate)}{first:02}{last:02}"
    assert plate in split_key(seasonal)
    assert strip_season(seasonal) == key_of(plate)


@given(plates)
def test_a_key_with_one_split_is_that_plate(plate: Plate) -> None:
    """Where a key has one split, it prints as on the car."""
    found = split_key(key_of(plate))
    assert len(found) > 1 or str(found[0]) == str(plate)


def test_an_ambiguous_key_has_both_splits() -> None:
    """`BNO1234` is from Bonn or from Berlin."""
    assert {str(plate) for plate in split_key("BNO1234")} == {"BN-O 1234", "B-NO 1234"}


@pytest.mark.parametrize("key", ["AB123CD", "12ABC3", "W12345A", "XQ12", "B0123", "WNAE23091", "WNAE", "2309", ""])
def test_foreign_plates_and_parts_have_no_split(key: str) -> None:
    """A key that no German office issues has no split and stays as it is."""
    assert split_key(key) == ()
    assert strip_season(key) == key


@pytest.mark.parametrize(
    ("key", "plate"),
    [("THW81234", "THW-81234"), ("Y123456", "Y-123456"), ("BP12345", "BP-12345"), ("WN04123", "WN-04123")],
)
def test_plates_of_authorities_and_short_term_plates_have_no_letters(key: str, plate: str) -> None:
    """They split into district code and digits."""
    assert [str(found) for found in split_key(key)] == [plate]


@pytest.mark.parametrize(
    ("key", "restored"),
    [
        ("TUXF451", ("TUEXF451", 1)),
        ("HMUAN7", ("HMUEAN7", 2)),
        ("OHRA12", ("OEHRA12", 0)),
        ("BORD55", ("BOERD55", 1)),
        ("WNAE2309", ("", 0)),
        ("TUEXF451", ("", 0)),
    ],
)
def test_a_district_code_gets_its_umlaut_back(key: str, restored: tuple[str, int]) -> None:
    """Only where a code with an umlaut exists, and something is left for a plate behind it."""
    assert restore_umlaut(key) == restored


@pytest.mark.parametrize(
    ("text", "district"),
    [
        ("B-NO 1234", "B"),
        ("BN-O 1234", "BN"),
        ("BN O 1234", "BN"),
        ("tü-ke 18", "TUE"),
        ("B\u00ad-NO 1", "B"),
        ("BNO1234", ""),
        ("XQ-A 12", ""),
        ("Y-123 456", ""),
    ],
)
def test_a_gap_says_where_the_district_code_ends(text: str, district: str) -> None:
    """A hyphen or a blank between the letters of a German plate."""
    assert written_district(text) == district


@given(keys)
@settings(max_examples=25, deadline=None)
def test_variants_are_bounded_and_closest_first(key: str) -> None:
    """No variant is the key or occurs twice; distances are finite and ascending; there are at most `MAX_VARIANTS`."""
    found = misheard_variants(key)
    distances = [distance(key, other) for other in found]
    assert len(set(found)) == len(found) <= MAX_VARIANTS
    assert all(0 < far < math.inf for far in distances)
    assert all(near <= far for near, far in pairwise(distances))


@given(keys, st.data())
@settings(max_examples=50, deadline=None)
def test_every_single_edit_is_a_variant(key: str, data: st.DataObject) -> None:
    """An insertion, deletion, substitution or swap of neighbours, at any place."""
    at, sign = data.draw(st.integers(0, len(key) - 1)), data.draw(st.sampled_from(SIGNS))
    edits = [key[:at] + sign + key[at:], key + sign, key[:at] + key[at + 1 :], key[:at] + sign + key[at + 1 :]]
    edits.append(key[:at] + key[at : at + 2][::-1] + key[at + 2 :])
    found = set(misheard_variants(key))
    for edited in edits:
        if edited and edited != key:
            assert edited in found
            assert distance(key, edited) <= EDIT_DISTANCE


@given(short_keys, short_keys)
def test_variants_are_the_keys_at_a_finite_distance(heard: str, key: str) -> None:
    """Except for the farthest, which may be cut off."""
    found = misheard_variants(heard)
    if key in found:
        assert distance(heard, key) < math.inf
    elif key != heard and distance(heard, key) < math.inf:
        assert distance(heard, key) == DOUBLE_CONFUSION_DISTANCE
        assert len(found) == MAX_VARIANTS


@given(short_keys, short_keys)
def test_distance_is_symmetric(first: str, second: str) -> None:
    """It is the same both ways, and 0 exactly for equal keys."""
    assert distance(first, second) == distance(second, first)
    assert (distance(first, second) == 0) == (first == second)


@pytest.mark.parametrize(
    ("heard", "key", "far"),
    [
        ("BNO12", "PNO12", CONFUSION_DISTANCE),
        ("BNO12", "BMO12", CONFUSION_DISTANCE),
        ("CAS12", "KAS12", CONFUSION_DISTANCE),
        ("KN2309", "KN2390", CONFUSION_DISTANCE),
        ("KN23", "KN32", CONFUSION_DISTANCE),
        ("KN15", "KN50", CONFUSION_DISTANCE),
        ("KN217", "KN270", CONFUSION_DISTANCE),
        ("TUAB12", "TUEAB12", CONFUSION_DISTANCE),
        ("BNO12", "PMO12", DOUBLE_CONFUSION_DISTANCE),
        ("BNO12", "BNO127", EDIT_DISTANCE),
        ("BNO12", "BNR12", EDIT_DISTANCE),
        ("BNO12", "BRO77", math.inf),
        ("", "B", math.inf),
    ],
)
def test_typical_confusions_are_closer(heard: str, key: str, far: float) -> None:
    """Letters and numbers that sound alike on the phone, and lost umlauts, are closer than other edits."""
    assert distance(heard, key) == far
