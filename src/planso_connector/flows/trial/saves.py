"""
The saves of a trial: each is planned on a form that two readings agree on, read back until two readings agree, and all
controls are compared. What the trial changed is remembered, so that it can be put back. No transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from planso_connector.domain.clock import Clock, Instant, format_instant
from planso_connector.domain.errors import ConnectorError, PlansoRefused, PlansoUnavailable, PlansoUnsure
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.order import Order
from planso_connector.domain.saving.assessment import Assessment, PriorSaves, assess_save
from planso_connector.domain.saving.differences import DAMAGE_VERDICTS, Difference, Verdict
from planso_connector.domain.saving.snapshot import ControlState, Snapshot, find_changed_columns
from planso_connector.flows.writing.read_back import EmptyForm, LiveForms
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.login import SessionEnded
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form import Form
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.form_snapshot import take_snapshot
from planso_connector.planso.saving.pairs import select_pairs
from planso_connector.planso.saving.save_style import SaveStyle

MAX_READINGS = 4
"""How often a form is read at most until two readings in a row agree."""

MAX_ATTEMPTS = 2
"""How often a save is begun where an ended session kept it from being sent, and how often something is put back."""

_CAUSED = DAMAGE_VERDICTS | {Verdict.COPY, Verdict.DEPENDENT}
"""What differs because of the save, and is put back."""


@dataclass(frozen=True, slots=True)
class TrialSave:
    """One save of the trial, read back. `after` is the form as it is now."""

    before: Form
    after: Form
    plan: ChangePlan
    assessment: Assessment
    unapplied: tuple[ControlState, ...]
    """The changed controls that hold something else than was sent, as they were sent."""
    error: PlansoRefused | PlansoUnsure | None
    """What PlanSo said against it, or why its answer proves nothing."""
    pair_count: int
    read_at: str

    @property
    def is_clean(self) -> bool:
        """Whether everything that was sent is there, and nothing else was lost."""
        return self.assessment.is_clean and not self.unapplied

    @property
    def is_refused(self) -> bool:
        return isinstance(self.error, PlansoRefused) and self.assessment.is_clean and bool(self.unapplied)


class RevertFailed(Exception):
    """The order could not be put back as it was; the text says why."""


class DamagingSave(Exception):
    """A save of the trial took values from controls that it was not asked to change."""

    def __init__(self, saved: TrialSave) -> None:
        super().__init__()
        self.saved = saved


class TrialSaver:
    """Saves one order. `profile` is the one to be tried; `original` the form as it was before the trial."""

    def __init__(
        self,
        planso: PlansoClient,
        live: LiveForms,
        clock: Clock,
        profile: Profile,
        original: Form,
        known: Order | None,
        experience: PriorSaves,
    ) -> None:
        assert original.order_id is not None, "an order is tried on"
        self.order_id: int = original.order_id
        self.profile = profile
        self.original = original
        self.completed: list[TrialSave] = []
        self.started_at: Instant | None = None
        """When the first save was begun; None while nothing was sent."""
        self._planso = planso
        self._live = live
        self._clock = clock
        self._known = known
        self._experience = experience
        self._now = original
        self._touched: set[str] = set()

    async def save(self, plan_on: Callable[[Form], ChangePlan], style: SaveStyle | None = None) -> TrialSave:
        """
        One save of what `plan_on` makes of the form as it is now; in the profile's style without another. Raises
        PlansoError where nothing was sent or it can't be read back, Invalid where the form can't take it.
        """
        style = style or self.profile.save
        for _ in range(MAX_ATTEMPTS):
            try:
                with urgent_requests():
                    form, volatile, plan, outcome = await self._sent(plan_on, style)
            except SessionEnded:
                await self.read()  # logs in, as no held slot may
                continue
            saved = await self._read_back(form, volatile, plan, style, outcome)
            self._remember(saved)
            return saved
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be saved; nothing was saved.")

    async def read(self) -> Form:
        """The form as it is now; an empty one only where the last save emptied it. Raises NotFound, PlansoError."""
        try:
            with urgent_requests():  # the session in which saves go
                form = await self._live.read_existing(self.order_id, self._known, self._now)
        except EmptyForm as empty:
            if not self.completed or self.completed[-1].assessment.is_clean:
                raise
            form = empty.form
        return replace(form, profile=self.profile)

    async def _sent(
        self, plan_on: Callable[[Form], ChangePlan], style: SaveStyle
    ) -> tuple[Form, frozenset[str], ChangePlan, PlansoRefused | PlansoUnsure | None]:
        """Read until two readings agree, and save the later one, in one slot of the throttle."""
        async with self._planso.hold_slot():
            previous, form = await self.read(), await self.read()
            for _ in range(MAX_READINGS - 2):
                if not form.find_differences(previous):
                    break
                previous, form = form, await self.read()
            plan = plan_on(form)
            self.started_at = self.started_at or format_instant(self._clock())
            volatile = frozenset(find_changed_columns(take_snapshot(previous), take_snapshot(form)))
            # Before it is sent: where the answer is lost, or the form can't be read back, it may be there all the same.
            self._touched |= {form.markup.controls[index].name for index in plan.new_values}
            try:
                await self._planso.save(form, plan, style)
            except (PlansoRefused, PlansoUnsure) as outcome:
                return form, volatile, plan, outcome
            return form, volatile, plan, None

    async def _read_back(
        self,
        form: Form,
        volatile: frozenset[str],
        plan: ChangePlan,
        style: SaveStyle,
        outcome: PlansoRefused | PlansoUnsure | None,
    ) -> TrialSave:
        what = f"the save of order {self.order_id}"
        seen = await self._live.read_after_save(self.order_id, {}, form.read_fields().values, what)
        before, sent, after = take_snapshot(form), take_snapshot(form, plan), take_snapshot(seen.form)
        now = self._clock().astimezone(BERLIN).replace(tzinfo=None)
        assessment = assess_save(
            before, sent, after, volatile=volatile | seen.volatile, experience=self._experience, now=now
        )
        asked = [state for column, state in sent.items() if not state.is_identical(before[column])]
        return TrialSave(
            form,
            replace(seen.form, profile=self.profile),
            plan,
            assessment,
            tuple(one for one in asked if one.column not in after or not one.is_equivalent(after[one.column])),
            outcome,
            len(select_pairs(form, plan, style)),
            seen.read_at,
        )

    def _remember(self, saved: TrialSave) -> None:
        self.completed.append(saved)
        self._now = saved.after
        self._touched |= {one.column for one in saved.assessment.differences if one.verdict in _CAUSED}
        # A control that changes with each of two saves is changed by the save.
        edited = {one.column for one in saved.assessment.differences if one.verdict is Verdict.EDITED}
        self._experience = replace(self._experience, edited=edited)

    async def revert(self, style: SaveStyle | None = None) -> None:
        """
        Write back what the trial changed, where it is otherwise than before the trial. Edits by people stay. Raises
        SpoiltSave, Left.
        """
        why = ""
        for _ in range(MAX_ATTEMPTS):
            try:
                if not self._otherwise(await self.read()):
                    return
                saved = await self.save(self._back, style)
            except ConnectorError as error:
                why = str(error)
                continue
            if not saved.assessment.is_clean:
                raise DamagingSave(saved)
            why = str(saved.error or "")
        left = [one.quoted_name for one in self.list_unreverted()]
        if left:
            raise RevertFailed(f"{', '.join(left)} could not be put back{f' ({why})' if why else ''}")

    def _back(self, form: Form) -> ChangePlan:
        held = take_snapshot(self.original)
        return form.plan_controls({column: held[column].values for column in self._otherwise(form)})

    def list_unreverted(self) -> list[Difference]:
        """What the trial changed and the form, as it was read last, holds otherwise than before the trial."""
        return list(self._left(take_snapshot(self._now)))

    def _left(self, now: Snapshot) -> Iterator[Difference]:
        for column, old in take_snapshot(self.original).items():
            new = now.get(column)
            if column in self._touched and not (new is not None and old.is_equivalent(new)):
                shown = new.shown if new is not None else ""
                values = new.values if new is not None else ()
                yield Difference(column, old.label, Verdict.TRIED, old.values, values, old.shown, shown)

    def _otherwise(self, form: Form) -> list[str]:
        """The controls to put back: not to the letter as before, and of those that a browser submits."""
        now, old = take_snapshot(form), take_snapshot(self.original)
        there = {control.name for control in form.markup.controls if control.is_sent}
        return [
            column
            for column in old
            if column in self._touched & there and not (column in now and old[column].is_identical(now[column]))
        ]
