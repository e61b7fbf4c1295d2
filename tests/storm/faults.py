"""
What a storm does to the connector and its surroundings. Each fault begins, lasts some seconds and is over; what it may
break is held against the laws at the end.
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
from tests.storm.scene import PARALLEL_TOTAL, Kind, Scene

_HOLD_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""


@dataclass(frozen=True)
class Fault:
    name: str
    do: Callable[[Scene, Random], None]
    databases: tuple[Kind, ...] = ("sqlite", "postgresql", "pgbouncer")


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def _kill(scene: Scene, _: Random) -> None:
    scene.kill()
    scene.start()


def _restart(scene: Scene, _: Random) -> None:
    code = scene.stop()
    assert code in (0, 143), f"SIGTERM ended it with exit code {code}"
    scene.start()


def _freeze(scene: Scene, dice: Random) -> None:
    with scene.frozen():
        _wait(dice.uniform(0.5, 4.0))


def _flood(scene: Scene, dice: Random) -> None:
    """PlanSo hangs, and more dry runs and logins come than the connector answers at once; reads must go on."""
    orders = sorted(scene.planso.orders())

    over = threading.Event()

    def wait_for_planso(number: int) -> None:
        order = orders[number % len(orders)]
        body = {"order_id": order, "external_calculation": "nicht gesendet"}
        with httpx2.Client(base_url=scene.connector.address, timeout=20, verify=False) as http:
            while not over.wait(0.02):
                with suppress(httpx2.TransportError):
                    if number % 4:
                        answer = http.put(f"/api/orders/{order}", params={"dry_run": "true"}, json=body)
                    else:
                        answer = http.post("/api/auth/login")
                    if answer.status_code == 503:
                        over.wait(float(answer.headers.get("Retry-After", "1")))

    answered = 0
    with ThreadPoolExecutor(2 * PARALLEL_TOTAL) as pool:
        waiting = [pool.submit(wait_for_planso, number) for number in range(2 * PARALLEL_TOTAL)]
        for _ in range(40):
            scene.planso.set_knobs(hang_next=4 * PARALLEL_TOTAL)  # again and again: the weather resets it
            with suppress(httpx2.TransportError):
                answered += scene.connector.http.get(f"/api/orders/{dice.choice(orders)}").status_code in (200, 404)
            _wait(0.05)
        over.set()
        scene.planso.set_knobs(hang_next=0)
        for one in waiting:
            one.result()
    assert answered >= 20, f"{answered} of 40 reads were answered while {2 * PARALLEL_TOTAL} requests waited for PlanSo"


def _lock_sqlite(scene: Scene, dice: Random) -> None:
    seconds = f"{dice.uniform(0.5, 8.0):.1f}"
    subprocess.run([sys.executable, "-c", _HOLD_LOCK, scene.database_file, seconds], check=False, timeout=60)


def _move_sqlite_away(scene: Scene, dice: Random) -> None:
    """Somebody moves the folder's files away, and back."""
    names = [path for path in scene.folder.glob("connector.db*") if path.exists()]
    for path in names:
        path.rename(path.with_name(f"away-{path.name}"))
    _wait(dice.uniform(1.5, 3.0))
    for path in scene.folder.glob("connector.db*"):
        raise AssertionError(f"the connector made a new {path.name} in place of its database")
    for path in names:
        path.with_name(f"away-{path.name}").rename(path)


def _stop_postgresql(scene: Scene, dice: Random) -> None:
    assert scene.server is not None
    scene.server.stop()
    _wait(dice.uniform(0.2, 3.0))
    scene.server.start()


def _stop_pooler(scene: Scene, dice: Random) -> None:
    scene.pooler.close()
    _wait(dice.uniform(0.2, 3.0))
    scene.start_pooler()


def _freeze_postgresql(scene: Scene, dice: Random) -> None:
    assert scene.server is not None
    with frozen(scene.server):
        _wait(dice.uniform(1.0, 14.0))


def _silence(scene: Scene, dice: Random) -> None:
    assert scene.firewall is not None
    with scene.firewall.closed():
        _wait(dice.uniform(1.0, 14.0))


def _forget(scene: Scene, _: Random) -> None:
    assert scene.firewall is not None
    scene.firewall.forget()
    _wait(3.0)


def _cut(scene: Scene, dice: Random) -> None:
    assert scene.firewall is not None
    for _ in range(dice.randint(1, 4)):
        scene.firewall.cut()
        _wait(0.3)


_SERVER: tuple[Kind, ...] = ("postgresql", "pgbouncer")
FAULTS = (
    Fault("kill -9", _kill),
    Fault("SIGTERM and start", _restart),
    Fault("process frozen", _freeze),
    Fault("flood of dry runs while PlanSo hangs", _flood),
    Fault("another program holds the database's lock", _lock_sqlite, ("sqlite",)),
    Fault("database moved away and back", _move_sqlite_away, ("sqlite",)),
    Fault("PostgreSQL: immediate stop, start", _stop_postgresql, _SERVER),
    Fault("PgBouncer: stopped and started", _stop_pooler, ("pgbouncer",)),
    Fault("PostgreSQL: frozen", _freeze_postgresql, _SERVER),
    Fault("PostgreSQL: network silent", _silence, _SERVER),
    Fault("PostgreSQL: firewall forgets its connections", _forget, _SERVER),
    Fault("PostgreSQL: connections cut", _cut, _SERVER),
)
