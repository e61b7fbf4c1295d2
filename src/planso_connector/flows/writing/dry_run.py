"""Dry run: what a write would change, told by PlanSo's form as it is now. Nothing is recorded, nothing sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from planso_connector.domain.errors import NotFound, PlansoTimeout
from planso_connector.domain.fields import Value
from planso_connector.domain.input_warnings import find_input_warnings
from planso_connector.domain.notes import RequestNote
from planso_connector.domain.operation import FieldChange, Operation
from planso_connector.domain.order import Order
from planso_connector.domain.saving import restoring
from planso_connector.domain.saving.appending import plan_undo
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.writing import appending
from planso_connector.flows.writing.preconditions import apply_preconditions
from planso_connector.flows.writing.push_create import select_defaults
from planso_connector.flows.writing.read_back import LiveForms
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form import Form

DRY_RUN_TIMEOUT = 15.0
"""Seconds that the caller waits."""


@dataclass(frozen=True, slots=True)
class Preview:
    """
    `changes` in the form's order of asking; `notes` are sentences, those on the request alone OwnNotes. `asked` are the
    fields of the write, whether they differ or not; `is_own`: whether their values came with the request.
    """

    order_id: int | None
    changes: tuple[FieldChange, ...]
    notes: tuple[str, ...]
    controls: tuple[str, ...] = ()
    """Names of the controls that would be sent otherwise than they stand."""
    asked: Mapping[str, Value] = field(default_factory=dict)
    is_own: bool = True


class DryRun:
    """
    Lives as long as the process. Raises what PlanSo's reading and the plan raise: NotFound, Invalid, PlansoError; and
    TooManyWaiting.
    """

    def __init__(self, planso: PlansoClient, live: LiveForms, reader: OrderReader, admission: WaitLimit) -> None:
        self._planso = planso
        self._live = live
        self._reader = reader
        self._admission = admission

    async def create(self, asked: Mapping[str, Value]) -> Preview:
        async with self._soon():
            blank = await self._planso.read_blank_form()
        plan = blank.plan({**select_defaults(blank, asked), **asked})
        return Preview(None, plan.changes, (*plan.notes, *find_input_warnings(asked)), _names(blank, plan))

    async def update(self, order_id: int, asked: Mapping[str, Value]) -> Preview:
        form, _ = await self._existing_form(order_id)
        plan = appending.plan(form, asked, appending.resolve(asked, form)[0])
        return Preview(order_id, plan.changes, (*plan.notes, *find_input_warnings(asked)), _names(form, plan), asked)

    async def undo(self, undone: Operation) -> Preview:
        """`undone` is a confirmed update, which changed something."""
        assert undone.order_id is not None, "an update has an order"
        assert undone.before is not None, "it changed something"
        form, known = await self._existing_form(undone.order_id)
        undo, base = plan_undo(undone)
        again = replace(undone, requested=undo, base=base, before=None, sent_at=None, undoes=undone.id)
        asked, left_alone = apply_preconditions(again, form, known)
        plan = form.plan(asked)
        notes = (*left_alone, *plan.notes)
        return Preview(undone.order_id, plan.changes, notes, _names(form, plan), undone.before, is_own=False)

    async def restore(self, damaged: Operation, only: Sequence[str]) -> Preview:
        """`damaged` is a damaged update. Raises NotPossible, too."""
        assert damaged.order_id is not None, "what was damaged is an order"
        chosen = restoring.select_restorable(damaged, only)
        async with self._soon():
            form = await self._planso.read_form(damaged.order_id)
        controls, changed = restoring.exclude_changed_since(
            restoring.get_values_before(chosen), chosen, form.submitted_values
        )
        plan = form.plan_controls(controls)
        left_alone = [f"Would be left alone, because somebody changed it since: {', '.join(changed)}."]
        notes = tuple(left_alone if changed else ())
        return Preview(damaged.order_id, plan.changes, notes, _names(form, plan), is_own=False)

    async def delete(self, order_id: int) -> Preview:
        await self._existing_form(order_id)
        return Preview(order_id, (), (RequestNote(f"Order {order_id} would be deleted in PlanSo."),))

    async def _existing_form(self, order_id: int) -> tuple[Form, Order | None]:
        """And the order as the mirror knows it, which takes note of one that is gone. Raises as `Live`'s."""
        known = await self._reader.load_mirrored(order_id)
        try:
            async with self._soon():
                return await self._live.read_existing(order_id, known), known
        except NotFound as gone:
            if gone.read_at is not None:
                await self._reader.mark_deleted(order_id, gone.read_at)
            raise

    @asynccontextmanager
    async def _soon(self) -> AsyncIterator[None]:
        try:
            with (
                self._admission.acquire(),
                urgent_requests(begin_by=asyncio.get_running_loop().time() + DRY_RUN_TIMEOUT),
            ):
                async with asyncio.timeout(DRY_RUN_TIMEOUT):
                    yield
        except TimeoutError:
            raise PlansoTimeout(
                f"PlanSo did not answer within {DRY_RUN_TIMEOUT:g} s; nothing was recorded or sent."
            ) from None


def _names(form: Form, plan: ChangePlan) -> tuple[str, ...]:
    return tuple(dict.fromkeys(control.name for control in form.markup.controls if control.index in plan.new_values))
