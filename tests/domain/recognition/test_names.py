from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.domain.recognition import names
from planso_connector.domain.recognition.edits import is_one_edit_apart
from planso_connector.domain.recognition.names import (
    EXACT,
    ONE_TYPO,
    PART,
    SOUNDS_ALIKE,
    STARTS_WITH,
    index_keys,
    score_match,
    search_keys,
    split_words,
)

ALL_REASONS = {EXACT, ONE_TYPO, PART, SOUNDS_ALIKE, STARTS_WITH}
LETTERS = "abcdefghijklmnoprstuvwz"
PLAIN = st.text(st.sampled_from(LETTERS), min_size=4, max_size=12).filter(lambda w: split_words(w) == (w,))
FIRST = st.sampled_from(["Jana", "Wilhelm", "Karl-Heinz", "Zoë", "Günther", "Özlem", "Pia", "Jörg"])
LAST = st.sampled_from(
    ["Petersen", "Müller-Lüdenscheidt", "von der Heide", "Groß", "Ek", "Kowalczyk", "Van Le", "O'Neill"]
)
ANYTHING = st.text(max_size=40)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Müller-Lüdenscheidt", "muellerluedenscheidt mueller luedenscheidt"),
        ("Herr Dr. med. Karl Weiß", "karl weiss"),
        ("Prof. Dr. rer. nat. h.c. Eva Abel", "eva abel"),
        ("Dipl.-Ing. Karl Kern", "karl kern"),
        ("Petersen, Jana", "petersen jana"),
        ("Petersen, Frau Dr.", "petersen"),
        ("Michael Herr", "michael herr"),
        ("Ludwig van Hoof", "ludwig vanhoof hoof"),
        ("Anna von der Heide", "anna vonderheide heide"),
        ("Minh Van Le", "minh van le"),
        ("Autohaus Lindner GmbH", "autohaus lindner"),
        ("Autohaus Lindner GmbH & Co. KG", "autohaus lindner"),
        ("Lindner AG", "lindner"),
        ("Lindner e.K.", "lindner"),
        ("Lindner e. K.", "lindner"),
        ("Lindner UG (haftungsbeschränkt)", "lindner"),
        ("Gebr. Lindner OHG", "gebr lindner"),
        ("Lindner & Sohn KG", "lindner sohn"),
        ("Handelsgesellschaft Nord mbH", "handelsgesellschaft nord"),
        ("Northern Cars Ltd", "northern cars"),
        ("Lindner SE", "lindner"),
        ("Wohnbau Süd eG", "wohnbau sued"),
        ("Sportfreunde Nord e.V.", "sportfreunde nord"),
        ("Kern und Abel PartG mbB", "kern abel"),
        ("Kern GbR", "kern"),
        ("Anders Ek", "anders ek"),
        ("Familie Yılmaz", "yilmaz"),
        ("Eheleute Kern", "kern"),
        ("Sean O'Neill", "sean oneill"),
        ("Karl - Heinz Kern", "karlheinz karl heinz kern"),
        ("Herr", "herr"),
        ("GmbH", "gmbh"),
        ("", ""),
        (" -- ", ""),
    ],
)
def test_the_words_of_a_name(name: str, words: str) -> None:
    """No titles, legal forms and particles; hyphenated words and particles joined too; a title alone is kept."""
    assert split_words(name) == tuple(words.split())


MUST_MATCH = """
Meyer | Meier | sounds
Mayer | Maier | sounds
Mayr | Jana Meier | sounds
Schmitt | Schmidt | sounds
Schmied | Peter Schmidt | sounds
Kraus | Krauß | sounds
Karl Kern | Carl Kern | sounds
Klaus Kern | Claus Kern | sounds
Stefan Kern | Stephan Kern | sounds
Philip Kern | Filip Kern | sounds
Becker | Bäcker | sounds
Beker | Becker | sounds
Walter | Walther | sounds
Hofmann | Hoffmann | sounds
Tomas Kern | Thomas Kern | sounds
Möller | Müller | sounds
Miller | Müller | sounds
Schröter | Schröder | sounds
Vogt | Vogd | sounds
Fogel | Vogel | sounds
Weber | Veber | sounds
Jansen | Janssen | sounds
Yilmas | Yılmaz | sounds
Haimann | Heimann | sounds
Hanna Kern | Anna Kern | sounds
Reuter | Reiter | sounds
Feifer | Pfeiffer | sounds
Kretschmer | Eva Kretzschmar | sounds
Müller | Müller | exact
Mueller | Müller | exact
MÜLLER | Müller | exact
Muller | Müller | exact
Müller | Muller | exact
Gross | Groß | exact
Ozlem Kern | Özlem Kern | exact
Rene Kern | René Kern | exact
Jana Petersen | Jana Petersen | exact
Petersen Jana | Jana Petersen | exact
Jana Petersen | Petersen, Jana | exact
Frau Petersen | Jana Petersen | exact
Herr Dr. Petersen | Petersen, Karl | exact
Petersen | Dr. Jana Petersen | exact
Lüdenscheidt | Anna Müller-Lüdenscheidt | exact
Müller Lüdenscheidt | Anna Müller-Lüdenscheidt | exact
Anna Müllerlüdenscheidt | Anna Müller-Lüdenscheidt | exact
Karlheinz Kern | Karl-Heinz Kern | exact
Karl Heinz Kern | Karlheinz Kern | exact
Schuh Macher | Schuhmacher | exact
Schuhmacher | Schuh-Macher | exact
Heide | Anna von der Heide | exact
von der Heide | Anna von der Heide | exact
Vonderheide | Anna von der Heide | exact
Van Hoof | Vanhoof | exact
Autohaus Lindner | Autohaus Lindner GmbH & Co. KG | exact
Lindner GmbH | Autohaus Lindner GmbH | exact
Jana Maria Petersen | Jana Maria Petersen | exact
Jana Petersen | Jana Maria Petersen | exact
O Neill | Sean O'Neill | exact
Petresen | Jana Petersen | any
Petersem | Jana Petersen | any
Petrsen | Jana Petersen | any
Jana Peterksen | Jana Petersen | one off
Petersek | Jana Petersen | one off
Ptersen | Petersen | any
Linfner | Lindner | one off
Kren | Kern | any
Kowalcyk | Kowalczyk | any
Lindnar | Lindner | any
Szymanski | Szymansky | any
Peters | Jana Petersen | starts
Kowal | Kowalczyk | starts
Schu | Schuhmacher | starts
J Petersen | Jana Petersen | starts
Jana Petersen | J. Petersen | starts
Jana | Jana Petersen | part
Jana Petersen | Petersen | part
Jana Marie Petersen | Jana Petersen | part
Anna Petersen | Karl Petersen | part
"""
_REASONS = {"sounds": {SOUNDS_ALIKE}, "exact": {EXACT}, "one off": {ONE_TYPO}, "starts": {STARTS_WITH}, "part": {PART}}


@pytest.mark.parametrize("line", MUST_MATCH.strip().splitlines())
def test_what_must_match(line: str) -> None:
    """Asked words match the name, for the reason that a person would give."""
    asked, name, reason = (part.strip() for part in line.split("|"))
    score, why = score_match(tuple(asked.split()), name)
    assert 0.4 <= score <= 1
    assert why in _REASONS.get(reason, ALL_REASONS)


MUST_NOT_MATCH = """
Meyer | Mohr
Meyer | Maurer
Meyer | Moor
Müller | Maler
Jana | Anna
Jana Kern | Ina Petersen
Jana Petersen | Jana Schulz
Jana Petersen | Karl Kern
Petersen | Kern
Kern | Kohn
Bauer | Bär
Bauer | Peer
Braun | Brandt
Schulz | Schal
Schneider | Schuster
Fischer | Tischner
Weber | Wagner
Hoffmann | Hartmann
Klein | Klenk
Wolf | Welp
Krüger | Kröhnert
Richter | Ritter
Lang | Lenz
Otto | Ute
Uwe | Ave
Ali | Ole
Tom | Tim
Ida | Ada
Ott | Ute
Pia | Bea Kern
Lindner | Linke
Autohaus Kern | Autohaus Lindner GmbH
GmbH Kern | Lindner GmbH
Kern KG | Abel KG
Herr Kern | Herr Abel
Frau Dr. Kern | Dr. Abel
von Kern | von Abel
Peter | Petronella Paulsen
K | Karl Kern
Ka | Karl Kern
Kern | Karg
Roth | Rieth
Hahn | Hein
Beck | Bucko
Kurz | Kranz
Maria Sommer | Marta Winter
"""


@pytest.mark.parametrize("line", MUST_NOT_MATCH.strip().splitlines())
def test_what_must_not_match(line: str) -> None:
    """Another name doesn't match, also where the phonetic code, a title or a legal form is the same."""
    asked, name = (part.strip() for part in line.split("|"))
    assert score_match(tuple(asked.split()), name) == (0.0, "")


@settings(max_examples=50)
@given(FIRST, LAST)
def test_a_full_name_matches_in_any_order(first: str, last: str) -> None:
    """A name scores 1 for itself, in any order and case, with or without a comma."""
    for asked in (f"{first} {last}", f"{last} {first}", f"{first} {last}".upper(), f"Frau Dr. {first} {last}"):
        for held in (f"{first} {last}", f"{last}, {first}", f"{first} {last}".upper()):
            assert score_match(tuple(asked.split()), held) == (1.0, EXACT)
            assert names.is_full_match(tuple(asked.split()), held)


@given(FIRST, LAST, st.sampled_from(["Sophie", "Ulf"]))
def test_more_in_the_name_scores_less(first: str, last: str, another: str) -> None:
    """Scores fall from a full name to one with a word missing, to the surname alone, to another first name."""
    full = score_match((first, *last.split()), f"{first} {last}")[0]
    less = score_match((first, *last.split()), f"{first} {another} {last}")[0]
    surname = score_match(tuple(last.split()), f"{first} {last}")[0]
    other = score_match((another, *last.split()), f"{first} {last}")[0]
    assert full > less >= surname > other > 0
    assert not names.is_full_match((another, *last.split()), f"{first} {last}")
    assert not names.is_full_match(tuple(last.split()), f"{first} {last}")


def _typos(word: str, at: int, letter: str) -> set[str]:
    swapped = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
    return {word[:at] + word[at + 1 :], word[:at] + letter + word[at + 1 :], word[:at] + letter + word[at:], swapped}


@settings(max_examples=50)
@given(PLAIN, st.integers(0, 11), st.sampled_from(LETTERS))
def test_one_typo_is_forgiven(word: str, at: int, letter: str) -> None:
    """One edit still matches, with a lower score, and the index finds it."""
    for typo in _typos(word, at % len(word), letter) - {word}:
        assert is_one_edit_apart(word, typo)
        assert is_one_edit_apart(typo, word)
        assert word in names.typo_variants(typo) or len(typo) < 4
        if split_words(typo) == (typo,) and len(names.fold_loosely(typo)) >= 4 and len(names.fold_loosely(word)) >= 4:
            assert 0 < score_match((typo,), word)[0] < 1


@given(PLAIN)
def test_typo_variants_are_one_edit_apart(word: str) -> None:
    """The index is searched only for words that the comparison accepts."""
    assert all(is_one_edit_apart(word, other) for other in names.typo_variants(word))


def test_two_typos_are_not_one() -> None:
    """Two edits are too many, and short words have no variants."""
    assert not is_one_edit_apart("petersen", "petersen")
    assert not any(
        is_one_edit_apart("petersen", other)
        for other in ("pedersem", "ptersn", "peetterrsen", "nesretep", "", "epetrsen")
    )
    assert not names.typo_variants("abc")


@given(st.lists(ANYTHING, max_size=4), ANYTHING)
def test_any_text_is_accepted(asked: list[str], name: str) -> None:
    """A score is 0 to 1, with a reason exactly where it isn't 0; every name matches itself."""
    score, reason = score_match(tuple(asked), name)
    assert 0 <= score <= 1
    assert reason in ALL_REASONS if score else reason == ""
    assert (
        score_match((name,), name)[0] == 1
        or not split_words(name)
        or len(split_words(name)) > 1
        or len(split_words(name)[0]) == 1
    )


@pytest.mark.parametrize("line", MUST_MATCH.strip().splitlines())
def test_the_index_finds_what_must_match(line: str) -> None:
    """Each match shares a word, a sound, a typo variant or a beginning with the index."""
    asked, name, _ = (part.strip() for part in line.split("|"))
    wanted, held = search_keys(asked.split()), index_keys(name)
    near = set().union(*map(names.typo_variants, wanted.words))
    starts = any(word.startswith(start) for word in held.words for start in wanted.words)
    assert wanted.words & held.words or wanted.sounds & held.sounds or near & held.words or starts


def test_the_number_of_keys_is_bounded() -> None:
    """10,000 characters make as few keys as a long name."""
    for text in ("x" * 10_000, "x-" * 5_000, "a " * 5_000, "ab-" * 3_000 + "müller"):
        assert len(index_keys(text).words) + len(search_keys([text]).words) < 100
        assert score_match((text,), text)[0] <= 1


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("Jana Petersen", "jana", "petersen"), ("Petersen, Jana", "jana", "petersen"), ("Petersen", "", "petersen"),
     ("Anna von der Heide", "anna", "heide"), ("Autohaus Lindner GmbH", "", "lindner"), ("", "", "")],
)  # fmt: skip
def test_first_name_and_surname(name: str, first: str, last: str) -> None:
    """The surname is the last word, or the one before the comma; a company has no first name."""
    assert (names.extract_first_name(name), names.extract_surname(name)) == (first, last)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("vonderheide", "Katharina von der Heide"),
        ("Derheide", "Katharina von der Heide"),
        ("Großebölting", "Heinz Große Bölting"),
        ("Meyerzuuptrup", "Elke Meyer zu Uptrup"),
        ("Schulzebeckinghausen", "Annegret Schulze\u00adBeckinghausen"),
        ("Bensalah", "Youssef Ben Salah"),
        ("Rosamaria", "Rosa Maria da Silva"),
        ("Neil", "Sinéad O’Neil"),
        ("Oneil", "Sinéad O`Neil"),
    ],
)
def test_words_of_a_name_said_as_one_are_found(asked: str, name: str) -> None:
    """The index has the joined word, and as a free word it fits the name."""
    assert names.search_keys((asked,)).words & names.index_keys(name).words
    assert names.filter_name_words((asked, "Golf"), name) == (asked,)
    assert names.score_match((asked,), name)[0] >= 0.6
