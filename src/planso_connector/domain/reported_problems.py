"""Turn what pydantic reports of a request into problems in this project's words, without the values that were sent."""

from collections.abc import Mapping
from typing import Any

from planso_connector.domain.errors import Problem
from planso_connector.domain.messages import MESSAGES, InvalidValue, Message

PATTERNS: Mapping[str, Message] = {
    r"^[\x21-\x7e]+$": MESSAGES["visible_ascii"],
    r"^[A-Za-z0-9_-]+$": MESSAGES["operation_id"],
    r"^[a-z_]{1,40}$": MESSAGES["section_name"],
}
"""What a text has to be for each pattern of the schemas."""


def translate_problem(entry: Mapping[str, Any]) -> Problem:
    """One of pydantic's errors; a type that the table lacks is said to be of no use here, in no foreign words."""
    context: Mapping[str, Any] = entry.get("ctx", {})
    return Problem.of(tuple(entry["loc"]), _get_message(str(entry["type"]), context), str(entry["type"]))


def _get_message(error_type: str, context: Mapping[str, Any]) -> Message:
    error = context.get("error")
    if isinstance(error, InvalidValue):
        return error.message
    bounds = {name: _shorten_number(bound) for name, bound in context.items()}
    if error_type == "string_pattern_mismatch":
        bounds["words"] = PATTERNS.get(str(context.get("pattern")), MESSAGES["other_pattern"])
    if "expected" in bounds:
        bounds["expected"] = _list_choices(str(bounds["expected"]))
    return MESSAGES.get(error_type, MESSAGES["value_error"]).format(**bounds)


def _list_choices(expected: str) -> str:
    """`'a', 'b' or 'c'`, as pydantic writes it, without words."""
    return expected.replace(" or ", ", ").replace("'", "")


def _shorten_number(bound: object) -> object:
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound
