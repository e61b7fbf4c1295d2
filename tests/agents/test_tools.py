"""`POST /tools/{name}`: every answer has a line to be read out, whatever is wrong with the call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandbox
from tests.agents.tool_calls import call, check
from tests.rest.keys import make_key
from tests.service import Service, running_on_sqlite

PLATE = {"plate": "ZZ-XY 9999"}
"""No order has it."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With keys: `http` has one of scope `orders:read`."""
    with running_on_sqlite(tmp_path_factory.mktemp("tools"), Sandbox(orders=60)) as running:
        running.http.headers |= make_key(running, Scope.ORDERS_READ)
        yield running


def post(service: Service, body: Any, tool: str = "find_order", **headers: str) -> Any:
    response = service.http.post(f"/tools/{tool}", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_tool_that_does_not_exist(service: Service) -> None:
    answer = call(service, "open_the_door")
    assert (answer["ok"], answer["reason"]) == (False, "unknown_tool")
    assert "find_order" in answer["problems"][0]


@pytest.mark.parametrize("body", ["[1]", '{"plate":', "NaN", '"text"', "\ufeff{", '{"a": "\ud800"}', "[" * 9999])
def test_a_body_that_is_no_object(service: Service, body: str) -> None:
    """It is said that the call was not understood, without a fault."""
    content = body.encode("utf-8", "surrogatepass")
    response = service.http.post("/tools/find_order", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 200
    check(response.json())
    assert response.json()["reason"] == "invalid"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"plate": "W" * 10_000}, "plate: must have at most 1000 characters"),
        ({"plate": ["WN", "AE"]}, "plate: must be a text"),
        ({"plate": {"text": "WN"}}, "plate: must be a text"),
        ({"plate": True}, "plate: must be a text"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_arguments_of_the_wrong_kind(service: Service, arguments: Any, problem: str) -> None:
    """Each is named with what is accepted, and the caller is asked again; what was sent does not come back."""
    answer = call(service, "find_order", arguments)
    assert (answer["reason"], answer["problems"]) == ("invalid", [problem])
    assert "WWW" not in json.dumps(answer)


def test_lax_arguments(service: Service) -> None:
    """Numbers for texts, control characters, null, empty texts and arguments that no tool has are no mistakes."""
    for arguments in ({"phone": 1514711}, {"plate": "ZZ\u0000XY\n9999"}, {**PLATE, "name": None, "mood": "angry"}):
        assert call(service, "find_order", arguments)["reason"] == "not_found"
    assert call(service, "find_order", {"plate": " ", "name": "", "said": None})["reason"] == "ask"


def test_arguments_by_other_names(service: Service) -> None:
    """Where the tool did nothing, those that it does not have are named, and its own; `day` and `time` are `when`."""
    (problem,) = call(service, "find_order", {"kennzeichen": "WN AE 2309"})["problems"]
    assert problem.startswith("kennzeichen: there is no such argument; accepted: plate, name, phone, ")
    asked = call(service, "find_free_slots", {"kind": "drop_off", "day": "übermorgen", "time": "acht"})
    assert "problems" not in asked


def test_a_key_without_a_scope(service: Service) -> None:
    """With none of the scopes of any tool, or not those of this one: a sentence, and what is needed."""
    for scope, problem in ((Scope.SYNC, "The scope `orders:read`"), (Scope.APPOINTMENTS_WRITE, "orders:read")):
        answer = call(service, "find_order", PLATE, **make_key(service, scope))
        assert (answer["reason"], answer["say"]) == (
            "not_allowed",
            "Das darf ich leider nicht. Ein Kollege hilft Ihnen weiter.",
        )
        assert problem in answer["problems"][0]


def test_what_keeps_its_status(service: Service) -> None:
    """401 without a key, and 405 for anything but POST."""
    with httpx2.Client(base_url=service.address) as stranger:
        assert stranger.post("/tools/find_order", json=PLATE).status_code == 401
    assert service.http.get("/tools/find_order").status_code == 405


def test_what_is_refused_before_the_tool(service: Service) -> None:
    """A foreign host name, a page of another site and a body over the limit are answered in words, too."""
    for headers, body, reason in (
        ({"Origin": "https://evil.example"}, b"{}", "not_allowed"),
        ({}, b'{"plate": "' + b"W" * 1_100_000 + b'"}', "invalid"),
        ({"Authorization": "", "X-API-Key": ""}, b"{}", None),
    ):
        response = service.http.post("/tools/find_order", content=body, headers=headers)
        if reason is None:
            assert response.status_code == 401
        else:
            check(response.json())
            assert (response.status_code, response.json()["reason"]) == (200, reason)
            assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_language(service: Service) -> None:
    """German unless English is preferred; faults too."""
    answers = [call(service, "find_order", PLATE, Accept_Language=header) for header in ("", "en-GB", "fr, en;q=0.5")]
    assert [answer["say"].split()[0] for answer in answers] == ["Dazu", "I", "I"]
    refused = service.http.post(
        "/tools/find_order", content=b"", headers={"Origin": "https://evil.example", "Accept-Language": "en"}
    )
    assert refused.json()["say"] == "I am afraid I may not do that. A colleague will help you."
    assert refused.headers["Content-Language"] == "en"


def test_vapi(service: Service) -> None:
    """Calls in a list, with arguments as an object or its text: a result of one line for each, by its id."""
    for entry in (
        {"id": "call_1", "name": "find_order", "arguments": PLATE},
        {"id": "call_1", "type": "function", "function": {"name": "find_order", "arguments": PLATE}},
        {"id": "call_1", "type": "function", "function": {"name": "find_order", "arguments": json.dumps(PLATE)}},
        {"name": "find_order", "toolCall": {"id": "call_1", "function": {"name": "x", "arguments": PLATE}}},
    ):
        message = {"type": "tool-calls", "toolCallList": [entry], "call": {"id": "3f1d7c1e"}}
        (result,) = post(service, {"message": message}, "anything")["results"]
        assert set(result) == {"toolCallId", "result"}
        assert result["toolCallId"] == "call_1"
        assert "\n" not in result["result"]
        assert result["result"].startswith('{"say":"Dazu habe ich keinen Auftrag gefunden.')
        check(json.loads(result["result"]))


def test_vapi_with_several_and_broken_calls(service: Service) -> None:
    """Each call has its own result; one that can't be read does not take the others along."""
    entries = [
        {"id": "a", "function": {"name": "find_order", "arguments": "{"}},
        {"id": "b", "function": {"name": "no_such_tool", "arguments": {}}},
        {"id": "c", "function": {"name": "find_order", "arguments": PLATE}},
    ]
    results = post(service, {"message": {"toolCallList": entries}}, "vapi")["results"]
    reasons = {result["toolCallId"]: json.loads(result["result"])["reason"] for result in results}
    assert reasons == {"a": "invalid", "b": "unknown_tool", "c": "not_found"}
    assert post(service, {"message": {"toolCallList": []}}) == {"results": []}


def test_vapi_gets_refusals_in_its_shape(service: Service) -> None:
    """Vapi looks at nothing but results of status 200."""
    message = {"toolCallList": [{"id": "a", "function": {"name": "find_order", "arguments": PLATE}}]}
    (result,) = post(service, {"message": message}, Origin="https://evil.example")["results"]
    assert (result["toolCallId"], json.loads(result["result"])["reason"]) == ("a", "not_allowed")


def test_retell_and_elevenlabs(service: Service) -> None:
    """Arguments in `args` or `parameters`, or at the root beside the conversation's id: the answer is the object."""
    for body in (
        {"name": "find_order", "args": PLATE, "call": {"call_id": "call_abc", "transcript": "..."}},
        {"tool_name": "find_order", "parameters": PLATE, "conversation_id": "conv_1"},
        {**PLATE, "conversation_id": "conv_1"},
    ):
        answer = post(service, body)
        check(answer)
        assert answer["reason"] == "not_found"
    assert post(service, {"name": "find_order", "args": "text"})["reason"] == "invalid"


def test_calls_are_counted(service: Service) -> None:
    """By tool and outcome, and how long each took; nothing of it names what was said."""
    before = read_metric(service, "not_found")
    call(service, "find_order", PLATE)
    assert read_metric(service, "not_found") == before + 1


def read_metric(service: Service, outcome: str) -> float:
    text = service.http.get("/metrics", headers=make_key(service, Scope.METRICS)).text
    line = f'planso_connector_tool_calls_total{{outcome="{outcome}",tool="find_order"}} '
    return sum(float(found.removeprefix(line)) for found in text.splitlines() if found.startswith(line))


def test_an_answer_comes_in_time(service: Service) -> None:
    """While the database does not answer, the tool does, and says that it can't look it up now."""
    with service.hold_readers():
        answer = call(service, "get_progress", {"order_id": min(service.sandbox.order_ids())})
    assert (answer["reason"], answer["say"].split(".")[0]) == ("unavailable", "Das kann ich gerade nicht nachsehen")
