"""
Answer faults of `tools/call` as tools do: with a result that can be read out, within three seconds. Clients raise other
statuses as errors of the transport, and the model learns nothing.
"""

import asyncio
from typing import Any

from pydantic_core import from_json, to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.agents import failures
from planso_connector.agents.http.failure_answers import MAX_SECONDS
from planso_connector.agents.mcp.endpoint import MAX_BODY_BYTES, PATH
from planso_connector.agents.mcp.tool_calls import build_result
from planso_connector.agents.toolbox import TOOLS
from planso_connector.domain.language import negotiate_language

INTERNAL_ERROR = -32603
READ_TIMEOUT = 0.2
"""Seconds for a body that was not read yet when the time is up."""
_REPLACED_HEADERS = frozenset({b"content-length", b"content-type"})


class FailureResultsMiddleware:
    """Outside of admission and authentication, which may be what takes too long."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == PATH:
            await _Exchange(scope, receive, send).run(self._app)
        else:
            await self._app(scope, receive, send)


class _Exchange:
    """One request. Only tools have a time limit: what comes first may have to wait until the SDK is imported."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._body = bytearray()
        self._is_body_complete = False
        self._failure: Message | None = None
        self._has_started = False
        self._limit = asyncio.timeout(MAX_SECONDS)

    async def run(self, app: ASGIApp) -> None:
        try:
            async with self._limit:
                await app(self._scope, self._receive_body, self._send_checked)
        except TimeoutError:
            if self._has_started or not self._limit.expired():
                raise
            await self._read_rest()
            await self._answer(504, [])

    async def _receive_body(self) -> Message:
        message = await self._receive()
        self._body += message.get("body", b"")
        self._is_body_complete = not message.get("more_body", False)
        if self._is_body_complete and not self._limit.expired() and self._read_call() is None:
            self._limit.reschedule(None)
        return message

    async def _read_rest(self) -> None:
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                while not self._is_body_complete and len(self._body) <= MAX_BODY_BYTES:
                    await self._receive_body()
        except TimeoutError:
            pass

    async def _send_checked(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 500 and self._read_call() is not None:
            self._failure = message
        elif self._failure is None:
            self._has_started = True
            await self._send(message)
        elif not message.get("more_body"):
            await self._answer(self._failure["status"], self._failure["headers"])

    async def _answer(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        call = self._read_call()
        content = to_json(self._build_result(status, call) if call is not None else self._build_error())
        kept = [(name, value) for name, value in headers if name.lower() not in _REPLACED_HEADERS]
        kept += [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        self._has_started = True
        await self._send({"type": "http.response.start", "status": 503 if call is None else 200, "headers": kept})
        await self._send({"type": "http.response.body", "body": content})

    def _build_result(self, status: int, call: dict[str, Any]) -> dict[str, Any]:
        accepted = b",".join(value for name, value in self._scope["headers"] if name == b"accept-language")
        params = call.get("params")
        tool = TOOLS.get(str(params.get("name"))) if isinstance(params, dict) else None
        language = negotiate_language(accepted.decode("latin-1"))
        answer = failures.from_fault(tool, language, is_sent=status in (500, 504))
        return {"jsonrpc": "2.0", "id": call["id"], "result": {**build_result(answer), "resultType": "complete"}}

    def _build_error(self) -> dict[str, Any]:
        reason = "The connector did not answer in time; ask again in a moment."
        return {"jsonrpc": "2.0", "id": None, "error": {"code": INTERNAL_ERROR, "message": reason}}

    def _read_call(self) -> dict[str, Any] | None:
        """The request, where it calls a tool."""
        try:
            found = from_json(bytes(self._body))
        except ValueError:
            return None
        is_call = isinstance(found, dict) and found.get("method") == "tools/call" and "id" in found
        return found if is_call else None
