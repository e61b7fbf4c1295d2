"""
`POST /mcp`: the SDK's streamable HTTP, without sessions and with JSON answers, so that any process answers any request.

The SDK takes half a second and 18 MB to import: it is imported with the first request that is no plain call of a tool.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import APIRouter
from pydantic_core import from_json, to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from planso_connector.agents.mcp.direct_calls import answer_call
from planso_connector.agents.tool_session import ToolSession

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

log = structlog.get_logger(__name__)

PATH = "/mcp"
MAX_BODY_BYTES = 256 * 1024
SESSION = "planso_connector.tool_session"
"""Scope key: the ToolSession of the request."""
MAX_METHOD_LENGTH, MAX_ID_LENGTH = 100, 200
"""Both come back in answers."""
PARSE_ERROR, INVALID_REQUEST = -32700, -32600
"""Codes of JSON-RPC."""

OpenSession = Callable[[Scope], Awaitable[ToolSession]]
"""The session of a request that was authenticated. Raises ConnectorError."""


class McpEndpoint:
    """An ASGI app for POST. What it starts ends with the event loop."""

    def __init__(self, open_session: OpenSession) -> None:
        self._open_session = open_session
        self._serving: asyncio.Task[None] | None = None
        self._started: asyncio.Future[StreamableHTTPSessionManager] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _require_json(scope)
        body = await _read_body(receive)
        try:
            message = _parse(body)
        except _NoMessageError as error:
            await _refuse(error)(scope, receive, send)
            return
        scope[SESSION] = session = await self._open_session(scope)
        direct = await answer_call(message, scope["headers"], session)
        if direct is not None:
            await Response(direct, media_type="application/json")(scope, receive, send)
            return
        manager = await self._start()

        async def send_plainly(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["status"] = int(message["status"])  # the SDK's HTTPStatus would appear in logs
            await send(message)

        await manager.handle_request(scope, _replay(body, receive), send_plainly)

    async def _start(self) -> StreamableHTTPSessionManager:
        """The SDK's part, which the first request starts; where that failed, the next one tries again."""
        if self._started is None or self._serving is None or self._serving.done():
            loop = asyncio.get_running_loop()
            self._started = loop.create_future()
            # In an empty context: else the first request's trace would be logged with what is done for others.
            self._serving = loop.create_task(_serve(self._started), name="MCP", context=Context())
        return await asyncio.shield(self._started)


async def _serve(started: asyncio.Future[StreamableHTTPSessionManager]) -> None:
    try:
        manager = await asyncio.to_thread(_import_server)
        async with manager.run():
            started.set_result(manager)
            await asyncio.get_running_loop().create_future()
    except Exception as error:
        log.exception("mcp_ended")
        if not started.done():
            started.set_exception(error)


def _import_server() -> StreamableHTTPSessionManager:
    from planso_connector.agents.mcp.server import build_manager

    manager = build_manager()
    # As at the start of `serve`: the SDK's objects live until the end.
    gc.collect()
    gc.freeze()
    return manager


def make_router(endpoint: McpEndpoint) -> APIRouter:
    """A route, not a mounted app: a mount takes all methods and all paths below it, and changes `root_path`."""
    router = APIRouter()
    router.routes.append(Route(PATH, endpoint, methods=["POST"], include_in_schema=False))
    return router


def _require_json(scope: Scope) -> None:
    """Raises HTTPException."""
    given = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    media_type = given.partition(b";")[0].strip().lower()
    if media_type != b"application/json":
        what = f"'{given[:80].decode('latin-1')}' is not accepted" if given else "is missing"
        raise HTTPException(415, f"Content-Type: {what}; accepted: application/json")


async def _read_body(receive: Receive) -> bytes:
    """Raises HTTPException."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The caller left before the body was complete.")
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"The body is too large; accepted: up to {MAX_BODY_BYTES} bytes.")
        if not message.get("more_body", False):
            return bytes(body)


class _NoMessageError(Exception):
    """`code`: JSON-RPC's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def _parse(body: bytes) -> dict[str, Any]:
    """
    A JSON-RPC request or notification. Raises _NoMessageError. The SDK would take a request whose id is wrong for a
    notification, and say what is wrong in many lines.
    """
    try:
        message = from_json(body)
    except ValueError:
        raise _NoMessageError(PARSE_ERROR, "The body is not JSON; accepted: one JSON-RPC message in UTF-8.") from None
    if isinstance(message, list):
        raise _NoMessageError(INVALID_REQUEST, "Batches are not accepted; accepted: one JSON-RPC message a request.")
    if not isinstance(message, dict):
        raise _NoMessageError(INVALID_REQUEST, "The body is no JSON-RPC message; accepted: an object.")
    if message.get("jsonrpc") != "2.0":
        raise _NoMessageError(INVALID_REQUEST, 'jsonrpc: accepted: "2.0"')
    method, request_id = message.get("method"), message.get("id", 0)
    if not isinstance(method, str) or len(method) > MAX_METHOD_LENGTH:
        reason = "method: accepted: a text of up to 100 characters, such as tools/list"
        raise _NoMessageError(INVALID_REQUEST, reason)
    is_id = isinstance(request_id, str | int) and not isinstance(request_id, bool)
    if not is_id or len(str(request_id)) > MAX_ID_LENGTH:
        raise _NoMessageError(INVALID_REQUEST, "id: accepted: a text or a whole number of up to 200 characters")
    return message


def _refuse(error: _NoMessageError) -> Response:
    content = {"jsonrpc": "2.0", "id": None, "error": {"code": error.code, "message": str(error)}}
    return Response(to_json(content), 400, media_type="application/json")


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, then whatever comes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
