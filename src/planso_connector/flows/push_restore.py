"""
Push a restore: write a damaged save's values before back, control by control, and read them back. Transactions: the
damaged operation is loaded, the claim marked before the save; the settling is push's.

It goes by control names and submitted values, so what no field is mapped to comes back as well. A control that somebody
changed since the damage is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog

from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import (
    Conflicting,
    Kept,
    NotFound,
    NotPossible,
    PlansoError,
    PlansoUnavailable,
    PlansoUnsure,
    ValueKept,
)
from planso_connector.domain.operation import Conflict, Operation
from planso_connector.domain.order import Order, has_emptied
from planso_connector.domain.restoring import Taken, still_damaged, taken
from planso_connector.flows.claim import Claim, Later
from planso_connector.flows.live import PAUSES, WITHIN, Live, ReadBack
from planso_connector.flows.push_update import READINGS, SAVES, KeptOtherwise
from planso_connector.flows.reading import Reader
from planso_connector.planso.client import Planso
from planso_connector.planso.form import Form, NoForm
from planso_connector.planso.login import SessionEnded
from planso_connector.planso.plan import Plan
from planso_connector.planso.throttle import urgent
from planso_connector.store import operations
from planso_connector.store.engine import Database

log = structlog.get_logger(__name__)


class _Save(NamedTuple):
    """The form that was saved, and how; without changes in the plan, nothing was. `unsure`: why that is not known."""

    form: Form
    plan: Plan
    controls: Mapping[str, Sequence[str]]
    read_at: str
    notes: tuple[str, ...]
    unsure: PlansoUnsure | None = None


class RestorePush:
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
        """Raises KeptOtherwise, Conflicting, Later, Lost, Expired, and ConnectorErrors where nothing was saved."""
        operation = claim.operation
        assert operation.order_id is not None, "what was damaged is an order"
        known = await self._reader.known(operation.order_id)
        damaged = await self._damaged(operation)
        for _ in range(SAVES):
            form = await self._form(operation.order_id, known)  # logs in, as no held slot may
            try:
                save = await self._save(claim, form, known, damaged)
            except SessionEnded:
                continue
            if not save.plan.changes:
                order, with_parts = await self._live.order(save.form, known)
                told = () if claim.sent_at else ("PlanSo holds these values already; nothing was sent.",)
                notes = (*save.notes, *told)
                return ReadBack(order, order.id, save.read_at, None, notes, with_parts=with_parts)
            return await self._read_back(save, known)
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be saved; nothing was saved.")

    async def _damaged(self, restore: Operation) -> list[Taken]:
        """What the damaged operation is known to have changed; nothing where its values were erased since."""
        damaged_id = restore.undoes
        if damaged_id is None:
            return []
        found = await self._database.read(lambda tx: operations.get(tx, self._workshop, damaged_id))
        try:
            return taken(found, list(restore.controls or ())) if found is not None else []
        except NotPossible:
            return []

    async def _save(self, claim: Claim, previous: Form, known: Order | None, damaged: Sequence[Taken]) -> _Save:
        """Reads until two readings agree, and saves the later one in the same slot of the throttle."""
        order_id = previous.order_id
        assert order_id is not None, "what is saved was read"
        for reading in range(READINGS):
            async with self._planso.one_slot():
                read_at = stamp(self._clock())
                form = await self._form(order_id, known)
                if form.differences(previous) and reading + 1 < READINGS:
                    previous = form
                    continue
                controls, changed = self._controls(claim.operation, form, damaged)
                notes = (f"Left alone, because somebody changed it since: {', '.join(changed)}.",) if changed else ()
                save = _Save(form, form.plan_controls(controls), controls, read_at, notes)
                if not save.plan.changes:
                    return save
                claim.check_sendable(read_at)
                try:
                    async with claim.sending({}):
                        await self._planso.save(form, save.plan)
                except PlansoUnsure as unsure:
                    log.info("write_unsure", order_id=order_id, operation=claim.operation.id)
                    return save._replace(unsure=unsure)
                return save
        raise AssertionError("the last reading is saved")

    def _controls(
        self, restore: Operation, form: Form, damaged: Sequence[Taken]
    ) -> tuple[Mapping[str, Sequence[str]], list[str]]:
        assert restore.controls is not None, "that is what a restore is"
        now = form.submitted
        controls, changed = still_damaged(restore.controls, damaged, now)
        if controls or not changed:
            return controls, changed
        conflicts = [
            Conflict(one.label or one.column, *(", ".join(v) for v in (one.after, now.get(one.column, ()), one.before)))
            for one in damaged
        ]
        raise Conflicting(f"Changed in PlanSo since: {', '.join(changed)}. Nothing was sent.", conflicts)

    async def _form(self, order_id: int, known: Order | None) -> Form:
        """
        The form as it is now. A blank one is believed only where the mirror was told that the order is blank: PlanSo
        shows one now and then for an order that is well. Raises NotFound, PlansoUnavailable.
        """
        held = known.values if known is not None else {}
        try:
            form = await self._planso.read_form(order_id)
        except NoForm:
            form = None
        is_empty = form is None or has_emptied(held, form.reading()) or (form.is_blank and any(held.values()))
        if (is_empty or known is None) and not await self._live.is_listed(order_id):
            raise NotFound(f"There is no order {order_id} in PlanSo.")
        if form is None or is_empty:
            raise PlansoUnavailable(f"PlanSo answers with an empty form for order {order_id}.")
        return form

    async def _read_back(self, save: _Save, known: Order | None) -> ReadBack:
        order_id = save.form.order_id
        assert order_id is not None, "what is saved was read"
        form, read_at, reason = None, "", ""
        for pause in PAUSES:
            await asyncio.sleep(pause)
            read_at = stamp(self._clock())
            try:
                with urgent(begin_by=asyncio.get_running_loop().time() + WITHIN):
                    form = await self._planso.read_form(order_id)
            except PlansoError as error:
                reason = str(error)
                continue
            if not _kept(form, save.controls):
                break
        if form is None:
            raise Later(f"PlanSo took the save, and then it could not be read back: {reason}")
        order, with_parts = await self._live.order(form, known)
        labels = frozenset(change.label for change in save.plan.changes)
        read_back = ReadBack(order, order.id, read_at, {}, save.notes, labels, with_parts)
        if kept := _kept(form, save.controls):
            if save.unsure is not None:
                raise Later(str(save.unsure))
            raise KeptOtherwise(ValueKept(kept), read_back)
        return read_back


def _kept(form: Form, controls: Mapping[str, Sequence[str]]) -> list[Kept]:
    """The controls that do not submit what was written back."""
    now = form.submitted
    return [
        Kept(name, name, sent=", ".join(values), kept=", ".join(now.get(name, ())))
        for name, values in controls.items()
        if tuple(now.get(name, ())) != tuple(values)
    ]
