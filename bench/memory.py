"""Peak memory of a connector process during its first sync. The sandbox runs in another process."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from bench.processes import connector, planso, wait_for_sync

ORDERS = int(os.environ.get("BENCH_MEMORY_ORDERS", "20000"))
"""Takes minutes. `make bench BENCH_MEMORY_ORDERS=2000` is quicker; 0 skips it."""


def measure_sync_memory() -> str:
    if not ORDERS:
        return "memory during a sync: not measured (BENCH_MEMORY_ORDERS=0)"
    with planso(ORDERS, 0.0) as url, connector(url, CONNECTOR_PLANSO_CONCURRENCY="8") as service:
        started = time.perf_counter()
        done = wait_for_sync(service)
        took = time.perf_counter() - started
        memory = describe_memory(service.process.pid)
    return (
        f"memory of the connector process, first sync of {done} orders, no latency, {took:.0f} s: {memory} "
        "(goal: below 200 MB for 20000)"
    )


def describe_memory(process_id: int) -> str:
    """Return the resident memory and its peak as text. Source: proc(5), VmRSS and VmHWM in KiB."""
    status = Path(f"/proc/{process_id}/status")
    if not status.exists():
        return "unknown (read from /proc, which is Linux only)"
    sizes = dict(re.findall(r"^(\w+):\s+([0-9]+) kB$", status.read_text("ascii"), re.MULTILINE))
    return f"{int(sizes['VmRSS']) // 1024} MB, peak {int(sizes['VmHWM']) // 1024} MB"
