"""PlanSo's stand-in and the connector in processes of their own, so that each one's work is counted for itself."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from tests.process import ConnectorProcess, connector_process


@contextmanager
def planso(orders: int, latency: float, *, seed: int = 1) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "planso_connector", "sandbox", "--port", str(port)]
    command += ["--orders", str(orders), "--latency", str(latency), "--seed", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                httpx2.get(f"{url}/app", timeout=5)
                break
            except httpx2.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


@contextmanager
def connector(url: str, **settings: str) -> Iterator[ConnectorProcess]:
    """At its first sync, with nothing else to do. `settings` by their names in the environment."""
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
