"""
The documented shapes of tool definitions, as JSON Schema without unknown members.

Sources: see `planso_connector.agents.export`. They are written from the platforms' own models, not from ours.
"""

from __future__ import annotations

from typing import Any

NAME = {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"}
TEXT = {"type": "string", "minLength": 1}


def _object(required_members: list[str], /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required_members, "properties": properties, "additionalProperties": False}


def _parameters(*more: str, **properties: Any) -> dict[str, Any]:
    argument = _object(
        ["type", "description"],
        type={"enum": ["string", "number", "integer", "boolean"]},
        description=TEXT,
        enum={"type": "array", "items": {"type": "string"}, "minItems": 1},
    )
    return _object(
        ["type", "properties", "required", *more],
        type={"const": "object"},
        properties={"type": "object", "additionalProperties": argument, "minProperties": 1},
        required={"type": "array", "items": {"type": "string"}},
        **properties,
    )


VAPI = _object(
    ["type", "function", "server"],
    type={"const": "function"},
    function=_object(["name", "description", "parameters"], name=NAME, description=TEXT, parameters=_parameters()),
    server=_object(
        ["url"],
        url={"type": "string", "pattern": "^https?://"},
        timeoutSeconds={"type": "number", "minimum": 1, "maximum": 300},
        headers={"type": "object", "additionalProperties": {"type": "string"}},
    ),
    messages={
        "type": "array",
        "items": _object(
            ["type", "content"],
            type={"const": "request-response-delayed"},
            content={"type": "string", "maxLength": 1000},
            timingMilliseconds={"type": "number", "minimum": 100, "maximum": 120_000},
        ),
    },
)
RETELL = _object(
    ["type", "name", "url", "description"],
    type={"const": "custom"},
    name=NAME,
    description=TEXT,
    url={"type": "string", "pattern": "^https?://"},
    method={"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
    headers={"type": "object", "additionalProperties": {"type": "string"}},
    parameters=_parameters(),
    args_at_root={"type": "boolean"},
    timeout_ms={"type": "integer", "minimum": 1000, "maximum": 600_000},
    max_retry={"type": "integer", "minimum": 0, "maximum": 5},
    speak_during_execution={"type": "boolean"},
    speak_after_execution={"type": "boolean"},
)
_HEADER = {
    "anyOf": [
        {"type": "string"},
        _object(["secret_id"], secret_id={"type": "string"}),
        _object(["variable_name"], variable_name={"type": "string"}),
    ]
}
ELEVENLABS = _object(
    ["tool_config"],
    tool_config=_object(
        ["type", "name", "description", "api_schema"],
        type={"const": "webhook"},
        name=NAME,
        description=TEXT,
        response_timeout_secs={"type": "integer", "minimum": 5, "maximum": 300},
        api_schema=_object(
            ["url"],
            url={"type": "string", "pattern": "^https?://"},
            method={"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
            request_headers={"type": "object", "additionalProperties": _HEADER},
            request_body_schema=_parameters(description=TEXT),
        ),
    ),
)
OPENAI = _object(
    ["type", "name", "parameters", "strict"],
    type={"const": "function"},
    name=NAME,
    description=TEXT,
    parameters=_parameters("additionalProperties", additionalProperties={"const": False}),
    strict={"type": "boolean"},
)
SHAPES = {"vapi": VAPI, "retell": RETELL, "elevenlabs": ELEVENLABS, "openai": OPENAI}
