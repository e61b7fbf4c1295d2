"""
Access log: who was shown which orders, and when each API key was last used. Recorded in memory, off the request's path,
and written every 15 seconds, one transaction for each batch. A crash loses what was recorded since.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice

import structlog

from planso_connector.domain.caller import Caller
from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.store import access_log, api_keys
from planso_connector.store.access_log import Access
from planso_connector.store.engine.database import Database

log = structlog.get_logger(__name__)

FLUSH_INTERVAL = 15.0
"""Seconds. Not shorter: each write invalidates cached keys, which are valid until somebody writes."""
STUCK_AFTER = 60.0
"""Seconds that a flush takes at most."""
LAST_USE_INTERVAL = timedelta(minutes=1)
BATCH = 500
"""Entries in one transaction, so that other writes wait for no more. So many are written at once."""
MAX_QUEUED_IDS = 100_000
"""Order ids held in memory at most, some 10 MB. What comes on top is lost, counted and logged."""

_Entry = tuple[str, str, tuple[int, ...]]
"""Key id, route, order ids."""


class AccessLog:
    def __init__(self, database: Database, clock: Clock, interval: float = FLUSH_INTERVAL) -> None:
        self._database = database
        self._clock = clock
        self._interval = interval
        self._queued: dict[_Entry, tuple[datetime, int]] = {}
        self._ids = 0
        self._lost = 0
        self._used_at: dict[str, datetime] = {}
        self._use_written_at: dict[str, datetime] = {}
        self._is_due = asyncio.Event()
        self._flushing = asyncio.Lock()

    def record(self, caller: Caller, route: str, order_ids: Iterable[int]) -> None:
        """Record that the caller was shown these orders; repetitions until the next flush are counted."""
        entry = (caller.key_id, route, tuple(order_ids))
        first, times = self._queued.get(entry, (None, 0))
        if first is None:
            weight = len(entry[2])
            if not weight:
                return
            if self._ids + weight > MAX_QUEUED_IDS:
                self._lost += 1
                return
            self._ids += weight
            first = self._clock()
        self._queued[entry] = first, times + 1
        if len(self._queued) >= BATCH or self._ids > MAX_QUEUED_IDS // 2:
            self._is_due.set()

    def record_key_use(self, caller: Caller) -> None:
        """Record that the caller's valid key was used now."""
        if caller.key_id:
            self._used_at[caller.key_id] = self._clock()

    async def run(self, beat: Heartbeat = no_heartbeat) -> None:
        """Flush regularly until cancelled; `close` writes the rest."""
        while True:
            beat(2 * self._interval + STUCK_AFTER)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._is_due.wait()
            self._is_due.clear()
            try:
                await self.flush()
            except StoreUnavailable:
                log.warning("access_log_not_written", waiting=len(self._queued))
                await asyncio.sleep(self._interval)
            except Exception:
                log.exception("access_log_fault")
                await asyncio.sleep(self._interval)

    async def flush(self, *, every_use: bool = False) -> None:
        """Write what is queued; on failure, batches not yet written stay queued. Raises StoreUnavailable."""
        async with self._flushing:
            if self._lost:
                log.warning("access_log_lost", entries=self._lost)
                self._lost = 0
            for _ in range(0, len(self._queued), BATCH):
                batch = dict(islice(self._queued.items(), BATCH))
                await _finish_when_cancelled(self._write(batch))
            await self._write_key_uses(every_use=every_use)

    async def _write(self, batch: Mapping[_Entry, tuple[datetime, int]]) -> None:
        entries = [Access(format_instant(first), *entry, times) for entry, (first, times) in batch.items()]
        await self._database.write(lambda tx: access_log.record(tx, entries))
        self._drop(batch)

    def _drop(self, written: Mapping[_Entry, tuple[datetime, int]]) -> None:
        for entry, (first, times) in written.items():
            _, counted = self._queued[entry]
            if counted > times:  # shown again while it was written
                self._queued[entry] = first, counted - times
            else:
                del self._queued[entry]
                self._ids -= len(entry[2])

    async def _write_key_uses(self, *, every_use: bool) -> None:
        due = {
            key_id: at
            for key_id, at in self._used_at.items()
            if every_use or key_id not in self._use_written_at or at - self._use_written_at[key_id] >= LAST_USE_INTERVAL
        }
        if not due:
            return
        instants = {key_id: format_instant(at) for key_id, at in due.items()}
        await self._database.write(lambda tx: api_keys.record_use(tx, instants))
        for key_id, at in due.items():
            self._use_written_at[key_id] = at
            if self._used_at[key_id] == at:
                del self._used_at[key_id]

    async def close(self) -> None:
        """Write all that is queued, once."""
        try:
            await self.flush(every_use=True)
        except StoreUnavailable:
            log.warning("access_log_lost", entries=len(self._queued))

    async def list_entries(self, order_id: int | None, key_id: str | None, limit: int) -> Sequence[Access]:
        """Entries that were written, newest first."""
        return await self._database.read(
            lambda tx: access_log.list_entries(tx, order_id=order_id, caller=key_id, limit=limit)
        )


async def _finish_when_cancelled(work: Coroutine[None, None, None]) -> None:
    """Await `work` even when cancelled: its transaction commits, and must not be repeated."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            log.warning("access_log_not_written", error=type(error).__name__)
        raise
