"""What a tool's call is in the protocol: the phone call that it belongs to, and the result."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic_core import to_json

from planso_connector import __version__
from planso_connector.agents.tool_answer import Reason, ToolAnswer
from planso_connector.agents.tool_session import ToolSession

SERVER_INFO = {"name": "planso-connector", "title": "PlanSo Connector", "version": __version__}
CALL_ID_KEYS = ("call_id", "callId")
"""Members of a request's `_meta` that name the phone call, where the header X-Call-Id does not."""
MAX_CALL_ID_LENGTH = 200
_FAULTY_CALLS = frozenset({Reason.INVALID, Reason.UNKNOWN_TOOL, Reason.NOT_ALLOWED})
"""Answers that are errors for the client too: the model can call again otherwise. All others are to be read out."""


def name_phone_call(session: ToolSession, meta: Mapping[str, object] | None) -> ToolSession:
    if session.call_id or not meta:
        return session
    found = next((given for key in CALL_ID_KEYS if isinstance(given := meta.get(key), str)), "")
    return replace(session, call_id=found[:MAX_CALL_ID_LENGTH])


def build_result(answer: ToolAnswer) -> dict[str, Any]:
    """The text is the whole answer, since many clients read nothing else."""
    document = answer.to_json()
    return {
        "content": [{"type": "text", "text": to_json(document).decode()}],
        "structuredContent": document,
        "isError": answer.reason in _FAULTY_CALLS,
    }
