"""
Simulated users of the kill test and the storm: callers that write through the connector, a second person who edits in
PlanSo, and faults of PlanSo. A seed decides what each of them does; the timing is not determined.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx2

from tests.process import ConnectorProcess, SandboxProcess
from tests.service import PATIENCE, wait_until

WRITTEN_FIELDS = {
    "person": "Fahrername",
    "phone": "Telefon",
    "remarks": "Bemerkungen",
    "workshop_distribution": "Werkstattverteilung",
}
"""The fields that callers write, with their labels in PlanSo. No value is written twice."""

EDITED_LABELS = ("Kunden E-Mail", "ExpressLink", "Externe Kalkulation")
"""The labels of the fields that the second person edits. No caller writes them."""


@dataclass(frozen=True)
class Write:
    """A planned write. `order` is None for a create, `key` is the idempotency key, `wait` is in seconds."""

    method: str
    order: int | None
    fields: Mapping[str, str]
    key: str | None
    wait: int
    if_match: bool = False
    retries: bool = True
    """Whether it is sent again after its connection broke, until there is a response."""


@dataclass(frozen=True)
class SentWrite:
    """A write with the headers that were sent and the response. `operation`: the id; None if none was recorded."""

    write: Write
    headers: dict[str, str]
    status: int
    body: dict[str, Any]
    operation: str | None


def plan_writes(seed: int, caller: str, orders: Sequence[int], to_delete: Sequence[int], count: int) -> list[Write]:
    """Return the writes of one caller in their order. No other caller deletes the orders `to_delete`."""
    dice = Random(f"{seed} {caller}")
    writes = []
    deletions = {dice.randrange(count // 4, count): order for order in to_delete}
    for number in range(count):
        name = f"{caller}{number}"
        if number in deletions:
            writes.append(Write("DELETE", deletions[number], {}, f"key-{name}", dice.choice((0, 1))))
            continue
        if dice.random() < 0.25:
            fields = {path: f"{path} {name}" for path in WRITTEN_FIELDS}
            writes.append(Write("POST", None, fields, f"key-{name}", dice.choice((0, 0, 0, 2))))
            continue
        paths = dice.sample(list(WRITTEN_FIELDS), dice.choice((1, 2, 3)))
        has_key = dice.random() < 0.6
        writes.append(
            Write(
                method=dice.choice(("PUT", "PATCH")),
                order=dice.choice((*orders, *to_delete)),
                fields={path: f"{path} {name}" for path in paths},
                key=f"key-{name}" if has_key else None,
                wait=dice.choice((0, 0, 0, 0, 0, 2)),
                if_match=dice.random() < 0.2,
                retries=has_key or dice.random() < 0.5,
            )
        )
    return writes


@dataclass
class Caller:
    """A client of the connector that reconnects after the connector was killed. `sent`: its writes with a response."""

    address: str
    sent: list[SentWrite] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.http = httpx2.Client(base_url=self.address, timeout=PATIENCE, verify=False)

    def send_all(self, writes: Sequence[Write], pause: float = 0.0) -> None:
        """Send writes one after the other, with a pause in seconds between them."""
        for write in writes:
            self.send(write)
            threading.Event().wait(pause)

    def send(self, write: Write) -> SentWrite | None:
        """Send a write. None if the connection broke and the write is not retried, or the order is gone."""
        headers = {"Prefer": f"wait={write.wait}"}
        if write.key is not None:
            headers["Idempotency-Key"] = write.key
        if write.if_match:
            current = self._retry(lambda: self.http.get(f"/api/orders/{write.order}"))
            if current.status_code != 200:
                return None
            headers["If-Match"] = current.headers["ETag"]
        return self._request(write, headers)

    def repeat(self, sent: SentWrite) -> SentWrite:
        """Send the same request again, with the same key and a long wait."""
        repeated = self._request(sent.write, {**sent.headers, "Prefer": "wait=30"})
        assert repeated is not None
        return repeated

    def _request(self, write: Write, headers: dict[str, str]) -> SentWrite | None:
        body = dict(write.fields) if write.method != "PUT" else {"order_id": write.order, **write.fields}
        path = "/api/orders" if write.order is None else f"/api/orders/{write.order}"

        def request() -> httpx2.Response:
            return self.http.request(
                write.method, path, headers=headers, json=body if write.method != "DELETE" else None
            )

        try:
            response = self._retry(request) if write.retries else request()
        except httpx2.TransportError:
            return None
        assert response.status_code in (200, 202, 404, 412, 502, 503), response.text
        sent = SentWrite(write, headers, response.status_code, response.json(), response.headers.get("Operation-Id"))
        self.sent.append(sent)
        return sent

    @staticmethod
    def _retry(request: Callable[[], httpx2.Response]) -> httpx2.Response:
        """Repeat a request until there is a response."""

        def try_once() -> httpx2.Response | None:
            with suppress(httpx2.TransportError):
                return request()
            return None

        response = wait_until(try_once, "a response", 2 * PATIENCE)
        assert response is not None
        return response


HEALTHY: dict[str, Any] = {
    "latency": 0.005,
    "jitter": 0.02,
    "save_latency": 0.0,
    "expire_sessions_after": None,
    "fail_next": 0,
    "fail_status": 502,
    "hang_next": 0,
    "html_for_json_next": 0,
}
"""The sandbox's knobs without faults."""


def list_faults(late: float) -> list[dict[str, Any]]:
    """
    Return the sandbox's knobs for one fault each. `late`: seconds that a late save takes; the connector has given up by
    then, and the save is carried out all the same.
    """
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
def planso_faults(planso: SandboxProcess, seed: int, late: float) -> Iterator[None]:
    """
    Give PlanSo one fault after the other, for 0.2 to 0.5 s each, and none at the end. Only faults of saves stay until
    they hit some, as saves are few among the requests.
    """
    dice = Random(f"{seed} PlanSo")
    faults: list[dict[str, Any]] = []

    def change() -> None:
        if not faults:
            faults.extend(list_faults(late))
            dice.shuffle(faults)
        planso.set_knobs(**{**HEALTHY, **faults.pop()})

    with _repeatedly(change, lambda: dice.uniform(0.2, 0.5)):
        yield
    planso.set_knobs(**HEALTHY)


def edit_every_field(planso: SandboxProcess, connector: ConnectorProcess, order: int) -> None:
    """
    Edit each field of the second person once while the connector saves nothing, and sync. Otherwise a field that they
    happen to edit during two of the first saves would be taken for damage, and writes would stop.
    """
    for label in EDITED_LABELS:
        response = planso.http.post(f"/sandbox/orders/{order}", json={"label": label, "value": "Werkstatt zuvor"})
        assert response.status_code == 200, response.text
    assert connector.http.post("/api/sync").status_code == 202
    connector.wait_for_sync()


@contextmanager
def second_person(planso: SandboxProcess, seed: int, orders: Sequence[int]) -> Iterator[None]:
    """Let a second person edit orders in PlanSo, and create some."""
    dice = Random(f"{seed} person")
    count = iter(range(1_000_000))

    def edit() -> None:
        name = f"Werkstatt {next(count)}"
        if dice.random() < 0.03:
            texts = {"Fahrername": name, "Telefon": name, **dict.fromkeys(EDITED_LABELS, name)}
            assert planso.http.post("/sandbox/orders", json=texts).status_code == 201
            return
        order, label = dice.choice(orders), dice.choice(EDITED_LABELS)
        response = planso.http.post(f"/sandbox/orders/{order}", json={"label": label, "value": name})
        assert response.status_code in (200, 404), response.text  # 404: deleted by a caller

    with _repeatedly(edit, lambda: dice.uniform(0.04, 0.1)):
        yield


@contextmanager
def _repeatedly(do: Callable[[], None], pause: Callable[[], float]) -> Iterator[None]:
    """Call `do` again and again in a thread, with pauses in seconds. Raises at the end what was raised there."""
    over = threading.Event()
    failed: list[BaseException] = []

    def body() -> None:
        try:
            while not over.wait(pause()):
                do()
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
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
