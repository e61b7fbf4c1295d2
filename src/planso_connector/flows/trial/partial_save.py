"""
Try whether a PlanSo accepts a save of only what changes, and keeps the values of all controls that are not sent.

With little at stake: first, one control that holds nothing but the trial's own text is left out of a save of the whole
form. Only where PlanSo keeps its value, a changed control is sent alone. The caller reverts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from planso_connector.domain.errors import Invalid
from planso_connector.flows.trial.saves import TrialSave, TrialSaver
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.control import Control
from planso_connector.planso.pages.form_parser import Form
from planso_connector.planso.saving.save_style import SaveStyle

BOX_TYPES = frozenset({"checkbox", "radio"})
"""Types of controls that send nothing while they are unchecked."""


@dataclass(frozen=True, slots=True)
class PartialSaveResult:
    """`style`: sends only what changes; None where this PlanSo needs the whole form. `reason`: a clause."""

    style: SaveStyle | None
    reason: str


class PartialSaveTrial:
    """`column`: a control that holds the trial's own text; `values`: other values for it."""

    def __init__(self, saver: TrialSaver, column: str, values: Sequence[str]) -> None:
        self._saver = saver
        self._column = column
        self._values = values
        self._style = saver.profile.save

    async def run(self) -> PartialSaveResult:
        """Raises PlansoError."""
        boxes = _find_boxes(await self._saver.read())
        box = next((box for box in boxes if box.checked), None)
        refusal = await self._leave_out({self._column, *([box.name] if box is not None else [])})
        if refusal is not None:
            return PartialSaveResult(None, refusal)
        style = await self._send_alone()
        if style is None:
            return PartialSaveResult(None, "PlanSo does not take a changed control alone")
        if box is None:
            box = next(iter(_find_boxes(await self._saver.read())), None)
            if box is not None and not await self._keeps_box(box, style):
                return PartialSaveResult(None, "PlanSo unchecks boxes that do not arrive")
        return PartialSaveResult(await self._find_unchecking_style(box, style), "PlanSo keeps what does not arrive")

    async def _leave_out(self, names: Collection[str]) -> str | None:
        """Save the form without these controls. None where they keep their values, else what happened."""
        form = await self._saver.read()
        others = tuple(dict.fromkeys(name for name, _ in form.serialise_pairs() if name not in names))
        save = await self._save({}, replace(self._style, sends="changed", always=others))
        if not save.is_clean:
            return "PlanSo empties what does not arrive"
        return f"PlanSo does not take a form with something left out ({save.error})" if save.error else None

    async def _send_alone(self) -> SaveStyle | None:
        """Save the changed text alone, else with the hidden inputs, as one may hold a token."""
        hidden = _find_hidden(await self._saver.read())
        for always in ((), hidden) if hidden else ((),):
            style = replace(self._style, sends="changed", always=always)
            save = await self._save({self._column: self._values}, style)
            if save.is_clean:
                return style
            if not save.assessment.is_clean:
                return None
        return None

    async def _keeps_box(self, box: Control, style: SaveStyle) -> bool:
        """Check a box, and whether it stays checked in a save that does not send it."""
        try:
            save = await self._save({box.name: [box.value]}, style)
        except Invalid:
            return False
        if not save.is_clean:
            return False
        return (await self._save({self._column: [f"{value} " for value in self._values]}, style)).is_clean

    async def _find_unchecking_style(self, box: Control | None, style: SaveStyle) -> SaveStyle:
        """The style with an empty value for unchecked boxes, where that unchecks one."""
        if box is None:
            return style
        unchecking = replace(style, unchecked="")
        return unchecking if (await self._save({box.name: []}, unchecking)).is_clean else style

    async def _save(self, values: Mapping[str, Sequence[str]], style: SaveStyle) -> TrialSave:
        return await self._saver.save(lambda form: form.plan_controls(values) if values else ChangePlan(), style)


def _find_boxes(form: Form) -> list[Control]:
    """Check boxes that send nothing while they are unchecked: no hidden input has their name."""
    others = {control.name for control in form.markup.controls if control.type not in BOX_TYPES}
    return [c for c in form.markup.controls if c.type == "checkbox" and c.is_sent and c.name not in others]


def _find_hidden(form: Form) -> tuple[str, ...]:
    """Names of hidden inputs without a label, but not of those that are sent in place of an unchecked box."""
    labelled = {control.index for entry in form.markup.entries for control in entry.controls}
    boxes = {control.name for control in form.markup.controls if control.type in BOX_TYPES}
    hidden = [c for c in form.markup.controls if c.type == "hidden" and c.is_sent and c.index not in labelled]
    return tuple(dict.fromkeys(control.name for control in hidden if control.name not in boxes))
