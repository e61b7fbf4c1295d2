"""The connector as an operator runs it: a process of its own, which can be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

PATIENCE = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ConnectorProcess:
    def __init__(self, environment: Mapping[str, str], folder: Path, *arguments: str) -> None:
        self._port = free_port()
        self._log = folder / f"log-{self._port}.txt"
        self.address = f"http://127.0.0.1:{self._port}"
        self.http = httpx2.Client(base_url=self.address, timeout=PATIENCE)
        settings = {"CONNECTOR_PORT": str(self._port), "CONNECTOR_HOST": "127.0.0.1"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "planso_connector", "serve", *arguments],
                env={**os.environ, **settings, **environment},
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def alive(self) -> None:
        """Waits until the port answers."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                if self.http.get("/health/live").status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            threading.Event().wait(0.02)

    def synced(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while True:
            status: dict[str, Any] = self.http.get("/api/sync/status").json()
            if status["state"] != "running" and status["last_result"] is not None:
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
def connector_process(environment: Mapping[str, str], folder: Path, *arguments: str) -> Iterator[ConnectorProcess]:
    connector = ConnectorProcess(environment, folder, *arguments)
    try:
        connector.alive()
        yield connector
    finally:
        connector.http.close()
        connector.stop()
