"""
An operation: one write to PlanSo that a caller asked for, recorded before anything is sent, and carried through.

            ┌── read back, and what was asked is there ──────────► confirmed
            ├── PlanSo, its form or the caller says no ──────────► refused
pending ────┤
    ▲   │   ├── its deadline passed ─────────────────────────────► expired
    └───┘   ├── somebody else's doing stands in the way: a person ► conflict
 not yet:   └── the save took values from other fields: a person ──► damaged
 it is tried again, later and later

A pending operation is claimed by one process at a time, for the length of a lease. Before the first request that may
change something in PlanSo it is marked as sent: from then on PlanSo is looked at before anything is sent again.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from planso_connector.domain.fields import Value
from planso_connector.domain.saving.identity import Identity


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class OperationState(StrEnum):
    """Where an operation stands. Only `pending` ever changes."""

    PENDING = "pending"
    """Recorded here; PlanSo has not been seen to have it. It is tried until one of the others is true."""
    CONFIRMED = "confirmed"
    """PlanSo has it: read back and compared."""
    REFUSED = "refused"
    """It will not happen: PlanSo said no or kept another value, its form can't take it, or the caller cancelled it."""
    EXPIRED = "expired"
    """Its deadline passed before PlanSo confirmed. `message` says whether anything was sent."""
    DAMAGED = "damaged"
    """
    It was saved, and the save took values from other fields that nothing explains. `differences` holds them. Writes to
    the order, or to the whole workshop, stop until a person resumes them.
    """
    CONFLICT = "conflict"
    """
    Somebody changed in PlanSo what the caller relied on (`conflicts` has base, theirs and yours), or it can't be told
    which order a create made. Nothing more is sent; a person decides.
    """


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of an operation. Values are canonical; `before` is what PlanSo's form held just before the save."""

    path: str
    requested: Value
    before: Value = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One field that the caller and somebody in PlanSo changed. Values are canonical."""

    field: str
    base: Value
    """What the caller knew."""
    theirs: Value
    """What PlanSo holds now."""
    yours: Value
    """What the caller asked for."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Instants are stamps."""

    id: str
    action: Action
    order_id: int | None
    """None for a create that PlanSo has not numbered yet."""
    requested: Mapping[str, Value]
    """Field path to canonical value; None clears."""
    state: OperationState = OperationState.PENDING
    message: str = ""
    """While pending, why it is not done yet; then what came of it."""
    notes: str = ""
    """What the caller was told when it was recorded: what looks wrong, a possible duplicate."""
    created_at: str = ""
    deadline_at: str = ""
    settled_at: str | None = None
    before: Mapping[str, Value] | None = None
    """What PlanSo held just before the save, for the fields that it changed; None where nothing was sent."""
    base: Mapping[str, Value] | None = None
    """What the caller relies on, for the fields asked; None where it relies on nothing."""
    undoes: str | None = None
    """The operation that this one undoes: fields that were changed since are left alone."""
    failure: Mapping[str, object] | None = None
    """The error of a refused, expired or conflicting one, as `domain.failure` writes it."""
    caller: str = ""
    idempotency_key: str | None = None
    request: str | None = None
    """Fingerprint of the request that came with the key."""
    attempts: int = 0
    next_at: str = ""
    """Not tried again before."""
    sent_at: str | None = None
    """When something was last sent that may have changed PlanSo; None while nothing was."""
    first_sent_at: str | None = None
    restored_at: str | None = None
    """
    When the database was restored from a backup in which it was pending: whether it was sent since is not known, and
    what PlanSo shows now may have been made of it on purpose. It is looked for, and never sent again.
    """
    sent: Mapping[str, Any] | None = None
    """
    What has to be known of the last send to judge later what it did. Of an update `read_at`, when the form that was
    saved was asked for, and `controls`, the values of all its controls by name. Of a create `listed`, the orders of
    PlanSo's list before it, and `controls`, what it sent where nobody asked for anything.
    """
    differences: Sequence[Mapping[str, Any]] | None = None
    """What the save changed that was not asked, as `domain.differences` writes it; None where nothing was compared."""
    controls: Mapping[str, Sequence[str]] | None = None
    """Of a restore, the values to write back by the control's name, as a browser sends them."""
    identity: Identity | None = None
    """What the order was known by when it was recorded; None where the mirror did not know it."""


def generate_operation_id() -> str:
    """`op_` and 20 letters and digits that nobody can guess."""
    return "op_" + secrets.token_hex(10)
