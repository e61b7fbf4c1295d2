"""
Reconcile: decide, before anything is touched, what a sync has to do. Pure.

In: what PlanSo's list says, what the mirror holds of each order, which orders are being written, the time, and the
policy. Out: what to read and why, what left the list, what is merely seen again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from planso_connector.domain.clock import CLOCK_TOLERANCE
from planso_connector.domain.errors import MassRemoval
from planso_connector.domain.order import BoardEntry


class ReadReason(IntEnum):
    """Why an order is read, in the order in which they are."""

    NEW = 1
    """The mirror does not hold it, or holds it as archived or deleted: it came back."""
    CHANGED = 2
    """Its list entry is another one than when it was last read."""
    ASKED = 3
    """A full sync reads every order."""
    DUE = 4
    """Its turn has come: a form can change without its list entry showing it."""


@dataclass(frozen=True, slots=True)
class MirroredOrder:
    """What the mirror holds of an order that was not deleted. Instants are aware."""

    fingerprint: str | None
    """Of the list entry with which it was last read."""
    read_at: datetime
    archived: bool = False
    in_workshop: bool = False
    missing_parts: bool = False


@dataclass(frozen=True, slots=True)
class ReconcilePolicy:
    """`reread`: within which time every order is read again; `reread_soon`: those at work or missing parts."""

    reread: timedelta = timedelta(hours=24)
    reread_soon: timedelta = timedelta(hours=6)
    max_removal_share: float = 0.25
    """The share of its current orders that the mirror lets go in one run without asking a person..."""
    always_allowed_removals: int = 3
    """...and so many at any rate, if the list is not empty."""


@dataclass(frozen=True, slots=True)
class OrderToRead:
    entry: BoardEntry
    reason: ReadReason


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """`gone`: current orders that left the list, to be looked at; `seen`: as they were, nothing to read."""

    to_read: tuple[OrderToRead, ...]
    removed: tuple[int, ...]
    unchanged: tuple[int, ...]


def fingerprint_entry(entry: BoardEntry) -> str:
    """
    What of a list entry is worth a reading when it changes. The position on the board is not: when one order moves, so
    do all below it.
    """
    told = (entry.short_name, entry.station_id, entry.station_state, entry.employee_id, entry.finish_date)
    too_long = (str(excess) for _, excess in entry.too_long)
    return hashlib.blake2b("\0".join((*told, *too_long)).encode("utf-8", "replace"), digest_size=12).hexdigest()


def reconcile(
    board: Sequence[BoardEntry],
    known: Mapping[int, MirroredOrder],
    writing: Collection[int],
    now: datetime,
    policy: ReconcilePolicy,
    *,
    full_since: datetime | None = None,
    accept_removals: bool = False,
) -> SyncPlan:
    """
    `full_since`: read every order that was not read since then. Raises MassRemoval when the list lacks more than the
    policy lets go, unless a person accepted it.
    """
    listed = {entry.order_id for entry in board}
    current = {order_id for order_id, held in known.items() if not held.archived}
    gone = sorted(current - listed - set(writing))
    if not accept_removals:
        _believe(len(current), len(current - listed), len(board), policy)
    readings, seen = [], []
    for entry in board:
        reason = _reason(entry, known.get(entry.order_id), now, policy, full_since)
        if reason is None:
            seen.append(entry.order_id)
        else:
            readings.append(OrderToRead(entry, reason))
    readings.sort(key=lambda reading: (reading.reason, _read_at(known, reading.entry.order_id, now)))
    return SyncPlan(tuple(readings), tuple(gone), tuple(seen))


def _reason(
    entry: BoardEntry, held: MirroredOrder | None, now: datetime, policy: ReconcilePolicy, full_since: datetime | None
) -> ReadReason | None:
    if held is None or held.archived:
        return ReadReason.NEW
    if held.fingerprint != fingerprint_entry(entry):
        return ReadReason.CHANGED
    if full_since is not None and held.read_at < full_since:
        return ReadReason.ASKED
    if held.read_at > now + CLOCK_TOLERANCE:
        return ReadReason.DUE
    return ReadReason.DUE if _is_due(entry.order_id, held, now - held.read_at, policy) else None


def _is_due(order_id: int, held: MirroredOrder, age: timedelta, policy: ReconcilePolicy) -> bool:
    """Between half and all of the time, another share for each order: what was read at once is not due at once."""
    limit = policy.reread_soon if held.in_workshop or held.missing_parts else policy.reread
    if age + age < limit:
        return False
    spread = (order_id * 2654435761 % 2**32) / 2**32
    return age >= limit * (0.5 + spread / 2)


def _read_at(known: Mapping[int, MirroredOrder], order_id: int, now: datetime) -> datetime:
    held = known.get(order_id)
    return held.read_at if held is not None else now


def _believe(current: int, vanished: int, listed: int, policy: ReconcilePolicy) -> None:
    """Raises MassRemoval for a list that lacks more than a workshop archives between two looks."""
    allowed = max(policy.always_allowed_removals, int(current * policy.max_removal_share))
    if vanished and (listed == 0 or vanished > allowed):
        raise MassRemoval(
            f"PlanSo's list lacks {vanished} of the {current} orders known here; nothing was archived. "
            "If that is right, say so: planso-connector sync --accept-removals, or POST /api/sync?accept_removals=true."
        )
