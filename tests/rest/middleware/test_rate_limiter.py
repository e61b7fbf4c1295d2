"""RateLimiter: the rate of keys and addresses, and the memory their buckets take."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given, strategies

from planso_connector.rest.middleware.rate_limits import Limits, Rate, RateLimiter, Refusal, RequestSlot
from planso_connector.rest.request_context import get_context


def scope(address: str = "10.0.0.1", **headers: bytes) -> dict[str, Any]:
    """A request from this address; `x_api_key=...` is a header."""
    raw_headers = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return {"client": (address, 1), "headers": raw_headers}


def admits(limiter: RateLimiter, request: dict[str, Any]) -> bool:
    """Whether a request is admitted; it ends at once."""
    slot = limiter.acquire(request)
    if isinstance(slot, Refusal):
        return False
    limiter.release(slot)
    return True


_REQUESTS = strategies.lists(
    strategies.tuples(strategies.integers(0, 3), strategies.floats(0, 5)), min_size=1, max_size=80
)


@given(_REQUESTS, strategies.integers(1, 9), strategies.floats(0.5, 20))
def test_no_address_exceeds_its_rate(requests: list[tuple[int, float]], count: int, seconds: float) -> None:
    """In no period more than the bucket and what was refilled meanwhile; after Retry-After a request is admitted."""
    now = 0.0
    limiter = RateLimiter(Limits(key=None, address=Rate(count, seconds)), lambda: now)
    admitted: dict[int, list[float]] = {}
    for number, pause in requests:
        now += pause
        request = scope(f"10.0.0.{number}")
        slot = limiter.acquire(request)
        if isinstance(slot, Refusal):
            now += slot.retry_after
            slot = limiter.acquire(request)
        assert not isinstance(slot, Refusal)
        limiter.release(slot)
        times = admitted.setdefault(number, [])
        times.append(now)
        for start in range(len(times)):
            assert len(times) - start <= count + (now - times[start]) * count / seconds + 1e-6


def test_memory_does_not_grow_with_addresses() -> None:
    """Buckets are dropped beyond a bound, but not that of a request in flight."""
    limiter = RateLimiter(Limits(key=None, address=None, parallel=1), lambda: 0.0)
    first = limiter.acquire(scope("10.255.0.1"))
    for number in range(30_000):
        assert admits(limiter, scope(f"10.{number % 250}.{number // 250}.1"))
    assert isinstance(limiter.acquire(scope("10.255.0.1")), Refusal)
    assert not isinstance(first, Refusal)
    limiter.release(first)
    assert admits(limiter, scope("10.255.0.1"))


def test_a_workshop_has_half_of_the_active_reads() -> None:
    """Reads that wait do not count, nor do those that ended; one that is alone may have all."""
    limiter = RateLimiter(Limits(key=None, address=None, parallel=99, parallel_total=16), lambda: 0.0)
    share = limiter.max_active_reads // 2
    number = 0

    def begin(*, is_alone: bool = False) -> RequestSlot | None:
        nonlocal number
        number += 1
        slot = limiter.acquire(scope(f"10.1.1.{number}"))
        assert not isinstance(slot, Refusal)
        if slot.count_for("one", is_alone=is_alone) is None:
            return slot
        limiter.release(slot)
        return None

    slots = [begin() for _ in range(share + 1)]
    assert [slot is not None for slot in slots] == [True] * share + [False]
    waiting = slots[0]
    assert waiting is not None
    with waiting:
        ended = begin()
        assert ended is not None
    assert begin() is None
    alone = begin(is_alone=True)
    assert alone is not None
    for slot in (waiting, ended, alone):
        limiter.release(slot)
    assert begin() is not None
    assert begin() is None


def test_invented_keys_do_not_reset_a_key_at_its_limit() -> None:
    """A key that has used up its rate does not get it back by any number of other keys, refused or admitted."""
    now = 0.0
    limiter = RateLimiter(Limits(key=Rate(3, 3600.0), address=Rate(200, 1.0)), lambda: now)

    def is_admitted(key: bytes, address: str = "192.0.2.1") -> bool:
        return admits(limiter, scope(address, x_api_key=key))

    assert [is_admitted(b"mine") for _ in range(4)] == [True, True, True, False]
    assert sum(is_admitted(b"invented %d" % number) for number in range(10_000)) < 200
    now += 2.0
    assert not is_admitted(b"mine")
    for number in range(10_000):
        now += 0.001
        assert is_admitted(b"another %d" % number, f"10.0.{number % 250}.1")
        assert number % 1000 or not is_admitted(b"mine")


def test_full_buckets_are_dropped_first() -> None:
    """An empty bucket stays while thousands come whose buckets are full again, though they were used later."""
    now = 0.0
    limiter = RateLimiter(Limits(key=None, address=Rate(3, 6.0)), lambda: now)
    assert [admits(limiter, scope("10.255.0.1")) for _ in range(4)] == [True, True, True, False]
    now += 0.01
    assert all(admits(limiter, scope(f"10.{number % 250}.{number // 250}.1")) for number in range(8191))
    now += 2.1
    assert admits(limiter, scope("10.254.0.1"))
    assert [admits(limiter, scope("10.255.0.1")) for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize("blank", [b"\xa0", b"\x85", b" ", b"\t"])
def test_a_key_has_one_bucket_however_it_is_written(blank: bytes) -> None:
    """What authentication takes for the same key the limits do too: blanks after it give no rate of its own."""
    limiter = RateLimiter(Limits(key=Rate(2, 3600.0), address=None), lambda: 0.0)
    key = b"pc_0123456789_secret"
    for number in range(2):
        assert admits(limiter, scope(authorization=b"Bearer " + key + b" " * number))
    for request in (scope(authorization=b"Bearer " + key + blank), scope(x_api_key=key + blank)):
        is_same = get_context(request).api_keys == {key}
        assert admits(limiter, request) != is_same


def test_text_that_is_not_an_address_shares_one_bucket() -> None:
    """A proxy passes on texts of any length: they count as one address, and none of them is kept."""
    limiter = RateLimiter(Limits(key=None, address=Rate(2, 3600.0)), lambda: 0.0)
    tracemalloc.start()
    admitted = sum(admits(limiter, scope("x" * 30_000 + str(number), x_forwarded_for=b"x")) for number in range(500))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (admitted, held < 1_000_000) == (2, True)
