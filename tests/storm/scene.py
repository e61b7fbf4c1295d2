"""The processes of a storm: the sandbox, the database behind a proxy, and the connector, started again and again."""

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

Kind = Literal["sqlite", "postgresql", "pgbouncer"]
ORDERS = 24
PARALLEL_TOTAL = 64
"""Requests that the connector answers at once; few, so that a storm can fill it."""
_SINKS = ("file", "file", "full disk", "no reader", "unread pipe")


@dataclass
class Scene:
    """`kind` is the database. `peaks` are the resident megabytes that each process of the connector had at most."""

    kind: Kind
    folder: Path
    dice: Random
    planso: SandboxProcess
    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    server: PostgresqlServer | None = None
    firewall: Firewall | None = None
    pooler: ExitStack = field(default_factory=ExitStack)
    """Holds the running PgBouncer, where there is one."""
    kills: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    is_up: threading.Event = field(default_factory=threading.Event)
    """Whether the connector runs and is expected to answer."""
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
        """Start the connector; its log goes to `sink`, one of _SINKS, drawn where none is given."""
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
        """SIGTERM; the exit code."""
        self.is_up.clear()
        self.note_peak()
        code = self.connector.stop()
        self.connector.http.close()
        return code

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While this lasts the connector's process is stopped (SIGSTOP)."""
        self.is_up.clear()
        os.kill(self.connector.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.connector.process.pid, signal.SIGCONT)
            self.is_up.set()

    def start_pooler(self) -> None:
        """Start PgBouncer, in place of the one that runs."""
        assert self.server is not None
        assert self.firewall is not None
        self.pooler.close()
        self.firewall.upstream_port = self.pooler.enter_context(pooler(self.server))

    def note_peak(self) -> None:
        with suppress(OSError):
            status = Path(f"/proc/{self.connector.process.pid}/status").read_text("ascii")
            kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
            self.peaks.append(int(kilobytes) / 1024)

    def _open(self, sink: str) -> int | None:
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
def scene(kind: Kind, folder: Path, seed: int) -> Iterator[Scene]:
    with ExitStack() as stack:
        planso = stack.enter_context(sandbox_process(folder, orders=ORDERS))
        planso.set_knobs(saves_within=LAST)
        server, between = None, None
        if kind == "sqlite":
            url = f"sqlite:///{folder}/connector.db"
        else:
            server = stack.enter_context(running_server())
            between = Firewall(server.folder)
            stack.callback(between.end)
            url = f"postgresql://postgres@127.0.0.1:{between.port}/{server.create_database()}"
        settings = {
            **environment(planso.address, url),
            "CONNECTOR_SYNC_INTERVAL": "4",
            "CONNECTOR_SYNC_HOURS": "00:00-24:00",
            "CONNECTOR_PARALLEL_TOTAL": str(PARALLEL_TOTAL),
        }
        found = Scene(kind, folder, Random(f"{seed} scene"), planso, settings, server=server, firewall=between)
        stack.callback(found.close)
        if kind == "pgbouncer":
            found.start_pooler()
        found.start("file")
        found.connector.wait_for_sync()
        yield found
