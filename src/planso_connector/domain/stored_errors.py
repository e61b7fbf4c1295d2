"""Errors of settled operations as JSON objects, so that a repeated request gets the same answer."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from planso_connector.domain import errors
from planso_connector.domain.errors import (
    ConnectorError,
    EditConflict,
    FieldMismatch,
    Invalid,
    PlansoRefused,
    Problem,
    ReadBackMismatch,
)
from planso_connector.domain.operation import Conflict

_TYPES: dict[type[ConnectorError], str] = {
    errors.NotFound: "NotFound",
    PlansoRefused: "PlansoRefused",
    errors.Damaged: "Damaged",
    errors.Expired: "Expired",
    errors.Cancelled: "Cancelled",
    errors.AmbiguousCreate: "Ambiguous",
    errors.OrderIdReused: "Stranger",
    Invalid: "Invalid",
    ReadBackMismatch: "ValueKept",
    EditConflict: "Conflicting",
}
"""The stored names: rows of earlier versions hold them, whatever the classes are called today."""
_CLASSES = {name: error_class for error_class, name in _TYPES.items()}


def serialize_error(error: ConnectorError) -> dict[str, object]:
    """The error as a JSON object. A type that ends no operation is stored as a refusal."""
    stored: dict[str, object] = {"type": _TYPES.get(type(error), "PlansoRefused")}
    if isinstance(error, Invalid):
        stored["problems"] = [asdict(problem) for problem in error.problems]
    elif isinstance(error, ReadBackMismatch):
        stored["kept"] = [asdict(mismatch) for mismatch in error.mismatches]
    elif isinstance(error, EditConflict):
        stored["conflicts"] = [asdict(conflict) for conflict in error.conflicts]
    return stored


def deserialize_error(failure: Mapping[str, Any], message: str) -> ConnectorError:
    """The error that `failure` was made from; `message` is its operation's."""
    error_class = _CLASSES[failure["type"]]
    if error_class is Invalid:
        return Invalid(
            [Problem(tuple(p["loc"]), p["msg"], p["type"], p.get("msg_de", "")) for p in failure["problems"]]
        )
    if error_class is ReadBackMismatch:
        return ReadBackMismatch([FieldMismatch(**mismatch) for mismatch in failure["kept"]])
    if error_class is EditConflict:
        return EditConflict(message, deserialize_conflicts(failure))
    return error_class(message)


def deserialize_conflicts(failure: Mapping[str, Any] | None) -> list[Conflict]:
    return [Conflict(**conflict) for conflict in (failure or {}).get("conflicts", ())]


def is_invalid_request(failure: Mapping[str, Any] | None) -> bool:
    """Whether the operation failed because its request was invalid."""
    return failure is not None and failure["type"] == _TYPES[Invalid]
