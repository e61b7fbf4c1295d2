"""Several workshops in one process: with the key of one, nothing of another is found, by any route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from planso_connector.agents.toolbox import TOOLS
from planso_connector.domain.scopes import Scope
from planso_connector.rest.middleware.route_scopes import REQUIRED_SCOPES
from planso_connector.sandbox import Sandbox
from tests.many_workshops import Workshops, make_key, running_workshops
from tests.service import wait_until

NAMES = ("alpha", "beta", "gamma")
ROUTES = sorted(route for route, scopes in REQUIRED_SCOPES.items() if scopes)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def workshops(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshops]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('apart')}/connector.db"
    else:
        server = request.getfixturevalue("postgresql_server")
        url = server.url(server.create_database())
    with running_workshops(NAMES, url, connector_allowed_hosts="*.connectors.example") as running:
        yield running


def foreign_order(workshops: Workshops, name: str, other: str) -> int:
    """The id of an order of `other` that `name` has none of."""
    return next(iter(set(workshops.sandboxes[other].order_ids()) - set(workshops.sandboxes[name].order_ids())))


def test_each_key_sees_its_own_orders(workshops: Workshops) -> None:
    """Lists, lookups and orders by id are the workshop's own, although ids occur in several."""
    for name, http in workshops.http.items():
        listed = {order["id"] for order in http.get("/api/orders", params={"limit": 500}).json()["orders"]}
        assert listed == set(workshops.sandboxes[name].order_ids())


def test_writes_reach_the_workshops_own_planso(workshops: Workshops) -> None:
    """The same write with each key changes one PlanSo alone, and no session is used at two."""
    for name, http in workshops.http.items():
        order_id = workshops.sandboxes[name].order_ids()[0]
        answer = http.patch(f"/api/orders/{order_id}", json={"remarks": f"for {name}"})
        assert answer.status_code == 200, answer.text
        assert http.get(f"/api/orders/{order_id}").json()["order"]["remarks"] == f"for {name}"
    for name in NAMES:
        saved = [request for request in workshops.sandboxes[name].requests if request.saving]
        assert len(saved) == 1
    assert workshops.sandboxes.find_foreign_sessions() == {}


@pytest.mark.parametrize("route", ROUTES)
def test_no_route_shows_another_workshops(workshops: Workshops, route: str) -> None:
    """Each route with the key of one and the ids, operations and cursors of another: nothing of that one comes back."""
    method, _, template = route.partition(" ")
    plant_secret(workshops, "beta")
    order_id = foreign_order(workshops, "alpha", "beta")
    operation = secret_operation(workshops)
    webhook = secret_webhook(workshops) if "{webhook_id}" in template else ""
    hold = secret_hold(workshops) if "{hold_id}" in template else ""
    address = template.format(
        order_id=order_id,
        name="work",
        operation_id=operation,
        hold_id=hold,
        notice_id="notice_1",
        webhook_id=webhook,
        attempt_id="att_1",
    )
    before = snapshot(workshops, "beta")
    parameters: dict[str, Any] = {"q": "Zzyzx"} if template == "/api/lookup" else {}
    if template.endswith("/recover"):
        parameters = {"since": "2026-01-01T00:00:00Z"}
    body: dict[str, Any] | None = None
    if method in ("PUT", "PATCH"):
        body = {"enabled": False} if webhook else {"remarks": "changed", "order_id": order_id}

    answer = workshops.http["alpha"].request(method, address, params=parameters, json=body)

    assert "Geheim" not in answer.text
    assert snapshot(workshops, "beta") == before
    if template.startswith("/tools"):
        assert (answer.status_code, answer.json()["ok"]) == (200, False)
    elif "{" in template:
        assert answer.status_code in (403, 404), answer.text
    if webhook:
        assert workshops.http["beta"].delete(f"/api/webhooks/{webhook}").status_code == 200
    if hold:
        assert workshops.http["beta"].delete(f"/api/availability/holds/{hold}").status_code == 200


@pytest.mark.parametrize("tool", TOOLS)
def test_no_tool_shows_another_workshops(workshops: Workshops, tool: str) -> None:
    """By another's order, operation or what its callers would say: not found, or a question; and nothing is changed."""
    order_id = foreign_order(workshops, "alpha", "beta")
    operation = secret_operation(workshops)
    plate = workshops.http["beta"].get(f"/api/orders/{order_id}").json()["order"]["plate"]
    before = snapshot(workshops, "beta")
    for arguments in (
        {"order_id": order_id, "operation_id": operation, "name": "Zzyzx", "when": "morgen um acht", "text": "Hallo"},
        {"order_id": order_id, "name": "Zzyzx Geheim"},
        {"plate": plate, "name": "Zzyzx", "said": "Zzyzx Geheim"},
    ):
        answer = workshops.http["alpha"].post(f"/tools/{tool}", json=arguments)
        assert answer.status_code == 200
        assert "eheim" not in answer.text
        assert operation not in answer.text
    assert snapshot(workshops, "beta") == before


def test_a_notice_is_its_workshops_own(workshops: Workshops) -> None:
    """What a caller leaves at one workshop, also about an order that is another's, no other one lists or closes."""
    order_id = foreign_order(workshops, "alpha", "beta")
    handed = workshops.http["alpha"].post("/tools/hand_over", json={"order_id": order_id, "reason": "Ruft an."}).json()
    assert (handed["ok"], "order_id" in handed) == (True, False)
    listed = {name: workshops.http[name].get("/api/notices").json()["notices"] for name in NAMES}
    assert handed["notice_id"] in {notice["id"] for notice in listed["alpha"]}
    assert handed["notice_id"] not in {notice["id"] for notice in listed["beta"]}
    assert workshops.http["beta"].post(f"/api/notices/{handed['notice_id']}/done").status_code == 404


def plant_secret(workshops: Workshops, name: str) -> None:
    """A text that only one order of this workshop has."""
    order_id = foreign_order(workshops, "alpha", name)
    http = workshops.http[name]
    if http.get(f"/api/orders/{order_id}").json()["order"]["person"] != "Zzyzx Geheim":
        assert http.patch(f"/api/orders/{order_id}", json={"person": "Zzyzx Geheim"}).status_code == 200


def secret_operation(workshops: Workshops) -> str:
    plant_secret(workshops, "beta")
    operations = workshops.http["beta"].get("/api/operations").json()["operations"]
    return str(operations[0]["id"])


def secret_webhook(workshops: Workshops) -> str:
    answer = workshops.http["beta"].post("/api/webhooks", json={"url": "https://example.org/Geheim"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["webhook"]["id"])


def secret_hold(workshops: Workshops) -> str:
    """A day that beta holds."""
    http = workshops.http["beta"]
    days = ("mo", "tu", "we", "th", "fr", "sa", "su")
    assert http.put("/api/capacity", json={"weekdays": {name: {} for name in days}}).status_code == 200
    today = http.get("/api/availability").json()["days"]
    day = next(one["date"] for one in today if one["level"] != "closed")
    answer = http.post("/api/availability/holds", json={"date": day})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["hold_id"])


def snapshot(workshops: Workshops, name: str) -> list[Any]:
    sandbox: Sandbox = workshops.sandboxes[name]
    return [sandbox.snapshot(order_id) for order_id in sandbox.order_ids()]


def test_the_host_name_must_agree_with_the_key(workshops: Workshops) -> None:
    """The first label of a registered workshop with another one's key is 404; other labels do not count."""
    key = workshops.keys["alpha"]

    def status(host: str) -> int:
        with workshops.client(key, Host=host) as http:
            return http.get("/api/orders").status_code

    assert status("127.0.0.1") == 200
    assert (
        status("alpha.connectors.example"),
        status("beta.connectors.example"),
        status("reit.connectors.example"),
    ) == (200, 404, 200)


def test_a_missing_order_is_answered_alike(workshops: Workshops) -> None:
    """Another workshop's order and one that nobody has: the same status, headers and words but for the number."""

    def ask(order_id: int) -> tuple[int, str, list[str]]:
        answer = workshops.http["alpha"].get(f"/api/orders/{order_id}")
        return answer.status_code, answer.text.replace(str(order_id), "N"), sorted(answer.headers)

    assert ask(foreign_order(workshops, "alpha", "beta")) == ask(99_999_999)


def test_idempotency_keys_and_etags_are_the_workshops_own(workshops: Workshops) -> None:
    """One key for two workshops' writes makes two; an ETag of one is not the other's."""
    headers = {"Idempotency-Key": "same-key"}
    body = {"person": "Nur Hier", "express_link": "x"}
    answers = [workshops.http[name].post("/api/orders", json=body, headers=headers) for name in ("alpha", "beta")]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert not any("Idempotency-Replayed" in answer.headers for answer in answers)
    for name, answer in zip(("alpha", "beta"), answers, strict=True):
        order_id = answer.json()["order_id"]
        assert workshops.http[name].get(f"/api/orders/{order_id}").json()["order"]["person"] == "Nur Hier"


def test_one_workshop_without_planso_holds_up_no_other(workshops: Workshops) -> None:
    """While one PlanSo hangs, another's writes are confirmed, and the process stays ready."""
    hanging, other = workshops.sandboxes["beta"], workshops.sandboxes["gamma"]
    hanging.knobs.hang_next = 4
    accepted = [
        workshops.http["beta"].patch(
            f"/api/orders/{order_id}", json={"remarks": "hangs"}, headers={"Prefer": "respond-async"}
        )
        for order_id in hanging.order_ids()[1:4]
    ]
    assert {answer.status_code for answer in accepted} == {202}
    wait_until(lambda: hanging.knobs.hang_next < 4, "a request that hangs")
    order_id = other.order_ids()[1]
    assert workshops.http["gamma"].patch(f"/api/orders/{order_id}", json={"remarks": "goes on"}).status_code == 200
    with httpx2.Client(base_url=workshops.service.address) as stranger:
        assert stranger.get("/health/ready").status_code == 200
    hanging.knobs.hang_next = 0
    hanging.release_requests()


def test_metrics_name_other_workshops_to_the_installation_alone(workshops: Workshops) -> None:
    """A workshop's key gets its own figures and no name of another; one for the installation gets the worst of all."""
    own = workshops.http["alpha"].get("/metrics").text
    assert not [name for name in ("beta", "gamma") if name in own]
    key = make_key(workshops.database_url, "alpha", Scope.METRICS, Scope.INSTALLATION)
    with workshops.client(key) as http:
        every = http.get("/metrics").text
    assert 'planso_connector_workshops{state="active"} 3.0' in every
    for name in NAMES:
        assert f'planso_connector_workshop_sync_age_seconds{{workshop="{name}"}}' in every
