"""What callers of the connectors see: each request is a sample, with its time, status and words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal

import httpx2

from tests.simulated_users import Caller, SentWrite, Write

Kind = Literal["live", "ready", "read", "write"]


@dataclass(frozen=True, slots=True)
class Sample:
    """
    A request and its response. `began`, `ended`: as `time.monotonic`. `status`: 0 if the connection broke. `words`: the
    response's message; of readiness those of the check `database`.
    """

    kind: Kind
    connector: int
    began: float
    ended: float
    status: int
    words: str = ""

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def failed(self) -> bool:
        """Whether the connector could not do it; a 404 or 412 is an answer."""
        return self.status == 0 or self.status >= 500


@dataclass
class TimedCaller(Caller):
    """A caller of `Caller` whose writes are samples, too."""

    connector: int = 0
    samples: list[Sample] = field(default_factory=list)

    def send(self, write: Write) -> SentWrite | None:
        began = time.monotonic()
        sent = super().send(write)
        if sent is not None:
            words = str(sent.body.get("message", ""))
            self.samples.append(Sample("write", self.connector, began, time.monotonic(), sent.status, words))
        return sent


class Observers:
    """Threads that read from each connector and ask for its health, until `end`."""

    def __init__(self, addresses: list[str], orders: list[int], seed: int) -> None:
        self.samples: list[Sample] = []
        self._is_over = threading.Event()
        self._dice = Random(f"{seed} observers")
        self._orders = orders
        jobs: list[tuple[Kind, Callable[[], str], float]] = [
            ("live", lambda: "/health/live", 0.1),
            ("ready", lambda: "/health/ready", 0.3),
            ("read", self._choose_read, 0.1),
        ]
        self._threads = [
            threading.Thread(target=self._run, args=(number, address, *job), daemon=True)
            for number, address in enumerate(addresses)
            for job in jobs
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> list[Sample]:
        """Stop, and return all samples by time."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(60)
        return sorted(self.samples, key=lambda sample: sample.began)

    def _choose_read(self) -> str:
        order = self._dice.choice(self._orders)
        return self._dice.choice((f"/api/orders/{order}", "/api/orders?limit=20", f"/api/orders/{order}/history"))

    def _run(self, connector: int, address: str, kind: Kind, path: Callable[[], str], pause: float) -> None:
        with httpx2.Client(base_url=address, timeout=40) as http:
            while not self._is_over.wait(pause):
                began, status, words = time.monotonic(), 0, ""
                try:
                    response = http.get(path())
                    status, words = response.status_code, _words(kind, response)
                except httpx2.TransportError as error:
                    words = type(error).__name__
                self.samples.append(Sample(kind, connector, began, time.monotonic(), status, words))


def _words(kind: Kind, response: httpx2.Response) -> str:
    if kind == "ready":
        checks = response.json()["checks"]
        return " | ".join(
            f"{check['name']}: {check['words']}" for check in checks if not check["ok"] and check["required"]
        )
    return str(response.json().get("message", "")) if response.status_code >= 500 else ""
