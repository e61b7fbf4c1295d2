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
from dataclasses import dataclass
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
    ValueKept,
)
from planso_connector.domain.fields import FIELDS, Value
from planso_connector.domain.operation import Action, Operation, State
from planso_connector.domain.order import Order, PartsReading, compose, has_emptied, refreshed
from planso_connector.planso.client import Planso
from planso_connector.planso.form import Form
from planso_connector.planso.login import SessionEnded
from planso_connector.planso.plan import Plan
from planso_connector.store import operations, orders
from planso_connector.store.engine import Database, Transaction

log = structlog.get_logger(__name__)

READINGS = 4
"""How often a form is read at most until two readings in a row agree; then the last one is taken."""

SAVES = 2
"""How often a save is begun at most: the second time only where an ended session kept the first from being seen."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What came of an operation that PlanSo confirmed."""

    order_id: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _ReadBack:
    order: Order | None
    """None: gone, the order was deleted."""
    order_id: int
    read_at: str
    before: Mapping[str, Value] | None
    notes: tuple[str, ...] = ()
    with_parts: bool = False


class Pusher:
    """Lives as long as the process. Operations of one order go one after the other, those of different orders apart."""

    def __init__(self, database: Database, planso: Planso, workshop: str, clock: Clock) -> None:
        self._database = database
        self._planso = planso
        self._workshop = workshop
        self._clock = clock
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def push(self, operation: Operation, deadline: float) -> Pushed:
        """
        Carry out `operation`; nothing is sent to be saved after `deadline` (in the loop's time). Raises what the
        caller must be told; by then the operation is settled and the mirror has what was read back.
        """
        try:
            async with self._turn(operation.order_id):
                done = await self._carry_out(operation, deadline)
                await self._settle(operation, done, State.CONFIRMED)
        except _ReadBackDiffers as differs:
            await self._settle(operation, differs.read_back, State.REFUSED, str(differs.error))
            raise differs.error from None
        except ConnectorError as error:
            state = State.REFUSED if isinstance(error, (PlansoRefused, Invalid, NotFound)) else State.EXPIRED
            await self._settle(operation, None, state, str(error))
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

    async def _carry_out(self, operation: Operation, deadline: float) -> _ReadBack:
        if operation.action is Action.CREATE:
            return await self._create(operation, deadline)
        assert operation.order_id is not None, "only a create has no order yet"
        if operation.action is Action.DELETE:
            return await self._delete(operation.order_id, deadline)
        return await self._update(operation.order_id, operation.asked, deadline)

    # update -----------------------------------------------------------------------------------------------------

    async def _update(self, order_id: int, asked: Mapping[str, Value], deadline: float) -> _ReadBack:
        read_at = self._now()
        form = await self._existing_form(order_id)
        plan = form.plan(asked)
        if not plan.changes:
            notes = (*plan.notes, "Nothing differs from what PlanSo holds; nothing was sent.")
            return await self._read_back(order_id, form, read_at, before={}, notes=notes)
        for _ in range(SAVES):
            form = await self._settled_form(order_id, form)
            plan = form.plan(asked)
            _check_time(deadline)
            try:
                await self._planso.save(form, plan)
            except SessionEnded:
                continue
            except PlansoUnsure as unsure:
                log.info("write_unsure", order_id=order_id, error=type(unsure).__name__)
                return await self._after_save(form, asked, plan, unsure)
            return await self._after_save(form, asked, plan, None)
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be saved; nothing was saved.")

    async def _after_save(
        self, sent: Form, asked: Mapping[str, Value], plan: Plan, unsure: PlansoUnsure | None
    ) -> _ReadBack:
        assert sent.order_id is not None, "what is saved was read"
        read_at = self._now()
        form = await self._planso.read_form(sent.order_id)
        if form.is_blank and not sent.is_blank:
            raise unsure or PlansoUnsure("PlanSo answers with an empty form after the save.")
        before = {change.path: change.before for change in plan.changes}
        changed_labels = {change.label for change in plan.changes}
        meanwhile = [label for label, _, _ in sent.differences(form) if label not in changed_labels]
        notes = plan.notes
        if meanwhile:
            notes = (*notes, f"Changed in PlanSo at the same time: {', '.join(meanwhile)}.")
        read_back = await self._read_back(sent.order_id, form, read_at, before, notes)
        kept = form.not_taken_over(asked)
        if kept:
            raise _ReadBackDiffers(unsure or ValueKept(kept), read_back)
        return read_back

    async def _existing_form(self, order_id: int) -> Form:
        """
        The form as it is now. An empty form is what PlanSo shows for an order that does not exist, and now and then
        for one that does: saving that would wipe the order, so nothing is sent.
        """
        form = await self._planso.read_form(order_id)
        known = await self._database.read(lambda tx: orders.load(tx, self._workshop, order_id))
        emptied = has_emptied(known, form.reading())
        if known is not None and not known.archived and not emptied and not form.is_blank:
            return form
        if any(entry.order_id == order_id for entry in await self._planso.board()):
            if emptied:
                raise PlansoUnavailable(f"PlanSo answers with an empty form for order {order_id}; nothing was sent.")
            return form
        if form.is_blank or emptied or not form.differences(await self._planso.blank_form()):
            raise NotFound(f"There is no order {order_id} in PlanSo.")
        return form

    async def _settled_form(self, order_id: int, previous: Form) -> Form:
        for _ in range(READINGS):
            form = await self._planso.read_form(order_id)
            if not form.differences(previous):
                return form
            previous = form
        return previous

    async def _read_back(
        self, order_id: int, form: Form, read_at: str, before: Mapping[str, Value] | None, notes: tuple[str, ...]
    ) -> _ReadBack:
        known = await self._database.read(lambda tx: orders.load(tx, self._workshop, order_id))
        if known is not None:
            return _ReadBack(refreshed(known, form.reading()), order_id, read_at, before, notes)
        order = await self._whole_order(order_id, form)
        return _ReadBack(order, order_id, read_at, before, notes, with_parts=True)

    async def _whole_order(self, order_id: int, form: Form) -> Order:
        parts: PartsReading | None = None
        try:
            parts = await self._planso.parts(order_id)
        except PlansoError as error:
            log.warning("parts_unread", order_id=order_id, error=type(error).__name__)
        board = await self._planso.board()
        entry = next((entry for entry in board if entry.order_id == order_id), None)
        return compose(entry, order_id, form.reading(), parts)

    # create and delete ------------------------------------------------------------------------------------------

    async def _create(self, operation: Operation, deadline: float) -> _ReadBack:
        blank = await self._planso.blank_form()
        asked = {**_defaults(blank, operation.asked), **operation.asked}
        plan = blank.plan(asked)
        _check_time(deadline)
        try:
            order_id = await self._planso.create(blank, plan)
        except SessionEnded:
            blank = await self._planso.blank_form()
            order_id = await self._planso.create(blank, blank.plan(asked))
        read_at = self._now()
        form = await self._planso.read_form(order_id)
        if form.is_blank and any(value is not None for value in asked.values()):
            raise PlansoRefused(f"PlanSo named the new order {order_id}, and shows an empty form for it.")
        order = await self._whole_order(order_id, form)
        read_back = _ReadBack(order, order_id, read_at, {}, plan.notes, with_parts=True)
        kept = form.not_taken_over(operation.asked)
        if kept:
            error = ValueKept(kept)
            raise _ReadBackDiffers(PlansoRefused(f"Order {order_id} was created, but: {error}"), read_back)
        return read_back

    async def _delete(self, order_id: int, deadline: float) -> _ReadBack:
        await self._existing_form(order_id)
        _check_time(deadline)
        unsure: PlansoUnsure | None = None
        try:
            await self._planso.delete(order_id)
        except SessionEnded:
            await self._existing_form(order_id)
            await self._planso.delete(order_id)
        except PlansoUnsure as error:
            unsure = error
        read_at = self._now()
        if not await self._gone(order_id):
            raise unsure or PlansoRefused(f"PlanSo still shows order {order_id} after it was deleted.")
        return _ReadBack(None, order_id, read_at, None)

    async def _gone(self, order_id: int) -> bool:
        form = await self._planso.read_form(order_id)
        return form.is_blank and all(e.order_id != order_id for e in await self._planso.board())

    # settling ---------------------------------------------------------------------------------------------------

    async def _already_there(self, operation: Operation) -> _ReadBack | None:
        if operation.order_id is None:
            return None
        read_at = self._now()
        if operation.action is Action.DELETE:
            gone = await self._gone(operation.order_id)
            return _ReadBack(None, operation.order_id, read_at, None) if gone else None
        form = await self._planso.read_form(operation.order_id)
        if form.is_blank or form.not_taken_over(operation.asked):
            return None
        return await self._read_back(operation.order_id, form, read_at, before=None, notes=())

    async def _settle(self, operation: Operation, done: _ReadBack | None, state: State, message: str = "") -> None:
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
                order_id=done.order_id if done else operation.order_id,
                now=now,
            )

        await self._database.write(work)
        log.info("operation_settled", operation=operation.id, action=operation.action, state=state)

    def _now(self) -> str:
        return stamp(self._clock())


class _ReadBackDiffers(Exception):
    """The save was answered, and the form read back is not what was asked: the mirror takes what it holds."""

    def __init__(self, error: ConnectorError, read_back: _ReadBack) -> None:
        super().__init__(str(error))
        self.error = error
        self.read_back = read_back


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
