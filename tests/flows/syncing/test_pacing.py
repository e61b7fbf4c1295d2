"""A sync gives way to callers, and to nobody else."""

from __future__ import annotations

from planso_connector.flows.syncing.pacing import ORDER_INTERVAL, QUIET_AFTER, Pacer


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_requests_nothing_is_delayed() -> None:
    """Before the first request, and as soon as it is quiet again, each order's turn comes at once."""
    clock = Clock()
    way = Pacer(clock)
    assert [way.reserve_turn() for _ in range(3)] == [0.0] * 3
    way.record_request()
    clock.now += QUIET_AFTER * 1.01
    assert [way.reserve_turn() for _ in range(3)] == [0.0] * 3


def test_during_requests_orders_are_paced() -> None:
    """Eight that want to read at once get turns that lie apart, and later ones go on from there."""
    clock = Clock()
    way = Pacer(clock)
    way.record_request()
    assert [round(way.reserve_turn(), 6) for _ in range(8)] == [round(ORDER_INTERVAL * n, 6) for n in range(8)]
    clock.now += ORDER_INTERVAL * 20
    way.record_request()
    assert [round(way.reserve_turn(), 6) for _ in range(2)] == [0.0, round(ORDER_INTERVAL, 6)]
