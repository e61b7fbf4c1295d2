"""
Start `planso-connector` processes as forks of one that has imported its libraries, which takes 0.6 s of CPU each time.

The fork has its own arguments, environment, folder and standard streams, and runs `python -m planso_connector` from its
first line; the command line is imported by it. How the interpreter itself starts is not tried: tests of signals at the
start, terminals, closed streams and resource limits start a new interpreter.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

_IMPORTED = (
    "planso_connector.app",
    "planso_connector.sandbox",
    "planso_connector.store.engine.postgresql",
    "rich.progress",
    "typer",
)
_MAX_MESSAGE = 1 << 20


class ForkedProcess:
    """What tests use of `subprocess.Popen`, for a fork."""

    def __init__(self, pid: int, ending: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ending = ending

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._ending], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("planso_connector", timeout or 0)
            self.returncode = int(self._ending.recv(100))
            self._ending.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Preloaded:
    """The process that forks, of this process alone; it ends with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            arguments = [sys.executable, "-m", "tests.preloaded", str(theirs.fileno())]
            folder = Path(__file__).parents[1]
            self._process = subprocess.Popen(arguments, pass_fds=[theirs.fileno()], cwd=folder)
        atexit.register(self._stop)

    def _stop(self) -> None:
        self._control.close()
        self._process.wait()

    def fork(self, request: Mapping[str, Any], streams: Sequence[int]) -> ForkedProcess:
        ending, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, self._lock:
            socket.send_fds(self._control, [json.dumps(request).encode()], [theirs.fileno(), *streams])
            return ForkedProcess(int(self._control.recv(100)), ending)


_preloaded = cache(_Preloaded)


def concerns_interpreter(environment: Mapping[str, str]) -> bool:
    """Whether variables change how the interpreter starts, which a fork does not."""
    return any(name.startswith(("PYTHON", "LC_", "LANG")) for name in environment)


def start(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, *, stdout: int, stderr: int
) -> ForkedProcess:
    """Start `planso-connector` with these arguments; `environment` is all of it, the streams are file descriptors."""
    request = {"arguments": list(arguments), "environment": dict(environment), "folder": str(folder)}
    with open(os.devnull, "rb") as stdin:  # noqa: PTH123
        return _preloaded().fork(request, (stdin.fileno(), stdout, stderr))


def _wait_for_request(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork at each request; return it in the fork. In the parent return None when nobody can ask any more."""
    children: dict[int, tuple[int, int]] = {}  # process id and the descriptor to report to, by pidfd
    while True:
        for ready in select.select([control.fileno(), *children], [], [])[0]:
            if ready in children:
                pid, ending = children.pop(ready)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with suppress(OSError):  # nobody waits for it
                    os.write(ending, str(status).encode())
                os.close(ending)
                os.close(ready)
                continue
            message, descriptors, _, _ = socket.recv_fds(control, _MAX_MESSAGE, 8)
            if not message:
                return None
            ending, *streams = descriptors
            if (pid := os.fork()) == 0:
                for descriptor in (ending, *children, *(other for _, other in children.values())):
                    os.close(descriptor)
                control.close()
                return json.loads(message), streams
            children[os.pidfd_open(pid)] = pid, ending
            control.send(str(pid).encode())
            for descriptor in streams:
                os.close(descriptor)


def _take_over(request: dict[str, Any], streams: list[int]) -> None:
    """Become the process that was asked for."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ |= request["environment"]
    os.chdir(request["folder"])
    sys.argv = ["planso-connector", *request["arguments"]]
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def _main() -> None:
    for name in _IMPORTED:
        import_module(name)
    assert threading.active_count() == 1, "a fork has the calling thread alone"
    assert "planso_connector.commands" not in sys.modules
    gc.freeze()
    asked = _wait_for_request(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        _take_over(*asked)
        runpy.run_module("planso_connector", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
