"""When days and times of the wall clock are past."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest

from planso_connector.domain.progress.moment import Moment
from tests.domain.progress.assessed_order import utc


@pytest.mark.parametrize(
    ("day", "midnight"),
    [
        (date(2026, 11, 22), utc(2026, 11, 22, 23)),
        (date(2026, 7, 1), utc(2026, 7, 1, 22)),
        (date(2026, 3, 28), utc(2026, 3, 28, 23)),
        (date(2026, 3, 29), utc(2026, 3, 29, 22)),
        (date(2026, 10, 24), utc(2026, 10, 24, 22)),
        (date(2026, 10, 25), utc(2026, 10, 25, 23)),
        (date(2026, 12, 31), utc(2026, 12, 31, 23)),
    ],
)
def test_a_day_is_past_at_the_next_midnight_of_the_workshop(day: date, midnight: datetime) -> None:
    """Berlin's midnight, in summer, in winter and when daylight saving time begins or ends."""
    moment = Moment(day, None, day.isoformat())
    assert not moment.is_past(midnight - timedelta(microseconds=1))
    assert moment.is_past(midnight)


@pytest.mark.parametrize(
    ("day", "clock", "over"),
    [
        (date(2026, 11, 23), time(16), utc(2026, 11, 23, 15)),
        (date(2026, 10, 25), time(2, 30), utc(2026, 10, 25, 1, 30)),
        (date(2026, 3, 29), time(2, 30), utc(2026, 3, 29, 1, 30)),
    ],
)
def test_a_time_that_comes_twice_or_never_is_past_when_it_surely_is(day: date, clock: time, over: datetime) -> None:
    """After the second 2:30 in autumn; in spring after the skipped hour."""
    moment = Moment(day, clock, "")
    assert not moment.is_past(over)
    assert moment.is_past(over + timedelta(seconds=1))
