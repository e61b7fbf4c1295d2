"""An operation's error as it is written down, and raised again: a repeated request gets the same answer."""

from __future__ import annotations

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

_PLAIN: dict[str, type[ConnectorError]] = {
    kind.__name__: kind
    for kind in (
        errors.NotFound,
        PlansoRefused,
        errors.Damaged,
        errors.Expired,
        errors.Cancelled,
        errors.AmbiguousCreate,
        errors.OrderIdReused,
    )
}


def serialize_error(error: ConnectorError) -> dict[str, object]:
    """A JSON object."""
    kind = type(error).__name__
    if isinstance(error, Invalid):
        return {"type": kind, "problems": [asdict(problem) for problem in error.problems]}
    if isinstance(error, ReadBackMismatch):
        return {"type": kind, "kept": [asdict(kept) for kept in error.mismatches]}
    if isinstance(error, EditConflict):
        return {"type": kind, "conflicts": [asdict(conflict) for conflict in error.conflicts]}
    return {"type": kind if kind in _PLAIN else PlansoRefused.__name__}


def deserialize_error(failure: Mapping[str, Any], message: str) -> ConnectorError:
    """The error that `written` wrote down, with its operation's message."""
    kind = failure["type"]
    if kind == Invalid.__name__:
        return Invalid([Problem(tuple(p["loc"]), p["msg"], p["type"]) for p in failure["problems"]])
    if kind == ReadBackMismatch.__name__:
        return ReadBackMismatch([FieldMismatch(**kept) for kept in failure["kept"]])
    if kind == EditConflict.__name__:
        return EditConflict(message, deserialize_conflicts(failure))
    return _PLAIN[kind](message)


def deserialize_conflicts(failure: Mapping[str, Any] | None) -> list[Conflict]:
    return [Conflict(**one) for one in (failure or {}).get("conflicts", ())]


def is_invalid_request(failure: Mapping[str, Any] | None) -> bool:
    """Whether what was asked could not be taken."""
    return failure is not None and failure["type"] == Invalid.__name__
