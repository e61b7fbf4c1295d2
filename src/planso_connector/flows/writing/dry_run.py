"""Dry run: what a write would change in PlanSo's form as it is now. Nothing is recorded or sent."""

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
from planso_connector.flows.writing.read_back import LiveFormReader
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form_parser import Form

DRY_RUN_TIMEOUT = 15.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Preview:
    """
    `changes` are in the form's order; `notes` are sentences, RequestNotes where they are on the request alone.
    `requested` are the write's fields, changed or not; `is_from_request`: whether their values came with the request.
    """

    order_id: int | None
    changes: tuple[FieldChange, ...]
    notes: tuple[str, ...]
    controls: tuple[str, ...] = ()
    """Names of the controls that would be sent with another value than they have."""
    requested: Mapping[str, Value] = field(default_factory=dict)
    is_from_request: bool = True


class DryRun:
    """Every method raises what reading and planning raise: NotFound, Invalid, PlansoError, TooManyWaiting."""

    def __init__(self, planso: PlansoClient, live: LiveFormReader, reader: OrderReader, wait_limit: WaitLimit) -> None:
        self._planso = planso
        self._live = live
        self._reader = reader
        self._wait_limit = wait_limit

    async def create(self, requested: Mapping[str, Value]) -> Preview:
        async with self._limit_time():
            blank = await self._planso.read_blank_form()
        plan = blank.plan({**select_defaults(blank, requested), **requested})
        notes = (*plan.notes, *find_input_warnings(requested))
        return Preview(None, plan.changes, notes, _control_names(blank, plan))

    async def update(self, order_id: int, requested: Mapping[str, Value]) -> Preview:
        form, _ = await self._read_existing(order_id)
        plan = appending.plan(form, requested, appending.resolve(requested, form)[0])
        notes = (*plan.notes, *find_input_warnings(requested))
        return Preview(order_id, plan.changes, notes, _control_names(form, plan), requested)

    async def undo(self, update: Operation) -> Preview:
        """`update` is a confirmed update that changed something."""
        assert update.order_id is not None, "an update has an order"
        assert update.before is not None, "it changed something"
        form, mirrored = await self._read_existing(update.order_id)
        requested, base = plan_undo(update)
        undo = replace(update, requested=requested, base=base, before=None, sent_at=None, undoes=update.id)
        resolved, left_alone = apply_preconditions(undo, form, mirrored)
        plan = form.plan(resolved)
        notes = (*left_alone, *plan.notes)
        names = _control_names(form, plan)
        return Preview(update.order_id, plan.changes, notes, names, update.before, is_from_request=False)

    async def restore(self, damaged: Operation, only: Sequence[str]) -> Preview:
        """`damaged` is a damaged update. Raises NotPossible, too."""
        assert damaged.order_id is not None, "an update has an order"
        chosen = restoring.select_restorable(damaged, only)
        async with self._limit_time():
            form = await self._planso.read_form(damaged.order_id)
        controls, changed = restoring.exclude_changed_since(
            restoring.get_values_before(chosen), chosen, form.submitted_values
        )
        plan = form.plan_controls(controls)
        left_alone = f"Would be left alone, because somebody changed it since: {', '.join(changed)}."
        notes = (left_alone,) if changed else ()
        return Preview(damaged.order_id, plan.changes, notes, _control_names(form, plan), is_from_request=False)

    async def delete(self, order_id: int) -> Preview:
        await self._read_existing(order_id)
        return Preview(order_id, (), (RequestNote(f"Order {order_id} would be deleted in PlanSo."),))

    async def _read_existing(self, order_id: int) -> tuple[Form, Order | None]:
        """The form and the mirror's order, which is marked deleted where PlanSo has none. Raises NotFound, too."""
        mirrored = await self._reader.load_mirrored(order_id)
        try:
            async with self._limit_time():
                return await self._live.read_existing(order_id, mirrored), mirrored
        except NotFound as error:
            if error.read_at is not None:
                await self._reader.mark_deleted(order_id, error.read_at)
            raise

    @asynccontextmanager
    async def _limit_time(self) -> AsyncIterator[None]:
        begin_by = asyncio.get_running_loop().time() + DRY_RUN_TIMEOUT
        try:
            with self._wait_limit.acquire(), urgent_requests(begin_by=begin_by):
                async with asyncio.timeout(DRY_RUN_TIMEOUT):
                    yield
        except TimeoutError:
            message = f"PlanSo did not answer within {DRY_RUN_TIMEOUT:g} s; nothing was recorded or sent."
            raise PlansoTimeout(message) from None


def _control_names(form: Form, plan: ChangePlan) -> tuple[str, ...]:
    return tuple(dict.fromkeys(control.name for control in form.markup.controls if control.index in plan.new_values))
