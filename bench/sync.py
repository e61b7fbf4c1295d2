"""A sync against its floor (pages × latency ÷ pages at once), and what a sync costs when nothing changed."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from bench.processes import planso
from planso_connector import app, logs
from planso_connector.settings import Settings
from planso_connector.store.runs import Run, Trigger


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


async def _timed(built: app.Connector, *, full: bool = False) -> tuple[Run, float, float]:
    """The run, its seconds on the clock, and this process's CPU seconds."""
    started, cpu = time.perf_counter(), time.process_time()
    run = await built.sync.run(Trigger.COMMAND, full=full)
    assert run is not None, "nobody else syncs here"
    return run, time.perf_counter() - started, time.process_time() - cpu


async def _full(url: str, folder: str, latency: float, concurrency: int) -> str:
    async with app.connector(_settings(url, folder, concurrency)) as built:
        await built.planso.board()  # the login is not what is measured
        run, took, cpu = await _timed(built)
    floor = run.requests * latency / concurrency
    return (
        f"full sync of {run.done} orders, {run.requests} pages of {latency * 1000:.0f} ms, {concurrency} at once: "
        f"{took:.1f} s, floor {floor:.1f} s: {floor / took:.2f} of it (goal 0.95); {cpu:.1f} s of CPU"
    )


async def _unchanged(url: str, folder: str) -> str:
    async with app.connector(_settings(url, folder, 16)) as built:
        first, _, _ = await _timed(built)
        run, took, cpu = await _timed(built)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return (
        f"sync of {first.done} orders with nothing changed: {run.requests} request (goal 1), {cpu:.2f} s of CPU "
        f"(goal 0.2), {took:.2f} s with PlanSo's own; peak memory of this process so far {peak} MB"
    )


def full_against_floor() -> str:
    logs.configure("error", [])
    with tempfile.TemporaryDirectory() as folder, planso(2000, 0.05) as url:
        return asyncio.run(_full(url, folder, 0.05, 8))


def unchanged() -> str:
    logs.configure("error", [])
    with tempfile.TemporaryDirectory() as folder, planso(10_000, 0.0) as url:
        return asyncio.run(_unchanged(url, folder))
