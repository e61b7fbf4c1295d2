"""Twice what the connector can do: what it takes meanwhile, what it tells the others, and how soon it is over."""

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

from bench.flood import Ask, Flood, Found, at
from bench.processes import connector, planso

SECONDS = float(os.environ.get("BENCH_OVERLOAD_SECONDS", "60"))
"""Of each of both loads. Ten minutes are worth it now and then: `BENCH_OVERLOAD_SECONDS=600`; 0 leaves it out."""
TIMES = float(os.environ.get("BENCH_OVERLOAD_TIMES", "2"))
ORDERS = 500
LATENCY = 0.005
"""Seconds of each of PlanSo's pages."""
CLIENTS = 16
"""Of the closed loop that finds the capacity."""
MEASURE = 8.0
SHARES = {"list": 0.5, "order": 0.3, "lookup": 0.13, "ready": 0.05, "put": 0.02}
POLITE = tuple(f"127.0.1.{number}" for number in range(1, 41))
GREEDY = "127.0.0.1"


def without_limits() -> str:
    """One address of this machine, which by default has no limits of its own."""
    return _measured("one address without limits", {}, [GREEDY])


def with_limits() -> str:
    sources = [address for polite in POLITE for address in (GREEDY, polite)]
    return _measured("half from one address, half from 40, limits", {"CONNECTOR_UNLIMITED_ADDRESSES": ""}, sources)


def _measured(name: str, settings: dict[str, str], sources: Sequence[str]) -> str:
    if not SECONDS:
        return "overload: not measured (BENCH_OVERLOAD_SECONDS=0)"
    with planso(ORDERS, LATENCY) as url, connector(url, **settings) as service:
        _synced(service)
        asks = Asks(service)
        port = int(service.address.rpartition(":")[2])
        # One address has a rate; to find what all can do together, many ask.
        finding = Flood(port, POLITE if settings else sources)
        capacity = finding.closed(asks.mixed(), CLIENTS, MEASURE)
        rate = len(capacity.latencies) / capacity.seconds
        _settled(service)
        prober = Flood(port, POLITE[:8])
        before = prober.closed(asks.reads(), 1, 3.0).latencies
        memory = [_resident(service)]
        flood = Flood(port, sources)
        found = flood.open(asks.mixed(), rate * TIMES, SECONDS, lambda: memory.append(_resident(service)))
        waiting = _pending(service)
        after = [prober.closed(asks.reads(), 1, 1.0).latencies for _ in range(3)]
        flood.rest()
        memory.append(_resident(service))
        lost = _lost(service, [*capacity.operations, *found.operations])
        for one in (finding, prober, flood):
            one.close()
    lines = [
        (
            f"{TIMES:g} times the capacity for {SECONDS:.0f} s, {name}: {rate:.0f}/s closed loop of {CLIENTS}, p99 "
            f"{at(capacity.latencies, 0.99):.0f} ms; asked {found.asked / found.seconds:.0f}/s"
        ),
        *_told(found),
        f"  memory {memory[0]} MB before, {memory[1]} MB half-way, {memory[2]} MB after",
        f"  alone before: p50 {at(before, 0.5):.1f} ms, p99 {at(before, 0.99):.1f} ms",
        *(
            f"  second {number} after: p50 {at(one, 0.5):.1f} ms, {at(one, 0.5) / at(before, 0.5):.2f} of before; "
            f"p99 {at(one, 0.99):.1f} ms, {at(one, 0.99) / at(before, 0.99):.2f} of before"
            for number, one in enumerate(after, 1)
        ),
        f"  writes accepted {len(found.operations)}, {waiting} of them carried to PlanSo afterwards, lost {lost}",
    ]
    return "\n".join(lines)


def _told(found: Found) -> Iterator[str]:
    every = found.latencies
    yield (
        f"  accepted {len(every) / found.seconds:.0f}/s: p50 {at(every, 0.5):.0f} ms, p99 {at(every, 0.99):.0f} ms ("
        + ", ".join(f"{kind} {at(took, 0.5):.0f}/{at(took, 0.99):.0f}" for kind, took in sorted(found.accepted.items()))
        + ")"
    )
    refused = ", ".join(f"{status}: {count}" for status, count in sorted(found.refused.items())) or "none"
    yield f"  refused with Retry-After {refused}; p50 {at(found.refusals, 0.5):.0f} ms"
    wrong = ", ".join(f"{what}: {count}" for what, count in sorted(found.wrong.items())) or "none"
    yield f"  anything else: {wrong}" + (f"; not sent, no connection free: {found.unsent}" if found.unsent else "")


class Asks:
    """What callers ask of these orders."""

    def __init__(self, service: ConnectorProcess) -> None:
        self._dice = random.Random(2)
        self._host = service.address.removeprefix("http://")
        listed = service.http.get("/api/orders", params={"limit": "500", "fields": "id,vehicle_details"}).json()
        self._ids = [order["id"] for order in listed["orders"]]
        self._plates = [order["vehicle_details"]["number_plate"] or "WN" for order in listed["orders"]]
        self._number = 0

    def mixed(self) -> Iterator[Ask]:
        kinds, weights = zip(*SHARES.items(), strict=True)
        while True:
            for kind in self._dice.choices(kinds, weights, k=1000):
                yield self._ask(kind)

    def reads(self) -> Iterator[Ask]:
        while True:
            yield self._ask(self._dice.choice(("list", "order")))

    def _ask(self, kind: str) -> Ask:
        order_id = self._dice.choice(self._ids)
        plate = quote_plus(self._dice.choice(self._plates))
        if kind == "put":
            self._number += 1
            body = json.dumps({"order_id": order_id, "remarks": f"Andrang {self._number} {time.monotonic_ns()}"})
            head = f"PUT /api/orders/{order_id} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json"
            return Ask(kind, f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        paths = {
            "list": f"/api/orders?plate={plate}",
            "order": f"/api/orders/{order_id}",
            "lookup": f"/api/lookup?plate={plate}",
            "ready": "/health/ready",
        }
        return Ask(kind, f"GET {paths[kind]} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())


def _synced(service: ConnectorProcess) -> None:
    while True:
        status = service.http.get("/api/sync/status").json()
        if status["state"] != "running" and status["last_result"] is not None:
            assert status["state"] == "idle", status
            return
        threading.Event().wait(0.5)


def _pending(service: ConnectorProcess) -> int:
    while (answer := service.http.get("/metrics")).status_code == 503:  # it has more to do than it can
        threading.Event().wait(0.05)
    found = re.search(r'^planso_connector_operations\{state="pending"\} (\S+)$', answer.text, re.MULTILINE)
    assert found is not None, answer.text
    return int(float(found[1]))


def _settled(service: ConnectorProcess) -> None:
    while _pending(service):
        threading.Event().wait(0.5)


def _lost(service: ConnectorProcess, accepted: Sequence[str]) -> int:
    """Of the writes that were accepted, those that are not in PlanSo though nothing is pending any more."""
    _settled(service)
    confirmed: set[str] = set()
    asked = {"state": "confirmed", "limit": "500"}
    while True:
        page = service.http.get("/api/operations", params=asked).json()
        confirmed.update(operation["id"] for operation in page["operations"])
        if page["next_cursor"] is None:
            return len(set(accepted) - confirmed)
        asked["cursor"] = page["next_cursor"]


def _resident(service: ConnectorProcess) -> int:
    """MB. Source: proc(5)."""
    status = Path(f"/proc/{service.process.pid}/status")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status.read_text("ascii"), re.MULTILINE) if status.exists() else None
    return int(found[1]) // 1024 if found else 0
