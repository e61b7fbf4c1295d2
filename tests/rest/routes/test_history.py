"""The change history of an order: who changed what, when."""

from __future__ import annotations

from typing import Any

from tests.rest.routes.write_requests import REMARKS, put, send
from tests.service import Service

ORDERS = 12
SETTINGS = {"planso_timeout": 1.0, "connector_sync_parts": False}


def read_history(service: Service, order_id: int, **asked: Any) -> dict[str, Any]:
    answer = service.http.get(f"/api/orders/{order_id}/history", params={n: str(v) for n, v in asked.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_history_tells_who_changed_what(service: Service, order: int) -> None:
    """Each change by a write or by somebody in PlanSo: who, when, before and after, newest first; a deletion too."""
    old = service.order(order)
    written = put(service, order, {"person": "Erste", "remarks": "eins"})
    service.sandbox.edit_field(order, REMARKS, "von Hand")
    service.sync(full="true")
    service.sandbox.edit_field(order, "Telefon", "030 23125 002")
    second = put(service, order, {"person": "Zweite"})
    assert service.http.delete(f"/api/orders/{order}").status_code == 200

    page = read_history(service, order)
    versions = [entry["version"] for entry in page["history"]]
    assert versions == sorted(versions, reverse=True)
    assert [entry["at"] for entry in page["history"]] == sorted((e["at"] for e in page["history"]), reverse=True)
    assert (page["count"], page["next_cursor"]) == (len(versions), None)
    by_operation = {entry["operation_id"]: entry for entry in page["history"]}
    assert by_operation[written.headers["Operation-Id"]]["by"] == "connector"
    assert changed_values(by_operation[written.headers["Operation-Id"]]) == {
        "person": (old["person"], "Erste"),
        "remarks": (old["remarks"], "eins"),
    }
    assert changed_values(by_operation[second.headers["Operation-Id"]]) == {"person": ("Erste", "Zweite")}
    theirs = [entry for entry in page["history"] if entry["operation_id"] is None]
    assert {entry["by"] for entry in theirs} == {"PlanSo"}
    assert [changed_values(entry) for entry in theirs] == [
        {"phone": (old["phone"], "030 23125 002")},
        {"remarks": ("eins", "von Hand")},
    ]
    assert changed_values(page["history"][0])["deleted"] == (False, True)
    assert service.http.get("/api/orders/999999/history").status_code == 404


def changed_values(entry: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Before and after by field or label, without the short name, which PlanSo makes of other fields."""
    values = {
        change.get("field") or change["label"]: (change["before"], change["after"]) for change in entry["changes"]
    }
    return {field: change for field, change in values.items() if field != "short_name"}


def test_the_history_begins_with_what_created_the_order(service: Service) -> None:
    """A created order's first entry is the create with its values; a deletion in PlanSo is told as PlanSo's."""
    created = send(service, "POST", "/api/orders", {"person": "Von Anfang An"})
    order_id = created.json()["order_id"]
    (first,) = read_history(service, order_id)["history"]
    assert (first["operation_id"], changed_values(first)["person"]) == (
        created.headers["Operation-Id"],
        (None, "Von Anfang An"),
    )
    service.sandbox.delete(order_id)
    service.sync()
    gone = read_history(service, order_id)["history"][0]
    assert (gone["by"], gone["operation_id"], changed_values(gone)) == ("PlanSo", None, {"deleted": (False, True)})


def test_the_history_comes_in_pages(service: Service, order: int) -> None:
    """Pages of any size lose and double no entry."""
    for number in range(4):
        assert put(service, order, {"person": f"Name {number}"}).status_code == 200
    whole = read_history(service, order)["history"]
    assert len(whole) == 4
    for limit in (1, 3):
        found: list[Any] = []
        following: dict[str, Any] = {}
        while True:
            page = read_history(service, order, limit=limit, **following)
            found += page["history"]
            if page["next_cursor"] is None:
                break
            following = {"cursor": page["next_cursor"]}
        assert found == whole
    assert service.http.get(f"/api/orders/{order}/history", params={"cursor": "x"}).status_code == 422
