"""
Have each workshop's outbox claim what is due: at once where this process recorded it, else found by a poll. Workshops
are claimed for side by side, so that none waits for another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

import structlog

from planso_connector.domain.errors import ConnectorError
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat

log = structlog.get_logger(__name__)

POLL_INTERVAL = 1.0
"""Seconds between two polls for due operations: postponed, recorded by another process, or left by a dead one."""

RENEW_INTERVAL = 3.0
"""Seconds between two renewals of the claims."""

STUCK_AFTER = 10.0
"""Seconds that one iteration of a loop takes at most, plus the database's own time limit."""


class ClaimingOutbox(Protocol):
    async def claim_due(self) -> None: ...

    async def renew_claims(self) -> None: ...


class OutboxWorker:
    """
    `find_due` lists the workshops with due operations. `open_outbox` gives a workshop's outbox; None where another
    process carries its operations out. `list_open` gives those that may have claims. `max_wait`: seconds that the
    database may take.
    """

    def __init__(
        self,
        find_due: Callable[[], Awaitable[Iterable[str]]],
        open_outbox: Callable[[str], Awaitable[ClaimingOutbox | None]],
        list_open: Callable[[], Iterable[ClaimingOutbox]],
        max_wait: float,
    ) -> None:
        self._find_due = find_due
        self._open_outbox = open_outbox
        self._list_open = list_open
        self._max_wait = max_wait
        self._woken: set[str] = set()
        self._must_poll = False
        self._is_woken = asyncio.Event()
        self._claiming: dict[str, asyncio.Task[None]] = {}

    def wake(self, workshop: str) -> None:
        """Operations of this workshop may be due now."""
        self._woken.add(workshop)
        self._is_woken.set()

    def poll(self) -> None:
        """Operations of any workshop may be due now."""
        self._must_poll = True
        self._is_woken.set()

    async def run_claim_loop(self, beat: Heartbeat = no_heartbeat) -> None:
        """Until cancelled; claims in progress are then cancelled too."""
        try:
            while True:
                beat(STUCK_AFTER + self._max_wait)
                for workshop in await self._wait():
                    if workshop in self._claiming:  # looks again once it is done
                        self._woken.add(workshop)
                    else:
                        self._claiming[workshop] = asyncio.create_task(self._claim(workshop), name=f"claim {workshop}")
        finally:
            claiming = set(self._claiming.values())
            for task in claiming:
                task.cancel()
            if claiming:
                await asyncio.wait(claiming)

    async def _wait(self) -> Iterable[str]:
        """Wait until workshops may have something due."""
        try:
            async with asyncio.timeout(POLL_INTERVAL):
                await self._is_woken.wait()
        except TimeoutError:
            self._must_poll = True
        self._is_woken.clear()
        woken, self._woken = self._woken, set()
        if self._must_poll:
            self._must_poll = False
            woken.update(await self._poll())
        return woken

    async def _poll(self) -> Iterable[str]:
        try:
            return await self._find_due()
        except ConnectorError as error:
            log.warning("outbox_unread", error=type(error).__name__)
        except Exception:
            log.exception("outbox_fault")
        return ()

    async def _claim(self, workshop: str) -> None:
        structlog.contextvars.bind_contextvars(workshop=workshop)
        try:
            outbox = await self._open_outbox(workshop)
            if outbox is not None:
                await outbox.claim_due()
        except ConnectorError as error:
            log.warning("outbox_not_claimed", workshop=workshop, error=type(error).__name__)
        except Exception:
            log.exception("outbox_fault", workshop=workshop)
            await asyncio.sleep(POLL_INTERVAL)
        finally:
            del self._claiming[workshop]
            if workshop in self._woken:
                self._is_woken.set()

    async def run_renewal_loop(self, beat: Heartbeat = no_heartbeat) -> None:
        """Renew the claims until cancelled."""
        while True:
            beat(STUCK_AFTER + self._max_wait)
            await asyncio.sleep(RENEW_INTERVAL)
            renewals = [outbox.renew_claims() for outbox in self._list_open()]
            for outcome in await asyncio.gather(*renewals, return_exceptions=True):
                if isinstance(outcome, Exception):
                    log.error("outbox_fault", exc_info=outcome)
