"""`POST /tools/{name}`: every answer has a line to be read out, whatever is wrong with the call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from planso_connector.sandbox import Sandbox
from tests.service import Service, running_on_sqlite


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_on_sqlite(tmp_path_factory.mktemp("tools"), Sandbox(orders=60)) as running:
        yield running


def call(service: Service, name: str, arguments: Any, **headers: str) -> dict[str, Any]:
    """Call the tool, and return its answer."""
    response = service.http.post(f"/tools/{name}", json=arguments, headers=headers)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert list(answer)[:2] == ["say", "ok"]
    assert answer["say"]
    assert "\n" not in answer["say"]
    return answer


def test_an_order_is_found_by_its_plate(service: Service) -> None:
    """The plate as it was heard, and the order's id comes back; the sentence is in the language that was asked for."""
    order = service.http.get("/api/orders", params={"limit": 1}).json()["orders"][0]
    answer = call(service, "find_order", {"plate": order["plate"].replace("-", " ").lower()})
    assert (answer["ok"], answer["order_id"]) == (True, order["id"])
    english = call(service, "find_order", {"plate": order["plate"]}, **{"Accept-Language": "en-GB"})
    assert (answer["say"], english["say"]) == ("Ich habe den Auftrag gefunden.", "I have found the order.")


def test_what_nobody_has_is_asked_again(service: Service) -> None:
    """No order fits: a sentence with a question, and no order."""
    answer = call(service, "find_order", {"plate": "ZZ-XY 9999"})
    assert (answer["ok"], answer["reason"]) == (False, "not_found")
    assert answer["ask"]
    assert "orders" not in answer


def test_a_tool_that_does_not_exist(service: Service) -> None:
    answer = call(service, "open_the_door", {})
    assert (answer["ok"], answer["reason"]) == (False, "unknown_tool")
    assert "find_order" in answer["problems"][0]


def test_a_body_that_is_no_object(service: Service) -> None:
    """A list, half an object and no arguments are answered with a sentence."""
    for body in ("[1]", '{"plate":', "NaN"):
        response = service.http.post("/tools/find_order", content=body, headers={"Content-Type": "application/json"})
        assert (response.status_code, response.json()["reason"]) == (200, "invalid")
    assert call(service, "find_order", {})["ask"] == "Wie lautet das Kennzeichen?"
