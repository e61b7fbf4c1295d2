"""
Many workshops in one process on PostgreSQL: memory, CPU of a round of syncs without changes, look-ups beside it, and
the time to start. PlanSo and the load generator run in other processes than the connector.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote_plus

from tests.process import ConnectorProcess
from tests.service import wait_until

from bench.load import Load, build_request, run_load
from bench.many_workshops import Installation, running_installation
from bench.processes import cpu_seconds, port_of

WORKSHOPS = int(os.environ.get("BENCH_WORKSHOPS", "1000"))
"""Filling takes minutes. `BENCH_WORKSHOPS=20 BENCH_WORKSHOP_ORDERS=30` is quick; 0 skips this benchmark."""
ORDERS = int(os.environ.get("BENCH_WORKSHOP_ORDERS", "300"))
INTERVAL = int(os.environ.get("BENCH_WORKSHOP_INTERVAL", "45"))
"""Seconds from one sync of a workshop to its next one: shorter than the default of 5 min, so that rounds come soon."""
ASKED = 50
"""Workshops whose orders are looked up."""
IDLE_SECONDS, LOOKUP_SECONDS = 5.0, 10.0
COPIED_RUNS = 2
"""Runs in the first workshop's mirror when it was copied."""


def measure_many_workshops() -> str:
    if not WORKSHOPS:
        return "many workshops: not measured (BENCH_WORKSHOPS=0)"
    alone, memory_of_one = _measure_one()
    with running_installation(WORKSHOPS, ORDERS) as installation:
        asked = random.Random(1).sample(installation.names, min(ASKED, WORKSHOPS))
        keys = installation.create_keys(asked)
        began = time.perf_counter()
        with installation.connector(CONNECTOR_SYNC_INTERVAL=f"{INTERVAL} s") as service:
            _list_orders(service, keys[asked[-1]])
            start = time.perf_counter() - began
            lines = [
                f"{WORKSHOPS} workshops of {ORDERS} orders in one process, PostgreSQL, PlanSo without latency:",
                f"  from start to the first answer of a registered workshop: {start:.1f} s (goal: 2)",
            ]
            lines += _measure_rounds(service, installation, keys, alone, memory_of_one)
    return "\n".join(lines)


def _measure_one() -> tuple[Load, int]:
    """Look-ups of a process with one workshop, and its memory."""
    with running_installation(1, ORDERS) as installation:
        keys = installation.create_keys(installation.names)
        with installation.connector(CONNECTOR_SYNC_INTERVAL="0") as service:
            lookups = _lookups(service, keys)
            return _look_up(service, lookups, LOOKUP_SECONDS), _read_memory(service)


def _measure_rounds(
    service: ConnectorProcess, installation: Installation, keys: dict[str, str], alone: Load, memory_of_one: int
) -> Iterator[str]:
    rounds = Rounds(installation)
    cpu, took = rounds.measure(service, 1)
    yield f"  first round of syncs, each with a login: {cpu:.1f} s of CPU in {took:.0f} s"
    memory = _read_memory(service)
    each = (memory - memory_of_one) / max(1, WORKSHOPS - 1)
    yield (
        f"  resident memory after it {memory} MB (goal: below 400 for 1000); with one workshop {memory_of_one} MB: "
        f"{each * 1000:.0f} KB for each other"
    )
    lookups = _lookups(service, keys)
    idle = _look_up(service, lookups, IDLE_SECONDS)
    cpu, took = rounds.measure(service, 2)
    yield (
        f"  a round without changes: {cpu:.1f} s of CPU in {took:.0f} s (goal: 15 for 1000), "
        f"{cpu / WORKSHOPS * 1000:.1f} ms a workshop"
    )
    before = cpu_seconds(service)
    threading.Event().wait(IDLE_SECONDS)
    yield f"  between rounds {(cpu_seconds(service) - before) / IDLE_SECONDS * 100:.1f} % of a core"
    rounds.wait_for_start(3)
    synced = rounds.count_runs()
    beside = _look_up(service, lookups, LOOKUP_SECONDS)
    synced = rounds.count_runs() - synced
    yield f"  look-ups, 1 client, another one each time: one workshop in a process alone {alone}"
    yield f"    {WORKSHOPS} workshops, between rounds {_compare(idle, alone)}"
    yield f"    beside {synced / beside.seconds:.1f} syncs a second {_compare(beside, alone)} (goal: 2)"
    yield f"  memory at the end {_read_memory(service)} MB; runs that failed: {rounds.count_failures()}"


def _compare(load: Load, alone: Load) -> str:
    return f"{load}; p99 {load.percentile(0.99) / alone.percentile(0.99):.2f} times"


class Rounds:
    """Rounds of syncs: a workshop's runs since its rows were copied."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def _count(self, number: int) -> int:
        """How many workshops have ended so many runs."""
        ended = "SELECT FROM sync_runs WHERE ended_at IS NOT NULL GROUP BY workshop HAVING count(*) >= %s"
        statement = f"SELECT count(*) FROM ({ended}) x"  # noqa: S608
        return int(str(self._installation.query(statement, COPIED_RUNS + number)[0][0]))

    def count_runs(self) -> int:
        return int(str(self._installation.query("SELECT count(*) FROM sync_runs WHERE ended_at IS NOT NULL")[0][0]))

    def count_failures(self) -> int:
        return int(str(self._installation.query("SELECT count(*) FROM sync_runs WHERE state = 'failed'")[0][0]))

    def wait_for_start(self, number: int) -> None:
        wait_until(lambda: self._count(number), f"round {number}", 10 * INTERVAL)

    def measure(self, service: ConnectorProcess, number: int) -> tuple[float, float]:
        """The connector's seconds of CPU, and the time, until all have synced; from now, or from the round's start."""
        if number > 1:
            self.wait_for_start(number)
        began, cpu = time.perf_counter(), cpu_seconds(service)
        everybody = len(self._installation.names)
        wait_until(lambda: self._count(number) == everybody, f"the end of round {number}", 20 * INTERVAL)
        return cpu_seconds(service) - cpu, time.perf_counter() - began


def _list_orders(service: ConnectorProcess, key: str) -> list[dict[str, str]]:
    params = {"limit": "500", "fields": "id,plate"}
    response = service.http.get("/api/orders", params=params, headers={"X-API-Key": key})
    assert response.status_code == 200, response.text
    orders: list[dict[str, str]] = response.json()["orders"]
    return orders


def _lookups(service: ConnectorProcess, keys: dict[str, str]) -> Iterator[bytes]:
    """Look-ups by plate, of these workshops in turn."""
    plates = [order["plate"] for order in _list_orders(service, next(iter(keys.values()))) if order["plate"]]
    for number in count():
        path = f"/api/lookup?plate={quote_plus(plates[number % len(plates)])}"
        for key in keys.values():
            yield build_request(path, f"X-API-Key: {key}")


def _look_up(service: ConnectorProcess, requests: Iterator[bytes], seconds: float) -> Load:
    run_load(port_of(service), requests, seconds=0.5)
    return run_load(port_of(service), requests, seconds=seconds)


def _read_memory(service: ConnectorProcess) -> int:
    """Return the resident memory in MB. Source: proc(5), VmRSS."""
    status = Path(f"/proc/{service.process.pid}/status").read_text("ascii")
    match = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert match is not None
    return int(match[1]) // 1024
