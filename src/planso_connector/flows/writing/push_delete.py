"""
Push a deletion, and look whether the order is gone. Transactions: the claim's mark before it, nothing else; the
settling is push's.
"""

from __future__ import annotations

import asyncio
from functools import partial

from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import (
    Conflicting,
    NotFound,
    PlansoError,
    PlansoRefused,
    PlansoUnavailable,
    PlansoUnsure,
)
from planso_connector.flows.syncing.read_order import Reader
from planso_connector.flows.writing.claim import Claim, Later
from planso_connector.flows.writing.preconditions import allowed
from planso_connector.flows.writing.read_back import WITHIN, BlankForm, Live, ReadBack
from planso_connector.planso.http.client import Planso
from planso_connector.planso.http.login import SessionEnded
from planso_connector.planso.http.throttle import urgent
from planso_connector.planso.pages.form import Form

DELETIONS = 2
"""How often a deletion is begun at most: the second time only where an ended session kept the first from being seen."""


class DeletePush:
    """Lives as long as the process."""

    def __init__(self, planso: Planso, live: Live, reader: Reader, clock: Clock) -> None:
        self._planso = planso
        self._live = live
        self._reader = reader
        self._clock = clock

    async def carry_out(self, claim: Claim) -> ReadBack:
        """Raises Later, Lost, Expired, PlansoRefused, and ConnectorErrors where nothing was deleted."""
        order_id = claim.operation.order_id
        assert order_id is not None, "only a create has no order yet"
        known = await self._reader.known(order_id)
        for _ in range(DELETIONS):
            read_at = stamp(self._clock())
            try:
                form = await self._live.existing_form(order_id, known)
            except BlankForm as empty:
                await self._live.check_identity(claim.operation, empty.form, read_at)
                raise
            except NotFound:
                if claim.sent_at is None:
                    raise
                return ReadBack(None, order_id, read_at, None)
            await self._live.check_identity(claim.operation, form, read_at)
            try:
                allowed(claim.operation, form, known)
            except Conflicting:
                await self._reader.keep(form.reading(), known, read_at)  # the caller is shown the order as it is
                raise
            claim.check_sendable(read_at)
            try:
                async with self._planso.one_slot():
                    outcome = await claim.send(partial(self._planso.delete, order_id, form))
            except SessionEnded:
                continue
            return await self._looked_after(claim, order_id, form, outcome)
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be deleted; nothing was deleted.")

    async def _looked_after(
        self, claim: Claim, order_id: int, form: Form, outcome: PlansoUnsure | PlansoRefused | None
    ) -> ReadBack:
        read_at = stamp(self._clock())
        try:
            with urgent(begin_by=asyncio.get_running_loop().time() + WITHIN):
                gone = await self._live.is_gone(order_id, form.reading().values)
        except PlansoError as error:
            told = f"The deletion of order {order_id} was sent, and then PlanSo could not be asked: {error}"
            raise Later(told) from None
        if gone:
            notes = (
                (f"PlanSo has deleted it, though it answered otherwise ({outcome}).",) if outcome is not None else ()
            )
            return ReadBack(None, order_id, read_at, None, notes)
        if isinstance(outcome, PlansoUnsure):
            if outcome.is_over:
                claim.take_back_mark()
            raise Later(str(outcome))
        if outcome is not None:
            claim.take_back_mark()
            raise outcome
        raise PlansoRefused(f"PlanSo still shows order {order_id} after it was deleted.")
