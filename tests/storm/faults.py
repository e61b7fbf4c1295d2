"""
The faults of a storm. Each lasts some seconds at most and is over when its function returns; whether it broke something
is checked at the end of the storm.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import httpx2

from tests.network_faults import frozen
from tests.storm.system import PARALLEL_TOTAL, DatabaseKind, System

_HOLD_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""


@dataclass(frozen=True)
class Fault:
    """`do` raises AssertionError if the connector does not keep a promise during the fault."""

    name: str
    do: Callable[[System, Random], None]
    databases: tuple[DatabaseKind, ...] = ("sqlite", "postgresql", "pgbouncer")


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def _kill(system: System, _: Random) -> None:
    system.kill()
    system.start()


def _restart(system: System, _: Random) -> None:
    code = system.stop()
    assert code in (0, 143), f"exit code {code} after SIGTERM"
    system.start()


def _freeze(system: System, dice: Random) -> None:
    with system.frozen():
        _wait(dice.uniform(0.5, 4.0))


def _flood(system: System, dice: Random) -> None:
    """PlanSo hangs, with more dry runs and logins than the connector accepts at once; reads must be answered."""
    orders = sorted(system.planso.orders())
    is_over = threading.Event()

    def send_requests(number: int) -> None:
        order = orders[number % len(orders)]
        body = {"order_id": order, "external_calculation": "nicht gesendet"}
        with httpx2.Client(base_url=system.connector.address, timeout=20, verify=False) as http:
            while not is_over.wait(0.02):
                with suppress(httpx2.TransportError):
                    if number % 4:
                        response = http.put(f"/api/orders/{order}", params={"dry_run": "true"}, json=body)
                    else:
                        response = http.post("/api/auth/login")
                    if response.status_code == 503:
                        is_over.wait(float(response.headers.get("Retry-After", "1")))

    answered = 0
    with ThreadPoolExecutor(2 * PARALLEL_TOTAL) as pool:
        flooding = [pool.submit(send_requests, number) for number in range(2 * PARALLEL_TOTAL)]
        for _ in range(40):
            system.planso.set_knobs(hang_next=4 * PARALLEL_TOTAL)  # again and again: `planso_faults` resets it
            with suppress(httpx2.TransportError):
                answered += system.connector.http.get(f"/api/orders/{dice.choice(orders)}").status_code in (200, 404)
            _wait(0.05)
        is_over.set()
        system.planso.set_knobs(hang_next=0)
        for future in flooding:
            future.result()
    assert answered >= 20, f"only {answered} of 40 reads got a response during a flood of requests for PlanSo"


def _lock_sqlite(system: System, dice: Random) -> None:
    seconds = f"{dice.uniform(0.5, 8.0):.1f}"
    subprocess.run([sys.executable, "-c", _HOLD_LOCK, system.database_file, seconds], check=False, timeout=60)


def _move_sqlite_away(system: System, dice: Random) -> None:
    """Rename the database files, and rename them back."""
    paths = [path for path in system.folder.glob("connector.db*") if path.exists()]
    for path in paths:
        path.rename(path.with_name(f"away-{path.name}"))
    _wait(dice.uniform(1.5, 3.0))
    for path in system.folder.glob("connector.db*"):
        raise AssertionError(f"the connector created a new {path.name} in place of its database")
    for path in paths:
        path.with_name(f"away-{path.name}").rename(path)


def _stop_postgresql(system: System, dice: Random) -> None:
    assert system.server is not None
    system.server.stop()
    _wait(dice.uniform(0.2, 3.0))
    system.server.start()


def _stop_pooler(system: System, dice: Random) -> None:
    system.pooler.close()
    _wait(dice.uniform(0.2, 3.0))
    system.start_pooler()


def _freeze_postgresql(system: System, dice: Random) -> None:
    assert system.server is not None
    with frozen(system.server):
        _wait(dice.uniform(1.0, 14.0))


def _block_network(system: System, dice: Random) -> None:
    assert system.firewall is not None
    with system.firewall.closed():
        _wait(dice.uniform(1.0, 14.0))


def _forget_connections(system: System, _: Random) -> None:
    assert system.firewall is not None
    system.firewall.forget()
    _wait(3.0)


def _cut_connections(system: System, dice: Random) -> None:
    assert system.firewall is not None
    for _ in range(dice.randint(1, 4)):
        system.firewall.cut()
        _wait(0.3)


_SERVER: tuple[DatabaseKind, ...] = ("postgresql", "pgbouncer")
FAULTS = (
    Fault("kill -9", _kill),
    Fault("SIGTERM and start", _restart),
    Fault("process frozen", _freeze),
    Fault("flood of dry runs while PlanSo hangs", _flood),
    Fault("another program holds the database lock", _lock_sqlite, ("sqlite",)),
    Fault("database moved away and back", _move_sqlite_away, ("sqlite",)),
    Fault("PostgreSQL: immediate stop, start", _stop_postgresql, _SERVER),
    Fault("PgBouncer: stopped and started", _stop_pooler, ("pgbouncer",)),
    Fault("PostgreSQL: frozen", _freeze_postgresql, _SERVER),
    Fault("PostgreSQL: network down", _block_network, _SERVER),
    Fault("PostgreSQL: firewall forgets its connections", _forget_connections, _SERVER),
    Fault("PostgreSQL: connections cut", _cut_connections, _SERVER),
)
