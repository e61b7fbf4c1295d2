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
from tests import parallel

# An example's duration says how busy the machine is, not how good the code is.
settings.register_profile("no deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no deadline")

pytest_plugins = ["tests.databases", "tests.chromium", "tests.client_generators", "tests.pgbouncer", "tests.recordings"]

LONG = (
    "flows/syncing/test_sync_laws.py",
    "flows/writing/test_kill_outbox.py",
    "agents/test_interrupted_calls.py",
    "flows/delivering/test_kill_delivery.py",
    "dialogues/test_dialogues.py",
    "chromium",
    "flows/operating/test_silent_database.py",
    "flows/operating/test_lease_holders.py",
    "rest/routes/test_planso_trouble.py",
    "rest/routes/test_sync.py",
    "flows/trial/test_trial.py",
    "flows/writing/test_damage.py",
    "flows/writing/test_outbox_corners.py",
    "rest/test_hostile.py::test_the_document_matches_the_service",
    "store/maintenance/test_upgrades.py",
    "commands/test_commands.py",
    "flows/operating/test_personal_data.py",
    "flows/operating/test_clock_jumps.py",
    "test_log_output.py",
    "flows/writing/test_write_stops.py",
    "store/test_workshops.py",
    "flows/writing/test_kill.py",
    "flows/operating/test_retention.py",
    "flows/test_disclosure.py",
    "test_telemetry.py",
    "store/maintenance/test_backup.py",
    "flows/writing/test_exact_effect.py",
    "rest/routes/test_repeated_creates.py",
    "commands/test_exit_codes.py",
    "commands/test_api_keys.py",
    "workers/test_workers.py",
    "test_faults.py",
    "test_secrets.py",
    "test_supply.py",
    "server/test_graceful_shutdown.py",
    "flows/writing/test_late_saves.py",
    "store/test_outbox.py",
)
"""
The groups of tests that are begun first, by their duration: files below tests/, tests that run apart from those of
their file, and `chromium` for all that need a browser.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--workers", type=int, default=0, help="Run the tests in so many worker processes.")


def pytest_runtest_teardown() -> None:
    """Flush the log, so that its lines appear in the output of the test that wrote them."""
    logs.output.flush(5)


def _group_of(item: pytest.Item) -> str:
    """The slow tests run apart; those with a browser, which takes 2 s to start, share one; all others go by file."""
    found = next((entry for entry in LONG if item.nodeid.startswith(f"tests/{entry}")), None)
    if found is not None and "::" in found:
        return item.nodeid
    if "chromium" in getattr(item, "fixturenames", ()):
        return "chromium"
    return item.nodeid.partition("::")[0]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With `--workers`, run the tests in parallel: the slow ones first, so that the run does not end with one alone."""
    workers = session.config.getoption("workers")
    if not workers or session.config.option.collectonly or session.testsfailed:
        _begin()
        return None
    groups: dict[str, list[int]] = {}
    for index, item in enumerate(session.items):
        groups.setdefault(_group_of(item), []).append(index)
    ranks = {f"tests/{entry}" if entry != "chromium" else entry: rank for rank, entry in enumerate(LONG)}

    def rank(name: str) -> int:
        return next((rank for entry, rank in ranks.items() if name.startswith(entry)), len(ranks))

    parallel.run(session, [groups[name] for name in sorted(groups, key=rank)], workers, _begin)
    return True


def _begin() -> None:
    """In each process that runs tests, after collecting: it starts a thread, and forks have none."""
    logs.configure("error", [])


def pytest_collection_finish() -> None:
    # The collected tests live until the end; frozen, the garbage collector does not scan them again and again.
    gc.collect()
    gc.freeze()
