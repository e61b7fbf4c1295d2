"""
Push a deletion: send it, and check that the order is gone. The only transaction is the claim's mark before the request;
`push` settles the operation.
"""

import asyncio
from functools import partial

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import (
    EditConflict,
    NotFound,
    PlansoError,
    PlansoRefused,
    PlansoUnavailable,
    PlansoUnsure,
)
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.writing.claim import Claim, Postponed
from planso_connector.flows.writing.preconditions import apply_preconditions
from planso_connector.flows.writing.read_back import START_TIMEOUT, LiveFormReader, ReadBackResult
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.login import SessionEnded
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.form_parser import Form

MAX_DELETIONS = 2
"""How often a deletion is sent at most: again only where an expired session kept PlanSo from carrying out the first."""


class DeletePush:
    def __init__(self, planso: PlansoClient, live: LiveFormReader, reader: OrderReader, clock: Clock) -> None:
        self._planso = planso
        self._live = live
        self._reader = reader
        self._clock = clock

    async def carry_out(self, claim: Claim) -> ReadBackResult:
        """Raises Postponed, ClaimLost, Expired, PlansoRefused, and ConnectorErrors where nothing was deleted."""
        order_id = claim.operation.order_id
        assert order_id is not None, "only a create has no order yet"
        mirrored = await self._reader.load_mirrored(order_id)
        for _ in range(MAX_DELETIONS):
            try:
                form, read_at = await self._live.read_for_write(claim.operation, mirrored)
            except NotFound as error:
                if claim.sent_at is None or error.read_at is None:
                    raise
                return ReadBackResult(None, order_id, error.read_at)
            try:
                apply_preconditions(claim.operation, form, mirrored)
            except EditConflict:
                # The response of the conflict shows the order as it is now.
                await self._reader.store_form(form.read_fields(), mirrored, read_at)
                raise
            claim.check_sendable(read_at)
            try:
                async with self._planso.hold_slot():
                    outcome = await claim.send(partial(self._planso.delete, order_id, form))
            except SessionEnded:
                continue
            return await self._check_gone(claim, order_id, form, outcome)
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be deleted; nothing was deleted.")

    async def _check_gone(
        self, claim: Claim, order_id: int, form: Form, outcome: PlansoUnsure | PlansoRefused | None
    ) -> ReadBackResult:
        read_at = format_instant(self._clock())
        try:
            with urgent_requests(begin_by=asyncio.get_running_loop().time() + START_TIMEOUT):
                is_gone = await self._live.is_gone(order_id, form.read_fields().values)
        except PlansoError as error:
            message = f"The deletion of order {order_id} was sent, and then PlanSo could not be asked: {error}"
            raise Postponed(message) from None
        if is_gone:
            note = f"PlanSo has deleted it, though it answered otherwise ({outcome})."
            return ReadBackResult(None, order_id, read_at, notes=(note,) if outcome is not None else ())
        if outcome is None:
            raise PlansoRefused(f"PlanSo still shows order {order_id} after it was deleted.")
        if isinstance(outcome, PlansoRefused) or outcome.is_over:
            claim.revert_sent_mark()
        if isinstance(outcome, PlansoUnsure):
            raise Postponed(str(outcome))
        raise outcome
