"""SIGTERM while a process starts and while a command runs, also as PID 1 of a container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from planso_connector.sandbox import Sandbox
from tests.process import free_port
from tests.service import PATIENCE, wait_until

NEW_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"]
ENDED = (128 + signal.SIGTERM, -signal.SIGTERM)
"""Exit codes after SIGTERM: PID 1 exits by itself, the kernel ends other processes."""


class Command:
    """A command in a process of its own: PID 1 of a namespace, or one of many."""

    def __init__(self, *, is_pid_1: bool, folder: Path, sandbox: Sandbox, url: str) -> None:
        self._prefix = NEW_NAMESPACE if is_pid_1 else []
        self._folder = folder
        self._environment = {
            **os.environ,
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
            "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/connector.db",
            "CONNECTOR_PORT": str(free_port()),
        }
        self._process: subprocess.Popen[str] | None = None

    def start(self, *arguments: str) -> None:
        command = [*self._prefix, sys.executable, "-m", "planso_connector", *arguments]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, env=self._environment, cwd=self._folder, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        assert self._process.poll() is None, self._process.communicate()
        return self._process

    @property
    def pid(self) -> int:
        """Of the command; 0 until `unshare` has started it."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if self._prefix else [str(pid)]
        return int(children[0]) if children else 0

    def has_open(self, name: str) -> bool:
        try:
            return any(name in str(one.readlink()) for one in Path(f"/proc/{self.pid}/fd").iterdir())
        except OSError:
            return False

    def terminate(self) -> tuple[int, str]:
        """Exit code and output."""
        process = self.process
        os.kill(self.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, output

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate(timeout=PATIENCE)


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(orders=12)


@pytest.fixture(params=["PID 1", "one of many"])
def command(request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path) -> Iterator[Command]:
    is_pid_1 = request.param == "PID 1"
    if is_pid_1:
        try:
            subprocess.run([*NEW_NAMESPACE, "true"], check=True, capture_output=True, timeout=PATIENCE)
        except (OSError, subprocess.SubprocessError):
            pytest.skip("this user may make no PID namespace: what SIGTERM does to PID 1 is not tried")
    with sandbox.serve() as url:
        command = Command(is_pid_1=is_pid_1, folder=tmp_path, sandbox=sandbox, url=url)
        yield command
        command.end()


@pytest.mark.parametrize("name", ["serve", "sync"])
def test_a_start_ends_at_once(command: Command, tmp_path: Path, name: str) -> None:
    """Also while it waits for a database that another process has locked."""
    with closing(apsw.Connection(f"{tmp_path}/connector.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        command.start(name)
        wait_until(lambda: command.has_open("connector.db"), "the migration")
        code, output = command.terminate()
    assert code in ENDED, output


def test_a_sync_ends_in_order(command: Command, sandbox: Sandbox) -> None:
    """What it read is stored, the output says so, exit code 143; the next sync is not blocked and reads the rest."""
    sandbox.knobs.latency = 0.2
    command.start("sync")
    wait_until(lambda: len(sandbox.requests) > 12, "a sync under way")
    sandbox.knobs.latency = PATIENCE  # on a busy machine the sync could end before the signal
    code, output = command.terminate()
    assert (code, "Stopped by SIGTERM" in output) == (143, True), output
    sandbox.knobs.latency = 0.0
    command.start("sync")
    output, _ = command.process.communicate(timeout=PATIENCE)
    assert "in progress already" not in output
    assert "30 changed" not in output
    assert "changed" in output


def test_a_shutdown_that_is_stuck_ends() -> None:
    """After the given time the process ends with exit code 1, and says where it stood."""
    stuck = "from planso_connector import signals; import threading; signals.end_within(0.1); threading.Event().wait()"
    ended = subprocess.run([sys.executable, "-c", stuck], capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1
    assert "in wait" in ended.stderr
