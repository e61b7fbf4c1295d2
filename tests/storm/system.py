"""The processes of a storm: the sandbox, the database behind a firewall, and the connector."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from tests.databases import PostgresqlServer, running_server
from tests.laws import LAST, environment
from tests.network_faults import Firewall
from tests.pgbouncer import pooler
from tests.process import ConnectorProcess, SandboxProcess, free_port, sandbox_process

DatabaseKind = Literal["sqlite", "postgresql", "pgbouncer"]
ORDERS = 24
PARALLEL_TOTAL = 64
"""The connector's limit of concurrent requests; low, so that a storm can reach it."""
_SINKS = ("file", "file", "full disk", "no reader", "unread pipe")
"""Where the connector's log goes: one is drawn at each start."""


@dataclass
class System:
    """
    The system under test. `kills`: when the connector was killed, by `time.monotonic`. `peaks`: the peak resident
    memory of each process of the connector, in MB. `is_up`: whether the connector runs and is expected to respond.
    """

    database: DatabaseKind
    folder: Path
    dice: Random
    planso: SandboxProcess
    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    server: PostgresqlServer | None = None
    firewall: Firewall | None = None
    pooler: ExitStack = field(default_factory=ExitStack)
    """Holds the running PgBouncer, if there is one."""
    kills: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    is_up: threading.Event = field(default_factory=threading.Event)
    _pipes: list[int] = field(default_factory=list)
    _connector: ConnectorProcess | None = None

    @property
    def connector(self) -> ConnectorProcess:
        assert self._connector is not None
        return self._connector

    @property
    def database_file(self) -> Path:
        return self.folder / "connector.db"

    def start(self, sink: str | None = None) -> None:
        """Start the connector; its log goes to `sink`, one of _SINKS, drawn at random if not given."""
        output = self._open(sink or self.dice.choice(_SINKS))
        try:
            self._connector = ConnectorProcess(
                self.settings, self.folder, port=self.port, stderr=subprocess.STDOUT if output is None else output
            )
        finally:
            if output is not None:
                os.close(output)
        self._connector.wait_until_alive()
        self.is_up.set()

    def kill(self) -> None:
        self.is_up.clear()
        self.note_peak()
        self.kills.append(time.monotonic())
        self.connector.kill()
        self.connector.http.close()

    def stop(self) -> int:
        """Send SIGTERM, wait for the end, and return the exit code."""
        self.is_up.clear()
        self.note_peak()
        code = self.connector.stop()
        self.connector.http.close()
        return code

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the connector's process with SIGSTOP, and continue it at the end."""
        self.is_up.clear()
        os.kill(self.connector.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.connector.process.pid, signal.SIGCONT)
            self.is_up.set()

    def start_pooler(self) -> None:
        """Start PgBouncer; stop the running one first."""
        assert self.server is not None
        assert self.firewall is not None
        self.pooler.close()
        self.firewall.upstream_port = self.pooler.enter_context(pooler(self.server))

    def note_peak(self) -> None:
        """Add the running process's peak memory to `peaks`. Source: proc(5), VmHWM."""
        with suppress(OSError):
            status = Path(f"/proc/{self.connector.process.pid}/status").read_text("ascii")
            kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
            self.peaks.append(int(kilobytes) / 1024)

    def _open(self, sink: str) -> int | None:
        """Return a file descriptor for the log; None for a file."""
        if sink == "full disk":
            return os.open("/dev/full", os.O_WRONLY)
        if sink == "file":
            return None
        reader, writer = os.pipe()
        if sink == "no reader":
            os.close(reader)
        else:
            self._pipes.append(reader)  # kept open and never read
        return writer

    def close(self) -> None:
        self.pooler.close()
        if self._connector is not None and self._connector.process.poll() is None:
            self.connector.kill()
        for pipe in self._pipes:
            os.close(pipe)


@contextmanager
def running_system(database: DatabaseKind, folder: Path, seed: int) -> Iterator[System]:
    """Run the processes of a storm, with a mirror that has been filled by one sync."""
    with ExitStack() as stack:
        planso = stack.enter_context(sandbox_process(folder, orders=ORDERS))
        planso.set_knobs(saves_within=LAST)
        server, firewall = None, None
        if database == "sqlite":
            url = f"sqlite:///{folder}/connector.db"
        else:
            server = stack.enter_context(running_server())
            firewall = Firewall(server.folder)
            stack.callback(firewall.end)
            url = f"postgresql://postgres@127.0.0.1:{firewall.port}/{server.create_database()}"
        settings = {
            **environment(planso.address, url),
            "CONNECTOR_SYNC_INTERVAL": "4",
            "CONNECTOR_SYNC_HOURS": "00:00-24:00",
            "CONNECTOR_PARALLEL_TOTAL": str(PARALLEL_TOTAL),
        }
        system = System(database, folder, Random(f"{seed} system"), planso, settings, server=server, firewall=firewall)
        stack.callback(system.close)
        if database == "pgbouncer":
            system.start_pooler()
        system.start("file")
        system.connector.wait_for_sync()
        yield system
