"""A load of twice the capacity: what is accepted and refused, at which latency, and how fast the connector recovers."""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote_plus

from tests.process import ConnectorProcess
from tests.service import wait_until

from bench.flood import LoadGenerator, Request, Results, percentile
from bench.processes import connector, planso, port_of, wait_for_sync

SECONDS = float(os.environ.get("BENCH_OVERLOAD_SECONDS", "60"))
"""Duration of each overload. `BENCH_OVERLOAD_SECONDS=600` is worth it now and then; 0 skips the benchmark."""
TIMES = float(os.environ.get("BENCH_OVERLOAD_TIMES", "2"))
"""The load as a multiple of the capacity."""
ORDERS = 500
LATENCY = 0.005
"""Seconds of each PlanSo request."""
CLIENTS = 16
"""Clients of the closed loop that measures the capacity."""
CAPACITY_SECONDS = 8.0
SHARES = {"list": 0.5, "order": 0.3, "lookup": 0.13, "ready": 0.05, "put": 0.02}
ADDRESSES = tuple(f"127.0.1.{number}" for number in range(1, 41))
GREEDY_ADDRESS = "127.0.0.1"


def measure_without_limits() -> str:
    """All requests from one local address, which by default has no rate limit."""
    return _measure("one address without limits", {}, [GREEDY_ADDRESS])


def measure_with_limits() -> str:
    """Half of the requests from one address, half from 40 others, all with rate limits."""
    sources = [source for address in ADDRESSES for source in (GREEDY_ADDRESS, address)]
    return _measure("half from one address, half from 40, rate limits", {"CONNECTOR_UNLIMITED_ADDRESSES": ""}, sources)


def _measure(name: str, settings: dict[str, str], sources: Sequence[str]) -> str:
    if not SECONDS:
        return "overload: not measured (BENCH_OVERLOAD_SECONDS=0)"
    with planso(ORDERS, LATENCY) as url, connector(url, **settings) as service:
        wait_for_sync(service)
        requests = Requests(service)
        port = port_of(service)
        # From many addresses, as one alone would measure its rate limit.
        measuring = LoadGenerator(port, ADDRESSES if settings else sources)
        capacity = measuring.run_closed_loop(requests.mixed(), CLIENTS, CAPACITY_SECONDS)
        rate = len(capacity.latencies) / capacity.seconds
        _wait_until_settled(service)
        probe = LoadGenerator(port, ADDRESSES[:8])
        before = probe.run_closed_loop(requests.reads(), 1, 3.0).latencies
        memory = [_read_memory(service)]
        overload = LoadGenerator(port, sources)
        results = overload.run_open_loop(
            requests.mixed(), rate * TIMES, SECONDS, lambda: memory.append(_read_memory(service))
        )
        pending = _count_pending(service)
        after = [probe.run_closed_loop(requests.reads(), 1, 1.0).latencies for _ in range(3)]
        overload.drain()
        memory.append(_read_memory(service))
        lost = _count_lost(service, [*capacity.operations, *results.operations])
        for generator in (measuring, probe, overload):
            generator.close()
    lines = [
        (
            f"{TIMES:g} times the capacity for {SECONDS:.0f} s, {name}: {rate:.0f}/s closed loop of {CLIENTS}, p99 "
            f"{percentile(capacity.latencies, 0.99):.0f} ms; sent {results.sent / results.seconds:.0f}/s"
        ),
        *_describe(results),
        f"  memory {memory[0]} MB before, {memory[1]} MB at half time, {memory[2]} MB after",
        f"  one client before: p50 {percentile(before, 0.5):.1f} ms, p99 {percentile(before, 0.99):.1f} ms",
        *(
            f"  one client, second {number} after: "
            + ", ".join(
                f"{name} {percentile(latencies, share):.1f} ms, "
                f"{percentile(latencies, share) / percentile(before, share):.2f} of before"
                for name, share in (("p50", 0.5), ("p99", 0.99))
            )
            for number, latencies in enumerate(after, 1)
        ),
        f"  accepted writes {len(results.operations)}, {pending} of them saved to PlanSo afterwards, lost {lost}",
    ]
    return "\n".join(lines)


def _describe(results: Results) -> Iterator[str]:
    def quantiles(latencies: Sequence[float]) -> str:
        return f"{percentile(latencies, 0.5):.0f}/{percentile(latencies, 0.99):.0f}"

    by_kind = ", ".join(f"{kind} {quantiles(latencies)}" for kind, latencies in sorted(results.accepted.items()))
    rate = len(results.latencies) / results.seconds
    yield f"  accepted {rate:.0f}/s, p50/p99 in ms: {quantiles(results.latencies)} ({by_kind})"
    refused = ", ".join(f"{status}: {count}" for status, count in sorted(results.refused.items())) or "none"
    yield f"  refused with Retry-After {refused}; p50 {percentile(results.refusals, 0.5):.0f} ms"
    errors = ", ".join(f"{error}: {count}" for error, count in sorted(results.wrong.items())) or "none"
    yield f"  errors: {errors}" + (f"; not sent, no connection free: {results.unsent}" if results.unsent else "")


class Requests:
    """Requests for the orders of a connector, drawn at random."""

    def __init__(self, service: ConnectorProcess) -> None:
        self._dice = random.Random(2)
        self._host = service.address.removeprefix("http://")
        listed = service.http.get("/api/orders", params={"limit": "500", "fields": "id,vehicle_details"}).json()
        self._ids = [order["id"] for order in listed["orders"]]
        self._plates = [order["vehicle_details"]["number_plate"] or "WN" for order in listed["orders"]]
        self._number = 0

    def mixed(self) -> Iterator[Request]:
        """Yield requests of all kinds, by SHARES."""
        kinds, weights = zip(*SHARES.items(), strict=True)
        while True:
            for kind in self._dice.choices(kinds, weights, k=1000):
                yield self._make(kind)

    def reads(self) -> Iterator[Request]:
        """Yield requests for lists and orders."""
        while True:
            yield self._make(self._dice.choice(("list", "order")))

    def _make(self, kind: str) -> Request:
        order_id = self._dice.choice(self._ids)
        plate = quote_plus(self._dice.choice(self._plates))
        if kind == "put":
            self._number += 1
            body = json.dumps({"order_id": order_id, "remarks": f"Andrang {self._number} {time.monotonic_ns()}"})
            head = f"PUT /api/orders/{order_id} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json"
            return Request(kind, f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        paths = {
            "list": f"/api/orders?plate={plate}",
            "order": f"/api/orders/{order_id}",
            "lookup": f"/api/lookup?plate={plate}",
            "ready": "/health/ready",
        }
        return Request(kind, f"GET {paths[kind]} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())


def _count_pending(service: ConnectorProcess) -> int:
    response = wait_until(lambda: (found := service.http.get("/metrics")).status_code != 503 and found, "/metrics")
    assert response
    match = re.search(r'^planso_connector_operations\{state="pending"\} (\S+)$', response.text, re.MULTILINE)
    assert match is not None, response.text
    return int(float(match[1]))


def _wait_until_settled(service: ConnectorProcess) -> None:
    while _count_pending(service):
        threading.Event().wait(0.5)


def _count_lost(service: ConnectorProcess, accepted: Sequence[str]) -> int:
    """Wait until nothing is pending, and count the accepted writes that are not confirmed."""
    _wait_until_settled(service)
    confirmed: set[str] = set()
    params = {"state": "confirmed", "limit": "500"}
    while True:
        page = service.http.get("/api/operations", params=params).json()
        confirmed.update(operation["id"] for operation in page["operations"])
        if page["next_cursor"] is None:
            return len(set(accepted) - confirmed)
        params["cursor"] = page["next_cursor"]


def _read_memory(service: ConnectorProcess) -> int:
    """Return the resident memory in MB. Source: proc(5), VmRSS."""
    status = Path(f"/proc/{service.process.pid}/status")
    match = re.search(r"^VmRSS:\s+(\d+) kB$", status.read_text("ascii"), re.MULTILINE) if status.exists() else None
    return int(match[1]) // 1024 if match else 0
