"""
Let a real MCP client do what lines of JSON on standard input say: `python drive.py CLIENT URL HEADERS`.

`{"do": "list"}` is answered `{"tools": [name, ...]}`, and `{"do": "call", "name": ..., "arguments": {...}}` with
`{"text": what the model gets, "failed": whether the client takes it for an error, "seconds": ...}`.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

Headers = dict[str, str]
TIMEOUT = 5.0
"""Seconds; the default of LiveKit and OpenAI Agents."""


@dataclass(frozen=True)
class Client:
    list_tools: Callable[[], Awaitable[list[str]]]
    call: Callable[[str, dict[str, Any]], Awaitable[tuple[str, bool]]]
    """What the model gets, and whether it is an error for the client. Raises what the client raises."""


Connect = Callable[[str, Headers], AbstractAsyncContextManager[Client]]


def _official(mode: str) -> Connect:
    @asynccontextmanager
    async def connect(url: str, headers: Headers) -> AsyncIterator[Client]:
        import httpx2
        from mcp import Client as Official
        from mcp.client.streamable_http import streamable_http_client

        async with (
            httpx2.AsyncClient(headers=headers, timeout=TIMEOUT) as http,
            Official(streamable_http_client(url, http_client=http), mode=mode) as client,
        ):

            async def list_tools() -> list[str]:
                return [tool.name for tool in (await client.list_tools()).tools]

            async def call(name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
                result = await client.call_tool(name, arguments)
                return _join(result.content), result.is_error

            yield Client(list_tools, call)

    return connect


@asynccontextmanager
async def _connect_old_sdk(url: str, headers: Headers) -> AsyncIterator[Client]:
    """The official SDK before 2.0, from an environment of its own."""
    import httpx
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async with (
        httpx.AsyncClient(headers=headers, timeout=TIMEOUT) as http,
        streamable_http_client(url, http_client=http) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()

        async def list_tools() -> list[str]:
            return [tool.name for tool in (await session.list_tools()).tools]

        async def call(name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
            result = await session.call_tool(name, arguments)
            return _join(result.content), result.isError

        yield Client(list_tools, call)


@asynccontextmanager
async def _connect_livekit(url: str, headers: Headers) -> AsyncIterator[Client]:
    from livekit.agents.llm.mcp import MCPServerHTTP, MCPToolset
    from livekit.agents.llm.tool_context import ToolError

    toolset = MCPToolset(id="workshop", mcp_server=MCPServerHTTP(url, headers=headers))
    await toolset.setup()
    tools = {tool.info.name: tool for tool in toolset.tools}

    async def list_tools() -> list[str]:
        return list(tools)

    async def call(name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        try:
            content = await tools[name](raw_arguments=arguments)
        except ToolError as error:
            return error.message, True
        return json.loads(content)["text"], False

    try:
        yield Client(list_tools, call)
    finally:
        await toolset.aclose()


@asynccontextmanager
async def _connect_pipecat(url: str, headers: Headers) -> AsyncIterator[Client]:
    from loguru import logger
    from mcp.client.session_group import StreamableHttpParameters
    from pipecat.services.llm_service import FunctionCallParams
    from pipecat.services.mcp_service import MCPClient

    logger.remove()
    async with MCPClient(StreamableHttpParameters(url=url, headers=headers)) as client:
        schemas = {schema.name: schema for schema in (await client.tools()).standard_tools}

        async def list_tools() -> list[str]:
            return list(schemas)

        async def call(name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
            found: list[str] = []

            async def take(text: str, **_: Any) -> None:
                found.append(text)

            await schemas[name].handler(
                FunctionCallParams(
                    function_name=name,
                    tool_call_id="1",
                    arguments=arguments,
                    llm=None,
                    pipeline_worker=None,
                    context=None,
                    result_callback=take,
                )
            )
            return found[0], found[0].startswith("Error calling mcp tool")

        yield Client(list_tools, call)


@asynccontextmanager
async def _connect_openai_agents(url: str, headers: Headers) -> AsyncIterator[Client]:
    from agents.mcp import MCPServerStreamableHttp

    async with MCPServerStreamableHttp(params={"url": url, "headers": headers}) as server:

        async def list_tools() -> list[str]:
            return [tool.name for tool in await server.list_tools()]

        async def call(name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
            result = await server.call_tool(name, arguments)
            return _join(result.content), bool(result.is_error)

        yield Client(list_tools, call)


CLIENTS: dict[str, Connect] = {
    "official-2026": _official("2026-07-28"),
    "official-auto": _official("auto"),
    "official-2025": _official("legacy"),
    "old-sdk": _connect_old_sdk,
    "livekit": _connect_livekit,
    "pipecat": _connect_pipecat,
    "openai-agents": _connect_openai_agents,
}


def _join(content: list[Any]) -> str:
    return "".join(block.text for block in content if block.type == "text")


async def _do(client: Client, step: dict[str, Any]) -> dict[str, Any]:
    started_at = time.monotonic()
    if step["do"] == "list":
        return {"tools": await client.list_tools()}
    try:
        text, failed = await client.call(step["name"], step["arguments"])
    except Exception as error:  # noqa: BLE001 - whatever the client raises is what is asked for
        text, failed = f"{type(error).__name__}: {error}", True
    return {"text": text, "failed": failed, "seconds": round(time.monotonic() - started_at, 3)}


async def main(name: str, url: str, headers: Headers) -> None:
    async with CLIENTS[name](url, headers) as client:
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await _do(client, json.loads(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
