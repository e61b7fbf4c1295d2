"""A whole mirror as a table: time, CPU and memory, and how long other reads take meanwhile."""

from __future__ import annotations

import os
import re
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
from tests.process import ConnectorProcess

from bench import orders
from bench.mirror import run_connector

FEW, MANY = 10_000, int(os.environ.get("BENCH_TABLE_ROWS", "100000"))
PATIENCE = 600.0


def measure_tables() -> str:
    lines = []
    for suffix in ("csv", "xlsx"):
        peaks = {}
        for count in (FEW, MANY):
            with run_connector(orders.path_of(count)) as service:
                before = _peak_memory(service)
                alone = _read_often(service, lambda: time.sleep(2.0))
                cpu = _cpu_seconds(service)
                started = time.perf_counter()
                sizes: list[int] = []
                beside = _read_often(service, lambda: sizes.append(_download(service, suffix)))  # noqa: B023
                took, cpu = time.perf_counter() - started, _cpu_seconds(service) - cpu
                peaks[count] = _peak_memory(service) - before
            lines.append(
                f"{count} orders as {suffix}: {took:.1f} s, {cpu:.1f} s of CPU, {sizes[0] / 1e6:.1f} MB, "
                f"{peaks[count]} MB more memory; one order beside it {beside[0]:.1f} ms, p99 {beside[1]:.1f} ms "
                f"(alone {alone[0]:.1f} ms, p99 {alone[1]:.1f} ms)"
            )
        lines.append(f"memory of {MANY} rows over that of {FEW}: {peaks[MANY] / max(1, peaks[FEW]):.1f} times")
    return "\n".join(lines)


def _download(service: ConnectorProcess, suffix: str) -> int:
    size = 0
    with service.http.stream("GET", f"/api/orders.{suffix}", timeout=PATIENCE) as answer:
        assert answer.status_code == 200, answer.status_code
        for chunk in answer.iter_raw():
            size += len(chunk)
    return size


def _read_often(service: ConnectorProcess, work: Callable[[], object]) -> tuple[float, float]:
    """Median and 99th percentile, in ms, of reading one order while `work` runs."""
    took: list[float] = []
    is_over = threading.Event()

    def read() -> None:
        with httpx2.Client(base_url=service.address, timeout=PATIENCE) as http:
            while not is_over.is_set():
                started = time.perf_counter()
                http.get(f"/api/orders/{orders.FIRST_ID + len(took) % FEW}").raise_for_status()
                took.append((time.perf_counter() - started) * 1000)
                time.sleep(0.005)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        work()
    finally:
        is_over.set()
        reader.join()
    return statistics.median(took), statistics.quantiles(took, n=100)[-1]


def _peak_memory(service: ConnectorProcess) -> int:
    """MB. Source: proc(5), VmHWM."""
    status = Path(f"/proc/{service.process.pid}/status").read_text("ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def _cpu_seconds(service: ConnectorProcess) -> float:
    user, system = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
