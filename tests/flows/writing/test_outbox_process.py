"""The outbox of one process: expired leases, bugs, cancellation, a database that goes away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from planso_connector.domain import clock
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.flows.syncing.pacing import ORDER_INTERVAL
from planso_connector.flows.writing.write import WriteService
from planso_connector.flows.writing.write_request import WriteRequest
from planso_connector.sandbox import Sandbox
from planso_connector.store import operations
from planso_connector.store.engine.database import Database
from tests.flows.writing.outbox_process import NEW_CREATE, OutboxProcess
from tests.service import PATIENCE, running_on_sqlite


@pytest.fixture
def planso() -> Any:
    sandbox = Sandbox(orders=4)
    with sandbox.serve() as url:
        yield sandbox, url


def test_an_attempt_that_outlived_its_lease_reverts_nothing(sqlite_path: Path, planso: tuple[Sandbox, str]) -> None:
    """
    The process is suspended while PlanSo hangs, and claims its own operation anew: the end of the old attempt does not
    revert what the new one sent. The order is created once.
    """
    sandbox, url = planso

    async def story() -> Operation:
        async with OutboxProcess(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            sandbox.knobs.hang_next = 1
            sandbox.knobs.lose_answers_by, sandbox.knobs.lose_answers_next = "hang", 1
            await process.record(NEW_CREATE)
            await process.wait_for_requests(1)
            process.ahead = timedelta(seconds=11)
            process.outbox.wake()
            return await process.wait_until_settled("op_new")

    ended = asyncio.run(story())
    made = [one for one in sandbox.order_ids() if sandbox.value(one, "Fahrername") == "Nur Einmal"]
    assert made == [ended.order_id]
    assert ended.state is OperationState.CONFIRMED


def test_pushes_yield_to_reads(sqlite_path: Path, planso: tuple[Sandbox, str]) -> None:
    """While somebody reads, writes of different orders begin one by one, and all are carried through."""
    sandbox, url = planso
    orders = sandbox.order_ids()[:3]

    async def story() -> None:
        async with OutboxProcess(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            await process.planso.log_in()
            process.way.record_request()
            for order_id in orders:
                await process.record(replace(NEW_CREATE, id=f"op_{order_id}", action=Action.UPDATE, order_id=order_id))
            for order_id in orders:
                assert (await process.wait_until_settled(f"op_{order_id}")).state is OperationState.CONFIRMED

    asyncio.run(story())
    begun = sorted(
        min(request.started for request in sandbox.requests if request.order_id == order_id) for order_id in orders
    )
    assert all(later - sooner > ORDER_INTERVAL / 2 for sooner, later in pairwise(begun))


def test_a_write_that_raises_a_bug_is_tried_until_its_deadline(sqlite_path: Path, planso: tuple[Sandbox, str]) -> None:
    """
    A write that raises an unexpected exception at each attempt is tried until its deadline, sent or not; others go on.
    """
    sandbox, url = planso
    first, second, third, *_ = sandbox.order_ids()
    poison = Operation("op_poison", Action.UPDATE, first, {"no.such": "field"})

    async def story() -> list[Operation]:
        async with OutboxProcess(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            soon = clock.format_instant(process.clock() + timedelta(seconds=0.3))
            await process.record(replace(poison, deadline_at=soon, sent_at=clock.format_instant(process.clock())))
            await process.record(replace(poison, id="op_unsent", order_id=second, deadline_at=soon))
            await process.record(replace(NEW_CREATE, id="op_good", action=Action.UPDATE, order_id=third))
            return [await process.wait_until_settled(name) for name in ("op_good", "op_unsent", "op_poison")]

    good, unsent, sent = asyncio.run(story())
    assert (good.state, unsent.state, sent.state) == (
        OperationState.CONFIRMED,
        OperationState.EXPIRED,
        OperationState.EXPIRED,
    )


def test_the_claim_loop_can_be_cancelled_in_the_moment_it_is_woken(
    sqlite_path: Path, planso: tuple[Sandbox, str]
) -> None:
    """Cancelled in the moment in which it is woken, it ends: a missed cancellation would block the shutdown."""
    sandbox, url = planso

    async def story() -> None:
        async with OutboxProcess(sandbox, url, f"sqlite:///{sqlite_path}") as process:
            for _ in range(3):
                running = asyncio.create_task(process.worker.run_claim_loop())
                await asyncio.sleep(0.05)
                process.outbox.wake()
                running.cancel()
                _, late = await asyncio.wait({running}, timeout=5)
                assert not late

    asyncio.run(story())


def test_a_recorded_write_is_answered_though_the_database_goes_away(
    sqlite_path: Path, planso: tuple[Sandbox, str]
) -> None:
    """The database goes away while the caller waits: it gets the recorded operation, and no error."""
    sandbox, url = planso
    sandbox.knobs.hang_next = 9
    address = f"sqlite:///{sqlite_path}"

    async def story() -> Operation:
        async with OutboxProcess(sandbox, url, address) as process:
            wait = {"wait": PATIENCE, "deadline": timedelta(hours=1), "max_pending": 10}
            writer = WriteService(
                process.database,
                process.planso,
                process.outbox,
                clock=process.clock,
                **wait,  # type: ignore[arg-type]
            )
            asked = asyncio.create_task(writer.update(sandbox.order_ids()[0], {"person": "Wartet"}, WriteRequest()))
            await process.wait_for_requests(1)
            await process.database.close()
            return (await asked).operation

    async def kept(operation_id: str) -> Operation | None:
        database = Database.open(address).for_workshop("shop")
        try:
            return await database.read(lambda tx: operations.get(tx, operation_id))
        finally:
            await database.close()

    answered = asyncio.run(story())
    assert answered.state is OperationState.PENDING
    found = asyncio.run(kept(answered.id))
    assert found is not None
    assert found.requested == {"person": "Wartet"}


def test_the_history_names_people_for_their_own_edits(tmp_path: Path) -> None:
    """
    A write that finds its values in PlanSo already sends nothing, and the history names the person, although the mirror
    gets the values by this write. What the write sent is the connector's change, other changes are the person's.
    """
    with running_on_sqlite(tmp_path, Sandbox(orders=4)) as service:
        order_id = service.sandbox.order_ids()[0]
        service.sandbox.edit_field(order_id, "Fahrername", "Von Hand")
        answer = service.put(order_id, person="Von Hand")
        assert answer.status_code == 200
        service.sandbox.edit_field(order_id, "Bemerkungen", "Auch von Hand")
        sent = service.put(order_id, person="Vom Connector")
        assert sent.status_code == 200
        entries = service.http.get(f"/api/orders/{order_id}/history").json()["history"]
        writer_of = {
            (change["field"], change["after"]): entry["operation_id"]
            for entry in entries
            for change in entry["changes"]
        }
        assert writer_of["person", "Von Hand"] is None
        assert writer_of["remarks", "Auch von Hand"] is None
        assert writer_of["person", "Vom Connector"] == sent.headers["Operation-Id"]
