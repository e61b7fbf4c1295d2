"""What GET answers can be sent back with PUT and PATCH, and changes nothing in PlanSo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from planso_connector.domain.scopes import Scope
from planso_connector.rest.schemas.read_only import READ_ONLY_MEMBERS
from planso_connector.sandbox import Sandbox
from tests.rest.routes.write_requests import count_saves, put, send
from tests.service import Service, running_on_sqlite

ORDERS = 60
SETTINGS = {"connector_sync_parts": False}


def send_back(service: Service, method: str, order: dict[str, Any], **headers: str) -> httpx2.Response:
    return send(service, method, f"/api/orders/{order['id']}", order, **headers)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_every_order_can_be_sent_back_as_it_was_read(service: Service, method: str) -> None:
    """200 for each order of the list, also with `handling=strict`; nothing is sent, and `message` names the rest."""
    listed = service.http.get("/api/orders", params={"limit": "30"}).json()["orders"]
    saves = count_saves(service)
    for order in listed:
        answer = send_back(service, method, order, Prefer="handling=strict")
        assert answer.status_code == 200, (order, answer.text)
        message = answer.json()["message"]
        assert "nothing was sent" in message
        named = message.partition("Left out, read only: ")[2].partition(".")[0]
        assert set(named.split(", ")) == READ_ONLY_MEMBERS - ({"order_id"} if method == "PUT" else set())
    assert count_saves(service) == saves


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_another_label_supplies_is_not_copied(service: Service, order: int, method: str) -> None:
    """A day that `Fahrzeugeingang (Ist)` alone holds, a text that is no date, stay what they are; `message` says so."""
    for label, text in (
        ("Fahrzeugeingang (Soll)", ""),
        ("Fahrzeugeingang (Ist)", "07.12.2026"),
        ("Lackiertermin", "KW 51"),
    ):
        service.sandbox.edit_field(order, label, text)
    read = service.http.get(f"/api/orders/{order}", params={"max_age": "0"}).json()["order"]
    assert (read["repair_date"], read["paint_date"]) == ("2026-12-07", None)
    before = service.sandbox.values(order)
    answer = send_back(service, method, read | {"remarks": f"nur {method}"})
    assert answer.status_code == 200, answer.text
    assert "repair_date" in answer.json()["message"]
    assert service.sandbox.values(order) == before | {"Bemerkungen": f"nur {method}"}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_no_request_may_set_can_be_sent_back(service: Service, order: int, method: str) -> None:
    """A tab in a text, negative hours: left as they are and named; changed, or without what GET shows, they are 422."""
    odd = {"Bemerkungen": "Teil\t12", "Sollstunden Lack": "-1,50", "Motorcode": "DP\tCA"}
    for label, text in odd.items():
        service.sandbox.edit_field(order, label, text)
    read = service.http.get(f"/api/orders/{order}", params={"max_age": "0"}).json()["order"]
    assert (read["remarks"], read["est_hours_lack"]) == ("Teil\t12", -1.5)
    before = service.sandbox.values(order)
    answer = send_back(service, method, read | {"express_link": f"x-{method}"})
    assert answer.status_code == 200, answer.text
    for named in ("remarks", "est_hours_lack", "vehicle_details.engine_code"):
        assert named in answer.json()["message"]
    assert service.sandbox.values(order) == before | {"ExpressLink": f"x-{method}"}
    read = service.order(order)
    for body in (read | {"remarks": "Teil\t13"}, {"id": order, "remarks": "a\tb"}, {"remarks": "Teil\t12"}):
        assert send(service, method, f"/api/orders/{order}", {"order_id": order, **body}).status_code == 422


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_one_member_changed_is_one_change(service: Service, order: int, method: str) -> None:
    """Read, change one member, send all of it: exactly that control changes in PlanSo."""
    read = service.order(order)
    assert read["order_id"] == read["id"] == order
    before = service.sandbox.snapshot(order)
    link = f"https://express.example/{method}"
    answer = send_back(service, method, read | {"express_link": link})
    assert answer.status_code == 200, answer.text
    after = service.sandbox.snapshot(order)
    assert [new for old, new in zip(before, after, strict=True) if old != new] == [
        (next(name for name, text in after if text == link), link)
    ]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"project_status": "Fertig"}, ["project_status"]),
        ({"plate": "XX-XX 1", "archived": True}, ["plate", "archived"]),
        ({"finish_date": "1999-01-01", "est_hours_mech": 99.5}, ["finish_date", "est_hours_mech"]),
        ({"vehicle": {"color_name": "Feuerrot"}}, ["vehicle.color_name"]),
        ({"fields": {"Telefon": "0151 234", "Unbekannt": "x"}}, ["fields.Telefon", "fields.Unbekannt"]),
        ({"id": 999_999}, ["id"]),
        ({"version": 999}, ["version"]),
        ({"doubts": [{"field": "shop_date", "text": "x"}]}, ["doubts"]),
    ],
)
def test_a_read_only_member_that_differs_is_422(
    service: Service, order: int, method: str, changed: dict[str, Any], named: list[str]
) -> None:
    """Alone or with members to write: each is named, with what the order has; nothing is written."""
    key = {"order_id": order} if method == "PUT" else {}
    for body in (key | changed, {**service.order(order), "remarks": "nie", **changed}):
        answer = send(service, method, f"/api/orders/{order}", body)
        assert answer.status_code == 422, answer.text
        assert [".".join(entry["loc"][1:]) for entry in answer.json()["detail"]] == named
        assert {entry["type"] for entry in answer.json()["detail"]} == {"read_only"}
    assert service.order(order)["remarks"] != "nie"
    assert count_saves(service, order) == 0


def test_what_moves_with_every_sync_does_not_hinder(service: Service, order: int) -> None:
    """`last_synced_at` and `pending` of a moment ago are left out where something is written; alone they are 422."""
    read = service.order(order)
    old = {"last_synced_at": "2026-11-23T09:40:12.507000Z", "pending": [{"operation_id": "op_1"}]}
    assert send_back(service, "PUT", read | old | {"remarks": "neu"}).status_code == 200
    alone = put(service, order, old)
    assert alone.status_code == 422
    assert [entry["loc"][1] for entry in alone.json()["detail"]] == list(old)


def test_null_for_a_read_only_member_changes_nothing(service: Service, order: int) -> None:
    """In PUT null means no change; in PATCH it would clear, which is 422 unless there is nothing."""
    assert put(service, order, {"short_name": None, "vehicle": None, "remarks": "da"}).status_code == 200
    cleared = send(service, "PATCH", f"/api/orders/{order}", {"short_name": None})
    assert (cleared.status_code, cleared.json()["detail"][0]["loc"]) == (422, ["body", "short_name"])


def test_the_whole_answer_is_no_order(service: Service, order: int) -> None:
    """Who sends the answer with its envelope is told what to send."""
    answer = service.http.get(f"/api/orders/{order}").json()
    refused = send(service, "PUT", f"/api/orders/{order}", answer)
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "order_id"])
    assert "send the member `order`" in refused.json()["message"]
    assert send(service, "PUT", f"/api/orders/{order}", answer["order"]).status_code == 200


def test_an_order_that_nobody_knows_is_404(service: Service) -> None:
    """With read-only members, too: there is nothing to compare with."""
    assert put(service, 999_999, {"plate": "XX-XX 1"}).status_code == 404


def test_read_only_members_tell_nothing_without_the_scope(tmp_path: Path) -> None:
    """Without `orders:read` they are 422 whether they equal the order's or not: else values could be tried."""
    with running_on_sqlite(tmp_path, Sandbox(orders=4), connector_sync_parts=False) as service:
        order_id = service.sandbox.order_ids()[0]
        plate = service.order(order_id)["plate"]
        key = service.create_key(Scope.ORDERS_WRITE)
        answers = [put(service, order_id, {"plate": one}, X_API_Key=key) for one in (plate, "XX-XX 1")]
        assert [answer.status_code for answer in answers] == [422, 422]
        assert answers[0].json() == answers[1].json()
