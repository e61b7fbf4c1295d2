"""ETags: `If-Match`, `If-None-Match`, and conflicts with what people change in PlanSo."""

from __future__ import annotations

import pytest

from tests.rest.routes.write_requests import (
    PERSON,
    REMARKS,
    build_write,
    count_saves,
    get_etag,
    hide_forms,
    list_operations,
    put,
    send,
)
from tests.service import Service, wait_until

ORDERS = 40
SETTINGS = {"planso_timeout": 1.0, "connector_sync_parts": False}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_that_relies_on_another_version_is_412(service: Service, order: int, method: str) -> None:
    """A stale ETag: 412 with the order as it is, nothing recorded or sent; the current one, weak too, goes."""
    stale = get_etag(service, order)
    assert put(service, order, {"remarks": "inzwischen"}).status_code == 200
    request = build_write(method, order, person="Auf Stand Gebracht")
    answer = send(service, *request, If_Match=stale)
    assert (answer.status_code, answer.json()["success"]) == (412, False)
    assert answer.json()["order"] == service.order(order)
    assert (len(list_operations(service, order_id=order)), count_saves(service, order)) == (1, 1)
    assert send(service, *request, If_Match=f"W/{get_etag(service, order)}").status_code == 200
    assert send(service, *build_write(method, 999_999, person="Wer"), If_Match="*").status_code == 404


@pytest.mark.parametrize("given", ["4", '"x"', '"4", "5"', "", '"-1"', '""'])
def test_a_malformed_if_match_is_422(service: Service, order: int, given: str) -> None:
    """`If-Match` is never guessed at: what is not understood is refused before anything is recorded."""
    for method in ("PUT", "PATCH", "DELETE"):
        answer = send(service, *build_write(method, order, person="Nie"), If_Match=given)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["header", "If-Match"]
    assert list_operations(service, order_id=order) == []


def test_if_match_with_a_star_accepts_every_version(service: Service, order: int) -> None:
    """`If-Match: *` goes for every version."""
    assert put(service, order, {"person": "Welche Auch Immer"}, If_Match="*").status_code == 200


def test_an_unchanged_order_is_304(service: Service, order: int) -> None:
    """The ETag that GET told is 304 without a body, until the order or its pending writes change."""
    address = f"/api/orders/{order}"
    first = get_etag(service, order)
    for known in (first, f"W/{first}", f'"0", {first}', "*"):
        answer = service.http.get(address, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", first)
    assert service.http.get(address, headers={"If-None-Match": '"0"'}).status_code == 200
    with hide_forms(service, order):
        accepted = put(service, order, {"person": "Noch Offen"}, Prefer="respond-async")
        pending = get_etag(service, order)
        assert pending != first
        assert service.http.get(address, headers={"If-None-Match": first}).status_code == 200
        assert service.http.get(address, headers={"If-None-Match": pending}).status_code == 304
        assert put(service, order, {"remarks": "x"}, If_Match=pending, Prefer="wait=0").status_code == 202
    service.wait_until_settled(accepted)
    assert service.http.get(address, headers={"If-None-Match": pending}).status_code == 200


def test_an_order_with_many_pending_writes_has_an_etag_that_is_taken(service: Service, order: int) -> None:
    """However many are pending, GET's ETag is understood by GET and by a write."""
    with hide_forms(service, order):
        for number in range(25):
            assert put(service, order, {"person": f"Name {number}"}, Prefer="wait=0").status_code == 202
        known = get_etag(service, order)
        assert service.http.get(f"/api/orders/{order}", headers={"If-None-Match": known}).status_code == 304
        assert put(service, order, {"remarks": "auch"}, If_Match=known, Prefer="wait=0").status_code == 202
        for operation in list_operations(service, order_id=order):
            assert service.http.post(f"/api/operations/{operation['id']}/cancel").status_code == 200
    assert get_etag(service, order) != known


def test_a_field_changed_on_both_sides_is_a_conflict(service: Service, order: int) -> None:
    """
    Who relies on a version and asks for a field that somebody changed in PlanSo since gets 412 with base, theirs and
    yours of each, and the order as it is; nothing is sent, and the operation says the same.
    """
    old = service.order(order)
    known = get_etag(service, order)
    service.sandbox.edit_field(order, "Werkstattstart", "10.12.2026")
    service.sandbox.edit_field(order, PERSON, "Deren Name")
    asked = {"shop_date": "09.12.2026", "person": "Mein Name", "remarks": "unberührt"}
    answer = put(service, order, asked, If_Match=known)
    assert answer.status_code == 412
    conflicts = [
        {"field": "shop_date", "base": old["shop_date"], "theirs": "2026-12-10", "yours": "2026-12-09"},
        {"field": "person", "base": old["person"], "theirs": "Deren Name", "yours": "Mein Name"},
    ]
    by_field = sorted(answer.json()["conflicts"], key=lambda one: one["field"], reverse=True)
    assert by_field == conflicts
    assert (answer.json()["order"]["person"], answer.json()["order"]["shop_date"]) == ("Deren Name", "2026-12-10")
    operation = service.operation(answer)
    assert (operation["state"], operation["sent"]) == ("conflict", False)
    assert sorted(operation["conflicts"], key=lambda one: one["field"], reverse=True) == conflicts
    assert (count_saves(service, order), service.order(order)["pending"]) == (0, [])


def test_a_field_changed_in_planso_alone_is_merged(service: Service, order: int) -> None:
    """Other fields, and the same field with the same value, are no conflict: both changes are in PlanSo."""
    known = get_etag(service, order)
    service.sandbox.edit_field(order, REMARKS, "deren Bemerkung")
    service.sandbox.edit_field(order, PERSON, "Einig")
    answer = put(service, order, {"person": "Einig", "phone": "030 23125 001"}, If_Match=known)
    assert answer.status_code == 200, answer.text
    held = [service.sandbox.value(order, label) for label in (PERSON, REMARKS, "Telefon")]
    assert held == ["Einig", "deren Bemerkung", "030 23125 001"]
    assert service.order(order)["remarks"] == "deren Bemerkung"


def test_an_edit_during_the_save_is_reported(service: Service, order: int) -> None:
    """What somebody changed between our save and our reading it back is named, stays, and is in the mirror."""
    service.sandbox.knobs.latency = 0.5
    try:
        accepted = put(service, order, {"person": "Zur Selben Zeit"}, Prefer="respond-async")
        wait_until(lambda: count_saves(service, order))
        service.sandbox.edit_field(order, REMARKS, "gleichzeitig")
    finally:
        service.sandbox.knobs.latency = 0.0
    operation = service.wait_until_settled(accepted)
    assert operation["state"] == "confirmed"
    assert REMARKS in operation["message"]
    assert service.sandbox.value(order, REMARKS) == service.order(order)["remarks"] == "gleichzeitig"


def test_without_if_match_the_later_write_wins(service: Service, order: int) -> None:
    """Who relies on nothing overwrites, and the operation tells what was there."""
    service.sandbox.edit_field(order, PERSON, "Von Hand")
    answer = put(service, order, {"person": "Überschrieben"})
    assert answer.status_code == 200
    assert service.operation(answer)["before"] == {"person": "Von Hand"}
