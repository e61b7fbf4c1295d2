"""
Push an update: read the form, plan, read it again until two readings agree, save the later one with the asked controls
changed, read it back and compare. Transactions: the claim's mark before the save, nothing else; the settling is push's.

PlanSo's forms carry no version, so an edit that falls between the last reading and the save can't be told from none:
that window is one request long. What can be told, that a save undid an edit which was seen meanwhile, is put back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import (
    Ambiguous,
    Conflicting,
    ConnectorError,
    Expired,
    PlansoUnavailable,
    PlansoUnsure,
    ValueKept,
)
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.operation import Conflict, Operation
from planso_connector.domain.order import Order
from planso_connector.flows import undone as undoing
from planso_connector.flows.claim import Claim, Later
from planso_connector.flows.live import Live, ReadBack, in_the_mirror
from planso_connector.flows.reading import Reader
from planso_connector.flows.undone import Undone, same
from planso_connector.planso.client import Planso
from planso_connector.planso.form import Form
from planso_connector.planso.login import SessionEnded
from planso_connector.planso.plan import Plan
from planso_connector.planso.watch import Watch

log = structlog.get_logger(__name__)

READINGS = 4
"""How often a form is read at most until two readings in a row agree; then the last one is taken."""

PUT_BACKS = 3
"""How often what a save undid is saved again at most: each of these may undo an edit too."""

SAVES = 2
"""How often a save is begun at most: the second time only where an ended session kept the first from being seen."""


class KeptOtherwise(Exception):
    """PlanSo took the save, and its form read back holds other values: `error` names them."""

    def __init__(self, error: ValueKept, read_back: ReadBack) -> None:
        super().__init__(str(error))
        self.error = error
        self.read_back = read_back


@dataclass(frozen=True, slots=True)
class _Save:
    """The form that was saved, and how. Without changes in the plan, nothing was."""

    form: Form
    plan: Plan
    wanted: Mapping[str, Value]
    """What was asked, and what was put back."""
    read_at: str
    """When the form was asked for."""
    unsure: PlansoUnsure | None = None
    """Why it is not sure, if it is not."""


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
        asked, left_alone = await self._allowed(claim, form, known, read_at)
        seen = await self._seen(claim)
        undone = _undone(claim, asked, seen, form)
        plan = form.plan({**asked, **undoing.still(undone, form)})
        notes = (*left_alone, *plan.notes, *undoing.told(undone, form))
        if not plan.changes:
            return await self._unchanged(claim, form, known, read_at, notes)
        try:
            claim.check_sendable(read_at)
        except (Expired, Ambiguous):
            if claim.sent_at is None or form.plan(asked).changes:
                raise
            return await self._unchanged(claim, form, known, read_at, notes)
        except Later:
            await self._reader.keep(form.reading(), known, read_at)  # so that what people do meanwhile is known
            raise
        undoing.add(seen, form)
        read_back = await self._saved(claim, form, known, asked, undone, seen)
        return replace(read_back, notes=(*left_alone, *read_back.notes))

    async def _saved(
        self,
        claim: Claim,
        form: Form,
        known: Order | None,
        asked: Mapping[str, Value],
        undone: Mapping[str, Undone],
        seen: dict[str, list[Value]],
    ) -> ReadBack:
        """
        Saved, read back and compared. Where it turns out that an earlier save came late, or that somebody in this
        process was shown an edit while this one was on its way, what that undid is put back.
        """
        order_id, earlier = claim.operation.order_id, claim.sent
        assert order_id is not None, "only a create has no order yet"
        with self._planso.watches.of(order_id) as watch:
            for _ in range(SAVES):
                try:
                    save = await self._save(claim, form, known, asked, undone, watch)
                except SessionEnded:
                    form = await self._live.existing_form(order_id, known, form)  # logs in, as no held slot may
                    continue
                late = {**undone, **_undone(claim, asked, seen, save.form, sent=earlier)}
                if not save.plan.changes and late == undone:
                    return await self._unchanged(claim, save.form, known, save.read_at, save.plan.notes)
                if save.plan.changes:
                    read_back, now = await self._read_back(claim, save, known, asked)
                    late |= _undone_meanwhile(earlier, save, now) | _overtaken(claim, watch, save, now)
                else:
                    now = save.form
                    read_back = await self._unchanged(claim, now, known, save.read_at, save.plan.notes)
                if late != undone:
                    return await self._put_back(claim, now, known, asked, late, read_back, watch)
                if save.unsure is not None and undoing.missing(undone, now) and not claim.is_late:
                    raise Later(str(save.unsure))
                return replace(read_back, notes=(*undoing.told(undone, now), *read_back.notes))
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be saved; nothing was saved.")

    async def _put_back(
        self,
        claim: Claim,
        form: Form,
        known: Order | None,
        asked: Mapping[str, Value],
        late: dict[str, Undone],
        done: ReadBack,
        watch: Watch,
    ) -> ReadBack:
        """Once more, with what was undone, now or later. What was asked is there already, so a no is only told."""
        notes = done.notes
        try:
            for _ in range(PUT_BACKS):
                save = await self._save(claim, form, known, asked, late, watch)
                if not save.plan.changes:
                    form = save.form
                    break
                again, form = await self._read_back(claim, save, known, save.wanted)
                done = replace(again, before=done.before, labels=done.labels)
                overtaken = _overtaken(claim, watch, save, form)
                if not overtaken:
                    break
                late = late | overtaken
        except (KeptOtherwise, Later, ConnectorError) as error:
            if isinstance(error, Later | PlansoUnavailable | PlansoUnsure) and not claim.is_late:
                claim.sent = {**(claim.sent or {}), **{path: list(one) for path, one in late.items()}}
                raise Later(str(error)) from error
            log.warning("not_put_back", operation=claim.operation.id, error=type(error).__name__)
        return replace(done, notes=(*notes, *undoing.told(late, form)))

    async def _seen(self, claim: Claim) -> dict[str, list[Value]]:
        """What each field was seen to become between when the operation was last sent and when that took effect."""
        assert claim.operation.order_id is not None, "only a create has no order yet"
        if claim.sent_at is None:
            return {}
        versions = await self._reader.seen_since(claim.operation.order_id, claim.sent_at)
        return undoing.before_it_landed(claim.operation, claim.sent, versions)

    async def _allowed(
        self, claim: Claim, form: Form, known: Order | None, read_at: str
    ) -> tuple[dict[str, Value], tuple[str, ...]]:
        """As `allowed`; a conflict with what may be on its way still is none yet. The mirror takes what conflicts."""
        try:
            return allowed(claim.operation, form, known)
        except Conflicting as conflict:
            await self._reader.keep(form.reading(), known, read_at)  # the caller is shown the order as it is
            if claim.sent_at is None:
                raise
            claim.check_sendable(read_at)
            names = ", ".join(one.field for one in conflict.conflicts)
            told = f"Changed in PlanSo since: {names}. What was sent earlier is not there any more."
            raise Conflicting(told, conflict.conflicts) from None

    async def _unchanged(
        self, claim: Claim, form: Form, known: Order | None, read_at: str, notes: tuple[str, ...]
    ) -> ReadBack:
        order, with_parts = await self._live.order(form, known)
        told = notes if claim.sent_at else (*notes, "Nothing differs from what PlanSo holds; nothing was sent.")
        return ReadBack(order, order.id, read_at, None, told, with_parts=with_parts)

    async def _save(
        self,
        claim: Claim,
        previous: Form,
        known: Order | None,
        asked: Mapping[str, Value],
        undone: Mapping[str, Undone],
        watch: Watch,
    ) -> _Save:
        """
        Read until two readings agree, and save the later one, reading and save in one slot of the throttle: nothing
        waits between them but the mark.
        """
        assert previous.order_id is not None, "what is saved was read"
        for reading in range(READINGS):
            async with self._planso.one_slot():
                read_at = stamp(self._clock())
                form = await self._live.existing_form(previous.order_id, known, previous)
                if form.differences(previous) and reading + 1 < READINGS:
                    previous = form
                    continue
                watch.begin()
                await self._allowed(claim, form, known, read_at)
                wanted = {**asked, **undoing.still(undone, form)}
                plan = form.plan(wanted)
                save = _Save(form, plan, wanted, read_at)
                if not plan.changes:
                    return save
                try:
                    # Marked here and not before: how long it may land yet counts from the mark.
                    async with claim.sending(_before(plan, claim), _sent(form, wanted, claim.operation)):
                        await self._planso.save(form, plan)
                except PlansoUnsure as unsure:
                    log.info("write_unsure", order_id=form.order_id, operation=claim.operation.id)
                    return replace(save, unsure=unsure)
                return save
        raise AssertionError("the last reading is saved")

    async def _read_back(
        self, claim: Claim, save: _Save, known: Order | None, asked: Mapping[str, Value]
    ) -> tuple[ReadBack, Form]:
        saved, plan = save.form, save.plan
        assert saved.order_id is not None, "what is saved was read"
        expected = {**_others(saved, asked), **asked}
        form, read_at = await self._live.form_after(saved.order_id, expected, f"the save of order {saved.order_id}")
        labels = frozenset(change.label for change in plan.changes)
        meanwhile = [
            f"{label} ('{before}', now '{now}')"
            for label, before, now in saved.differences(form)
            if label not in labels
        ]
        notes = plan.notes
        if meanwhile:
            notes = (*notes, f"Changed in PlanSo at the same time: {', '.join(meanwhile)}.")
        order, with_parts = await self._live.order(form, known)
        read_back = ReadBack(order, order.id, read_at, _before(plan, claim), notes, labels, with_parts)
        kept = form.not_taken_over(asked)
        if kept and save.unsure is not None:
            # What people did meanwhile is known then, also where the save lands yet and undoes it.
            await self._reader.keep(form.reading(), known, read_at)
            raise Later(str(save.unsure))
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


def _sent(form: Form, wanted: Mapping[str, Value], operation: Operation) -> dict[str, list[Value]]:
    """As in Operation. `wanted` is what was asked, and what is put back."""
    held = form.reading().values
    back = {path: [held.get(path), value] for path, value in wanted.items() if path not in operation.asked}
    return {path: [value] for path, value in _others(form, wanted).items()} | back


def allowed(operation: Operation, form: Form, known: Order | None) -> tuple[dict[str, Value], tuple[str, ...]]:
    """
    What may be written of what was asked, by what the caller relies on; and notes on what is left alone. Raises
    Conflicting.
    """
    asked = dict(operation.asked)
    if operation.base is None:
        return asked, ()
    reading = form.reading()
    held = (in_the_mirror(known, reading) if known is not None else reading).values
    conflicts = [
        Conflict(path, base, held.get(path), asked.get(path))
        for path, base in operation.base.items()
        if not same(path, held.get(path), base) and not (path in asked and same(path, held.get(path), asked[path]))
    ]
    if not conflicts:
        return asked, ()
    names = ", ".join(conflict.field for conflict in conflicts)
    if operation.undoes is None or len(conflicts) == len(asked):
        raise Conflicting(f"Changed in PlanSo since: {names}. Nothing was sent.", conflicts)
    for conflict in conflicts:
        del asked[conflict.field]
    return asked, (f"Left alone, because somebody changed it since: {names}.",)


def _undone(
    claim: Claim, asked: Mapping[str, Value], seen: undoing.Sent, form: Form, *, sent: undoing.Sent | None = None
) -> dict[str, Undone]:
    """What a save of an earlier attempt undid by coming late; by default the last one."""
    sent = claim.sent if sent is None else sent
    return undoing.of_save(sent, seen, form, has_landed=undoing.has_landed(asked, sent, form))


def _undone_meanwhile(earlier: undoing.Sent | None, save: _Save, now: Form) -> dict[str, Undone]:
    """What such a save undid after the form that was saved had been read."""
    seen: dict[str, list[Value]] = {}
    undoing.add(seen, save.form)
    return undoing.of_save(earlier, seen, now, has_landed=True)


def _overtaken(claim: Claim, watch: Watch, save: _Save, now: Form) -> dict[str, Undone]:
    """What the save undid although somebody in this process was shown it since the reading that was saved."""
    seen = undoing.shown_before(watch.forms, save.wanted, now)
    landed = save.unsure is None or not now.not_taken_over(save.wanted)
    return undoing.of_save(claim.sent, seen, now, has_landed=landed)
