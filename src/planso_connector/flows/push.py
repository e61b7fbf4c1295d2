"""
Push: carry one operation to PlanSo and settle it. No transaction is open while PlanSo is talked to; what was read back
and the settled operation are stored in one transaction at the end.

An update reads the form to plan, reads it again until two readings agree (somebody may be at it in this moment), saves
the later one with the asked controls changed, reads it back and compares. PlanSo's forms carry no version, so an edit
that falls between the last reading and the save can't be told from none: that window is one request long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from weakref import WeakValueDictionary

import structlog

from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import (
    ConnectorError,
    Invalid,
    NotFound,
    PlansoError,
    PlansoRefused,
    PlansoTimeout,
    PlansoUnavailable,
    PlansoUnsure,
    StoreUnavailable,
    ValueKept,
)
from planso_connector.domain.fields import BY_PATH, FIELDS, Value
from planso_connector.domain.operation import Action, Operation, State
from planso_connector.domain.order import Order, has_emptied, is_somebodys, refreshed
from planso_connector.domain.trust import believable_form
from planso_connector.flows.read_back import Pushed, ReadBack, ReadBackDiffers
from planso_connector.flows.reading import Reader
from planso_connector.planso.client import Planso
from planso_connector.planso.form import Form, NoForm
from planso_connector.planso.login import SessionEnded
from planso_connector.planso.plan import Plan
from planso_connector.planso.throttle import urgent
from planso_connector.store import operations, orders
from planso_connector.store.engine import Database, Transaction

log = structlog.get_logger(__name__)

READINGS = 4
"""How often a form is read at most until two readings in a row agree; then the last one is taken."""

READ_BACK_PAUSES = (0.0, 0.3, 1.0)
"""Seconds before each try to read back what was sent."""

READ_BACK_WITHIN = 60.0
"""Seconds within which each of these begins, whatever PlanSo asks for."""

SAVES = 2
"""How often a save is begun at most: the second time only where an ended session kept the first from being seen."""


class Pusher:
    """Lives as long as the process. Operations of one order go one after the other, those of different orders apart."""

    def __init__(self, database: Database, planso: Planso, reader: Reader, workshop: str, clock: Clock) -> None:
        self._database = database
        self._planso = planso
        self._reader = reader
        self._workshop = workshop
        self._clock = clock
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def push(self, operation: Operation, deadline: float) -> Pushed:
        """
        Carry out `operation`; nothing is sent to be saved after `deadline` (in the loop's time). Raises what the
        caller must be told; by then the operation is settled and the mirror has what was read back.
        """
        with urgent(begin_by=deadline):
            try:
                async with self._turn(operation.order_id):
                    done = await self._carry_out(operation, deadline)
                    await self._settle(operation, done, State.CONFIRMED)
            except ReadBackDiffers as differs:
                await self._settle(operation, differs.read_back, differs.state, str(differs.error), differs.order_id)
                raise differs.error from None
            except StoreUnavailable:
                raise  # PlanSo may have it: the operation stays pending, and a later look settles it
            except ConnectorError as error:
                state = State.REFUSED if isinstance(error, (PlansoRefused, Invalid, NotFound)) else State.EXPIRED
                await self._settle(operation, None, state, str(error))
                raise
            except Exception:
                await self._settle(operation, None, State.EXPIRED, "A fault in the connector; its log has the place.")
                raise
        return Pushed(done.order_id, done.notes)

    async def look(self, operation: Operation) -> None:
        """
        Settle an operation that an earlier process left pending: confirmed if PlanSo shows what was asked, expired if
        not. Nothing is sent. Raises PlansoError when PlanSo can't be asked; the operation then stays pending.
        """
        done = await self._already_there(operation)
        if done is not None:
            await self._settle(operation, done, State.CONFIRMED)
            return
        await self._settle(
            operation,
            None,
            State.EXPIRED,
            "The connector stopped before PlanSo confirmed this write; PlanSo does not show it, or can't tell.",
        )

    def _turn(self, order_id: int | None) -> AbstractAsyncContextManager[None]:
        if order_id is None:
            return asyncio.Lock()
        return self._locks.setdefault(order_id, asyncio.Lock())

    async def _carry_out(self, operation: Operation, deadline: float) -> ReadBack:
        if operation.action is Action.CREATE:
            return await self._create(operation)
        assert operation.order_id is not None, "only a create has no order yet"
        if operation.action is Action.DELETE:
            return await self._delete(operation.order_id)
        return await self._update(operation.order_id, operation.asked, deadline)

    # update -----------------------------------------------------------------------------------------------------

    async def _update(self, order_id: int, asked: Mapping[str, Value], deadline: float) -> ReadBack:
        read_at = self._now()
        known = await self._reader.known(order_id)
        form = await self._existing_form(order_id, known)
        plan = form.plan(asked)
        if not plan.changes:
            return await self._unchanged(form, plan, read_at)
        for _ in range(SAVES):
            try:
                form, plan, unsure = await self._save(form, known, asked, deadline)
            except SessionEnded:
                form = await self._existing_form(order_id, known, form)  # logs in, which a held slot must not wait for
                continue
            if not plan.changes:
                return await self._unchanged(form, plan, read_at)
            return await self._after_save(form, asked, plan, unsure)
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be saved; nothing was saved.")

    async def _unchanged(self, form: Form, plan: Plan, read_at: str) -> ReadBack:
        notes = (*plan.notes, "Nothing differs from what PlanSo holds; nothing was sent.")
        return await self._read_back(form, read_at, before={}, notes=notes)

    async def _save(
        self, previous: Form, known: Order | None, asked: Mapping[str, Value], deadline: float
    ) -> tuple[Form, Plan, PlansoUnsure | None]:
        """
        Read until two readings agree, and save the later one, reading and save in one slot of the throttle: nothing
        waits between them. The form and the plan that were saved, and why it is not sure, if it is not.
        """
        assert previous.order_id is not None, "what is saved was read"
        for reading in range(READINGS):
            async with self._planso.one_slot():
                form = await self._existing_form(previous.order_id, known, previous)
                if form.differences(previous) and reading + 1 < READINGS:
                    previous = form
                    continue
                plan = form.plan(asked)
                _check_time(deadline)
                try:
                    if plan.changes:
                        await self._planso.save(form, plan)
                except PlansoUnsure as unsure:
                    log.info("write_unsure", order_id=form.order_id)
                    return form, plan, unsure
                return form, plan, None
        raise AssertionError("the last reading is saved")

    async def _after_save(
        self, sent: Form, asked: Mapping[str, Value], plan: Plan, unsure: PlansoUnsure | None
    ) -> ReadBack:
        assert sent.order_id is not None, "what is saved was read"
        # A label may carry two fields (`VIN`): what was asked of one goes for both.
        asked_of = {BY_PATH[path].labels for path in asked}
        others = {path: held for path, held in sent.reading().values.items() if BY_PATH[path].labels not in asked_of}
        expected = {**others, **asked}
        form, read_at = await self._read_after(sent.order_id, expected, f"the save of order {sent.order_id}")
        before = {change.path: change.before for change in plan.changes}
        changed_labels = {change.label for change in plan.changes}
        meanwhile = [label for label, _, _ in sent.differences(form) if label not in changed_labels]
        notes = plan.notes
        if meanwhile:
            notes = (*notes, f"Changed in PlanSo at the same time: {', '.join(meanwhile)}.")
        read_back = await self._read_back(form, read_at, before, notes)
        kept = form.not_taken_over(asked)
        if not kept:
            return read_back
        if unsure is not None and not unsure.answered:
            raise ReadBackDiffers(unsure, read_back, State.EXPIRED)
        # What PlanSo answered with an error may still land.
        raise ReadBackDiffers(ValueKept(kept), read_back, State.EXPIRED if unsure is not None else State.REFUSED)

    async def _read_after(self, order_id: int, expected: Mapping[str, Value], what: str) -> tuple[Form, str]:
        """
        The form after something was sent, and when it was asked for. An empty one is PlanSo's hiccup, unless no value
        is expected: who cleared everything finds everything cleared. Raises PlansoUnsure where it can't be read: by
        then nobody may say that nothing happened.
        """
        reason = ""
        for pause in READ_BACK_PAUSES:
            await asyncio.sleep(pause)
            read_at = self._now()
            try:
                with urgent(begin_by=_in(READ_BACK_WITHIN)):  # also when the caller's time is up
                    form = await self._planso.read_form(order_id)
            except PlansoError as error:
                reason = str(error)
                continue
            is_hiccup = form.is_blank and any(expected.values())
            if not is_hiccup and not has_emptied(expected, form.reading()):
                return form, read_at
            reason = "PlanSo answers with an empty form"
        raise PlansoUnsure(
            f"PlanSo took {what}, and then it could not be read back: {reason}. Whether PlanSo has it is not known; "
            "read the order before trying again."
        )

    async def _existing_form(self, order_id: int, known: Order | None, previous: Form | None = None) -> Form:
        """
        The form as it is now. An empty form is what PlanSo shows for an order that does not exist, and now and then
        for one that does: saving that would wipe the order, so nothing is sent. Raises NotFound, PlansoUnavailable.
        """
        try:
            form = await self._planso.read_form(order_id)
        except NoForm:
            if await self._is_listed(order_id):
                raise
            raise NotFound(f"There is no order {order_id} in PlanSo.") from None
        reading = form.reading()
        emptied = form.is_blank or has_emptied(known.values if known is not None else {}, reading)
        if previous is not None:
            emptied = emptied or has_emptied(previous.reading().values, reading)
        if known is not None and not known.archived and not emptied:
            return form
        if await self._is_listed(order_id):
            if emptied:
                raise PlansoUnavailable(f"PlanSo answers with an empty form for order {order_id}; nothing was sent.")
            return form
        if emptied or not is_somebodys(reading):
            raise NotFound(f"There is no order {order_id} in PlanSo.")
        return form

    async def _is_listed(self, order_id: int) -> bool:
        return any(entry.order_id == order_id for entry in await self._planso.board())

    async def _read_back(
        self, form: Form, read_at: str, before: Mapping[str, Value] | None, notes: tuple[str, ...]
    ) -> ReadBack:
        assert form.order_id is not None, "what is read back was read"
        known = await self._reader.known(form.order_id)
        if known is not None:
            reading, _ = believable_form(known, form.reading())
            return ReadBack(refreshed(known, reading), form.order_id, read_at, before, notes)
        order = await self._reader.whole(form.order_id, form.reading())
        return ReadBack(order, form.order_id, read_at, before, notes, with_parts=True)

    # create and delete ------------------------------------------------------------------------------------------

    async def _create(self, operation: Operation) -> ReadBack:
        order_id, plan = await self._insert(operation)
        try:
            form, read_at = await self._read_after(order_id, operation.asked, f"the new order {order_id}")
        except PlansoUnsure as unsure:
            raise ReadBackDiffers(unsure, None, State.EXPIRED, order_id) from None
        order = await self._reader.whole(order_id, form.reading())
        read_back = ReadBack(order, order_id, read_at, {}, plan.notes, with_parts=True)
        kept = form.not_taken_over(operation.asked)
        if kept:
            error = PlansoRefused(f"Order {order_id} was created, but: {ValueKept(kept)}")
            raise ReadBackDiffers(error, read_back, State.REFUSED, order_id)
        return read_back

    async def _insert(self, operation: Operation) -> tuple[int, Plan]:
        for _ in range(SAVES):
            blank = await self._planso.blank_form()
            asked = {**_defaults(blank, operation.asked), **operation.asked}
            plan = blank.plan(asked)
            try:
                return await self._planso.create(blank, plan), plan
            except SessionEnded:
                continue
            except PlansoUnsure as unsure:
                told = f"{unsure}. PlanSo may have created the order; look for it before trying again."
                raise PlansoUnsure(told, answered=unsure.answered) from None
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be created; nothing was saved.")

    async def _delete(self, order_id: int) -> ReadBack:
        known = await self._reader.known(order_id)
        for _ in range(SAVES):
            form = await self._existing_form(order_id, known)
            unsure: PlansoUnsure | None = None
            try:
                await self._planso.delete(order_id)
            except SessionEnded:
                continue
            except PlansoUnsure as error:
                unsure = error
            return await self._after_delete(order_id, form, unsure)
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be deleted; nothing was deleted.")

    async def _after_delete(self, order_id: int, form: Form, unsure: PlansoUnsure | None) -> ReadBack:
        read_at = self._now()
        try:
            with urgent(begin_by=_in(READ_BACK_WITHIN)):
                gone = await self._is_gone(order_id, form.reading().values)
        except PlansoError as error:
            told = f"PlanSo took the deletion of order {order_id}, and then could not be asked: {error}"
            raise PlansoUnsure(f"{told}. Read the order before trying again.") from None
        if not gone:
            raise unsure or PlansoRefused(f"PlanSo still shows order {order_id} after it was deleted.")
        return ReadBack(None, order_id, read_at, None)

    async def _is_gone(self, order_id: int, held: Mapping[str, Value]) -> bool:
        try:
            form = await self._planso.read_form(order_id)
        except NoForm:
            emptied = True
        else:
            emptied = form.is_blank or has_emptied(held, form.reading()) or not is_somebodys(form.reading())
        return emptied and not await self._is_listed(order_id)

    # settling ---------------------------------------------------------------------------------------------------

    async def _already_there(self, operation: Operation) -> ReadBack | None:
        if operation.order_id is None:
            return None
        known = await self._reader.known(operation.order_id)
        read_at = self._now()
        if operation.action is Action.DELETE:
            gone = await self._is_gone(operation.order_id, known.values if known is not None else {})
            return ReadBack(None, operation.order_id, read_at, None) if gone else None
        try:
            form = await self._existing_form(operation.order_id, known)
        except NotFound:
            return None
        if form.not_taken_over(operation.asked):
            return None
        return await self._read_back(form, read_at, before=None, notes=())

    async def _settle(
        self,
        operation: Operation,
        done: ReadBack | None,
        state: State,
        message: str = "",
        order_id: int | None = None,
    ) -> None:
        now = self._now()

        def work(tx: Transaction) -> None:
            if done is not None and done.order is not None:
                orders.save(tx, self._workshop, done.order, read_at=done.read_at, now=now, with_parts=done.with_parts)
            elif done is not None:
                orders.mark_deleted(tx, self._workshop, done.order_id, now=now, read_at=done.read_at)
            operations.settle(
                tx,
                self._workshop,
                operation.id,
                state=state,
                message=message or " ".join(done.notes if done else ()),
                before=done.before if done else None,
                order_id=done.order_id if done else order_id or operation.order_id,
                now=now,
            )

        await self._database.write(work)
        log.info("operation_settled", operation=operation.id, action=operation.action, state=state)

    def _now(self) -> str:
        return stamp(self._clock())


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def _check_time(deadline: float) -> None:
    if asyncio.get_running_loop().time() > deadline:
        raise PlansoTimeout("PlanSo was too slow; the time of this write was up before anything was sent.")


def _defaults(blank: Form, asked: Mapping[str, Value]) -> dict[str, Value]:
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
