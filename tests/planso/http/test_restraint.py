"""What the throttle learns from PlanSo's answers, without anything waiting."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planso_connector.planso.http.adaptive_limit import (
    FIRST_PAUSE,
    MAX_PAUSE,
    MAX_WRITE_PAUSE,
    SLOW_MARGIN,
    AdaptiveLimit,
    parse_retry_after,
)
from planso_connector.planso.http.throttle import Attempt
from tests.planso.hands import Hands


@pytest.mark.parametrize(
    ("status", "left"),
    [(200, 8), (302, 8), (403, 8), (404, 8), (500, 8), (501, 8), (429, 4), (502, 4), (503, 4), (504, 4)],
)
def test_only_overload_cuts(status: int, left: int) -> None:
    """A page that PlanSo can't show is no sign that it suffers."""
    restraint = AdaptiveLimit(8)
    Attempt(restraint, Hands()).record_response(status)

    assert restraint.max_in_flight == left
    assert (restraint.failing_rounds > 0) == (left < 8)


def test_one_more_after_each_round_of_good_answers() -> None:
    """After a cut to 2: 2 answers to 3, 3 more to 4, 4 more to 5, and so on, up to `concurrency` and no further."""
    restraint = AdaptiveLimit(5)
    restraint.record_overload(0.0, restraint.cut_count)
    allowed = []
    for _ in range(2 + 3 + 4 + 50):
        restraint.record_success(restraint.cut_count, "page", 0.05)
        allowed.append(restraint.max_in_flight)

    assert allowed == [2] + 3 * [3] + 4 * [4] + 51 * [5]


def test_answers_to_what_was_asked_before_the_cut_raise_nothing() -> None:
    """Seven good ones that were on their way when the eighth failed don't undo the cut; they end the pause."""
    restraint = AdaptiveLimit(8)
    restraint.record_overload(0.0, 0)
    for _ in range(7):
        restraint.record_success(0, "page", 0.05)

    assert restraint.max_in_flight == 4
    assert restraint.failing_rounds == 0


# latency ------------------------------------------------------------------------------------------------------------


def answers(restraint: AdaptiveLimit, count: int, seconds: float, page: str = "page") -> None:
    for _ in range(count):
        restraint.record_success(restraint.cut_count, page, seconds)


@example([("form", 0.001)] * 100 + [("form", SLOW_MARGIN)] * 100)
@given(st.lists(st.tuples(st.sampled_from(["form", "parts"]), st.floats(0, SLOW_MARGIN)), max_size=200))
def test_noise_takes_nothing_away(taken: list[tuple[str, float]]) -> None:
    """Whatever a quick PlanSo's answers take, below a quarter of a second nobody is held back."""
    restraint = AdaptiveLimit(8)
    for page, seconds in taken:
        restraint.record_success(restraint.cut_count, page, seconds)
        assert restraint.max_in_flight == 8


def test_slowness_takes_one_a_round_and_gives_it_back() -> None:
    """Answers of 1 s where 50 ms were usual bring 8 down to 1, one at a time; usual ones bring it back to 8."""
    restraint = AdaptiveLimit(8)
    answers(restraint, 100, 0.05)
    seen = [restraint.max_in_flight]
    for _ in range(60):
        answers(restraint, 1, 1.0)
        if restraint.max_in_flight != seen[-1]:
            seen.append(restraint.max_in_flight)
    assert seen == [8, 7, 6, 5, 4, 3, 2, 1]

    answers(restraint, 60, 0.05)

    assert restraint.max_in_flight == 8


@pytest.mark.parametrize("seconds", [1.0, 30.0, 3000.0])
def test_one_slow_answer_is_no_slowness(seconds: float) -> None:
    """However long one answer hangs among good ones."""
    restraint = AdaptiveLimit(4)
    answers(restraint, 100, 0.05)
    for _ in range(20):
        answers(restraint, 1, seconds)
        answers(restraint, 30, 0.05)
        assert restraint.max_in_flight == 4


def test_each_page_has_its_own_usual_time() -> None:
    """A list that always takes 3 s beside parts that take 30 ms is no slowness."""
    restraint = AdaptiveLimit(4)
    for _ in range(100):
        answers(restraint, 3, 0.03, "parts")
        answers(restraint, 2, 3.0, "list")
        assert restraint.max_in_flight == 4


def test_what_stays_slow_becomes_usual() -> None:
    """A PlanSo that is ten times slower for good is asked at full width again within a thousand answers."""
    restraint = AdaptiveLimit(4)
    answers(restraint, 100, 0.1)
    answers(restraint, 100, 1.0)
    assert restraint.max_in_flight == 1

    answers(restraint, 1000, 1.0)

    assert restraint.max_in_flight == 4


def test_an_error_s_page_has_no_usual_time() -> None:
    """That PlanSo says 404 in no time teaches nothing about how long its pages take."""
    restraint = AdaptiveLimit(4)
    Attempt(restraint, Hands()).record_response(404)

    assert restraint.latency is None


# pauses -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dice", [0.0, 0.5, 0.999])
def test_pauses_double_up_to_their_longest(dice: float) -> None:
    """Each failing round's pause is up to twice the one before, at least half of that, and never beyond 30 s."""
    restraint = AdaptiveLimit(4, random_fraction=lambda: dice)
    pauses = []
    for _ in range(60):
        restraint.record_overload(0.0, restraint.cut_count)
        pauses.append(restraint.earliest_start(write=False))

    longest = [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE, 16 * FIRST_PAUSE] + 55 * [MAX_PAUSE]
    assert pauses == pytest.approx([pause * (1 + dice) / 2 for pause in longest])
    assert restraint.earliest_start(write=True) == MAX_WRITE_PAUSE


def test_a_good_answer_ends_the_pause() -> None:
    """And the next error's pause is a first one again."""
    restraint = AdaptiveLimit(4, random_fraction=lambda: 0.0)
    for _ in range(5):
        restraint.record_overload(0.0, restraint.cut_count)
    restraint.record_success(restraint.cut_count, "page", 0.05)
    assert restraint.earliest_start(write=False) == -math.inf

    restraint.record_overload(100.0, restraint.cut_count)

    assert restraint.earliest_start(write=False) == 100.0 + FIRST_PAUSE / 2


def test_the_longer_hold_counts() -> None:
    """A shorter `Retry-After` that comes later takes nothing from a longer one."""
    restraint, hands = AdaptiveLimit(4), Hands()
    for seconds in (60.0, 5.0):
        Attempt(restraint, hands).record_response(503, retry_after=seconds)

    assert restraint.earliest_start(write=True) == hands.now + 60


# Retry-After ------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def at(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        (None, None, None),
        ("120", None, 120.0),
        (" 0 ", None, 0.0),
        ("1.5", None, 1.5),
        ("9" * 310, None, math.inf),
        (at(90), at(0), 90.0),
        (at(-90), at(0), 0.0),
        (at(90).replace("GMT", "-0000"), at(0), 90.0),
        ("-5", None, None),
        ("bald", at(0), None),
        ("", None, None),
        ("٣", None, None),
        ("Mon, 23 Nov 99999 10:00:00 GMT", None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, date: str | None, seconds: float | None) -> None:
    """A date counts from the answer's own; what can't be understood asks for nothing."""
    assert parse_retry_after(header, date) == seconds


def test_a_date_counts_from_our_clock_where_the_answer_has_none() -> None:
    """To the second, which is what such dates have; a broken Date is none."""
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert parse_retry_after(in_a_minute) == pytest.approx(60, abs=2)
    assert parse_retry_after(in_a_minute, "gestern") == pytest.approx(60, abs=2)
