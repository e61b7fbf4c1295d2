"""
Write: record an operation in one transaction, then have it pushed while the caller waits.

The wait is bounded; when it is over nothing more is sent for this operation, but what was sent is still read back and
settled, so that the history of operations tells the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import ConnectorError, PlansoError, PlansoUnsure
from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Action, Operation, new_id
from planso_connector.domain.plausible import looks_wrong
from planso_connector.flows.push import Pusher
from planso_connector.flows.read_back import Pushed
from planso_connector.store import operations
from planso_connector.store.engine import Database

log = structlog.get_logger(__name__)


GRACE = 10.0
"""Seconds that the end of the process waits for writes under way."""


@dataclass(frozen=True, slots=True)
class Written:
    """A write that PlanSo confirmed, read back. `message` says what is worth a look; empty where nothing is."""

    order_id: int
    message: str


class Writer:
    """Lives as long as the process; `close` waits for the operations under way."""

    def __init__(self, database: Database, pusher: Pusher, workshop: str, wait: float, clock: Clock) -> None:
        self._database = database
        self._pusher = pusher
        self._workshop = workshop
        self._wait = wait
        self._clock = clock
        self._under_way: set[asyncio.Task[Pushed]] = set()

    async def create(self, asked: Mapping[str, Value]) -> Written:
        return await self._write(Action.CREATE, None, asked)

    async def update(self, order_id: int, asked: Mapping[str, Value]) -> Written:
        return await self._write(Action.UPDATE, order_id, asked)

    async def delete(self, order_id: int) -> Written:
        return await self._write(Action.DELETE, order_id, {})

    async def _write(self, action: Action, order_id: int | None, asked: Mapping[str, Value]) -> Written:
        """Raises what `Pusher.push` raises, and PlansoUnsure when the wait is over."""
        operation = Operation(
            id=new_id(), action=action, order_id=order_id, asked=dict(asked), created_at=stamp(self._clock())
        )
        await self._database.write(lambda tx: operations.record(tx, self._workshop, operation))
        deadline = asyncio.get_running_loop().time() + self._wait
        push = asyncio.create_task(self._pusher.push(operation, deadline), name=operation.id)
        self._under_way.add(push)
        push.add_done_callback(self._ended)
        done, _ = await asyncio.wait({push}, timeout=self._wait)
        if not done:
            raise PlansoUnsure(
                f"PlanSo did not confirm within {self._wait:g} s, and nothing more is sent for this request. "
                "Whether PlanSo has the change is not known yet; read the order before trying again."
            )
        pushed = push.result()
        return Written(pushed.order_id, " ".join([*pushed.notes, *looks_wrong(asked)]))

    def _ended(self, push: asyncio.Task[Pushed]) -> None:
        self._under_way.discard(push)
        if push.cancelled():
            return
        error = push.exception()
        if error is not None and not isinstance(error, ConnectorError):
            log.error("push_failed", operation=push.get_name(), exc_info=error)

    async def look_at_leftovers(self, recorded_before: str) -> None:
        """
        Settle, by looking, what was left pending: by a process that died, or because the database could not be
        written to. What PlanSo can't be asked about stays pending for the next look.
        """
        mine = {push.get_name() for push in self._under_way}
        for operation in await self._database.read(lambda tx: operations.pending(tx, self._workshop)):
            if operation.created_at >= recorded_before or operation.id in mine:
                continue
            try:
                await self._pusher.look(operation)
            except PlansoError as error:
                log.warning("leftover_stays_pending", operation=operation.id, error=type(error).__name__)

    async def close(self) -> None:
        """What is not settled within the grace stays pending, and is looked at after the next start."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=GRACE)
            for push in late:
                push.cancel()
            if late:
                await asyncio.wait(late)
