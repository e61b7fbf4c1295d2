"""
Try whether a PlanSo takes a save of only what changes, and keeps everything that does not arrive.

Carefully: at first one control is left out of a save of the whole form, which holds nothing but the trial's own text,
and only where PlanSo keeps that, a changed control is sent alone. Nothing is put back here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from planso_connector.domain.errors import Invalid
from planso_connector.flows.trial.saves import TrialSaver
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.control import Control
from planso_connector.planso.pages.form import Form
from planso_connector.planso.saving.save_style import SaveStyle

BOX_TYPES = frozenset({"checkbox", "radio"})
"""Controls that send nothing while they are not checked."""


@dataclass(frozen=True, slots=True)
class PartialSaveResult:
    """`style`: how only what changes is sent; None where this PlanSo is sent the whole form. `why`: a sentence."""

    style: SaveStyle | None
    reason: str


class PartialSaveTrial:
    """
    `text` is the name of a control that holds the trial's own text now, which `marked` changes to another one.
    """

    def __init__(self, saves: TrialSaver, text: str, marked: dict[str, list[str]]) -> None:
        self._saves = saves
        self._text = text
        self._marked = marked
        self._style = saves.profile.save

    async def run(self) -> PartialSaveResult:
        """Raises PlansoError."""
        box = _checked_box(await self._saves.read())
        kept = await self._leave_out({self._text, *([box.name] if box is not None else [])})
        if kept is not None:
            return PartialSaveResult(None, kept)
        style = await self._alone()
        if style is None:
            return PartialSaveResult(None, "PlanSo does not take a changed control alone")
        if box is None:
            box = next(iter(_boxes(await self._saves.read())), None)
            if box is not None and not await self._is_box_kept(box, style):
                return PartialSaveResult(None, "PlanSo unchecks boxes that do not arrive")
        return PartialSaveResult(await self._with_unchecking(box, style), "PlanSo keeps what does not arrive")

    async def _leave_out(self, names: Collection[str]) -> str | None:
        """Save the whole form but for these controls. None where they keep what they hold, else why they don't."""
        form = await self._saves.read()
        others = tuple(dict.fromkeys(name for name, _ in form.serialise_pairs() if name not in names))
        saved = await self._saves.save(lambda _: ChangePlan(), replace(self._style, sends="changed", always=others))
        if not saved.is_clean:
            return "PlanSo empties what does not arrive"
        return f"PlanSo does not take a form with something left out ({saved.error})" if saved.error else None

    async def _alone(self) -> SaveStyle | None:
        """Save the changed text alone, else with the hidden inputs, among which a token may be."""
        hidden = _hidden(await self._saves.read())
        for always in ((), hidden) if hidden else ((),):
            style = replace(self._style, sends="changed", always=always)
            saved = await self._saves.save(self._mark, style)
            if saved.is_clean:
                return style
            if not saved.assessment.is_clean:
                return None
        return None

    def _mark(self, form: Form) -> ChangePlan:
        return form.plan_controls(self._marked)

    async def _is_box_kept(self, box: Control, style: SaveStyle) -> bool:
        """Check a box, and whether it stays so where it does not arrive."""
        try:
            checked = await self._saves.save(lambda form: form.plan_controls({box.name: [box.value]}), style)
        except Invalid:
            return False
        if not checked.is_clean:
            return False
        again = {self._text: [f"{value} " for value in self._marked[self._text]]}
        return (await self._saves.save(lambda form: form.plan_controls(again), style)).is_clean

    async def _with_unchecking(self, box: Control | None, style: SaveStyle) -> SaveStyle:
        """The style with an empty value for unchecked boxes, where that unchecks one."""
        if box is None:
            return style
        unchecking = replace(style, unchecked="")
        saved = await self._saves.save(lambda form: form.plan_controls({box.name: []}), unchecking)
        return unchecking if saved.is_clean else style


def _boxes(form: Form) -> list[Control]:
    """Check boxes that send nothing while they are not checked: no hidden input has their name."""
    others = {control.name for control in form.markup.controls if control.type not in BOX_TYPES}
    return [c for c in form.markup.controls if c.type == "checkbox" and c.is_sent and c.name not in others]


def _checked_box(form: Form) -> Control | None:
    return next((box for box in _boxes(form) if box.checked), None)


def _hidden(form: Form) -> tuple[str, ...]:
    """Hidden inputs without a label."""
    labelled = {member.index for entry in form.markup.entries for member in entry.controls}
    hidden = [c for c in form.markup.controls if c.type == "hidden" and c.is_sent and c.index not in labelled]
    boxes = {control.name for control in form.markup.controls if control.type in BOX_TYPES}
    return tuple(dict.fromkeys(control.name for control in hidden if control.name not in boxes))
