"""Which days a caller's words are about."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.agents.wished_days import MAX_DAYS, WishedDays, read_wished_days
from planso_connector.domain.german_formats import BERLIN

NOW = datetime(2026, 12, 1, 10, 0, tzinfo=BERLIN)
"""A Tuesday."""


def read(text: str) -> WishedDays:
    found = read_wished_days(text, NOW)
    assert isinstance(found, WishedDays), found
    return found


@pytest.mark.parametrize(
    ("text", "first", "days"),
    [
        ("", "2026-12-01", 14),
        ("so bald wie möglich", "2026-12-01", 14),
        ("der nächste freie Termin", "2026-12-01", 14),
        ("am 8. Dezember", "2026-12-08", 1),
        ("morgen um acht", "2026-12-02", 1),
        ("nächste Woche", "2026-12-07", 7),
        ("nächste Woche vormittags", "2026-12-07", 7),
        ("ab dem 10. Dezember", "2026-12-10", 14),
        ("nach dem 10. Dezember", "2026-12-11", 14),
        ("bis zum 10. Dezember", "2026-12-01", 10),
        ("vormittags", "2026-12-01", 14),
    ],
)
def test_words(text: str, first: str, days: int) -> None:
    found = read(text)
    assert (found.first, found.days) == (date.fromisoformat(first), days)


def test_a_day_that_is_not_wanted() -> None:
    found = read("nicht am 3. Dezember")
    assert found.includes(date(2026, 12, 2))
    assert not found.includes(date(2026, 12, 3))


def test_one_of_several_days() -> None:
    """Those alone, not the days between."""
    found = read("am 8. oder am 10. Dezember")
    assert [found.includes(date(2026, 12, day)) for day in (7, 8, 9, 10, 11)] == [False, True, False, True, False]


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Days that lie ahead and are bounded, or a question."""
    found = read_wished_days(text, NOW)
    if isinstance(found, WishedDays):
        assert found.first >= NOW.date()
        assert 1 <= found.days <= MAX_DAYS
