"""
Tool definitions as phone platforms import them; the address and the key are left to fill in.

Sources, as of November 2026: Vapi `CreateFunctionToolDTO` (vapi_server_sdk 3.0.0), Retell `general_tools` of an LLM
(retell-sdk 6.2.13), ElevenLabs `ToolRequestModel` (elevenlabs 2.78.0), OpenAI `FunctionTool` of the Responses and
Realtime APIs (openai 3.57.0). None of them takes all of JSON Schema: arguments are given with type, description and
values alone.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from planso_connector.agents.tool import Tool

DEFAULT_URL = "https://YOUR-CONNECTOR"
KEY_PLACEHOLDER = "YOUR-API-KEY"
SECRET_ID_PLACEHOLDER = "YOUR-SECRET-ID"  # noqa: S105
"""ElevenLabs keeps keys in its secret store and names them by id."""
TIMEOUT_SECONDS = 5
"""A tool answers within 3 s; ElevenLabs accepts no less than 5."""
WAITING = "Einen Moment bitte, ich sehe nach."

AnyTool = Tool[Any, Any]


class Platform(StrEnum):
    VAPI = "vapi"
    RETELL = "retell"
    ELEVENLABS = "elevenlabs"
    OPENAI = "openai"


def export_tools(platform: Platform, tools: Iterable[AnyTool], url: str = DEFAULT_URL) -> list[dict[str, Any]]:
    """One JSON object for each tool. `url`: the connector's, without a path."""
    build = _BUILDERS[platform]
    return [build(tool, f"{url.rstrip('/')}/tools/{tool.name}") for tool in tools]


def _build_vapi(tool: AnyTool, url: str) -> dict[str, Any]:
    """The body of `POST /tool`."""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": plain_parameters(tool.input_schema),
        },
        "server": {"url": url, "timeoutSeconds": TIMEOUT_SECONDS, "headers": {"X-API-Key": KEY_PLACEHOLDER}},
        "messages": [{"type": "request-response-delayed", "content": WAITING, "timingMilliseconds": 1500}],
    }


def _build_retell(tool: AnyTool, url: str) -> dict[str, Any]:
    """An entry of `general_tools`. Not retried: the connector recognises a repeated call, but its caller waits."""
    return {
        "type": "custom",
        "name": tool.name,
        "description": tool.description,
        "url": url,
        "method": "POST",
        "headers": {"X-API-Key": KEY_PLACEHOLDER},
        "parameters": plain_parameters(tool.input_schema),
        "args_at_root": False,
        "timeout_ms": TIMEOUT_SECONDS * 1000,
        "max_retry": 0,
        "speak_during_execution": False,
        "speak_after_execution": True,
    }


def _build_elevenlabs(tool: AnyTool, url: str) -> dict[str, Any]:
    """The body of `POST /v1/convai/tools`. ElevenLabs sends bare arguments: the call's id goes in a header."""
    return {
        "tool_config": {
            "type": "webhook",
            "name": tool.name,
            "description": tool.description,
            "response_timeout_secs": TIMEOUT_SECONDS,
            "api_schema": {
                "url": url,
                "method": "POST",
                "request_headers": {
                    "X-API-Key": {"secret_id": SECRET_ID_PLACEHOLDER},
                    "X-Call-Id": {"variable_name": "system__conversation_id"},
                },
                "request_body_schema": {
                    **plain_parameters(tool.input_schema),
                    "description": "The arguments, as the caller said them.",
                },
            },
        }
    }


def _build_openai(tool: AnyTool, _: str) -> dict[str, Any]:
    """Not strict: in strict schemas every argument is required."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": {**plain_parameters(tool.input_schema), "additionalProperties": False},
        "strict": False,
    }


_BUILDERS: Mapping[Platform, Callable[[AnyTool, str], dict[str, Any]]] = {
    Platform.VAPI: _build_vapi,
    Platform.RETELL: _build_retell,
    Platform.ELEVENLABS: _build_elevenlabs,
    Platform.OPENAI: _build_openai,
}


def plain_parameters(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's flat input schema with nothing but types, descriptions and values."""
    definitions = schema.get("$defs", {})
    return {
        "type": "object",
        "properties": {
            name: _plain_argument(argument, definitions) for name, argument in schema.get("properties", {}).items()
        },
        "required": list(schema.get("required", ())),
    }


def _plain_argument(argument: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    found = _find_type(argument, definitions)
    plain = {"type": found["type"], "description": argument.get("description") or found.get("description", "")}
    return plain | ({"enum": found["enum"]} if "enum" in found else {})


def _find_type(argument: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of several types a text is preferred: callers' words are one, and tools read numbers in texts."""
    if "$ref" in argument:
        return _find_type(definitions[argument["$ref"].rpartition("/")[2]], definitions)
    choices = [_find_type(one, definitions) for one in argument.get("anyOf", ()) if one.get("type") != "null"]
    if choices:
        return next((one for one in choices if one["type"] == "string"), choices[0])
    return argument
