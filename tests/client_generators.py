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
MISSING = "a generator is not installed; `make test` installs it"
NO_NODE = "no Node.js and npm on this machine, or older than 20.19"


@pytest.fixture(scope="session")
def python_generator() -> Path:
    """openapi-python-client, in an environment of its own. Without it the test is skipped; on CI it fails."""
    program = ROOT / ".venv/client/bin/openapi-python-client"
    if not program.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    return program


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """The folder of the programs that Node.js runs. Without Node.js or npm's registry a test is skipped, on CI too."""
    if shutil.which("npm") is None or _find_node_version() < (20, 19):
        pytest.skip(NO_NODE)
    folder = TYPESCRIPT / "node_modules/.bin"
    if not folder.is_dir():
        pytest.skip(MISSING)
    return folder


def _find_node_version() -> tuple[int, ...]:
    if shutil.which("node") is None:
        return ()
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in version.strip().removeprefix("v").split("."))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Report at the very end how many tests were skipped for lack of a generator."""
    yield
    reports = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    for reason in (MISSING, NO_NODE):
        if count := sum(reason in report for report in reports):
            terminalreporter.write_line(f"SKIPPED: {count} tests of generated clients: {reason}.", yellow=True)
