"""
Access log of all workshops: who was shown which orders, and when each API key was last used. Recorded in memory, off
the request's path, and written every 15 seconds, one transaction for each workshop of a batch. A crash loses what was
recorded since.
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

_Entry = tuple[str, str, str, tuple[int, ...]]
"""Workshop, key id, route, order ids."""
_Key = tuple[str, str]
"""Workshop and id of a key."""


class AccessLog:
    """`database` is the installation's."""

    def __init__(self, database: Database, clock: Clock, interval: float = FLUSH_INTERVAL) -> None:
        self._database = database
        self._clock = clock
        self._interval = interval
        self._queued: dict[_Entry, tuple[datetime, int]] = {}
        self._ids = 0
        self._lost = 0
        self._used_at: dict[_Key, datetime] = {}
        self._use_written_at: dict[_Key, datetime] = {}
        self._is_due = asyncio.Event()
        self._flushing = asyncio.Lock()

    def record(self, caller: Caller, route: str, order_ids: Iterable[int]) -> None:
        """Record that the caller was shown these orders; repetitions until the next flush are counted."""
        entry = (caller.workshop, caller.key_id, route, tuple(order_ids))
        first, times = self._queued.get(entry, (None, 0))
        if first is None:
            weight = len(entry[-1])
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

    async def record_page(self, caller: Caller, route: str, order_ids: Sequence[int]) -> None:
        """As `record`, of a long list's part: waits for room, so that none is lost. Raises StoreUnavailable."""
        if self._ids + len(order_ids) > MAX_QUEUED_IDS // 2:
            await self.flush()
        self.record(caller, route, order_ids)

    def record_key_use(self, caller: Caller) -> None:
        """Record that the caller's valid key was used now."""
        if caller.key_id:
            self._used_at[caller.workshop, caller.key_id] = self._clock()

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
                for workshop, batch in self._take_batch().items():
                    await _finish_when_cancelled(self._write(workshop, batch))
            await self._write_key_uses(every_use=every_use)

    def _take_batch(self) -> dict[str, dict[_Entry, tuple[datetime, int]]]:
        """The oldest entries, by workshop."""
        batches: dict[str, dict[_Entry, tuple[datetime, int]]] = {}
        for entry, recorded in islice(self._queued.items(), BATCH):
            batches.setdefault(entry[0], {})[entry] = recorded
        return batches

    async def _write(self, workshop: str, batch: Mapping[_Entry, tuple[datetime, int]]) -> None:
        entries = [Access(format_instant(first), *entry[1:], times) for entry, (first, times) in batch.items()]
        await self._database.for_workshop(workshop).write(lambda tx: access_log.record(tx, entries))
        self._drop(batch)

    def _drop(self, written: Mapping[_Entry, tuple[datetime, int]]) -> None:
        for entry, (first, times) in written.items():
            _, counted = self._queued[entry]
            if counted > times:  # shown again while it was written
                self._queued[entry] = first, counted - times
            else:
                del self._queued[entry]
                self._ids -= len(entry[-1])

    async def _write_key_uses(self, *, every_use: bool) -> None:
        due: dict[str, dict[str, datetime]] = {}
        for key, at in self._used_at.items():
            written_at = self._use_written_at.get(key)
            if every_use or written_at is None or at - written_at >= LAST_USE_INTERVAL:
                due.setdefault(key[0], {})[key[1]] = at
        for workshop, used in due.items():
            instants = {key_id: format_instant(at) for key_id, at in used.items()}
            database = self._database.for_workshop(workshop)
            await database.write(lambda tx, instants=instants: api_keys.record_use(tx, instants))  # type: ignore[misc]
            for key_id, at in used.items():
                key = workshop, key_id
                self._use_written_at[key] = at
                if self._used_at[key] == at:
                    del self._used_at[key]

    async def close(self) -> None:
        """Write all that is queued, once."""
        try:
            await self.flush(every_use=True)
        except StoreUnavailable:
            log.warning("access_log_lost", entries=len(self._queued))


async def list_entries(database: Database, order_id: int | None, key_id: str | None, limit: int) -> Sequence[Access]:
    """Entries of one workshop that were written, newest first."""
    return await database.read(lambda tx: access_log.list_entries(tx, order_id=order_id, caller=key_id, limit=limit))


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
