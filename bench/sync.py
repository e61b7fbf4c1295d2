"""
A full sync against its floor (pages × latency ÷ pages at once), against who asks for the same pages and does nothing
with them, and against the plain way (`bench.plain`); and what a sync costs when nothing changed.

The floor takes no account of the time that PlanSo's stand-in needs for a page beside the latency. Who only asks shows
how near to the floor this stand-in, on this machine, lets anybody come.

The plain way has one request in flight, the connector eight. The first ratio against it is of the seconds on the clock.
The second is of these seconds times requests in flight: what is left of the first at equal politeness, when PlanSo may
be asked no more at once than the plain way asks.
"""

from __future__ import annotations

import asyncio
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
from planso_connector.settings import Settings
from planso_connector.store.sync_runs import StoredRun, Trigger

ORDERS, LATENCY, AT_ONCE = 2000, 0.05, 8
ASKED_ORDERS, PLAIN_ORDERS = 500, 100
"""So many orders are only asked for, and mirrored the plain way: both take a time in step with their number."""

AGAIN = 5
"""So many unchanged syncs, of which the mean is told: Python's collector works in some and not in others."""


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


async def _timed(built: app.Connector, *, full: bool = False) -> tuple[StoredRun, float, float]:
    """The run, its seconds on the clock, and this process's CPU seconds."""
    started, cpu = time.perf_counter(), time.process_time()
    run = await built.sync.run(Trigger.COMMAND, full=full)
    assert run is not None, "nobody else syncs here"
    return run, time.perf_counter() - started, time.process_time() - cpu


async def _full(url: str, folder: str) -> tuple[StoredRun, float, float, list[int]]:
    """The run, its seconds, its CPU seconds, and the orders of the list."""
    async with app.connector(_settings(url, folder, AT_ONCE)) as built:
        board = await built.planso.read_board()  # the login is not what is measured
        return *await _timed(built), [entry.order_id for entry in board]


def _only_asked(url: str, order_ids: list[int]) -> float:
    """Seconds for the forms and parts of these orders, as many at once as the connector asks, and thrown away."""
    with plain.client(url) as http, ThreadPoolExecutor(AT_ONCE) as pool:

        def ask(order_id: int) -> None:
            http.post(plain.FORM.format(order_id)).raise_for_status()
            http.get(plain.PARTS.format(order_id)).raise_for_status()

        started = time.perf_counter()
        list(pool.map(ask, order_ids))
        return time.perf_counter() - started


def _plain(url: str, folder: str, order_ids: list[int]) -> float:
    """Seconds for these orders."""
    with plain.client(url) as http:
        started = time.perf_counter()
        plain.mirror(http, order_ids, Path(folder) / "plain.db")
        return time.perf_counter() - started


async def _unchanged(url: str, folder: str) -> str:
    async with app.connector(_settings(url, folder, 16)) as built:
        gc.collect()
        gc.freeze()  # as `serve` does
        first, _, _ = await _timed(built)
        again = [await _timed(built) for _ in range(AGAIN)]
    asked = max(run.requests for run, _, _ in again)
    took = statistics.mean(seconds for _, seconds, _ in again)
    cpu = statistics.mean(seconds for _, _, seconds in again)
    return (
        f"sync of {first.done} orders with nothing changed: {asked} request (goal 1), {cpu:.2f} s of CPU (goal 0.2), "
        f"{took:.2f} s with PlanSo's own; mean of {AGAIN}"
    )


def full_against_floor_and_plain() -> str:
    logs.configure("error", [])
    with tempfile.TemporaryDirectory() as folder, planso(ORDERS, LATENCY) as url:
        run, took, cpu, listed = asyncio.run(_full(url, folder))
        asked = _only_asked(url, listed[:ASKED_ORDERS]) / ASKED_ORDERS * run.done
        plainly = _plain(url, folder, listed[:PLAIN_ORDERS]) / PLAIN_ORDERS * run.done
    floor = run.requests * LATENCY / AT_ONCE
    return (
        f"full sync of {run.done} orders, {run.requests} pages of {LATENCY * 1000:.0f} ms, {AT_ONCE} at once: "
        f"{took:.1f} s, floor {floor:.1f} s: {floor / took:.2f} of it (goal 0.95); {cpu:.1f} s of CPU\n"
        f"the same pages only asked for, {AT_ONCE} at once: {asked:.1f} s (scaled up from {ASKED_ORDERS} orders), "
        f"{floor / asked:.2f} of the floor: the sync has {asked / took:.2f} of that rate\n"
        f"the same the plain way, {plain.PAGES} pages an order, 1 at once, BeautifulSoup, a commit a row: "
        f"{plainly:.0f} s (scaled up from {PLAIN_ORDERS} orders): {plainly / took:.1f} times as fast with {AT_ONCE} "
        f"requests in flight, {plainly / took / AT_ONCE:.1f} times per request in flight (goal 20 at equal politeness)"
    )


def unchanged() -> str:
    logs.configure("error", [])
    with tempfile.TemporaryDirectory() as folder, planso(10_000, 0.0) as url:
        return asyncio.run(_unchanged(url, folder))
