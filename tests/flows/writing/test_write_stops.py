"""Stopped writes as callers and operators meet them: refused, held up, resumed; and damaged values written back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from planso_connector.domain import clock
from planso_connector.domain.clock import Instant, format_instant, parse_instant
from planso_connector.domain.operation import Action, Operation
from planso_connector.sandbox import Sandbox
from planso_connector.store import operations
from planso_connector.store.engine.transaction import Row
from planso_connector.store.tables import save_effects
from tests.flows.writing.stopped_writes import count_saves, hide_all_forms, put, resume, stop_writes
from tests.planso_proxy import FORM, PlansoProxy
from tests.service import Service, running, running_on_sqlite, settings_for, wait_until

PERSON, PHONE, REMARKS = "Fahrername", "Telefon", "Bemerkungen"


def attempts(service: Service, answer: httpx2.Response) -> int:
    return int(service.operation(answer)["attempts"])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One connector for most tests here; each takes orders of its own and leaves nothing stopped."""
    folder = tmp_path_factory.mktemp("stops")
    sandbox = Sandbox(orders=12)
    sandbox.app = PlansoProxy(sandbox.app)
    with running_on_sqlite(folder, sandbox, planso_timeout=1.0, connector_sync_parts=False) as one:
        yield one


@pytest.fixture(scope="module")
def orders(service: Service) -> Iterator[int]:
    return iter(service.sandbox.order_ids())


@pytest.fixture
def order(service: Service, orders: Iterator[int]) -> Iterator[int]:
    """An order that no other test touches."""
    yield next(orders)
    assert resume(service).status_code == 200


def test_every_verb_is_refused_while_the_workshop_is_stopped(service: Service, order: int) -> None:
    """503 with Retry-After and what to do; nothing is recorded or sent. Dry runs, reads and known keys are answered."""
    asked: dict[str, Any] = {"person": "Vor Dem Halt"}
    assert put(service, order, "known", **asked).status_code == 200
    undoable = put(service, order, "undo", person="Und Danach").headers["Operation-Id"]
    stop_writes(service)
    sent, recorded = count_saves(service), len(service.http.get("/api/operations").json()["operations"])
    address = f"/api/orders/{order}"
    for method, where, body in (
        ("PUT", address, {"order_id": order, "person": "X"}),
        ("PATCH", address, {"person": "X"}),
        ("POST", "/api/orders", {"person": "X"}),
        ("DELETE", address, None),
        ("POST", f"/api/operations/{undoable}/undo", None),
    ):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        refused = service.http.request(method, where, json=body, headers=headers)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "300"), refused.text
        message = refused.json()["message"]
        assert "op_damage" in message
        assert "1 value was lost: 'Telefon'" in message
        assert "planso-connector writes resume" in message
        assert "POST /api/writes/resume" in message
    assert service.http.put(address, json={"order_id": order, "person": "X"}, params={"dry_run": "true"}).json()[
        "changes"
    ]
    assert service.order(order)["person"] == "Und Danach"
    assert put(service, order, "known", **asked).status_code == 200
    assert count_saves(service) == sent
    assert len(service.http.get("/api/operations").json()["operations"]) == recorded

    assert resume(service).json()["resumed"][0]["operation"] == "op_damage"
    assert put(service, order, person="Nach Dem Halt").status_code == 200


def test_a_stopped_order_leaves_the_others_alone(service: Service, order: int, orders: Iterator[int]) -> None:
    """Only writes to that order are 503, and the message names it; creates and other orders go on."""
    other = next(orders)
    stop_writes(service, order)
    refused = put(service, order, person="X")
    assert refused.status_code == 503
    assert f"order {order} are stopped" in refused.json()["message"]
    assert f"writes resume --order {order}" in refused.json()["message"]
    assert put(service, other, person="Geht Durch").status_code == 200
    assert service.http.post("/api/orders", json={"person": "Neu Dazu"}).status_code == 200
    assert resume(service, order_id=other).json()["resumed"] == []
    assert put(service, order, person="X").status_code == 503
    assert [one["order_id"] for one in resume(service, order_id=order).json()["resumed"]] == [order]
    assert put(service, order, person="Wieder").status_code == 200


@pytest.mark.parametrize("scope", ["workshop", "order"])
def test_what_was_accepted_waits_and_is_carried_out_after_resuming(service: Service, order: int, scope: str) -> None:
    """A pending write is not sent while stopped, its message says why, its deadline grows by the stop; then it goes."""
    with hide_all_forms(service.sandbox):
        accepted = put(service, order, wait=0, person="Wartet Ab")
        assert accepted.status_code == 202
        stop_writes(service, order if scope == "order" else None)
        before = service.operation(accepted)
    wait_until(lambda: "planso-connector writes resume" in service.operation(accepted)["message"])
    assert service.http.get("/api/writes").json()["pending"] == 1
    sent = count_saves(service)
    tried = attempts(service, accepted)
    # Other orders' writes pass by meanwhile, or nothing could; a claim of what is held up would show in its attempts.
    service.sync()
    assert (count_saves(service), service.operation(accepted)["state"]) == (sent, "pending")
    assert attempts(service, accepted) <= tried + 1  # one was under way when it was stopped

    stopped = parse_instant(service.http.get("/api/writes").json()["stops"][0]["since"])
    assert resume(service).status_code == 200
    ended = service.wait_until_settled(accepted)
    assert (ended["state"], service.sandbox.value(order, PERSON)) == ("confirmed", "Wartet Ab")
    moved = parse_instant(ended["deadline_at"]) - parse_instant(before["deadline_at"])
    assert timedelta(0) < moved <= clock.now() - stopped


def test_a_stop_between_the_reading_and_the_save_keeps_the_save_back(service: Service, order: int) -> None:
    """Stopped while an attempt is reading: the mark is refused, nothing is sent, and the operation stays unsent."""
    on_its_way, sent = service.sandbox.app, count_saves(service)
    assert isinstance(on_its_way, PlansoProxy)
    on_its_way.on_response = (FORM, order), lambda: stop_writes(service)
    accepted = put(service, order, wait=0, person="Gerade Noch")
    wait_until(lambda: "stopped since" in service.operation(accepted)["message"])
    wait_until(lambda: service.operation(accepted)["next_attempt_at"] > service.operation(accepted)["created_at"])
    held_up = service.operation(accepted)
    assert (held_up["state"], held_up["sent"], count_saves(service)) == ("pending", False, sent)
    resume(service)
    assert service.wait_until_settled(accepted)["state"] == "confirmed"


def test_what_may_have_been_sent_is_looked_for_while_stopped(service: Service, order: int) -> None:
    """A save whose answer was lost: PlanSo is read while writes are stopped, and what shows is confirmed."""
    service.sandbox.knobs.lose_answers_next = 1
    with_lost_answer = put(service, order, wait=0, person="Schon Da")
    wait_until(lambda: service.operation(with_lost_answer)["sent"])
    stop_writes(service)
    assert service.wait_until_settled(with_lost_answer)["state"] == "confirmed"
    assert service.sandbox.value(order, PERSON) == "Schon Da"


def test_accepted_columns_are_remembered(service: Service, order: int) -> None:
    """`accept` notes a damaged control as one that changes with saves; one that was not damaged is 422, all stays."""
    stop_writes(service, order, ("f_1", "f_2"))
    refused = resume(service, order_id=order, accept=["f_1", "f_9"])
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "accept"])
    assert "'f_9'" in refused.json()["message"]
    assert "'f_2'" in refused.json()["message"]
    assert service.http.get("/api/writes").json()["stops"][0]["columns"] == ["f_1", "f_2"]
    assert resume(service, order_id=order, accept=["f_2"]).status_code == 200
    rows: list[Row] = []
    service.write_database(lambda tx: rows.extend(tx.fetch_all(select(save_effects))))
    assert [(row["column"], row["cause"], row["effect"]) for row in rows] == [("f_2", "", "accepted")]


def test_readiness_and_metrics_say_it(service: Service, order: int) -> None:
    """An order's stop degrades; the workshop's is 503 by `writes`, with what to do; both are measured."""

    def figure(name: str) -> float:
        lines = service.http.get("/metrics").text.splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"planso_connector_{name} ")))

    def ready() -> tuple[int, str, dict[str, Any]]:
        answer = service.http.get("/health/ready")
        checks = {check["name"]: check for check in answer.json()["checks"]}
        return answer.status_code, answer.json()["state"], checks["writes"]

    assert (ready()[:2], figure("writes_stopped"), figure("writes_stopped_orders")) == ((200, "ready"), 0, 0)
    stop_writes(service, order)
    status, state, writes = ready()
    assert (status, state, writes["ok"]) == (200, "degraded", False)
    assert f"--order {order}" in writes["words"]
    assert (figure("writes_stopped"), figure("writes_stopped_orders")) == (0, 1)
    stop_writes(service)
    status, state, writes = ready()
    assert (status, state, writes["required"]) == (503, "not_ready", True)
    assert "planso-connector writes resume" in writes["words"]
    assert (figure("writes_stopped"), figure("writes_stopped_orders"), figure("ready")) == (1, 1, 0)
    resume(service)
    assert (ready()[:2], figure("writes_stopped")) == ((200, "ready"), 0)


# -- several processes, and later ones


def test_a_stop_holds_for_every_process_and_survives_a_restart(tmp_path: Path, database_url: str) -> None:
    """Two connectors on one database: stopped in one, neither sends; a later process finds it stopped."""
    sandbox = Sandbox(orders=12)
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, database_url, planso_timeout=1.0)
        with running(settings, sandbox) as one:
            one.fill_mirror()
            with running(settings, sandbox) as other:
                order = sandbox.order_ids()[0]
                with hide_all_forms(one.sandbox):
                    accepted = put(one, order, wait=0, person="Wartet Auch")
                    stop_writes(other)
                assert put(one, order, person="X").status_code == 503
                wait_until(lambda: "stopped since" in one.operation(accepted)["message"])
                sent = count_saves(one)
        with running(settings, sandbox) as later:
            state = later.http.get("/api/writes").json()
            assert (state["state"], state["pending"], state["stops"][0]["order_id"]) == ("stopped", 1, None)
            assert put(later, order, person="X").status_code == 503
            assert count_saves(later) == sent
            assert resume(later).status_code == 200
            assert later.wait_until_settled(accepted)["state"] == "confirmed"
    assert sandbox.value(order, PERSON) == "Wartet Auch"


def test_a_deadline_that_passes_while_stopped_does_not_end_a_write(tmp_path: Path) -> None:
    """Stopped for longer than the whole deadline, also one whose save is not known to have landed: still pending."""
    sandbox = Sandbox(orders=12)
    changes = {"planso_timeout": 1.0, "connector_write_deadline": timedelta(seconds=10)}
    with running_on_sqlite(tmp_path, sandbox, **changes) as service:
        first, second = sandbox.order_ids()[:2]
        with hide_all_forms(service.sandbox):
            unsent = put(service, first, wait=0, person="Ungesendet")
            stop_writes(service)
        deadline = parse_instant(service.operation(unsent)["deadline_at"])
        now = format_instant(clock.now())
        unsure = _record(service, second, {"person": "Unklar"}, now, sent_at=now, deadline=timedelta(seconds=10))
        wait_until(lambda: clock.now() > deadline + timedelta(seconds=1))
        pending = service.http.get(f"/api/operations/{unsure}").json()["operation"]
        assert (pending["state"], service.operation(unsent)["state"]) == ("pending", "pending")
        wait_until(lambda: service.http.get(f"/api/operations/{unsure}").json()["operation"]["attempts"] > 1)
        assert sandbox.value(second, PERSON) != "Unklar"
        resume(service)
        assert service.wait_until_settled(unsent)["state"] == "confirmed"
        wait_until(lambda: sandbox.value(second, PERSON) == "Unklar")


def _record(
    service: Service, order_id: int, asked: dict[str, Any], now: Instant, *, deadline: timedelta, **more: Any
) -> str:
    due = format_instant(parse_instant(now) + deadline)
    whole = Operation(f"op_{order_id:020x}", Action.UPDATE, order_id, asked, created_at=now, next_at=now)
    record = replace(whole, deadline_at=due, first_sent_at=more.get("sent_at"), **more)
    service.write_database(lambda tx: (operations.record(tx, record), None)[1])
    return record.id


# -- the setting


@pytest.mark.parametrize("setting", ["shadow", "off"])
def test_the_setting_keeps_every_write_from_planso(tmp_path: Path, setting: str) -> None:
    """
    `shadow` answers each verb with what it would change, `off` with why it does not; both 503, no success, nothing
    recorded or sent. What was accepted before waits. A write that was carried out before is told again by its key.
    """
    sandbox = Sandbox(orders=12)
    first, second, third = sandbox.order_ids()[:3]
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, f"sqlite:///{tmp_path}/connector.db", planso_timeout=1.0)
        with ExitStack() as silence, running(settings, sandbox) as service:
            service.fill_mirror()
            done = put(service, first, "known", person="War Vorher")
            silence.enter_context(hide_all_forms(sandbox))
            accepted = put(service, second, wait=0, person="Wartet")
        sandbox.forget_requests()
        with running(settings.model_copy(update={"connector_writes": setting}), sandbox) as service:
            assert put(service, first, "known", person="War Vorher").status_code == 200
            was = sandbox.value(third, PERSON)
            address = f"/api/orders/{third}"
            for method, where, body, changes in (
                ("PUT", address, {"order_id": third, "person": "Neu"}, ["person"]),
                ("PATCH", address, {"person": "Neu"}, ["person"]),
                ("POST", "/api/orders", {"person": "Neu"}, ["person"]),
                ("DELETE", address, None, []),
                ("POST", f"/api/operations/{done.headers['Operation-Id']}/undo", None, ["person"]),
            ):
                answer = service.http.request(method, where, json=body)
                refused = answer.json()
                assert (answer.status_code, refused["success"]) == (503, False)
                assert answer.headers["Retry-After"] == "300"
                assert f"CONNECTOR_WRITES={setting}" in refused["message"]
                if setting == "shadow":
                    assert refused["message"].startswith("CONNECTOR_WRITES=shadow: nothing was sent.")
                    assert refused["dry_run"] is True
                    assert set(changes) <= {change["field"] for change in refused["changes"]}
                else:
                    assert "changes" not in refused
            if setting == "shadow":  # what can't be taken is refused as when it is on
                assert put(service, third, est_hours_karo=-1).status_code == 422
            assert service.http.get("/api/writes").json()["state"] == setting
            ready = service.http.get("/health/ready")
            assert ready.status_code == 200
            words = {check["name"]: check["words"] for check in ready.json()["checks"]}
            assert f"CONNECTOR_WRITES={setting}" in words["writes"]
            assert service.operation(accepted)["state"] == "pending"
            recorded = {one["id"] for one in service.http.get("/api/operations").json()["operations"]}
            assert recorded == {done.headers["Operation-Id"], accepted.headers["Operation-Id"]}
        assert sandbox.value(third, PERSON) == was
        assert not any(request.saving for request in sandbox.requests)
        with running(settings, sandbox) as service:
            assert service.wait_until_settled(accepted)["state"] == "confirmed"
