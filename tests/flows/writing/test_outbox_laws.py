"""State machine of connectors, PlanSo and people: every accepted write ends, and ends truthfully."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from planso_connector.domain import clock
from planso_connector.sandbox import Sandbox
from planso_connector.settings import Settings
from tests.service import Service, running, settings_for, wait_until

PATIENCE = 60.0
LABELS = {"person": "Fahrername", "express_link": "ExpressLink"}
"""The fields that the connector is asked to write; `Bemerkungen` is only ever written by people."""
FOREIGN = "Bemerkungen"
ORDERS = st.integers(0, 2)
WAITS = st.sampled_from(["respond-async", "wait=1"])
FIELDS = st.sampled_from([("person",), ("express_link",), ("person", "express_link")])
_NAMES = itertools.count(1)


def now() -> str:
    return clock.format_instant(clock.now())


def is_half_done(one: dict[str, Any]) -> bool:
    """Sent, and found otherwise because a person changed it before it was read back; or left alone in part."""
    return (one["state"] != "confirmed" and one["sent"]) or "Left alone" in one["message"]


@dataclass
class Edit:
    """What a person wrote. `at_rest`: no write of the connector was in progress meanwhile."""

    order_id: int
    label: str
    text: str
    at: str
    at_rest: bool


@dataclass
class RecordedWrite:
    """A write: how to send it, again too, and its operation."""

    send: Callable[[Service], httpx2.Response]
    operation: str


@dataclass
class World:
    """What was done, by whom."""

    edits: list[Edit] = field(default_factory=list)
    writes: list[RecordedWrite] = field(default_factory=list)
    creates: dict[str, str] = field(default_factory=dict)
    """Operation to the person's name in it."""
    cancelled: set[str] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)
    made: set[int] = field(default_factory=set)
    """By people."""
    shown_settled: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Operations as they were told once they were settled."""


class OutboxMachine(RuleBasedStateMachine):
    """One or two connectors on one database, one PlanSo, and people who edit in it."""

    def __init__(self, database: str, sandbox: Sandbox, planso: str) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.planso = planso
        self.settings: Settings = settings_for(
            sandbox,
            planso,
            database,
            planso_timeout=0.5,
            connector_write_wait=1.0,
            connector_workshop=f"shop{next(_NAMES)}",
        )
        self.up: list[tuple[ExitStack, Service]] = []
        self.turns = itertools.count()
        self.world = World()
        self.first = self.sandbox.order_ids()[:3]
        self.before = set(self.sandbox.order_ids())
        self.at_first = {
            (order_id, label): sandbox.value(order_id, label)
            for order_id in self.first
            for label in (FOREIGN, *LABELS.values())
        }

    # -- the connectors

    def start(self) -> None:
        stack = ExitStack()
        self.up.append((stack, stack.enter_context(running(self.settings, self.sandbox))))

    def stop(self) -> None:
        self.up.pop(0)[0].close()

    @property
    def service(self) -> Service:
        """The connectors, in turn."""
        return self.up[next(self.turns) % len(self.up)][1]

    @initialize()
    def begin(self) -> None:
        self.start()
        self.service.wait_for_sync()

    @rule()
    def stop_and_start(self) -> None:
        self.stop()
        if not self.up:
            self.start()

    @precondition(lambda self: len(self.up) < 2)
    @rule()
    def start_a_second(self) -> None:
        self.start()

    # -- callers

    def write(self, send: Callable[[Service], httpx2.Response]) -> str | None:
        """Send a write and check that the response agrees with its operation."""
        answer = send(self.service)
        operation_id = answer.headers.get("Operation-Id")
        if operation_id is None:
            assert answer.status_code in (404, 409, 412), answer.text
            return None
        shown = self.operation(operation_id)
        if answer.status_code == 200:
            assert shown["state"] == "confirmed"
            assert answer.json()["order_id"] == shown["order_id"]
        elif answer.status_code == 202:
            assert answer.headers["Location"] == f"/api/operations/{operation_id}"
        else:
            assert answer.status_code in (404, 409, 412, 502), answer.text
            assert shown["state"] in ("refused", "conflict")
        if not any(one.operation == operation_id for one in self.world.writes):
            self.world.writes.append(RecordedWrite(send, operation_id))
        return operation_id

    def operation(self, operation_id: str) -> dict[str, Any]:
        """Check that an operation that was shown as settled is always shown so."""
        answer = self.service.http.get(f"/api/operations/{operation_id}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()["operation"]
        if shown["state"] != "pending":
            assert self.world.shown_settled.setdefault(operation_id, shown) == shown
        return shown

    @rule(at=ORDERS, names=FIELDS, prefer=WAITS, relies=st.booleans())
    def put_or_patch(self, at: int, names: tuple[str, ...], prefer: str, relies: bool) -> None:
        order_id, number = self.first[at], next(_NAMES)
        fields = {name: f"{name} {number}" for name in names}
        headers = {"Prefer": prefer, "Idempotency-Key": f"key-{number}"}
        if relies:
            headers |= {"If-Match": "*", "Content-Type": "application/merge-patch+json"}
            self.write(lambda to: to.http.patch(f"/api/orders/{order_id}", json=fields, headers=headers))
        else:
            body = {"order_id": order_id, **fields}
            self.write(lambda to: to.http.put(f"/api/orders/{order_id}", json=body, headers=headers))

    @rule(prefer=WAITS)
    def create(self, prefer: str) -> None:
        number = next(_NAMES)
        headers = {"Prefer": prefer, "Idempotency-Key": f"key-{number}"}
        body = {"person": f"Neu {number}", "vehicle_details": {"number_plate": f"WN-LA {number}"}}
        operation_id = self.write(lambda to: to.http.post("/api/orders", json=body, headers=headers))
        assert operation_id is not None
        self.world.creates[operation_id] = f"Neu {number}"

    @rule(prefer=WAITS)
    def delete(self, prefer: str) -> None:
        """Deletes the third order only: the others go on."""
        headers = {"Prefer": prefer, "Idempotency-Key": f"key-{next(_NAMES)}"}
        self.write(lambda to: to.http.delete(f"/api/orders/{self.first[2]}", headers=headers))

    @precondition(lambda self: self.world.writes)
    @rule(pick=st.integers(0, 9))
    def repeat(self, pick: int) -> None:
        """The same key and request give the same operation."""
        one = self.world.writes[pick % len(self.world.writes)]
        assert self.write(one.send) == one.operation

    @precondition(lambda self: self.world.writes)
    @rule(pick=st.integers(0, 9))
    def cancel(self, pick: int) -> None:
        operation_id = self.world.writes[-1 - pick % len(self.world.writes)].operation
        answer = self.service.http.post(f"/api/operations/{operation_id}/cancel", json={})
        assert answer.status_code in (200, 409), answer.text
        if answer.status_code == 200:
            self.world.cancelled.add(operation_id)
            assert (answer.json()["operation"]["state"], answer.json()["operation"]["sent"]) == ("refused", False)

    @precondition(lambda self: self.world.writes)
    @rule(pick=st.integers(0, 9), prefer=WAITS)
    def undo(self, pick: int, prefer: str) -> None:
        operation_id = self.world.writes[-1 - pick % len(self.world.writes)].operation
        headers = {"Prefer": prefer, "Idempotency-Key": f"key-{next(_NAMES)}"}
        self.write(lambda to: to.http.post(f"/api/operations/{operation_id}/undo", json={}, headers=headers))

    # -- PlanSo's bad days

    @rule(count=st.integers(1, 3), status=st.sampled_from((500, 500, 502)))
    def planso_fails(self, count: int, status: int) -> None:
        self.sandbox.knobs.fail_status = status
        self.sandbox.knobs.fail_next = count

    @rule(hangs=st.booleans())
    def planso_hangs_or_talks_nonsense(self, hangs: bool) -> None:
        if hangs:
            self.sandbox.knobs.hang_next = 1
        else:
            self.sandbox.knobs.html_for_json_next = 1

    @rule(how=st.sampled_from(["close", "hang", "504"]))
    def a_save_response_gets_lost(self, how: Any) -> None:
        self.sandbox.knobs.lose_answers_by = how
        self.sandbox.knobs.lose_answers_next = 1

    @rule(after=st.integers(0, 3))
    def sessions_end(self, after: int) -> None:
        self.sandbox.expire_sessions(after)

    # -- people

    def next_attempt_at(self, order_id: int) -> str:
        """When the order's first pending write is tried again; `9`, later than all, where there is none."""
        params = {"order_id": str(order_id), "state": "pending", "limit": "500"}
        found = self.service.http.get("/api/operations", params=params).json()["operations"]
        return found[-1]["next_attempt_at"] if found else "9"

    @rule(at=ORDERS, label=st.sampled_from([FOREIGN, FOREIGN, *LABELS.values()]))
    def a_person_edits(self, at: int, label: str) -> None:
        """
        Preferably while no write of the order is in progress: an edit between reading and save can't be noticed.
        """
        order_id, text = self.first[at], f"von Hand {next(_NAMES)}"
        until = time.monotonic() + 1.0
        while self.next_attempt_at(order_id) <= now() and time.monotonic() < until:
            threading.Event().wait(0.02)
        next_attempt, begun = self.next_attempt_at(order_id), now()
        if order_id not in self.sandbox.order_ids():
            return
        try:
            self.sandbox.edit_field(order_id, label, text)
        except KeyError:  # deleted this moment
            return
        ended = now()
        self.world.edits.append(Edit(order_id, label, text, ended, begun < next_attempt and ended < next_attempt))

    @rule()
    def a_person_deletes(self) -> None:
        if self.first[2] in self.sandbox.order_ids():
            try:
                self.sandbox.delete(self.first[2])
            except KeyError:
                return
            self.world.deleted.add(self.first[2])

    @rule()
    def a_person_makes_an_order(self) -> None:
        number = next(_NAMES)
        made = httpx2.post(
            f"{self.planso}/sandbox/orders",
            json={"Fahrername": f"Jemand {number}", "Kennzeichen": f"WN-XX {number}"},
            verify=False,
        )
        assert made.status_code == 201, made.text
        self.world.made |= set(self.sandbox.order_ids()) - self.before - self.world.made

    # -- the end: PlanSo is well

    def teardown(self) -> None:
        try:
            if self.up:
                self.check_laws()
        finally:
            while self.up:
                self.stop()

    def check_laws(self) -> None:
        knobs = self.sandbox.knobs
        knobs.fail_next = knobs.hang_next = knobs.html_for_json_next = knobs.lose_answers_next = 0
        found = self.wait_until_settled()
        service = self.service
        # On a busy machine a form may take longer than `planso_timeout`.
        wait_until(
            lambda: service.sync(full="true", accept_removals="true")["last_result"]["state"] == "done", "a whole sync"
        )
        self.check_creates_are_made_once(found)
        self.check_no_order_is_lost(found)
        for order_id in self.first:
            self.check_sequence([one for one in found if one["order_id"] == order_id])
            if order_id in self.sandbox.order_ids():
                self.check_values(order_id, found)
                self.check_history(service, order_id, found)
        self.check_mirror(service)

    def wait_until_settled(self) -> list[dict[str, Any]]:
        """Wait for the end of all operations; as they are shown then, oldest first."""
        pending = {"state": "pending"}
        wait_until(lambda: not self.service.http.get("/api/operations", params=pending).json()["operations"])
        listed = self.service.http.get("/api/operations", params={"limit": "500"}).json()["operations"]
        found = [self.operation(one["id"]) for one in reversed(listed)]
        assert {one.operation for one in self.world.writes} == {one["id"] for one in found}
        for one in found:
            if one["id"] in self.world.cancelled:
                assert (one["state"], one["sent"]) == ("refused", False)
        return found

    def check_creates_are_made_once(self, found: list[dict[str, Any]]) -> None:
        for one in found:
            if one["action"] != "create":
                continue
            name = self.world.creates[one["id"]]
            there = [order for order in self.sandbox.order_ids() if self.sandbox.value(order, "Fahrername") == name]
            assert len(there) <= 1, one
            if one["state"] == "confirmed":
                assert there == [one["order_id"]]
            if one["id"] in self.world.cancelled:
                assert there == []

    def check_no_order_is_lost(self, found: list[dict[str, Any]]) -> None:
        """Only orders that somebody deleted are gone, and none comes back."""
        deleted = {one["order_id"] for one in found if one["action"] == "delete" and one["state"] == "confirmed"}
        there = set(self.sandbox.order_ids())
        assert not there & deleted
        assert not there & self.world.deleted
        attempted = {one["order_id"] for one in found if one["action"] == "delete" and one["sent"]}
        assert (self.before | self.world.made) - there <= self.world.deleted | deleted | attempted

    def check_sequence(self, of_order: list[dict[str, Any]]) -> None:
        """Operations of one order end in the sequence of their recording, cancelled ones aside."""
        ended = [one["settled_at"] for one in of_order if one["id"] not in self.world.cancelled]
        assert ended == sorted(ended), of_order

    def check_values(self, order_id: int, found: list[dict[str, Any]]) -> None:
        """Edits of other fields stay; a requested field holds the value of its last writer."""
        for label in (FOREIGN, *LABELS.values()):
            edits = [edit for edit in self.world.edits if (edit.order_id, edit.label) == (order_id, label)]
            path = next((path for path, its in LABELS.items() if its == label), "")
            writes = [one for one in found if one["order_id"] == order_id and path in one["asked"]]
            confirmed = [one for one in writes if one["state"] == "confirmed"]
            words = [(one["settled_at"], one["asked"][path] or "") for one in confirmed]
            words += [(edit.at, edit.text) for edit in edits if not confirmed or edit.at > confirmed[-1]["settled_at"]]
            held = self.sandbox.value(order_id, label)
            details = (order_id, label, writes, edits)
            if all(edit.at_rest for edit in edits) and not any(is_half_done(one) for one in writes):
                assert held == max(words, default=("", self.at_first[order_id, label]))[1], details
            else:
                everybodys = {edit.text for edit in edits} | {one["asked"][path] or "" for one in writes}
                assert held in everybodys | {self.at_first[order_id, label]}, details

    def check_history(self, service: Service, order_id: int, found: list[dict[str, Any]]) -> None:
        """The newest entry of a field shows the order's value; the entry of a write shows the requested value."""
        by_id = {one["id"]: one for one in found}
        shown = service.order(order_id)
        entries = service.http.get(f"/api/orders/{order_id}/history", params={"limit": "500"}).json()["history"]
        newest: dict[str, Any] = {}
        for entry in entries:
            for change in entry["changes"]:
                if change["field"] in LABELS or change["field"] == "remarks":
                    newest.setdefault(change["field"], change["after"])
                one = by_id.get(entry["operation_id"] or "")
                if one is None:
                    continue
                assert one["sent"], (one, entry)
                assert change["field"] in one["asked"], (one, entry)
                if one["state"] == "confirmed":
                    assert change["after"] == one["asked"][change["field"]], (one, entry)
        assert newest == {name: shown[name] for name in newest}

    def check_mirror(self, service: Service) -> None:
        page = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
        assert sorted(order["id"] for order in page) == sorted(self.sandbox.order_ids())
        for order in page:
            assert order["pending"] == []
            for name, label in {**LABELS, "remarks": FOREIGN}.items():
                held = self.sandbox.value(order["id"], label).replace("\r\n", "\n").strip()
                assert (order[name] or "") == held, order


def test_whatever_happens_it_comes_to_a_true_end(sqlite_path: Path) -> None:
    """
    When PlanSo is well again, every write that was accepted ends, in the order in which its order's were asked;
    what is confirmed is in PlanSo, unless somebody changed it later; no order is made twice, none comes back; what
    people wrote elsewhere stays; history and mirror tell what PlanSo holds; and what was told as settled stays so.
    """

    def machine() -> OutboxMachine:
        sandbox = Sandbox(orders=4)
        url = stack.enter_context(sandbox.serve())
        return OutboxMachine(f"sqlite:///{sqlite_path}", sandbox, url)

    with ExitStack() as stack:
        run_state_machine_as_test(
            machine,  # type: ignore[arg-type]  # it is only called
            settings=settings(
                max_examples=6,
                stateful_step_count=12,
                deadline=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
