"""Backoff grows, is bounded, and has jitter."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.write_backoff import FIRST_DELAY, MAX_DELAY, compute_backoff

ATTEMPTS = st.one_of(st.integers(1, 40), st.integers(41, 10**9))
RANDOMS = st.integers(0, 2**32).map(Random)


class FixedRandom(Random):
    """Returns the same number each time."""

    def __init__(self, number: float) -> None:
        super().__init__(0)
        self.number = number

    def random(self) -> float:
        return self.number


@given(ATTEMPTS, RANDOMS)
def test_backoff_is_bounded(attempts: int, random: Random) -> None:
    """About `FIRST_DELAY` after the first attempt, never more than `MAX_DELAY`; 25 % more or less."""
    assert FIRST_DELAY * 0.75 <= compute_backoff(attempts, random).total_seconds() <= MAX_DELAY * 1.25
    assert FIRST_DELAY * 0.75 <= compute_backoff(1, random).total_seconds() <= FIRST_DELAY * 1.25


@given(ATTEMPTS, st.floats(0, 1, exclude_max=True))
def test_backoff_doubles_up_to_its_maximum(attempts: int, number: float) -> None:
    """With the same random number the next delay is twice as long, or the longest."""
    delay, following = (compute_backoff(n, FixedRandom(number)).total_seconds() for n in (attempts, attempts + 1))
    longest = compute_backoff(10**9, FixedRandom(number)).total_seconds()
    assert abs(following - min(2 * delay, longest)) < 1e-5
    assert abs(longest - MAX_DELAY * (0.75 + 0.5 * number)) < 1e-5


@given(ATTEMPTS)
def test_jitter_uses_its_whole_range(attempts: int) -> None:
    """25 % to either side, so that operations that failed together are not retried together."""
    middle = compute_backoff(attempts, FixedRandom(0.5)).total_seconds()
    random = Random(attempts)
    ratios = [compute_backoff(attempts, random).total_seconds() / middle for _ in range(200)]
    assert 0.75 - 1e-5 <= min(ratios) < 0.8
    assert 1.2 < max(ratios) <= 1.25 + 1e-5
