"""`POST /tools/{name}`."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import from_json, to_json
from starlette.types import Scope

from planso_connector.agents import failures
from planso_connector.agents.tool_answer import Reason, ToolAnswer
from planso_connector.agents.tool_session import ToolSession
from planso_connector.agents.toolbox import TOOLS, call_tool

OpenSession = Callable[[Scope], Awaitable[ToolSession]]
"""The session of a request that was authenticated. Raises ConnectorError."""


def add_routes(router: APIRouter, open_session: OpenSession, responses: dict[int | str, dict[str, Any]]) -> None:
    """`router`: one with the prefix `/tools`; `responses`: the documentation of a success."""

    @router.post(
        "/{name}",
        summary="Call a tool",
        response_model=ToolAnswer,
        response_description="What the tool answers",
        responses=responses,
        openapi_extra={"parameters": [_NAME], "requestBody": _REQUEST_BODY},
    )
    async def call_tool_by_name(request: Request) -> Response:
        """The body has the tool's arguments. The answer has `say` to be read out, and the tool's own members."""
        session = await open_session(request.scope)
        arguments = await _read_arguments(request)
        if arguments is None:
            problems = ["the body must be a JSON object with the tool's arguments"]
            answer = failures.build_failure(
                None, session.language, failures.NOT_UNDERSTOOD, Reason.INVALID, problems=problems
            )
        else:
            answer = await call_tool(session, request.path_params["name"], arguments)
        return Response(to_json(answer.to_json()), media_type="application/json")


_NAME: dict[str, Any] = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The tool.",
    "schema": {"type": "string", "enum": list(TOOLS)},
    "example": "find_order",
}
"""Not FastAPI's, which would document a 422."""
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


async def _read_arguments(request: Request) -> dict[str, Any] | None:
    """None for anything that is not a JSON object; an empty body has no arguments."""
    body = await request.body()
    if not body:
        return {}
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
