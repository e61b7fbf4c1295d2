from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.folding import fold
from planso_connector.domain.recognition.names import fold_loosely
from planso_connector.domain.recognition.phonetics import cologne_code

WORDS = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzäöüßéAZ-' "), max_size=20)


@pytest.mark.parametrize(
    ("word", "digits"),
    [("Müller-Lüdenscheidt", "65752682"), ("Müller", "657"), ("Schmidt", "862"), ("Schneider", "8627"),
     ("Fischer", "387"), ("Weber", "317"), ("Wagner", "3467"), ("Becker", "147"), ("Hoffmann", "0366"),
     ("Schäfer", "837"), ("Breschnew", "17863"), ("Wikipedia", "3412"), ("Peter", "127"), ("Pharma", "376"),
     ("Mönchengladbach", "664645214"), ("deutsch", "28"), ("Deutz", "28"), ("Hamburg", "06174"), ("Hannover", "0637"),
     ("Christstollen", "478256"), ("Xanthippe", "48621"), ("Zacharias", "8478"), ("Holzbau", "0581"),
     ("Matsch", "68"), ("Matz", "68"), ("Arbeitsamt", "071862"), ("Eberhard", "01772"), ("Celsius", "8588")],
)  # fmt: skip
def test_known_codes(word: str, digits: str) -> None:
    """Codes published with the method, or derived from its table by hand."""
    assert cologne_code(word) == digits


@pytest.mark.parametrize(
    ("word", "digits", "rule"),
    [
        ("ca", "4", "C in front, before A H K L O Q R U X"),
        ("cl", "45", "C in front, before A H K L O Q R U X"),
        ("ce", "8", "C in front, else"),
        ("acl", "085", "C inside, before L: only in front it is 4"),
        ("aco", "04", "C inside, before A H K O Q U X"),
        ("sco", "8", "C after S Z"),
        ("zco", "8", "C after S Z"),
        ("ace", "08", "C inside, else"),
        ("ph", "3", "P before H"),
        ("p", "1", "P else"),
        ("at", "02", "D T else"),
        ("tsa", "8", "D T before C S Z"),
        ("dce", "8", "D T before C S Z"),
        ("ax", "048", "X else"),
        ("kx", "48", "X after C K Q"),
        ("h", "", "H is silent"),
        ("ac", "04", "C at the end: Dominic is Dominik"),
        ("ahoi", "0", "vowels count in front alone"),
        ("mom", "66", "equal codes are one only where they touch"),
        ("mm", "6", "equal codes are one only where they touch"),
    ],
)
def test_every_rule_in_its_context(word: str, digits: str, rule: str) -> None:
    """Each rule of the table, in a word where it alone decides."""
    assert cologne_code(word) == digits, rule


@pytest.mark.parametrize(
    "words",
    ["Meier Maier Mayer Meyer Mayr Meir", "Schmidt Schmitt Schmied Schmid", "Kraus Krauß Krauss Grauß", "Karl Carl",
     "Philipp Filip Phillip", "Dominic Dominik", "Thomas Tomas", "Matthias Mathias", "Rudolf Rudolph", "Klaus Claus",
     "Becker Bäcker Beker", "Walter Walther Valter"],
)  # fmt: skip
def test_sound_alikes_share_a_code(words: str) -> None:
    """Spellings of one name that sound the same have one code."""
    assert len({cologne_code(word) for word in words.split()}) == 1


@given(WORDS)
def test_a_code_depends_on_the_folded_word_alone(word: str) -> None:
    """Case, accents and umlauts don't change a code; it has a 0 in front only."""
    digits = cologne_code(word)
    assert digits == cologne_code(fold(word)) == cologne_code(word.upper().replace("ẞ", "SS"))
    assert "0" not in digits[1:]
    assert set(digits) <= set("012345678")
    assert (digits == "") == (set(fold(word)) <= set("h-' "))


@given(WORDS)
def test_a_loosely_folded_word_has_the_same_code(word: str) -> None:
    """A word and the form of it that is indexed sound alike."""
    assert cologne_code(fold_loosely(word)) == cologne_code(word)
