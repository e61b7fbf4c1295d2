"""GET /api/changes and its stream: every change as it comes, to those who may read orders."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from planso_connector.store import change_feed
from tests.rest.routes.write_requests import REMARKS, put
from tests.service import Service

ORDERS = 12
SETTINGS = {"planso_timeout": 1.0, "connector_sync_parts": False}


def read(service: Service, **asked: str) -> dict[str, Any]:
    response = service.http.get("/api/changes", params=asked)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer["count"] == len(answer["changes"])
    return answer


def latest(service: Service) -> str:
    return str(read(service, after="latest")["next_cursor"])


def test_changes_come_in_order_with_who_made_them(service: Service, order: int) -> None:
    """A write, an edit in PlanSo, a deletion; page by page by the cursor; the access log has who was shown them."""
    old, start = service.order(order), latest(service)
    written = put(service, order, {"person": "Erste"})
    service.sandbox.edit_field(order, REMARKS, "von Hand")
    service.sync(full="true")
    assert service.http.delete(f"/api/orders/{order}").status_code == 200

    changes = read(service, after=start, order_id=str(order))["changes"]
    assert [change["type"] for change in changes] == [
        "order.updated",
        "operation.settled",
        "order.updated",
        "order.deleted",
        "operation.settled",
    ]
    first, settled, edited = changes[:3]
    assert (first["by"], first["operation_id"]) == ("connector", written.headers["Operation-Id"])
    assert (first["before"]["person"], first["after"]["person"]) == (old["person"], "Erste")
    assert settled["after"] == {"state": "confirmed"}
    assert (edited["by"], edited["operation_id"], edited["after"]["remarks"]) == ("PlanSo", None, "von Hand")
    accesses = service.read_access_log()
    assert any(access.route == "GET /api/changes" and order in access.order_ids for access in accesses)

    paged, cursor, more = [], start, True
    while more:
        page = read(service, after=cursor, limit="2")
        paged += page["changes"]
        cursor, more = page["next_cursor"], page["has_more"]
    assert [change["id"] for change in paged if change["order_id"] == order] == [change["id"] for change in changes]
    assert read(service, after=cursor)["changes"] == []
    of_type = read(service, after=start, types="order.deleted, order.archived")["changes"]
    assert [change["type"] for change in of_type if change["order_id"] == order] == ["order.deleted"]


def test_who_waits_gets_the_change_as_it_comes(service: Service, order: int) -> None:
    """A long poll ends with the first change; with none, after the time, with a cursor to go on from."""
    start = latest(service)
    assert read(service, after=start, wait="0.2")["next_cursor"] == start
    found: list[dict[str, Any]] = []
    waiting = threading.Thread(
        target=lambda: found.append(read(service, after=start, wait="60", types="order.updated"))
    )
    waiting.start()
    put(service, order, {"person": "Wartende"})
    waiting.join(90)
    assert [change["after"]["person"] for change in found[0]["changes"]] == ["Wartende"]


def test_a_stream_goes_on_where_it_ended(service: Service, order: int) -> None:
    """Each event with type, id and data; `Last-Event-ID` goes on behind the last one."""
    start = latest(service)
    put(service, order, {"person": "Strömende"})
    with service.http.stream("GET", "/api/changes/stream", params={"after": start}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        first, second = next_event(lines), next_event(lines)
        assert (first["event"], json.loads(first["data"])["after"]["person"]) == ("order.updated", "Strömende")
        assert second["event"] == "operation.settled"
        put(service, order, {"person": "Spätere"})
        assert json.loads(next_event(lines)["data"])["after"]["person"] == "Spätere"
    last = {"Last-Event-ID": first["id"]}
    with service.http.stream("GET", "/api/changes/stream", headers=last) as response:
        assert next_event(response.iter_lines()) == second
    assert service.http.head("/api/changes/stream").status_code == 200


def next_event(lines: Iterator[str]) -> dict[str, str]:
    """The next event that has data, as a client of server-sent events reads it."""
    event: dict[str, str] = {}
    for line in lines:
        if not line and "data" in event:
            return event
        name, _, value = line.partition(": ")
        if line:
            event[name] = value
        else:
            event = {}
    raise AssertionError("the stream ended")


@pytest.mark.parametrize(
    ("asked", "field", "accepted"),
    [
        ({"after": "gestern"}, "after", "next_cursor"),
        ({"after": "5f0c2b9e-01"}, "after", "next_cursor"),
        ({"types": "order.changed"}, "types", "order.updated"),
        ({"limit": "1001"}, "limit", "1000"),
        ({"wait": "61"}, "wait", "60"),
        ({"order_id": "x"}, "order_id", "whole number"),
    ],
)
def test_what_is_wrong_is_named(service: Service, asked: dict[str, str], field: str, accepted: str) -> None:
    """422 with the parameter and what is accepted; of the stream as well, before it begins."""
    paths = ["/api/changes"] if field in ("limit", "wait") else ["/api/changes", "/api/changes/stream"]
    for path in paths:
        response = service.http.get(path, params=asked)
        assert response.status_code == 422
        (detail,) = response.json()["detail"]
        assert detail["loc"][-1] == field
        assert accepted in detail["msg"]


def test_a_cursor_that_is_not_kept_says_where_to_begin(service: Service, order: int) -> None:
    """410 behind what retention deleted, of another epoch, and beyond the end; `oldest_cursor` works."""
    start = latest(service)
    put(service, order, {"person": "Alte"})
    put(service, order, {"person": "Neue"})
    read(service)
    service.write_database(lambda tx: change_feed.drop_old(tx, "9999"))  # type: ignore[arg-type]
    end = latest(service)
    epoch, _, number = end.partition("-")
    for cursor in (start, f"00000000-{number}", f"{epoch}-{int(number) + 1}"):
        for path in ("/api/changes", "/api/changes/stream"):
            response = service.http.get(path, params={"after": cursor})
            assert response.status_code == 410
            assert response.json()["oldest_cursor"] == end
    assert read(service, after=end)["changes"] == []
