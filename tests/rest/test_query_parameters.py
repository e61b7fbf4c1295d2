"""Query parameters: a route accepts those that it declares, each once, and nothing else."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from planso_connector.domain.scopes import Scope
from planso_connector.rest.middleware.route_scopes import REQUIRED_SCOPES
from planso_connector.sandbox import Sandbox
from tests.rest import raw
from tests.rest.keys import make_key
from tests.service import Service

SETTINGS = {"connector_address_rate_limit": "1000000/h", "connector_rate_limit": "1000000/h"}
"""Each route is asked several times."""

ORDERS = 12
IDS = sorted(Sandbox(orders=ORDERS).order_ids())
UNDER_API = sorted(route for route in REQUIRED_SCOPES if " /api" in route)
BODIES: dict[str, dict[str, Any]] = {
    "PUT": {"order_id": IDS[0], "remarks": "geändert"},
    "PATCH": {"remarks": "geändert"},
    "POST": {"person": "Neu Angelegt"},
}


@pytest.fixture(autouse=True, scope="module")
def _key(service: Service) -> None:
    """Every call has a key that may do everything."""
    service.http.headers.update(make_key(service, Scope.ADMIN, Scope.INSTALLATION))


def ask(service: Service, route: str, query: str) -> httpx2.Response:
    """Call the route on an order that exists, with a valid body."""
    method, _, template = route.partition(" ")
    address = template.format(
        order_id=IDS[0],
        name="work",
        operation_id="op_1",
        hold_id="hold_1",
        notice_id="notice_1",
        webhook_id="webhook_1",
        attempt_id="att_1",
    )
    return service.http.request(method, f"{address}?{query}", json=BODIES.get(method))


def refusals(answer: httpx2.Response) -> list[tuple[list[str], str]]:
    assert answer.status_code == 422, answer.text
    assert answer.json()["success"] is False
    return [(entry["loc"], entry["type"]) for entry in answer.json()["detail"]]


def declared_parameters(service: Service) -> dict[str, list[str]]:
    """The query parameters of each route, by the OpenAPI document."""
    paths = service.http.get("/openapi.json").json()["paths"]
    return {
        f"{method.upper()} {path}": [
            parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"
        ]
        for path, operations in paths.items()
        for method, operation in operations.items()
    }


def test_an_undeclared_parameter_is_refused(service: Service) -> None:
    """On every route under /api: 422 that names the parameter, declared in the document; and nothing is done."""
    requests = len(service.sandbox.requests)
    document = service.http.get("/openapi.json").json()["paths"]
    names = declared_parameters(service)
    for route in UNDER_API:
        answer = ask(service, route, "dryrun=true&zzzz=")
        unknown = [(["query", "dryrun"], "extra_forbidden"), (["query", "zzzz"], "extra_forbidden")]
        assert refusals(answer) == unknown, route
        accepted = f"accepted: {', '.join(names[route])}" if names[route] else "it has none"
        assert f"zzzz: is not a parameter of this route; {accepted}" in answer.json()["message"], route
        method, _, path = route.partition(" ")
        assert "422" in document[path][method.lower()]["responses"], route
    assert len(service.sandbox.requests) == requests
    assert service.http.get("/api/operations").json()["count"] == 0


def test_a_repeated_parameter_is_refused(service: Service) -> None:
    """Each declared parameter of each route: which of two values is meant is unknown, so it is 422."""
    for route, names in declared_parameters(service).items():
        for name in names:
            assert (["query", name], "repeated") in refusals(ask(service, route, f"{name}=1&{name}=2")), (route, name)


@pytest.mark.parametrize("text", ["1_0", "%2010", "10%20", "%D9%A1", "%C2%A010"])
def test_a_number_is_written_in_plain_digits(service: Service, text: str) -> None:
    """Underscores, blanks and digits of other scripts are 422, with whole numbers and others."""
    for query in (f"?limit={text}", f"/123?max_age={text}", f"/123/history?cursor={text}"):
        answer = service.http.get(f"/api/orders{query}")
        assert answer.status_code == 422, query
        assert "number" in answer.json()["message"]


@pytest.mark.parametrize("written", ["dryrun", "dry-run", "dryRun", "DRY_RUN", "dry_rum", "dry%5Frun_"])
def test_a_similar_name_is_suggested(service: Service, written: str) -> None:
    """However `dry_run` is misspelt, nothing is deleted, and the right name is suggested."""
    answer = ask(service, "DELETE /api/orders/{order_id}", f"{written}=true")
    assert "did you mean dry_run? Accepted: dry_run" in answer.json()["message"]
    assert service.sandbox.value(IDS[0], "Fahrername")
    assert refusals(answer)


@pytest.mark.parametrize(
    ("route", "written", "meant"),
    [
        ("GET /api/orders", "number_plate", "plate"),
        ("GET /api/orders", "Kennzeichen", "plate"),
        ("GET /api/orders", "licensePlate", "plate"),
        ("GET /api/orders", "name", "person"),
        ("GET /api/orders", "q", "text"),
        ("GET /api/orders", "page_size", "limit"),
        ("GET /api/orders", "offset", "cursor"),
        ("GET /api/orders", "shop_date_after", "after"),
        ("GET /api/orders", "finish_date_after", "finish_after"),
        ("GET /api/orders", "parts", "missing_parts"),
        ("GET /api/orders", "order_by", "sort"),
        ("GET /api/orders", "includeArchived", "archived"),
        ("GET /api/lookup", "person", "name"),
        ("GET /api/lookup", "search", "q"),
        ("GET /api/lookup", "limt", "limit"),
        ("GET /api/operations", "id", "order_id"),
        ("DELETE /api/orders/{order_id}", "preview", "dry_run"),
        ("GET /api/orders/{order_id}", "maxage", "max_age"),
        ("GET /api/sync/runs", "per_page", "limit"),
    ],
)
def test_the_nearest_name_is_suggested(service: Service, route: str, written: str, meant: str) -> None:
    """A name written or meant alike."""
    answer = ask(service, route, f"{written}=1")
    assert f"{written}: is not a parameter of this route; did you mean {meant}? Accepted: " in answer.json()["message"]


def test_nothing_is_suggested_for_what_is_like_none(service: Service) -> None:
    """The accepted names are listed alone."""
    message = ask(service, "GET /api/orders", "zzzz=1").json()["message"]
    assert message.startswith("zzzz: is not a parameter of this route; accepted: plate, person")


@pytest.mark.parametrize(
    "query", ["%00=1", "=1", "a" * 5000 + "=1", "plate[]=x", "&".join(f"p{n}" for n in range(500))]
)
def test_odd_names_get_a_short_response(service: Service, query: str) -> None:
    """They are undeclared parameters; the response stays short."""
    answer = ask(service, "GET /api/orders", query)
    assert all(kind == "extra_forbidden" for _, kind in refusals(answer))
    assert len(answer.content) < 20_000


@pytest.mark.parametrize("query", ["person=M%FCller", "person=Kai&text=%ED%A0%80", "pers%F6n=x", "%ff%fe"])
@pytest.mark.parametrize("path", ["/api/orders", "/api/operations"])
def test_a_query_that_is_not_utf_8_is_refused(service: Service, path: str, query: str) -> None:
    """It would find nothing; the message names the parameter and what is accepted."""
    answer = service.http.get(f"{path}?{query}")
    ((location, kind),) = refusals(answer)
    assert (location[0], kind) == ("query", "not_utf8")
    assert "%C3%BC for ü" in answer.json()["message"]


def test_an_address_that_is_not_percent_encoded(service: Service) -> None:
    """curl sends letters as they are: UTF-8 is accepted; Latin-1 and control characters are refused with a reason."""
    assert service.put(IDS[1], person="Jörg Schäfer").status_code == 200
    typed = "/api/orders?person=Schäfer&fields=id"
    key = f"Authorization: {service.http.headers['Authorization']}"
    found = raw.get(service.address, typed, key)
    assert raw.status(found) == 200
    assert f'"id":{IDS[1]}'.encode() in found
    head = f"GET /api/orders?person=Schäfer HTTP/1.1\r\nHost: localhost\r\n{key}\r\nConnection: close\r\n\r\n"
    latin = head.encode("latin-1")
    refused = raw.exchange(service.address, latin)
    assert raw.status(refused) == 422
    assert b"person: is not UTF-8" in refused
    odd = raw.get(service.address, "/api/orders?person=\x01")
    assert raw.status(odd) == 400
    assert b'"message":"The address holds what no address may; accepted: UTF-8, percent-encoded' in odd


def test_declared_parameters_are_accepted(service: Service) -> None:
    """Those of a route's dependencies and of its parameter model too; an empty query has none."""
    for address in (
        "/api/orders?plate=WN&limit=3&sort=id&archived=false",
        f"/api/orders/{IDS[0]}?max_age=86400",
        "/api/lookup?q=wn&limit=3",
        "/api/operations?limit=3&",
        "/api/sync/runs?",
        "/health/live?probe=1",
    ):
        assert service.http.get(address).status_code == 200, address
