"""Phrases in the status of a part, and in an order's parts status."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.order import is_waiting_for_parts
from planso_connector.domain.part import Part, needs_no_parts, says_parts_missing
from planso_connector.domain.phrase_search import contains_any_phrase
from tests.domain.progress.assessed_order import NO_PARTS_NEEDED

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


@pytest.mark.parametrize("status", MISSING)
def test_statuses_of_missing_parts(status: str) -> None:
    """In any case, with any umlauts and endings, anywhere in the status of a part or of the order."""
    assert Part(1, status=status).is_missing
    assert not Part(1, status=status, is_delivered=True).is_missing
    assert is_waiting_for_parts(status, ())
    assert is_waiting_for_parts(f"E-Teile: {status}", (Part(1, is_delivered=True),))


@pytest.mark.parametrize("status", INCOMPLETE)
def test_statuses_of_incomplete_orders(status: str) -> None:
    """As an order's parts status they mean that parts are missing; as one part's they don't."""
    assert is_waiting_for_parts(status, ())
    assert not Part(1, status=status).is_missing


@pytest.mark.parametrize("status", FINE)
def test_statuses_without_missing_parts(status: str) -> None:
    """Negations, parts of status, and parts on their way; missing rows still count."""
    assert not Part(1, status=status).is_missing
    assert not says_parts_missing(status)
    assert not is_waiting_for_parts(status, (Part(1, is_delivered=True),))
    assert is_waiting_for_parts(status, (Part(1, is_ordered=True),))


@pytest.mark.parametrize(
    "status",
    [NO_PARTS_NEEDED, "OHNE E-TEILE", "Ohne  E - Teile", "ohne Ersatzteile", "ohne Teile", "keine E-Teile benötigt",
     "keine Teile nötig", "Keine Ersatzteile erforderlich"],
)  # fmt: skip
def test_statuses_of_orders_that_need_no_parts(status: str) -> None:
    """No part is missing then, whatever the rows say."""
    assert needs_no_parts(status)
    assert not is_waiting_for_parts(status, (Part(1, is_backorder=True),))


@pytest.mark.parametrize(
    "status", [None, 5, "", "keine E-Teile da", "ohne E-Teile?-Info", "nicht ohne E-Teile", "E-Teile"]
)
def test_other_statuses_do_not_mean_that_none_are_needed(status: object) -> None:
    """Only the whole status counts."""
    assert not needs_no_parts(status)


@given(st.text(), st.lists(st.text(), max_size=3).map(tuple))
def test_any_text_can_be_searched(text: str, phrases: tuple[str, ...]) -> None:
    """Any text and phrases give an answer; a phrase without negation matches itself."""
    assert contains_any_phrase(text, phrases) in (True, False)
    assert contains_any_phrase("a b", ("a b",))
    assert not contains_any_phrase(text, ())
