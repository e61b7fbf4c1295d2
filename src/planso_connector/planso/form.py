"""
One order's form: read by its labels, serialised as a browser would, compared with what was asked.

Source: the PlanSo protocol's sections 3 and 6. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from planso_connector.domain import values
from planso_connector.domain.agreement import Agreement
from planso_connector.domain.errors import Invalid, Kept, PageChanged, Problem
from planso_connector.domain.fields import BY_PATH, FIELDS, Value
from planso_connector.domain.order import FormReading
from planso_connector.planso import control_plan, writing
from planso_connector.planso.control import Control, Entry
from planso_connector.planso.labels import FieldLabels
from planso_connector.planso.markup import Page, read_page
from planso_connector.planso.plan import Plan, Wire, make_plan
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.encoding import urlencoded
from planso_connector.planso.saving.tokens import form_tokens
from planso_connector.planso.words import one_line


class NoForm(PageChanged):
    """PlanSo answered as promised, and there is no form in it: some installations do so for unknown orders."""


@dataclass(frozen=True)
class Form:
    """A form as it stood when it was read. `order_id` is None for the empty form of an order to be."""

    order_id: int | None
    page: Page
    profile: Profile
    tokens: Mapping[str, str] = field(default_factory=dict)
    """What the answer held of the tokens that a save needs (profile, `[save.tokens]`), by their names."""

    @classmethod
    def parse(cls, answer: Mapping[str, Any], profile: Profile, order_id: int | None) -> Form:
        """
        The form in PlanSo's JSON answer `{"center": {"content": "<html>"}}`.

        An empty content is a blank form without labels, as for an order that does not exist. Raises PageChanged where
        the answer holds no content, or one without any labelled control.
        """
        name = f"the form of order {order_id}" if order_id is not None else "the empty form"
        center = answer.get("center")
        content = center.get("content") if isinstance(center, Mapping) else None
        if not isinstance(content, str):
            told = f"; PlanSo says: {one_line(answer['error'])}" if answer.get("error") else ""
            raise NoForm(f"{name} did not arrive: the answer has no center.content{told}")
        try:
            page = read_page(content)
        except RecursionError as error:
            raise PageChanged(f"{name} is nested too deeply to be one") from error
        if not page.entries and content.strip():
            raise PageChanged(f"{name} holds no labelled control")
        return cls(order_id, page, profile, form_tokens(profile.save, answer, page))

    @cached_property
    def _found(self) -> FieldLabels:
        return FieldLabels(self.page.entries, self.profile.labels)

    def reading(self) -> FormReading:
        """The canonical value of every field by path (None where nothing is), and what every label shows."""
        return self._reading

    @cached_property
    def _reading(self) -> FormReading:
        found = self._found
        read: dict[str, Value] = {path: found.value(path) for path in BY_PATH}
        shown: dict[str, str] = {}
        for entry in self.page.entries:
            if not shown.get(entry.label):
                shown[entry.label] = entry.shown
        return FormReading(
            values=read,
            fields=shown,
            is_blank=self.is_blank,
            found=frozenset(path for path in BY_PATH if found.entries(path)),
            unreadable={
                path: text for path in BY_PATH if read[path] is None and (text := found.unreadable(path)) is not None
            },
        )

    @property
    def is_blank(self) -> bool:
        """Whether no label holds anything: what PlanSo shows for an order that does not exist."""
        return all(entry.holds_nothing for entry in self.page.entries)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label of the form as a person reads it, in the form's order."""
        return tuple(dict.fromkeys(entry.label for entry in self.page.entries))

    def target(self, path: str) -> Entry | None:
        """Where a write to the field goes; None where the form has no label for it."""
        return self._found.target(path)

    def missing_labels(self) -> list[tuple[str, tuple[str, ...]]]:
        """Fields that this form has no label for, with the labels looked for."""
        return [(field.path, self._found.names(field.path)) for field in FIELDS if not self._found.entries(field.path)]

    def plan(self, asked: Mapping[str, Value]) -> Plan:
        """
        What to change so that the form holds the asked values, by field path; None clears.

        Raises Invalid with all fields that this form can't take: no such label, not offered, read only.
        """
        plan = make_plan(self._found, asked)
        problems = self._unsendable(plan)
        if problems:
            raise Invalid(problems)
        return plan

    def names_of(self, label: str) -> frozenset[str]:
        """A label as the history names it: the paths of its fields, else the label itself."""
        if not label:
            return frozenset()
        paths = [path for path in BY_PATH if any(entry.label == label for entry in self._found.entries(path))]
        return frozenset(paths or [label])

    def plan_controls(self, controls: Mapping[str, Sequence[str]]) -> Plan:
        """
        What to change so that these controls submit these values, by control name. Raises Invalid that names each
        control that is not there or does not offer them.
        """
        return control_plan.plan_controls(self.page, controls)

    @property
    def submitted(self) -> dict[str, tuple[str, ...]]:
        """What a browser would submit of the form as it stands, by control name."""
        return control_plan.submitted_values(self.page)

    def _unsendable(self, plan: Plan) -> list[Problem]:
        """Where only what changed is sent: controls that have nothing to send, such as an unchecked box."""
        style = self.profile.save
        if style.sends == "whole" or style.unchecked is not None:
            return []
        silent = self.changed_names(plan) - {name for name, _ in self.changed_pairs(plan)}
        return [
            Problem(
                loc=("body", *change.path.split(".")),
                msg=f"'{change.label}' can't be emptied: this PlanSo is sent only what changes, and an unchecked box "
                "or an empty selection sends nothing (profile, save.unchecked)",
                type="planso_not_sendable",
            )
            for change in plan.changes
            if (target := self._found.target(change.path)) is not None and target.control.name in silent
        ]

    def pairs(self, plan: Plan | None = None) -> list[tuple[str, str]]:
        """
        Names and values that a browser would send, decoded, in document order, with the plan's changes. What is not
        changed goes back as it came: line breaks too, which jQuery would rewrite.
        """
        changed = plan.wire if plan is not None else {}
        return [
            (control.name, value)
            for control in self.page.controls
            for value in sent_values(control, changed.get(control.index))
        ]

    def changed_pairs(self, plan: Plan) -> list[tuple[str, str]]:
        """All pairs of the names that the plan changes; an unchecked box has none, but where a hidden input has."""
        names = self.changed_names(plan)
        return [pair for pair in self.pairs(plan) if pair[0] in names]

    def changed_names(self, plan: Plan) -> frozenset[str]:
        return frozenset(self.page.controls[index].name for index in plan.wire)

    def serialised(self, plan: Plan | None = None) -> str:
        """The form as jQuery's serialize() gives it, with the plan's changes."""
        return urlencoded(self.pairs(plan))

    def not_taken_over(self, asked: Mapping[str, Value], saved: Form | None = None) -> list[Kept]:
        """
        The asked fields that this form, read back after a save, does not hold where they were written: what it holds
        means something else. `saved` is the form that was saved, whose notation decided what was sent.
        """
        kept = []
        for path, value in asked.items():
            if self._agreement(path, value, saved) is not Agreement.DIFFERENT:
                continue
            entry = self._found.target(path)
            label = entry.label if entry is not None else self._found.names(path)[0]
            sent = values.planso_words(BY_PATH[path].kind, value)
            kept.append(Kept(field=path, label=label, sent=sent, kept=entry.shown if entry is not None else ""))
        return kept

    def normalised(self, asked: Mapping[str, Value], saved: Form | None = None) -> tuple[str, ...]:
        """
        Sentences on the asked fields that this form, read back after a save, holds in another notation than they were
        sent: they mean the same. `saved` as above; without it, dates and numbers are told by their value alone.
        """
        notes = []
        for path, value in asked.items():
            entry = self._found.target(path)
            if entry is not None and self._agreement(path, value, saved) is Agreement.NORMALISED:
                words = values.planso_words(BY_PATH[path].kind, value)
                notes.append(f"PlanSo writes {path} ('{entry.label}') as '{entry.shown}' (asked '{words}').")
        return tuple(notes)

    def _agreement(self, path: str, value: Value, saved: Form | None) -> Agreement:
        entry = self._found.target(path)
        if entry is None:
            return Agreement.EQUAL if value is None else Agreement.DIFFERENT
        before = saved.target(path) if saved is not None else None
        return writing.agreement_with(entry, BY_PATH[path].kind, value, before)

    def differences(self, other: Form) -> list[tuple[str, str, str]]:
        """Labels that show different things in two readings: (label, here, there). Hidden tokens don't count."""
        mine, theirs = _by_occurrence(self.page.entries), _by_occurrence(other.page.entries)
        differences = []
        for key in mine | theirs:
            one, two = mine.get(key), theirs.get(key)
            if one is None or two is None or _state(one) != _state(two):
                label = (one or two or next(iter(mine.values()))).label
                differences.append((label, one.shown if one else "", two.shown if two else ""))
        return differences


def _by_occurrence(entries: Iterable[Entry]) -> dict[tuple[str, int], Entry]:
    seen: Counter[str] = Counter()
    found = {}
    for entry in entries:
        found[entry.key, seen[entry.key]] = entry
        seen[entry.key] += 1
    return found


def _state(entry: Entry) -> object:
    """What two readings are compared by; line breaks count as one, an option by its value and text."""
    if entry.is_choice:
        return [(entry.choices[at].value, entry.choices[at].text) for at in entry.chosen]
    return entry.shown.replace("\r\n", "\n")


def sent_values(control: Control, changed: Wire | None) -> list[str]:
    """The values that a browser sends for one control; none for an unchecked box."""
    if not control.is_sent:
        return []
    if control.type == "select":
        chosen = changed if isinstance(changed, tuple) else control.chosen
        return [control.options[at].value for at in chosen if not control.options[at].disabled]
    if control.type in ("checkbox", "radio"):
        checked = changed if isinstance(changed, bool) else control.checked
        return [control.value] if checked else []
    return [changed if isinstance(changed, str) else control.value]
