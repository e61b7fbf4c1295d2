"""
Push an update: read the form, plan, read it again until two readings agree, save the later one with the asked controls
changed, read it back until two readings agree, and compare all controls. Transactions: the claim's mark before the
save, nothing else; the settling is push's.

PlanSo's forms carry no version, so an edit that falls between the last reading and the save can't be told from none:
that window is one request long. What a save is seen to have overwritten is reported, never written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import (
    Damaged,
    EditConflict,
    FieldMismatch,
    PlansoRefused,
    PlansoUnavailable,
    PlansoUnsure,
    ReadBackMismatch,
)
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.operation import Operation
from planso_connector.domain.order import Order
from planso_connector.domain.saving import restoring
from planso_connector.domain.saving.appending import target_fields
from planso_connector.domain.saving.assessment import Assessment, PriorSaves, StopScope, assess_save
from planso_connector.domain.saving.differences import DAMAGE_VERDICTS, Difference, Verdict
from planso_connector.domain.saving.snapshot import Snapshot, find_changed_columns
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.writing import appending, overwritten_edits
from planso_connector.flows.writing.claim import Claim, Postponed
from planso_connector.flows.writing.preconditions import apply_preconditions
from planso_connector.flows.writing.read_back import (
    EmptyForm,
    FormAfterSave,
    LiveForms,
    ReadBack,
    SavedOtherwise,
    apply_reading,
)
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.login import SessionEnded
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form import Form
from planso_connector.planso.saving.form_snapshot import take_snapshot
from planso_connector.store import history, operations, save_evidence
from planso_connector.store.engine.database import Database
from planso_connector.store.save_evidence import SaveEvidence

log = structlog.get_logger(__name__)

MAX_READINGS = 4
"""How often a form is read at most until two readings in a row agree; then the last one is taken."""

MAX_OPEN_SAVES = 200
"""So many saves of which it is not known what they did are kept by a process."""

MAX_SAVES = 2
"""How often a save is begun at most: the second time only where an ended session kept the first from being seen."""


@dataclass(frozen=True, slots=True)
class _Save:
    """The form that was saved, and how. Where the plan changes nothing, nothing was sent."""

    form: Form
    plan: ChangePlan
    before: Snapshot
    volatile: frozenset[str]
    """The columns in which the last two readings before the save differ."""
    asked: Mapping[str, Value]
    read_at: str
    """When the form was asked for."""
    outcome: PlansoUnsure | PlansoRefused | None = None
    """Why it is not sure, or what PlanSo said against it."""


class UpdatePush:
    """Carry an update through."""

    def __init__(
        self, database: Database, planso: PlansoClient, live: LiveForms, reader: OrderReader, clock: Clock
    ) -> None:
        self._database = database
        self._planso = planso
        self._live = live
        self._reader = reader
        self._clock = clock
        self._open: dict[str, tuple[_Save, tuple[str, ...]]] = {}
        """By operation the save of which it is not known what it did, and notes: looked at again by this process."""

    async def carry_out(self, claim: Claim) -> ReadBack:
        """Raises SavedOtherwise, Conflicting, Later, Lost, Expired, and ConnectorErrors where nothing was saved."""
        order_id = claim.operation.order_id
        assert order_id is not None, "only a create has no order yet"
        earlier = self._open.pop(claim.operation.id, None)
        async with self._reader.hold_order(order_id):
            return await self._carry_out(claim, order_id, earlier)

    async def _carry_out(self, claim: Claim, order_id: int, earlier: tuple[_Save, tuple[str, ...]] | None) -> ReadBack:
        read_at = format_instant(self._clock())
        known = await self._reader.load_mirrored(order_id)
        is_restore = claim.operation.controls is not None
        try:
            form = await self._live.read_existing(order_id, known, may_be_blank=is_restore)
        except EmptyForm as empty:
            await self._live.check_identity(claim.operation, empty.form, read_at)
            if await self._live.stays_blank(empty.form, claim.sent_at):
                raise await self._blanked(claim, empty.form, known) from None
            raise
        if (
            earlier is not None
            and claim.sent_at is not None
            and (claim.sent or {}).get("read_at") == earlier[0].read_at
        ):
            await self._live.check_identity(claim.operation, form, read_at)
            with suppress(Postponed):  # it has not landed, and did nothing else
                return await self._read_back(claim, *earlier, known)
            form = await self._live.read_existing(order_id, known, form, may_be_blank=is_restore)
        asked, left_alone = await self._allowed(claim, form, known, read_at)
        plan = await self._planned(form, claim.operation, asked)
        notes = (*left_alone, *plan.notes)
        # PlanSo may hold what was sent in a notation of its own, which a new plan would correct for ever.
        has_landed = claim.sent_at is not None and not is_restore and not form.find_unsaved(asked)
        if not plan.new_values or has_landed:
            return await self._unchanged(claim, form, known, read_at, notes)
        try:
            claim.check_sendable(read_at)
        except Postponed:
            await self._reader.store_form(
                form.read_fields(), known, read_at
            )  # so that what people do meanwhile is known
            raise
        if known is not None and apply_reading(known, form.read_fields()) != known:
            # What people did before is theirs, at a version of its own: it tells which columns they edit.
            await self._reader.store_form(form.read_fields(), known, read_at)
        for _ in range(MAX_SAVES):
            try:
                save = await self._save(claim, form, known)
            except SessionEnded:
                form = await self._live.read_existing(order_id, known, form)  # logs in, as no held slot may
                continue
            if not save.plan.new_values:
                return await self._unchanged(claim, save.form, known, save.read_at, (*left_alone, *save.plan.notes))
            return await self._read_back(claim, save, left_alone, known)
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be saved; nothing was saved.")

    async def _planned(self, form: Form, operation: Operation, asked: Mapping[str, Value]) -> ChangePlan:
        """Of a restore, the values before are planned where nobody changed them since. Raises Invalid, Conflicting."""
        if operation.controls is None:
            return appending.plan(form, operation.requested, asked)
        damaged = await self._database.read(lambda tx: operations.get(tx, operation.undoes or ""))
        differences = [Difference.from_json(one) for one in (damaged.differences if damaged else None) or ()]
        controls, changed = restoring.exclude_changed_since(operation.controls, differences, form.submitted_values)
        plan = form.plan_controls(controls)
        if not changed:
            return plan
        return replace(plan, notes=(f"Left alone, because somebody changed it since: {', '.join(changed)}.",))

    async def _allowed(
        self, claim: Claim, form: Form, known: Order | None, read_at: str
    ) -> tuple[dict[str, Value], tuple[str, ...]]:
        """
        As `allowed`; a conflict with what may be on its way still is none yet. The mirror takes what conflicts. Raises
        Stranger, too.
        """
        await self._live.check_identity(claim.operation, form, read_at)
        try:
            return apply_preconditions(claim.operation, form, known)
        except EditConflict as conflict:
            await self._reader.store_form(form.read_fields(), known, read_at)  # the caller is shown the order as it is
            if claim.sent_at is None:
                raise
            claim.check_sendable(read_at)
            names = ", ".join(one.field for one in conflict.conflicts)
            told = f"Changed in PlanSo since: {names}. What was sent earlier is not there any more."
            raise EditConflict(told, conflict.conflicts) from None

    async def _unchanged(
        self, claim: Claim, form: Form, known: Order | None, read_at: str, notes: tuple[str, ...]
    ) -> ReadBack:
        """Nothing differs: it was so before, or what was sent earlier is there by now. Then what it did is reported."""
        order, with_parts = await self._live.build_order(form, known)
        if claim.sent_at is None:
            notes = (*notes, "Nothing differs from what PlanSo holds; nothing was sent.")
            return ReadBack(order, order.id, read_at, None, notes, with_parts=with_parts)
        differences = (
            *await self._overwritten(claim, appending.written_values(claim.operation), form),
            *overwritten_edits.find_emptied_controls(claim.sent, take_snapshot(form)),
        )
        also = _names(form, differences) | _restored(form, claim.operation)
        return ReadBack(
            order, order.id, read_at, None, notes, with_parts=with_parts, differences=differences, also=also
        )

    async def _overwritten(
        self, claim: Claim, written: Mapping[str, Value], now: Form, readings: tuple[Form, ...] = ()
    ) -> tuple[Difference, ...]:
        """Edits by people that were seen since the form was read that was saved, and that the save wrote over."""
        sent = claim.sent or {}
        if claim.operation.order_id is None or "read_at" not in sent:
            return ()
        versions = await self._reader.edits_since(claim.operation.order_id, sent["read_at"])
        return overwritten_edits.find_overwritten_edits(written, sent, versions, readings, now)

    async def _save(self, claim: Claim, previous: Form, known: Order | None) -> _Save:
        """
        Read until two readings agree, and save the later one, reading and save in one slot of the throttle: nothing
        waits between them but the mark.
        """
        assert previous.order_id is not None, "what is saved was read"
        for reading in range(MAX_READINGS):
            async with self._planso.hold_slot():
                read_at = format_instant(self._clock())
                is_restore = claim.operation.controls is not None
                form = await self._live.read_existing(previous.order_id, known, previous, may_be_blank=is_restore)
                if form.find_differences(previous) and reading + 1 < MAX_READINGS:
                    previous = form
                    continue
                asked, _ = await self._allowed(claim, form, known, read_at)
                plan = await self._planned(form, claim.operation, asked)
                before = take_snapshot(form)
                volatile = frozenset(find_changed_columns(take_snapshot(previous), before))
                save = _Save(form, plan, before, volatile, asked, read_at)
                return save if not plan.new_values else await self._sent(claim, save)
        raise AssertionError("the last reading is saved")

    async def _sent(self, claim: Claim, save: _Save) -> _Save:
        sent = take_snapshot(save.form, save.plan)
        unasked = (column for column, state in save.before.items() if state.is_identical(sent[column]))
        controls = {column: list(save.before[column].values) for column in unasked}
        # Marked here and not before: how long it may land yet counts from the mark.
        outcome = await claim.send(
            lambda: self._planso.save(save.form, save.plan),
            _before(save.plan, claim),
            {"read_at": save.read_at, "controls": controls},
        )
        return replace(save, outcome=outcome)

    async def _read_back(self, claim: Claim, save: _Save, left_alone: tuple[str, ...], known: Order | None) -> ReadBack:
        """Where it stays open what the save did, it is judged again at the next attempt, before anything is sent."""
        try:
            return await self._judged(claim, save, left_alone, known)
        except (Postponed, PlansoUnsure):
            self._open[claim.operation.id] = save, left_alone
            if len(self._open) > MAX_OPEN_SAVES:
                del self._open[next(iter(self._open))]
            raise

    async def _judged(self, claim: Claim, save: _Save, left_alone: tuple[str, ...], known: Order | None) -> ReadBack:
        saved, plan, order_id = save.form, save.plan, save.form.order_id
        assert order_id is not None, "what is saved was read"
        seen = await self._live.read_after_save(
            order_id, save.asked, _others(saved, save.asked), f"the save of order {order_id}"
        )
        now, sent = seen.form, take_snapshot(saved, plan)
        kept = [
            *(
                k
                for k in now.find_unsaved(save.asked, saved)
                if not appending.is_line_saved(claim.operation, k, saved, now)
            ),
            *_controls_kept(save, sent, now),
        ]
        evidence = await self._database.read(lambda tx: save_evidence.load(tx))
        assessment = await self._assessed(save, sent, seen, evidence)
        # A save without an answer can have done damage and not what was asked: then it is not sent again.
        if kept and isinstance(save.outcome, PlansoUnsure) and assessment.is_clean:
            # What people did meanwhile is known then, also where the save lands yet and overwrites it.
            await self._reader.store_form(now.read_fields(), known, seen.read_at)
            if save.outcome.is_over:
                claim.take_back_mark()
            raise Postponed(str(save.outcome))
        if isinstance(save.outcome, PlansoRefused) and assessment.is_clean and _is_as_before(save.before, sent, now):
            claim.take_back_mark()
            raise save.outcome
        notation = appending.notes_on_notation(now, claim.operation.requested, save.asked, saved)
        notes = [*left_alone, *plan.notes, *notation]
        if isinstance(save.outcome, PlansoRefused) and not kept:
            notes.append(f"PlanSo has it, though it answered otherwise ({save.outcome}).")
        before = _before(plan, claim)
        written = {path: save.asked[path] for path in before if path in save.asked}
        lost_edits = await self._overwritten(claim, written, now, seen.readings[:-1])
        differences = (*assessment.differences, *lost_edits)
        order, with_parts = await self._live.build_order(now, known)
        read_back = ReadBack(
            order,
            order.id,
            seen.read_at,
            before,
            tuple(notes),
            frozenset(change.label for change in plan.changes),
            with_parts,
            differences,
            _names(now, differences) | _restored(now, claim.operation),
            assessment.stop_scope,
            len(saved.serialise_pairs(plan)),
            frozenset(control.name for control in saved.markup.controls),
        )
        if not assessment.is_clean:
            asked = {saved.markup.controls[index].name for index in plan.new_values}
            raise SavedOtherwise(_damage(differences, asked, bool(kept), read_back, evidence), read_back)
        if kept:
            raise SavedOtherwise(ReadBackMismatch(kept), read_back)
        return read_back

    async def _assessed(self, save: _Save, sent: Snapshot, seen: FormAfterSave, evidence: SaveEvidence) -> Assessment:
        """Where a column seems to change with each save, the history tells whether people are known to edit it."""
        now = self._clock().astimezone(BERLIN).replace(tzinfo=None)
        after = take_snapshot(seen.form)
        # What is gone in the last reading is no token that differs between readings.
        held = {column for column, state in after.items() if not state.is_empty}
        volatile = save.volatile | (seen.volatile & held)

        def judged(experience: PriorSaves) -> Assessment:
            return assess_save(save.before, sent, after, volatile=volatile, experience=experience, now=now)

        assessment = judged(evidence.experience)
        if not any(one.verdict is Verdict.REPEATED for one in assessment.differences):
            return assessment
        edited = await self._database.read(lambda tx: history.recently_edited_fields(tx))
        people = {column for column, state in after.items() if edited & seen.form.names_for_label(state.label)}
        return judged(replace(evidence.experience, edited_by_people=people))

    async def _blanked(self, claim: Claim, form: Form, known: Order | None) -> SavedOtherwise:
        """The form has been blank since a save, for longer than PlanSo's hiccups last."""
        differences = overwritten_edits.find_emptied_controls(claim.sent, take_snapshot(form), Verdict.LOST)
        order, with_parts = await self._live.build_order(form, known)
        read_back = ReadBack(
            order,
            order.id,
            format_instant(self._clock()),
            None,
            with_parts=with_parts,
            differences=differences,
            also=_names(form, differences),
            scope=StopScope.WORKSHOP,
        )
        return SavedOtherwise(Damaged(f"The form of order {order.id} has been blank since it was saved."), read_back)


def _before(plan: ChangePlan, claim: Claim) -> dict[str, Value]:
    """What the form held before the operation, also where an earlier attempt got a part of it through."""
    asked = target_fields(claim.operation.requested)
    now = {change.path: change.before for change in plan.changes if change.path in asked}
    return {**(claim.operation.before or {}), **now}


def _others(form: Form, asked: Mapping[str, Value]) -> dict[str, Value]:
    """What the form holds in the fields that are not asked. A label may carry two fields (`VIN`)."""
    labels = {BY_PATH[path].labels for path in asked}
    return {path: held for path, held in form.read_fields().values.items() if BY_PATH[path].labels not in labels}


def _controls_kept(save: _Save, sent: Snapshot, now: Form) -> list[FieldMismatch]:
    """The controls that a restore wrote and that hold something else."""
    if save.asked:
        return []
    after = take_snapshot(now)
    written = [state for column, state in sent.items() if not state.is_identical(save.before[column])]
    return [
        FieldMismatch(
            one.column, one.label or one.column, one.shown, after[one.column].shown if one.column in after else ""
        )
        for one in written
        if one.column not in after or not one.is_equivalent(after[one.column])
    ]


def _is_as_before(before: Snapshot, sent: Snapshot, now: Form) -> bool:
    """Whether no asked control has changed."""
    after = take_snapshot(now)
    asked = [column for column in before if not before[column].is_identical(sent[column])]
    return all(column in after and after[column].is_equivalent(before[column]) for column in asked)


def _names(form: Form, differences: tuple[Difference, ...]) -> frozenset[str]:
    """The fields and labels of what the save changed without being asked, as far as that is known to be its doing."""
    own = [one for one in differences if one.verdict not in (Verdict.EDITED, Verdict.GONE)]
    return frozenset(name for one in own for name in form.names_for_label(one.label))


def _restored(form: Form, operation: Operation) -> frozenset[str]:
    """The fields and labels that a restore writes back."""
    held = take_snapshot(form)
    columns = [column for column in operation.controls or {} if column in held]
    return frozenset(name for column in columns for name in form.names_for_label(held[column].label))


def _damage(
    differences: tuple[Difference, ...], asked: set[str], is_kept: bool, read_back: ReadBack, evidence: SaveEvidence
) -> Damaged:
    others = sum(one.verdict in DAMAGE_VERDICTS and one.column not in asked for one in differences)
    fields = f"{others} other field{'s' if others != 1 else ''}"
    whose = "this order" if read_back.scope is StopScope.ORDER else "this workshop"
    done = "was not saved" if is_kept else "was saved"
    told = f"The save of order {read_back.order_id} damaged {fields}; what was asked {done}. "
    told += f"Writes to {whose} are stopped."
    if evidence.most_pairs and read_back.pairs > evidence.most_pairs:
        told += (
            f" This form is larger ({read_back.pairs} values) than any that was saved well ({evidence.most_pairs}); "
            "perhaps PlanSo took only a part of it."
        )
    return Damaged(told)
