"""Choose what a write trial changes of an order: one text and one date of the form. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from planso_connector.domain.errors import Invalid
from planso_connector.domain.fields import Value
from planso_connector.planso.pages.form_parser import Form

TEST_LINE = "Test der Schnittstelle (PlanSo Connector), wird gleich wieder gelöscht."
"""Stands in the order for a moment. It holds a letter that a wrong encoding breaks."""

TEXT_FIELDS = ("remarks", "damage_description", "workshop_distribution", "external_calculation")
DATE_FIELDS = ("shop_date", "repair_date", "estimate_date", "paint_date", "parts_delivery_date", "shop_back_date")

FAR_AWAY = timedelta(days=60)
"""Moving a date this far from today does not affect the workshop's plan."""

_NEXT_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class TrialChange:
    """A new value of one field, which the trial reverts. `label`: PlanSo's."""

    path: str
    label: str
    value: Value

    @property
    def requested(self) -> Mapping[str, Value]:
        return {self.path: self.value}


def choose_text_change(form: Form) -> TrialChange | None:
    """One more line in the first text that can be written; None where there is none."""
    for path in TEXT_FIELDS:
        held, target = form.read_fields().values.get(path), form.write_target(path)
        separator = "\n" if target is not None and target.control.type == "textarea" else " "
        change = _plan_change(form, path, f"{held}{separator}{TEST_LINE}" if held else TEST_LINE)
        if change is not None:
            return change
    return None


def choose_date_change(form: Form, today: date) -> TrialChange | None:
    """A date that is far away, one day later; else an empty date, set to next year; else any date, one day later."""
    candidates: list[tuple[int, TrialChange]] = []
    reading = form.read_fields()
    for path in DATE_FIELDS:
        if path in reading.unreadable:
            continue
        rank, value = _move_date(reading.values.get(path), today)
        change = _plan_change(form, path, value)
        if change is not None:
            candidates.append((rank, change))
    return min(candidates, key=lambda candidate: candidate[0])[1] if candidates else None


def describe_script_filled(form: Form, change: TrialChange) -> list[str]:
    """Sentences on the controls that a script fills, which saving the form would empty."""
    try:
        form.plan(change.requested)
    except Invalid as error:
        return [problem.msg for problem in error.problems if problem.type == "planso_script_filled"]
    return []


def _move_date(held: Value, today: date) -> tuple[int, str]:
    """A rank, the best first, and the new date."""
    if not isinstance(held, str):
        return 1, (today + _NEXT_YEAR).isoformat()
    day = date.fromisoformat(held[:10])
    return 0 if abs(day - today) > FAR_AWAY else 2, f"{(day + timedelta(days=1)).isoformat()}{held[10:]}"


def _plan_change(form: Form, path: str, value: Value) -> TrialChange | None:
    """None where the form can't take the value, other than because a script fills controls."""
    try:
        changes = form.plan({path: value}).changes
    except Invalid as error:
        target = form.write_target(path)
        is_script_filled = all(problem.type == "planso_script_filled" for problem in error.problems)
        return TrialChange(path, target.label, value) if is_script_filled and target is not None else None
    return TrialChange(path, changes[0].label, value) if changes else None
