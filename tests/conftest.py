from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

if sys.dont_write_bytecode:
    # Else each worker and each command that a test runs compiles everything anew: two seconds of a core each.
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "compiled")
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": sys.pycache_prefix}

from planso_connector import logs

logs.configure("error", [])

# How long an example takes says how busy the machine is.
settings.register_profile("no time", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no time")

pytest_plugins = ["tests.databases", "tests.chromium", "tests.pgbouncer", "tests.recordings"]

LONG = (
    "test_sync_laws.py",
    "test_kill_outbox.py",
    "test_outbox_laws.py::test_whatever",
    "test_learned.py::test_a_connector",
    "test_lookup_corpus.py",
    "test_kill.py",
    "test_hostile.py::test_the_document",
    "test_late_saves.py",
    "test_commands.py",
    "test_keys_commands.py",
    "test_telemetry.py",
    "test_secrets.py",
    "test_outbox_corners.py",
    "test_backup.py",
    "test_faults.py",
    "test_stopping.py",
    "test_outbox.py::test_whatever",
)
"""Tests that take long, the longest first."""


def pytest_runtest_teardown() -> None:
    """What a test logged belongs to its output, not to that of the next one."""
    logs.output.flush(5)


def _rank(item: pytest.Item) -> int:
    name = f"{item.path.name}::{item.name}"
    return next((at for at, long in enumerate(LONG) if name.startswith(long)), len(LONG))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every worker begins with its share of the long ones, so that none is left alone with them at the end."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ranked = sorted(items, key=_rank)
    long = [item for item in ranked if _rank(item) < len(LONG)]
    short = ranked[len(long) :]
    # At first worker by worker gets an even piece of the list; who has done its own takes half of another's rest.
    items.clear()
    for worker in range(workers):
        mine = long[worker::workers]
        room = len(ranked) * (worker + 1) // workers - len(ranked) * worker // workers
        items += mine + short[: room - len(mine)]
        del short[: room - len(mine)]


def pytest_collection_finish() -> None:
    # What was collected stays until the end: the garbage collector need not go through it a hundred times.
    gc.collect()
    gc.freeze()
