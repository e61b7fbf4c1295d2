"""
Push an update: read the form, plan, read it again until two readings agree, save the later one with the asked controls
changed, read it back and compare. Transactions: the claim's mark before the save, nothing else; the settling is push's.

PlanSo's forms carry no version, so an edit that falls between the last reading and the save can't be told from none:
that window is one request long. What can be told, that a save that came late undid somebody's edit, is put back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import structlog

from planso_connector.domain import values
from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import Conflicting, PlansoUnavailable, PlansoUnsure, ValueKept
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.operation import Conflict
from planso_connector.domain.order import Order
from planso_connector.flows.claim import Claim, Later
from planso_connector.flows.live import Live, ReadBack, in_the_mirror
from planso_connector.flows.reading import Reader
from planso_connector.planso.client import Planso
from planso_connector.planso.form import Form
from planso_connector.planso.login import SessionEnded
from planso_connector.planso.plan import Plan

log = structlog.get_logger(__name__)

READINGS = 4
"""How often a form is read at most until two readings in a row agree; then the last one is taken."""

SAVES = 2
"""How often a save is begun at most: the second time only where an ended session kept the first from being seen."""


class KeptOtherwise(Exception):
    """PlanSo took the save, and its form read back holds other values: `error` names them."""

    def __init__(self, error: ValueKept, read_back: ReadBack) -> None:
        super().__init__(str(error))
        self.error = error
        self.read_back = read_back


class UpdatePush:
    """Lives as long as the process."""

    def __init__(self, planso: Planso, live: Live, reader: Reader, clock: Clock) -> None:
        self._planso = planso
        self._live = live
        self._reader = reader
        self._clock = clock

    async def carry_out(self, claim: Claim) -> ReadBack:
        """Raises KeptOtherwise, Conflicting, Later, Lost, Expired, and ConnectorErrors where nothing was saved."""
        operation = claim.operation
        assert operation.order_id is not None, "only a create has no order yet"
        read_at = stamp(self._clock())
        known = await self._reader.known(operation.order_id)
        form = await self._live.existing_form(operation.order_id, known)
        try:
            asked, left_alone = _allowed(claim, form, known)
        except Conflicting:
            await self._reader.keep(form.reading(), known, read_at)  # the caller is shown the order as it is
            raise
        plan = form.plan(asked)
        if not plan.changes:
            undone = _undone(claim.sent, await self._seen_since(claim), form)
            if not undone:
                return await self._unchanged(claim, form, known, read_at, (*left_alone, *plan.notes))
            asked = {**asked, **undone}
            plan = form.plan(asked)
            left_alone = (*left_alone, _put_back(form, undone))
        try:
            claim.check_sendable(read_at)
        except Later:
            await self._reader.keep(form.reading(), known, read_at)  # so that what people do meanwhile is known
            raise
        read_back = await self._saved(claim, form, known, asked, plan)
        return replace(read_back, notes=(*left_alone, *read_back.notes))

    async def _saved(
        self, claim: Claim, form: Form, known: Order | None, asked: Mapping[str, Value], plan: Plan
    ) -> ReadBack:
        """Saved, read back and compared; where it turns out that an earlier save came late, what it undid put back."""
        earlier = claim.sent
        for _ in range(SAVES):
            try:
                # Marked when its turn has come: how long it may land yet counts from there.
                async with self._planso.one_slot(), claim.sending(_before(plan, claim), _others(form, asked)):
                    form, plan, unsure = await self._save(claim, form, known, asked)
            except SessionEnded:
                assert form.order_id is not None, "what is saved was read"
                form = await self._live.existing_form(form.order_id, known, form)  # logs in, as no held slot may
                continue
            if not plan.changes:
                return await self._unchanged(claim, form, known, stamp(self._clock()), plan.notes)
            read_back, now = await self._read_back(claim, form, known, asked, plan, unsure)
            undone = _undone(earlier, form.reading().values, now)
            if not undone:
                return read_back
            note = _put_back(now, undone)
            again = await self._saved_once_more(claim, now, known, {**asked, **undone})
            return replace(again, before=read_back.before, notes=(*read_back.notes, note))
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be saved; nothing was saved.")

    async def _saved_once_more(
        self, claim: Claim, form: Form, known: Order | None, asked: Mapping[str, Value]
    ) -> ReadBack:
        form, plan, unsure = await self._save(claim, form, known, asked)
        read_back, _ = await self._read_back(claim, form, known, asked, plan, unsure)
        return read_back

    async def _seen_since(self, claim: Claim) -> Mapping[str, Value] | None:
        """What the mirror read from the order's form after the operation was sent; None where it did not."""
        assert claim.operation.order_id is not None, "only a create has no order yet"
        if claim.sent_at is None:
            return None
        return await self._reader.seen_since(claim.operation.order_id, claim.sent_at)

    async def _unchanged(
        self, claim: Claim, form: Form, known: Order | None, read_at: str, notes: tuple[str, ...]
    ) -> ReadBack:
        order, with_parts = await self._live.order(form, known)
        told = notes if claim.sent_at else (*notes, "Nothing differs from what PlanSo holds; nothing was sent.")
        return ReadBack(order, order.id, read_at, None, told, with_parts=with_parts)

    async def _save(
        self, claim: Claim, previous: Form, known: Order | None, asked: Mapping[str, Value]
    ) -> tuple[Form, Plan, PlansoUnsure | None]:
        """
        Read until two readings agree, and save the later one, reading and save in one slot of the throttle: nothing
        waits between them. The form and the plan that were saved, and why it is not sure, if it is not.
        """
        assert previous.order_id is not None, "what is saved was read"
        for reading in range(READINGS):
            async with self._planso.one_slot():
                form = await self._live.existing_form(previous.order_id, known, previous)
                if form.differences(previous) and reading + 1 < READINGS:
                    previous = form
                    continue
                _allowed(claim, form, known)
                plan = form.plan(asked)
                claim.check_held()
                try:
                    if plan.changes:
                        await self._planso.save(form, plan)
                except PlansoUnsure as unsure:
                    log.info("write_unsure", order_id=form.order_id, operation=claim.operation.id)
                    return form, plan, unsure
                return form, plan, None
        raise AssertionError("the last reading is saved")

    async def _read_back(
        self,
        claim: Claim,
        saved: Form,
        known: Order | None,
        asked: Mapping[str, Value],
        plan: Plan,
        unsure: PlansoUnsure | None,
    ) -> tuple[ReadBack, Form]:
        assert saved.order_id is not None, "what is saved was read"
        expected = {**_others(saved, asked), **asked}
        form, read_at = await self._live.form_after(saved.order_id, expected, f"the save of order {saved.order_id}")
        labels = frozenset(change.label for change in plan.changes)
        meanwhile = [label for label, _, _ in saved.differences(form) if label not in labels]
        notes = plan.notes
        if meanwhile:
            notes = (*notes, f"Changed in PlanSo at the same time: {', '.join(meanwhile)}.")
        order, with_parts = await self._live.order(form, known)
        read_back = ReadBack(order, order.id, read_at, _before(plan, claim), notes, labels, with_parts)
        kept = form.not_taken_over(asked)
        if kept and unsure is not None:
            # What people did meanwhile is known then, also where the save lands yet and undoes it.
            await self._reader.keep(form.reading(), known, read_at)
            raise Later(str(unsure))
        if kept:
            raise KeptOtherwise(ValueKept(kept), read_back)
        return read_back, form


def _before(plan: Plan, claim: Claim) -> dict[str, Value]:
    """What the form held before the operation, also where an earlier attempt got a part of it through."""
    now = {change.path: change.before for change in plan.changes if change.path in claim.operation.asked}
    return {**(claim.operation.before or {}), **now}


def _others(form: Form, asked: Mapping[str, Value]) -> dict[str, Value]:
    """What the form holds in the fields that are not asked. A label may carry two fields (`VIN`)."""
    labels = {BY_PATH[path].labels for path in asked}
    return {path: held for path, held in form.reading().values.items() if BY_PATH[path].labels not in labels}


def _allowed(claim: Claim, form: Form, known: Order | None) -> tuple[dict[str, Value], tuple[str, ...]]:
    """
    What may be written of what was asked, by what the caller relies on; and notes on what is left alone. Raises
    Conflicting.
    """
    operation = claim.operation
    asked = dict(operation.asked)
    if operation.base is None:
        return asked, ()
    reading = form.reading()
    held = (in_the_mirror(known, reading) if known is not None else reading).values
    conflicts = [
        Conflict(path, base, held.get(path), asked[path])
        for path, base in operation.base.items()
        if not _is(path, held.get(path), base) and not _is(path, held.get(path), asked[path])
    ]
    if not conflicts:
        return asked, ()
    names = ", ".join(conflict.field for conflict in conflicts)
    if operation.undoes is None or len(conflicts) == len(asked):
        raise Conflicting(f"Changed in PlanSo since: {names}. Nothing was sent.", conflicts)
    for conflict in conflicts:
        del asked[conflict.field]
    return asked, (f"Left alone, because somebody changed it since: {names}.",)


def _is(path: str, one: Value, other: Value) -> bool:
    return values.same(BY_PATH[path].kind, one, other)


def _undone(
    sent: Mapping[str, Value] | None, seen: Mapping[str, Value] | None, form: Form
) -> dict[str, Value]:  # fmt: skip
    """
    What a save of ours undid by coming late: fields that it sent as they were, that then were seen otherwise, and that
    are again as it sent them.
    """
    if sent is None or seen is None:
        return {}
    now = form.reading()
    return {
        path: seen[path]
        for path, value in sent.items()
        if path in seen
        and path in now.found - now.unreadable
        and _is(path, now.values.get(path), value)
        and not _is(path, seen[path], value)
    }


def _put_back(form: Form, undone: Mapping[str, Value]) -> str:
    return f"Put back what this write had undone by coming late: {', '.join(undone)}."
