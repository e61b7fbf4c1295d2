"""
What a save wrote over: an edit that somebody made in PlanSo, and that was seen before the save took effect, is reported
with what it was; it is not written again, and what nobody overwrote is not reported.
"""

from __future__ import annotations

import asyncio
import threading
import time
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
from tests.flows.writing.outbox_process import NEW_CREATE, PATIENCE, OutboxProcess

PERSON, EXPRESS = "Fahrername", "ExpressLink"
AFTER_ITS_DEATH = timedelta(seconds=30)
"""So far ahead is the clock of the process that takes over: the dead one's lease is over, and what it sent."""


async def until(what: str, condition: Callable[[], object]) -> None:
    by = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < by, f"waited in vain for {what}"
        await asyncio.sleep(0.005)


def confirmed(sandbox: Sandbox, story: Callable[[str], Coroutine[Any, Any, Operation]]) -> Operation:
    """The story is told with PlanSo at the address that it is given; the operation that it ends with is confirmed."""
    with sandbox.serve() as url:
        ended = asyncio.run(story(url))
    assert ended.state is OperationState.CONFIRMED
    return ended


def saves(sandbox: Sandbox) -> int:
    return sum(request.saving for request in sandbox.requests)


def readings(sandbox: Sandbox) -> int:
    return sum(request.submode == "update" and not request.saving for request in sandbox.requests)


async def mirrored(process: OutboxProcess, order: int, express: str) -> None:
    """Until the mirror has it."""
    by = time.monotonic() + PATIENCE
    while (known := await process.reader.load_mirrored(order)) is None or known.values.get("express_link") != express:
        assert time.monotonic() < by, f"waited in vain for {express}"
        await asyncio.sleep(0.005)


async def save_under_way(sandbox: Sandbox, after: int = 0) -> None:
    """Two readings more than so many are answered, and what is asked now is the save."""
    await until("two readings", lambda: readings(sandbox) >= after + 2)
    await until("the save to begin", lambda: sandbox.in_flight > 0)


async def shown(process: OutboxProcess, sandbox: Sandbox, order: int, express: str) -> None:
    """Somebody edits the order, and the connector is shown it."""
    sandbox.edit_field(order, EXPRESS, express)
    with urgent_requests():  # as all that a caller asks for now
        await process.reader.read_unlisted(order)


def overwritten(operation: Operation) -> list[tuple[str, str, str]]:
    """Label, theirs, now."""
    found = [one for one in operation.differences or () if one["verdict"] == "overwritten"]
    return [(one["label"], one["shown_before"], one["shown_after"]) for one in found]


Story = Callable[[Sandbox, str, AsyncExitStack, str], Coroutine[Any, Any, Operation]]
LATE = Operation("op_late", Action.UPDATE, None, {"person": "Wilma Spät"})


def played(sqlite_path: Path, story: Story) -> tuple[Operation, Sandbox]:
    """A story of one write to the first order, whose ExpressLink is `alt` at first; it ends confirmed."""
    sandbox = Sandbox(orders=4)
    sandbox.edit_field(sandbox.order_ids()[0], EXPRESS, "alt")
    with sandbox.serve() as url:

        async def whole() -> Operation:
            async with AsyncExitStack() as stack:
                return await story(sandbox, url, stack, f"sqlite:///{sqlite_path}")

        ended = asyncio.run(whole())
    assert (ended.state, sandbox.value(sandbox.order_ids()[0], PERSON)) == (OperationState.CONFIRMED, "Wilma Spät")
    return ended, sandbox


async def begun(sandbox: Sandbox, url: str, stack: AsyncExitStack, database: str) -> tuple[OutboxProcess, int]:
    """A process whose mirror has the order, about to write to it."""
    process = await stack.enter_async_context(OutboxProcess(sandbox, url, database))
    order = sandbox.order_ids()[0]
    await process.reader.read_unlisted(order)
    sandbox.forget_requests()
    return process, order


def test_an_edit_that_another_process_saw_while_the_save_was_on_its_way_is_reported(sqlite_path: Path) -> None:
    """The save takes effect over it. It is named with what it was, and nothing is saved a second time."""

    async def story(sandbox: Sandbox, url: str, stack: AsyncExitStack, database: str) -> Operation:
        process, order = await begun(sandbox, url, stack, database)
        other = await stack.enter_async_context(OutboxProcess(sandbox, url, database))
        sandbox.knobs.save_latency = 0.5
        await process.record(replace(LATE, order_id=order))
        await save_under_way(sandbox)
        await shown(other, sandbox, order, "von Hand")
        return await process.settled(LATE.id)

    ended, sandbox = played(sqlite_path, story)
    assert overwritten(ended) == [(EXPRESS, "von Hand", "alt")]
    assert (sandbox.value(sandbox.order_ids()[0], EXPRESS), saves(sandbox)) == ("alt", 1)


def test_the_process_that_takes_over_reports_it_too(sqlite_path: Path) -> None:
    """Who sent the save does not live to see what it wrote over; an edit was seen in time by another process."""

    async def story(sandbox: Sandbox, url: str, stack: AsyncExitStack, database: str) -> Operation:
        process, order = await begun(sandbox, url, stack, database)
        other = await stack.enter_async_context(OutboxProcess(sandbox, url, database))
        sandbox.knobs.save_latency = 0.5
        sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "hang", 1
        await process.record(replace(LATE, order_id=order))
        await save_under_way(sandbox)
        await shown(other, sandbox, order, "von Hand")
        await until("the save", lambda: saves(sandbox) == 1)
        heir = await stack.enter_async_context(OutboxProcess(sandbox, url, database, AFTER_ITS_DEATH))
        return await heir.settled(LATE.id)

    ended, _ = played(sqlite_path, story)
    assert overwritten(ended) == [(EXPRESS, "von Hand", "alt")]


def test_what_a_save_did_not_overwrite_is_not_reported(sqlite_path: Path) -> None:
    """The first save never lands, an edit is seen and stays: the second save sends it along."""

    async def story(sandbox: Sandbox, url: str, stack: AsyncExitStack, database: str) -> Operation:
        process, order = await begun(sandbox, url, stack, database)
        sandbox.knobs.save_latency, sandbox.knobs.fail_saves_next = 0.3, 1
        await process.record(replace(LATE, order_id=order))
        await save_under_way(sandbox)
        sandbox.edit_field(order, EXPRESS, "von Hand")
        await mirrored(process, order, "von Hand")
        return await process.settled(LATE.id)

    ended, sandbox = played(sqlite_path, story)
    assert overwritten(ended) == []
    assert sandbox.value(sandbox.order_ids()[0], EXPRESS) == "von Hand"


def test_what_a_person_took_back_after_the_save_is_not_reported(sqlite_path: Path) -> None:
    """The save landed, its answer hangs; somebody writes something, is seen with what was asked, takes it away."""

    async def story(sandbox: Sandbox, url: str, stack: AsyncExitStack, database: str) -> Operation:
        process, order = await begun(sandbox, url, stack, database)
        other = await stack.enter_async_context(OutboxProcess(sandbox, url, database))
        sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "hang", 1
        await process.record(replace(LATE, order_id=order))
        await until("the save", lambda: saves(sandbox) == 1)
        await shown(other, sandbox, order, "von Hand")
        sandbox.edit_field(order, EXPRESS, "alt")
        return await process.settled(LATE.id)

    ended, _ = played(sqlite_path, story)
    assert overwritten(ended) == []


def test_a_save_counts_from_when_it_was_sent(sqlite_path: Path) -> None:
    """Also where its mark waited for the database: how long it may land yet must not begin before it is sent."""
    sandbox = Sandbox(orders=4)
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    async def story(url: str) -> tuple[datetime, Operation]:
        async with OutboxProcess(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            sandbox.knobs.latency, sandbox.knobs.save_latency = 0.3, 0.3
            await process.record(NEW_CREATE)
            await process.asked(1)
            held = asyncio.create_task(process.database.write(hold))
            await until("the database to be busy", begun.is_set)
            await until("the mark", lambda: process.database.queue_lengths["write"] > 0)
            process.ahead = timedelta(seconds=5)
            released = process.clock()
            go_on.set()
            await held
            await until("the save", lambda: saves(sandbox) == 1)
            return released, await process.settled(NEW_CREATE.id)

    with sandbox.serve() as url:
        released, ended = asyncio.run(story(url))
    assert ended.sent_at is not None
    assert parse_instant(ended.sent_at) >= released
