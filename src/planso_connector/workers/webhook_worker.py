"""Have events delivered to each receiver that is switched on, side by side, so that none waits for another."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

import structlog

from planso_connector.domain.errors import ConnectorError
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat

log = structlog.get_logger(__name__)

POLL_INTERVAL = 1.0
"""Seconds between two looks for receivers, and for events to one that had none."""
PAUSE_AFTER_FAULT = 5.0
STUCK_AFTER = 10.0
"""Seconds that one look takes at most, plus the database's own time limit."""


class Delivery(Protocol):
    async def deliver(self, webhook_id: str) -> bool: ...

    async def release(self, webhook_id: str) -> None: ...


class WebhookWorker:
    """`list_enabled` gives workshop and id of each receiver; `get_delivery` delivers a workshop's."""

    def __init__(
        self,
        list_enabled: Callable[[], Awaitable[Iterable[tuple[str, str]]]],
        get_delivery: Callable[[str], Delivery],
        max_wait: float,
    ) -> None:
        self._list_enabled = list_enabled
        self._get_delivery = get_delivery
        self._max_wait = max_wait
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def run(self, beat: Heartbeat = no_heartbeat) -> None:
        """Until cancelled; what is on its way then is sent again by the next process."""
        try:
            while True:
                beat(STUCK_AFTER + self._max_wait)
                await self._look()
                await asyncio.sleep(POLL_INTERVAL)
        finally:
            tasks = set(self._tasks.values())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _look(self) -> None:
        try:
            enabled = set(await self._list_enabled())
        except ConnectorError as error:
            log.warning("webhooks_unread", error=type(error).__name__)
            return
        for webhook in self._tasks.keys() - enabled:
            self._tasks[webhook].cancel()
        for webhook in enabled - self._tasks.keys():
            task = asyncio.create_task(self._deliver(*webhook), name=f"webhook {webhook[1]}")
            self._tasks[webhook] = task
            task.add_done_callback(lambda _, webhook=webhook: self._tasks.pop(webhook, None))  # type: ignore[misc]

    async def _deliver(self, workshop: str, webhook_id: str) -> None:
        structlog.contextvars.bind_contextvars(workshop=workshop, webhook=webhook_id)
        delivery = self._get_delivery(workshop)
        try:
            while True:
                try:
                    pause = 0.0 if await delivery.deliver(webhook_id) else POLL_INTERVAL
                except ConnectorError as error:
                    log.warning("webhook_not_delivered", error=type(error).__name__)
                    pause = PAUSE_AFTER_FAULT
                except Exception:
                    log.exception("webhook_fault")
                    pause = PAUSE_AFTER_FAULT
                await asyncio.sleep(pause)
        except asyncio.CancelledError:
            await asyncio.shield(self._release(delivery, webhook_id))
            raise

    async def _release(self, delivery: Delivery, webhook_id: str) -> None:
        try:
            await delivery.release(webhook_id)
        except ConnectorError as error:
            log.warning("webhook_lease_not_released", error=type(error).__name__)
