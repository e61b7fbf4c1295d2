"""
A full sync, compared with its lower bound (requests × latency ÷ requests in flight), with a client that only requests
the same pages, and with a simple script (`bench.plain`); and the cost of a sync when nothing changed.

The lower bound ignores the time that the sandbox itself needs for a page. The client that only requests pages shows how
close to the bound this sandbox lets anybody come on this machine.

The script has one request in flight, the connector eight. The first ratio is of wall-clock times, the second of
wall-clock times multiplied by requests in flight: the speed at an equal load on PlanSo.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from bench import plain
from bench.processes import planso
from planso_connector import app, logs
from planso_connector.commands import console
from planso_connector.settings import Settings
from planso_connector.store.sync_runs import StoredRun, Trigger

ORDERS, LATENCY, IN_FLIGHT = 2000, 0.05, 8
REQUESTED_ORDERS, SCRIPT_ORDERS = 500, 100
"""Orders that the client requests and the script mirrors; their times are scaled up to ORDERS."""

REPEATS = 5
"""Unchanged syncs, whose mean is printed: the garbage collector runs in some of them and not in others."""


def _settings(url: str, folder: str, concurrency: int) -> Settings:
    return Settings(
        _env_file=None,
        planso_url=url,
        planso_user="werkstatt",
        planso_password=SecretStr("demo"),
        connector_database_url=f"sqlite:///{Path(folder) / 'bench.db'}",
        connector_planso_concurrency=concurrency,
        connector_sync_interval=timedelta(0),
    )


async def _measure_run(built: app.Connector, *, full: bool = False) -> tuple[StoredRun, float, float]:
    """Run a sync; return the run, its wall-clock seconds, and the CPU seconds of this process."""
    started, cpu = time.perf_counter(), time.process_time()
    run = await built.default.sync.run(Trigger.COMMAND, full=full)
    assert run is not None, "another process is syncing"
    return run, time.perf_counter() - started, time.process_time() - cpu


async def _measure_first_run(url: str, folder: str) -> tuple[StoredRun, float, float, list[int]]:
    """Return what `_measure_run` does for the first sync, and the ids of the orders."""
    async with app.open_connector(_settings(url, folder, IN_FLIGHT), beside_others=True) as built:
        board = await built.default.planso.read_board()  # logs in, which is not measured
        return *await _measure_run(built), [entry.order_id for entry in board]


def _measure_requests(url: str, order_ids: list[int]) -> float:
    """Request the forms and parts of these orders, IN_FLIGHT at a time, and return the seconds."""
    with plain.logged_in_client(url) as http, ThreadPoolExecutor(IN_FLIGHT) as pool:

        def request_pages(order_id: int) -> None:
            http.post(plain.FORM.format(order_id)).raise_for_status()
            http.get(plain.PARTS.format(order_id)).raise_for_status()

        started = time.perf_counter()
        list(pool.map(request_pages, order_ids))
        return time.perf_counter() - started


def _measure_script(url: str, folder: str, order_ids: list[int]) -> float:
    """Mirror these orders with the script, and return the seconds."""
    with plain.logged_in_client(url) as http:
        started = time.perf_counter()
        plain.mirror(http, order_ids, Path(folder) / "plain.db")
        return time.perf_counter() - started


async def _measure_unchanged(url: str, folder: str) -> str:
    async with app.open_connector(_settings(url, folder, 16), beside_others=True) as built:
        gc.collect()
        gc.freeze()  # as `serve` does
        first, _, _ = await _measure_run(built)
        repeats = [await _measure_run(built) for _ in range(REPEATS)]
    requests = max(run.requests for run, _, _ in repeats)
    took = statistics.mean(seconds for _, seconds, _ in repeats)
    cpu = statistics.mean(seconds for _, _, seconds in repeats)
    return (
        f"sync of {first.done} orders without changes: {requests} request (goal: 1), {cpu:.2f} s of CPU (goal: 0.2), "
        f"{took:.2f} s with PlanSo's time; mean of {REPEATS}"
    )


def measure_full_sync() -> str:
    logs.configure("error", [])
    with tempfile.TemporaryDirectory() as folder, planso(ORDERS, LATENCY) as url:
        run, took, cpu, ids = console.run(_measure_first_run(url, folder))
        requesting = _measure_requests(url, ids[:REQUESTED_ORDERS]) / REQUESTED_ORDERS * run.done
        script = _measure_script(url, folder, ids[:SCRIPT_ORDERS]) / SCRIPT_ORDERS * run.done
    bound = run.requests * LATENCY / IN_FLIGHT
    return (
        f"full sync of {run.done} orders, {run.requests} requests of {LATENCY * 1000:.0f} ms, {IN_FLIGHT} in flight: "
        f"{took:.1f} s, lower bound {bound:.1f} s: {bound / took:.2f} of the maximum rate (goal: 0.95); "
        f"{cpu / run.done * 1000:.1f} ms of CPU per order (goal: 4)\n"
        f"only these requests, {IN_FLIGHT} in flight: {requesting:.1f} s (scaled up from {REQUESTED_ORDERS} orders), "
        f"{bound / requesting:.2f} of the maximum rate; the sync has {requesting / took:.2f} of their rate\n"
        f"a simple script, {plain.PAGES} requests per order, 1 in flight, BeautifulSoup, a commit per row: "
        f"{script:.0f} s (scaled up from {SCRIPT_ORDERS} orders): the sync is {script / took:.1f} times as fast, "
        f"{script / took / IN_FLIGHT:.1f} times per request in flight (goal: 20)"
    )


def measure_unchanged_sync() -> str:
    logs.configure("error", [])
    with tempfile.TemporaryDirectory() as folder, planso(10_000, 0.0) as url:
        return console.run(_measure_unchanged(url, folder))
