"""
`mcp`: the Model Context Protocol on standard input and output, for clients that start a program. Each message is passed
on to the running connector's `/mcp`, so that keys, limits and the PlanSo lease are the same as for everybody.
"""

import asyncio
import base64
import json
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address
from typing import Annotated, Any

import httpx2
import typer

from planso_connector.commands.console import load_settings, report_errors, run
from planso_connector.settings import Settings

Message = dict[str, Any]
Write = Callable[[Message], None]

TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
"""The member of `_meta` with the protocol's version, from 2026-07-28 on."""
_NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The parameters that a header repeats, from 2026-07-28 on."""
_PLAIN_HEADER = re.compile(r"(?!=\?base64\?)[!-~](?:[ -~]*[!-~])?")
PARSE_ERROR, INVALID_REQUEST, INTERNAL_ERROR = -32700, -32600, -32603
_SEVERAL = "Batches are not accepted; accepted: one JSON-RPC message a line."


def mcp(
    url: Annotated[
        str | None, typer.Option(help="Address of the running connector, instead of CONNECTOR_MCP_URL.")
    ] = None,
) -> None:
    """
    Speak MCP on standard input and output, for Claude Desktop and others that start a program.

    Passes each message to the running connector, with the API key of CONNECTOR_MCP_KEY.
    """
    with report_errors():
        settings = load_settings()
        run(_serve(url or settings.connector_mcp_url or _find_own_address(settings), settings))


def _find_own_address(settings: Settings) -> str:
    """Where `serve` listens with the same settings, as seen from this machine."""
    host = settings.connector_host
    try:
        address = ip_address(host)
    except ValueError:
        pass
    else:
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
        if ":" in host:
            host = f"[{host}]"
    return f"http://{host}:{settings.connector_port}{settings.connector_root_path}"


async def _serve(address: str, settings: Settings) -> None:
    key = settings.connector_mcp_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(timeout=TIMEOUT, headers=headers) as http:
        await Bridge(http, f"{address.rstrip('/')}/mcp", _write_line).run(_read_lines())


def _write_line(message: Message) -> None:
    sys.stdout.buffer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    sys.stdout.buffer.flush()


async def _read_lines() -> AsyncIterator[bytes]:
    """Those of standard input, read in a thread that does not keep the process alive."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    def read() -> None:
        while line := sys.stdin.buffer.readline():
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, b"")

    threading.Thread(target=read, name="standard input", daemon=True).start()
    while line := await lines.get():
        if line.strip():
            yield line


class Bridge:
    """Posts each message to `url`, and writes the responses. Requests wait for each other no more than over HTTP."""

    def __init__(self, http: httpx2.AsyncClient, url: str, write: Write) -> None:
        self._http = http
        self._url = url
        self._write = write
        self._negotiated: str | None = None
        """The version that `initialize` agreed on; None before, and from 2026-07-28 on."""
        self._active: dict[Any, asyncio.Task[None]] = {}
        """By request id."""

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        """Until the last line is answered."""
        async with asyncio.TaskGroup() as tasks:
            async for line in lines:
                message = self._parse(line)
                if message is None:
                    continue
                if message.get("method") == "notifications/cancelled":  # without a session nobody there knows of it
                    self._cancel(message)
                elif message.get("method") == "initialize":  # its version is needed for what follows
                    await self._handle(message)
                else:
                    self._start(tasks, message)

    def _start(self, tasks: asyncio.TaskGroup, message: Message) -> None:
        task, request_id = tasks.create_task(self._handle(message)), message.get("id")
        if isinstance(request_id, str | int):
            self._active[request_id] = task
            task.add_done_callback(lambda _: self._active.pop(request_id, None))

    def _cancel(self, message: Message) -> None:
        params = message.get("params")
        request_id = params.get("requestId") if isinstance(params, dict) else None
        if isinstance(request_id, str | int) and (task := self._active.get(request_id)) is not None:
            task.cancel()

    def _parse(self, line: bytes) -> Message | None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            self._write(_error(None, PARSE_ERROR, "This line is not JSON."))
            return None
        if not isinstance(message, dict):
            self._write(_error(None, INVALID_REQUEST, _SEVERAL))
            return None
        return message

    async def _handle(self, message: Message) -> None:
        response = await self._post(message)
        if response is None:
            return
        result = response.get("result")
        if message.get("method") == "initialize" and isinstance(result, dict):
            self._negotiated = result.get("protocolVersion")
        self._write(response)

    async def _post(self, message: Message) -> Message | None:
        """The response; None for a message that has none."""
        try:
            response = await self._http.post(self._url, json=message, headers=self._build_headers(message))
        except httpx2.TransportError as error:
            reason = f"The connector at {self._url} can't be reached ({type(error).__name__}); is it running?"
            return _failure(message, reason)
        try:
            found = response.json()
        except ValueError:
            found = None
        if isinstance(found, dict) and found.get("jsonrpc") == "2.0":
            return found
        if response.is_success:
            return None if "id" not in message else _failure(message, "The connector sent no answer.")
        text = found.get("message") if isinstance(found, dict) else None
        return _failure(message, f"{response.status_code}: {text or 'the connector refused it'}")

    def _build_headers(self, message: Message) -> dict[str, str]:
        headers = {"Accept": "application/json, text/event-stream"}
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        meta = params.get("_meta")
        version = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
        if not isinstance(version, str):
            if self._negotiated is not None:
                headers["MCP-Protocol-Version"] = self._negotiated
            return headers
        method = str(message.get("method"))
        headers |= {"MCP-Protocol-Version": _to_header(version), "Mcp-Method": _to_header(method)}
        name = params.get(_NAMES.get(method, ""))
        if isinstance(name, str):
            headers["Mcp-Name"] = _to_header(name)
        return headers


def _to_header(text: str) -> str:
    """As the protocol has it: what a header can't carry is encoded."""
    if _PLAIN_HEADER.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'replace')).decode()}?="


def _failure(message: Message, reason: str) -> Message | None:
    """An error of a request. That of a tool's call is a result, since many clients show a model nothing else."""
    if "id" not in message:
        return None
    if message.get("method") != "tools/call":
        return _error(message["id"], INTERNAL_ERROR, reason)
    result = {"content": [{"type": "text", "text": reason}], "isError": True, "resultType": "complete"}
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def _error(request_id: Any, code: int, reason: str) -> Message:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": reason}}
