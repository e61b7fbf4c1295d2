"""What the words of a status say, of a part and of an order's parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.order import is_waiting_for_parts
from planso_connector.domain.part import NO_PARTS_NEEDED, Part, needs_no_parts, says_parts_missing
from planso_connector.domain.progress.status_phrases import says_any

MISSING = [
    "offen",
    "OFFEN",
    "offene Position",
    "Lieferung offen",
    "noch 2 offen",
    "teilweise offen",
    "nicht bestellt, offen",
    "fehlt",
    "Teil fehlt noch",
    "Teile fehlen",
    "fehlende Teile",
    "1 Fehlteil",
    "Rückstand",
    "RÜCKSTAND",
    "Rueckstand",
    "Ruckstand",
    "Ru\u0308ckstand",
    "im Rückstand",
    "Lieferrückstand",
    "Rückstände",
    "Rückstand (KW 51)",
    "Backorder",
    "back-order",
    "nicht geliefert",
    "Nicht Geliefert!",
    "noch nicht geliefert",
    "nicht vollständig geliefert",
    "noch nicht alle Teile geliefert",
    "bestellt, nicht geliefert",
    "nicht\N{NO-BREAK SPACE}geliefert",
    "nicht lieferbar",
    "noch nicht da",
    "parts missing",
    "not delivered",
    "not yet delivered",
]
INCOMPLETE = ["unvollständig", "E-Teile UNVOLLSTAENDIG", "unvollst.", "nicht vollständig", "noch nicht komplett"]
FINE = [
    "",
    "geliefert",
    "vollständig",
    "E-Teile vollständig",
    "alle Teile da",
    "E-Teile bestellt",
    "E-Teile teilweise da",
    "nicht betroffen",
    "geliefert aus Offenburg",
    "öffentlich",
    "nichts offen",
    "keine Teile offen",
    "keine E-Teile fehlen",
    "0 offen",
    "fehlt nichts",
    "fehlt nicht mehr",
    "offen: nein",
    "kein Rückstand",
    "Rückstand: keiner",
    "ohne Rückstand",
    "not missing",
    "fehlerhaft",
    "da, nicht bestellt",
]


@pytest.mark.parametrize("words", MISSING)
def test_words_that_say_that_a_part_is_missing(words: str) -> None:
    """In any case, with any umlauts and endings, at any place: of a part, and of the order's parts without rows."""
    assert Part(1, status=words).is_missing
    assert not Part(1, status=words, is_delivered=True).is_missing
    assert is_waiting_for_parts(words, ())
    assert is_waiting_for_parts(f"E-Teile: {words}", (Part(1, is_delivered=True),))


@pytest.mark.parametrize("words", INCOMPLETE)
def test_words_that_say_that_an_order_is_incomplete(words: str) -> None:
    """Said of the order's parts, parts are missing; of one part it says nothing of the kind."""
    assert is_waiting_for_parts(words, ())
    assert not Part(1, status=words).is_missing


@pytest.mark.parametrize("words", FINE)
def test_words_that_do_not_say_so(words: str) -> None:
    """Negations, parts of words, and what is only on its way; rows that miss something count still."""
    assert not Part(1, status=words).is_missing
    assert not says_parts_missing(words)
    assert not is_waiting_for_parts(words, (Part(1, is_delivered=True),))
    assert is_waiting_for_parts(words, (Part(1, is_ordered=True),))


@pytest.mark.parametrize(
    "words",
    [NO_PARTS_NEEDED, "OHNE E-TEILE", "Ohne  E - Teile", "ohne Ersatzteile", "ohne Teile", "keine E-Teile benötigt",
     "keine Teile nötig", "Keine Ersatzteile erforderlich"],
)  # fmt: skip
def test_words_that_say_that_no_parts_are_needed(words: str) -> None:
    """Then none is missing, whatever the rows say."""
    assert needs_no_parts(words)
    assert not is_waiting_for_parts(words, (Part(1, is_backorder=True),))


@pytest.mark.parametrize(
    "words", [None, 5, "", "keine E-Teile da", "ohne E-Teile?-Info", "nicht ohne E-Teile", "E-Teile"]
)
def test_what_does_not_say_that_none_are_needed(words: object) -> None:
    """Only what says so as a whole."""
    assert not needs_no_parts(words)


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_words_have_an_answer(text: str, phrases: list[str]) -> None:
    """And a phrase that is no negation is said by itself, unless a digit or a negation is all there is."""
    assert says_any(text, phrases) in (True, False)
    assert says_any("a b", ["a b"])
    assert not says_any(text, [])
