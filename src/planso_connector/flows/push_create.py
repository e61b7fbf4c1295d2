"""
Push a create: the empty form with what was asked, and the new order read back. Transactions: the claim's mark before
the save, nothing else; the settling is push's.

Where it is not known whether an earlier attempt made the order, PlanSo is searched for it first: among the orders of
its list that were not there when the create was sent, and that no other create made, for one whose form holds every
value that was asked. One is it. More than one, or one that shares the vehicle or the person and not the rest, is
for a person to decide: an order is never created twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog

from planso_connector.domain.clock import Clock, parse_stamp, stamp
from planso_connector.domain.errors import (
    Ambiguous,
    Invalid,
    PlansoRefused,
    PlansoUnavailable,
    PlansoUnsure,
    ValueKept,
)
from planso_connector.domain.fields import FIELDS, Value
from planso_connector.domain.operation import Operation
from planso_connector.domain.order import IDENTITY
from planso_connector.flows.claim import Claim, Later
from planso_connector.flows.live import WITHIN, Live, ReadBack, SavedOtherwise
from planso_connector.flows.reading import Reader
from planso_connector.planso.client import Planso
from planso_connector.planso.form import Form, NoForm
from planso_connector.planso.login import SessionEnded
from planso_connector.planso.plan import Plan
from planso_connector.planso.throttle import urgent
from planso_connector.store import operations, orders
from planso_connector.store.engine import Database, Transaction

log = structlog.get_logger(__name__)

INSERTS = 2
"""How often an insert is begun at most: the second time only where an ended session kept the first from being seen."""

SKEW = timedelta(minutes=1)
"""By so much the clocks of processes on one database may differ."""

LISTED = "listed"
"""Under this an operation keeps the orders that were there before it was sent, and that the mirror did not have."""

CANDIDATES = 100
"""So many new orders are looked at at most; where there are more, a person has to."""


class CreatePush:
    """Lives as long as the process."""

    def __init__(
        self, database: Database, planso: Planso, live: Live, reader: Reader, workshop: str, clock: Clock
    ) -> None:
        self._database = database
        self._planso = planso
        self._live = live
        self._reader = reader
        self._workshop = workshop
        self._clock = clock

    async def carry_out(self, claim: Claim) -> ReadBack:
        """Raises SavedOtherwise, Ambiguous, Later, Lost, Expired, and ConnectorErrors where nothing was saved."""
        operation = claim.operation
        order_id, notes = operation.order_id, tuple[str, ...]()
        looked_at = stamp(self._clock())
        if order_id is None and claim.sent_at is not None:
            order_id = await self._made(operation, claim.sent_at, is_known=not claim.was_set_back)
        if order_id is None:
            claim.check_sendable(looked_at)
            order_id, plan = await self._insert(claim)
            notes = plan.notes
        return await self._read_back(operation, order_id, notes)

    async def _read_back(self, operation: Operation, order_id: int, notes: tuple[str, ...]) -> ReadBack:
        try:
            seen = await self._live.form_after(order_id, operation.asked, {}, f"the new order {order_id}")
        except PlansoUnsure as unsure:
            raise Later(str(unsure), order_id=order_id) from None
        order, with_parts = await self._live.order(seen.form, None)
        notes = (*notes, *seen.form.normalised(operation.asked))
        read_back = ReadBack(order, order_id, seen.read_at, {}, notes, with_parts=with_parts)
        kept = seen.form.not_taken_over(operation.asked)
        if kept:
            error = PlansoRefused(f"Order {order_id} was created, but: {ValueKept(kept)}")
            raise SavedOtherwise(error, read_back)
        return read_back

    async def _insert(self, claim: Claim) -> tuple[int, Plan]:
        asked = claim.operation.asked
        # What an earlier attempt found there may be in the mirror by now, and look new.
        listed = sorted({*await self._not_mirrored(), *_listed(claim.sent)})
        for _ in range(INSERTS):
            blank = await self._planso.blank_form()
            plan = blank.plan({**with_defaults(blank, asked), **asked})
            try:
                # Marked when its turn has come: how long it may land yet counts from there.
                async with self._planso.one_slot(), claim.sending({}, {LISTED: listed}):
                    return await self._planso.create(blank, plan), plan
            except SessionEnded:
                continue
            except PlansoUnsure as unsure:
                log.info("write_unsure", operation=claim.operation.id)
                raise Later(f"{unsure}. PlanSo may have created the order.") from None
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be created; nothing was saved.")

    async def _not_mirrored(self) -> list[int]:
        """The orders of PlanSo's list that the mirror does not have: somebody made them before us."""
        listed = [entry.order_id for entry in await self._planso.board()]
        known = await self._database.read(lambda tx: orders.ids(tx, self._workshop))
        return sorted(order_id for order_id in listed if order_id not in known)

    async def _made(self, operation: Operation, sent_at: str, *, is_known: bool) -> int | None:
        """
        The order that an earlier attempt made; None where there is none. `is_known`: when orders were first seen tells
        those that were there before. Raises Ambiguous.
        """
        listed = [entry.order_id for entry in await self._planso.board()]

        def not_ours(tx: Transaction) -> set[int]:
            before: set[int] = set()
            if (
                operation.deadline_at and is_known
            ):  # one of an earlier version is as old as what told when orders were first seen
                before = orders.first_seen_before(tx, self._workshop, stamp(parse_stamp(sent_at) - SKEW))
            return before | operations.created(tx, self._workshop) | _listed(operation.sent)

        known = await self._database.read(not_ours)
        candidates = sorted(order_id for order_id in listed if order_id not in known)
        if len(candidates) > CANDIDATES:
            raise Ambiguous(
                f"It may have been created: {len(candidates)} orders of PlanSo may be it, too many to look at."
            )
        names_somebody = any(operation.asked.get(path) for path in IDENTITY)
        exact, similar = [], []
        for order_id in candidates:
            read_at = stamp(self._clock())
            try:
                with urgent(begin_by=asyncio.get_running_loop().time() + WITHIN):
                    form = await self._planso.read_form(order_id)
            except NoForm:
                continue
            await self._reader.saw(order_id, form.reading(), read_at)  # a save may be about to undo it
            kept = {one.field for one in form.not_taken_over(operation.asked)}
            if not kept:
                exact.append(order_id)
            elif not names_somebody or any(operation.asked.get(path) and path not in kept for path in IDENTITY):
                similar.append(order_id)
        if len(exact) == 1 and names_somebody:
            return exact[0]
        if exact or similar:
            found = ", ".join(str(order_id) for order_id in sorted([*exact, *similar]))
            raise Ambiguous(f"It may have been created as one of these orders: {found}. It was not sent again.")
        return None


def _listed(sent: Mapping[str, Any] | None) -> set[int]:
    return {int(str(one)) for one in (sent or {}).get(LISTED, ())}


def with_defaults(blank: Form, asked: Mapping[str, Value]) -> dict[str, Value]:
    """The defaults of a new order, as far as this PlanSo's form can hold them."""
    held: dict[str, Value] = {}
    for field in FIELDS:
        if field.default is None or field.path in asked:
            continue
        try:
            blank.plan({field.path: field.default})
        except Invalid:
            continue
        held[field.path] = field.default
    return held
