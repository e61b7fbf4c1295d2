"""
The saves of a write trial. Each is planned on a form that two readings agree on and read back until two readings agree,
and all controls are compared. What the trial changed is remembered, so that it can be reverted. No transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from planso_connector.domain.clock import Clock, Instant, format_instant
from planso_connector.domain.errors import ConnectorError, PlansoRefused, PlansoUnavailable, PlansoUnsure
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.order import Order
from planso_connector.domain.saving.damage_assessment import Assessment, PriorSaves, assess_save
from planso_connector.domain.saving.snapshot import ControlState, find_changed_columns
from planso_connector.domain.saving.verdicts import DAMAGE_VERDICTS, Difference, Verdict
from planso_connector.flows.syncing.read_order import EmptyForm
from planso_connector.flows.writing.read_back import LiveFormReader
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.login import SessionEnded
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form_parser import Form
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.form_snapshot import take_snapshot
from planso_connector.planso.saving.pairs import select_pairs
from planso_connector.planso.saving.save_style import SaveStyle

MAX_READINGS = 4
"""Readings of a form until two in a row agree."""

MAX_ATTEMPTS = 2
"""Attempts to save where the session ended before it was sent, and attempts to revert."""

_CAUSED_BY_SAVE = DAMAGE_VERDICTS | {Verdict.COPY, Verdict.DEPENDENT}


@dataclass(frozen=True, slots=True)
class TrialSave:
    """One save, read back. `before`: the form that was saved; `after`: as it was read back."""

    before: Form
    after: Form
    plan: ChangePlan
    assessment: Assessment
    unapplied: tuple[ControlState, ...]
    """The changed controls, as they were sent, that hold another value."""
    error: PlansoRefused | PlansoUnsure | None
    """PlanSo's refusal, or why its response proves nothing."""
    pair_count: int
    read_at: Instant

    @property
    def is_clean(self) -> bool:
        """Whether all that was sent is there, and nothing else was damaged."""
        return self.assessment.is_clean and not self.unapplied


class RevertFailed(Exception):
    """The order could not be reverted; the text says why."""


class DamagingSave(Exception):
    """A save damaged controls that it was not asked to change."""

    def __init__(self, save: TrialSave) -> None:
        super().__init__()
        self.save = save


class _SentForm(NamedTuple):
    form: Form
    volatile: frozenset[str]
    plan: ChangePlan
    error: PlansoRefused | PlansoUnsure | None


class TrialSaver:
    """Saves one order. `profile`: the one to be tried; `original`: the form before the trial."""

    def __init__(
        self,
        planso: PlansoClient,
        live: LiveFormReader,
        clock: Clock,
        profile: Profile,
        original: Form,
        mirrored: Order | None,
        prior_saves: PriorSaves,
    ) -> None:
        assert original.order_id is not None, "an existing order is tried"
        self.order_id: int = original.order_id
        self.profile = profile
        self.original = original
        self.completed: list[TrialSave] = []
        self.started_at: Instant | None = None
        """When the first save was sent."""
        self._planso = planso
        self._live = live
        self._clock = clock
        self._mirrored = mirrored
        self._prior_saves = prior_saves
        self._original_states = take_snapshot(original)
        self._latest = original
        self._changed_columns: set[str] = set()

    async def save(self, make_plan: Callable[[Form], ChangePlan], style: SaveStyle | None = None) -> TrialSave:
        """
        Save what `make_plan` makes of the form as it is now, by default in the profile's style. Raises PlansoError
        where nothing was sent or it can't be read back, Invalid where the form can't take it.
        """
        style = style or self.profile.save
        for _ in range(MAX_ATTEMPTS):
            try:
                with urgent_requests():
                    sent = await self._send(make_plan, style)
            except SessionEnded:
                await self.read()  # logs in, which a held slot must not
                continue
            save = await self._read_back(sent, style)
            self._remember(save)
            return save
        raise PlansoUnavailable("PlanSo ended the session each time the order was to be saved; nothing was saved.")

    async def read(self) -> Form:
        """The form as it is now; an empty one only where the last save emptied it. Raises NotFound, PlansoError."""
        try:
            with urgent_requests():  # the session of saves
                form = await self._live.read_existing(self.order_id, self._mirrored, self._latest)
        except EmptyForm as empty:
            if not self.completed or self.completed[-1].assessment.is_clean:
                raise
            form = empty.form
        return replace(form, profile=self.profile)

    async def _send(self, make_plan: Callable[[Form], ChangePlan], style: SaveStyle) -> _SentForm:
        """Read until two readings agree, and save the later one, in one slot of the throttle."""
        async with self._planso.hold_slot():
            previous, form = await self.read(), await self.read()
            for _ in range(MAX_READINGS - 2):
                if not form.find_differences(previous):
                    break
                previous, form = form, await self.read()
            plan = make_plan(form)
            self.started_at = self.started_at or format_instant(self._clock())
            volatile = frozenset(find_changed_columns(take_snapshot(previous), take_snapshot(form)))
            # Before sending: it may be applied even where the response is lost or the form can't be read back.
            self._changed_columns |= form.changed_control_names(plan)
            error: PlansoRefused | PlansoUnsure | None = None
            try:
                await self._planso.save(form, plan, style)
            except (PlansoRefused, PlansoUnsure) as refused_or_unsure:
                error = refused_or_unsure
            return _SentForm(form, volatile, plan, error)

    async def _read_back(self, sent: _SentForm, style: SaveStyle) -> TrialSave:
        form, plan = sent.form, sent.plan
        what = f"the save of order {self.order_id}"
        seen = await self._live.read_after_save(self.order_id, {}, form.read_fields().values, what)
        before, requested, after = take_snapshot(form), take_snapshot(form, plan), take_snapshot(seen.form)
        now = self._clock().astimezone(BERLIN).replace(tzinfo=None)
        volatile = sent.volatile | seen.volatile
        assessment = assess_save(before, requested, after, volatile=volatile, prior_saves=self._prior_saves, now=now)
        unapplied = tuple(
            state
            for column, state in requested.items()
            if not state.is_identical(before[column]) and not (column in after and state.is_equivalent(after[column]))
        )
        pair_count = len(select_pairs(form, plan, style))
        read_back = replace(seen.form, profile=self.profile)
        return TrialSave(form, read_back, plan, assessment, unapplied, sent.error, pair_count, seen.read_at)

    def _remember(self, save: TrialSave) -> None:
        self.completed.append(save)
        self._latest = save.after
        differences = save.assessment.differences
        self._changed_columns |= {one.column for one in differences if one.verdict in _CAUSED_BY_SAVE}
        # The next assessment attributes a control that changes in two saves to the saves.
        edited = {one.column for one in differences if one.verdict is Verdict.EDITED}
        self._prior_saves = replace(self._prior_saves, edited=edited)

    async def revert(self, style: SaveStyle | None = None) -> None:
        """Write back what the trial changed; people's edits stay. Raises DamagingSave, RevertFailed."""
        reason = ""
        for _ in range(MAX_ATTEMPTS):
            try:
                if not self._find_unreverted_columns(await self.read()):
                    return
                save = await self.save(self._plan_revert, style)
            except ConnectorError as error:
                reason = str(error)
                continue
            if not save.assessment.is_clean:
                raise DamagingSave(save)
            reason = str(save.error or "")
        names = [difference.quoted_name for difference in self.list_unreverted()]
        if names:
            raise RevertFailed(f"{', '.join(names)} could not be put back{f' ({reason})' if reason else ''}")

    def _plan_revert(self, form: Form) -> ChangePlan:
        columns = self._find_unreverted_columns(form)
        return form.plan_controls({column: self._original_states[column].values for column in columns})

    def list_unreverted(self) -> list[Difference]:
        """What the trial changed, and does not mean the same as before the trial, in the form as it was read last."""
        latest = take_snapshot(self._latest)
        differences = []
        for column, old in self._original_states.items():
            new = latest.get(column)
            if column in self._changed_columns and (new is None or not old.is_equivalent(new)):
                values, shown = (new.values, new.shown) if new is not None else ((), "")
                difference = Difference(column, old.label, Verdict.TRIED, old.values, values, old.shown, shown)
                differences.append(difference)
        return differences

    def _find_unreverted_columns(self, form: Form) -> list[str]:
        """The changed controls that a browser submits and that are not identical to those before the trial."""
        now = take_snapshot(form)
        revertible = self._changed_columns & {control.name for control in form.markup.controls if control.is_sent}
        return [
            column
            for column, old in self._original_states.items()
            if column in revertible and not (column in now and old.is_identical(now[column]))
        ]
