"""
An operation: one write to PlanSo that a caller asked for, recorded before anything is sent.

            ┌── read back and compared ──► confirmed
pending ────┼── PlanSo or the form says no ──► refused
            └── its time is up ──► expired
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from planso_connector.domain.fields import Value


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class State(StrEnum):
    """Where an operation stands. Only `pending` ever changes."""

    PENDING = "pending"
    """Recorded here; PlanSo has not been seen to have it."""
    CONFIRMED = "confirmed"
    """PlanSo has it: read back and compared."""
    REFUSED = "refused"
    """PlanSo said no, kept another value, or its form can't take it. PlanSo was not changed as asked."""
    EXPIRED = "expired"
    """Its time was up before PlanSo confirmed. Whether PlanSo has it was not seen."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field of an operation. Values are canonical; `before` is what PlanSo's form held just before the save."""

    path: str
    asked: Value
    before: Value = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    action: Action
    order_id: int | None
    """None for a create that PlanSo has not numbered yet."""
    asked: Mapping[str, Value]
    """Field path to canonical value; None clears."""
    state: State = State.PENDING
    message: str = ""
    created_at: str = ""
    settled_at: str | None = None
    before: Mapping[str, Value] | None = None
    """What PlanSo held just before the save, for the fields asked; None where nothing was sent."""


def new_id() -> str:
    """`op_` and 20 letters and digits that nobody can guess."""
    return "op_" + secrets.token_hex(10)
