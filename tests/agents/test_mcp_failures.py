"""Faults around `POST /mcp`: a tool's call is answered all the same, and in time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.agents.mcp.failure_results import FailureResultsMiddleware

CALL = {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "find_order", "arguments": {}}}
LIST = {"jsonrpc": "2.0", "id": "a", "method": "tools/list"}


def post(app: ASGIApp, message: Any, **headers: str) -> httpx2.Response:
    """The response of the middleware around `app`."""

    async def run() -> httpx2.Response:
        transport = httpx2.ASGITransport(FailureResultsMiddleware(app))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.post("/mcp", json=message, headers=headers)

    return asyncio.run(run())


def answering(response: Response) -> ASGIApp:
    """An app that reads the body and answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await response(scope, receive, send)

    return app


async def hang(scope: Scope, receive: Receive, send: Send) -> None:
    """As an authentication whose database is silent: it reads no body, and never answers."""
    await asyncio.Event().wait()


@pytest.mark.parametrize("status", [500, 503, 504])
def test_a_fault_of_a_call_is_a_result(status: int) -> None:
    """With a sentence in the caller's language; what else the failure says is kept."""
    app = answering(JSONResponse({"success": False}, status, {"Retry-After": "5"}))
    for language, say in (("de", "Das kann ich gerade nicht nachsehen"), ("en", "I can't look that up")):
        response = post(app, CALL, **{"Accept-Language": language})
        body = response.json()
        assert (response.status_code, response.headers["Retry-After"], body["id"]) == (200, "5", "a")
        answer = body["result"]["structuredContent"]
        assert json.loads(body["result"]["content"][0]["text"]) == answer
        assert (answer["ok"], answer["say"].startswith(say)) == (False, True)


def test_other_answers_are_passed_on() -> None:
    """Failures of other methods, refusals that a person has to look at, and results."""
    for status, message in ((503, LIST), (401, CALL), (429, CALL), (200, CALL), (400, CALL)):
        response = post(answering(JSONResponse({"a": 1}, status)), message)
        assert (response.status_code, response.json()) == (status, {"a": 1})


def test_a_call_does_not_wait_for_ever() -> None:
    """A call is answered before its client gives up; of other methods the failure is a JSON-RPC error."""
    late = post(hang, CALL)
    assert late.json()["result"]["structuredContent"]["reason"] == "unavailable"
    failed = post(hang, LIST)
    assert (failed.status_code, failed.json()["error"]["code"]) == (503, -32603)
