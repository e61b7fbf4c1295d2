"""What the adaptive limit learns from responses, without anything waiting."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planso_connector.planso.http.adaptive_throttle import (
    FIRST_PAUSE,
    MAX_PAUSE,
    MAX_WRITE_PAUSE,
    SLOW_MARGIN,
    AdaptiveLimit,
    parse_retry_after,
)
from planso_connector.planso.http.throttle import Attempt
from tests.planso.manual_clock import ManualClock


@pytest.mark.parametrize(
    ("status", "left"),
    [(200, 8), (302, 8), (403, 8), (404, 8), (500, 8), (501, 8), (429, 4), (502, 4), (503, 4), (504, 4)],
)
def test_only_overload_cuts_the_limit(status: int, left: int) -> None:
    """A page that PlanSo can't show is no sign of overload."""
    limit = AdaptiveLimit(8)
    Attempt(limit, ManualClock()).record_response(status)

    assert limit.max_in_flight == left
    assert (limit.failing_rounds > 0) == (left < 8)


def test_the_limit_grows_by_one_after_each_round_of_good_responses() -> None:
    """After a cut to 2: 2 answers to 3, 3 more to 4, 4 more to 5, and so on, up to `concurrency` and no further."""
    limit = AdaptiveLimit(5)
    limit.record_overload(0.0, limit.cut_count)
    allowed = []
    for _ in range(2 + 3 + 4 + 50):
        limit.record_success(limit.cut_count, "page", 0.05)
        allowed.append(limit.max_in_flight)

    assert allowed == [2] + 3 * [3] + 4 * [4] + 51 * [5]


def test_responses_to_requests_before_the_cut_do_not_raise_the_limit() -> None:
    """Seven good ones that were in flight when the eighth failed don't undo the cut; they end the pause."""
    limit = AdaptiveLimit(8)
    limit.record_overload(0.0, 0)
    for _ in range(7):
        limit.record_success(0, "page", 0.05)

    assert limit.max_in_flight == 4
    assert limit.failing_rounds == 0


# latency ------------------------------------------------------------------------------------------------------------


def record_successes(limit: AdaptiveLimit, count: int, seconds: float, page: str = "page") -> None:
    for _ in range(count):
        limit.record_success(limit.cut_count, page, seconds)


@example([("form", 0.001)] * 100 + [("form", SLOW_MARGIN)] * 100)
@given(st.lists(st.tuples(st.sampled_from(["form", "parts"]), st.floats(0, SLOW_MARGIN)), max_size=200))
def test_fast_responses_never_cut_the_limit(taken: list[tuple[str, float]]) -> None:
    """However they vary, below a quarter of a second."""
    limit = AdaptiveLimit(8)
    for page, seconds in taken:
        limit.record_success(limit.cut_count, page, seconds)
        assert limit.max_in_flight == 8


def test_slow_responses_lower_the_limit_by_one_a_round() -> None:
    """Answers of 1 s where 50 ms were usual bring 8 down to 1, one at a time; usual ones bring it back to 8."""
    limit = AdaptiveLimit(8)
    record_successes(limit, 100, 0.05)
    seen = [limit.max_in_flight]
    for _ in range(60):
        record_successes(limit, 1, 1.0)
        if limit.max_in_flight != seen[-1]:
            seen.append(limit.max_in_flight)
    assert seen == [8, 7, 6, 5, 4, 3, 2, 1]

    record_successes(limit, 60, 0.05)

    assert limit.max_in_flight == 8


@pytest.mark.parametrize("seconds", [1.0, 30.0, 3000.0])
def test_one_slow_response_does_not_lower_the_limit(seconds: float) -> None:
    """However long one hangs among good ones."""
    limit = AdaptiveLimit(4)
    record_successes(limit, 100, 0.05)
    for _ in range(20):
        record_successes(limit, 1, seconds)
        record_successes(limit, 30, 0.05)
        assert limit.max_in_flight == 4


def test_each_page_has_its_own_usual_latency() -> None:
    """A list that always takes 3 s beside parts that take 30 ms is no slowness."""
    limit = AdaptiveLimit(4)
    for _ in range(100):
        record_successes(limit, 3, 0.03, "parts")
        record_successes(limit, 2, 3.0, "list")
        assert limit.max_in_flight == 4


def test_a_lasting_latency_becomes_usual() -> None:
    """A PlanSo that is ten times slower for good has the full limit again within a thousand responses."""
    limit = AdaptiveLimit(4)
    record_successes(limit, 100, 0.1)
    record_successes(limit, 100, 1.0)
    assert limit.max_in_flight == 1

    record_successes(limit, 1000, 1.0)

    assert limit.max_in_flight == 4


def test_an_error_page_does_not_count_as_latency() -> None:
    """A fast 404 says nothing about how long pages take."""
    limit = AdaptiveLimit(4)
    Attempt(limit, ManualClock()).record_response(404)

    assert limit.latency is None


# pauses -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.999])
def test_pauses_double_up_to_the_maximum(fraction: float) -> None:
    """Each failing round doubles the longest pause, up to 30 s; a pause is at least half of the longest."""
    limit = AdaptiveLimit(4, random_fraction=lambda: fraction)
    pauses = []
    for _ in range(60):
        limit.record_overload(0.0, limit.cut_count)
        pauses.append(limit.earliest_start(write=False))

    longest = [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE, 16 * FIRST_PAUSE] + 55 * [MAX_PAUSE]
    assert pauses == pytest.approx([pause * (1 + fraction) / 2 for pause in longest])
    assert limit.earliest_start(write=True) == MAX_WRITE_PAUSE


def test_a_good_response_ends_the_pause() -> None:
    """The next error starts with the first pause again."""
    limit = AdaptiveLimit(4, random_fraction=lambda: 0.0)
    for _ in range(5):
        limit.record_overload(0.0, limit.cut_count)
    limit.record_success(limit.cut_count, "page", 0.05)
    assert limit.earliest_start(write=False) == -math.inf

    limit.record_overload(100.0, limit.cut_count)

    assert limit.earliest_start(write=False) == 100.0 + FIRST_PAUSE / 2


def test_the_longest_retry_after_counts() -> None:
    """A later, shorter `Retry-After` does not shorten the pause."""
    limit, clock = AdaptiveLimit(4), ManualClock()
    for seconds in (60.0, 5.0):
        Attempt(limit, clock).record_response(503, retry_after=seconds)

    assert limit.earliest_start(write=True) == clock.now + 60


# Retry-After ------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        (None, None, None),
        ("120", None, 120.0),
        (" 0 ", None, 0.0),
        ("1.5", None, 1.5),
        ("9" * 310, None, math.inf),
        (http_date(90), http_date(0), 90.0),
        (http_date(-90), http_date(0), 0.0),
        (http_date(90).replace("GMT", "-0000"), http_date(0), 90.0),
        ("-5", None, None),
        ("bald", http_date(0), None),
        ("", None, None),
        ("٣", None, None),
        ("Mon, 23 Nov 99999 10:00:00 GMT", None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, date: str | None, seconds: float | None) -> None:
    """A date counts from the response's `Date`; anything else is None."""
    assert parse_retry_after(header, date) == seconds


def test_a_date_counts_from_our_clock_without_a_date_of_the_response() -> None:
    """To the second, which is the resolution of such dates; an invalid `Date` counts as none."""
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert parse_retry_after(in_a_minute) == pytest.approx(60, abs=2)
    assert parse_retry_after(in_a_minute, "gestern") == pytest.approx(60, abs=2)
