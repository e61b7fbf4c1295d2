"""What a trial changes of an order: a text and a date of the form, and to what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from planso_connector.domain.errors import Invalid
from planso_connector.domain.fields import BY_PATH, On, Value
from planso_connector.planso.pages.change_plan import Plan
from planso_connector.planso.pages.form import Form

MARK = "Test der Schnittstelle (PlanSo Connector), wird gleich wieder gelöscht."
"""Stands in the order for a moment; with a letter that a wrong encoding breaks."""

TEXTS = ("remarks", "damage_description", "workshop_distribution", "external_calculation")
DATES = ("shop_date", "repair_date", "estimate_date", "paint_date", "parts_delivery_date", "shop_back_date")
"""Fields that a trial changes, the first that can be written."""

FAR = timedelta(days=60)
"""A date at this distance from today is of no consequence for the workshop's plan."""

_NEXT_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one field that the trial makes and takes back. `label` is PlanSo's."""

    path: str
    label: str
    value: Value

    @property
    def asked(self) -> Mapping[str, Value]:
        return {self.path: self.value}


def text_change(form: Form) -> Change | None:
    """A line more in the first text that can be written."""
    for path in TEXTS:
        held = form.reading().values.get(path)
        joint = "\n" if _is_long(form, path) else " "
        change = _change(form, path, f"{held}{joint}{MARK}" if held else MARK)
        if change is not None:
            return change
    return None


def date_change(form: Form, today: date) -> Change | None:
    """One day later, of a date that is far away, else a day next year where none is, else of the first."""
    found: list[tuple[int, Change]] = []
    for path in DATES:
        held = form.reading().values.get(path)
        if path in form.reading().unreadable:
            continue
        rank, new = _moved(held, today)
        change = _change(form, path, new)
        if change is not None:
            found.append((rank, change))
    return min(found, key=lambda one: one[0])[1] if found else None


def script_filled(form: Form, change: Change) -> list[str]:
    """Sentences on the controls that a script fills, which saving the form would empty."""
    try:
        form.plan(change.asked)
    except Invalid as error:
        return [problem.msg for problem in error.problems if problem.type == "planso_script_filled"]
    return []


def columns(form: Form, plan: Plan) -> list[str]:
    """The names of the controls that a plan changes."""
    return list(dict.fromkeys(form.page.controls[index].name for index in plan.wire))


def _moved(held: Value, today: date) -> tuple[int, str]:
    """How well it fits, best first, and the new date."""
    if not isinstance(held, str):
        return 1, (today + _NEXT_YEAR).isoformat()
    day = date.fromisoformat(held[:10])
    return 0 if abs(day - today) > FAR else 2, f"{(day + timedelta(days=1)).isoformat()}{held[10:]}"


def _change(form: Form, path: str, value: Value) -> Change | None:
    """None where the form can't take it; a control that a script fills is none of the reasons."""
    assert On.UPDATE in BY_PATH[path].on, "what is tried can be written by callers"
    try:
        plan = form.plan({path: value})
    except Invalid as error:
        if not _only_script_filled(error):
            return None
        target = form.target(path)
        return Change(path, target.label, value) if target is not None else None
    return Change(path, plan.changes[0].label, value) if plan.changes else None


def _only_script_filled(error: Invalid) -> bool:
    kinds: Sequence[str] = [problem.type for problem in error.problems]
    return set(kinds) == {"planso_script_filled"}


def _is_long(form: Form, path: str) -> bool:
    target = form.target(path)
    return target is not None and target.control.type == "textarea"
