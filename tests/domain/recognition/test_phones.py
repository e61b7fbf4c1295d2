from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.domain.recognition import phones
from planso_connector.domain.recognition.phones import ENDS_WITH, EXACT, index_keys, normalize, score_match, search_keys

DIGITS = st.integers(10_000, 99_999_999).map(str)
AREA = st.sampled_from(["30", "711", "7151", "151", "171", "40"])


@settings(max_examples=50)
@given(AREA, DIGITS, st.data())
def test_every_german_notation_has_one_key(area: str, number: str, data: st.DataObject) -> None:
    """With any prefix, separators and words around it, the key is 49, area code and number."""
    cut = data.draw(st.integers(1, len(number) - 1))
    gap = data.draw(st.sampled_from(["", " ", "-", " - ", ".", "/"]))
    local = number if number[cut:] == "0" else f"{number[:cut]}{gap}{number[cut:]}"
    wanted = f"49{area}{number}"
    for text in (f"0{area}{local}", f"0{area} {local}", f"0{area}/{local}", f"0{area}-{local}", f"(0{area}) {local}",
                 f"+49{area}{local}", f"+49 {area} {local}", f"+49 (0){area} {local}", f"+49(0) {area}/{local}",
                 f"0049 {area} {local}", f"0049(0){area}-{local}", f"00 49 {area} {local}", f"Tel. 0{area} {local}",
                 f"0{area} {local} (privat)", f"mobil: +49 {area} {local}"):  # fmt: skip
        assert normalize(text) == wanted, text
        assert score_match(text, f"0{area} {number}") == (1.0, EXACT)


@given(st.text(max_size=30) | st.from_regex(r"[+0]?[0-9 ()/-]{0,25}", fullmatch=True))
def test_a_key_is_its_own_key(text: str) -> None:
    """A key is ASCII digits without a 0 in front, and its own key."""
    for found in index_keys(text):
        assert re.fullmatch(r"[1-9][0-9]*", found)
        assert normalize(found) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("+43 1 5880", ("4315880",)),
        ("0043 (0)1 5880", ("4315880",)),
        ("+43 (0) 1 5880", ("4315880",)),
        ("+39 06 698123", ("3906698123",)),
        ("+41 44 668 18 00", ("41446681800",)),
        ("0711 1234-0", ("4971112340", "497111234")),
        ("0711/1234 - 0", ("4971112340", "497111234")),
        ("0711 1234-56", ("49711123456",)),
        ("0711 1234 Durchwahl 56", ("49711123456",)),
        ("0711 123456 / 0151 23456789", ("49711123456", "4915123456789")),
        ("0711 123456, 0151 23456789", ("49711123456", "4915123456789")),
        ("0711 123456 oder +49 151 23456789", ("49711123456", "4915123456789")),
        ("0711 123456 0151 23456789", ("49711123456", "4915123456789")),
        ("23125118", ("23125118",)),
        ("٠٣٠ ٢٣١٢٥١١٨", ("493023125118",)),
        ("keine", ()),
        ("", ()),
        ("+", ()),
        ("000", ()),
        ("+490", ("49",)),
        ("1" * 10_000, ()),
        ("01" + "0" * 16, ()),
    ],
)
def test_the_keys_of_a_text(text: str, found: tuple[str, ...]) -> None:
    """Foreign numbers keep their country; `-0` gives two keys; a text may have several numbers, or none."""
    assert index_keys(text) == found


@pytest.mark.parametrize(
    ("asked", "held", "score", "reason"),
    [
        ("030 23125118", "+49 30 23125-118", 1.0, EXACT),
        ("30 23125118", "030 23125118", 1.0, EXACT),
        ("49 30 23125118", "030 23125118", 1.0, EXACT),
        ("030 23125118", "0151 23456789 / 030 23125118", 1.0, EXACT),
        ("0711 1234", "0711 1234-0", 1.0, EXACT),
        ("07111234 0", "0711 1234-0", 1.0, EXACT),
        ("+43 1 5880123", "0043 1 5880123", 1.0, EXACT),
        ("23125118", "23125118", 0.9, EXACT),
        ("23125118", "030 23125118", 0.8, ENDS_WITH),
        ("030 23125118", "23125118", 0.8, ENDS_WITH),
        ("5118", "030 23125118", 0.5, ENDS_WITH),
        ("125118", "030 23125118", 0.6, ENDS_WITH),
        ("0118", "030 2312 0118", 0.5, ENDS_WITH),
        ("118", "030 23125118", 0.0, ""),
        ("030 23125119", "030 23125118", 0.0, ""),
        ("040 23125118", "030 23125118", 0.0, ""),
        ("+43 30 23125118", "030 23125118", 0.0, ""),
        ("2312", "030 23125118", 0.0, ""),
        ("", "030 23125118", 0.0, ""),
        ("030 23125118", "", 0.0, ""),
        ("", "", 0.0, ""),
        ("5118", "5118", 0.5, ENDS_WITH),
    ],
)
def test_how_well_digits_fit(asked: str, held: str, score: float, reason: str) -> None:
    """Scores for: the same number; all but the area code; last digits, from four; another number."""
    assert score_match(asked, held) == (score, reason)


@settings(max_examples=50)
@given(AREA, DIGITS, st.integers(1, 8))
def test_more_last_digits_score_more(area: str, number: str, count: int) -> None:
    """The more last digits, the higher the score; with one wrong digit there is no match."""
    held = f"0{area} {number}"
    count = min(count, len(number))
    score, reason = score_match(number[-count:], held)
    assert (reason == ENDS_WITH) == (count >= phones.MIN_LAST_DIGITS)
    if count > phones.MIN_LAST_DIGITS:
        assert score >= score_match(number[1 - count :], held)[0]
    wrong = str((int(number[-1]) + 1) % 10)
    assert score_match(f"0{area} {number[:-1]}{wrong}", held) == (0.0, "")


@given(AREA, DIGITS)
def test_the_index_finds_exact_matches(area: str, number: str) -> None:
    """Every exact match, with or without prefix, shares a key with the index."""
    for asked in (f"0{area}{number}", f"{area}{number}", f"49{area}{number}"):
        if score_match(asked, f"0{area} {number}")[1] == EXACT:
            assert set(index_keys(f"0{area} {number}")) & search_keys(asked)
