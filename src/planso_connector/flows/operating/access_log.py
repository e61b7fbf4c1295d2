"""
Accesses: who was shown which orders, and when each key was last used. Noted in memory, off the request's path; written
every quarter of a minute in one write transaction for each batch. A crash loses what was noted since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

import structlog

from planso_connector.domain.caller import Caller
from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.store import access_log, api_keys
from planso_connector.store.access_log import Access
from planso_connector.store.engine.database import Database, Transaction

log = structlog.get_logger(__name__)

FLUSH_INTERVAL = 15.0
"""Seconds. Each write makes the lists and keys old that are held until somebody writes."""
STUCK_AFTER = 60.0
"""Seconds that writing what waits takes at most."""
LAST_USE_INTERVAL = timedelta(minutes=1)
BATCH = 500
"""Accesses in one transaction: a write that comes meanwhile waits for no more. So many don't wait for their time."""
MAX_QUEUED_IDS = 100_000
"""Order ids that wait in memory, some 10 MB. What comes on top while the database takes none is counted and logged."""

_Shown = tuple[str, str, tuple[int, ...]]
"""Key id, route, orders."""


class AccessLog:
    """Lives as long as the process."""

    def __init__(self, database: Database, clock: Clock, every: float = FLUSH_INTERVAL) -> None:
        self._database = database
        self._clock = clock
        self._every = every
        self._waiting: dict[_Shown, tuple[datetime, int]] = {}
        self._ids = 0
        self._lost = 0
        self._used: dict[str, datetime] = {}
        self._use_written: dict[str, datetime] = {}
        self._many = asyncio.Event()
        self._writing = asyncio.Lock()

    def record(self, caller: Caller, route: str, order_ids: Iterable[int]) -> None:
        """The caller is shown these orders. The same again before it is written is counted."""
        shown = (caller.key_id, route, tuple(order_ids))
        first, times = self._waiting.get(shown, (None, 0))
        if first is None:
            weight = len(shown[2])
            if not weight:
                return
            if self._ids + weight > MAX_QUEUED_IDS:
                self._lost += 1
                return
            self._ids += weight
            first = self._clock()
        self._waiting[shown] = first, times + 1
        if len(self._waiting) >= BATCH or self._ids > MAX_QUEUED_IDS // 2:
            self._many.set()

    def record_key_use(self, caller: Caller) -> None:
        """The caller's key is valid, and was used now."""
        if caller.key_id:
            self._used[caller.key_id] = self._clock()

    async def run(self, beat: Heartbeat = no_heartbeat) -> None:
        """Until it is cancelled; what waits then is `close`'s."""
        while True:
            beat(2 * self._every + STUCK_AFTER)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._many.wait()
            self._many.clear()
            try:
                await self.flush()
            except StoreUnavailable:
                log.warning("accesses_not_written", waiting=len(self._waiting))
                await asyncio.sleep(self._every)
            except Exception:
                log.exception("accesses_fault")
                await asyncio.sleep(self._every)

    async def flush(self, *, every_use: bool = False) -> None:
        """Writes what waits; where that can't be done, all but the batches before waits on. Raises StoreUnavailable."""
        async with self._writing:
            if self._lost:
                log.warning("accesses_lost", accesses=self._lost)
                self._lost = 0
            for _ in range(0, len(self._waiting), BATCH):
                taken = dict(islice(self._waiting.items(), BATCH))
                await _to_its_end(self._write(taken))
            await self._write_uses(every=every_use)

    async def _write(self, taken: Mapping[_Shown, tuple[datetime, int]]) -> None:
        await self._database.write(partial(self._record, taken))
        self._drop(taken)

    def _record(self, taken: Mapping[_Shown, tuple[datetime, int]], tx: Transaction) -> None:
        found = (Access(format_instant(first), *shown, times) for shown, (first, times) in taken.items())
        access_log.record(tx, found)

    def _drop(self, written: Mapping[_Shown, tuple[datetime, int]]) -> None:
        for shown, (first, times) in written.items():
            _, counted = self._waiting[shown]
            if counted > times:  # shown once more while it was written
                self._waiting[shown] = first, counted - times
            else:
                del self._waiting[shown]
                self._ids -= len(shown[2])

    async def _write_uses(self, *, every: bool) -> None:
        due = {
            key_id: at
            for key_id, at in self._used.items()
            if every or key_id not in self._use_written or at - self._use_written[key_id] >= LAST_USE_INTERVAL
        }
        if not due:
            return
        stamps = {key_id: format_instant(at) for key_id, at in due.items()}
        await self._database.write(lambda tx: api_keys.record_use(tx, stamps))
        for key_id, at in due.items():
            self._use_written[key_id] = at
            if self._used[key_id] == at:
                del self._used[key_id]

    async def close(self) -> None:
        """Writes all that waits, once."""
        try:
            await self.flush(every_use=True)
        except StoreUnavailable:
            log.warning("accesses_lost", accesses=len(self._waiting))

    async def list_entries(self, order_id: int | None, key_id: str | None, limit: int) -> Sequence[Access]:
        """What was written, newest first."""
        return await self._database.read(
            lambda tx: access_log.list_entries(tx, order_id=order_id, caller=key_id, limit=limit)
        )


async def _to_its_end(work: Coroutine[None, None, None]) -> None:
    """Cancelled, it waits all the same: a transaction that was begun is committed, and must not be begun again."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            log.warning("accesses_not_written", error=type(error).__name__)
        raise
