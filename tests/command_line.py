"""Run a `planso-connector` command in a process of its own or, faster, in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

from typer.testing import CliRunner, Result

from planso_connector import logs
from planso_connector.cli import cli
from tests.service import PATIENCE


def command(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder`, with no setting in its environment but the given ones."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PLANSO_", "CONNECTOR_"))}
    return subprocess.run(
        [sys.executable, "-m", "planso_connector", *arguments],
        env={**clean, "COLUMNS": "200", "CONNECTOR_PORT": "0", **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def command_here(folder: Path, *arguments: str, **environment: str) -> Result:
    """The same in this process, which saves a second. Raises what the command would end with as a traceback."""
    unset = dict.fromkeys(name for name in os.environ if name.startswith(("PLANSO_", "CONNECTOR_")))
    try:
        with chdir(folder):
            done = CliRunner().invoke(
                cli, arguments, env={**unset, "COLUMNS": "200", "CONNECTOR_PORT": "0", **environment}
            )
    finally:
        logs.configure("error", [])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done
