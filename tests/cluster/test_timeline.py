"""The laws of `make cluster` about time find what breaks them."""

from __future__ import annotations

import pytest

from tests.cluster.faults import Event
from tests.cluster.observers import Kind, Sample
from tests.cluster.timeline import messages_are_true, readiness_is_true, requests_are_answered_again

EVENT = Event("the primary is gone", began=100.0, usable_at=110.0, healed_at=110.0, ended=140.0)
DOWN = "The connector's database can't be used: it can't be reached."


def make_samples(kind: Kind, *outcomes: tuple[float, float, int]) -> list[Sample]:
    """Samples every half second: (from, until, status), in seconds."""
    return [
        Sample(kind, 0, since + number / 2, since + number / 2 + 0.1, status, DOWN if status == 503 else "")
        for since, until, status in outcomes
        for number in range(int((until - since) * 2))
    ]


def test_reads_that_are_not_back_in_time_are_found() -> None:
    """Failures are allowed from the fault to shortly after the failover; not later, and not before."""
    requests_are_answered_again(make_samples("read", (90, 100, 200), (100, 115, 503), (115, 140, 200)), [EVENT])
    for outcomes in ([(90, 100, 200), (100, 130, 503), (130, 140, 200)], [(90, 95, 503), (95, 140, 200)]):
        with pytest.raises(AssertionError):
            requests_are_answered_again(make_samples("read", *outcomes), [EVENT])


@pytest.mark.parametrize(("answers", "ready"), [(503, 200), (200, 503)])
def test_readiness_that_is_not_true_is_found(answers: int, ready: int) -> None:
    """Ready while every read fails, or not ready while everything works."""
    reads = make_samples("read", (90, 100, 200), (100, 120, answers), (120, 140, 200))
    writes = make_samples("write", (90, 140, 200))
    truth = make_samples("ready", (90, 100, 200), (100, 120, answers), (120, 140, 200))
    readiness_is_true([*reads, *writes, *truth])
    with pytest.raises(AssertionError):
        readiness_is_true([*reads, *writes, *make_samples("ready", (90, 100, 200), (100, 120, ready), (120, 140, 200))])


def test_words_that_fit_no_failover_are_found() -> None:
    """A failed request that blames the password."""
    messages_are_true([Sample("read", 0, 1, 2, 503, DOWN)])
    with pytest.raises(AssertionError):
        messages_are_true([Sample("read", 0, 1, 2, 503, "it rejects the user name or the password")])
