from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

if sys.dont_write_bytecode:
    # Otherwise each worker and each command that a test runs compiles everything again: 2 s of CPU time each.
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "compiled")
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": sys.pycache_prefix}

from planso_connector import logs

logs.configure("error", [])

# An example's duration says how busy the machine is, not how good the code is.
settings.register_profile("no deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no deadline")

pytest_plugins = ["tests.databases", "tests.chromium", "tests.client_generators", "tests.pgbouncer", "tests.recordings"]

LONG = (
    "flows/syncing/test_sync_laws.py",
    "flows/writing/test_kill_outbox.py",
    "agents/test_interrupted_calls.py",
    "dialogues/test_dialogues.py",
    "flows/operating/test_silent_database.py",
    "flows/operating/test_lease_holders.py",
    "flows/delivering/test_kill_delivery.py",
    "flows/writing/test_outbox_laws.py",
    "planso/saving/test_learned.py::test_a_connector_saves_in_the_learned_style",
    "flows/querying/test_lookup_corpus.py",
    "flows/writing/test_kill.py",
    "rest/test_hostile.py::test_the_document_matches_the_service",
    "flows/writing/test_write_stops.py::test_a_deadline_that_passes_while_stopped_does_not_end_a_write",
    "flows/writing/test_late_saves.py",
    "flows/operating/test_clock_jumps.py",
    "test_supply.py::test_the_wheel_is_complete",
    "commands/test_commands.py",
    "commands/test_api_keys.py",
    "test_telemetry.py",
    "test_secrets.py",
    "flows/writing/test_outbox_corners.py",
    "store/maintenance/test_backup.py",
    "test_faults.py",
    "server/test_graceful_shutdown.py",
    "store/test_outbox.py::test_whatever_is_done_in_whatever_order",
)
"""The slow tests, the slowest first: files below tests/, or one test of a file."""


def pytest_runtest_teardown() -> None:
    """Flush the log, so that its lines appear in the output of the test that wrote them."""
    logs.output.flush(5)


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, prefix in enumerate(LONG) if item.nodeid.startswith(f"tests/{prefix}")), len(LONG))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin every worker's share with long tests, so that the run does not end with one worker alone at a long test."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ranked = sorted(items, key=_rank)
    long = [item for item in ranked if _rank(item) < len(LONG)]
    short = ranked[len(long) :]
    # xdist's worksteal gives each worker an equal, consecutive piece of the list; who is done takes from the others.
    items.clear()
    for worker in range(workers):
        share = long[worker::workers]
        size = len(ranked) * (worker + 1) // workers - len(ranked) * worker // workers
        items += share + short[: size - len(share)]
        del short[: size - len(share)]


def pytest_collection_finish() -> None:
    # The collected tests live until the end; frozen, the garbage collector does not scan them again and again.
    gc.collect()
    gc.freeze()
