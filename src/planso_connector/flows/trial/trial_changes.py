"""What a trial changes of an order: a text and a date of the form, and to what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from planso_connector.domain.errors import Invalid
from planso_connector.domain.fields import BY_PATH, RequestKind, Value
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form import Form

TEST_LINE = "Test der Schnittstelle (PlanSo Connector), wird gleich wieder gelöscht."
"""Stands in the order for a moment; with a letter that a wrong encoding breaks."""

TEXT_FIELDS = ("remarks", "damage_description", "workshop_distribution", "external_calculation")
DATE_FIELDS = ("shop_date", "repair_date", "estimate_date", "paint_date", "parts_delivery_date", "shop_back_date")
"""Fields that a trial changes, the first that can be written."""

FAR_AWAY = timedelta(days=60)
"""A date at this distance from today is of no consequence for the workshop's plan."""

_NEXT_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class TrialChange:
    """A change of one field that the trial makes and takes back. `label` is PlanSo's."""

    path: str
    label: str
    value: Value

    @property
    def asked(self) -> Mapping[str, Value]:
        return {self.path: self.value}


def choose_text_change(form: Form) -> TrialChange | None:
    """A line more in the first text that can be written."""
    for path in TEXT_FIELDS:
        held = form.read_fields().values.get(path)
        joint = "\n" if _is_long(form, path) else " "
        change = _change(form, path, f"{held}{joint}{TEST_LINE}" if held else TEST_LINE)
        if change is not None:
            return change
    return None


def choose_date_change(form: Form, today: date) -> TrialChange | None:
    """One day later, of a date that is far away, else a day next year where none is, else of the first."""
    found: list[tuple[int, TrialChange]] = []
    for path in DATE_FIELDS:
        held = form.read_fields().values.get(path)
        if path in form.read_fields().unreadable:
            continue
        rank, new = _moved(held, today)
        change = _change(form, path, new)
        if change is not None:
            found.append((rank, change))
    return min(found, key=lambda one: one[0])[1] if found else None


def describe_script_filled(form: Form, change: TrialChange) -> list[str]:
    """Sentences on the controls that a script fills, which saving the form would empty."""
    try:
        form.plan(change.asked)
    except Invalid as error:
        return [problem.msg for problem in error.problems if problem.type == "planso_script_filled"]
    return []


def list_planned_controls(form: Form, plan: ChangePlan) -> list[str]:
    """The names of the controls that a plan changes."""
    return list(dict.fromkeys(form.markup.controls[index].name for index in plan.new_values))


def _moved(held: Value, today: date) -> tuple[int, str]:
    """How well it fits, best first, and the new date."""
    if not isinstance(held, str):
        return 1, (today + _NEXT_YEAR).isoformat()
    day = date.fromisoformat(held[:10])
    return 0 if abs(day - today) > FAR_AWAY else 2, f"{(day + timedelta(days=1)).isoformat()}{held[10:]}"


def _change(form: Form, path: str, value: Value) -> TrialChange | None:
    """None where the form can't take it; a control that a script fills is none of the reasons."""
    assert RequestKind.UPDATE in BY_PATH[path].accepted_in, "what is tried can be written by callers"
    try:
        plan = form.plan({path: value})
    except Invalid as error:
        if not _only_script_filled(error):
            return None
        target = form.write_target(path)
        return TrialChange(path, target.label, value) if target is not None else None
    return TrialChange(path, plan.changes[0].label, value) if plan.changes else None


def _only_script_filled(error: Invalid) -> bool:
    kinds: Sequence[str] = [problem.type for problem in error.problems]
    return set(kinds) == {"planso_script_filled"}


def _is_long(form: Form, path: str) -> bool:
    target = form.write_target(path)
    return target is not None and target.control.type == "textarea"
