"""`make bench`: run every benchmark and print its result. `python -m bench NAME ...`: only these."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench import (
    availability,
    events,
    memory,
    mirror,
    overload,
    reading,
    reads,
    sync,
    tables,
    tools,
    workshop_processes,
    workshops,
    writes,
)

BENCHMARKS = {
    "form": reading.compare_with_beautifulsoup,
    "reads": reads.compare_reads,
    "tables": tables.measure_tables,
    "feed": events.measure_feed,
    "webhooks": events.measure_webhooks,
    "availability": availability.measure_availability,
    "tools": tools.measure_tools,
    "rivals": mirror.compare_rivals,
    "misheard": mirror.measure_misheard_questions,
    "longest": mirror.measure_worst_queries,
    "beside": mirror.measure_reads_during_sync,
    "start": mirror.measure_start,
    "write": writes.compare_with_direct_requests,
    "accept": writes.compare_with_commits,
    "full": sync.measure_full_sync,
    "unchanged": sync.measure_unchanged_sync,
    "memory": memory.measure_sync_memory,
    "overload": overload.measure_without_limits,
    "limits": overload.measure_with_limits,
    "workshops": workshops.measure_many_workshops,
    "processes": workshop_processes.compare_processes,
    "hanging": workshop_processes.compare_beside_hanging_writes,
}


COMPILED = {
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(Path(__file__).parents[1] / ".bench" / "compiled"),
}
"""Compiled modules are kept, as in an installation, even where PYTHONDONTWRITEBYTECODE is set."""


def main() -> None:
    os.environ.update(COMPILED)
    chosen = sys.argv[1:] or BENCHMARKS
    unknown = set(chosen) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: accepted: {', '.join(BENCHMARKS)}")
    for name in chosen:
        print(BENCHMARKS[name](), flush=True)


main()
