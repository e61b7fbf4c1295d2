"""`POST /tools/{name}`: call a tool with plain arguments, or as a phone platform does."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import from_json, to_json
from starlette.types import Scope

from planso_connector.agents import failures
from planso_connector.agents.http.request_shapes import RequestedCall, read_request
from planso_connector.agents.tool_answer import ToolAnswer
from planso_connector.agents.tool_session import ToolSession
from planso_connector.agents.toolbox import TOOLS, call_tool

OpenSession = Callable[[Scope], Awaitable[ToolSession]]
"""The session of a request that was authenticated. Raises ConnectorError."""

PREFIX = "/tools"


def add_routes(router: APIRouter, open_session: OpenSession, responses: dict[int | str, dict[str, Any]]) -> None:
    """`router`: one with this prefix; `responses`: the documentation of a success."""

    @router.post(
        "/{name}",
        summary="Call a tool",
        response_model=ToolAnswer,
        response_description="What the tool answers",
        responses=responses,
        openapi_extra={"parameters": [_NAME, _CALL_ID], "requestBody": _REQUEST_BODY},
    )
    async def call_tool_by_name(request: Request) -> Response:
        """
        For phone agents and other language models. The body has the tool's arguments, or is what Vapi, Retell or
        ElevenLabs send, and the answer has that platform's shape. Every answer but 401 and 429 is 200: `say` is a line
        to be read out, `ok` says whether the tool did what it was called for. It comes within 3 seconds.
        """
        session = await open_session(request.scope)
        parsed = read_request(parse_body(await request.body()), request.path_params["name"], TOOLS)
        if parsed.call_id and not session.call_id:
            session = replace(session, call_id=parsed.call_id)
        answers = await _call_all(session, parsed.calls)
        body = parsed.render([answer.to_json() for answer in answers])
        return Response(to_json(body), media_type="application/json", headers=language_headers(session.language))


async def _call_all(session: ToolSession, calls: Sequence[RequestedCall]) -> list[ToolAnswer]:
    """One after the other, as the model put them; all of them within the session's time."""
    answers = []
    for call in calls:
        if call.arguments is None:
            answers.append(failures.from_unreadable_arguments(TOOLS.get(call.tool), session.language))
        else:
            answers.append(await call_tool(session, call.tool, call.arguments))
    return answers


def parse_body(body: bytes) -> object:
    """None for anything that is not JSON; an empty body has no arguments."""
    if not body.strip():
        return {}
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return None


def language_headers(language: str) -> dict[str, str]:
    return {"Content-Language": language, "Vary": "Accept-Language"}


_NAME: dict[str, Any] = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The tool.",
    "schema": {"type": "string", "enum": list(TOOLS)},
    "example": "find_order",
}
"""Not FastAPI's parameters, which would document a 422."""
_CALL_ID: dict[str, Any] = {
    "name": "X-Call-Id",
    "in": "header",
    "required": False,
    "description": "The phone call's id, where the body has none: the same call and arguments are one write.",
    "schema": {"type": "string", "maxLength": 200},
}
_REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "description": "The arguments of the tool.",
    "content": {
        "application/json": {
            "schema": {"type": "object", "additionalProperties": True},
            "examples": {"a_plate": {"summary": "A plate", "value": {"plate": "WN AE 2309"}}},
        }
    },
}
