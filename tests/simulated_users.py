"""
Who is about while the connector is killed: callers that write through it, a second person who works in PlanSo, and the
weather that PlanSo has. What each of them does is planned from a seed; when it happens is not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx2

from tests.process import PATIENCE, ConnectorProcess, SandboxProcess

WRITTEN = {
    "person": "Fahrername",
    "phone": "Telefon",
    "remarks": "Bemerkungen",
    "workshop_distribution": "Werkstattverteilung",
}
"""The fields that callers write, and PlanSo's labels of them. Each value is one write's alone."""

EDITED = ("Kunden E-Mail", "ExpressLink", "Externe Kalkulation")
"""The fields that the second person edits. No caller writes them."""


@dataclass(frozen=True)
class Write:
    """`order` is None for a create. Without `key`, a repeated request is another write."""

    method: str
    order: int | None
    fields: Mapping[str, str]
    key: str | None
    wait: int
    if_match: bool = False
    insists: bool = True
    """Sent again until it is answered; else never after its connection broke."""


@dataclass(frozen=True)
class Answered:
    write: Write
    headers: dict[str, str]
    """What was sent along."""
    status: int
    body: dict[str, Any]
    operation: str | None
    """The operation that it was taken down as; None where it was not."""


def plan(seed: int, caller: str, orders: Sequence[int], doomed: Sequence[int], count: int) -> list[Write]:
    """What one caller writes, in its order; it alone deletes the `doomed` ones."""
    dice = Random(f"{seed} {caller}")
    writes = []
    deletions = {dice.randrange(count // 4, count): order for order in doomed}
    for at in range(count):
        name = f"{caller}{at}"
        if at in deletions:
            writes.append(Write("DELETE", deletions[at], {}, f"key-{name}", dice.choice((0, 1))))
            continue
        if dice.random() < 0.25:
            fields = {path: f"{path} {name}" for path in WRITTEN}
            writes.append(Write("POST", None, fields, f"key-{name}", dice.choice((0, 0, 0, 2))))
            continue
        paths = dice.sample(list(WRITTEN), dice.choice((1, 2, 3)))
        has_key = dice.random() < 0.6
        writes.append(
            Write(
                method=dice.choice(("PUT", "PATCH")),
                order=dice.choice((*orders, *doomed)),
                fields={path: f"{path} {name}" for path in paths},
                key=f"key-{name}" if has_key else None,
                wait=dice.choice((0, 0, 0, 0, 0, 2)),
                if_match=dice.random() < 0.2,
                insists=has_key or dice.random() < 0.5,
            )
        )
    return writes


@dataclass
class Caller:
    """A program that writes through the connector, and goes on when it is killed."""

    address: str
    answers: list[Answered] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.http = httpx2.Client(base_url=self.address, timeout=PATIENCE)

    def carry_out(self, writes: Sequence[Write], pause: float = 0.0) -> None:
        """`pause`: seconds between two writes, so that they meet all that happens meanwhile."""
        for write in writes:
            self.send(write)
            threading.Event().wait(pause)

    def send(self, write: Write) -> Answered | None:
        """The answer; None where the connection broke and the caller let it be."""
        headers = {"Prefer": f"wait={write.wait}"}
        if write.key is not None:
            headers["Idempotency-Key"] = write.key
        if write.if_match:
            known = self._insisting(lambda: self.http.get(f"/api/orders/{write.order}"))
            if known.status_code != 200:
                return None
            headers["If-Match"] = known.headers["ETag"]
        return self._ask(write, headers)

    def again(self, answered: Answered) -> Answered:
        """The same request with the same key, and a wait that is long enough."""
        found = self._ask(answered.write, {**answered.headers, "Prefer": "wait=30"})
        assert found is not None
        return found

    def _ask(self, write: Write, headers: dict[str, str]) -> Answered | None:
        body = dict(write.fields) if write.method != "PUT" else {"order_id": write.order, **write.fields}
        path = "/api/orders" if write.order is None else f"/api/orders/{write.order}"

        def ask() -> httpx2.Response:
            return self.http.request(
                write.method, path, headers=headers, json=body if write.method != "DELETE" else None
            )

        try:
            answer = self._insisting(ask) if write.insists else ask()
        except httpx2.TransportError:
            return None
        assert answer.status_code in (200, 202, 404, 412, 502, 503), answer.text
        answered = Answered(write, headers, answer.status_code, answer.json(), answer.headers.get("Operation-Id"))
        self.answers.append(answered)
        return answered

    @staticmethod
    def _insisting(ask: Callable[[], httpx2.Response]) -> httpx2.Response:
        until = time.monotonic() + 2 * PATIENCE
        while True:
            try:
                return ask()
            except httpx2.TransportError:
                assert time.monotonic() < until, "the connector does not come back"
                threading.Event().wait(0.05)


WELL: dict[str, Any] = {
    "latency": 0.005,
    "jitter": 0.02,
    "save_latency": 0.0,
    "expire_sessions_after": None,
    "fail_next": 0,
    "fail_status": 502,
    "hang_next": 0,
    "html_for_json_next": 0,
}
SAVES_WELL = {"fail_saves_next": 0, "lose_answers_next": 0}
"""These outlast the day until they hit something: saves are few among the requests."""


def bad_days(late: float) -> list[dict[str, Any]]:
    """`late` is how long a save takes whose sender has given up by then; it is carried out all the same."""
    return [
        {"fail_next": 4},
        {"fail_next": 2, "fail_status": 504},
        {"fail_saves_next": 3},
        {"fail_saves_next": 3},
        {"lose_answers_next": 4, "lose_answers_by": "close"},
        {"lose_answers_next": 3, "lose_answers_by": "504"},
        {"lose_answers_next": 2, "lose_answers_by": "hang"},
        {"save_latency": late},
        {"save_latency": late},
        {"expire_sessions_after": 6},
        {"hang_next": 1, "html_for_json_next": 1},
        {"latency": 0.1, "jitter": 0.2},
        {},
        {},
    ]


@contextmanager
def weather(planso: SandboxProcess, seed: int, late: float) -> Iterator[None]:
    """PlanSo has bad days, one after the other, and is well at the end."""
    dice = Random(f"{seed} weather")
    days: list[dict[str, Any]] = []

    def change() -> None:
        if not days:
            days.extend(bad_days(late))
            dice.shuffle(days)
        planso.set_knobs(**{**WELL, **days.pop()})

    with _now_and_then(change, lambda: dice.uniform(0.2, 0.5)):
        yield
    planso.set_knobs(**WELL, **SAVES_WELL)


def introduce(planso: SandboxProcess, connector: ConnectorProcess, order: int) -> None:
    """
    The second person edits each of their fields once, without a save of ours, and the connector sees it. Else a field
    that they happen to edit beside two of its first saves would be taken for damage, and writes would stop.
    """
    for label in EDITED:
        answer = planso.http.post(f"/sandbox/orders/{order}", json={"label": label, "value": "Werkstatt zuvor"})
        assert answer.status_code == 200, answer.text
    assert connector.http.post("/api/sync").status_code == 202
    connector.wait_for_sync()


@contextmanager
def second_person(planso: SandboxProcess, seed: int, orders: Sequence[int]) -> Iterator[None]:
    """Somebody edits orders in PlanSo itself, and makes some."""
    dice = Random(f"{seed} person")
    count = iter(range(1_000_000))

    def work() -> None:
        name = f"Werkstatt {next(count)}"
        if dice.random() < 0.03:
            texts = {"Fahrername": name, "Telefon": name, **dict.fromkeys(EDITED, name)}
            assert planso.http.post("/sandbox/orders", json=texts).status_code == 201
            return
        order, label = dice.choice(orders), dice.choice(EDITED)
        answer = planso.http.post(f"/sandbox/orders/{order}", json={"label": label, "value": name})
        assert answer.status_code in (200, 404), answer.text  # 404: deleted by a caller

    with _now_and_then(work, lambda: dice.uniform(0.04, 0.1)):
        yield


@contextmanager
def _now_and_then(do: Callable[[], None], pause: Callable[[], float]) -> Iterator[None]:
    """In a thread of its own; what goes wrong there is raised here, at the end."""
    over = threading.Event()
    failed: list[BaseException] = []

    def body() -> None:
        try:
            while not over.wait(pause()):
                do()
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the test's own thread
            failed.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PATIENCE)
    if failed:
        raise failed[0]
