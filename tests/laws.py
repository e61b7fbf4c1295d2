"""
What was, told by both sides after the connector was killed or its surroundings failed, and the laws that hold for it.

PlanSo's side is the sandbox's own record, change by change and reading by reading. One loss is nobody's fault, and is
told apart by that record: PlanSo's forms carry no version, so an edit by the second person between the reading of the
form that is saved and the landing of the save can't be noticed, unless the form is read once more meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from planso_connector.sandbox import Installation
from tests.process import ConnectorProcess, SandboxProcess
from tests.simulated_users import EDITED, WRITTEN, Answered, Caller

OURS, THEIRS = "Verbindung", "Werkstatt"
PATIENCE = 120.0
TIMEOUT, LATE, LAST = 1.6, 2.4, 2.7
"""
Seconds that the connector waits for a page, and that a save takes on some days: it is carried out after the connector
gave up, most often after it read the form again. After LAST PlanSo carries no save out any more: the connector may
rely on that from twice its timeout on.
"""
ENDS = {"confirmed", "refused", "expired", "conflict"}
"""Never `damaged`: what the second person does at the same time is no damage."""


def environment(planso: str, database: str) -> dict[str, str]:
    workshop = Installation()
    return {
        "PLANSO_URL": planso,
        "PLANSO_USER": workshop.username,
        "PLANSO_PASSWORD": workshop.password,
        "PLANSO_TIMEOUT": str(TIMEOUT),
        "CONNECTOR_DATABASE_URL": database,
        "CONNECTOR_SYNC_INTERVAL": "0",
        "CONNECTOR_SYNC_PARTS": "false",
    }


def pending(connector: ConnectorProcess) -> int:
    page = connector.http.get("/api/operations", params={"state": "pending", "limit": "500"}).json()
    count: int = page["count"]
    return count


def all_settled(connector: ConnectorProcess) -> None:
    until = time.monotonic() + PATIENCE
    while pending(connector):
        if time.monotonic() > until:
            waiting = connector.http.get("/api/operations", params={"state": "pending"}).json()["operations"]
            raise AssertionError(waiting, connector.http.get("/health/ready").json(), connector.log()[-4000:])
        threading.Event().wait(0.1)


def operations(connector: ConnectorProcess) -> list[dict[str, Any]]:
    """All, in the order in which they were recorded."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = connector.http.get("/api/operations", params={"limit": "500", **cursor}).json()
        found += page["operations"]
        if page["next_cursor"] is None:
            return found[::-1]
        cursor = {"cursor": page["next_cursor"]}


def became(connector: ConnectorProcess, order: int) -> set[str]:
    """What the connector's history says that the order's fields became by somebody's doing in PlanSo."""
    found: set[str] = set()
    below: dict[str, str] = {}
    while True:
        page = connector.http.get(f"/api/orders/{order}/history", params={"limit": "100", **below}).json()
        entries = page["history"]
        found |= {str(change["after"]) for one in entries if one["by"] == "PlanSo" for change in one["changes"]}
        if page["next_cursor"] is None:
            return found
        below = {"cursor": page["next_cursor"]}


@dataclass
class Record:
    """What was, told by both sides when all is over."""

    first: dict[int, dict[str, str]]
    last: dict[int, dict[str, str]]
    """PlanSo's orders by id: what a person reads, by label."""
    changes: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    operations: list[dict[str, Any]]
    answers: list[Answered]
    kills: list[float]
    history: dict[int, set[str]]
    """By order, what the connector wrote down that its fields became in PlanSo."""

    @cached_property
    def by_id(self) -> dict[str, dict[str, Any]]:
        return {operation["id"]: operation for operation in self.operations}

    @cached_property
    def of_order(self) -> dict[int, list[dict[str, Any]]]:
        """The operations of each order, in the order in which they were recorded."""
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for operation in self.operations:
            if operation["order_id"] is not None:
                found[operation["order_id"]].append(operation)
        return found

    def confirmed(self, order: int) -> list[dict[str, Any]]:
        return [operation for operation in self.of_order[order] if operation["state"] == "confirmed"]

    def ours(self, order: int, label: str) -> list[str]:
        """What the connector made of a field, one after the other."""
        return [
            change["after"]
            for change in self.changes
            if (change["order_id"], change["label"], change["by"]) == (order, label, OURS)
        ]

    def save_of(self, change: dict[str, Any]) -> dict[str, Any]:
        """The request that made a change of the connector's."""
        (found,) = (
            request
            for request in self.requests
            if request["saving"] and request["version"] is not None and request["version"] + 1 == change["version"]
        )
        return found

    def was_noticed(self, edit: dict[str, Any], overwriting: dict[str, Any]) -> bool:
        """Whether the edit was shown to the connector while the save that overwrote it was on its way, and is known."""
        save = self.save_of(overwriting)
        shown = [
            request
            for request in self.requests
            if request["order_id"] == edit["order_id"]
            and request["submode"] == "update"
            and not request["saving"]
            and request["heard"]
            and request["ended"] - request["started"] < TIMEOUT / 2  # it was there before its reader gave up
            and request["version"] is not None
            and edit["version"] <= request["version"] < overwriting["version"]
            and request["started"] >= save["started"]
        ]
        lived = any(all(not one["ended"] <= kill <= save["ended"] for kill in self.kills) for one in shown)
        return lived or (bool(shown) and edit["after"] in self.history[edit["order_id"]])


def every_accepted_write_came_to_an_end(record: Record) -> None:
    for operation in record.operations:
        assert operation["state"] in ENDS, operation
    for answer in record.answers:
        if answer.status in (200, 202):
            assert answer.operation in record.by_id, answer
        if answer.status == 200:
            assert record.by_id[answer.operation or ""]["state"] == "confirmed", answer


def what_is_confirmed_is_in_planso(record: Record) -> None:
    """And of each field the last one recorded, of all that were confirmed."""
    for order in record.of_order:
        confirmed = record.confirmed(order)
        is_deleted = any(operation["action"] == "delete" for operation in confirmed)
        assert is_deleted == (order not in record.last), confirmed
        last: dict[str, str] = {}
        for operation in confirmed:
            for path in WRITTEN.keys() & operation["asked"].keys():
                last[path] = operation["asked"][path]
                assert last[path] in record.ours(order, WRITTEN[path]), operation
        for path, value in last.items():
            if not is_deleted:
                assert record.last[order][WRITTEN[path]] == value, (order, path, confirmed)


def no_older_write_came_over_a_newer_one(record: Record) -> None:
    for order, found in record.of_order.items():
        for path, label in WRITTEN.items():
            asked = [operation["asked"].get(path) for operation in found]
            alone = [value for value, count in Counter(asked).items() if value is not None and count == 1]
            made = [value for value in record.ours(order, label) if value in alone]
            assert made == sorted(made, key=asked.index), (order, path)


def nothing_else_is_in_planso(record: Record) -> None:
    """The connector wrote what confirmed operations asked, made the orders of confirmed creates, and nothing else."""
    paths = {label: path for path, label in WRITTEN.items()}
    shown: dict[tuple[int, str], set[str]] = defaultdict(set)
    for change in record.changes:
        order, label, after = change["order_id"], change["label"], change["after"]
        if change["by"] == OURS and label in paths:
            asked = [operation["asked"].get(paths[label]) for operation in record.confirmed(order)]
            assert after in asked, (change, record.of_order[order])
        elif change["by"] == OURS and label in EDITED and order in record.first:
            assert after in {record.first[order][label], *shown[order, label]}, change
        elif change["by"] == THEIRS:
            shown[order, label].add(after)
    created = {operation["order_id"] for operation in record.operations if operation["action"] == "create"}
    made = {change["order_id"] for change in record.changes if change["by"] == THEIRS}
    assert record.last.keys() <= record.first.keys() | created | made


def no_create_happened_twice(record: Record) -> None:
    """Each create's values are its own: PlanSo never had two orders of one, and had one of each confirmed one."""
    made = Counter(
        change["after"]
        for change in record.changes
        if (change["by"], change["label"], change["before"]) == (OURS, "Fahrername", "")
    )
    for operation in record.operations:
        if operation["action"] == "create":
            count = made[operation["asked"]["person"]]
            assert count == 1 if operation["state"] == "confirmed" else count == 0, operation
    asked = Counter(one["asked"]["person"] for one in record.operations if one["action"] == "create")
    assert set(asked.values()) == {1}


def what_the_second_person_did_is_there_or_reported(record: Record) -> None:
    last: dict[tuple[int, str], dict[str, Any]] = {}
    for change in record.changes:
        if change["by"] == THEIRS:
            last[change["order_id"], change["label"]] = change
    unnoticed = []
    for (order, label), edit in last.items():
        if order not in record.last:
            assert any(operation["action"] == "delete" for operation in record.confirmed(order)), order
        elif record.last[order][label] != edit["after"]:
            overwriting = next(
                change
                for change in record.changes
                if (change["order_id"], change["label"], change["by"]) == (order, label, OURS)
                and change["version"] > edit["version"]
            )
            reported = [one for operation in record.of_order[order] for one in operation["overwritten"]]
            if any((one["label"], one["theirs"]) == (label, edit["after"]) for one in reported):
                continue
            assert not record.was_noticed(edit, overwriting), (edit, overwriting, record.of_order[order])
            unnoticed.append(edit)
    assert len(unnoticed) <= len(last) / 10, (len(unnoticed), len(last))


def each_save_had_a_reading_of_its_own(record: Record) -> None:
    """Since the order's save before, and answered: nothing is saved twice from one form."""
    answered: dict[int, list[float]] = defaultdict(list)
    for request in sorted(record.requests, key=lambda one: float(one["started"])):
        order = request["order_id"]
        if request["submode"] == "update" and not request["saving"] and request["heard"]:
            answered[order].append(request["ended"])
        elif request["saving"] and order is not None:
            assert any(ended <= request["started"] for ended in answered[order]), request
            answered[order].clear()


def a_key_used_again_gets_the_same_answer(
    caller: Caller, planso: SandboxProcess, answers: list[Answered], by_id: Mapping[str, dict[str, Any]]
) -> None:
    keyed = [answer for answer in answers if answer.write.key is not None and answer.operation is not None]
    saves = sum(request["saving"] for request in planso.requests())
    assert keyed
    for answer in keyed:
        again = caller.again(answer)
        operation = by_id[answer.operation or ""]
        assert again.operation == answer.operation
        assert (again.status == 200) == (operation["state"] == "confirmed"), (again, operation)
        if again.status == 200:
            assert again.body["order_id"] == operation["order_id"]
    assert sum(request["saving"] for request in planso.requests()) == saves


LAWS: tuple[Callable[[Record], None], ...] = (
    every_accepted_write_came_to_an_end,
    what_is_confirmed_is_in_planso,
    no_older_write_came_over_a_newer_one,
    nothing_else_is_in_planso,
    no_create_happened_twice,
    what_the_second_person_did_is_there_or_reported,
    each_save_had_a_reading_of_its_own,
)
"""Each raises AssertionError, with what broke it."""
