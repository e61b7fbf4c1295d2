"""Clients of the connector during a storm, beside the callers that write: probes, a reader, one that sends garbage."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import httpx2

from tests.storm.system import System

READY_WITHIN = 5.0
"""Seconds for a response of readiness; 2 s are promised, the rest allows for a busy machine."""


@dataclass
class Findings:
    """What the clients observed. `statuses` counts responses, `problems` must stay empty, `longest_*` are seconds."""

    statuses: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    longest_live: float = 0.0
    longest_ready: float = 0.0
    longest_read: float = 0.0


class Clients:
    """Threads that send requests until `end`. Time limits apply only to responses while the connector was up."""

    def __init__(self, system: System, seed: int) -> None:
        self.findings = Findings()
        self._system = system
        self._is_over = threading.Event()
        self._dice = Random(f"{seed} clients")
        orders = sorted(system.planso.orders())
        jobs: list[tuple[Callable[[httpx2.Client], None], float]] = [
            (self._check_liveness, 0.02),
            (self._check_readiness, 0.3),
            (lambda http: self._read(http, orders), 0.02),
            (lambda http: self._send_garbage(http, orders), 0.1),
        ]
        self._threads = [threading.Thread(target=self._run, args=job, daemon=True) for job in jobs]
        for thread in self._threads:
            thread.start()

    def end(self) -> Findings:
        self._is_over.set()
        for thread in self._threads:
            thread.join(60)
        return self.findings

    def _run(self, request: Callable[[httpx2.Client], None], pause: float) -> None:
        with httpx2.Client(base_url=self._system.connector.address, timeout=60) as http:
            while not self._is_over.wait(pause):
                try:
                    request(http)
                except httpx2.TransportError:
                    self.findings.statuses["no connection"] += 1
                except Exception as error:  # noqa: BLE001 - reported at the end
                    self.findings.problems.append(f"{request}: {error!r}")

    def _get(self, http: httpx2.Client, path: str) -> tuple[httpx2.Response, float | None]:
        """Return the response and the seconds it took; None instead of these if the connector was down meanwhile."""
        kills, was_up, began = len(self._system.kills), self._system.is_up.is_set(), time.monotonic()
        response = http.get(path)
        seconds = time.monotonic() - began
        was_up = was_up and self._system.is_up.is_set() and len(self._system.kills) == kills
        return response, seconds if was_up else None

    def _check_liveness(self, http: httpx2.Client) -> None:
        response, seconds = self._get(http, "/health/live")
        if response.status_code != 200:
            self.findings.problems.append(f"/health/live: {response.status_code}")
        self.findings.longest_live = max(self.findings.longest_live, seconds or 0.0)

    def _check_readiness(self, http: httpx2.Client) -> None:
        response, seconds = self._get(http, "/health/ready")
        self.findings.statuses[f"ready {response.status_code}"] += 1
        self.findings.longest_ready = max(self.findings.longest_ready, seconds or 0.0)
        if seconds is not None and seconds > READY_WITHIN:
            self.findings.problems.append(f"/health/ready took {seconds:.1f} s")

    def _read(self, http: httpx2.Client, orders: list[int]) -> None:
        order = self._dice.choice(orders)
        path = self._dice.choice((f"/api/orders/{order}", "/api/orders?limit=50", "/api/orders?plate=WN-AE%202309"))
        response, seconds = self._get(http, path)
        self.findings.statuses[f"read {response.status_code}"] += 1
        self.findings.longest_read = max(self.findings.longest_read, seconds or 0.0)
        if response.status_code not in (200, 404, 429, 503):
            self.findings.problems.append(f"{path}: {response.status_code} {response.text[:200]}")

    def _send_garbage(self, http: httpx2.Client, orders: list[int]) -> None:
        """Send a request that is no valid write: the response is JSON with `success: false`, and no 5xx but 503."""
        path, content, headers = make_garbage(self._dice, self._dice.choice(orders))
        method = "GET" if content is None else "PUT"
        response = http.request(method, path, content=content, headers=headers)
        self.findings.statuses[f"garbage {response.status_code}"] += 1
        is_server_error = response.status_code >= 500 and response.status_code != 503
        if is_server_error or (response.status_code >= 400 and response.json().get("success") is not False):
            self.findings.problems.append(f"{method} {path[:80]} {(content or b'')[:80]!r}: {response.status_code}")


def make_garbage(dice: Random, order: int) -> tuple[str, bytes | None, dict[str, str]]:
    """Return a path, a body (None for a GET) and headers of a careless or hostile caller; never a valid write."""
    size = dice.choice((1, 100, 10_000, 300_000))
    text = dice.choice(("A", "9", "ä", "<a", "A1", " ", "\U0001f697")) * size
    bodies = (
        b"[" * size,
        b'{"a":' * size,
        b'{"order_id":' + b"9" * size + b"}",
        b'{"order_id":%d,"remarks":1,"remarks":2}' % order,
        b'{"order_id":%d,"number_plate":["%s"]}' % (order, text.encode()),
        b"\xff\xfe" + text.encode("utf-16-le"),
        b'{"order_id":%d,"remarks":NaN}' % order,
        b"{" + b",".join(b'"k%d":1' % number for number in range(min(size, 20_000))) + b"}",
    )
    if dice.random() < 0.6:
        kind = dice.choice(("application/json", "application/json; charset=utf-16", "text/plain", ""))
        return f"/api/orders/{order}", dice.choice(bodies), {"Content-Type": kind} if kind else {}
    query = httpx2.QueryParams({dice.choice(("plate", "person", "q", "phone", "x")): text[:2000]})
    return f"/api/orders?{query}", None, {}
