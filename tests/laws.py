"""
The laws that hold after the connector was killed or its surroundings failed, and the evidence they are checked against.

The evidence from PlanSo is the sandbox's log of every request and of every change of a value. One loss can't be
prevented, and the log tells it apart: PlanSo's forms carry no version, so an edit by the second person between the read
of the form that is saved and the save itself can't be noticed, unless the form is read once more in between.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from planso_connector.sandbox import Installation
from tests.process import ConnectorProcess, SandboxProcess
from tests.service import wait_until
from tests.simulated_users import EDITED_LABELS, WRITTEN_FIELDS, Caller, SentWrite

BY_CONNECTOR, BY_WORKSHOP = "Verbindung", "Werkstatt"
"""Values of `by` in the sandbox's log of changes."""
PATIENCE = 120.0
TIMEOUT, LATE, LAST = 1.6, 2.4, 2.7
"""
Seconds. TIMEOUT: how long the connector waits for a page. LATE: how long a late save takes; it is carried out after the
connector gave up, usually after it read the form again. LAST: after that PlanSo carries out no save any more; the
connector relies on that after twice its timeout.
"""
FINAL_STATES = {"confirmed", "refused", "expired", "conflict"}
"""Not `damaged`: an edit of the second person during a save is no damage."""


def environment(planso: str, database: str) -> dict[str, str]:
    """Return the settings of a connector that syncs only on demand, given the two URLs."""
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


def wait_until_all_settled(connector: ConnectorProcess) -> None:
    """Wait until no operation is pending. Raises AssertionError with those that are, the readiness and the log."""
    pending = {"state": "pending", "limit": "500"}

    def list_pending() -> list[Any]:
        found: list[Any] = connector.http.get("/api/operations", params=pending).json()["operations"]
        return found

    try:
        wait_until(lambda: not list_pending(), "all operations to be settled", PATIENCE)
    except AssertionError:
        raise AssertionError(
            list_pending(), connector.http.get("/health/ready").json(), connector.log()[-4000:]
        ) from None


def _read_pages(connector: ConnectorProcess, path: str, member: str, limit: int) -> list[dict[str, Any]]:
    """Return the entries of all pages of a list, newest first."""
    entries: list[dict[str, Any]] = []
    params = {"limit": str(limit)}
    while True:
        page = connector.http.get(path, params=params).json()
        entries += page[member]
        if page["next_cursor"] is None:
            return entries
        params["cursor"] = page["next_cursor"]


def list_operations(connector: ConnectorProcess) -> list[dict[str, Any]]:
    """Return all operations, oldest first."""
    return _read_pages(connector, "/api/operations", "operations", 500)[::-1]


def list_planso_values(connector: ConnectorProcess, order: int) -> set[str]:
    """Return the values that the order's fields got by edits in PlanSo, according to the connector's history."""
    entries = _read_pages(connector, f"/api/orders/{order}/history", "history", 100)
    return {str(change["after"]) for entry in entries if entry["by"] == "PlanSo" for change in entry["changes"]}


@dataclass
class Evidence:
    """
    What PlanSo, the connector and its callers recorded, collected at the end.

    `first`, `last`: PlanSo's orders at the beginning and at the end, displayed values by id and label. `changes`,
    `requests`: the sandbox's logs. `operations`: all of the connector, oldest first. `sent`: what the callers sent.
    `kills`: when the connector was killed, by `time.monotonic`. `history`: `list_planso_values` by order.
    """

    first: dict[int, dict[str, str]]
    last: dict[int, dict[str, str]]
    changes: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    operations: list[dict[str, Any]]
    sent: list[SentWrite]
    kills: list[float]
    history: dict[int, set[str]]

    @classmethod
    def collect(
        cls,
        planso: SandboxProcess,
        connector: ConnectorProcess,
        callers: Sequence[Caller],
        first: dict[int, dict[str, str]],
        kills: list[float],
    ) -> Evidence:
        return cls(
            first,
            planso.orders(),
            planso.changes(),
            planso.requests(),
            list_operations(connector),
            [sent for caller in callers for sent in caller.sent],
            kills,
            {order: list_planso_values(connector, order) for order in first},
        )

    @cached_property
    def by_id(self) -> dict[str, dict[str, Any]]:
        return {operation["id"]: operation for operation in self.operations}

    @cached_property
    def by_order(self) -> dict[int, list[dict[str, Any]]]:
        """The operations of each order, oldest first."""
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for operation in self.operations:
            if operation["order_id"] is not None:
                found[operation["order_id"]].append(operation)
        return found

    def confirmed(self, order: int) -> list[dict[str, Any]]:
        return [operation for operation in self.by_order[order] if operation["state"] == "confirmed"]

    def list_written(self, order: int, label: str) -> list[str]:
        """Return the values that the connector saved to a field, oldest first."""
        return [
            change["after"]
            for change in self.changes
            if (change["order_id"], change["label"], change["by"]) == (order, label, BY_CONNECTOR)
        ]

    def find_save(self, change: dict[str, Any]) -> dict[str, Any]:
        """Return the request that made a change of the connector's."""
        (save,) = (
            request
            for request in self.requests
            if request["saving"] and request["version"] is not None and request["version"] + 1 == change["version"]
        )
        return save

    def was_noticed(self, edit: dict[str, Any], overwriting: dict[str, Any]) -> bool:
        """
        Whether the connector read the edit while the save that overwrote it was in progress, and still knows of it: the
        process that read it was not killed before the save, or had stored it in the history.
        """
        save = self.find_save(overwriting)
        reads = [
            request
            for request in self.requests
            if request["order_id"] == edit["order_id"]
            and request["submode"] == "update"
            and not request["saving"]
            and request["heard"]
            and request["ended"] - request["started"] < TIMEOUT / 2  # answered before the connector gave up
            and request["version"] is not None
            and edit["version"] <= request["version"] < overwriting["version"]
            and request["started"] >= save["started"]
        ]
        survived = any(all(not read["ended"] <= kill <= save["ended"] for kill in self.kills) for read in reads)
        return survived or (bool(reads) and edit["after"] in self.history[edit["order_id"]])


def every_accepted_write_is_settled(evidence: Evidence) -> None:
    """An accepted write ends in one of FINAL_STATES; one answered with 200 is confirmed."""
    for operation in evidence.operations:
        assert operation["state"] in FINAL_STATES, operation
    for sent in evidence.sent:
        if sent.status in (200, 202):
            assert sent.operation in evidence.by_id, sent
        if sent.status == 200:
            assert evidence.by_id[sent.operation or ""]["state"] == "confirmed", sent


def confirmed_writes_are_in_planso(evidence: Evidence) -> None:
    """Every confirmed value was saved to PlanSo, and each field has the value of its newest confirmed write."""
    for order in evidence.by_order:
        confirmed = evidence.confirmed(order)
        is_deleted = any(operation["action"] == "delete" for operation in confirmed)
        assert is_deleted == (order not in evidence.last), confirmed
        newest: dict[str, str] = {}
        for operation in confirmed:
            for path in WRITTEN_FIELDS.keys() & operation["asked"].keys():
                newest[path] = operation["asked"][path]
                assert newest[path] in evidence.list_written(order, WRITTEN_FIELDS[path]), operation
        for path, value in newest.items():
            if not is_deleted:
                assert evidence.last[order][WRITTEN_FIELDS[path]] == value, (order, path, confirmed)


def no_older_write_overwrote_a_newer_one(evidence: Evidence) -> None:
    """The writes of a field were saved in the order in which they were accepted."""
    for order, operations in evidence.by_order.items():
        for path, label in WRITTEN_FIELDS.items():
            asked = [operation["asked"].get(path) for operation in operations]
            unique = [value for value, count in Counter(asked).items() if value is not None and count == 1]
            written = [value for value in evidence.list_written(order, label) if value in unique]
            assert written == sorted(written, key=asked.index), (order, path)


def nothing_else_is_in_planso(evidence: Evidence) -> None:
    """The connector saved the values of confirmed operations, created the orders of confirmed creates, nothing else."""
    paths = {label: path for path, label in WRITTEN_FIELDS.items()}
    edited: dict[tuple[int, str], set[str]] = defaultdict(set)
    for change in evidence.changes:
        order, label, after = change["order_id"], change["label"], change["after"]
        if change["by"] == BY_CONNECTOR and label in paths:
            asked = [operation["asked"].get(paths[label]) for operation in evidence.confirmed(order)]
            assert after in asked, (change, evidence.by_order[order])
        elif change["by"] == BY_CONNECTOR and label in EDITED_LABELS and order in evidence.first:
            assert after in {evidence.first[order][label], *edited[order, label]}, change
        elif change["by"] == BY_WORKSHOP:
            edited[order, label].add(after)
    created = {operation["order_id"] for operation in evidence.operations if operation["action"] == "create"}
    created |= {change["order_id"] for change in evidence.changes if change["by"] == BY_WORKSHOP}
    assert evidence.last.keys() <= evidence.first.keys() | created


def no_create_happened_twice(evidence: Evidence) -> None:
    """A confirmed create made one order in PlanSo, any other create none; the values of each create are unique."""
    made = Counter(
        change["after"]
        for change in evidence.changes
        if (change["by"], change["label"], change["before"]) == (BY_CONNECTOR, "Fahrername", "")
    )
    creates = [operation for operation in evidence.operations if operation["action"] == "create"]
    for create in creates:
        assert made[create["asked"]["person"]] == (1 if create["state"] == "confirmed" else 0), create
    asked = Counter(create["asked"]["person"] for create in creates)
    assert set(asked.values()) == {1}


def edits_of_the_second_person_are_kept_or_reported(evidence: Evidence) -> None:
    """
    The last edit of a field is in PlanSo, or its order was deleted, or the operation that overwrote it reports it, or
    the connector could not notice it; the last for at most a tenth of the fields.
    """
    last: dict[tuple[int, str], dict[str, Any]] = {}
    for change in evidence.changes:
        if change["by"] == BY_WORKSHOP:
            last[change["order_id"], change["label"]] = change
    unnoticed = []
    for (order, label), edit in last.items():
        if order not in evidence.last:
            assert any(operation["action"] == "delete" for operation in evidence.confirmed(order)), order
        elif evidence.last[order][label] != edit["after"]:
            overwriting = next(
                change
                for change in evidence.changes
                if (change["order_id"], change["label"], change["by"]) == (order, label, BY_CONNECTOR)
                and change["version"] > edit["version"]
            )
            reports = [report for operation in evidence.by_order[order] for report in operation["overwritten"]]
            if any((report["label"], report["theirs"]) == (label, edit["after"]) for report in reports):
                continue
            assert not evidence.was_noticed(edit, overwriting), (edit, overwriting, evidence.by_order[order])
            unnoticed.append(edit)
    assert len(unnoticed) <= len(last) / 10, (len(unnoticed), len(last))


def each_save_had_its_own_read(evidence: Evidence) -> None:
    """Between two saves of an order its form was read, and that read was answered: no form is saved twice."""
    answered: dict[int, list[float]] = defaultdict(list)
    for request in sorted(evidence.requests, key=lambda request: float(request["started"])):
        order = request["order_id"]
        if request["submode"] == "update" and not request["saving"] and request["heard"]:
            answered[order].append(request["ended"])
        elif request["saving"] and order is not None:
            assert any(ended <= request["started"] for ended in answered[order]), request
            answered[order].clear()


def check_repeated_keys(caller: Caller, planso: SandboxProcess, evidence: Evidence) -> None:
    """A write that is sent again with the same idempotency key gets the same operation, and saves nothing."""
    keyed = [sent for sent in evidence.sent if sent.write.key is not None and sent.operation is not None]
    saves = sum(request["saving"] for request in planso.requests())
    assert keyed
    for sent in keyed:
        repeated = caller.repeat(sent)
        operation = evidence.by_id[sent.operation or ""]
        assert repeated.operation == sent.operation
        assert (repeated.status == 200) == (operation["state"] == "confirmed"), (repeated, operation)
        if repeated.status == 200:
            assert repeated.body["order_id"] == operation["order_id"]
    assert sum(request["saving"] for request in planso.requests()) == saves


LAWS: tuple[Callable[[Evidence], None], ...] = (
    every_accepted_write_is_settled,
    confirmed_writes_are_in_planso,
    no_older_write_overwrote_a_newer_one,
    nothing_else_is_in_planso,
    no_create_happened_twice,
    edits_of_the_second_person_are_kept_or_reported,
    each_save_had_its_own_read,
)
"""Each raises AssertionError with the objects that break it."""
