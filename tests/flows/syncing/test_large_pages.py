"""PlanSo answers with more than any page holds: what the sync, readiness and callers see, and that the rest goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.sandbox import Sandbox
from tests.planso_proxy import FORM, LIST
from tests.service import Service, running_on_sqlite

MOST = 200_000
LARGE = b" " * MOST * 3
Which = Callable[[str, dict[str, list[str]], bool], bool]


class Swollen:
    """
    Stands before PlanSo. What `which` chooses, by path, query and whether it is a save, is done, and answered with far
    too much.
    """

    def __init__(self, planso: ASGIApp) -> None:
        self._planso = planso
        self.which: Which = lambda *_: False
        self.chosen = 0
        self.rewrite: Callable[[Any], Any] | None = None
        """What becomes of the list's JSON."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._planso(scope, receive, send)
            return
        query = parse_qs(scope["query_string"].decode())
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._planso(scope, receive, keep)
        start, body = messages[0], b"".join(message.get("body", b"") for message in messages[1:])
        if self.rewrite is not None and query.get("m") == [LIST]:
            body = json.dumps(self.rewrite(json.loads(body))).encode()
        has_body = dict(scope["headers"]).get(b"content-length", b"0") != b"0"
        if self.which(scope["path"], query, scope["path"] == "/do" and has_body):
            self.chosen += 1
            body = LARGE + body
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Swollen]]:
    sandbox = Sandbox(orders=30)
    sandbox.app = swollen = Swollen(sandbox.app)
    folder: Path = tmp_path_factory.mktemp("large")
    with running_on_sqlite(folder, sandbox, planso_max_answer=MOST, connector_sync_parts=False) as service:
        yield service, swollen


@pytest.fixture
def swollen(shop: tuple[Service, Swollen]) -> Iterator[Swollen]:
    yield shop[1]
    shop[1].which, shop[1].rewrite = lambda *_: False, None


@pytest.fixture
def service(shop: tuple[Service, Swollen]) -> Service:
    return shop[0]


def form_of(order_id: int) -> Which:
    return lambda _path, query, _is_save: query.get("m") == [FORM] and query.get("dataID") == [str(order_id)]


def check(service: Service, name: str) -> dict[str, Any]:
    checks: list[dict[str, Any]] = service.http.get("/health/ready").json()["checks"]
    return next(one for one in checks if one["name"] == name)


def test_one_order_s_form_keeps_no_other_from_being_read(service: Service, swollen: Swollen) -> None:
    """The sync names it, its row stays, live reads say that it is not read, dry runs are 502."""
    large, other = service.sandbox.order_ids()[:2]
    before = service.order(large)
    service.sandbox.edit_field(other, "Bemerkungen", "neu")
    swollen.which = form_of(large)

    result = service.sync(full="true")["last_result"]

    assert result["state"] == "done"
    assert result["failed"] == [{"order_id": large, "page": "form", "kind": "PageTooLarge"}]
    assert service.order(large)["fields"] == before["fields"]
    assert service.order(other)["remarks"] == "neu"
    live = service.http.get(f"/api/orders/{large}", params={"max_age": "0"})
    dry = service.http.put(f"/api/orders/{large}?dry_run=true", json={"order_id": large, "remarks": "x"})
    assert (live.status_code, dry.status_code) == (200, 502)
    assert live.json()["order"]["last_synced_at"] == before["last_synced_at"]
    for answer in (live, dry):
        assert f"the form of order {large}: PlanSo's answer is larger than 200 KB" in answer.json()["message"]
    assert service.put(other, remarks="noch neuer").status_code == 200


def test_many_orders_with_too_large_forms_keep_no_other_from_being_read(service: Service, swollen: Swollen) -> None:
    """They are read first, as what was not read for longest; ten failures in a row end a run else."""
    *large, other = service.sandbox.order_ids()
    service.sandbox.edit_field(other, "Bemerkungen", "trotzdem gelesen")
    swollen.which = lambda _path, query, _is_save: query.get("m") == [FORM] and query["dataID"][0] in map(str, large)

    result = service.sync(full="true")["last_result"]

    assert len(result["failed"]) == len(large) > 10
    assert service.order(other)["remarks"] == "trotzdem gelesen"


def test_a_list_that_is_too_large_fails_the_sync_in_words(service: Service, swollen: Swollen) -> None:
    """Nothing is archived; readiness says of PlanSo what is wrong, until it answers as before."""
    swollen.which = lambda _path, query, _is_save: query.get("m") == [LIST]

    status = service.sync()

    assert status["state"] == "failed"
    assert "the list of orders: PlanSo's answer is larger than 400 KB" in status["last_result"]["message"]
    assert "PLANSO_MAX_ANSWER" in status["last_result"]["message"]
    assert service.http.get("/api/orders").json()["count"] == 30
    planso = check(service, "planso")
    assert not planso["ok"]
    assert "more than PLANSO_MAX_ANSWER" in json.dumps(planso)
    assert 'outcome="too_large"' in service.http.get("/metrics").text
    swollen.which = lambda *_: False
    assert service.sync()["state"] == "idle"
    assert check(service, "planso")["ok"]


def test_a_save_whose_answer_is_too_large_is_confirmed_by_reading(service: Service, swollen: Swollen) -> None:
    """It may have been applied: PlanSo is looked at, and the save is not sent a second time."""
    order_id = service.sandbox.order_ids()[2]
    swollen.chosen = 0
    swollen.which = lambda _path, _query, is_save: is_save

    answer = service.put(order_id, remarks="angekommen")

    assert answer.status_code == 200, answer.text
    assert service.sandbox.value(order_id, "Bemerkungen") == "angekommen"
    assert swollen.chosen == 1


def test_a_login_page_that_is_too_large_is_reported(service: Service, swollen: Swollen) -> None:
    """As PlanSo's trouble: the password was not rejected, and the next login may do."""
    swollen.which = lambda path, _query, _is_save: path == "/app"

    answer = service.http.post("/api/auth/login")

    assert answer.status_code == 502
    assert "the login page: PlanSo's answer is larger than 200 KB" in answer.json()["message"]
    swollen.which = lambda *_: False
    assert service.http.post("/api/auth/login").status_code == 200


def test_an_order_that_is_listed_twice_changes_when_it_changes(service: Service, swollen: Swollen) -> None:
    """Whichever of its rows comes first: it was read anew, with a new version, at each sync."""
    order_id = service.sandbox.order_ids()[3]
    turn = 0

    def twice(answer: Any) -> list[Any]:
        nonlocal turn
        turn += 1
        rows = [row for row in answer.values() if isinstance(row, dict)]
        own = next(row for row in rows if str(row["ID"]) == str(order_id))
        others = [row for row in rows if row is not own]
        both = [{**own, "station": "1@done"}, {**own, "station": "2@active"}]
        return both[:: 1 if turn % 2 else -1] + others

    swollen.rewrite = twice
    service.sync()
    first = service.order(order_id)

    for _ in range(2):
        assert service.sync()["last_result"]["changed"] == 0

    assert service.order(order_id)["version"] == first["version"]
    assert (first["station_id"], first["station_state"]) == ("2", "active")
