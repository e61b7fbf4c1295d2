"""A low limit of open files (`ulimit -n`): reported at the start, and the connector works within it."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from planso_connector.sandbox import Sandbox
from tests.laws import environment
from tests.process import connector_process, free_port
from tests.service import PATIENCE, wait_until


@contextmanager
def limited(
    files: int, folder: Path, planso: str, *, output: Path | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A connector with this limit of open files, and its address. Its log is in `folder`, or goes to `output`."""
    port = free_port()
    environment = {
        "PLANSO_URL": planso,
        "PLANSO_USER": "werkstatt",
        "PLANSO_PASSWORD": "demo",
        "CONNECTOR_PORT": str(port),
        "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/connector.db",
    }
    command = [sys.executable, "-m", "planso_connector", "serve"]
    with (output or folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", f'ulimit -n {files} && exec "$@"', "sh", *command],
            env={**os.environ, **environment},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE)


def test_too_few_files_are_refused_at_the_start(tmp_path: Path) -> None:
    """Exit code 2, and the message has the limit and what is needed; nothing is created."""
    with limited(32, tmp_path, "http://127.0.0.1:9") as (process, _):
        assert process.wait(PATIENCE) == 2

    log = " ".join((tmp_path / "log").read_text().split())
    assert "may have 32 files open (`ulimit -n`" in log
    assert "needs 64 at least" in log
    assert not (tmp_path / "connector.db").exists()


def test_few_files_are_told_and_last(tmp_path: Path) -> None:
    """It reports how many connections it accepts; more silent callers than that keep nobody out."""
    sandbox = Sandbox(orders=3)
    with sandbox.serve() as planso, limited(64, tmp_path, planso) as (process, address):

        def is_ready() -> bool:
            assert process.poll() is None, (tmp_path / "log").read_text()
            try:
                return httpx2.get(f"{address}/health/ready", timeout=PATIENCE, verify=False).status_code == 200
            except httpx2.TransportError:
                return False

        wait_until(is_ready, "the mirror")
        assert "allows 8 connections at once; 2000 need 2128" in (tmp_path / "log").read_text()
        host, port = address.removeprefix("http://").split(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(40)]
        try:
            wait_until(is_ready, "an answer beside the silent ones")
            order_id = sandbox.order_ids()[0]
            written = httpx2.put(
                f"{address}/api/orders/{order_id}",
                json={"order_id": order_id, "remarks": "neu"},
                timeout=PATIENCE,
                verify=False,
            )
            assert written.status_code == 200, written.text
        finally:
            for one in silent:
                one.close()
        wait_until(is_ready, "an answer afterwards")
    log = (tmp_path / "log").read_text()
    assert log.count("accept_failed") <= 1
    assert "Traceback" not in log


def test_a_warning_that_nobody_can_read_stops_no_start(tmp_path: Path) -> None:
    """Few files, and standard error on a full disk: SIGTERM finds a server that drains and ends with 0."""
    with (
        Sandbox(orders=3).serve() as planso,
        limited(100, tmp_path, planso, output=Path("/dev/full")) as (process, address),
    ):

        def listens() -> bool:
            assert process.poll() is None, process.returncode
            try:
                return httpx2.get(f"{address}/health/live", timeout=PATIENCE, verify=False).status_code == 200
            except httpx2.TransportError:
                return False

        wait_until(listens, "the connector")
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_what_runs_goes_on_without_a_file_more(tmp_path: Path) -> None:
    """The limit is lowered to what is open: whoever has a connection reads and writes, any field, any lookup."""
    sandbox = Sandbox(orders=3)
    order_id = sandbox.order_ids()[0]
    with (
        sandbox.serve() as planso,
        connector_process(environment(planso, f"sqlite:///{tmp_path}/connector.db"), tmp_path) as connector,
    ):
        connector.wait_for_sync()
        pid = connector.process.pid
        open_now = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now, open_now))
        number = {"phone": "+1 212 5551234"}
        found = connector.http.get("/api/orders", params=number)
        written = connector.http.patch(f"/api/orders/{order_id}", json=number, headers={"Prefer": "respond-async"})
        assert (found.status_code, written.status_code) == (200, 202), (found.text, written.text)


OUT_OF_FILES = """
import os, resource, sys
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine.database import Database
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
try:
    Database.open(f"sqlite:///{sys.argv[1]}")
except StoreUnavailable as error:
    print(error)
"""


def test_a_database_that_lacks_file_descriptors_says_so(sqlite_path: Path) -> None:
    """And does not send anybody to look at the file."""
    ran = subprocess.run(
        [sys.executable, "-c", OUT_OF_FILES, sqlite_path], check=True, capture_output=True, text=True, timeout=PATIENCE
    )

    assert "as many files open as it may (`ulimit -n`" in ran.stdout
