"""Who asks the connector during a storm, beside those who write: probes, readers, and callers that send garbage."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import httpx2

from tests.storm.scene import Scene

READY_WITHIN = 5.0
"""Seconds in which readiness has to answer; 2 are promised, the rest is a busy machine's."""


@dataclass
class Seen:
    """What the watchers saw. `faults` are sentences that must not be there."""

    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    longest_live: float = 0.0
    longest_ready: float = 0.0
    longest_read: float = 0.0


class Watchers:
    """Threads that ask until `end`. Only answers that came while the connector was up are held to a bound."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.seen = Seen()
        self._scene = scene
        self._over = threading.Event()
        self._dice = Random(f"{seed} watchers")
        orders = sorted(scene.planso.orders())
        jobs: list[tuple[Callable[[httpx2.Client], None], float]] = [
            (self._live, 0.02),
            (self._ready, 0.3),
            (lambda http: self._read(http, orders), 0.02),
            (lambda http: self._garbage(http, orders), 0.1),
        ]
        self._threads = [threading.Thread(target=self._run, args=job, daemon=True) for job in jobs]
        for thread in self._threads:
            thread.start()

    def end(self) -> Seen:
        self._over.set()
        for thread in self._threads:
            thread.join(60)
        return self.seen

    def _run(self, ask: Callable[[httpx2.Client], None], pause: float) -> None:
        with httpx2.Client(base_url=self._scene.connector.address, timeout=60) as http:
            while not self._over.wait(pause):
                try:
                    ask(http)
                except httpx2.TransportError:
                    self.seen.statuses["no connection"] += 1
                except Exception as error:  # noqa: BLE001 - told at the end
                    self.seen.faults.append(f"{ask}: {error!r}")

    def _timed(self, http: httpx2.Client, path: str) -> tuple[httpx2.Response, float | None]:
        """The answer, and how long it took; None where the connector was down meanwhile."""
        kills, was_up, began = len(self._scene.kills), self._scene.is_up.is_set(), time.monotonic()
        answer = http.get(path)
        passed = time.monotonic() - began
        is_fair = was_up and self._scene.is_up.is_set() and len(self._scene.kills) == kills
        return answer, passed if is_fair else None

    def _live(self, http: httpx2.Client) -> None:
        answer, passed = self._timed(http, "/health/live")
        if answer.status_code != 200:
            self.seen.faults.append(f"/health/live: {answer.status_code}")
        self.seen.longest_live = max(self.seen.longest_live, passed or 0.0)

    def _ready(self, http: httpx2.Client) -> None:
        answer, passed = self._timed(http, "/health/ready")
        self.seen.statuses[f"ready {answer.status_code}"] += 1
        self.seen.longest_ready = max(self.seen.longest_ready, passed or 0.0)
        if passed is not None and passed > READY_WITHIN:
            self.seen.faults.append(f"/health/ready took {passed:.1f} s")

    def _read(self, http: httpx2.Client, orders: list[int]) -> None:
        order = self._dice.choice(orders)
        path = self._dice.choice((f"/api/orders/{order}", "/api/orders?limit=50", "/api/orders?plate=WN-AE%202309"))
        answer, passed = self._timed(http, path)
        self.seen.statuses[f"read {answer.status_code}"] += 1
        self.seen.longest_read = max(self.seen.longest_read, passed or 0.0)
        if answer.status_code not in (200, 404, 429, 503):
            self.seen.faults.append(f"{path}: {answer.status_code} {answer.text[:200]}")

    def _garbage(self, http: httpx2.Client, orders: list[int]) -> None:
        """Whatever is sent, the answer is JSON with `success`, and never a fault of ours. No order is changed by it."""
        path, content, headers = garbage(self._dice, self._dice.choice(orders))
        method = "GET" if content is None else "PUT"
        answer = http.request(method, path, content=content, headers=headers)
        self.seen.statuses[f"garbage {answer.status_code}"] += 1
        is_ours = answer.status_code >= 500 and answer.status_code != 503
        if is_ours or (answer.status_code >= 400 and answer.json().get("success") is not False):
            self.seen.faults.append(f"{method} {path[:80]} {(content or b'')[:80]!r}: {answer.status_code}")


def garbage(dice: Random, order: int) -> tuple[str, bytes | None, dict[str, str]]:
    """A path, a body (None: it is a GET) and headers of a clumsy or hostile caller; never a valid write."""
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
