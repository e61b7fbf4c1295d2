"""Responses to a write-only key show nothing that an order holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandbox
from tests.rest.keys import make_key
from tests.rest.routes.write_requests import hide_forms
from tests.service import Service, running_on_sqlite

IDS = sorted(Sandbox(orders=12).order_ids())
SECRET = "Wiebke Unikat"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A connector with keys, `http` with an admin's."""
    with running_on_sqlite(tmp_path_factory.mktemp("shown"), Sandbox(orders=12)) as running:
        running.http.headers |= make_key(running, Scope.ADMIN, name="admin")
        yield running


@pytest.fixture(scope="module")
def writer(service: Service) -> Iterator[httpx2.Client]:
    """A caller with `orders:write` only."""
    with httpx2.Client(
        base_url=service.address, headers=make_key(service, Scope.ORDERS_WRITE), timeout=90, verify=False
    ) as client:
        yield client


def set_person(service: Service, order_id: int) -> None:
    assert service.put(order_id, person=SECRET).status_code == 200


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
def test_a_dry_run_of_a_writer_shows_only_its_own_values(service: Service, writer: httpx2.Client, verb: str) -> None:
    """The field and its new value, not the old one; who may read sees that too."""
    set_person(service, IDS[0])
    address, body = f"/api/orders/{IDS[0]}?dry_run=true", {"order_id": IDS[0], "person": "X"}
    body = body if verb == "PUT" else {"person": "X"}
    hidden, shown = (client.request(verb, address, json=body) for client in (writer, service.http))
    assert (hidden.status_code, SECRET in hidden.text, SECRET in shown.text) == (200, False, True)
    (change,) = hidden.json()["changes"]
    assert (change["field"], change["before"], change["after"]) == ("person", None, "X")


def test_a_dry_run_of_an_appointments_key_shows_no_date(service: Service) -> None:
    """It may change dates, but not read them."""
    assert service.put(IDS[1], shop_date="2031-02-03").status_code == 200
    headers = make_key(service, Scope.APPOINTMENTS_WRITE)
    with httpx2.Client(base_url=service.address, headers=headers, timeout=90, verify=False) as client:
        answer = client.patch(f"/api/orders/{IDS[1]}?dry_run=true", json={"shop_date": "2031-01-01"})
    assert (answer.status_code, "2031-02-03" in answer.text) == (200, False)


def test_an_undo_shows_a_writer_no_value(service: Service, writer: httpx2.Client) -> None:
    """Neither the dry run, nor the undo, nor its operation; who may read sees both values."""
    set_person(service, IDS[2])
    done = service.put(IDS[2], person="Neu Neu")
    undo = f"/api/operations/{done.headers['Operation-Id']}/undo"
    hidden, shown = (client.post(undo, params={"dry_run": "true"}) for client in (writer, service.http))
    assert (hidden.status_code, [SECRET in answer.text for answer in (hidden, shown)]) == (200, [False, True])
    assert [(change["before"], change["after"]) for change in hidden.json()["changes"]] == [(None, None)]
    undone = writer.post(undo)
    own = writer.get(f"/api/operations/{undone.headers['Operation-Id']}")
    for answer in (undone, own):
        assert (answer.status_code, SECRET in answer.text, "Neu Neu" in answer.text) == (200, False, False)
    assert service.order(IDS[2])["person"] == SECRET


def test_a_conflicting_undo_shows_a_writer_no_value(service: Service, writer: httpx2.Client) -> None:
    """Dry run, undo and operation: 412 names the field, but no value that it holds or held."""
    set_person(service, IDS[3])
    done = service.put(IDS[3], person="Neu Neu")
    service.sandbox.edit_field(IDS[3], "Fahrername", "Von Hand")
    undo = f"/api/operations/{done.headers['Operation-Id']}/undo"
    dry, wet = writer.post(undo, params={"dry_run": "true"}), writer.post(undo)
    own = writer.get(f"/api/operations/{wet.headers['Operation-Id']}")
    assert (dry.status_code, wet.status_code, own.json()["operation"]["state"]) == (412, 412, "conflict")
    for answer in (dry, wet, own):
        assert "person" in answer.text
        assert not any(value in answer.text for value in (SECRET, "Neu Neu", "Von Hand"))


def test_a_writers_own_operation_shows_its_own_values(service: Service, writer: httpx2.Client) -> None:
    """Not what the order held before."""
    set_person(service, IDS[4])
    done = writer.patch(f"/api/orders/{IDS[4]}", json={"person": "Neu Neu"})
    own: dict[str, Any] = writer.get(f"/api/operations/{done.headers['Operation-Id']}").json()["operation"]
    assert (own["asked"], own["before"]) == ({"person": "Neu Neu"}, None)


def test_cancelling_shows_nothing_of_another_callers_write(service: Service, writer: httpx2.Client) -> None:
    """It is cancelled all the same."""
    with hide_forms(service, IDS[5]):
        sent = service.http.put(
            f"/api/orders/{IDS[5]}", json={"order_id": IDS[5], "person": SECRET}, headers={"Prefer": "respond-async"}
        )
        answer = writer.post(f"/api/operations/{sent.headers['Operation-Id']}/cancel")
    assert (answer.status_code, SECRET in answer.text) == (200, False)
    assert (answer.json()["operation"]["state"], answer.json()["operation"]["asked"]) == ("refused", {})


def test_a_412_of_an_undo_is_in_the_access_log(service: Service) -> None:
    """It shows the order as it is, although the path does not name it."""
    done = service.put(IDS[6], remarks="anders")
    service.read_access_log()
    address = f"/api/operations/{done.headers['Operation-Id']}/undo"
    answer = service.http.post(address, headers={"If-Match": '"999"'})
    assert (answer.status_code, answer.json()["order"]["id"]) == (412, IDS[6])
    routes = [access.route for access in service.read_access_log() if access.order_ids == (IDS[6],)]
    assert routes == ["POST /api/operations/{operation_id}/undo"]


@pytest.mark.parametrize(
    "written", ["{}.0", "{}.", "+{}", "%20{}", "0{}", "{}%0a", "{}e0", "1_{}", "１３０", "%C2%A0{}"]
)
def test_an_order_has_one_address(service: Service, written: str) -> None:
    """An id written in another way is 422 with every method, and nothing is recorded in the access log."""
    service.read_access_log()
    entries = len(service.read_access_log())
    address = f"/api/orders/{written.format(IDS[7])}"
    for rest in ("", "/parts", "/sections", "/sections/work", "/history", "/progress"):
        assert service.http.get(address + rest).status_code == 422
    for verb in ("PUT", "PATCH", "DELETE"):
        body = None if verb == "DELETE" else {"order_id": IDS[7], "person": "X"}
        answer = service.http.request(verb, address, json=body, headers={"If-Match": '"999"'})
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["path", "order_id"])
        assert answer.json()["detail"][0]["msg"] == "must be a whole number"
    assert len(service.read_access_log()) == entries
