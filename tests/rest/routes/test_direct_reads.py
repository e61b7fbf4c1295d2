"""Reads that are answered without FastAPI: as its routes answer them, right after every write, and under all rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from planso_connector.domain.clock import Instant
from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandbox
from planso_connector.store import orders
from tests.databases import Store
from tests.rest.keys import make_key
from tests.service import Service, running_on_sqlite
from tests.store.samples import order

ORDERS = 20
LIST = {"limit": "3", "sort": "id"}


def persons(service: Service) -> list[str]:
    return [order["person"] for order in service.http.get("/api/orders", params=LIST).json()["orders"]]


def test_a_list_shows_a_write_as_soon_as_it_is_confirmed(service: Service) -> None:
    """The same list before and after each of some writes shows what was just confirmed, and so does the order."""
    first = service.http.get("/api/orders", params=LIST).json()["orders"][0]["id"]
    for name in ("Anna Eins", "Berta Zwei", "Cora Drei"):
        assert persons(service) == persons(service)
        assert service.put(first, person=name).status_code == 200
        assert persons(service)[0] == name
        assert service.http.get(f"/api/orders/{first}").json()["order"]["person"] == name


def test_a_list_shows_what_another_process_wrote(service: Service) -> None:
    """Another connection to the same file writes: the same list shows it at once."""
    assert persons(service) == persons(service)
    other = Store(service.settings.connector_database_url, workshop=service.settings.connector_workshop)
    try:
        shown = service.http.get("/api/orders", params=LIST).json()["orders"][-1]["id"]
        instant = Instant("2999-01-01T00:00:00.000000Z")
        other.write(lambda tx: orders.save(tx, order(shown, values={"person": "X"}), read_at=instant, now=instant))
    finally:
        other.close()
    assert persons(service)[-1] == "X"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"limit": "2"},
        {"limit": "100", "sort": "finish_date"},
        {"sort": "-id", "archived": "true"},
        {"plate": "wn"},
        {"plate": " WN-QQ 99 "},
        {"plate": "", "limit": "5"},
        {"cursor": ""},
    ],
)
def test_lists_are_as_the_route_makes_them(service: Service, query: dict[str, str]) -> None:
    """`total` is left to the route: beside it, the answers are the same, headers and next page too."""
    direct, routed = (service.http.get("/api/orders", params=asked) for asked in (query, query | {"total": "true"}))
    assert direct.status_code == routed.status_code == 200
    expected = routed.json()
    del expected["total"]
    assert direct.json() == expected
    assert direct.headers.keys() == routed.headers.keys()
    if cursor := expected["next_cursor"]:
        after = service.http.get("/api/orders", params=query | {"cursor": cursor}).json()
        assert not {one["id"] for one in after["orders"]} & {one["id"] for one in expected["orders"]}


@pytest.mark.parametrize("tag", [None, '"0"', '"0", W/"{}"', "*", '"{}"'])
def test_an_order_is_as_the_route_makes_it(service: Service, tag: str | None) -> None:
    """`max_age` is left to the route: the answers are the same, with a matching and with another `If-None-Match`."""
    order_id = service.http.get("/api/orders", params=LIST).json()["orders"][1]["id"]
    etag = service.http.get(f"/api/orders/{order_id}").headers["ETag"]
    headers = {"If-None-Match": tag.format(etag.strip('"'))} if tag else {}
    direct, routed = (
        service.http.get(f"/api/orders/{order_id}", params=asked, headers=headers)
        for asked in ({}, {"max_age": "31536000"})
    )
    assert direct.status_code == routed.status_code == (304 if tag and tag != '"0"' else 200)
    assert (direct.content, direct.headers["ETag"]) == (routed.content, routed.headers["ETag"])
    assert direct.headers.keys() == routed.headers.keys()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/orders/99999999", 404),
        ("/api/orders/0", 422),
        ("/api/orders/00123", 422),
        ("/api/orders/99999999999999999999999", 422),
        ("/api/orders/%D9%A1", 422),
        ("/api/orders/123?fields=id", 422),
        ("/api/orders?limit=0", 422),
        ("/api/orders?plate=A&plate=B", 422),
        ("/api/orders?plait=A", 422),
        ("/api/orders?plate=%FC", 422),
        ("/api/orders?cursor=x", 422),
    ],
)
def test_failures_are_the_routes(service: Service, path: str, status: int) -> None:
    """What is not found or not accepted has the route's status and message."""
    failure = service.http.get(path)
    assert failure.status_code == status, failure.text
    assert failure.json()["success"] is False
    assert failure.json()["message"]


def count_requests(service: Service, headers: dict[str, str]) -> dict[str, float]:
    """The requests answered with 200, by route."""
    metrics = service.http.get("/metrics", headers=headers).text
    found = re.findall(
        r'^planso_connector_requests_total{method="GET",route="(\S+)",status="200"} (\S+)$', metrics, re.MULTILINE
    )
    return {route: float(number) for route, number in found}


def test_the_rules_hold_for_each_direct_read(tmp_path: Path) -> None:
    """A key's scopes and rate limit, the access log, the metrics and the trace."""
    with running_on_sqlite(tmp_path, Sandbox(orders=6)) as service:
        order_id = service.sandbox.order_ids()[0]
        reader, monitor = (make_key(service, scope, name=scope) for scope in (Scope.ORDERS_READ, Scope.METRICS))
        paths = {"/api/orders/{order_id}": f"/api/orders/{order_id}", "/api/orders": "/api/orders"}
        for path in paths.values():
            answer = service.http.get(path, headers=reader)
            assert answer.status_code == 200
            assert answer.headers["RateLimit"].startswith('"key";r=')
            assert answer.headers["traceresponse"].startswith("00-")
            assert service.http.get(path, headers=monitor).status_code == 403
            assert service.http.get(path).status_code == 401
            assert service.http.post(path, headers=reader).status_code in (403, 405)
        counted = count_requests(service, monitor)
        assert {route: counted[route] for route in paths} == dict.fromkeys(paths, 1.0)
        assert {
            access.route for access in service.read_access_log() if order_id in access.order_ids and access.caller
        } == {f"GET {route}" for route in paths}
