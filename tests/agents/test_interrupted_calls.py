"""Calls of tools that are cut off, and called again: nothing is lost, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from planso_connector.sandbox import Sandbox
from tests.agents.tool_calls import call, check
from tests.process import connector_process
from tests.service import Service, running_on_sqlite, wait_until

ORDER = {"Kennzeichen": "WN-KL 4711", "Fahrername": "Jana Petersen", "Telefon": "030 23125 471"}
HEARD = {"plate": "wn kl 4711", "name": "petersen"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    sandbox = Sandbox(orders=6)
    sandbox.add_order(ORDER)
    with running_on_sqlite(tmp_path_factory.mktemp("interrupted"), sandbox) as running:
        yield running


def _post(http: httpx2.Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    response = http.post(f"/tools/{tool}", json=arguments, headers={"X-Call-Id": "1"})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    check(answer)
    return answer


def test_a_killed_connector_keeps_what_was_said(tmp_path: Path, database_url: str) -> None:
    """
    kill -9 while PlanSo takes nothing: the writes are carried out later, once, also if they are called again; the
    notice is there.
    """
    sandbox = Sandbox(orders=6)
    order_id = sandbox.add_order(ORDER)
    sandbox.add_order({"Kennzeichen": "S-UV 3456", "Fahrername": "Karl Hinz"})
    calls = {
        "book_appointment": {"plate": "S-UV 3456", "name": "hinz", "kind": "drop_off", "when": "in zehn Tagen"},
        "add_remark": {**HEARD, "text": "Kommt erst um fünf."},
        "report_damage": {"plate": "S-AB 8123", "name": "Ole Brandt", "damage": "Delle"},
        "hand_over": {"reason": "Bittet um Rückruf.", "phone": "030 23125 472"},
    }
    with sandbox.serve() as url:
        environment = {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
            "CONNECTOR_DATABASE_URL": database_url,
            "CONNECTOR_SYNC_PARTS": "false",
        }
        with connector_process(environment, tmp_path) as connector:
            connector.wait_for_sync()
            sandbox.knobs.fail_saves_next = 1_000_000
            before = {tool: _post(connector.http, tool, arguments) for tool, arguments in calls.items()}
            connector.kill()
        assert [answer.get("state") for answer in before.values()] == ["pending", "pending", "pending", None]
        sandbox.knobs.fail_saves_next = 0
        with connector_process(environment, tmp_path) as connector:
            again = {tool: _post(connector.http, tool, arguments) for tool, arguments in calls.items()}
            ids = [[one.get("operation_id", one.get("notice_id")) for one in all_.values()] for all_ in (before, again)]
            assert ids[0] == ids[1]
            pending = {"state": "pending"}
            wait_until(lambda: connector.http.get("/api/operations", params=pending).json()["count"] == 0, "all writes")
            (notice,) = connector.http.get("/api/notices").json()["notices"]
            assert (notice["id"], notice["reason"]) == (before["hand_over"]["notice_id"], "Bittet um Rückruf.")
    assert sandbox.values(order_id)["Bemerkungen"] == "Kommt erst um fünf."
    assert [one for one in sandbox.order_ids() if sandbox.value(one, "Kennzeichen") == "S-AB 8123"] == [
        max(sandbox.order_ids())
    ]


def test_a_database_that_takes_nothing(service: Service) -> None:
    """No answer claims anything; called again once the database writes, it is done once."""
    wish = HEARD | {"text": "Bringt den Zweitschlüssel."}
    with service.hold_writer():
        for tool, arguments in (("add_remark", wish), ("hand_over", {"reason": "Ruft an."})):
            answer = call(service, tool, arguments, X_Call_Id="2")
            assert (answer["ok"], answer["reason"]) == (False, "unsure")
    for tool, arguments in (("add_remark", wish), ("hand_over", {"reason": "Ruft an."})):
        assert call(service, tool, arguments, X_Call_Id="2")["ok"]
    order_id = max(service.sandbox.order_ids())
    assert service.sandbox.values(order_id)["Bemerkungen"] == "Bringt den Zweitschlüssel."
    assert len(service.http.get("/api/notices").json()["notices"]) == 1
