"""What a person wrote and took back while a save was on its way is nobody's wish any more: it does not come back."""

from __future__ import annotations

from pathlib import Path

from planso_connector.domain.operation import Action, Operation
from planso_connector.sandbox import Sandbox
from tests.test_outbox_laws import Process
from tests.test_put_back import AFTER_ITS_DEATH, EXPRESS, PERSON, confirmed, saves, shown, until


def test_what_was_taken_back_while_a_save_never_came_stays_so(sqlite_path: Path) -> None:
    """The save never lands; meanwhile somebody writes something, is seen, and takes it away again."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]
    sandbox.edit(order, EXPRESS, "")

    async def story(url: str) -> Operation:
        async with Process(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            await process.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.fail_saves_next = 1
            await process.record(Operation("op_t", Action.UPDATE, order, {"person": "Wilma"}))
            await until("the save", lambda: saves(sandbox) == 1)
            await shown(process, sandbox, order, "erst")
            sandbox.edit(order, EXPRESS, "")
            return await process.settled("op_t")

    confirmed(sandbox, story)
    assert (sandbox.value(order, PERSON), sandbox.value(order, EXPRESS)) == ("Wilma", "")


def test_what_was_taken_back_after_a_save_stays_so(sqlite_path: Path) -> None:
    """The save landed, its answer hangs; somebody writes something, is seen with what was asked, takes it away."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]
    sandbox.edit(order, EXPRESS, "")

    async def story(url: str) -> Operation:
        async with Process(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            await process.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "hang", 1
            await process.record(Operation("op_t", Action.UPDATE, order, {"person": "Wilma"}))
            await until("the save", lambda: saves(sandbox) == 1)
            await shown(process, sandbox, order, "erst")
            sandbox.edit(order, EXPRESS, "")
            return await process.settled("op_t")

    confirmed(sandbox, story)
    assert (sandbox.value(order, PERSON), sandbox.value(order, EXPRESS)) == ("Wilma", "")


def test_what_was_taken_back_after_the_save_of_a_dead_process_stays_so(sqlite_path: Path) -> None:
    """As before; the process does not live to hear of its save, and the next one takes over."""
    sandbox = Sandbox(orders=4)
    order = sandbox.order_ids()[0]
    sandbox.edit(order, EXPRESS, "")

    async def story(url: str) -> Operation:
        database = f"sqlite:///{sqlite_path}"
        async with Process(sandbox, url, database) as first:
            await first.reader.read_unlisted(order)
            sandbox.forget_requests()
            sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "hang", 1
            await first.record(Operation("op_t", Action.UPDATE, order, {"person": "Wilma"}))
            await until("the save", lambda: saves(sandbox) == 1)
            await shown(first, sandbox, order, "erst")
            sandbox.edit(order, EXPRESS, "")
            async with Process(sandbox, url, database, AFTER_ITS_DEATH) as second:
                return await second.settled("op_t")

    confirmed(sandbox, story)
    assert (sandbox.value(order, PERSON), sandbox.value(order, EXPRESS)) == ("Wilma", "")
