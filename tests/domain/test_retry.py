"""A growing, bounded, scattered pause."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.retry import FIRST_DELAY, MAX_DELAY, compute_backoff

ATTEMPTS = st.one_of(st.integers(1, 40), st.integers(41, 10**9))
DICE = st.integers(0, 2**32).map(Random)


class Loaded(Random):
    """Throws the same number each time."""

    def __init__(self, thrown: float) -> None:
        super().__init__(0)
        self.thrown = thrown

    def random(self) -> float:
        return self.thrown


@given(ATTEMPTS, DICE)
def test_a_pause_is_bounded(attempts: int, dice: Random) -> None:
    """After the first attempt about `FIRST`, never more than `LAST`; a quarter more or less."""
    assert FIRST_DELAY * 0.75 <= compute_backoff(attempts, dice).total_seconds() <= MAX_DELAY * 1.25
    assert FIRST_DELAY * 0.75 <= compute_backoff(1, dice).total_seconds() <= FIRST_DELAY * 1.25


@given(ATTEMPTS, st.floats(0, 1, exclude_max=True))
def test_it_doubles_until_it_is_the_longest(attempts: int, thrown: float) -> None:
    """With the same throw of the dice the next pause is twice as long, or the longest."""
    one, following = (compute_backoff(n, Loaded(thrown)).total_seconds() for n in (attempts, attempts + 1))
    longest = compute_backoff(10**9, Loaded(thrown)).total_seconds()
    assert abs(following - min(2 * one, longest)) < 1e-5
    assert abs(longest - MAX_DELAY * (0.75 + 0.5 * thrown)) < 1e-5


@given(ATTEMPTS)
def test_what_failed_together_comes_back_scattered(attempts: int) -> None:
    """The whole quarter to either side is used."""
    middle = compute_backoff(attempts, Loaded(0.5)).total_seconds()
    dice = Random(attempts)
    thrown = [compute_backoff(attempts, dice).total_seconds() / middle for _ in range(200)]
    assert 0.75 - 1e-5 <= min(thrown) < 0.8
    assert 1.2 < max(thrown) <= 1.25 + 1e-5
