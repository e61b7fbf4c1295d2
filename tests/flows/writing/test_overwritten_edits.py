"""
An edit in PlanSo that was seen before a save overwrote it is reported with its value, and not written again; an edit
that was not overwritten is not reported.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from planso_connector.domain.clock import parse_instant
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.sandbox import Sandbox
from planso_connector.store.engine.database import Transaction
from tests.flows.writing.outbox_process import NEW_CREATE, OutboxProcess, count_saves
from tests.service import PATIENCE, wait_until_async

PERSON, EXPRESS = "Fahrername", "ExpressLink"
AFTER_ITS_DEATH = timedelta(seconds=30)
"""So far ahead is the clock of the process that takes over: the dead one's lease is over, and what it sent."""


def count_readings(sandbox: Sandbox) -> int:
    return sum(request.submode == "update" and not request.saving for request in sandbox.requests)


async def wait_until_mirrored(process: OutboxProcess, order: int, express: str) -> None:
    """Wait until the mirror has the value."""
    async with asyncio.timeout(PATIENCE):
        while True:
            mirrored = await process.reader.load_mirrored(order)
            if mirrored is not None and mirrored.values.get("express_link") == express:
                return
            await asyncio.sleep(0.005)


async def wait_for_save(sandbox: Sandbox, after: int = 0) -> None:
    """Wait until, after so many readings, two more were answered and the save has begun."""
    await wait_until_async(lambda: count_readings(sandbox) >= after + 2, "two readings")
    await wait_until_async(lambda: sandbox.in_flight > 0, "the save to begin")


async def edit_and_read(process: OutboxProcess, sandbox: Sandbox, order: int, express: str) -> None:
    """Edit the order in PlanSo, and let the process read it."""
    sandbox.edit_field(order, EXPRESS, express)
    with urgent_requests():  # as all that a caller asks for now
        await process.reader.read_unlisted(order)


def list_overwritten(operation: Operation) -> list[tuple[str, str, str]]:
    """Label, their value, value now."""
    found = [one for one in operation.differences or () if one["verdict"] == "overwritten"]
    return [(one["label"], one["shown_before"], one["shown_after"]) for one in found]


Story = Callable[[Sandbox, str, AsyncExitStack, str], Coroutine[Any, Any, Operation]]
LATE = Operation("op_late", Action.UPDATE, None, {"person": "Wilma Spät"})


def play(sqlite_path: Path, story: Story) -> tuple[Operation, Sandbox]:
    """Run a story of one write to the first order, whose ExpressLink is `alt` at first; it must end confirmed."""
    sandbox = Sandbox(orders=4)
    sandbox.edit_field(sandbox.order_ids()[0], EXPRESS, "alt")
    with sandbox.serve() as url:

        async def whole() -> Operation:
            async with AsyncExitStack() as stack:
                return await story(sandbox, url, stack, f"sqlite:///{sqlite_path}")

        ended = asyncio.run(whole())
    assert (ended.state, sandbox.value(sandbox.order_ids()[0], PERSON)) == (OperationState.CONFIRMED, "Wilma Spät")
    return ended, sandbox


async def start_process(sandbox: Sandbox, url: str, stack: AsyncExitStack, database: str) -> tuple[OutboxProcess, int]:
    """A process whose mirror has the first order, and that order."""
    process = await stack.enter_async_context(OutboxProcess(sandbox, url, database))
    order = sandbox.order_ids()[0]
    await process.reader.read_unlisted(order)
    sandbox.forget_requests()
    return process, order


def test_an_edit_that_another_process_saw_while_the_save_was_on_its_way_is_reported(sqlite_path: Path) -> None:
    """The save overwrites the edit, which is reported with its value; nothing is saved a second time."""

    async def story(sandbox: Sandbox, url: str, stack: AsyncExitStack, database: str) -> Operation:
        process, order = await start_process(sandbox, url, stack, database)
        other = await stack.enter_async_context(OutboxProcess(sandbox, url, database))
        sandbox.knobs.save_latency = 0.5
        await process.record(replace(LATE, order_id=order))
        await wait_for_save(sandbox)
        await edit_and_read(other, sandbox, order, "von Hand")
        return await process.wait_until_settled(LATE.id)

    ended, sandbox = play(sqlite_path, story)
    assert list_overwritten(ended) == [(EXPRESS, "von Hand", "alt")]
    assert (sandbox.value(sandbox.order_ids()[0], EXPRESS), count_saves(sandbox)) == ("alt", 1)


def test_the_process_that_takes_over_reports_it_too(sqlite_path: Path) -> None:
    """The process that sent the save dies before it took effect; another process saw the edit in time."""

    async def story(sandbox: Sandbox, url: str, stack: AsyncExitStack, database: str) -> Operation:
        process, order = await start_process(sandbox, url, stack, database)
        other = await stack.enter_async_context(OutboxProcess(sandbox, url, database))
        sandbox.knobs.save_latency = 0.5
        sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "hang", 1
        await process.record(replace(LATE, order_id=order))
        await wait_for_save(sandbox)
        await edit_and_read(other, sandbox, order, "von Hand")
        await wait_until_async(lambda: count_saves(sandbox) == 1, "the save")
        heir = await stack.enter_async_context(OutboxProcess(sandbox, url, database, AFTER_ITS_DEATH))
        return await heir.wait_until_settled(LATE.id)

    ended, _ = play(sqlite_path, story)
    assert list_overwritten(ended) == [(EXPRESS, "von Hand", "alt")]


def test_what_a_save_did_not_overwrite_is_not_reported(sqlite_path: Path) -> None:
    """The first save never takes effect and an edit is seen: the second save sends it along."""

    async def story(sandbox: Sandbox, url: str, stack: AsyncExitStack, database: str) -> Operation:
        process, order = await start_process(sandbox, url, stack, database)
        sandbox.knobs.save_latency, sandbox.knobs.fail_saves_next = 0.3, 1
        await process.record(replace(LATE, order_id=order))
        await wait_for_save(sandbox)
        sandbox.edit_field(order, EXPRESS, "von Hand")
        await wait_until_mirrored(process, order, "von Hand")
        return await process.wait_until_settled(LATE.id)

    ended, sandbox = play(sqlite_path, story)
    assert list_overwritten(ended) == []
    assert sandbox.value(sandbox.order_ids()[0], EXPRESS) == "von Hand"


def test_what_a_person_took_back_after_the_save_is_not_reported(sqlite_path: Path) -> None:
    """The save took effect, its response hangs; somebody edits the order, is seen, and takes the edit back."""

    async def story(sandbox: Sandbox, url: str, stack: AsyncExitStack, database: str) -> Operation:
        process, order = await start_process(sandbox, url, stack, database)
        other = await stack.enter_async_context(OutboxProcess(sandbox, url, database))
        sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "hang", 1
        await process.record(replace(LATE, order_id=order))
        await wait_until_async(lambda: count_saves(sandbox) == 1, "the save")
        await edit_and_read(other, sandbox, order, "von Hand")
        sandbox.edit_field(order, EXPRESS, "alt")
        return await process.wait_until_settled(LATE.id)

    ended, _ = play(sqlite_path, story)
    assert list_overwritten(ended) == []


def test_a_save_counts_from_when_it_was_sent(sqlite_path: Path) -> None:
    """Also where its mark waited for the database: the time in which it may take effect begins when it is sent."""
    sandbox = Sandbox(orders=4)
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    async def story(url: str) -> tuple[datetime, Operation]:
        async with OutboxProcess(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            sandbox.knobs.latency, sandbox.knobs.save_latency = 0.3, 0.3
            await process.record(NEW_CREATE)
            await process.wait_for_requests(1)
            held = asyncio.create_task(process.database.write(hold))
            await wait_until_async(begun.is_set, "the database to be busy")
            await wait_until_async(lambda: process.database.queue_lengths["write"] > 0, "the mark")
            process.ahead = timedelta(seconds=5)
            released = process.clock()
            go_on.set()
            await held
            await wait_until_async(lambda: count_saves(sandbox) == 1, "the save")
            return released, await process.wait_until_settled(NEW_CREATE.id)

    with sandbox.serve() as url:
        released, ended = asyncio.run(story(url))
    assert ended.sent_at is not None
    assert parse_instant(ended.sent_at) >= released
