"""A sync gives way to callers, and to nobody else."""

from __future__ import annotations

import asyncio

from planso_connector.flows.syncing.pacing import ORDER_INTERVAL, QUIET_AFTER, SHARED_INTERVAL, Pacer


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_requests_nothing_is_delayed() -> None:
    """Before the first request, and as soon as it is quiet again, each order's turn comes at once."""
    clock = Clock()
    process = Pacer(clock)
    way = process.for_workshop()
    assert [way.reserve_turn() for _ in range(3)] == [0.0] * 3
    process.record_request()
    clock.now += QUIET_AFTER * 1.01
    assert [way.reserve_turn() for _ in range(3)] == [0.0] * 3


def test_during_requests_orders_are_paced() -> None:
    """Eight that want to read at once get turns that lie apart, later ones go on from there; so do all workshops."""
    clock = Clock()
    process = Pacer(clock)
    for way, interval in ((process.for_workshop(), ORDER_INTERVAL), (process, SHARED_INTERVAL)):
        process.record_request()
        assert [round(way.reserve_turn(), 6) for _ in range(8)] == [round(interval * n, 6) for n in range(8)]
        clock.now += ORDER_INTERVAL * 20
        process.record_request()
        assert [round(way.reserve_turn(), 6) for _ in range(2)] == [0.0, round(interval, 6)]


def test_a_workshop_does_not_wait_for_the_orders_of_another() -> None:
    """However many orders one reads: the first of the other has its turn before the second of that one."""
    done: list[str] = []
    process = Pacer()

    async def read(name: str, pacer: Pacer) -> None:
        await pacer.wait_turn()
        done.append(name)

    async def read_all() -> None:
        process.record_request()
        huge, other = process.for_workshop(), process.for_workshop()
        reading = [asyncio.create_task(read("huge", huge)) for _ in range(100)]
        await asyncio.create_task(read("other", other))
        for task in reading:
            task.cancel()

    asyncio.run(read_all())
    assert done == ["huge", "other"]
