"""
Reads by key and by index: one order by its id, and the list of one number plate. Each request asks for another order,
which nobody asked for before, so none is answered from memory. The same question over and over is a line of its own.

The floor does only what can't be left out: a bare ASGI app that reads the same row with SQLite, on its event loop, and
responds with as many bytes. It runs in turn with the connector, under the same load generator.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from urllib.parse import urlencode

from tests.process import ConnectorProcess

from bench import orders
from bench.floor import serve_floor
from bench.load import Load, build_request, run_load
from bench.mirror import environment, run_connector
from bench.processes import measure_cpu, port_of
from planso_connector.domain.folding import fold_plate

COUNT = int(os.environ.get("BENCH_READ_ORDERS", "200000"))
"""BENCH_READ_ORDERS=1000000 is a workshop chain's twenty years; creating that takes minutes and 4 GB, once."""
CLIENTS = 1, 32
ROUNDS, ROUND_SECONDS, WARM_UP = 4, 1.0, 0.3
"""Servers are measured in turn, so that other load of the machine affects all alike."""
COLD_QUESTIONS = 500
RATE_GOAL, TAIL_GOAL = 0.5, 4.0
SETTINGS = {"CONNECTOR_LOG_LEVEL": "info", "CONNECTOR_RATE_LIMIT": "1000000/s"}
"""As in operation, each request is logged and counted against its key's rate limit."""


@dataclass
class Target:
    """A server and the requests to send it."""

    port: int
    process_id: int
    requests: Iterator[bytes]
    load: Load = field(default_factory=Load)
    cpu: float = 0.0
    """Seconds of CPU that the server used for `load`."""

    def measure(self, clients: int, seconds: float, at_least: int = 3) -> None:
        before = measure_cpu(self.process_id)
        load = run_load(self.port, self.requests, clients=clients, seconds=seconds, at_least=at_least)
        self.cpu += measure_cpu(self.process_id) - before
        self.load.add(load)

    def forget(self) -> None:
        self.load, self.cpu = Load(), 0.0

    def __str__(self) -> str:
        tail = self.load.percentile(0.99) / self.load.percentile(0.5)
        cpu = self.cpu / len(self.load.latencies) * 1e6
        return f"{self.load} ({tail:.1f} times p50), {cpu:.0f} us of CPU each"


@dataclass(frozen=True)
class Kind:
    """A kind of question: the connector's path and the floor's for an order's number."""

    name: str
    path: Callable[[int], str]
    floor_path: Callable[[int], str]


def _list_path(number: int) -> str:
    return "/api/orders?" + urlencode({"plate": orders.plate_of(number, COUNT)})


KINDS = (
    Kind(
        "id", lambda number: f"/api/orders/{orders.FIRST_ID + number}", lambda number: f"/id/{orders.FIRST_ID + number}"
    ),
    Kind("plate", _list_path, lambda number: f"/plate/{fold_plate(orders.plate_of(number, COUNT))}"),
)
NAMES = {"id": "one order by its id", "plate": "the list of one plate, one order found"}


def compare_reads() -> str:
    path = orders.path_of(COUNT)
    numbers = [number for number in range(COUNT) if orders.is_found_by_plate(number, COUNT)]
    random.Random(1).shuffle(numbers)
    key = create_key(path)
    lines = [f"reads of a mirror of {COUNT} orders, with an API key:"]
    with (
        run_connector(path, **SETTINGS) as service,
        serve_floor(path, _measure_extra(service, path, numbers[-1], key)) as floor,
    ):
        for kind in KINDS:
            targets = {
                "the connector": Target(
                    port_of(service),
                    service.process.pid,
                    _build_requests(kind.path, numbers, f"Authorization: Bearer {key}"),
                ),
                "the floor": Target(*floor, _build_requests(kind.floor_path, numbers)),
            }
            lines += _compare_cold(path, NAMES[kind.name], targets)
            for clients in CLIENTS:
                lines += _compare_warm(NAMES[kind.name], targets, clients)
        lines += _measure_repeated(service, _list_path(numbers[0]), key)
    return "\n".join(lines)


def _build_requests(make_path: Callable[[int], str], numbers: Sequence[int], *headers: str) -> Iterator[bytes]:
    return cycle([build_request(make_path(number), *headers) for number in numbers])


def _compare_cold(path: Path, name: str, targets: dict[str, Target]) -> Iterator[str]:
    """Each question is the first after the file was dropped from the system's memory, up to what those before read."""
    for target in targets.values():
        _drop_from_memory(path)
        target.measure(1, 0.0, COLD_QUESTIONS)
    yield f"  {name}, a different one each time; cold, the first {COLD_QUESTIONS} from disk, 1 client:"
    yield from _describe(targets)
    path.read_bytes()


def _compare_warm(name: str, targets: dict[str, Target], clients: int) -> Iterator[str]:
    for target in targets.values():
        target.measure(clients, WARM_UP)
        target.forget()
    for _ in range(ROUNDS):
        for target in targets.values():
            target.measure(clients, ROUND_SECONDS)
    yield f"  {name}, a different one each time; warm, {clients} clients:"
    yield from _describe(targets)


def _describe(targets: dict[str, Target]) -> Iterator[str]:
    for name, target in targets.items():
        yield f"    {name}: {target}"
    ours, floor = targets["the connector"], targets["the floor"]
    by_cpu = floor.cpu / len(floor.load.latencies) / (ours.cpu / len(ours.load.latencies))
    rate = ours.load.rate / floor.load.rate
    yield f"    the connector has {rate:.2f} of the floor's rate (goal: {RATE_GOAL}), {by_cpu:.2f} by CPU time"
    for target in targets.values():
        target.forget()


def _measure_repeated(service: ConnectorProcess, path: str, key: str) -> Iterator[str]:
    """The same list over and over, while nobody writes."""
    request = build_request(path, f"Authorization: Bearer {key}")
    target = Target(port_of(service), service.process.pid, cycle([request]))
    for clients in CLIENTS:
        target.measure(clients, WARM_UP)
        target.forget()
        target.measure(clients, ROUNDS * ROUND_SECONDS)
        yield f"  the list of one plate, the same one each time, {clients} clients: {target}"
        target.forget()


def create_key(path: Path) -> str:
    command = [sys.executable, "-m", "planso_connector", "keys", "create", "bench", "--scope", "orders:read"]
    settings = {**os.environ, **environment(path)}
    output = subprocess.run(command, env=settings, check=True, capture_output=True, text=True).stdout
    found = re.search(r"pc_[\w-]+", output)
    assert found is not None, output
    return found[0]


def _measure_extra(service: ConnectorProcess, path: Path, number: int, key: str) -> dict[str, int]:
    """How many bytes a response has besides the order's document in the database."""
    document = len(orders.stored_document(path, number))
    headers = {"Authorization": f"Bearer {key}"}
    sizes = {}
    for kind in KINDS:
        response = service.http.get(kind.path(number), headers=headers)
        assert response.status_code == 200, response.text
        assert kind.name == "id" or response.json()["count"] == 1, response.text
        sizes[kind.name] = len(response.content) - document
    return sizes


def _drop_from_memory(path: Path) -> None:
    """Drop the file from the system's page cache. Source: posix_fadvise(2)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
