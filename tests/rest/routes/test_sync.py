"""POST /api/sync and what a sync does: few requests, a fresh mirror, no harm by bad pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from planso_connector.sandbox import Installation, Sandbox
from tests.planso_proxy import FORM, PARTS, PlansoProxy
from tests.service import PATIENCE, Service, running, running_on_sqlite, settings_for, wait_until

ORDERS = 12


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_on_sqlite(tmp_path, Sandbox(orders=ORDERS), planso_timeout=2.0) as started:
        started.sandbox.forget_requests()
        yield started


def calls(service: Service) -> list[str]:
    return [request.m for request in service.sandbox.requests]


def runs(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.http.get("/api/sync/runs").json()["runs"]
    return found


def test_a_sync_without_changes_is_one_request(service: Service) -> None:
    """The list, and nothing else; the run says so."""
    status = service.sync()
    assert calls(service) == ["resourceplanner_get_project_stations"]
    assert (status["state"], status["last_result"]["requests"], status["last_result"]["changed"]) == ("idle", 1, 0)
    assert [run["state"] for run in runs(service)] == ["done", "done"]


def test_only_what_changed_in_the_list_is_read(service: Service) -> None:
    """An order that moved to another station is read, form and parts; the others are not."""
    order_id = service.sandbox.order_ids()[0]
    before = service.order(order_id)["station_id"]
    other = "Finish" if service.sandbox.value(order_id, "Projekt-Status") != "Finish" else "Karosserie"
    statuses = {service.sandbox.value(n, "Projekt-Status") for n in service.sandbox.order_ids()}
    for status in sorted(statuses - {"", other}):
        service.sandbox.edit_field(order_id, "Projekt-Status", status)
        service.sync()
        if service.order(order_id)["station_id"] != before:
            break
    assert service.order(order_id)["station_id"] != before
    forms = [r.order_id for r in service.sandbox.requests if r.m == "visual_forms_plain"]
    assert set(forms) <= {order_id}
    assert forms


def test_an_edit_that_the_list_does_not_show_is_found_by_rereading(tmp_path: Path) -> None:
    """Within the configured time."""
    soon = {"connector_sync_reread": timedelta(seconds=0), "connector_sync_reread_soon": timedelta(seconds=0)}
    with running_on_sqlite(tmp_path, Sandbox(orders=12), **soon) as service:
        order_id = service.sandbox.order_ids()[0]
        service.sandbox.edit_field(order_id, "Bemerkungen", "heimlich")
        service.sync()
        assert service.order(order_id)["remarks"] == "heimlich"


def test_a_full_sync_reads_everything(service: Service) -> None:
    """`full=true` reads every order once."""
    service.sync(full="true")
    forms = [r.order_id or 0 for r in service.sandbox.requests if r.m == "visual_forms_plain"]
    assert sorted(forms) == service.sandbox.order_ids()
    assert runs(service)[0]["kind"] == "full"


def test_archived_and_deleted_orders_are_distinguished(service: Service) -> None:
    """What left the list is looked at: archived orders stay readable, deleted ones don't; restored ones return."""
    archived, deleted = service.sandbox.order_ids()[:2]
    service.sandbox.archive(archived)
    service.sandbox.delete(deleted)
    service.sync()
    assert service.order(archived)["archived"] is True
    assert service.http.get(f"/api/orders/{deleted}").status_code == 404
    service.sandbox.unarchive(archived)
    service.sync()
    assert service.order(archived)["archived"] is False


def test_another_installation_with_expiring_sessions(tmp_path: Path) -> None:
    """150 orders, 20 ms a page, sessions of 60 requests: all correct, bounded concurrency, one login a session."""
    sandbox = Sandbox(orders=150, seed=7, installation=Installation(table_id=815, field_names=31, markup="for"))
    sandbox.knobs.latency = 0.02
    sandbox.knobs.expire_sessions_after = 60
    with running_on_sqlite(tmp_path, sandbox) as service:
        status = service.wait_for_sync()
        assert (status["state"], status["last_result"]["done"]) == ("idle", 150)
        page = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
        assert {o["id"]: o["vehicle_details"]["number_plate"] or "" for o in page} == sandbox.plates()
        assert {o["id"]: (o["person"] or "", o["remarks"] or "") for o in page} == {
            n: (sandbox.value(n, "Fahrername").strip(), sandbox.value(n, "Bemerkungen").replace("\r\n", "\n").strip())
            for n in sandbox.order_ids()
        }
        for order_id in sandbox.order_ids():
            parts = service.http.get(f"/api/orders/{order_id}/parts").json()["parts"]
            assert [(part["row_id"], part["part_no"], part["is_missing"]) for part in parts] == [
                (str(part["row_id"]), part["number"], part["missing"]) for part in sandbox.parts(order_id)
            ]
        assert sandbox.in_flight_peak <= 4
        assert sandbox.logins <= 302 / 60 + 2
        sandbox.knobs.expire_sessions_after = None
        service.sync()
        versions = {o["id"]: o["version"] for o in page}
        sandbox.forget_requests()
        assert service.sync()["last_result"]["requests"] == len(sandbox.requests) == 1
        page = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
        assert {o["id"]: o["version"] for o in page} == versions


@pytest.mark.parametrize(("label", "field"), [("Fahrername", "person"), ("Werkstattstart", "shop_date")])
def test_a_missing_label_keeps_its_values(service: Service, label: str, field: str) -> None:
    """
    No order has a new version, the status names the label and its fill rates; when the label is back, so is the rest.
    """
    order_id = service.sandbox.order_ids()[0]
    before = service.order(order_id)
    service.sandbox.knobs.missing_labels.add(label)
    status = service.sync(full="true")
    assert status["last_result"]["changed"] == 0
    (doubt,) = [d for d in status["last_result"]["doubts"] if d["what"] == label]
    assert (doubt["kind"], doubt["orders"], doubt["filled_now"]) == ("label_gone", ORDERS, 0.0)
    assert doubt["filled_before"] > 0.5
    assert label in status["message"]
    assert service.order(order_id)[field] == before[field]
    assert service.order(order_id)["version"] == before["version"]
    service.sandbox.knobs.missing_labels.clear()
    recovered = service.sync(full="true")["last_result"]
    assert (recovered["doubts"], recovered["changed"]) == ([], 0)


def test_accept_removals_takes_over_what_moved(service: Service) -> None:
    """A missing label, and missing orders."""
    order_id = service.sandbox.order_ids()[0]
    service.sandbox.knobs.missing_labels.add("ExpressLink")
    for other in service.sandbox.order_ids()[1:]:
        service.sandbox.archive(other)
    assert "accept_removals" in service.sync()["message"]
    assert service.http.get("/api/orders", params={"limit": "500"}).json()["count"] == ORDERS
    assert service.sync(full="true", accept_removals="true")["state"] == "idle"
    assert service.http.get("/api/orders", params={"limit": "500"}).json()["count"] == 1
    assert service.order(order_id)["express_link"] is None


def test_accepting_reads_the_affected_orders_again(service: Service) -> None:
    """Also those that a full run had read before it broke off."""
    service.sandbox.knobs.missing_labels.add("ExpressLink")
    service.sandbox.knobs.empty_form_orders |= set(service.sandbox.order_ids()[:4])
    assert "accept-removals" in service.sync(full="true")["message"]
    assert runs(service)[0]["state"] == "failed"
    service.sandbox.knobs.empty_form_orders.clear()
    assert service.sync(full="true", accept_removals="true")["state"] == "idle"
    orders = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
    assert [order["id"] for order in orders if "ExpressLink" in order["fields"]] == []


def test_new_empty_orders_stop_no_sync(service: Service) -> None:
    """
    A dozen new orders with empty forms: the run succeeds, names them, and stores the others. Each is stored as soon as
    its form holds something.
    """
    empty = [service.sandbox.add_order({}) for _ in range(12)]
    service.sandbox.knobs.empty_form_orders = set(empty)
    other = service.sandbox.add_order({"Fahrername": "Nach Den Leeren"})
    status = service.sync()
    assert (status["state"], status["last_result"]["state"], status["last_result"]["failed"]) == ("idle", "done", [])
    assert f"Orders that hold nothing in PlanSo were not taken over: {empty[0]}, " in status["message"]
    assert "and 7 more" in status["message"]
    assert service.order(other)["person"] == "Nach Den Leeren"
    assert service.http.get(f"/api/orders/{empty[0]}").status_code == 404
    service.sandbox.knobs.empty_form_orders.remove(empty[0])
    service.sandbox.edit_field(empty[0], "Fahrername", "Doch Jemand")
    assert service.sync()["last_result"]["state"] == "done"
    assert service.order(empty[0])["person"] == "Doch Jemand"


def test_an_order_cleared_by_a_caller_stops_no_sync(tmp_path: Path) -> None:
    """A write clears an order's only value: its empty form is read like any other."""
    sandbox = Sandbox(orders=12)
    sandbox.knobs.missing_labels = {"Auftragsnummer"}
    cleared = [sandbox.add_order({"Fahrername": "Bald Leer"}) for _ in range(4)]
    with running_on_sqlite(tmp_path, sandbox) as service:
        for order_id in cleared:
            assert service.put(order_id, person="").status_code == 200
        result = service.sync(full="true")["last_result"]
        assert (result["state"], result["failed"], result["message"]) == ("done", [], "")
        assert service.order(cleared[0])["person"] is None


def test_a_first_sync_of_empty_orders_fails(tmp_path: Path) -> None:
    """PlanSo shows every order as empty: the run fails, and the next one reads them all."""
    sandbox = Sandbox(orders=12)
    sandbox.knobs.empty_form_orders = set(sandbox.order_ids()[1:])
    with sandbox.serve() as url, running(settings_for(sandbox, url, f"sqlite:///{tmp_path}/c.db"), sandbox) as started:
        status = started.wait_for_sync()
        assert (status["last_result"]["state"], "not believed" in status["message"]) == ("failed", True)
        assert started.http.get("/health/ready").status_code == 503
        sandbox.knobs.empty_form_orders.clear()
        started.fill_mirror()
        assert started.http.get("/api/orders").json()["count"] == len(sandbox.order_ids())


def test_orders_with_values_are_not_emptied(service: Service) -> None:
    """PlanSo shows a fifth of the orders as empty: they keep their values, and the run fails."""
    shown_empty = service.sandbox.order_ids()[: ORDERS // 5]
    before = {order_id: service.order(order_id)["person"] for order_id in shown_empty}
    service.sandbox.knobs.empty_form_orders = set(shown_empty)
    result = service.sync(full="true")["last_result"]
    assert (result["state"], {one["kind"] for one in result["failed"]}) == ("failed", {"empty_form"})
    assert {order_id: service.order(order_id)["person"] for order_id in shown_empty} == before


@pytest.mark.parametrize("knob", ["fail_next", "html_for_json_next", "hang_next"])
def test_failures_of_planso_leave_the_mirror_alone(service: Service, knob: str) -> None:
    """Errors, HTML or silence for a while: rows stay, the run is `failed`, a later one succeeds."""
    before = {n: service.order(n)["version"] for n in service.sandbox.order_ids()}
    setattr(service.sandbox.knobs, knob, 3)
    status = service.sync(full="true")
    assert status["last_result"]["state"] == "failed"
    assert status["message"]
    setattr(service.sandbox.knobs, knob, 0)
    assert service.sync()["state"] in ("idle", "failed")
    assert service.sync(full="true")["state"] == "idle"
    assert {n: service.order(n)["version"] for n in service.sandbox.order_ids()} == before


def test_one_order_can_be_read_live(service: Service) -> None:
    """With `max_age`, an older order is read from PlanSo; when that fails, the mirror's is returned and says so."""
    order_id = service.sandbox.order_ids()[0]
    service.sandbox.edit_field(order_id, "Bemerkungen", "eben erst")
    young = service.http.get(f"/api/orders/{order_id}", params={"max_age": "3600"}).json()
    assert young["order"]["remarks"] != "eben erst"
    live = service.http.get(f"/api/orders/{order_id}", params={"max_age": "0"}).json()
    assert (live["order"]["remarks"], live["message"]) == ("eben erst", "")
    service.sandbox.edit_field(order_id, "Bemerkungen", "danach")
    service.sandbox.knobs.fail_next = 5
    fallen_back = service.http.get(f"/api/orders/{order_id}", params={"max_age": "0"})
    service.sandbox.knobs.fail_next = 0
    assert fallen_back.status_code == 200
    assert "PlanSo could not be asked" in fallen_back.json()["message"]
    assert fallen_back.json()["order"]["remarks"] == "eben erst"
    assert service.http.get(f"/api/orders/{order_id}", params={"max_age": "-1"}).status_code == 422


@pytest.fixture
def between(tmp_path: Path) -> Iterator[tuple[Service, PlansoProxy]]:
    sandbox = Sandbox(orders=12)
    sandbox.app = interceptor = PlansoProxy(sandbox.app)
    with running_on_sqlite(tmp_path, sandbox) as started:
        yield started, interceptor


def test_an_archived_order_whose_form_is_empty_once_is_not_deleted(between: tuple[Service, PlansoProxy]) -> None:
    """It is read again; the form is there, and the order is archived."""
    service, interceptor = between
    order_id = service.sandbox.order_ids()[0]
    service.sandbox.archive(order_id)
    service.sandbox.knobs.empty_form_orders = {order_id}
    interceptor.on_response = (FORM, order_id), service.sandbox.knobs.empty_form_orders.clear
    service.sync()
    assert service.order(order_id)["archived"] is True


@pytest.mark.parametrize("page", [FORM, PARTS])
def test_a_page_from_before_a_write_does_not_undo_it(between: tuple[Service, PlansoProxy], page: str) -> None:
    """PlanSo answers, a write is confirmed, then the answer arrives: the write stays, and so does its version."""
    service, interceptor = between
    order_id = service.sandbox.order_ids()[0]
    written: list[dict[str, Any]] = []

    def write() -> None:
        if service.put(order_id, remarks="inzwischen").status_code == 200:
            written.append(service.order(order_id))

    interceptor.on_response = (page, order_id), write
    assert service.sync(full="true")["last_result"]["state"] == "done"
    assert [order["remarks"] for order in written] == ["inzwischen"]
    assert service.order(order_id)["remarks"] == "inzwischen"
    assert service.order(order_id)["version"] == written[0]["version"]


@pytest.mark.parametrize("page", [FORM, PARTS])
def test_a_page_from_before_a_deletion_does_not_undo_it(between: tuple[Service, PlansoProxy], page: str) -> None:
    """The order is deleted while its page is in transit: it stays deleted."""
    service, interceptor = between
    order_id = service.sandbox.order_ids()[0]
    deleted: list[int] = []
    interceptor.on_response = (
        (page, order_id),
        lambda: deleted.append(service.http.delete(f"/api/orders/{order_id}").status_code),
    )
    service.sync(full="true")
    assert deleted == [200]
    assert service.http.get(f"/api/orders/{order_id}").status_code == 404


def test_a_form_cleared_by_hand_has_to_be_accepted(service: Service) -> None:
    """The order stays as it was and the status names it, until a person accepts it."""
    sandbox = service.sandbox
    order_id = sandbox.order_ids()[0]
    before = service.order(order_id)
    for label in before["fields"].keys() - {"Auftragsnummer"}:
        sandbox.edit_field(order_id, label, "")
    for _ in range(2):
        status = service.sync()
        assert [failure["order_id"] for failure in status["last_result"]["failed"]] == [order_id]
        assert status["message"]
        assert {**service.order(order_id), "last_synced_at": None} == {**before, "last_synced_at": None}
    assert service.sync(accept_removals="true")["last_result"]["failed"] == []
    emptied = service.order(order_id)
    assert (emptied["person"], emptied["vehicle_details"]["number_plate"], emptied["shop_date"]) == (None, None, None)
    assert emptied["version"] == before["version"] + 1
    service.sandbox.forget_requests()
    assert service.sync()["last_result"]["failed"] == []
    assert len(calls(service)) == 1


def test_two_connectors_run_one_sync(tmp_path: Path) -> None:
    """On one database: the second joins the run of the first."""
    sandbox = Sandbox(orders=ORDERS)
    sandbox.app = between = PlansoProxy(sandbox.app)
    database = f"sqlite:///{tmp_path}/connector.db"
    asked = threading.Event()

    def hold() -> None:
        assert asked.wait(PATIENCE)

    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, database)
        with running(settings, sandbox) as one, running(settings, sandbox) as two:
            one.fill_mirror()
            two.fill_mirror()
            sandbox.forget_requests()
            between.on_response = (FORM, sandbox.order_ids()[0]), hold
            first = one.begin_sync(full="true")
            second = two.http.post("/api/sync", params={"full": "true"}).json()
            assert (first["run_id"], second["joined"]) == (second["run_id"], True)
            assert two.http.get("/api/sync/status").json()["state"] == "running"
            asked.set()
            assert one.wait_for_sync()["last_result"]["state"] == "done"
            forms = [r for r in sandbox.requests if r.m == "visual_forms_plain"]
            assert len(forms) == ORDERS


def test_scheduled_syncs_keep_the_mirror_fresh(tmp_path: Path) -> None:
    """Within the work hours."""
    always = {"connector_sync_interval": timedelta(seconds=1), "connector_sync_hours": "00:00-24:00"}
    with running_on_sqlite(tmp_path, Sandbox(orders=12), **always) as service:
        order_id = service.sandbox.order_ids()[0]
        service.sandbox.archive(order_id)
        wait_until(lambda: service.order(order_id)["archived"])
        assert runs(service)[0]["trigger"] == "schedule"
        wait_until(lambda: service.http.get("/api/orders").json()["stale"] is False, "a fresh mirror")


def test_a_stale_mirror_says_so(tmp_path: Path) -> None:
    """PlanSo is down for some intervals: lists, orders and readiness say stale; afterwards they don't."""
    quick = {"connector_sync_interval": timedelta(seconds=0.2), "connector_sync_hours": "00:00-24:00"}
    sandbox = Sandbox(orders=12)
    with running_on_sqlite(tmp_path, sandbox, **quick, planso_timeout=0.5) as service:
        order_id = sandbox.order_ids()[0]
        sandbox.knobs.fail_next = 10_000

        def stale() -> bool:
            return bool(service.http.get("/api/orders").json()["stale"])

        wait_until(stale)
        assert service.http.get(f"/api/orders/{order_id}").json()["stale"] is True
        ready = service.http.get("/health/ready")
        assert ready.status_code == 503
        assert "mirror: stale" in ready.json()["message"]
        sandbox.knobs.fail_next = 0
        wait_until(lambda: not stale())
        wait_until(lambda: service.http.get("/health/ready").status_code == 200)


def test_the_other_tabs_are_stored_as_sections(tmp_path: Path) -> None:
    """Tables, pairs and links, without scripts; read again in turn only."""
    with running_on_sqlite(tmp_path, Sandbox(orders=12), connector_sync_extended=True) as service:
        order_id = service.sandbox.order_ids()[0]
        listed = service.http.get(f"/api/orders/{order_id}/sections").json()
        names = [section["name"] for section in listed["sections"]]
        assert listed["count"] == len(names) >= 14
        for name in names:
            answer = service.http.get(f"/api/orders/{order_id}/sections/{name}")
            section = answer.json()["section"]
            assert section["name"] == name
            assert "<script" not in answer.text
            assert "javascript:" not in answer.text
            assert section["tables"] or section["pairs"] or section["links"], name
        assert service.http.get(f"/api/orders/{order_id}/sections/gibt_es_nicht").status_code == 404
        service.sandbox.forget_requests()
        assert service.sync()["last_result"]["requests"] == 1
