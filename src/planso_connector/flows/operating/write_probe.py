"""Whether the database takes writes: a small write now and then, and what other writes have met."""

import asyncio
import time

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import CommitUnknown, StoreTimeout, StoreUnavailable
from planso_connector.store import leases
from planso_connector.store.engine.database import Database

DATABASE_TIMEOUT = 1.4
"""Seconds to wait for the database: probes give up after two, and their key is checked before."""

PROBE_INTERVAL, FAILED_PROBE_INTERVAL = 5.0, 1.0
"""Seconds for which the result of a successful probe is reused, and of a failed one."""

DISK_FULL_FOR = 10.0
"""
Seconds for which a server's full disk is reported after the last write that failed for it: the probe's own small write
may still find room.
"""

_TIMER_LEEWAY = 0.1
"""Seconds by which uvloop's timers may end early: it looks at the clock once for each turn of the loop."""

_NAME = "readiness"
"""Of the lease that is written."""


class WriteProbe:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._probed: tuple[float, tuple[bool, str]] | None = None
        self._probing = asyncio.Lock()

    async def check(self) -> tuple[bool, str]:
        """Whether it takes writes, and in words."""
        async with self._probing:
            was_ok = self._probed is not None and self._probed[1][0]
            interval = PROBE_INTERVAL if was_ok else FAILED_PROBE_INTERVAL
            if self._probed is None or time.monotonic() - self._probed[0] > interval:
                result = await self._write()
                self._probed = (time.monotonic(), result)
            is_ok, words = self._probed[1]
        full = self._database.seconds_since_disk_full
        if is_ok and full is not None and full < DISK_FULL_FOR:
            return False, f"its disk is full: a write failed {full:.0f} s ago"
        return is_ok, words

    async def _write(self) -> tuple[bool, str]:
        now, started = format_instant(self._clock()), time.monotonic()
        try:
            await self._database.write_with_priority(
                lambda tx: leases.acquire(tx, _NAME, holder=_NAME, now=now, until=now), DATABASE_TIMEOUT
            )
        except (StoreTimeout, CommitUnknown) as error:
            if time.monotonic() - started < DATABASE_TIMEOUT - _TIMER_LEEWAY:
                return False, str(error)
            standby = ", or its synchronous standby is gone" if self._database.is_server else ""
            return False, f"took no write within {DATABASE_TIMEOUT:g} s; another program may hold it{standby}"
        except StoreUnavailable as error:
            return False, str(error)
        return True, "answers, and takes writes"
