"""Damaged values written back: exactly these controls, as a person approved, over the API and the command line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from planso_connector.domain import clock
from planso_connector.domain.clock import format_instant
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.sandbox import Sandbox
from planso_connector.store import operations, write_stops
from tests.command_line import command_here
from tests.flows.writing.stopped_writes import count_saves, hide_all_forms, put, resume, stop_writes
from tests.service import Service, running_on_sqlite, wait_until

PHONE, REMARKS, CLASS, BOX = "Telefon", "Bemerkungen", "Kategorie", "Leasing/Flotte"
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One connector for most tests here; each takes orders of its own."""
    folder = tmp_path_factory.mktemp("back")
    with running_on_sqlite(folder, Sandbox(orders=12), planso_timeout=1.0, connector_sync_parts=False) as one:
        yield one


@pytest.fixture(scope="module")
def orders(service: Service) -> Iterator[int]:
    return iter(service.sandbox.order_ids())


@dataclass
class Damage:
    """What a save did to an order: the pairs of its form before, and the operation that is said to have done it."""

    order_id: int
    before: list[tuple[str, str]]
    operation: str
    names: dict[str, str]
    """Label to control name."""


def by_name(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def damage(service: Service, order_id: int, **losses: str) -> Damage:
    """The order's form loses values by label, and a damaged operation has them; writes to the order are stopped."""
    sandbox = service.sandbox
    assert put(service, order_id, remarks="Zeile eins\nund „zwei“ & mehr", phone="0151 23456").status_code == 200
    before, differences, names = sandbox.snapshot(order_id), [], {}
    for label, now in losses.items():
        held = by_name(sandbox.snapshot(order_id))
        sandbox.edit_field(order_id, label, now)
        left = by_name(sandbox.snapshot(order_id))
        (name,) = [name for name in held | left if held.get(name) != left.get(name)]
        names[label] = name
        values = {"before": held.get(name, []), "after": left.get(name, [])}
        differences.append({"column": name, "label": label, "verdict": "lost", **values})
    service.sync(full="true")
    operation = f"op_{next(_NUMBERS):020x}"
    now = format_instant(clock.now())
    record = Operation(
        operation,
        Action.UPDATE,
        order_id,
        {"person": "X"},
        OperationState.DAMAGED,
        created_at=now,
        settled_at=now,
        differences=differences,
        failure={"type": "Damaged"},
    )
    service.write_database(lambda tx: (operations.record(tx, record), None)[1])
    service.write_database(
        lambda tx: write_stops.stop(
            tx, order_id=order_id, operation=operation, reason="lost", columns=list(names.values()), now=now
        )
    )
    return Damage(order_id, before, operation, names)


def restore(service: Service, done: Damage, *only: str, **params: str) -> httpx2.Response:
    body = {"only": list(only)} if only else None
    return service.http.post(f"/api/operations/{done.operation}/restore", json=body, params=params)


def test_what_a_save_took_is_written_back_to_the_letter(service: Service, orders: Iterator[int]) -> None:
    """
    While the order is stopped, and before what waits for it: afterwards the form would be sent as before the damage.
    A text of several lines, a choice, a box. The dry run shows it first and sends nothing.
    """
    order_id = next(orders)
    held = service.sandbox.value(order_id, BOX)
    done = damage(service, order_id, **{REMARKS: "", CLASS: "", BOX: "" if held else "1"})
    assert service.sandbox.snapshot(order_id) != done.before
    sent = count_saves(service)
    body = restore(service, done, dry_run="true").json()
    assert {change["label"] for change in body["changes"]} == {REMARKS, CLASS, BOX}
    assert count_saves(service) == sent

    answer = restore(service, done)
    assert (answer.status_code, answer.json()["success"]) == (200, True), answer.text
    assert service.sandbox.snapshot(order_id) == done.before
    assert count_saves(service) == sent + 1
    operation = service.operation(answer)
    assert (operation["undoes"], operation["asked"]) == (done.operation, {})
    assert operation["controls"] == {name: by_name(done.before).get(name, []) for name in done.names.values()}
    assert service.order(order_id)["remarks"] == "Zeile eins\nund „zwei“ & mehr"
    (entry, *_) = service.http.get(f"/api/orders/{order_id}/history").json()["history"]
    assert entry["operation_id"] == operation["id"]
    assert put(service, order_id, person="X").status_code == 503  # it resumes nothing
    assert "nothing was sent" in restore(service, done).json()["message"]


def test_only_what_is_named_is_written_back(service: Service, orders: Iterator[int]) -> None:
    """By label, or by control name; another name is 422 with those that there are."""
    done = damage(service, next(orders), **{REMARKS: "", PHONE: ""})
    wrong = restore(service, done, "Fax")
    assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["body", "only"])
    assert f"'{PHONE}'" in wrong.json()["message"]
    assert restore(service, done, "telefon").status_code == 200
    held, now = by_name(done.before), by_name(service.sandbox.snapshot(done.order_id))
    assert {name for name in held if held[name] != now[name]} == {done.names[REMARKS]}
    assert restore(service, done, done.names[REMARKS]).status_code == 200
    assert service.sandbox.snapshot(done.order_id) == done.before


def test_what_somebody_changed_since_is_left_alone(service: Service, orders: Iterator[int]) -> None:
    """A value that a person put in after the damage stays, and is named; where all were, it is 412."""
    done = damage(service, next(orders), **{REMARKS: "", PHONE: ""})
    service.sandbox.edit_field(done.order_id, PHONE, "0711 999")
    answer = restore(service, done)
    assert (answer.status_code, PHONE in answer.json()["message"]) == (200, True)
    assert service.sandbox.value(done.order_id, PHONE) == "0711 999"
    assert service.sandbox.value(done.order_id, REMARKS)
    sent = count_saves(service)
    assert restore(service, done, PHONE).status_code == 412
    assert (count_saves(service), service.sandbox.value(done.order_id, PHONE)) == (sent, "0711 999")


def test_it_goes_before_what_waits_for_the_stopped_order(service: Service, orders: Iterator[int]) -> None:
    """A write accepted before the stop waits; the restore passes it, and it follows after resuming."""
    order_id = next(orders)
    with hide_all_forms(service.sandbox):
        waiting = put(service, order_id, wait=0, person="Kommt Danach")
        stop_writes(service)
        wait_until(lambda: "stopped since" in service.operation(waiting)["message"])
    resume(service)
    assert service.wait_until_settled(waiting)["state"] == "confirmed"

    done = damage(service, order_id, **{PHONE: ""})
    with hide_all_forms(service.sandbox):
        resume(service)
        waiting = put(service, order_id, wait=0, person="Kommt Zuletzt")
        stop_writes(service, order_id)
        wait_until(lambda: "stopped since" in service.operation(waiting)["message"])
    assert restore(service, done).status_code == 200
    assert service.operation(waiting)["state"] == "pending"
    resume(service)
    assert service.wait_until_settled(waiting)["state"] == "confirmed"
    assert service.sandbox.value(order_id, PHONE) == "0151 23456"


def test_only_a_damaged_operation_has_something_to_write_back(service: Service, orders: Iterator[int]) -> None:
    """Another operation is 409, an unknown one 404, a body that means nothing 422."""
    answer = put(service, next(orders), person="Alles Gut")
    address = f"/api/operations/{answer.headers['Operation-Id']}/restore"
    assert service.http.post(address).status_code == 409
    assert service.http.post("/api/operations/op_none/restore").status_code == 404
    assert service.http.post(address, json={"onyl": ["Telefon"]}).status_code == 422


def test_it_is_compared_and_not_believed(service: Service, orders: Iterator[int]) -> None:
    """A PlanSo that says yes and keeps nothing: 502, never success."""
    done = damage(service, next(orders), **{PHONE: ""})
    service.sandbox.knobs.drop_saves_next = 1
    answer = restore(service, done)
    assert (answer.status_code, answer.json()["success"]) == (502, False)


def test_who_may_resume_and_write_back(tmp_path: Path) -> None:
    """With keys: both want `admin`; the state is for all who read or write; values only for who reads orders."""
    sandbox = Sandbox(orders=12)
    with running_on_sqlite(tmp_path, sandbox) as service:
        done = damage(service, sandbox.order_ids()[0], **{PHONE: ""})
        environment = {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db"}
        keys = {
            scope: command_here(tmp_path, "keys", "create", "x", "--scope", scope, **environment).stdout.strip()
            for scope in ("orders:read", "orders:write", "appointments:write", "sync", "admin")
        }

        def status(scope: str, method: str, address: str) -> int:
            headers = {"Authorization": f"Bearer {keys[scope]}"}
            return service.http.request(method, address, headers=headers).status_code

        for scope, seen, may in (
            ("orders:read", 200, 403),
            ("orders:write", 200, 403),
            ("appointments:write", 200, 403),
            ("sync", 403, 403),
            ("admin", 200, 200),
        ):
            assert status(scope, "GET", "/api/writes") == seen
            assert status(scope, "POST", f"/api/operations/{done.operation}/restore") == may
            assert status(scope, "POST", "/api/writes/resume") == may
        for scope, values in (("orders:read", ["0151 23456"]), ("admin", ["0151 23456"])):
            headers = {"Authorization": f"Bearer {keys[scope]}"}
            operation = service.http.get(f"/api/operations/{done.operation}", headers=headers).json()["operation"]
            assert operation["differences"][0]["before"] == values


def planso(service: Service) -> dict[str, str]:
    installation = service.sandbox.installation
    return {
        "PLANSO_URL": service.planso,
        "PLANSO_USER": installation.username,
        "PLANSO_PASSWORD": installation.password,
        "PLANSO_TABLE_ID": str(installation.table_id),
    }


def test_the_commands(tmp_path: Path) -> None:
    """status names what is stopped, restore writes back through the running connector, resume asks first."""
    sandbox = Sandbox(orders=12)
    environment = {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db"}
    with running_on_sqlite(tmp_path, sandbox) as service:
        first, second = sandbox.order_ids()[:2]
        done, other = damage(service, first, **{PHONE: "", REMARKS: ""}), damage(service, second, **{PHONE: ""})
        shown = command_here(tmp_path, "writes", "status", **environment)
        assert shown.exit_code == 1
        assert f"Writes to order {first} are stopped since" in shown.stderr

        looked = command_here(tmp_path, "doctor", **environment, **planso(service))
        assert (looked.exit_code, f"Writes to order {first} are stopped" in looked.stdout) == (1, True), looked.stdout

        asked = command_here(tmp_path, "writes", "restore", done.operation, **environment)
        assert (asked.exit_code, "0151 23456" in asked.stdout) == (1, True)
        assert service.sandbox.value(first, PHONE) == ""
        only = ("--only", PHONE, "--yes")
        back = command_here(tmp_path, "writes", "restore", done.operation, *only, **environment)
        assert (back.exit_code, service.sandbox.value(first, PHONE)) == (0, "0151 23456"), back.stderr
        assert service.sandbox.value(first, REMARKS) == ""
        back = command_here(tmp_path, "writes", "restore", done.operation, "--yes", **environment)
        assert (back.exit_code, service.sandbox.snapshot(first)) == (0, done.before), back.stderr

        accept = ("--order", str(first), "--accept", "f_none", "--yes")
        assert command_here(tmp_path, "writes", "resume", *accept, **environment).exit_code == 2
        assert command_here(tmp_path, "writes", "resume", "--order", str(first), **environment).exit_code == 1
        assert put(service, first, person="X").status_code == 503
        accept = ("--order", str(first), "--accept", done.names[PHONE], "--yes")
        assert command_here(tmp_path, "writes", "resume", *accept, **environment).exit_code == 0
        assert put(service, first, person="X").status_code == 200
        assert put(service, second, person="X").status_code == 503
    alone = command_here(tmp_path, "writes", "restore", other.operation, "--yes", "--wait", "0.1", **environment)
    assert alone.exit_code == 1
    assert "No running connector" in alone.stderr
    assert command_here(tmp_path, "writes", "resume", "--yes", **environment).exit_code == 0
    assert command_here(tmp_path, "writes", "status", **environment).exit_code == 0
