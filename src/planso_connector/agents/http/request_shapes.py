"""
How phone platforms call a tool over HTTP, and how each wants its answer.

Vapi        `{"message": {"toolCallList": [{"id", "name", "arguments"}], "call": {"id"}}}`, several calls at once;
            answered by `{"results": [{"toolCallId", "result"}]}` with a text of one line each
Retell      `{"name", "args", "call": {"call_id"}}`; any JSON answers, and is read by the model as text
ElevenLabs  the arguments, and `conversation_id` or `system__conversation_id` where the tool sends such a variable;
            also `{"tool_name", "parameters", "conversation_id"}`
plain       the arguments

Sources: docs.vapi.ai/tools/custom-tools, docs.retellai.com/build/single-multi-prompt/custom-function,
elevenlabs.io/docs/agents-platform/customization/tools/server-tools, as of December 2026.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

MAX_CALLS = 8
"""Calls in one request: more would not be answered in time."""
MAX_CALL_ID_LENGTH = 200

Members = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """One call of a tool. `arguments` None: they can't be read."""

    tool: str
    arguments: Members | None
    id: str = ""


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """`render` makes the body of the answers, which are in the order of the calls."""

    calls: Sequence[RequestedCall]
    call_id: str
    """The phone call's; empty where the request has none."""
    render: Callable[[Sequence[Members]], Any]


def read_request(body: object, path_name: str, tools: Collection[str]) -> ToolRequest:
    """
    `path_name`: the tool of the address. A known tool that the body names comes before it: some platforms have one
    address for all their tools.
    """
    if not isinstance(body, dict):
        return _one_call(path_name, None, "")
    message = body.get("message")
    if isinstance(message, dict):
        for member in ("toolCallList", "toolCalls", "toolWithToolCallList"):
            if isinstance(listed := message.get(member), list):
                return _read_vapi(message, listed, path_name, tools)
    for member in ("args", "parameters"):
        if member in body:
            name = _choose_name((body.get("name"), body.get("tool_name")), path_name, tools)
            return _one_call(name, _to_members(body[member]), _find_call_id(body))
    return _one_call(path_name, body, _find_call_id(body))


def _one_call(tool: str, arguments: Members | None, call_id: str) -> ToolRequest:
    return ToolRequest([RequestedCall(tool, arguments)], call_id, lambda answers: answers[0])


def _read_vapi(message: Members, listed: list[Any], path_name: str, tools: Collection[str]) -> ToolRequest:
    calls = [_read_vapi_call(entry, path_name, tools) for entry in listed[:MAX_CALLS] if isinstance(entry, dict)]

    def render(answers: Sequence[Members]) -> Any:
        results = zip(calls, answers, strict=True)
        return {"results": [{"toolCallId": call.id, "result": to_json(answer).decode()} for call, answer in results]}

    return ToolRequest(calls, _find_call_id(message), render)


def _read_vapi_call(entry: Members, path_name: str, tools: Collection[str]) -> RequestedCall:
    """`entry` has the tool's name and arguments itself or under `function`; or all of it under `toolCall`."""
    outer = _get_object(entry, "toolCall") or entry
    function = _get_object(outer, "function") or outer
    name = _choose_name((function.get("name"), entry.get("name")), path_name, tools)
    arguments = function.get("arguments", function.get("parameters", {}))
    return RequestedCall(name, _to_members(arguments), _to_text(outer.get("id") or outer.get("toolCallId")))


def _choose_name(named: Iterable[object], path_name: str, tools: Collection[str]) -> str:
    return next((name for name in named if isinstance(name, str) and name in tools), path_name)


def _get_object(members: Members, name: str) -> Members | None:
    value = members.get(name)
    return value if isinstance(value, dict) else None


def _to_members(arguments: object) -> Members | None:
    """Of an object, or of its JSON text, as models write it."""
    if isinstance(arguments, str):
        try:
            arguments = from_json(arguments, allow_inf_nan=False)
        except ValueError:
            return None
    if arguments is None:
        return {}
    return arguments if isinstance(arguments, dict) else None


def _find_call_id(body: Members) -> str:
    call = _get_object(body, "call") or {}
    found = call.get("id") or call.get("call_id")
    return _to_text(found or body.get("conversation_id") or body.get("system__conversation_id") or body.get("call_id"))[
        :MAX_CALL_ID_LENGTH
    ]


def _to_text(value: object) -> str:
    return value if isinstance(value, str) else ""
