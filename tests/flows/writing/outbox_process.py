"""An outbox with its PlanSo client and database, without the rest of a connector."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Self

from planso_connector.domain import clock
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.syncing.pacing import Pacer
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.writing.outbox import Outbox
from planso_connector.flows.writing.push import Pusher
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import Throttle
from planso_connector.planso.profile import Profile
from planso_connector.sandbox import Sandbox
from planso_connector.store import operations
from planso_connector.store.engine.database import Database
from planso_connector.workers.outbox_worker import OutboxWorker
from tests.service import PATIENCE, wait_until_async

NEW_CREATE = Operation("op_new", Action.CREATE, None, {"person": "Nur Einmal", "express_link": "einmal"})


class OutboxProcess:
    """`ahead` sets the process's clock forward."""

    def __init__(self, sandbox: Sandbox, planso: str, database: str, ahead: timedelta = timedelta(0)) -> None:
        self.ahead = ahead
        self.way = Pacer(lambda: 0.0)
        self.sandbox = sandbox
        installation = Database.open(database)
        self.database = installation.for_workshop("shop")
        account = sandbox.installation
        self.planso = PlansoClient(
            planso, account.username, account.password, Profile.load(None), throttle=Throttle(), timeout=1.0
        )
        self.reader = OrderReader(self.database, self.planso, self.clock, parts=False)
        pusher = Pusher(self.database, self.planso, self.reader, self.clock, Random(1))
        self.outbox = Outbox(
            self.database,
            pusher,
            timedelta(seconds=2),
            self.clock,
            wait_limit=WaitLimit(256, "for PlanSo"),
            max_pushes=32,
            pacer=self.way.for_workshop(),
            on_wake=lambda: self.worker.wake("shop"),
        )

        async def find_due() -> list[str]:
            now = clock.format_instant(self.clock())
            return await installation.read(lambda tx: operations.list_due_workshops(tx, now=now))

        async def open_outbox(_: str) -> Outbox:
            return self.outbox

        self.worker = OutboxWorker(find_due, open_outbox, lambda: [self.outbox], self.database.max_wait)

    def clock(self) -> datetime:
        return clock.now() + self.ahead

    async def __aenter__(self) -> Self:
        self._running = {
            asyncio.create_task(self.worker.run_claim_loop()),
            asyncio.create_task(self.worker.run_renewal_loop()),
        }
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.wait(self._running)
        await self.outbox.close()
        await self.planso.aclose()
        await self.database.close()

    async def record(self, operation: Operation) -> None:
        now = self.clock()
        whole = replace(
            operation,
            created_at=clock.format_instant(now),
            next_at=clock.format_instant(now),
            deadline_at=operation.deadline_at or clock.format_instant(now + timedelta(days=1)),
        )
        await self.database.write(lambda tx: operations.record(tx, whole))
        self.outbox.wake()

    async def wait_until_settled(self, operation_id: str) -> Operation:
        recorded = await self.database.read(lambda tx: operations.get(tx, operation_id))
        assert recorded is not None
        found = await self.outbox.wait_until_settled(recorded, PATIENCE, give_up=lambda _: False)
        assert found.state is not OperationState.PENDING, found
        return found

    async def wait_for_requests(self, count: int) -> None:
        """Wait until PlanSo got so many requests."""
        await wait_until_async(lambda: sum(request.m != "app" for request in self.sandbox.requests) >= count)


def run_until_confirmed(sandbox: Sandbox, story: Callable[[str], Coroutine[Any, Any, Operation]]) -> Operation:
    """Run the story with PlanSo's address; the operation that it returns must be confirmed."""
    with sandbox.serve() as url:
        ended = asyncio.run(story(url))
    assert ended.state is OperationState.CONFIRMED
    return ended


def count_saves(sandbox: Sandbox) -> int:
    return sum(request.saving for request in sandbox.requests)
