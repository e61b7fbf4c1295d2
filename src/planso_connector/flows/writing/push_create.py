"""
Push a create: the empty form with what was asked, and the new order read back. Transactions: the claim's mark before
the save, nothing else; the settling is push's.

Only an answer that names a number which no order had before says that the order was made. After any other, a refusal
too, PlanSo is searched: among the orders of its list that were not there when the create was sent, and that no other
create made, for one whose form holds every value that was asked. One is it. More than one, or one that shares the
vehicle or the person and not the rest, is for a person to decide: an order is never created twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from planso_connector.domain.clock import Clock, format_instant, parse_instant
from planso_connector.domain.errors import (
    AmbiguousCreate,
    Invalid,
    PlansoRefused,
    PlansoUnavailable,
    PlansoUnsure,
    ReadBackMismatch,
)
from planso_connector.domain.fields import FIELDS, Value
from planso_connector.domain.order import IDENTIFYING_PATHS, has_identity
from planso_connector.domain.saving.identity import build_identity, is_other_order
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.writing import overwritten_edits
from planso_connector.flows.writing.claim import Claim, Postponed
from planso_connector.flows.writing.read_back import (
    SECOND_LOOK_AFTER,
    START_TIMEOUT,
    LiveForms,
    ReadBack,
    SavedOtherwise,
)
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.login import SessionEnded
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form import Form, FormMissing
from planso_connector.planso.saving.form_snapshot import take_snapshot
from planso_connector.store import operations, orders
from planso_connector.store.engine.database import Database, Transaction

MAX_INSERTS = 2
"""How often an insert is begun at most: the second time only where an ended session kept the first from being seen."""

CLOCK_SKEW = timedelta(minutes=1)
"""By so much the clocks of processes on one database may differ."""

LISTED = "listed"
"""Under this an operation keeps the orders of PlanSo's list before it was sent."""

MAX_CANDIDATES = 100
"""So many new orders are looked at at most; where there are more, a person has to."""


class CreatePush:
    """Lives as long as the process."""

    def __init__(
        self, database: Database, planso: PlansoClient, live: LiveForms, reader: OrderReader, clock: Clock
    ) -> None:
        self._database = database
        self._planso = planso
        self._live = live
        self._reader = reader
        self._clock = clock

    async def carry_out(self, claim: Claim) -> ReadBack:
        """Raises SavedOtherwise, Ambiguous, Later, Lost, Expired, and ConnectorErrors where nothing was saved."""
        order_id, notes = claim.operation.order_id, tuple[str, ...]()
        looked_at = format_instant(self._clock())
        if order_id is None and claim.sent_at is not None:
            order_id = await self._made(claim)
        if order_id is None:
            claim.check_sendable(looked_at)
            order_id, notes = await self._insert(claim)
        return await self._read_back(claim, order_id, notes)

    async def _read_back(self, claim: Claim, order_id: int, notes: tuple[str, ...]) -> ReadBack:
        asked = claim.operation.requested
        try:
            seen = await self._live.read_after_save(order_id, asked, {}, f"the new order {order_id}")
        except PlansoUnsure as unsure:
            raise Postponed(str(unsure), order_id=order_id) from None
        form, held = seen.form, take_snapshot(seen.form)
        if is_other_order(build_identity(asked, []), form.read_fields().values) and not await self._live.is_listed(
            order_id
        ):
            raise AmbiguousCreate(
                f"PlanSo answered with the number of order {order_id}, an archived one of another customer. "
                "It was not sent again."
            )
        order, with_parts = await self._live.build_order(form, None)
        # A control of the empty form alone, such as a token, is nothing that the order lost.
        lost = tuple(one for one in overwritten_edits.find_emptied_controls(claim.sent, held) if one.column in held)
        notes = (*notes, *form.describe_normalised(asked))
        read_back = ReadBack(order, order_id, seen.read_at, {}, notes, with_parts=with_parts, differences=lost)
        kept = form.find_unsaved(asked)
        if kept:
            error = PlansoRefused(f"Order {order_id} was created, but: {ReadBackMismatch(kept)}")
            raise SavedOtherwise(error, read_back)
        return read_back

    async def _insert(self, claim: Claim) -> tuple[int, tuple[str, ...]]:
        """The new order's number, and notes."""
        asked = claim.operation.requested
        for _ in range(MAX_INSERTS):
            listed = await self._listed()
            there = listed | await self._not_new(format_instant(self._clock()))
            blank = await self._planso.read_blank_form()
            plan = blank.plan({**select_defaults(blank, asked), **asked})
            # What an earlier attempt found there was there before, too.
            sent = {LISTED: sorted(listed | _listed(claim.sent)), "controls": _unasked(blank, plan, asked)}
            try:
                # Marked when its turn has come: how long it may land yet counts from there.
                async with self._planso.hold_slot():
                    outcome = await claim.send(partial(self._planso.create, blank, plan), {}, sent)
            except SessionEnded:
                continue
            if isinstance(outcome, int) and outcome not in there:
                return outcome, plan.notes
            return await self._looked_for(claim, outcome), (*plan.notes, _answered_otherwise(outcome))
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be created; nothing was saved.")

    async def _looked_for(self, claim: Claim, outcome: int | PlansoUnsure | PlansoRefused) -> int:
        """The order that was made all the same. Raises what the outcome means where there is none."""
        order_id = await self._made(claim)
        if order_id is not None:
            return order_id
        if isinstance(outcome, int):
            raise AmbiguousCreate(
                f"PlanSo answered with the number of order {outcome}, which was there before, and shows no new order "
                "with these values. It was not sent again."
            )
        if isinstance(outcome, PlansoUnsure):
            raise Postponed(f"{outcome}. PlanSo may have created the order.")
        claim.take_back_mark()
        raise outcome

    async def _listed(self) -> set[int]:
        return {entry.order_id for entry in await self._planso.read_board()}

    async def _not_new(self, before: str) -> set[int]:
        """The orders that the mirror had before an instant, and those that creates made."""

        def work(tx: Transaction) -> set[int]:
            return orders.list_ids_first_seen_before(tx, before) | operations.list_created_orders(tx)

        return await self._database.read(work)

    async def _made(self, claim: Claim) -> int | None:
        """The order that was made of what was sent; None where there is none. Raises Ambiguous."""
        operation, asked, sent_at = claim.operation, claim.operation.requested, claim.sent_at
        assert sent_at is not None, "only what was sent is looked for"
        # One of an earlier version is as old as what told when orders were first seen.
        is_told = operation.deadline_at is not None and not claim.was_set_back
        before = format_instant(parse_instant(sent_at) - CLOCK_SKEW) if is_told else ""
        new = await self._listed() - _listed(claim.sent)
        candidates = sorted(new - await self._not_new(before))
        if len(candidates) > MAX_CANDIDATES:
            raise AmbiguousCreate(
                f"It may have been created: {len(candidates)} orders of PlanSo may be it, too many to look at."
            )
        names_somebody = any(asked.get(path) for path in IDENTIFYING_PATHS)
        exact, similar = [], []
        for order_id in candidates:
            form = await self._candidate(order_id)
            kept = {one.field for one in form.find_unsaved(asked)} if form is not None else {*asked}
            if not kept:
                exact.append(order_id)
            elif (
                form is None
                or not names_somebody
                or any(asked.get(path) and path not in kept for path in IDENTIFYING_PATHS)
            ):
                similar.append(order_id)
        if len(exact) == 1 and names_somebody:
            return exact[0]
        if exact or similar:
            found = ", ".join(str(order_id) for order_id in sorted([*exact, *similar]))
            raise AmbiguousCreate(f"It may have been created as one of these orders: {found}. It was not sent again.")
        return None

    async def _candidate(self, order_id: int) -> Form | None:
        """The form of a new order; None where it names nobody, twice: by that it may be ours or anybody's."""
        for pause in (0.0, SECOND_LOOK_AFTER):
            await asyncio.sleep(pause)
            read_at = format_instant(self._clock())
            try:
                with urgent_requests(begin_by=asyncio.get_running_loop().time() + START_TIMEOUT):
                    form = await self._planso.read_form(order_id)
            except FormMissing:
                continue
            if has_identity(form.read_fields()):
                await self._reader.store_form_unless_empty(
                    order_id, form.read_fields(), read_at
                )  # a save may be about to undo it
                return form
        return None


def _answered_otherwise(outcome: object) -> str:
    told = f"with the number of order {outcome}" if isinstance(outcome, int) else str(outcome)
    return f"PlanSo has it, though it answered otherwise ({told})."


def _unasked(blank: Form, plan: ChangePlan, asked: Mapping[str, Value]) -> dict[str, list[str]]:
    """What is sent in controls that nobody asked for: what the empty form holds, and our defaults."""
    labels = {change.label for change in plan.changes if change.path in asked}
    sent = take_snapshot(blank, plan).items()
    return {column: list(state.values) for column, state in sent if not state.is_empty and state.label not in labels}


def _listed(sent: Mapping[str, Any] | None) -> set[int]:
    return {int(str(one)) for one in (sent or {}).get(LISTED, ())}


def select_defaults(blank: Form, asked: Mapping[str, Value]) -> dict[str, Value]:
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
