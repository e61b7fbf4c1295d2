"""
Try on an order of no consequence how this PlanSo saves: save its form unchanged, change a text and a date and put them
back, try whether only what changes can be sent. All controls are compared after each save.

Nothing is recorded in the outbox. While it lasts, writes to the order are stopped for every process on the database,
and a lease keeps a second trial away. Transactions: the beginning, a look before each step, and the end.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import ConnectorError, NotPossible, PlansoRefused, PlansoUnsure
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.operation import generate_operation_id
from planso_connector.domain.order import Order
from planso_connector.domain.saving.differences import Difference
from planso_connector.domain.saving.style_status import TrialOutcome, list_form_controls
from planso_connector.flows.operating.doctor import Finding, check_sessions
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.trial import session_concurrency, trial_changes
from planso_connector.flows.trial.partial_save import PartialSaveTrial
from planso_connector.flows.trial.record_outcome import OutcomeRecorder
from planso_connector.flows.trial.saves import DamagingSave, RevertFailed, TrialSave, TrialSaver
from planso_connector.flows.trial.trial_changes import TrialChange
from planso_connector.flows.writing.read_back import LiveForms
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form import Form
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.form_snapshot import take_snapshot
from planso_connector.planso.saving.save_style import SaveStyle
from planso_connector.planso.saving.trial_profile import fingerprint_profile
from planso_connector.store import leases, operations, save_evidence, write_stops
from planso_connector.store.engine.database import Database, Transaction

log = structlog.get_logger(__name__)

LEASE = "trial"
LEASE_DURATION = timedelta(minutes=5)
"""Renewed before each step; a trial that died keeps others away for so long."""

UNDER_WAY_REASON = "a trial of saving is under way on it, or was broken off: look at the order in PlanSo"
"""Why writes to the order are stopped meanwhile, as a part of a sentence."""


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """What a trial will do to an order. `who` names its plate and person, so that a person can check the order."""

    order_id: int
    order_summary: str
    steps: tuple[str, ...]
    may_lose: bool


@dataclass(slots=True)
class _Run:
    """A trial under way. `style`: how it is saved by what was found so far."""

    operation: str
    prepared: TrialPlan
    known: Order | None
    saves: TrialSaver
    text: TrialChange
    day: TrialChange | None
    style: SaveStyle
    counted: list[TrialSave] = field(default_factory=list)
    """Saves made as the connector will make them from now on."""


class TrialFlow:
    """`profile` as it is configured, without what an earlier trial found; `writes` is the setting CONNECTOR_WRITES."""

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
        self._live = LiveForms(planso, reader, clock)
        self._reader = reader
        self._clock = clock
        self._profile = profile
        self._fingerprint = fingerprint_profile(profile, url)
        self._writes = writes
        self._end = OutcomeRecorder(database, self._live, clock)

    async def prepare(self, order_id: int, *, may_lose: bool = False) -> TrialPlan:
        """
        What would be done; nothing is. `may_lose`: also where a script fills controls that a save would empty. Raises
        NotPossible, NotFound, PlansoError.
        """
        await self._database.read(lambda tx: self._check_free(tx, order_id))
        form = await self._read(order_id, await self._reader.load_mirrored(order_id))
        text, day = self._changes(form)
        if text is None:
            raise NotPossible(f"The form of order {order_id} has no text that a trial could change.")
        lost = trial_changes.describe_script_filled(form, text)
        if lost and not may_lose:
            told = f"{'. '.join(lost)}. Name an order whose values may be lost, and add --may-lose."
            raise NotPossible(told)
        steps = _steps(len(form.serialise_pairs()), text, day, self._profile.save, lost)
        return TrialPlan(order_id, _who(form), steps, may_lose)

    async def run(self, prepared: TrialPlan) -> AsyncGenerator[Finding]:
        """
        Step by step; the last finding says what came of it. Raises NotPossible, NotFound and PlansoError where nothing
        was begun, StoreUnavailable: then writes to the order stay stopped.
        """
        operation = generate_operation_id()
        await self._database.write(lambda tx: self._begin(tx, prepared.order_id, operation))
        try:
            run = await self._started(operation, prepared)
        except ConnectorError:
            await self._end.release_order(LEASE, operation, prepared.order_id)
            raise
        log.info("trial_begun", order_id=prepared.order_id, operation=operation)
        try:
            async for finding in self._carried_out(run):
                yield finding
            ending = await self._succeeded(run)
        except DamagingSave as spoilt:
            ending = await self._damaged(run, spoilt.saved)
        except RevertFailed as left:
            ending = await self._left(run, str(left))
        except ConnectorError as error:
            ending = await self._failed(run, error)
        yield ending

    # -- before

    def _check_free(self, tx: Transaction, order_id: int) -> None:
        """Raises NotPossible where writes are stopped or wait."""
        if self._writes != "on":
            raise NotPossible(f"CONNECTOR_WRITES is {self._writes}; a trial saves, so it has to be on.")
        stop = write_stops.find_for_order(tx, order_id)
        if stop is not None:
            raise NotPossible(stop.message)
        waiting = operations.list_pending(tx, order_id)
        if waiting:
            raise NotPossible(
                f"{len(waiting)} writes to order {order_id} are pending ({waiting[0].id}); name another order, or wait."
            )

    def _begin(self, tx: Transaction, order_id: int, holder: str) -> None:
        # The lock under which operations are recorded: one is seen here, or finds the order stopped.
        tx.lock(f"operations {tx.workshop} {order_id}")
        self._check_free(tx, order_id)
        self._hold(tx, holder)
        now = format_instant(self._clock())
        write_stops.stop(tx, order_id=order_id, operation="", reason=UNDER_WAY_REASON, columns=(), now=now)

    def _hold(self, tx: Transaction, holder: str) -> None:
        now = self._clock()
        until = format_instant(now + LEASE_DURATION)
        if not leases.acquire(tx, LEASE, holder=holder, now=format_instant(now), until=until):
            raise NotPossible("Another trial is under way in this workshop; wait until it ends.")

    async def _started(self, operation: str, prepared: TrialPlan) -> _Run:
        known = await self._reader.load_mirrored(prepared.order_id)
        form = await self._read(prepared.order_id, known)
        profile = self._profile
        if prepared.may_lose:
            profile = _taking_filled(form, profile)
            form = replace(form, profile=profile)
        text, day = self._changes(form)
        if text is None:
            raise NotPossible("The order's form changed meanwhile; it has no text that a trial could change.")
        evidence = await self._database.read(lambda tx: save_evidence.load(tx))
        saves = TrialSaver(self._planso, self._live, self._clock, profile, form, known, evidence.experience)
        return _Run(operation, prepared, known, saves, text, day, profile.save)

    async def _read(self, order_id: int, known: Order | None) -> Form:
        return replace(await self._live.read_existing(order_id, known), profile=self._profile)

    def _changes(self, form: Form) -> tuple[TrialChange | None, TrialChange | None]:
        today = self._clock().astimezone(BERLIN).date()
        return trial_changes.choose_text_change(form), trial_changes.choose_date_change(form, today)

    # -- the steps

    async def _carried_out(self, run: _Run) -> AsyncGenerator[Finding]:
        yield await self._unchanged(run)
        yield await self._there_and_back(run, "text", run.text)
        if run.day is not None:
            yield await self._there_and_back(run, "date", run.day)
        yield await self._partial(run)
        yield Finding(
            "speed",
            is_ok=True,
            message=await session_concurrency.measure_concurrency(self._planso, run.prepared.order_id),
        )
        yield await check_sessions(self._planso, run.prepared.order_id)

    async def _unchanged(self, run: _Run) -> Finding:
        await self._go_on(run)
        saved = await run.saves.save(lambda form: _same_again(form, run.text))
        self._check(run, saved)
        words = f"The form was saved as it stands, {saved.pair_count} values; it holds what it held, in all controls."
        return Finding("unchanged", is_ok=True, message=words)

    async def _there_and_back(self, run: _Run, step: str, change: TrialChange) -> Finding:
        await self._go_on(run)
        self._check(run, await run.saves.save(lambda form: form.plan(change.asked)))
        await run.saves.revert()
        words = f"'{change.label}' was changed and put back; nothing else changed."
        return Finding(step, is_ok=True, message=words)

    async def _partial(self, run: _Run) -> Finding:
        if run.style.sends == "changed":
            return Finding("only changes", is_ok=True, message="This profile sends only what changes already.")
        await self._go_on(run)
        marked = await run.saves.save(lambda form: form.plan(run.text.asked))
        self._check(run, marked)
        (column, *_) = trial_changes.list_planned_controls(marked.before, marked.plan)
        text = take_snapshot(marked.after)[column].values
        found = await PartialSaveTrial(run.saves, column, {column: [f"{value} 2" for value in text]}).run()
        if found.style is not None:
            run.style = found.style
            run.counted = [saved for saved in run.saves.completed if saved.is_clean]
        await run.saves.revert(run.style)
        words = f"{found.reason}: the whole form goes with each save, as before."
        if found.style is not None:
            words = f"{found.reason}: only what changes can be sent."
        return Finding("only changes", is_ok=True, message=words)

    async def _go_on(self, run: _Run) -> None:
        """Between two steps, when the order is as it was. Raises NotPossible where writes were stopped meanwhile."""

        def work(tx: Transaction) -> None:
            self._hold(tx, run.operation)
            stop = next((one for one in write_stops.list_active(tx) if one.order_id is None), None)
            if stop is not None:
                raise NotPossible(stop.message)

        await self._database.write(work)

    def _check(self, run: _Run, saved: TrialSave) -> None:
        """Raises SpoiltSave, PlansoRefused, PlansoUnsure."""
        if not saved.assessment.is_clean:
            raise DamagingSave(saved)
        if isinstance(saved.error, PlansoRefused) and (saved.unapplied or not saved.plan.new_values):
            raise saved.error
        if saved.unapplied:
            labels = ", ".join(f"'{one.label or one.column}'" for one in saved.unapplied)
            if saved.error is not None:
                raise PlansoUnsure(f"{saved.error}; {labels} holds what it held, and may still change")
            raise PlansoRefused(f"PlanSo took the save, and holds another value in {labels} than was sent")
        run.counted.append(saved)

    # -- the end

    async def _succeeded(self, run: _Run) -> Finding:
        saves = run.saves
        names = list_form_controls(control.name for control in saves.original.markup.controls)
        is_partial = run.style.sends == "changed" and self._profile.save.sends == "whole"
        trial = TrialOutcome(
            format_instant(self._clock()),
            run.prepared.order_id,
            run.operation,
            self._fingerprint,
            names,
            is_clean=True,
            sends=run.style.sends,
            always=run.style.always if is_partial else (),
            unchecked=run.style.unchecked if is_partial else None,
            known=tuple(name for name in saves.profile.save.known if name not in self._profile.save.known),
        )
        form, read_at = await saves.read(), format_instant(self._clock())
        await self._reader.store_form(form.read_fields(), run.known, read_at)
        await self._end.record_success(LEASE, trial, run.counted)
        words = "Tried: the order is as it was. How this PlanSo saves is known from now on."
        if is_partial:
            words += (
                " A connector started from now on sends only what changes, so that it overwrites nobody's edit: "
                "restart a running one. `planso-connector doctor --forget-trial` takes that back."
            )
        return Finding("outcome", is_ok=True, message=words)

    async def _failed(self, run: _Run, error: ConnectorError) -> Finding:
        """Something did not work, and nothing was lost by it."""
        if isinstance(error, PlansoUnsure):
            return await self._left(run, str(error))
        try:
            await run.saves.revert()
        except DamagingSave as spoilt:
            return await self._damaged(run, spoilt.saved)
        except RevertFailed as left:
            return await self._left(run, f"{error}; {left}")
        await self._end.release_order(LEASE, run.operation, run.prepared.order_id)
        words = (
            f"{str(error).rstrip('.')}. The order is as it was; how this PlanSo saves is known no better than before."
        )
        return Finding("outcome", is_ok=False, message=words)

    async def _left(self, run: _Run, why: str) -> Finding:
        left = run.saves.list_unreverted()
        await self._end.record_unreverted(LEASE, run.operation, run.prepared.order_id, left, why, run.saves.started_at)
        order = run.prepared.order_id
        words = f"{why.rstrip('.')}. Writes to order {order} stay stopped: look at it in PlanSo"
        if left:
            words += f", or write back what it held, `planso-connector writes restore {run.operation}`"
        words += f"; then `planso-connector writes resume --order {order}`."
        return Finding("outcome", is_ok=False, message=words, rows=_rows(left))

    async def _damaged(self, run: _Run, saved: TrialSave) -> Finding:
        names = list_form_controls(control.name for control in run.saves.original.markup.controls)
        at = format_instant(self._clock())
        trial = TrialOutcome(at, run.prepared.order_id, run.operation, self._fingerprint, names, is_clean=False)
        differences = await self._end.record_damage(LEASE, trial, saved, run.saves, run.known)
        words = (
            "The save damaged the order: what is listed was there before. Writes of this workshop are stopped, in "
            f"every process. `planso-connector writes restore {run.operation}` writes the values back; look into "
            "PlanSo, and learn from a recording (docs/learning.md) before you resume: `planso-connector writes resume`."
        )
        return Finding("outcome", is_ok=False, message=words, rows=_rows(differences))


def _same_again(form: Form, text: TrialChange) -> ChangePlan:
    """A plan that changes nothing; where only what changes is sent, the text goes as it stands."""
    if form.profile.save.sends == "whole":
        return ChangePlan()
    plan = form.plan(text.asked)
    return ChangePlan(new_values={index: form.markup.controls[index].value for index in plan.new_values})


def _taking_filled(form: Form, profile: Profile) -> Profile:
    """The profile by which controls that a script fills go with what it fills in, and empty where that is not known."""
    filled = [control for control in form.script_filled_controls() if control.script_value is not None]
    known = [
        control.name
        for control in filled
        if control.script_value is not None and control.script_value.value is not None
    ]
    unfilled = [control.name for control in filled if control.name not in known]
    style = profile.save
    style = replace(style, known=(*style.known, *known), unfilled=(*style.unfilled, *unfilled))
    return replace(profile, save=style)


def _who(form: Form) -> str:
    values = form.read_fields().values
    named = [values.get("vehicle_details.number_plate"), values.get("vehicle.vehicle"), values.get("person")]
    return ", ".join(str(one) for one in named if one) or "no plate, no person"


def _steps(
    pairs: int, text: TrialChange, day: TrialChange | None, style: SaveStyle, lost: list[str]
) -> tuple[str, ...]:
    steps = [
        "save its form as it stands"
        + (f": {pairs} values" if style.sends == "whole" else f": '{text.label}' as it is"),
        f"add a line to '{text.label}', and take it away again",
    ]
    if day is not None:
        steps.append(f"set '{day.label}' to another day, and back")
    if style.sends == "whole":
        steps.append(
            f"leave '{text.label}' and a box that is checked out of a save; where PlanSo keeps what they hold, send "
            f"'{text.label}' alone; then put everything back"
        )
    steps.append("read it a dozen times, to see whether PlanSo serves two requests at once, and in how many sessions")
    return (*steps, *(f"MAY BE LOST: {one}" for one in lost))


def _rows(differences: Sequence[Difference]) -> tuple[tuple[str, ...], ...]:
    return tuple((one.label, one.column, f"was '{one.shown_before}'", f"is '{one.shown_after}'") for one in differences)
