"""SQLite's write-ahead log stays short, whoever reads."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.engine.sqlite import RESTART_PAGES
from tests.store import counting

PAGE = 4096
WRITES, WRITTEN = 1500, 30_000
"""Units of work, and bytes of each: without a bound the log would hold nearly all of them."""


def test_the_log_stays_short_while_somebody_reads_at_any_time(sqlite_path: Path) -> None:
    """The log is restarted even if readers follow each other without a gap: a long one slows every read."""
    log = sqlite_path.with_name(f"{sqlite_path.name}-wal")

    def read_slowly(tx: Transaction) -> None:
        counting.read("busy")(tx)
        threading.Event().wait(0.003)

    async def story() -> int:
        database = Database.open(f"sqlite:///{sqlite_path}")
        is_over = False
        longest = 0

        async def reader(within: float | None) -> None:
            while not is_over:
                await database.read(read_slowly, within=within)

        readers = [asyncio.create_task(reader(within)) for within in (None, None, 60.0, 60.0, 60.0, 60.0)]
        for number in range(WRITES):
            await database.write(counting.put(f"n{number}", "x" * WRITTEN))
            longest = max(longest, log.stat().st_size)
        is_over = True
        await asyncio.gather(*readers)
        await database.close()
        return longest

    assert asyncio.run(story()) < 2 * RESTART_PAGES * PAGE < WRITES * WRITTEN
