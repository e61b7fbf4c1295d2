"""The generators of clients, as `make test` installs them: one for Python, and those that need Node.js."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYTHON_GENERATOR = ROOT / "packaging/client"
TYPESCRIPT = ROOT / "tests/typescript"
MISSING = "not installed, `make test` does: "
NO_NODE = "no Node.js and npm on this machine, or older than 20.19"


@pytest.fixture(scope="session")
def python_generator() -> Path:
    """openapi-python-client, in an environment of its own. Without it the test is skipped; on CI it fails."""
    program = ROOT / ".venv/client/bin/openapi-python-client"
    return program if program.exists() else _leave_out(f"{MISSING}the generator of the Python client")


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """The folder of the programs that Node.js runs. Without Node.js the test is skipped, also on CI."""
    if shutil.which("npm") is None or _find_node_version() < (20, 19):
        pytest.skip(NO_NODE)
    folder = TYPESCRIPT / "node_modules/.bin"
    return folder if folder.is_dir() else _leave_out(f"{MISSING}the packages of tests/typescript")


def _find_node_version() -> tuple[int, ...]:
    if shutil.which("node") is None:
        return ()
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in version.strip().removeprefix("v").split("."))


def _leave_out(reason: str) -> Path:
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Report at the very end how many tests were skipped for lack of a generator."""
    yield
    reports = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    skipped = [report for report in reports if MISSING in report or NO_NODE in report]
    if skipped:
        terminalreporter.write_line(f"SKIPPED: {len(skipped)} tests of generated clients: {skipped[0]}", yellow=True)
