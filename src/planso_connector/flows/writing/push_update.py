"""
Push an update: read the form, plan the change, read again until two readings agree, save the later one with the
requested controls changed, read back until two readings agree, and compare all controls. The only transaction that
writes is the claim's mark before the save; `push` settles the operation.

PlanSo's forms carry no version, so an edit between the last reading and the save goes unnoticed: that window is one
request long. Edits that a save is seen to have overwritten are reported, never written again.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from planso_connector.domain.clock import Clock, Instant, format_instant
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
from planso_connector.domain.saving.damage_assessment import Assessment, StopScope, assess_save
from planso_connector.domain.saving.snapshot import Snapshot, find_changed_columns
from planso_connector.domain.saving.verdicts import DAMAGE_VERDICTS, Difference, Verdict
from planso_connector.flows.syncing.read_order import EmptyForm, OrderReader
from planso_connector.flows.writing import appending, overwritten_edits
from planso_connector.flows.writing.claim import Claim, Postponed
from planso_connector.flows.writing.preconditions import apply_preconditions
from planso_connector.flows.writing.read_back import (
    FormAfterSave,
    LiveFormReader,
    ReadBackResult,
    SaveMismatch,
    apply_reading,
)
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.login import SessionEnded
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form_parser import Form
from planso_connector.planso.saving.form_snapshot import take_snapshot
from planso_connector.store import history, operations, save_evidence
from planso_connector.store.engine.database import Database
from planso_connector.store.save_evidence import SaveEvidence

MAX_READINGS = 4
"""How often a form is read at most until two consecutive readings agree; then the last one is taken."""

MAX_OPEN_SAVES = 200
"""How many saves with an unknown outcome a process keeps."""

MAX_SAVES = 2
"""How often a save is sent at most: again only where an expired session kept PlanSo from carrying out the first."""


@dataclass(frozen=True, slots=True)
class _Save:
    """The form that was saved, and how. Where the plan changes nothing, nothing was sent."""

    form: Form
    plan: ChangePlan
    resolved: Mapping[str, Value]
    """The values to save, by field."""
    notes: tuple[str, ...]
    read_at: Instant
    """When the form was read."""
    before: Snapshot
    sent: Snapshot
    volatile: frozenset[str]
    """The columns in which the last two readings before the save differ."""
    outcome: PlansoUnsure | PlansoRefused | None = None

    @property
    def order_id(self) -> int:
        assert self.form.order_id is not None, "the form of an existing order"
        return self.form.order_id


class UpdatePush:
    def __init__(
        self, database: Database, planso: PlansoClient, live: LiveFormReader, reader: OrderReader, clock: Clock
    ) -> None:
        self._database = database
        self._planso = planso
        self._live = live
        self._reader = reader
        self._clock = clock
        self._open_saves: dict[str, _Save] = {}
        """Saves with an unknown outcome, by operation: this process judges them again."""

    async def carry_out(self, claim: Claim) -> ReadBackResult:
        """
        Raises SaveMismatch, EditConflict, Postponed, ClaimLost, Expired, and ConnectorErrors where nothing was saved.
        """
        order_id = claim.operation.order_id
        assert order_id is not None, "only a create has no order yet"
        async with self._reader.hold_order(order_id):
            return await self._carry_out(claim, order_id)

    async def _carry_out(self, claim: Claim, order_id: int) -> ReadBackResult:
        open_save = self._open_saves.pop(claim.operation.id, None)
        mirrored = await self._reader.load_mirrored(order_id)
        try:
            form, read_at = await self._live.read_for_write(claim.operation, mirrored)
        except EmptyForm as error:
            if await self._live.stays_blank(error.form, claim.sent_at):
                raise await self._report_blank(claim, error.form, mirrored) from None
            raise
        is_last_send = open_save is not None and (claim.sent or {}).get("read_at") == open_save.read_at
        if open_save is not None and is_last_send and claim.sent_at is not None:
            with suppress(Postponed):  # the save has not taken effect, and did nothing else
                return await self._read_back(claim, open_save, mirrored)
            form, read_at = await self._live.read_for_write(claim.operation, mirrored, form)
        resolved, plan, notes = await self._plan(claim, form, mirrored, read_at)
        # What PlanSo stored in another notation counts as saved: a new plan would rewrite it for ever.
        is_restore = claim.operation.controls is not None
        is_saved = claim.sent_at is not None and not is_restore and not form.find_unsaved(resolved)
        if is_saved or not plan.new_values:
            return await self._report_unchanged(claim, form, mirrored, read_at, notes)
        try:
            claim.check_sendable(read_at)
        except Postponed:
            await self._reader.store_form(form.read_fields(), mirrored, read_at)  # edits meanwhile get into the history
            raise
        if mirrored is not None and _was_edited(mirrored, form):
            # Edits before the save get a version of their own: it tells which columns people edit.
            await self._reader.store_form(form.read_fields(), mirrored, read_at)
        for _ in range(MAX_SAVES):
            try:
                save = await self._save(claim, form, mirrored)
            except SessionEnded:
                # Logs in, which is not possible within a slot.
                form, _ = await self._live.read_for_write(claim.operation, mirrored, form)
                continue
            if not save.plan.new_values:
                return await self._report_unchanged(claim, save.form, mirrored, save.read_at, save.notes)
            return await self._read_back(claim, save, mirrored)
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be saved; nothing was saved.")

    async def _plan(
        self, claim: Claim, form: Form, mirrored: Order | None, read_at: Instant
    ) -> tuple[Mapping[str, Value], ChangePlan, tuple[str, ...]]:
        """The values to save, the form's plan for them, and notes. Raises EditConflict, Invalid."""
        operation = claim.operation
        try:
            resolved, left_alone = apply_preconditions(operation, form, mirrored)
        except EditConflict as conflict:
            # The response of the conflict shows the order as it is now.
            await self._reader.store_form(form.read_fields(), mirrored, read_at)
            if claim.sent_at is None:
                raise
            claim.check_sendable(read_at)  # no conflict while the earlier send may still take effect
            names = ", ".join(one.field for one in conflict.conflicts)
            message = f"Changed in PlanSo since: {names}. What was sent earlier is not there any more."
            raise EditConflict(message, conflict.conflicts) from None
        if operation.controls is None:
            plan = appending.plan(form, operation.requested, resolved)
            return resolved, plan, (*left_alone, *plan.notes)
        damaged = await self._database.read(lambda tx: operations.get(tx, operation.undoes or ""))
        differences = [Difference.from_json(one) for one in (damaged.differences if damaged else None) or ()]
        controls, changed = restoring.exclude_changed_since(operation.controls, differences, form.submitted_values)
        plan = form.plan_controls(controls)
        if changed:
            return resolved, plan, (f"Left alone, because somebody changed it since: {', '.join(changed)}.",)
        return resolved, plan, plan.notes

    async def _save(self, claim: Claim, previous: Form, mirrored: Order | None) -> _Save:
        """
        Read until two readings agree, and save the later one. Reading and save share one slot of the throttle: only the
        claim's mark lies between them.
        """
        for reading in range(MAX_READINGS):
            async with self._planso.hold_slot():
                form, read_at = await self._live.read_for_write(claim.operation, mirrored, previous)
                if form.find_differences(previous) and reading + 1 < MAX_READINGS:
                    previous = form
                    continue
                resolved, plan, notes = await self._plan(claim, form, mirrored, read_at)
                before = take_snapshot(form)
                volatile = frozenset(find_changed_columns(take_snapshot(previous), before))
                sent = take_snapshot(form, plan)
                save = _Save(form, plan, resolved, notes, read_at, before, sent, volatile)
                return await self._send(claim, save) if plan.new_values else save
        raise AssertionError("the last reading is saved")

    async def _send(self, claim: Claim, save: _Save) -> _Save:
        unrequested = (column for column, state in save.before.items() if state.is_identical(save.sent[column]))
        controls = {column: list(save.before[column].values) for column in unrequested}
        outcome = await claim.send(
            lambda: self._planso.save(save.form, save.plan),
            _values_before(save.plan, claim),
            {"read_at": save.read_at, "controls": controls},
        )
        return replace(save, outcome=outcome)

    async def _read_back(self, claim: Claim, save: _Save, mirrored: Order | None) -> ReadBackResult:
        """Where the outcome stays unknown, the save is kept: the next attempt judges it before it sends anything."""
        try:
            return await self._judge(claim, save, mirrored)
        except (Postponed, PlansoUnsure):
            self._open_saves[claim.operation.id] = save
            if len(self._open_saves) > MAX_OPEN_SAVES:
                del self._open_saves[next(iter(self._open_saves))]
            raise

    async def _judge(self, claim: Claim, save: _Save, mirrored: Order | None) -> ReadBackResult:
        """Read the order back, and compare all controls."""
        operation, saved, plan = claim.operation, save.form, save.plan
        action = f"the save of order {save.order_id}"
        after = await self._live.read_after_save(
            save.order_id, save.resolved, _other_values(saved, save.resolved), action
        )
        now, sent = after.form, save.sent
        mismatches = [
            *(
                mismatch
                for mismatch in now.find_unsaved(save.resolved, saved)
                if not appending.is_line_saved(operation, mismatch, saved, now)
            ),
            *_restore_mismatches(save, sent, now),
        ]
        evidence = await self._database.read_briefly(save_evidence.load)
        assessment = await self._assess(save, sent, after, evidence)
        if assessment.is_clean:
            await self._raise_unapplied(claim, save, sent, after, mirrored, is_saved=not mismatches)
        notes = [*save.notes, *appending.describe_normalised(now, operation.requested, save.resolved, saved)]
        if isinstance(save.outcome, PlansoRefused) and not mismatches:
            notes.append(f"PlanSo has it, though it answered otherwise ({save.outcome}).")
        before = _values_before(plan, claim)
        written = {path: save.resolved[path] for path in before if path in save.resolved}
        overwritten = await self._find_overwritten(claim, written, now, after.readings[:-1])
        differences = (*assessment.differences, *overwritten)
        read_back = replace(
            await self._live.start_read_back(now, mirrored, after.read_at),
            before=before,
            notes=tuple(notes),
            saved_labels=frozenset(change.label for change in plan.changes),
            differences=differences,
            side_effects=_side_effects(now, differences, operation),
            stop_scope=assessment.stop_scope,
            pair_count=len(saved.serialise_pairs(plan)),
            control_names=frozenset(control.name for control in saved.markup.controls),
        )
        if not assessment.is_clean:
            changed = {saved.markup.controls[index].name for index in plan.new_values}
            raise SaveMismatch(_describe_damage(read_back, changed, not mismatches, evidence), read_back)
        if mismatches:
            raise SaveMismatch(ReadBackMismatch(mismatches), read_back)
        return read_back

    async def _raise_unapplied(
        self, claim: Claim, save: _Save, sent: Snapshot, after: FormAfterSave, mirrored: Order | None, *, is_saved: bool
    ) -> None:
        """Raises Postponed or PlansoRefused where PlanSo did not confirm the save, and it changed nothing."""
        if isinstance(save.outcome, PlansoUnsure) and not is_saved:
            # The save may take effect yet: edits that it would then overwrite get into the history now.
            await self._reader.store_form(after.form.read_fields(), mirrored, after.read_at)
            if save.outcome.is_over:
                claim.revert_sent_mark()
            raise Postponed(str(save.outcome))
        if isinstance(save.outcome, PlansoRefused) and _is_unchanged(save.before, sent, after.form):
            claim.revert_sent_mark()
            raise save.outcome

    async def _assess(self, save: _Save, sent: Snapshot, after: FormAfterSave, evidence: SaveEvidence) -> Assessment:
        """Where a column seems to change with each save, the history tells whether people are known to edit it."""
        now = self._clock().astimezone(BERLIN).replace(tzinfo=None)
        held = take_snapshot(after.form)
        # A column that is empty in the last reading is no token that differs between readings.
        volatile = save.volatile | {column for column in after.volatile if column in held and not held[column].is_empty}
        assess = partial(assess_save, save.before, sent, held, volatile=volatile, now=now)
        assessment = assess(prior_saves=evidence.prior_saves)
        if not any(one.verdict is Verdict.REPEATED for one in assessment.differences):
            return assessment
        edited = await self._database.read(history.recently_edited_fields)
        people = {column for column, state in held.items() if edited & after.form.names_for_label(state.label)}
        return assess(prior_saves=replace(evidence.prior_saves, edited_by_people=people))

    async def _find_overwritten(
        self, claim: Claim, written: Mapping[str, Value], now: Form, readings: tuple[Form, ...] = ()
    ) -> tuple[Difference, ...]:
        """Edits by people that were seen since the saved form was read, and that the save overwrote."""
        sent = claim.sent or {}
        if claim.operation.order_id is None or "read_at" not in sent:
            return ()
        versions = await self._reader.edits_since(claim.operation.order_id, sent["read_at"])
        return overwritten_edits.find_overwritten_edits(written, sent, versions, readings, now)

    async def _report_unchanged(
        self, claim: Claim, form: Form, mirrored: Order | None, read_at: Instant, notes: tuple[str, ...]
    ) -> ReadBackResult:
        """Nothing differs: it never did, or an earlier send took effect, of which the other changes are reported."""
        read_back = await self._live.start_read_back(form, mirrored, read_at)
        if claim.sent_at is None:
            return replace(read_back, notes=(*notes, "Nothing differs from what PlanSo holds; nothing was sent."))
        differences = (
            *await self._find_overwritten(claim, appending.written_values(claim.operation), form),
            *overwritten_edits.find_emptied_controls(claim.sent, take_snapshot(form)),
        )
        side_effects = _side_effects(form, differences, claim.operation)
        return replace(read_back, notes=notes, differences=differences, side_effects=side_effects)

    async def _report_blank(self, claim: Claim, form: Form, mirrored: Order | None) -> SaveMismatch:
        """The form has been blank since a save, for longer than PlanSo's temporary faults last."""
        differences = overwritten_edits.find_emptied_controls(claim.sent, take_snapshot(form), Verdict.LOST)
        read_back = replace(
            await self._live.start_read_back(form, mirrored, format_instant(self._clock())),
            differences=differences,
            side_effects=_side_effects(form, differences),
            stop_scope=StopScope.WORKSHOP,
        )
        message = f"The form of order {form.order_id} has been blank since it was saved."
        return SaveMismatch(Damaged(message), read_back)


def _was_edited(mirrored: Order, form: Form) -> bool:
    """Whether the form holds something else than the mirror, which leaves out the fields that only a create has."""
    now = apply_reading(mirrored, form.read_fields())
    return replace(now, values={path: now.values.get(path) for path in mirrored.values}) != mirrored


def _values_before(plan: ChangePlan, claim: Claim) -> dict[str, Value]:
    """What the form held before the operation, also where an earlier attempt saved a part of it."""
    requested = target_fields(claim.operation.requested)
    now = {change.path: change.before for change in plan.changes if change.path in requested}
    return {**(claim.operation.before or {}), **now}


def _other_values(form: Form, resolved: Mapping[str, Value]) -> dict[str, Value]:
    """What the form holds in other fields than these. A label may carry two fields (`VIN`)."""
    labels = {BY_PATH[path].labels for path in resolved}
    return {path: held for path, held in form.read_fields().values.items() if BY_PATH[path].labels not in labels}


def _restore_mismatches(save: _Save, sent: Snapshot, now: Form) -> list[FieldMismatch]:
    """The controls that a restore wrote and that hold something else."""
    if save.resolved:
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


def _is_unchanged(before: Snapshot, sent: Snapshot, now: Form) -> bool:
    """Whether none of the controls to change has changed."""
    after = take_snapshot(now)
    to_change = [column for column in before if not before[column].is_identical(sent[column])]
    return all(column in after and after[column].is_equivalent(before[column]) for column in to_change)


def _side_effects(form: Form, differences: Iterable[Difference], operation: Operation | None = None) -> frozenset[str]:
    """The fields and labels of what the save itself changed unasked, and of the controls that a restore wrote."""
    held = take_snapshot(form)
    labels = {one.label for one in differences if one.verdict not in (Verdict.EDITED, Verdict.GONE)}
    restored = (operation.controls or {}) if operation is not None else {}
    labels |= {held[column].label for column in restored if column in held}
    return frozenset(name for label in labels for name in form.names_for_label(label))


def _describe_damage(read_back: ReadBackResult, changed: set[str], is_saved: bool, evidence: SaveEvidence) -> Damaged:
    differences = read_back.differences or ()
    others = sum(one.verdict in DAMAGE_VERDICTS and one.column not in changed for one in differences)
    fields = f"{others} other field{'s' if others != 1 else ''}"
    scope = "this order" if read_back.stop_scope is StopScope.ORDER else "this workshop"
    outcome = "was saved" if is_saved else "was not saved"
    message = (
        f"The save of order {read_back.order_id} damaged {fields}; what was asked {outcome}. "
        f"Writes to {scope} are stopped."
    )
    if evidence.most_pairs and read_back.pair_count > evidence.most_pairs:
        message += (
            f" This form is larger ({read_back.pair_count} values) than any that was saved well "
            f"({evidence.most_pairs}); perhaps PlanSo took only a part of it."
        )
    return Damaged(message)
