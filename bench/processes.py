"""Run the sandbox and the connector in processes of their own, so that each one's CPU time is measured separately."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
from tests.process import ConnectorProcess, connector_process, free_port
from tests.service import wait_for_sync as wait_for_status
from tests.service import wait_until


@contextmanager
def planso(orders: int, latency: float, *, seed: int = 1) -> Iterator[str]:
    """Run a sandbox with a latency in seconds, and return its URL."""
    port = free_port()
    command = [sys.executable, "-m", "planso_connector", "sandbox", "--port", str(port)]
    command += ["--orders", str(orders), "--latency", str(latency), "--seed", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def is_alive() -> bool:
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{url}/app", timeout=5).is_success
        return False

    try:
        wait_until(is_alive, "the sandbox")
        yield url
    finally:
        process.terminate()
        process.wait()


@contextmanager
def connector(url: str, **settings: str) -> Iterator[ConnectorProcess]:
    """Run a connector that begins its first sync and then syncs only on demand. `settings`: environment variables."""
    environment = {
        "PLANSO_URL": url,
        "PLANSO_USER": "werkstatt",
        "PLANSO_PASSWORD": "demo",
        "CONNECTOR_SYNC_INTERVAL": "0",
        "CONNECTOR_LOG_LEVEL": "error",
        **settings,
    }
    with tempfile.TemporaryDirectory() as folder, connector_process(environment, Path(folder)) as running:
        yield running


@contextmanager
def run_server(command: Sequence[str], port: int) -> Iterator[int]:
    """Run a server in a process of its own until it listens, and stop it at the end; return its process id."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def is_listening() -> bool:
        assert process.poll() is None, f"{command[0]} did not start"
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        return False

    try:
        wait_until(is_listening, command[0])
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def measure_cpu(process_id: int) -> float:
    """Return the seconds of CPU that a process has used, all threads together. Source: proc(5), utime and stime."""
    fields = Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def port_of(service: ConnectorProcess) -> int:
    return int(service.address.rpartition(":")[2])


def wait_for_sync(service: ConnectorProcess) -> int:
    """Wait for the end of the sync, however long it takes, and return the number of orders that it read."""
    status = wait_for_status(service.http, patience=math.inf)
    assert status["state"] == "idle", status
    return int(status["last_result"]["done"])


def cpu_seconds(service: ConnectorProcess) -> float:
    """CPU seconds that the connector's process has used so far, in user and kernel mode."""
    return measure_cpu(service.process.pid)
