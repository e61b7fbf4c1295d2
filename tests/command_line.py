"""Run a `planso-connector` command in a process of its own or, faster, in this one."""

from __future__ import annotations

import os
import subprocess
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryFile

from typer.testing import CliRunner, Result

from planso_connector import logs
from planso_connector.cli import cli
from tests import preloaded
from tests.service import PATIENCE


def command(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder`, with no setting in its environment but the given ones."""
    assert not preloaded.concerns_interpreter(environment)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PLANSO_", "CONNECTOR_"))}
    whole = {**clean, "COLUMNS": "200", "CONNECTOR_PORT": "0", **environment}
    with TemporaryFile("w+", encoding="utf-8") as stdout, TemporaryFile("w+", encoding="utf-8") as stderr:
        process = preloaded.start(arguments, whole, folder, stdout=stdout.fileno(), stderr=stderr.fileno())
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        for output in (stdout, stderr):
            output.seek(0)
        return subprocess.CompletedProcess(arguments, code, stdout.read(), stderr.read())


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
