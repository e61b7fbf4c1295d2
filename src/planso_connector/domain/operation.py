"""
An operation: one accepted write to PlanSo, recorded before anything is sent.

            ┌── read back, and PlanSo has the values ────────────► confirmed
            ├── PlanSo, its form or the caller says no ──────────► refused
pending ────┤
    ▲   │   ├── the deadline passed ─────────────────────────────► expired
    └───┘   ├── somebody's edit conflicts: ask a person ─────────► conflict
  retry     └── the save changed other fields: ask a person ─────► damaged
 with backoff

A process claims a pending operation for the length of a lease. Before the first request that may change PlanSo the
operation is marked as sent; from then on PlanSo is read before anything is sent again.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from planso_connector.domain.clock import Instant
from planso_connector.domain.fields import Value
from planso_connector.domain.saving.identity import Identity


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class OperationState(StrEnum):
    """All but `pending` are final."""

    PENDING = "pending"
    """Recorded here, not confirmed by PlanSo yet. It is retried until another state is reached."""
    CONFIRMED = "confirmed"
    """PlanSo has it: read back and compared."""
    REFUSED = "refused"
    """PlanSo said no or kept another value, its form can't take it, or the caller cancelled it."""
    EXPIRED = "expired"
    """The deadline passed before PlanSo confirmed. `message` says whether anything was sent."""
    DAMAGED = "damaged"
    """
    The save changed values of other fields without explanation; `differences` holds them. Writes to the order, or to
    the whole workshop, stop until a person resumes them.
    """
    CONFLICT = "conflict"
    """
    Somebody changed in PlanSo what the caller relied on (`conflicts` has base, theirs and yours), or which order a
    create made can't be determined. Nothing more is sent; a person decides.
    """


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of an operation. Values are canonical; `before`: what PlanSo's form held just before the save."""

    path: str
    requested: Value
    before: Value = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that both the caller and somebody in PlanSo changed. Values are canonical."""

    field: str
    base: Value
    """What the caller knew."""
    theirs: Value
    """What PlanSo holds now."""
    yours: Value
    """What the caller requested."""


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    action: Action
    order_id: int | None
    """None for a create that PlanSo has not numbered yet."""
    requested: Mapping[str, Value]
    """Field path to canonical value; None clears."""
    state: OperationState = OperationState.PENDING
    message: str = ""
    """While pending, why it is not done yet; then the outcome."""
    notes: str = ""
    """Warnings that the caller got when it was recorded: values that look wrong, a possible duplicate."""
    created_at: Instant | None = None
    """None before it is recorded."""
    deadline_at: Instant | None = None
    settled_at: Instant | None = None
    before: Mapping[str, Value] | None = None
    """What PlanSo held just before the save, for the changed fields; None where nothing was sent."""
    base: Mapping[str, Value] | None = None
    """The values that the caller relies on, for the requested fields; None where it relies on nothing."""
    undoes: str | None = None
    """Id of the operation that this one undoes: fields changed since then are left alone."""
    failure: Mapping[str, object] | None = None
    """The error of a refused, expired or conflicting one, as `domain.stored_errors` serialises it."""
    caller: str = ""
    idempotency_key: str | None = None
    request: str | None = None
    """Fingerprint of the request that came with the idempotency key."""
    content: str | None = None
    """
    Fingerprint of what a create for a vehicle asks for; None for any other. The same again within a short time, without
    an idempotency key, is the same call repeated.
    """
    attempts: int = 0
    next_at: Instant | None = None
    """Earliest next attempt."""
    sent_at: Instant | None = None
    """When a request was last sent that may have changed PlanSo."""
    first_sent_at: Instant | None = None
    restored_at: Instant | None = None
    """
    When the database was restored from a backup in which it was pending. Whether it was sent after the backup is
    unknown, and PlanSo's present values may be deliberate: it is looked for, and never sent again.
    """
    sent: Mapping[str, Any] | None = None
    """
    What is needed to assess the last send later. Update: `read_at`, when the saved form was requested, and `controls`,
    the values of all its controls by name. Create: `listed`, the order ids of PlanSo's list before it, and `controls`,
    the values sent that nobody requested.
    """
    differences: Sequence[Mapping[str, Any]] | None = None
    """What else the save changed, as `domain.saving.differences` serialises it; None where nothing was compared."""
    controls: Mapping[str, Sequence[str]] | None = None
    """Of a restore: the values to write back by control name, as a browser sends them."""
    identity: Identity | None = None
    """What identified the order when it was recorded; None where the mirror did not have it."""


def generate_operation_id() -> str:
    """`op_` and 20 random hex digits."""
    return "op_" + secrets.token_hex(10)
