"""
The write trial: save a test order to learn how this PlanSo saves. Save its form unchanged, change a text and a date
and revert them, and find out whether only what changes can be sent. All controls are compared after each save.

Nothing is recorded in the outbox. While the trial runs, writes to the order are stopped for every process on the
database, and a lease keeps a second trial away. Transactions: at the beginning, before each step, and at the end.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import ConnectorError, NotPossible, PlansoRefused, PlansoUnsure
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.operation import generate_operation_id
from planso_connector.domain.order import Order
from planso_connector.domain.saving.style_status import TrialOutcome, list_form_controls
from planso_connector.domain.saving.verdicts import Difference
from planso_connector.flows.operating.doctor import Finding, check_sessions
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.trial.partial_save import PartialSaveTrial
from planso_connector.flows.trial.record_outcome import OutcomeRecorder
from planso_connector.flows.trial.saves import DamagingSave, RevertFailed, TrialSave, TrialSaver
from planso_connector.flows.trial.session_concurrency import measure_concurrency
from planso_connector.flows.trial.trial_changes import (
    TrialChange,
    choose_date_change,
    choose_text_change,
    describe_script_filled,
)
from planso_connector.flows.writing.accepting import check_not_paused
from planso_connector.flows.writing.read_back import LiveFormReader
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form_parser import Form
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.form_snapshot import take_snapshot
from planso_connector.planso.saving.save_style import SaveStyle
from planso_connector.planso.saving.trial_profile import fingerprint_profile
from planso_connector.store import leases, operations, save_evidence, write_stops
from planso_connector.store.engine.database import Database, Transaction

log = structlog.get_logger(__name__)

LEASE = "trial"
LEASE_DURATION = timedelta(minutes=5)
"""Renewed before each step. A trial that crashed keeps others away for so long."""

UNDER_WAY_REASON = "a trial of saving is running on it, or was interrupted: look at the order in PlanSo"
"""Why writes to the order are stopped, as a clause."""


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """What a trial will do. `order_summary`: plate and person, to check that it is the right order."""

    order_id: int
    order_summary: str
    steps: tuple[str, ...]
    may_lose: bool


@dataclass(slots=True)
class _TrialInProgress:
    plan: TrialPlan
    operation: str
    recorder: OutcomeRecorder
    mirrored: Order | None
    saver: TrialSaver
    text: TrialChange
    date: TrialChange | None
    style: SaveStyle
    """The best one found so far."""
    counted: list[TrialSave] = field(default_factory=list)
    """Saves made in the way in which the connector will save from now on."""


class TrialFlow:
    """`profile`: as configured, without what an earlier trial found; `writes`: the setting CONNECTOR_WRITES."""

    def __init__(
        self,
        database: Database,
        planso: PlansoClient,
        reader: OrderReader,
        clock: Clock,
        *,
        profile: Profile,
        url: str,
        writes: str,
    ) -> None:
        self._database = database
        self._planso = planso
        self._live = LiveFormReader(planso, reader, clock)
        self._reader = reader
        self._clock = clock
        self._profile = profile
        self._fingerprint = fingerprint_profile(profile, url)
        self._writes = writes

    async def prepare(self, order_id: int, *, may_lose: bool = False) -> TrialPlan:
        """
        Plan a trial without changing anything. `may_lose`: also where a script fills controls that a save would empty.
        Raises NotPossible, NotFound, PlansoError.
        """
        await self._database.read(lambda tx: self._check_writable(tx, order_id))
        form = await self._read(order_id, await self._reader.load_mirrored(order_id))
        text, date = self._choose_changes(form)
        lost = describe_script_filled(form, text)
        if lost and not may_lose:
            raise NotPossible(f"{'. '.join(lost)}. Name an order whose values may be lost, and add --may-lose.")
        steps = _describe_steps(len(form.serialise_pairs()), text, date, self._profile.save, lost)
        return TrialPlan(order_id, _summarize_order(form), steps, may_lose)

    async def run(self, plan: TrialPlan) -> AsyncGenerator[Finding]:
        """
        Yield a finding for each step; the last one is the outcome. Raises NotPossible, NotFound and PlansoError before
        anything was saved, StoreUnavailable at any time: then writes to the order stay stopped.
        """
        operation = generate_operation_id()
        await self._database.write(lambda tx: self._begin(tx, plan.order_id, operation))
        recorder = OutcomeRecorder(self._database, self._clock, LEASE, operation, plan.order_id)
        try:
            run = await self._start(plan, operation, recorder)
        except ConnectorError:
            await recorder.release_order()
            raise
        log.info("trial_started", order_id=plan.order_id, operation=operation)
        try:
            async for finding in self._run_steps(run):
                yield finding
            outcome = await self._succeed(run)
        except DamagingSave as damaging:
            outcome = await self._stop_for_damage(run, damaging.save)
        except RevertFailed as error:
            outcome = await self._leave_unreverted(run, str(error))
        except ConnectorError as error:
            outcome = await self._fail(run, error)
        yield outcome

    # -- before

    def _check_writable(self, tx: Transaction, order_id: int) -> None:
        """Raises NotPossible where writes are off, stopped or pending."""
        if self._writes != "on":
            raise NotPossible(f"CONNECTOR_WRITES is {self._writes}; a trial saves, so it has to be on.")
        stop = write_stops.find_for_order(tx, order_id)
        if stop is not None:
            raise NotPossible(stop.message)
        pending = operations.list_pending(tx, order_id)
        if pending:
            raise NotPossible(
                f"{len(pending)} writes to order {order_id} are pending ({pending[0].id}); name another order, or wait."
            )

    def _begin(self, tx: Transaction, order_id: int, operation: str) -> None:
        # The lock under which operations are recorded: a new one either is seen here or finds the order stopped.
        tx.lock(f"operations {tx.workshop} {order_id}")
        check_not_paused(tx)
        self._check_writable(tx, order_id)
        self._renew_lease(tx, operation)
        now = format_instant(self._clock())
        write_stops.stop(tx, order_id=order_id, operation="", reason=UNDER_WAY_REASON, columns=(), now=now)

    def _renew_lease(self, tx: Transaction, operation: str) -> None:
        now = self._clock()
        until = format_instant(now + LEASE_DURATION)
        if not leases.acquire(tx, LEASE, holder=operation, now=format_instant(now), until=until):
            raise NotPossible("Another trial is running in this workshop; wait until it ends.")

    async def _start(self, plan: TrialPlan, operation: str, recorder: OutcomeRecorder) -> _TrialInProgress:
        mirrored = await self._reader.load_mirrored(plan.order_id)
        form = await self._read(plan.order_id, mirrored)
        profile = self._profile
        if plan.may_lose:
            profile = _allow_script_filled(form, profile)
            form = replace(form, profile=profile)
        text, date = self._choose_changes(form)
        evidence = await self._database.read(save_evidence.load)
        saver = TrialSaver(self._planso, self._live, self._clock, profile, form, mirrored, evidence.prior_saves)
        return _TrialInProgress(plan, operation, recorder, mirrored, saver, text, date, profile.save)

    async def _read(self, order_id: int, mirrored: Order | None) -> Form:
        return replace(await self._live.read_existing(order_id, mirrored), profile=self._profile)

    def _choose_changes(self, form: Form) -> tuple[TrialChange, TrialChange | None]:
        """A text and a date. Raises NotPossible where no text can be changed."""
        text = choose_text_change(form)
        if text is None:
            raise NotPossible(f"The form of order {form.order_id} has no text that a trial could change.")
        return text, choose_date_change(form, self._clock().astimezone(BERLIN).date())

    # -- the steps

    async def _run_steps(self, run: _TrialInProgress) -> AsyncGenerator[Finding]:
        yield await self._save_unchanged(run)
        yield await self._change_and_revert(run, "text", run.text)
        if run.date is not None:
            yield await self._change_and_revert(run, "date", run.date)
        yield await self._try_partial_save(run)
        yield Finding("speed", is_ok=True, message=await measure_concurrency(self._planso, run.plan.order_id))
        yield await check_sessions(self._planso, run.plan.order_id)

    async def _save_unchanged(self, run: _TrialInProgress) -> Finding:
        await self._check_stops(run)
        save = await run.saver.save(lambda form: _plan_unchanged(form, run.text))
        self._check(run, save)
        message = f"The form was saved unchanged, {save.pair_count} values; it holds what it held, in all controls."
        return Finding("unchanged", is_ok=True, message=message)

    async def _change_and_revert(self, run: _TrialInProgress, step: str, change: TrialChange) -> Finding:
        await self._check_stops(run)
        self._check(run, await run.saver.save(lambda form: form.plan(change.requested)))
        await run.saver.revert()
        message = f"'{change.label}' was changed and put back; nothing else changed."
        return Finding(step, is_ok=True, message=message)

    async def _try_partial_save(self, run: _TrialInProgress) -> Finding:
        if run.style.sends == "changed":
            return Finding("only changes", is_ok=True, message="This profile sends only what changes already.")
        await self._check_stops(run)
        save = await run.saver.save(lambda form: form.plan(run.text.requested))
        self._check(run, save)
        column = save.before.markup.controls[next(iter(save.plan.new_values))].name
        other_values = [f"{value} 2" for value in take_snapshot(save.after)[column].values]
        result = await PartialSaveTrial(run.saver, column, other_values).run()
        if result.style is not None:
            run.style = result.style
            run.counted = [save for save in run.saver.completed if save.is_clean]
        await run.saver.revert(run.style)
        how = "only what changes can be sent" if result.style else "the whole form goes with each save, as before"
        return Finding("only changes", is_ok=True, message=f"{result.reason}: {how}.")

    async def _check_stops(self, run: _TrialInProgress) -> None:
        """Between steps, when the order is as before. Raises NotPossible where the workshop's writes were stopped."""

        def work(tx: Transaction) -> None:
            self._renew_lease(tx, run.operation)
            stop = next((stop for stop in write_stops.list_active(tx) if stop.order_id is None), None)
            if stop is not None:
                raise NotPossible(stop.message)

        await self._database.write(work)

    def _check(self, run: _TrialInProgress, save: TrialSave) -> None:
        """Count a save that did what was asked. Raises DamagingSave, PlansoRefused, PlansoUnsure."""
        if not save.assessment.is_clean:
            raise DamagingSave(save)
        if isinstance(save.error, PlansoRefused) and (save.unapplied or not save.plan.new_values):
            raise save.error
        if save.unapplied:
            labels = ", ".join(f"'{state.label or state.column}'" for state in save.unapplied)
            if save.error is not None:
                raise PlansoUnsure(f"{save.error}; {labels} holds what it held, and may still change")
            raise PlansoRefused(f"PlanSo took the save, and holds another value in {labels} than was sent")
        run.counted.append(save)

    # -- the end

    async def _succeed(self, run: _TrialInProgress) -> Finding:
        configured = self._profile.save
        known = tuple(name for name in run.saver.profile.save.known if name not in configured.known)
        outcome = replace(self._build_outcome(run, is_clean=True), sends=run.style.sends, known=known)
        is_partial = run.style.sends == "changed" and configured.sends == "whole"
        if is_partial:
            outcome = replace(outcome, always=run.style.always, unchecked=run.style.unchecked)
        form, read_at = await run.saver.read(), format_instant(self._clock())
        await self._reader.store_form(form.read_fields(), run.mirrored, read_at)
        await run.recorder.record_success(outcome, run.counted)
        message = "Tried: the order is as it was. How this PlanSo saves is known from now on."
        if is_partial:
            message += (
                " A connector started from now on sends only what changes, so that it overwrites nobody's edit: "
                "restart a running one. `planso-connector doctor --forget-trial` takes that back."
            )
        return Finding("outcome", is_ok=True, message=message)

    async def _fail(self, run: _TrialInProgress, error: ConnectorError) -> Finding:
        """Something did not work, without damage."""
        if isinstance(error, PlansoUnsure):
            return await self._leave_unreverted(run, str(error))
        try:
            await run.saver.revert()
        except DamagingSave as damaging:
            return await self._stop_for_damage(run, damaging.save)
        except RevertFailed as failure:
            return await self._leave_unreverted(run, f"{error}; {failure}")
        await run.recorder.release_order()
        known = "The order is as it was; how this PlanSo saves is known no better than before."
        return Finding("outcome", is_ok=False, message=f"{str(error).rstrip('.')}. {known}")

    async def _leave_unreverted(self, run: _TrialInProgress, reason: str) -> Finding:
        unreverted = run.saver.list_unreverted()
        await run.recorder.record_unreverted(unreverted, reason, run.saver.started_at)
        order_id = run.plan.order_id
        restore = f", or write back what it held, `planso-connector writes restore {run.operation}`"
        message = (
            f"{reason.rstrip('.')}. Writes to order {order_id} stay stopped: look at it in PlanSo"
            f"{restore if unreverted else ''}; then `planso-connector writes resume --order {order_id}`."
        )
        return Finding("outcome", is_ok=False, message=message, rows=_to_rows(unreverted))

    async def _stop_for_damage(self, run: _TrialInProgress, save: TrialSave) -> Finding:
        outcome = self._build_outcome(run, is_clean=False)
        differences = await run.recorder.record_damage(outcome, save, run.saver, run.mirrored)
        message = (
            "The save damaged the order: what is listed was there before. Writes of this workshop are stopped, in "
            f"every process. `planso-connector writes restore {run.operation}` writes the values back; look into "
            "PlanSo, and learn from a recording (docs/learning.md) before you resume: `planso-connector writes resume`."
        )
        return Finding("outcome", is_ok=False, message=message, rows=_to_rows(differences))

    def _build_outcome(self, run: _TrialInProgress, *, is_clean: bool) -> TrialOutcome:
        now = format_instant(self._clock())
        controls = list_form_controls(control.name for control in run.saver.original.markup.controls)
        return TrialOutcome(now, run.plan.order_id, run.operation, self._fingerprint, controls, is_clean)


def _plan_unchanged(form: Form, text: TrialChange) -> ChangePlan:
    """A plan that changes nothing; where only what changes is sent, it sends the text unchanged."""
    if form.profile.save.sends == "whole":
        return ChangePlan()
    plan = form.plan(text.requested)
    return ChangePlan(new_values={index: form.markup.controls[index].value for index in plan.new_values})


def _allow_script_filled(form: Form, profile: Profile) -> Profile:
    """Send controls that a script fills with the value that it fills in, where that is known, else as in the form."""
    filled = form.script_filled_controls()
    known = [c.name for c in filled if c.script_value is not None and c.script_value.value is not None]
    unfilled = [control.name for control in filled if control.name not in known]
    style = profile.save
    style = replace(style, known=(*style.known, *known), unfilled=(*style.unfilled, *unfilled))
    return replace(profile, save=style)


def _summarize_order(form: Form) -> str:
    values = form.read_fields().values
    named = [values.get(path) for path in ("vehicle_details.number_plate", "vehicle.vehicle", "person")]
    return ", ".join(str(value) for value in named if value) or "no plate, no person"


def _describe_steps(
    pair_count: int, text: TrialChange, date: TrialChange | None, style: SaveStyle, lost: Sequence[str]
) -> tuple[str, ...]:
    is_whole = style.sends == "whole"
    sent = f"{pair_count} values" if is_whole else f"'{text.label}' as it is"
    steps = [f"save its form unchanged: {sent}", f"add a line to '{text.label}', and take it away again"]
    if date is not None:
        steps.append(f"set '{date.label}' to another day, and back")
    if is_whole:
        steps.append(
            f"leave '{text.label}' and a box that is checked out of a save; where PlanSo keeps what they hold, send "
            f"'{text.label}' alone; then put everything back"
        )
    steps.append("read it a dozen times, to see whether PlanSo serves two requests at once, and in how many sessions")
    return (*steps, *(f"MAY BE LOST: {sentence}" for sentence in lost))


def _to_rows(differences: Sequence[Difference]) -> tuple[tuple[str, ...], ...]:
    return tuple((one.label, one.column, f"was '{one.shown_before}'", f"is '{one.shown_after}'") for one in differences)
