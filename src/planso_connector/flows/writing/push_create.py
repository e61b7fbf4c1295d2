"""
Push a create: send the blank form with the requested values, and read the new order back. The only transaction that
writes is the claim's mark before the request; `push` settles the operation.

Only a response with a number that no order had before proves that the order was created. After any other, a refusal
included, PlanSo is searched: among the listed orders that are new since the create was sent, and that no other create
made, for one whose form holds every requested value. Exactly one is the created order. Several, or one that shares only
the vehicle or the person, need a person to decide: an order is never created twice.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from planso_connector.domain.clock import Clock, Instant, format_instant, parse_instant
from planso_connector.domain.errors import (
    AmbiguousCreate,
    Invalid,
    PlansoRefused,
    PlansoUnavailable,
    PlansoUnsure,
    ReadBackMismatch,
)
from planso_connector.domain.fields import FIELDS, Value
from planso_connector.domain.order import IDENTIFYING_PATHS, has_identifying_value
from planso_connector.domain.saving.identity import build_identity, is_other_order
from planso_connector.flows.syncing.read_order import RECHECK_DELAY, OrderReader
from planso_connector.flows.writing import overwritten_edits
from planso_connector.flows.writing.claim import Claim, Postponed
from planso_connector.flows.writing.read_back import START_TIMEOUT, LiveFormReader, ReadBackResult, SaveMismatch
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.login import SessionEnded
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form_parser import Form, FormMissing
from planso_connector.planso.saving.form_snapshot import take_snapshot
from planso_connector.store import operations, orders
from planso_connector.store.engine.database import Database, Transaction

MAX_INSERTS = 2
"""How often a create is sent at most: again only where an expired session kept PlanSo from carrying out the first."""

CLOCK_SKEW = timedelta(minutes=1)
"""How much the clocks of processes on one database may differ."""

LISTED = "listed"
"""The key under which `Operation.sent` has the ids of the orders that were listed before the create was sent."""

MAX_CANDIDATES = 100
"""How many new orders are read at most; where there are more, a person has to look."""


class CreatePush:
    def __init__(
        self, database: Database, planso: PlansoClient, live: LiveFormReader, reader: OrderReader, clock: Clock
    ) -> None:
        self._database = database
        self._planso = planso
        self._live = live
        self._reader = reader
        self._clock = clock

    async def carry_out(self, claim: Claim) -> ReadBackResult:
        """
        Raises SaveMismatch, AmbiguousCreate, Postponed, ClaimLost, Expired, and ConnectorErrors where nothing was
        saved.
        """
        order_id, notes = claim.operation.order_id, tuple[str, ...]()
        looked_at = format_instant(self._clock())
        if order_id is None and claim.sent_at is not None:
            order_id = await self._find_created(claim)
        if order_id is None:
            claim.check_sendable(looked_at)
            order_id, notes = await self._insert(claim)
        return await self._read_back(claim, order_id, notes)

    async def _read_back(self, claim: Claim, order_id: int, notes: tuple[str, ...]) -> ReadBackResult:
        requested = claim.operation.requested
        try:
            after = await self._live.read_after_save(order_id, requested, {}, f"the new order {order_id}")
        except PlansoUnsure as error:
            raise Postponed(str(error), order_id=order_id) from None
        form, held = after.form, take_snapshot(after.form)
        is_other = is_other_order(build_identity(requested, []), form.read_fields().values)
        if is_other and not await self._live.is_listed(order_id):
            raise AmbiguousCreate(
                f"PlanSo answered with the number of order {order_id}, an archived one of another customer. "
                "It was not sent again."
            )
        # Controls that only the blank form has, such as tokens, are no loss.
        lost = tuple(one for one in overwritten_edits.find_emptied_controls(claim.sent, held) if one.column in held)
        notes = (*notes, *form.describe_normalised(requested))
        read_back = await self._live.start_read_back(form, None, after.read_at)
        read_back = replace(read_back, before={}, notes=notes, differences=lost)
        mismatches = form.find_unsaved(requested)
        if mismatches:
            refused = PlansoRefused(f"Order {order_id} was created, but: {ReadBackMismatch(mismatches)}")
            raise SaveMismatch(refused, read_back)
        return read_back

    async def _insert(self, claim: Claim) -> tuple[int, tuple[str, ...]]:
        """Send the create; the new order's id, and notes."""
        requested = claim.operation.requested
        for _ in range(MAX_INSERTS):
            listed = await self._list_orders()
            existing = listed | await self._list_older(format_instant(self._clock()))
            blank = await self._planso.read_blank_form()
            plan = blank.plan({**select_defaults(blank, requested), **requested})
            # What an earlier attempt found listed existed before, too.
            sent = {
                LISTED: sorted(listed | _listed_before(claim)),
                "controls": _unrequested_values(blank, plan, requested),
            }
            try:
                # Marked as sent within the slot: how long it may still take effect counts from there.
                async with self._planso.hold_slot():
                    outcome = await claim.send(partial(self._planso.create, blank, plan), {}, sent)
            except SessionEnded:
                continue
            if isinstance(outcome, int) and outcome not in existing:
                return outcome, plan.notes
            order_id = await self._find_after(claim, outcome)
            answer = f"with the number of order {outcome}" if isinstance(outcome, int) else str(outcome)
            return order_id, (*plan.notes, f"PlanSo has it, though it answered otherwise ({answer}).")
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be created; nothing was saved.")

    async def _find_after(self, claim: Claim, outcome: int | PlansoUnsure | PlansoRefused) -> int:
        """Find the order that was created, whatever PlanSo answered. Raises what the answer means without one."""
        order_id = await self._find_created(claim)
        if order_id is not None:
            return order_id
        if isinstance(outcome, int):
            raise AmbiguousCreate(
                f"PlanSo answered with the number of order {outcome}, which was there before, and shows no new order "
                "with these values. It was not sent again."
            )
        if isinstance(outcome, PlansoUnsure):
            raise Postponed(f"{outcome}. PlanSo may have created the order.")
        claim.revert_sent_mark()
        raise outcome

    async def _list_orders(self) -> set[int]:
        return {entry.order_id for entry in await self._planso.read_board()}

    async def _list_older(self, before: Instant | None) -> set[int]:
        """The orders that the mirror had before an instant, and those that creates made."""

        def work(tx: Transaction) -> set[int]:
            older = orders.list_ids_first_seen_before(tx, before) if before is not None else set()
            return older | operations.list_created_orders(tx)

        return await self._database.read(work)

    async def _find_created(self, claim: Claim) -> int | None:
        """Find the order that an earlier send created; None where there is none. Raises AmbiguousCreate."""
        requested, sent_at = claim.operation.requested, claim.sent_at
        assert sent_at is not None, "only what was sent is searched"
        # Operations without a deadline are from a version that did not record when orders were first seen.
        is_time_known = bool(claim.operation.deadline_at) and not claim.was_clock_set_back
        before = format_instant(parse_instant(sent_at) - CLOCK_SKEW) if is_time_known else None
        new = await self._list_orders() - _listed_before(claim)
        candidates = sorted(new - await self._list_older(before))
        if len(candidates) > MAX_CANDIDATES:
            raise AmbiguousCreate(
                f"It may have been created: {len(candidates)} orders of PlanSo may be it, too many to look at."
            )
        identifying = [path for path in IDENTIFYING_PATHS if requested.get(path)]
        exact, similar = [], []
        for order_id in candidates:
            form = await self._read_candidate(order_id)
            mismatched = {one.field for one in form.find_unsaved(requested)} if form is not None else {*requested}
            if not mismatched:
                exact.append(order_id)
            elif form is None or not identifying or not mismatched.issuperset(identifying):
                similar.append(order_id)
        if len(exact) == 1 and identifying:
            return exact[0]
        if exact or similar:
            found = ", ".join(str(order_id) for order_id in sorted([*exact, *similar]))
            raise AmbiguousCreate(f"It may have been created as one of these orders: {found}. It was not sent again.")
        return None

    async def _read_candidate(self, order_id: int) -> Form | None:
        """The form of a new order; None where it names neither person nor vehicle twice: it may be anybody's."""
        for pause in (0.0, RECHECK_DELAY):
            await asyncio.sleep(pause)
            read_at = format_instant(self._clock())
            try:
                with urgent_requests(begin_by=asyncio.get_running_loop().time() + START_TIMEOUT):
                    form = await self._planso.read_form(order_id)
            except FormMissing:
                continue
            reading = form.read_fields()
            if has_identifying_value(reading):
                # Another write may be about to overwrite an edit that shows here.
                await self._reader.store_form_unless_empty(order_id, reading, read_at)
                return form
        return None


def _unrequested_values(blank: Form, plan: ChangePlan, requested: Mapping[str, Value]) -> dict[str, list[str]]:
    """The values sent in controls that were not requested, by column: the blank form's, and our defaults."""
    labels = {change.label for change in plan.changes if change.path in requested}
    sent = take_snapshot(blank, plan).items()
    return {column: list(state.values) for column, state in sent if not state.is_empty and state.label not in labels}


def _listed_before(claim: Claim) -> set[int]:
    return {int(str(order_id)) for order_id in (claim.sent or {}).get(LISTED, ())}


def select_defaults(blank: Form, requested: Mapping[str, Value]) -> dict[str, Value]:
    """The default values of a new order that this PlanSo's form can hold, for fields that were not requested."""
    defaults: dict[str, Value] = {}
    for field in FIELDS:
        if field.default is None or field.path in requested:
            continue
        with suppress(Invalid):
            blank.plan({field.path: field.default})
            defaults[field.path] = field.default
    return defaults
