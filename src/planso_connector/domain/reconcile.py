"""
Plan a sync: which orders to read and why, and which left PlanSo's list. Pure.

In: PlanSo's list, what the mirror holds of each order, the orders being written, the time, and the policy. Out: which
orders to read and why, which left the list, which are unchanged.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from planso_connector.domain.clock import CLOCK_TOLERANCE
from planso_connector.domain.errors import MassRemoval
from planso_connector.domain.order import BoardEntry


class ReadReason(IntEnum):
    """Why an order is read; lower ones first."""

    NEW = 1
    """Not in the mirror, or there as archived or deleted: it came back."""
    CHANGED = 2
    """Its list entry changed since it was last read."""
    FULL_SYNC = 3
    """A full sync reads every order."""
    DUE = 4
    """Re-read in turn: a form can change without its list entry showing it."""


@dataclass(frozen=True, slots=True)
class MirroredOrder:
    """What the mirror holds of an order that was not deleted."""

    fingerprint: str | None
    """Of the list entry with which it was last read."""
    read_at: datetime
    archived: bool = False
    in_workshop: bool = False
    missing_parts: bool = False


@dataclass(frozen=True, slots=True)
class ReconcilePolicy:
    """`reread`: within which time every order is read again; `reread_soon`: those in the workshop or missing parts."""

    reread: timedelta = timedelta(hours=24)
    reread_soon: timedelta = timedelta(hours=6)
    max_removal_share: float = 0.25
    """Share of the current orders that may leave the list in one run without a person accepting it."""
    always_allowed_removals: int = 3
    """So many may leave in any case, unless the list is empty."""


@dataclass(frozen=True, slots=True)
class OrderToRead:
    entry: BoardEntry
    reason: ReadReason


@dataclass(frozen=True, slots=True)
class SyncPlan:
    to_read: tuple[OrderToRead, ...]
    removed: tuple[int, ...]
    """Current orders that left the list: to be looked at one by one."""
    unchanged: tuple[int, ...]


def fingerprint_entry(entry: BoardEntry) -> str:
    """
    Hash the members of a list entry whose change is worth a reading. The position on the board is not: when one order
    moves, so do all below it.
    """
    members = (entry.short_name, entry.station_id, entry.station_state, entry.employee_id, entry.finish_date)
    too_long = (str(text) for _, text in entry.too_long)
    return hashlib.blake2b("\0".join((*members, *too_long)).encode("utf-8", "replace"), digest_size=12).hexdigest()


def reconcile(
    board: Sequence[BoardEntry],
    mirror: Mapping[int, MirroredOrder],
    writing: Collection[int],
    now: datetime,
    policy: ReconcilePolicy,
    *,
    full_since: datetime | None = None,
    accept_removals: bool = False,
) -> SyncPlan:
    """
    Plan a sync. With `full_since` every order that was not read since then is read. Raises MassRemoval when more orders
    left the list than the policy allows, unless `accept_removals`.
    """
    listed = {entry.order_id for entry in board}
    current = {order_id for order_id, mirrored in mirror.items() if not mirrored.archived}
    missing = current - listed
    if not accept_removals:
        _check_removals(len(current), len(missing), len(board), policy)
    to_read: list[tuple[ReadReason, datetime, BoardEntry]] = []
    unchanged = []
    for entry in board:
        mirrored = mirror.get(entry.order_id)
        reason = _read_reason(entry, mirrored, now, policy, full_since)
        if reason is None:
            unchanged.append(entry.order_id)
        else:
            to_read.append((reason, mirrored.read_at if mirrored is not None else now, entry))
    to_read.sort(key=lambda item: item[:2])
    return SyncPlan(
        tuple(OrderToRead(entry, reason) for reason, _, entry in to_read),
        tuple(sorted(missing.difference(writing))),
        tuple(unchanged),
    )


def _read_reason(
    entry: BoardEntry,
    mirrored: MirroredOrder | None,
    now: datetime,
    policy: ReconcilePolicy,
    full_since: datetime | None,
) -> ReadReason | None:
    if mirrored is None or mirrored.archived:
        return ReadReason.NEW
    if mirrored.fingerprint != fingerprint_entry(entry):
        return ReadReason.CHANGED
    if full_since is not None and mirrored.read_at < full_since:
        return ReadReason.FULL_SYNC
    was_clock_set_back = mirrored.read_at > now + CLOCK_TOLERANCE
    is_due = was_clock_set_back or _is_due(entry.order_id, mirrored, now - mirrored.read_at, policy)
    return ReadReason.DUE if is_due else None


def _is_due(order_id: int, mirrored: MirroredOrder, age: timedelta, policy: ReconcilePolicy) -> bool:
    """Due between half and all of the time, by a hash of the id: orders read together are not due together."""
    limit = policy.reread_soon if mirrored.in_workshop or mirrored.missing_parts else policy.reread
    if age + age < limit:
        return False
    spread = (order_id * 2654435761 % 2**32) / 2**32
    return age >= limit * (0.5 + spread / 2)


def _check_removals(current: int, missing: int, listed: int, policy: ReconcilePolicy) -> None:
    """Raise MassRemoval for a list that lacks more orders than a workshop archives between two syncs."""
    allowed = max(policy.always_allowed_removals, int(current * policy.max_removal_share))
    if missing and (listed == 0 or missing > allowed):
        raise MassRemoval(
            f"PlanSo's list lacks {missing} of the {current} orders known here; nothing was archived. "
            "If that is right, say so: planso-connector sync --accept-removals, or POST /api/sync?accept_removals=true."
        )
