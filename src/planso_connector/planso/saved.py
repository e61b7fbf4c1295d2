"""What PlanSo's answer to a save says: that it is an error, in which words, and the new order's id. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planso_connector.planso.board import order_number


def is_error(error: Any) -> bool:
    """Whether PHP would call it true."""
    return bool(error) and str(error).strip().casefold() not in ("", "0", "false", "none", "null")


def words(error: Any) -> str:
    """The texts in whatever PlanSo sent as its error."""
    if isinstance(error, (Mapping, list)):
        members = error.values() if isinstance(error, Mapping) else error
        return "; ".join(filter(None, map(words, members)))
    return error if isinstance(error, str) else "" if error is None or isinstance(error, bool) else str(error)


def data_id(answer: Any, depth: int = 8) -> int | None:
    """The first `dataID` that is an id, at the top or nested anywhere."""
    if isinstance(answer, Mapping):
        own = order_number(answer.get("dataID"))
        if own is not None:
            return own
    members = answer.values() if isinstance(answer, Mapping) else answer if isinstance(answer, list) else ()
    nested = (data_id(member, depth - 1) for member in members) if depth else ()
    return next((found for found in nested if found is not None), None)
