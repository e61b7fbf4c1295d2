"""Compose the tools for agents with the REST application, whose middleware authenticates their calls."""

from collections.abc import Awaitable, Callable, Iterable
from time import monotonic

from fastapi import APIRouter
from starlette.requests import Request
from starlette.types import Scope

from planso_connector.agents.http import routes as tool_routes
from planso_connector.agents.mcp import endpoint as mcp_endpoint
from planso_connector.agents.tool_answer import ToolAnswer
from planso_connector.agents.tool_session import MAX_SECONDS, ToolSession, ToolSettings
from planso_connector.rest.metrics import Metrics
from planso_connector.rest.middleware.admission import ARRIVED_AT
from planso_connector.rest.request_context import get_caller, get_context, get_flows
from planso_connector.rest.routes.language import response_language
from planso_connector.rest.routes.router import make_tool_router
from planso_connector.rest.schemas.examples import build_example, document_success

MAX_CALL_ID_LENGTH = 200


def build_routers(settings: ToolSettings, metrics: Metrics) -> list[APIRouter]:
    """Of `POST /tools/{name}` and `POST /mcp`."""
    open_session = make_session_opener(settings, metrics)
    tools = make_tool_router()
    documented = document_success(not_understood=build_example(ToolAnswer))
    tool_routes.add_routes(tools, open_session, documented)
    return [tools, mcp_endpoint.make_router(mcp_endpoint.McpEndpoint(open_session))]


def make_session_opener(settings: ToolSettings, metrics: Metrics) -> Callable[[Scope], Awaitable[ToolSession]]:
    """How the session of a tool's call is made from the request that carries it, over HTTP or MCP."""

    async def open_session(scope: Scope) -> ToolSession:
        """Of a request that was authenticated. Raises NotFound where its workshop has no PlanSo."""
        request = Request(scope)

        def record_shown(order_ids: Iterable[int]) -> None:
            context = get_context(scope)
            context.shown_order_ids = [*context.shown_order_ids, *order_ids]

        return ToolSession(
            flows=await get_flows(request),
            caller=get_caller(request),
            language=response_language(request, request.headers.get("accept-language")),
            settings=settings,
            record_shown=record_shown,
            record_call=metrics.record_tool_call,
            deadline=scope.get(ARRIVED_AT, monotonic()) + MAX_SECONDS,
            call_id=request.headers.get("x-call-id", "")[:MAX_CALL_ID_LENGTH],
        )

    return open_session
