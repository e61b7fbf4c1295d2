"""The clock is set while a sent request is unanswered: nobody waits for days, nothing is created twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.sandbox import Sandbox
from planso_connector.store import orders
from planso_connector.store.orders import StoredOrder
from tests.flows.writing.outbox_process import NEW_CREATE, OutboxProcess, count_saves, run_until_confirmed
from tests.service import wait_until_async

DAYS = timedelta(days=2)


def test_what_was_sent_and_never_came_is_sent_again(sqlite_path: Path) -> None:
    """After its time to land, not when the clock has come where it was; PlanSo is not asked without end meanwhile."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]

    async def story(url: str) -> Operation:
        async with OutboxProcess(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            await process.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.fail_saves_next = 1
            await process.record(Operation("op_back", Action.UPDATE, order, {"person": "Wilma"}))
            await wait_until_async(lambda: count_saves(sandbox) == 1, "the save")
            process.ahead = -DAYS
            return await process.wait_until_settled("op_back")

    with sandbox.serve() as url:
        ended = asyncio.run(story(url))
    assert (ended.state, sandbox.value(order, "Fahrername")) == (OperationState.CONFIRMED, "Wilma")


def test_a_create_whose_answer_is_lost_is_not_made_twice(sqlite_path: Path) -> None:
    """The clock is set back, and the mirror has the order before it is searched for."""
    sandbox = Sandbox(orders=4)
    before = set(sandbox.order_ids())

    async def story(url: str) -> Operation:
        async with OutboxProcess(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            for order in before:
                await process.reader.read_unlisted(order)
            sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "hang", 1
            await process.record(NEW_CREATE)
            await wait_until_async(lambda: set(sandbox.order_ids()) - before, "the order")
            process.ahead = -DAYS
            await process.reader.read_unlisted((set(sandbox.order_ids()) - before).pop())
            return await process.wait_until_settled(NEW_CREATE.id)

    with sandbox.serve() as url:
        ended = asyncio.run(story(url))
    assert ended.state in (OperationState.CONFIRMED, OperationState.CONFLICT)
    assert len(set(sandbox.order_ids()) - before) == 1


@pytest.mark.parametrize("jump", [timedelta(seconds=50), DAYS], ids=["50 s", "2 days"])
def test_a_jump_ahead_is_no_time_in_which_a_create_lands(sqlite_path: Path, jump: timedelta) -> None:
    """Its answer is given up, the clock jumps ahead, and then PlanSo makes the order."""
    sandbox = Sandbox(orders=4)
    before = set(sandbox.order_ids())

    async def story(url: str) -> Operation:
        async with OutboxProcess(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            sandbox.knobs.save_latency = 1.7
            await process.record(NEW_CREATE)
            await wait_until_async(lambda: sandbox.in_flight > 0 and len(sandbox.requests) > 2, "the mark")
            process.ahead = jump
            return await process.wait_until_settled(NEW_CREATE.id)

    run_until_confirmed(sandbox, story)
    assert len(set(sandbox.order_ids()) - before) == 1


def test_what_was_deleted_after_it_was_set_back_is_gone(sqlite_path: Path) -> None:
    """Also where the order was read by the clock that was ahead."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]

    async def story(url: str) -> tuple[Operation, StoredOrder | None]:
        async with OutboxProcess(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            await process.reader.read_unlisted(order)
            process.ahead = -DAYS
            await process.record(Operation("op_gone", Action.DELETE, order, {}))
            ended = await process.wait_until_settled("op_gone")
            return ended, await process.database.read(lambda tx: orders.get(tx, order))

    with sandbox.serve() as url:
        ended, stored = asyncio.run(story(url))
    assert ended.state is OperationState.CONFIRMED
    assert stored is not None
    assert stored.deleted_at is not None
