"""The connector's memory while it syncs, PlanSo's stand-in in another process, so that its own is not counted."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

from tests.process import ConnectorProcess

from bench.processes import connector, planso

ORDERS = int(os.environ.get("BENCH_MEMORY_ORDERS", "20000"))
"""Minutes of work. For who is in a hurry: `make bench BENCH_MEMORY_ORDERS=2000`; 0 leaves it out."""


def during_a_sync() -> str:
    if not ORDERS:
        return "memory during a sync: not measured (BENCH_MEMORY_ORDERS=0)"
    with planso(ORDERS, 0.0) as url, connector(url, CONNECTOR_PLANSO_CONCURRENCY="8") as service:
        started = time.perf_counter()
        done = _synced(service)
        took = time.perf_counter() - started
        used = resident(service.process.pid)
    return (
        f"memory of the connector's process during its first sync of {done} orders, no latency, {took:.0f} s: "
        f"{used} (goal under 200 MB for 20000)"
    )


def _synced(service: ConnectorProcess) -> int:
    """Waits for the first run's end; how many orders it did."""
    while True:
        status = service.http.get("/api/sync/status").json()
        if status["state"] != "running" and status["last_result"] is not None:
            assert status["state"] == "idle", status
            return int(status["last_result"]["done"])
        threading.Event().wait(0.5)


def resident(process_id: int) -> str:
    """Now and at most. Source: proc(5), VmRSS and VmHWM, the resident set and its peak in KiB."""
    status = Path(f"/proc/{process_id}/status")
    if not status.exists():
        return "unknown here (it is read from Linux's /proc)"
    told = dict(re.findall(r"^(\w+):\s+([0-9]+) kB$", status.read_text("ascii"), re.MULTILINE))
    return f"{int(told['VmRSS']) // 1024} MB, {int(told['VmHWM']) // 1024} MB at most"
