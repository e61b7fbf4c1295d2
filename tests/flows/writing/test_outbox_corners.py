"""Regressions of the outbox."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from planso_connector.sandbox import Sandbox
from planso_connector.store.tables import last_seen, operations
from tests.service import running_on_sqlite, wait_until

PERSON, EXPRESS = "Fahrername", "ExpressLink"
ASYNC = {"Prefer": "respond-async"}


def test_how_long_a_save_may_land_counts_from_the_save(tmp_path: Path) -> None:
    """A save under way for less than twice the timeout is not sent again; the later write of two stays."""
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, planso_timeout=3.0, connector_sync_parts=False) as service:
        order = sandbox.order_ids()[0]
        sandbox.knobs.latency, sandbox.knobs.save_latency = 2.7, 3.0
        sandbox.forget_requests()
        first, second = (
            service.http.put(f"/api/orders/{order}", json={"order_id": order, "person": person}, headers=ASYNC)
            for person in ("Erster", "Zweiter")
        )
        wait_until(lambda: len(sandbox.requests) >= 2, "two readings")
        wait_until(lambda: sandbox.in_flight > 0, "the save to begin")
        sandbox.knobs.latency = sandbox.knobs.save_latency = 0.0
        assert [service.wait_until_settled(one)["state"] for one in (first, second)] == ["confirmed", "confirmed"]
        wait_until(lambda: sandbox.in_flight == 0, "all that was sent to land")
        assert sandbox.value(order, PERSON) == "Zweiter"


def test_two_creates_are_two_orders(tmp_path: Path) -> None:
    """Of two creates alike one was not carried out, and the other's answer was lost: there are two orders then."""
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, planso_timeout=2.0, connector_sync_parts=False) as service:
        count = len(sandbox.order_ids())
        sandbox.knobs.fail_saves_next = sandbox.knobs.lose_answers_next = 1
        sandbox.knobs.lose_answers_by = "504"
        sandbox.knobs.latency = 0.5
        answers = [
            service.http.post("/api/orders", json={"person": "Leasing AG"}, headers={**ASYNC, "Idempotency-Key": key})
            for key in ("a", "b")
        ]
        operation = [service.wait_until_settled(one) for one in answers]
        assert [one["state"] for one in operation] == ["confirmed", "confirmed"]
        assert len({one["order_id"] for one in operation}) == 2
        assert len(sandbox.order_ids()) == count + 2


def test_a_delete_with_if_match_looks_at_what_planso_holds(tmp_path: Path) -> None:
    """Somebody changed the order since: 412, and it is still there."""
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, connector_sync_parts=False) as service:
        order = sandbox.order_ids()[0]
        etag = service.http.get(f"/api/orders/{order}").headers["ETag"]
        sandbox.edit_field(order, PERSON, "Doch noch gebraucht")
        answer = service.http.delete(f"/api/orders/{order}", headers={"If-Match": etag})
        assert answer.status_code == 412, answer.text
        assert answer.json()["order"]["person"] == "Doch noch gebraucht"
        again = service.http.delete(f"/api/orders/{order}", headers={"If-Match": answer.headers["ETag"]})
        assert again.status_code == 200, again.text


def test_an_undo_can_be_tried_dry_and_relies_on_what_it_is_told(tmp_path: Path) -> None:
    """`dry_run` tells and changes nothing; `If-Match` with another version is 412."""
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, connector_sync_parts=False) as service:
        order = sandbox.order_ids()[0]
        old = sandbox.value(order, PERSON)
        undo = f"/api/operations/{service.put(order, person='Neu').headers['Operation-Id']}/undo"
        dry = service.http.post(undo, params={"dry_run": "true"}).json()
        assert (dry["dry_run"], [(c["before"], c["after"]) for c in dry["changes"]]) == (True, [("Neu", old)])
        assert service.http.post(undo, headers={"If-Match": '"999"'}).status_code == 412
        assert sandbox.value(order, PERSON) == "Neu"
        assert service.http.post(undo).status_code == 200
        assert sandbox.value(order, PERSON) == old


def test_a_dry_run_is_refused_what_the_write_would_be(tmp_path: Path) -> None:
    """Another version is 412, a duplicate with `handling=strict` 409; without it the duplicate is named."""
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, connector_sync_parts=False) as service:
        order = service.order(sandbox.order_ids()[0])
        dry = {"dry_run": "true"}
        body = {"order_id": order["id"], "person": "Neu"}
        stale = service.http.put(f"/api/orders/{order['id']}", params=dry, json=body, headers={"If-Match": '"999"'})
        assert stale.status_code == 412
        twin = {"vehicle_details": {"number_plate": order["plate"]}, "shop_date": order["shop_date"][:10]}
        assert str(order["id"]) in service.http.post("/api/orders", params=dry, json=twin).json()["message"]
        strict = service.http.post("/api/orders", params=dry, json=twin, headers={"Prefer": "handling=strict"})
        assert strict.status_code == 409


def test_the_database_shows_it_also_after_the_clock_was_set_back(tmp_path: Path) -> None:
    """A reading that lies in the future keeps nothing out."""
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, connector_sync_parts=False) as service:
        order = sandbox.order_ids()[0]
        ahead = sa.update(last_seen).values(read_at="2099-01-01T00:00:00.000000Z")
        service.write_database(lambda tx: (tx.execute(ahead), None)[1])
        assert service.put(order, person="Neu").status_code == 200
        assert service.order(order)["person"] == "Neu"


def test_a_conflict_after_something_was_sent_says_so(tmp_path: Path) -> None:
    """Sent, lost, and changed by somebody since: a conflict, that does not say that nothing was sent."""
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, planso_timeout=2.0, connector_sync_parts=False) as service:
        order = sandbox.order_ids()[0]
        etag = service.http.get(f"/api/orders/{order}").headers["ETag"]
        sandbox.knobs.latency = 0.4
        sandbox.knobs.lose_answers_next = 1
        sandbox.forget_requests()
        body = {"order_id": order, "person": "Unser"}
        sent = service.http.put(f"/api/orders/{order}", json=body, headers={**ASYNC, "If-Match": etag})
        wait_until(lambda: any(request.saving for request in sandbox.requests), "the save")
        sandbox.edit_field(order, PERSON, "Werkstatt")
        operation = service.wait_until_settled(sent)
        assert (operation["state"], operation["sent"]) == ("conflict", True)
        assert "Nothing was sent" not in operation["message"]
        assert service.order(order)["person"] == "Werkstatt"


def test_what_a_person_did_a_moment_before_is_not_ours(tmp_path: Path) -> None:
    """Between two readings somebody typed the asked value: nothing is sent, and the history says who did it."""
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, connector_sync_parts=False) as service:
        order = sandbox.order_ids()[0]
        sandbox.knobs.edit_after_next_read = [(order, PERSON, "Gleich")]
        sandbox.forget_requests()
        write = service.operation(service.put(order, person="Gleich"))
        assert not any(request.saving for request in sandbox.requests)
        history = service.http.get(f"/api/orders/{order}/history").json()["history"]
        assert (write["sent"], write["before"], history[0]["by"]) == (False, None, "PlanSo")


def test_a_key_stands_as_long_as_its_operation_is_pending(tmp_path: Path) -> None:
    """Also where the deadline is longer than keys are kept."""
    sandbox = Sandbox(orders=6)
    longer = timedelta(days=10)
    with running_on_sqlite(tmp_path, sandbox, connector_sync_parts=False, connector_write_deadline=longer) as service:
        sandbox.knobs.fail_next = 10_000
        keyed = {**ASYNC, "Idempotency-Key": "k"}
        first = service.http.post("/api/orders", json={"person": "Einmal"}, headers=keyed)
        old = sa.update(operations).values(created_at="2026-11-01T00:00:00.000000Z")
        service.write_database(lambda tx: (tx.execute(old), None)[1])
        again = service.http.post("/api/orders", json={"person": "Einmal"}, headers=keyed)
        assert again.headers["Operation-Id"] == first.headers["Operation-Id"]


def test_one_empty_page_of_an_archived_order_refuses_no_write(tmp_path: Path) -> None:
    """Seen again, the order is there: the write is carried through."""
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, planso_timeout=2.0, connector_sync_parts=False) as service:
        order = sandbox.order_ids()[0]
        sandbox.archive(order)
        service.sync()
        sandbox.knobs.latency = 0.3
        sandbox.knobs.empty_form_orders = {order}
        sandbox.forget_requests()
        sent = service.http.put(f"/api/orders/{order}", json={"order_id": order, "person": "Neu"}, headers=ASYNC)
        wait_until(lambda: any(request.submode == "update" for request in sandbox.requests), "a reading")
        sandbox.knobs.empty_form_orders = set()
        assert service.wait_until_settled(sent)["state"] == "confirmed"


def test_one_empty_page_is_no_deletion(tmp_path: Path) -> None:
    """A deletion that PlanSo did not carry out, and one empty page: it is deleted before it is confirmed."""
    sandbox = Sandbox(orders=6)
    with running_on_sqlite(tmp_path, sandbox, planso_timeout=1.0, connector_sync_parts=False) as service:
        order = sandbox.order_ids()[0]
        sandbox.archive(order)
        service.sync()
        sandbox.knobs.latency = 0.3
        sandbox.knobs.fail_saves_next, sandbox.knobs.fail_status = 1, 504
        sandbox.forget_requests()
        sent = service.http.delete(f"/api/orders/{order}", headers=ASYNC)
        wait_until(lambda: any(request.saving for request in sandbox.requests), "the deletion")
        sandbox.knobs.empty_form_orders = {order}
        count = len(sandbox.requests)
        wait_until(lambda: any(one.submode == "update" for one in sandbox.requests[count:]), "a reading")
        sandbox.knobs.empty_form_orders = set()
        assert service.wait_until_settled(sent)["state"] == "confirmed"
        assert sum(request.submode == "delete" for request in sandbox.requests) == 2
