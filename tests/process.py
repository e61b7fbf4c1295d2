"""The connector as an operator runs it, and its sandbox: processes of their own, which can be killed."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx2

PATIENCE = 90.0


WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_numbers = count(secrets.randbelow(2000))


def free_port() -> int:
    """One that nobody gets by chance before it is used: not of those that the system deals out, each worker its own."""
    while True:
        port = 10_000 + 2000 * (WORKER % 10) + next(_numbers) % 2000
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class ConnectorProcess:
    """`stderr`: what its log goes to, in place of the file that `log` reads; `before` is called in the new process."""

    def __init__(
        self,
        environment: Mapping[str, str],
        folder: Path,
        *arguments: str,
        port: int | None = None,
        stderr: int = subprocess.STDOUT,
        before: Callable[[], None] | None = None,
    ) -> None:
        self._port = port or free_port()
        self._log = folder / f"log-{self._port}.txt"
        self.address = f"http://127.0.0.1:{self._port}"
        self.http = httpx2.Client(base_url=self.address, timeout=PATIENCE, verify=False)
        settings = {"CONNECTOR_PORT": str(self._port), "CONNECTOR_HOST": "127.0.0.1"}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "planso_connector", "serve", *arguments],
                env={**os.environ, **settings, **environment},
                cwd=folder,
                stdout=log,
                stderr=stderr,
                preexec_fn=before,
            )

    def wait_until_alive(self) -> None:
        """Waits until the port answers."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                if self.http.get("/health/live").status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            assert self.process.poll() is None, (self.process.returncode, self.log())
            assert time.monotonic() < until, self.log()
            threading.Event().wait(0.02)

    def wait_for_sync(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while True:
            answer = self.http.get("/api/sync/status")
            status: dict[str, Any] = answer.json()
            if answer.status_code == 200 and status["state"] != "running" and status["last_result"] is not None:
                return status
            assert time.monotonic() < until, status
            threading.Event().wait(0.02)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self) -> int:
        """An orderly end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")


@contextmanager
def connector_process(
    environment: Mapping[str, str], folder: Path, *arguments: str, port: int | None = None, **streams: Any
) -> Iterator[ConnectorProcess]:
    connector = ConnectorProcess(environment, folder, *arguments, port=port, **streams)
    try:
        connector.wait_until_alive()
        yield connector
    finally:
        connector.http.close()
        connector.stop()


class SandboxProcess:
    """PlanSo's stand-in in a process of its own; it outlives every connector."""

    def __init__(self, folder: Path, *, orders: int) -> None:
        port = free_port()
        self._log = folder / f"sandbox-{port}.txt"
        self.address = f"http://127.0.0.1:{port}"
        self.http = httpx2.Client(base_url=self.address, timeout=PATIENCE, verify=False)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "planso_connector", "sandbox", "--port", str(port), "--orders", str(orders)],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_alive(self) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.set_knobs()
            except httpx2.TransportError:
                assert self.process.poll() is None, self._log.read_text("utf-8", "replace")
                assert time.monotonic() < until, "the sandbox does not start"
                threading.Event().wait(0.02)
            else:
                return

    def set_knobs(self, **changes: Any) -> None:
        answer = self.http.post("/sandbox/knobs", json=changes)
        assert answer.status_code == 200, answer.text

    def orders(self) -> dict[int, dict[str, str]]:
        """Every order that there is: what a person reads, by label."""
        return {order["id"]: order["values"] for order in self.http.get("/sandbox/orders").json()["orders"]}

    def requests(self) -> list[dict[str, Any]]:
        """Members of the sandbox's RequestLog, oldest first."""
        found: list[dict[str, Any]] = self.http.get("/sandbox/requests").json()["requests"]
        return found

    def changes(self) -> list[dict[str, Any]]:
        """Members of the sandbox's Change, oldest first: whatever became otherwise in PlanSo."""
        found: list[dict[str, Any]] = self.http.get("/sandbox/changes").json()["changes"]
        return found


@contextmanager
def sandbox_process(folder: Path, *, orders: int) -> Iterator[SandboxProcess]:
    sandbox = SandboxProcess(folder, orders=orders)
    try:
        sandbox.wait_until_alive()
        yield sandbox
    finally:
        sandbox.http.close()
        sandbox.process.kill()
        sandbox.process.wait(PATIENCE)
