"""What a save undid by coming late, and what it did not: of the values that were seen, only a later one comes back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from planso_connector.domain.clock import parse_stamp, stamp
from planso_connector.domain.operation import Action, Operation, State
from planso_connector.domain.order import Order
from planso_connector.flows.reading import EmptyForm
from planso_connector.planso.throttle import urgent
from planso_connector.sandbox import Sandbox
from planso_connector.store.engine import Transaction
from tests.test_outbox_laws import NEW, PATIENCE, Process

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
    assert ended.state is State.CONFIRMED
    return ended


def saves(sandbox: Sandbox) -> int:
    return sum(request.saving for request in sandbox.requests)


def readings(sandbox: Sandbox) -> int:
    return sum(request.submode == "update" and not request.saving for request in sandbox.requests)


async def mirrored(process: Process, order: int, express: str) -> None:
    """Until the mirror has it."""
    by = time.monotonic() + PATIENCE
    while (known := await process.reader.known(order)) is None or known.values.get("express_link") != express:
        assert time.monotonic() < by, f"waited in vain for {express}"
        await asyncio.sleep(0.005)


async def save_under_way(sandbox: Sandbox, after: int = 0) -> None:
    """Two readings more than so many are answered, and what is asked now is the save."""
    await until("two readings", lambda: readings(sandbox) >= after + 2)
    await until("the save to begin", lambda: sandbox.in_flight > 0)


async def shown(process: Process, sandbox: Sandbox, order: int, express: str) -> int:
    """Somebody edits the order, and the connector is shown it. How many readings there were by then."""
    sandbox.edit(order, EXPRESS, express)
    with urgent():  # as all that a caller asks for now
        await process.reader.read_unlisted(order)
    return readings(sandbox)


def test_what_was_seen_before_a_save_does_not_come_back(sqlite_path: Path) -> None:
    """
    The first save never lands, and an edit is seen; then that is edited again, and saved along by the second save,
    of whose end the process does not live to hear: what it holds is the later edit, and it undid none.
    """
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]

    async def story(url: str) -> Operation:
        database = f"sqlite:///{sqlite_path}"
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(Process(sandbox, url, database))
            await first.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.save_latency, sandbox.knobs.fail_saves_next = 0.3, 1
            await first.record(Operation("op_late", Action.UPDATE, order, {"person": "Wilma Spät"}))
            await save_under_way(sandbox)
            sandbox.edit(order, EXPRESS, "erst")
            await mirrored(first, order, "erst")
            sandbox.edit(order, EXPRESS, "dann")
            sandbox.knobs.save_latency = 0.0
            sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "hang", 1
            await until("the second save", lambda: saves(sandbox) == 2)
            second = await stack.enter_async_context(Process(sandbox, url, database, AFTER_ITS_DEATH))
            return await second.settled("op_late")

    confirmed(sandbox, story)
    assert (sandbox.value(order, PERSON), sandbox.value(order, EXPRESS)) == ("Wilma Spät", "dann")


def test_what_is_put_back_late_undoes_no_later_edit(sqlite_path: Path) -> None:
    """
    Who sent the first save does not live to see that it undid an edit, nor who puts that back that his save undid
    another one: each was seen, and the last one is there.
    """
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]

    async def story(url: str) -> Operation:
        database = f"sqlite:///{sqlite_path}"
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(Process(sandbox, url, database))
            await first.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.save_latency = 0.4
            sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "hang", 2
            await first.record(Operation("op_late", Action.UPDATE, order, {"person": "Wilma Spät"}))
            await save_under_way(sandbox)
            before = await shown(first, sandbox, order, "erst")
            await until("the first save", lambda: saves(sandbox) == 1)
            second = await stack.enter_async_context(Process(sandbox, url, database, AFTER_ITS_DEATH))
            await save_under_way(sandbox, before)
            await shown(second, sandbox, order, "dann")
            await until("the second save", lambda: saves(sandbox) == 2)
            third = await stack.enter_async_context(Process(sandbox, url, database, 2 * AFTER_ITS_DEATH))
            return await third.settled("op_late")

    confirmed(sandbox, story)
    assert (sandbox.value(order, PERSON), sandbox.value(order, EXPRESS)) == ("Wilma Spät", "dann")


def test_what_was_edited_anew_is_not_put_back(sqlite_path: Path) -> None:
    """A save undid an edit that was seen; before the one that puts it back, the second person wrote something else."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]

    async def story(url: str) -> Operation:
        database = f"sqlite:///{sqlite_path}"
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(Process(sandbox, url, database))
            await first.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.save_latency = 0.4
            sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "hang", 1
            await first.record(Operation("op_late", Action.UPDATE, order, {"person": "Wilma Spät"}))
            await save_under_way(sandbox)
            await shown(first, sandbox, order, "erst")
            sandbox.knobs.edit_after_next_read = [(order, EXPRESS, "neu")]
            await until("the first save", lambda: saves(sandbox) == 1)
            second = await stack.enter_async_context(Process(sandbox, url, database, AFTER_ITS_DEATH))
            return await second.settled("op_late")

    confirmed(sandbox, story)
    assert (sandbox.value(order, PERSON), sandbox.value(order, EXPRESS)) == ("Wilma Spät", "neu")


def test_what_somebody_was_shown_while_a_save_was_on_its_way_is_put_back(sqlite_path: Path) -> None:
    """All is in time and nothing fails; the save undoes an edit, and the one that puts it back another one."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]

    async def story(url: str) -> Operation:
        async with Process(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            await process.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.save_latency = 0.4
            await process.record(Operation("op_in_time", Action.UPDATE, order, {"person": "Wilma"}))
            await save_under_way(sandbox)
            before = await shown(process, sandbox, order, "erst")
            await until("the first save", lambda: saves(sandbox) == 1)
            await save_under_way(sandbox, before)  # read back, and read again
            await shown(process, sandbox, order, "dann")
            return await process.settled("op_in_time")

    ended = confirmed(sandbox, story)
    assert (sandbox.value(order, PERSON), sandbox.value(order, EXPRESS)) == ("Wilma", "dann")
    assert "express_link" in ended.message


def test_what_could_not_be_put_back_is_put_back_later(sqlite_path: Path) -> None:
    """A save undoes an edit that somebody was shown, and PlanSo fails as that is to be put back: it is tried again."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]

    async def story(url: str) -> Operation:
        async with Process(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            await process.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.save_latency = 0.4
            await process.record(Operation("op_again", Action.UPDATE, order, {"person": "Wilma"}))
            await save_under_way(sandbox)
            await shown(process, sandbox, order, "von Hand")
            await until("the save", lambda: saves(sandbox) == 1)
            sandbox.knobs.fail_saves_next = 1
            await until("the second save", lambda: saves(sandbox) == 2)
            process.ahead = timedelta(seconds=5)
            return await process.settled("op_again")

    confirmed(sandbox, story)
    assert (sandbox.value(order, PERSON), sandbox.value(order, EXPRESS)) == ("Wilma", "von Hand")


def test_what_a_create_reads_in_its_search_is_known(sqlite_path: Path) -> None:
    """Its answer is lost, and it is searched for among the orders: an edit that shows there is in the mirror."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]

    async def story(url: str) -> tuple[Operation, Order | None]:
        async with Process(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            await process.reader.read_unlisted(order)
            sandbox.edit(order, EXPRESS, "von Hand")
            sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "504", 1
            await process.record(NEW)
            return await process.settled(NEW.id), await process.reader.known(order)

    with sandbox.serve() as url:
        ended, known = asyncio.run(story(url))
    assert ended.state is State.CONFIRMED
    assert known is not None
    assert known.values["express_link"] == "von Hand"


def test_a_save_counts_from_when_it_was_sent(sqlite_path: Path) -> None:
    """Also where its mark waited for the database: how long it may land yet must not begin before it is sent."""
    sandbox = Sandbox(orders=4)
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    async def story(url: str) -> tuple[datetime, Operation]:
        async with Process(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            sandbox.knobs.latency, sandbox.knobs.save_latency = 0.3, 0.3
            await process.record(NEW)
            await process.asked(1)
            held = asyncio.create_task(process.database.write(hold))
            await until("the database to be busy", begun.is_set)
            await until("the mark", lambda: process.database.waiting["write"] > 0)
            process.ahead = timedelta(seconds=5)
            released = process.clock()
            go_on.set()
            await held
            await until("the save", lambda: saves(sandbox) == 1)
            return released, await process.settled(NEW.id)

    with sandbox.serve() as url:
        released, ended = asyncio.run(story(url))
    assert ended.sent_at is not None
    assert parse_stamp(ended.sent_at) >= released


def test_an_emptied_form_is_nobodys_edit(sqlite_path: Path) -> None:
    """PlanSo shows an empty form while a save is on its way: nobody cleared those fields."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]

    async def story(url: str) -> Operation:
        async with Process(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            await process.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.save_latency = 0.4
            await process.record(Operation("op_empty", Action.UPDATE, order, {"person": "Wilma"}))
            await save_under_way(sandbox)
            sandbox.knobs.empty_form_orders = {order}
            with suppress(EmptyForm):
                await process.reader.read_unlisted(order)
            sandbox.knobs.empty_form_orders = set()
            return await process.settled("op_empty")

    sandbox.edit(order, EXPRESS, "bleibt")
    confirmed(sandbox, story)
    assert saves(sandbox) == 1
    assert (sandbox.value(order, PERSON), sandbox.value(order, EXPRESS)) == ("Wilma", "bleibt")


def test_what_could_not_be_put_back_twice_is_put_back_later(sqlite_path: Path) -> None:
    """PlanSo fails as that is to be put back, and again as it is tried again: only what is there is told to be."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]

    async def story(url: str) -> Operation:
        async with Process(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            await process.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.save_latency = 0.4
            await process.record(Operation("op_again", Action.UPDATE, order, {"person": "Wilma"}))
            await save_under_way(sandbox)
            await shown(process, sandbox, order, "von Hand")
            await until("the save", lambda: saves(sandbox) == 1)
            sandbox.knobs.fail_saves_next = 2
            await until("the second save", lambda: saves(sandbox) == 2)
            process.ahead = timedelta(seconds=5)
            await until("the third save", lambda: saves(sandbox) == 3)
            process.ahead = timedelta(seconds=10)
            return await process.settled("op_again")

    confirmed(sandbox, story)
    assert (sandbox.value(order, PERSON), sandbox.value(order, EXPRESS)) == ("Wilma", "von Hand")


def test_what_was_asked_is_confirmed_though_it_is_too_late_to_put_back(sqlite_path: Path) -> None:
    """What was asked is there; of what that undid it is told that it could not be put back until the deadline."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]

    async def story(url: str) -> Operation:
        async with Process(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            await process.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.save_latency = 0.4

            deadline = stamp(process.clock() + timedelta(seconds=50))
            await process.record(Operation("op_again", Action.UPDATE, order, {"person": "Wilma"}, deadline_at=deadline))
            await save_under_way(sandbox)
            await shown(process, sandbox, order, "von Hand")
            await until("the save", lambda: saves(sandbox) == 1)
            sandbox.knobs.fail_saves_next = 100
            await until("the second save", lambda: saves(sandbox) == 2)
            process.ahead = timedelta(seconds=51)
            return await process.settled("op_again")

    ended = confirmed(sandbox, story)
    assert "could not be put back" in ended.message
