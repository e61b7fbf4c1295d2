"""The database's queues take turns between workshops."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from planso_connector.domain.priority import has_priority
from planso_connector.store.engine.fair_queue import FairQueue
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.engine.work_queue import WorkQueue
from tests.service import PATIENCE

WORKSHOPS = st.sampled_from(("a", "b", "c", None))


@dataclass(eq=False)
class Item:
    workshop: str | None
    before: int
    """Items of its workshop before it when it came."""
    overtaken_by: Counter[str | None] = field(default_factory=Counter)
    """Items of other workshops that were taken while it waited."""


class Turns(RuleBasedStateMachine):
    """Nothing is lost, each workshop's order is kept, and who has one item waits for one of each other at most."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[Item] = FairQueue()
        self.waiting: list[Item] = []

    @rule(workshop=WORKSHOPS, count=st.integers(1, 9))
    def append(self, workshop: str | None, count: int) -> None:
        for _ in range(count):
            item = Item(workshop, sum(other.workshop == workshop for other in self.waiting))
            self.queue.append(item)
            self.waiting.append(item)

    @precondition(lambda self: self.waiting)
    @rule()
    def take(self) -> None:
        taken = self.queue.popleft()
        first = next(item for item in self.waiting if item.workshop == taken.workshop)
        assert taken is first
        self.waiting.remove(taken)
        assert all(count <= taken.before + 1 for count in taken.overtaken_by.values()), taken
        for item in self.waiting:
            if item.workshop != taken.workshop:
                item.overtaken_by[taken.workshop] += 1

    @precondition(lambda self: not self.waiting)
    @rule()
    def take_from_empty(self) -> None:
        try:
            self.queue.popleft()
        except IndexError:
            return
        raise AssertionError("an item that nobody appended")

    @invariant()
    def nobody_is_passed_over(self) -> None:
        assert all(count <= item.before + 1 for item in self.waiting for count in item.overtaken_by.values())

    def teardown(self) -> None:
        while self.waiting:
            self.take()
        self.take_from_empty()


def test_turns() -> None:
    run_state_machine_as_test(Turns, settings=settings(max_examples=60, stateful_step_count=30))


def _run_queued(batch: int) -> list[str]:
    """Queue 50 units of `busy`, one of two others, one with priority; return whose units were done, in order."""
    queue = WorkQueue("search", "test", PATIENCE)
    done: list[str] = []
    is_queued = threading.Event()

    def serve() -> None:
        is_queued.wait(PATIENCE)
        closed = False
        while not closed:
            works, closed = queue.take_batch(batch)
            for work in works:
                assert work.workshop is not None
                done.append(work.workshop)
                work.loop.call_soon_threadsafe(work.future.set_result, None)

    async def queue_all() -> None:
        queue.start_thread(serve)
        busy = [asyncio.ensure_future(queue.run(_nothing, workshop="busy")) for _ in range(50)]
        others = [asyncio.ensure_future(queue.run(_nothing, workshop=name)) for name in ("one", "other")]
        await asyncio.sleep(0)  # they queue their units
        has_priority.set(True)
        urgent = asyncio.ensure_future(queue.run(_nothing, workshop="urgent"))
        await asyncio.sleep(0)
        is_queued.set()
        await asyncio.gather(*busy, *others, urgent)
        queue.close()
        await queue.join(queue.join_deadline)

    asyncio.run(queue_all())
    return done


def _nothing(_: Transaction) -> None:
    pass


def test_a_workshop_with_much_work_does_not_hold_up_others() -> None:
    """Units one by one and in batches; work with priority still comes first."""
    for batch in (1, 8):
        done = _run_queued(batch)
        assert done[:4] == ["urgent", "busy", "one", "other"]
        assert done[4:] == ["busy"] * 49
