"""
Answer plain calls of tools without the SDK, whose validation and transport take several times as long as the tool's own
look-up. Whatever is not plain is left to the SDK: other methods, members and headers that it has to check, and errors.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from planso_connector.agents.mcp.tool_calls import SERVER_INFO, build_result, name_phone_call
from planso_connector.agents.tool_session import ToolSession
from planso_connector.agents.toolbox import call_tool

HANDSHAKE_VERSIONS = frozenset({b"2024-11-05", b"2025-03-26", b"2025-06-18", b"2025-11-25"})
MODERN_VERSION = "2026-07-28"
_PREFIX = "io.modelcontextprotocol/"
_MEMBERS = {"jsonrpc", "id", "method", "params"}
_PARAMS = {"name", "arguments", "_meta"}

Headers = list[tuple[bytes, bytes]]


async def answer_call(message: Mapping[str, Any], headers: Headers, session: ToolSession) -> bytes | None:
    """The response's body; None where the SDK has to answer."""
    params = message.get("params")
    if message["method"] != "tools/call" or "id" not in message or not isinstance(params, dict):
        return None
    name, arguments, meta = params.get("name"), params.get("arguments"), params.get("_meta")
    if not message.keys() <= _MEMBERS or not params.keys() <= _PARAMS or not isinstance(name, str):
        return None
    if not isinstance(arguments, dict | None) or not isinstance(meta, dict | None):
        return None
    given = dict(headers)
    accepted = given.get(b"accept", b"")
    if len(given) != len(headers) or not (b"application/json" in accepted or b"*/*" in accepted):
        return None
    version = given.get(b"mcp-protocol-version")
    is_modern = version == MODERN_VERSION.encode()
    if is_modern:
        if not _is_plain_and_modern(name, meta or {}, given):
            return None
    elif version is not None and version not in HANDSHAKE_VERSIONS:
        return None
    answer = await call_tool(name_phone_call(session, meta), name, arguments or {})
    result = build_result(answer)
    if is_modern:
        result |= {"resultType": "complete", "_meta": {f"{_PREFIX}serverInfo": SERVER_INFO}}
    return to_json({"jsonrpc": "2.0", "id": message["id"], "result": result})


def _is_plain_and_modern(name: str, meta: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> bool:
    """Whether headers and metadata say what the body says, as this era demands; without parameters in headers."""
    return (
        headers.get(b"mcp-method") == b"tools/call"
        and name.isascii()
        and headers.get(b"mcp-name") == name.encode()
        and meta.get(f"{_PREFIX}protocolVersion") == MODERN_VERSION
        and isinstance(meta.get(f"{_PREFIX}clientCapabilities"), dict)
        and not any(header.startswith(b"mcp-param-") for header in headers)
    )
