"""/api/workshops: registering, reading, changing, pausing and removing, for the scope `installation` alone."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.password_encryption import generate_key
from planso_connector.sandbox import Sandbox
from tests.rest.keys import make_key
from tests.service import PATIENCE, Service, wait_for_sync, wait_until

ORDERS = 3
SETTINGS = {"connector_secrets_key": SecretStr(generate_key())}
PASSWORD = "geheim-und-lang"


class Operator:
    """Calls with a key that has the scope `installation`."""

    def __init__(self, service: Service) -> None:
        self._http = service.http
        self._headers = make_key(service, Scope.INSTALLATION)
        self.bodies: list[str] = []

    def call(self, method: str, path: str = "", **options: Any) -> tuple[int, dict[str, Any]]:
        response = self._http.request(method, f"/api/workshops{path}", headers=self._headers, **options)
        self.bodies.append(response.text)
        body: dict[str, Any] = response.json()
        return response.status_code, body

    def add(self, name: str, /, **more: Any) -> tuple[int, dict[str, Any]]:
        body = {"name": name, "planso_url": f"https://{name}.planso.de", "planso_user": "anna", "password": PASSWORD}
        return self.call("POST", json={**body, **more})


@pytest.fixture(scope="module")
def operator(service: Service) -> Operator:
    service.wait_for_sync()
    return Operator(service)


def test_a_workshops_life(operator: Operator) -> None:
    """Registered, read, changed, paused, resumed, removed: each answer has it as it is then, and never the password."""
    settings = {"CONNECTOR_SYNC_HOURS": "Mo-Fr 06:00-20:00", "CONNECTOR_PENDING": 7, "CONNECTOR_SYNC_PARTS": False}
    status, body = operator.add("life", table_id=77, settings=settings)
    assert (status, body["success"]) == (200, True)
    assert operator.call("GET", "/life") == (200, body)
    workshop = body["workshop"]
    assert workshop["settings"] == settings
    assert (workshop["table_id"], workshop["state"], workshop["fault"], workshop["pending"]) == (77, "active", None, 0)

    patch = {"planso_user": "berta", "table_id": None, "settings": {"CONNECTOR_PENDING": None}}
    _, body = operator.call("PATCH", "/life", json=patch)
    changed = body["workshop"]
    assert (changed["planso_user"], changed["table_id"]) == ("berta", None)
    assert changed["settings"] == {key: settings[key] for key in ("CONNECTOR_SYNC_HOURS", "CONNECTOR_SYNC_PARTS")}
    assert operator.call("PATCH", "/life", json={"settings": None})[1]["workshop"]["settings"] == {}

    status, body = operator.call("POST", "/life/pause")
    assert (status, body["workshop"]["state"]) == (200, "paused")
    assert body["workshop"]["paused_at"]
    assert operator.call("POST", "/life/resume")[1]["workshop"]["paused_at"] is None
    status, body = operator.call("DELETE", "/life")
    assert (status, body["name"], body["discarded_writes"]) == (200, "life", 0)
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")):
        status, body = operator.call(method, f"/life{path}", json={} if method == "PATCH" else None)
        assert (status, body["success"]) == (404, False)
        assert "life" in body["message"]
    assert not any(PASSWORD in body for body in operator.bodies)


def test_what_is_not_accepted_is_named(operator: Operator) -> None:
    """A taken name is 409; everything else is 422, which names the member and what is accepted."""
    operator.add("taken")
    for name in ("taken", "default"):
        status, body = operator.add(name)
        assert status == 409
        assert "accepted: another name" in body["message"]
    for more, loc, accepted in (
        ({"name": "Groß"}, ["body", "name"], "accepted: 1 to 63"),
        ({"planso_url": "http://x.planso.de"}, ["body", "planso_url"], "accepted: https://"),
        ({"password": ""}, ["body", "password"], "accepted: the password"),
        ({"password": None}, ["body", "password"], ""),
        ({"profile": "labels = 1"}, ["body", "profile"], "accepted: a table"),
        ({"settings": {"CONNECTOR_PENDING": 0}}, ["body", "settings", "CONNECTOR_PENDING"], "accepted: a whole number"),
        ({"settings": {"CONNECTOR_PORT": 1}}, ["body", "settings", "CONNECTOR_PORT"], "Accepted: PLANSO_TIMEOUT"),
        ({"hours": "x"}, ["body", "hours"], ""),
    ):
        status, body = operator.add("wrong", **more)
        assert status == 422, body
        assert body["detail"][0]["loc"] == loc
        assert accepted in body["message"]
    status, body = operator.call("PATCH", "/taken", json={"planso_url": "https://evil.example"})
    assert (status, body["detail"][0]["loc"]) == (422, ["body", "password"])
    assert operator.call("GET", "/wrong")[0] == 404


def test_pages_hold_each_workshop_once(operator: Operator) -> None:
    """Pages of two list every workshop once, by name, the one of the environment with its sync among them."""
    for name in ("page-b", "page-a", "page-c"):
        operator.add(name)
    found: list[dict[str, Any]] = []
    params = {"limit": "2"}
    while True:
        _, page = operator.call("GET", params=params)
        assert page["count"] == len(page["workshops"]) <= 2
        found += page["workshops"]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    names = [workshop["name"] for workshop in found]
    assert names == sorted(set(names))
    assert {"default", "page-a", "page-b", "page-c"} <= set(names)
    (default,) = [workshop for workshop in found if workshop["is_default"]]
    assert default["name"] == "default"
    assert default["synced_at"]
    assert default["sync_age"] >= 0
    assert operator.call("GET", params={"cursor": "x"})[0] == 422
    assert operator.call("GET", params={"limit": "0"})[0] == 422


def test_only_the_scope_installation_is_let_in(service: Service, operator: Operator) -> None:
    """`admin` and all other scopes are 403 and named what is missing, no key is 401; `installation` reads no order."""
    others = [scope for scope in Scope if scope is not Scope.INSTALLATION]
    for scopes in ([Scope.ADMIN], others):
        response = service.http.get("/api/workshops", headers=make_key(service, *scopes))
        assert response.status_code == 403
        assert "The scope `installation` is needed" in response.json()["message"]
    assert service.http.get("/api/workshops").status_code == 401
    assert service.http.delete("/api/workshops/default").status_code == 401
    installation = make_key(service, Scope.INSTALLATION)
    for path in ("/api/orders", "/api/operations", "/api/sync/status", "/api/writes", "/metrics"):
        assert service.http.get(path, headers=installation).status_code == 403, path


def test_a_registered_workshop_is_served_by_its_key_alone(service: Service, operator: Operator) -> None:
    """
    Once registered, its orders are shown to its own key and to no other, by no id and no list; paused, its writes
    and syncs are 503 at once and its reads go on; removed, its key is refused.
    """
    other = Sandbox(orders=2, seed=7)
    installation = other.installation
    (order_id, _) = other.order_ids()
    default_key = make_key(service, Scope.ORDERS_READ)
    key = make_key(service, Scope.ADMIN, workshop="served")
    with other.serve() as url, httpx2.Client(base_url=service.address, headers=key, timeout=PATIENCE) as http:
        login = {"planso_url": url, "planso_user": installation.username, "password": installation.password}
        assert operator.add("served", **login, table_id=installation.table_id)[0] == 200
        wait_until(lambda: http.get("/api/sync/status").status_code == 200, "the workshop to be served")
        wait_for_sync(http)
        assert {order["id"] for order in http.get("/api/orders").json()["orders"]} == set(other.order_ids())
        default = service.http.get("/api/orders", headers=default_key).json()["orders"]
        assert {order["id"] for order in default} == set(service.sandbox.order_ids())
        foreign = set(service.sandbox.order_ids()) - set(other.order_ids())
        assert foreign
        for foreign_id in foreign:
            assert http.get(f"/api/orders/{foreign_id}").status_code == 404
        assert http.get("/api/workshops").status_code == 403

        body = {"order_id": order_id, "remarks": "geändert"}
        assert http.put(f"/api/orders/{order_id}", json=body).status_code == 200
        operator.call("POST", "/served/pause")
        refused = http.put(f"/api/orders/{order_id}", json={**body, "remarks": "nicht"})
        assert refused.status_code == 503
        assert "is paused since" in refused.json()["message"]
        assert refused.headers["Retry-After"]
        runs = http.get("/api/sync/runs").json()["count"]
        unsynced = http.post("/api/sync")
        assert (unsynced.status_code, "is paused since" in unsynced.json()["message"]) == (503, True)
        assert http.get("/api/sync/runs").json()["count"] == runs
        assert http.get(f"/api/orders/{order_id}").json()["order"]["remarks"] == "geändert"
        operator.call("POST", "/served/resume")
        assert http.put(f"/api/orders/{order_id}", json={**body, "remarks": "wieder"}).status_code == 200
        assert operator.call("DELETE", "/served")[0] == 200
        assert http.get("/api/orders").status_code == 401
