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

pytest_plugins = ["tests.databases"]

LONG = (
    "test_sync_laws.py",
    "test_kill_outbox.py",
    "test_kill.py",
    "test_outbox_laws.py",
    "test_outbox_corners.py",
    "test_late_saves.py",
    "test_lookup_corpus.py",
    "test_hostile.py",
    "test_replay.py",
    "test_faults.py",
    "test_commands.py",
)
"""Files of tests that take long: first of all, so that no worker is left alone with them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)


def pytest_collection_finish() -> None:
    # What was collected stays until the end: the garbage collector need not go through it a hundred times.
    gc.collect()
    gc.freeze()
