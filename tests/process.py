"""Run a connector and its sandbox as processes of their own, which can be killed."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx2

from tests import preloaded
from tests.service import PATIENCE, wait_for_sync, wait_until

_numbers = count(secrets.randbelow(2000))


def free_port() -> int:
    """
    Return a free TCP port that nothing else takes before it is used: below the kernel's ephemeral range, and from a
    range of its own for each worker of the tests.
    """
    worker = int(os.environ.get("TEST_WORKER", "0"))
    while True:
        port = 10_000 + 2000 * (worker % 10) + next(_numbers) % 2000
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class ConnectorProcess:
    """
    A running `planso-connector serve`. `http` is a client of it.

    `stderr`: file descriptor for its log, in place of the file that `log` reads. `before`: called in the new process
    before it becomes the connector. `is_new_interpreter`: not a fork of a process that has the libraries. `prefix`: a
    command that runs it.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        folder: Path,
        *arguments: str,
        port: int | None = None,
        stderr: int = subprocess.STDOUT,
        before: Callable[[], None] | None = None,
        is_new_interpreter: bool = False,
        prefix: Sequence[str] = (),
    ) -> None:
        self._port = port or free_port()
        self._log = folder / f"log-{self._port}.txt"
        self.address = f"http://127.0.0.1:{self._port}"
        self.http = httpx2.Client(base_url=self.address, timeout=PATIENCE, verify=False)
        settings = {"CONNECTOR_PORT": str(self._port), "CONNECTOR_HOST": "127.0.0.1"}
        command, whole = ("serve", *arguments), {**os.environ, **settings, **environment}
        self.process: subprocess.Popen[bytes] | preloaded.ForkedProcess
        with self._log.open("ab") as log:
            if is_new_interpreter or prefix or before is not None or preloaded.concerns_interpreter(environment):
                self.process = subprocess.Popen(
                    [*prefix, sys.executable, "-m", "planso_connector", *command],
                    env=whole,
                    cwd=folder,
                    stdout=log,
                    stderr=stderr,
                    preexec_fn=before,
                )
            else:
                output = log.fileno()
                errors = output if stderr == subprocess.STDOUT else stderr
                self.process = preloaded.start(command, whole, folder, stdout=output, stderr=errors)

    def wait_until_alive(self) -> None:
        """Wait for a response on its port. Raises AssertionError if the process ends instead."""

        def is_alive() -> bool:
            assert self.process.poll() is None, (self.process.returncode, self.log())
            try:
                return self.http.get("/health/live").status_code == 200
            except httpx2.TransportError:
                return False

        wait_until(is_alive, "the connector to start")

    def wait_for_sync(self) -> dict[str, Any]:
        """Wait until no sync is running and one has ended, and return the sync status."""
        return wait_for_sync(self.http)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self) -> int:
        """Send SIGTERM, wait for the end, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")


@contextmanager
def connector_process(
    environment: Mapping[str, str], folder: Path, *arguments: str, port: int | None = None, **streams: Any
) -> Iterator[ConnectorProcess]:
    """Run a connector process, and stop it with SIGTERM at the end."""
    connector = ConnectorProcess(environment, folder, *arguments, port=port, **streams)
    try:
        connector.wait_until_alive()
        yield connector
    finally:
        connector.http.close()
        connector.stop()


class SandboxProcess:
    """A running `planso-connector sandbox`; it outlives the connectors that a test kills. `http` is a client of it."""

    def __init__(self, folder: Path, *, orders: int) -> None:
        port = free_port()
        self._log = folder / f"sandbox-{port}.txt"
        self.address = f"http://127.0.0.1:{port}"
        self.http = httpx2.Client(base_url=self.address, timeout=PATIENCE, verify=False)
        with self._log.open("wb") as log:
            arguments = ("sandbox", "--port", str(port), "--orders", str(orders))
            output = log.fileno()
            self.process = preloaded.start(arguments, os.environ, folder, stdout=output, stderr=output)

    def wait_until_alive(self) -> None:
        """Wait for a response on its port. Raises AssertionError if the process ends instead."""

        def is_alive() -> bool:
            assert self.process.poll() is None, self._log.read_text("utf-8", "replace")
            try:
                self.set_knobs()
            except httpx2.TransportError:
                return False
            return True

        wait_until(is_alive, "the sandbox to start")

    def set_knobs(self, **changes: Any) -> None:
        response = self.http.post("/sandbox/knobs", json=changes)
        assert response.status_code == 200, response.text

    def orders(self) -> dict[int, dict[str, str]]:
        """Return the displayed values of every order, by id and label."""
        return {order["id"]: order["values"] for order in self.http.get("/sandbox/orders").json()["orders"]}

    def requests(self) -> list[dict[str, Any]]:
        """Return the sandbox's request log as JSON, oldest first; members as in `RequestLog`."""
        found: list[dict[str, Any]] = self.http.get("/sandbox/requests").json()["requests"]
        return found

    def changes(self) -> list[dict[str, Any]]:
        """Return every change of a value in the sandbox as JSON, oldest first; members as in `Change`."""
        found: list[dict[str, Any]] = self.http.get("/sandbox/changes").json()["changes"]
        return found


@contextmanager
def sandbox_process(folder: Path, *, orders: int) -> Iterator[SandboxProcess]:
    """Run a sandbox process, and kill it at the end."""
    sandbox = SandboxProcess(folder, orders=orders)
    try:
        sandbox.wait_until_alive()
        yield sandbox
    finally:
        sandbox.http.close()
        sandbox.process.kill()
        sandbox.process.wait(PATIENCE)
