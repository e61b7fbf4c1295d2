"""
Two processes on one PostgreSQL against one: look-ups and accepted writes. And what the hanging writes of one workshop
do to the writes of another one.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, cycle
from pathlib import Path
from urllib.parse import quote_plus

import httpx2
from pydantic import SecretStr
from tests.databases import running_server
from tests.many_workshops import make_key
from tests.process import ConnectorProcess, connector_process
from tests.service import wait_for_sync, wait_until

from bench.flood import LoadGenerator, Request, Results, percentile
from bench.many_workshops import SECRETS_KEY, Installation, running_installation
from bench.processes import cpu_seconds, planso, port_of
from planso_connector import configuration
from planso_connector.domain import clock
from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.workshops import NewWorkshop
from planso_connector.settings import Settings
from planso_connector.store.engine.database import Database

WORKSHOPS, ORDERS = 20, 50
CLIENTS = 24
"""Of each process."""
SECONDS = float(os.environ.get("BENCH_PROCESS_SECONDS", "3"))
"""Of each measurement; 0 skips these benchmarks."""
ROUNDS = 3
"""One process and two are measured in turn, so that other load of the machine affects both alike."""
GOAL = 1.7
SETTINGS = {"CONNECTOR_SYNC_INTERVAL": "0", "CONNECTOR_PENDING": "1000000", "CONNECTOR_PARALLEL_TOTAL": "1000"}

HANGING = 32
"""Writes of one workshop that its PlanSo does not answer while another's are measured."""
HANG_ROUNDS, WRITERS = 4, 4
LATENCY = 0.005
"""Seconds of each request to the other's PlanSo."""


def compare_processes() -> str:
    if not SECONDS:
        return "two processes: not measured (BENCH_PROCESS_SECONDS=0)"
    with (
        running_installation(WORKSHOPS, ORDERS) as installation,
        installation.connector(**SETTINGS) as first,
        installation.connector(**SETTINGS) as second,
    ):
        keys = list(installation.create_keys(installation.names).values())
        answer = first.http.get(
            "/api/orders", params={"limit": "500", "fields": "id,plate"}, headers={"X-API-Key": keys[0]}
        )
        orders = [order for order in answer.raise_for_status().json()["orders"] if order["plate"]]
        _set_latency(f"{installation.planso}/w/{installation.names[0]}", 30.0)  # only accepting is measured
        lines = [
            (
                f"two processes against one, {WORKSHOPS} workshops, PostgreSQL, {CLIENTS} clients for each process, "
                f"{os.cpu_count()} cores for processes, PostgreSQL and clients:"
            ),
            f"  look-ups {_compare([first, second], [_lookups(keys, orders), _lookups(keys, orders)])}",
            f"  accepted writes {_compare([first, second], [_writes(keys, orders), _writes(keys, orders)])}",
        ]
    return "\n".join(lines)


def _compare(services: Sequence[ConnectorProcess], requests: Sequence[Iterator[Request]]) -> str:
    rates: dict[int, list[float]] = {1: [], 2: []}
    cores: dict[int, list[float]] = {1: [], 2: []}
    failed = 0
    generators = [LoadGenerator(port_of(service)) for service in services]
    for _ in range(ROUNDS):
        for number in (1, 2):
            before, began = sum(map(cpu_seconds, services)), time.perf_counter()
            with ThreadPoolExecutor(number) as pool:
                running = [
                    pool.submit(generator.run_closed_loop, made, CLIENTS, SECONDS)
                    for generator, made in list(zip(generators, requests, strict=True))[:number]
                ]
                results: list[Results] = [future.result() for future in running]
            seconds = time.perf_counter() - began
            rates[number].append(sum(len(one.latencies) for one in results) / seconds)
            cores[number].append((sum(map(cpu_seconds, services)) - before) / seconds)
            failed += sum(sum(one.wrong.values()) + sum(one.refused.values()) for one in results)
    for generator in generators:
        generator.close()
    one, two = (statistics.median(rates[number]) for number in (1, 2))
    busy = [statistics.median(cores[number]) for number in (1, 2)]
    return (
        f"{one:.0f}/s by one ({busy[0]:.1f} cores), {two:.0f}/s by two ({busy[1]:.1f} cores): {two / one:.2f} times "
        f"(goal: {GOAL}); by their own CPU {two / busy[1] / (one / busy[0]):.2f}; not accepted: {failed}"
    )


def _lookups(keys: Sequence[str], orders: Sequence[dict[str, str]]) -> Iterator[Request]:
    for order in cycle(orders):
        for key in keys:
            path = f"/api/lookup?plate={quote_plus(order['plate'])}"
            yield Request("lookup", f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n".encode())


def _writes(keys: Sequence[str], orders: Sequence[dict[str, str]], *, waits: bool = False) -> Iterator[Request]:
    """`waits`: for PlanSo."""
    numbers = count()
    for order in cycle(orders):
        for key in keys:
            body = json.dumps({"order_id": int(order["id"]), "remarks": f"Notiz {next(numbers)} {time.monotonic_ns()}"})
            head = f"PUT /api/orders/{order['id']} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n"
            head += "Content-Type: application/json\r\n" + ("" if waits else "Prefer: respond-async\r\n")
            yield Request("put", f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())


def _set_latency(url: str, seconds: float) -> None:
    httpx2.post(f"{url}/sandbox/knobs", json={"latency": seconds}).raise_for_status()


def compare_beside_hanging_writes() -> str:
    if not SECONDS:
        return "hanging writes: not measured (BENCH_PROCESS_SECONDS=0)"
    with (
        running_server() as server,
        planso(60, 0.0) as hanging,
        planso(60, LATENCY, seed=2) as other,
        tempfile.TemporaryDirectory() as folder,
    ):
        url = server.url(server.create_database())
        environment = Installation(server, url, hanging, ["hanging"]).environment(**SETTINGS)
        environment |= {"PLANSO_URL": hanging, "PLANSO_USER": "werkstatt", "PLANSO_PASSWORD": "demo"}
        with connector_process(environment, Path(folder), is_new_interpreter=True) as service:
            _register(url, hanging, other)
            keys = {name: make_key(url, name, Scope.ADMIN) for name in ("hanging", "other")}
            return _measure_hanging(service, hanging, keys)


def _register(url: str, hanging: str, other: str) -> None:
    """Add the other workshop to the registry, beside that of the environment."""

    async def add() -> None:
        settings = Settings(
            _env_file=None,
            planso_url=hanging,
            connector_workshop="hanging",
            connector_secrets_key=SecretStr(SECRETS_KEY),
        )
        database = Database.open(url)
        registry = configuration.workshop_registry(settings, database, clock.now)
        await registry.add(NewWorkshop("other", other, "werkstatt", "demo"))
        await database.close()

    asyncio.run(add())


def _measure_hanging(service: ConnectorProcess, hanging: str, keys: dict[str, str]) -> str:
    orders = {}
    for name, key in keys.items():
        with httpx2.Client(base_url=service.address, headers={"X-API-Key": key}, timeout=60) as http:
            wait_for_sync(http)
            orders[name] = http.get("/api/orders", params={"limit": "500", "fields": "id"}).json()["orders"]
    generator = LoadGenerator(port_of(service))
    written = _writes([keys["other"]], orders["other"], waits=True)
    blocked = _writes([keys["hanging"]], orders["hanging"])
    generator.run_closed_loop(written, 1, 1.0)
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(HANG_ROUNDS):
        for is_hanging in (False, True):
            if is_hanging:
                _set_latency(hanging, 2 * SECONDS)
                generator.run_closed_loop(blocked, HANGING, 0.001)  # each client sends one
            results = generator.run_closed_loop(written, WRITERS, SECONDS)
            assert not results.wrong, results.wrong
            found[is_hanging] += results.latencies
            if is_hanging:
                assert _count_pending(service, keys["hanging"]), "no write hung"
                _set_latency(hanging, 0.0)
                _wait_until_settled(service, keys["hanging"])
    generator.close()
    calm, beside = (percentile(found[is_hanging], 0.99) for is_hanging in (False, True))
    medians = [percentile(found[is_hanging], 0.5) for is_hanging in (False, True)]
    return (
        f"confirmed writes, {WRITERS} clients, PlanSo with {LATENCY * 1000:.0f} ms: p50 {medians[0]:.0f} ms, p99 "
        f"{calm:.0f} ms ({len(found[False])} writes); beside {HANGING} hanging writes of another workshop p50 "
        f"{medians[1]:.0f} ms, p99 {beside:.0f} ms: {beside / calm:.2f} times (goal: 1.10)"
    )


def _count_pending(service: ConnectorProcess, key: str) -> int:
    params = {"state": "pending", "limit": "500"}
    answer = service.http.get("/api/operations", params=params, headers={"X-API-Key": key})
    return int(answer.raise_for_status().json()["count"])


def _wait_until_settled(service: ConnectorProcess, key: str) -> None:
    wait_until(lambda: not _count_pending(service, key), "the writes of the workshop that hung", 120)
