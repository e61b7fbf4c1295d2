"""
One order's form: read by its labels and columns, serialised as a browser would, compared with what was asked.

Source: the PlanSo protocol's sections 3 and 6. Pure.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from planso_connector.domain import values
from planso_connector.domain.errors import FieldMismatch, Invalid, PageChanged, Problem
from planso_connector.domain.fields import BY_PATH, FIELDS, MAX_LABEL_LENGTH, MAX_SHOWN_LENGTH, Value
from planso_connector.domain.notes import RequestNote, shorten
from planso_connector.domain.order import LABEL_PREFIX, FormReading, OversizedText, UnreadableValue
from planso_connector.domain.saving.equivalence import Equivalence
from planso_connector.planso.pages import control_plan, control_values
from planso_connector.planso.pages.change_plan import ChangePlan, ControlValue, plan_field_changes
from planso_connector.planso.pages.control import Control, FormEntry
from planso_connector.planso.pages.field_locator import FieldLocation, FieldLocator
from planso_connector.planso.pages.markup import FormMarkup, parse_form_markup
from planso_connector.planso.pages.section_titles import classify_party
from planso_connector.planso.pages.text import to_one_line
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.encoding import urlencode
from planso_connector.planso.saving.tokens import extract_form_tokens

_SCRIPTS = ("functions", "js")
"""The members of an answer that are scripts."""


class FormMissing(PageChanged):
    """PlanSo answered as promised, and there is no form in it: some installations do so for unknown orders."""


@dataclass(frozen=True)
class Form:
    """A form as it stood when it was read. `order_id` is None for the empty form of an order to be."""

    order_id: int | None
    markup: FormMarkup
    profile: Profile
    tokens: Mapping[str, str] = field(default_factory=dict)
    """What the answer held of the tokens that a save needs (profile, `[save.tokens]`), by their names."""

    @classmethod
    def parse(cls, answer: Mapping[str, Any], profile: Profile, order_id: int | None) -> Form:
        """
        The form in PlanSo's JSON answer `{"center": {"content": "<html>"}, "functions": "<script>"}`; the content may
        be an object or a list of tabs, which are read as one page.

        An empty content is a blank form without labels, as for an order that does not exist. Raises PageChanged where
        the answer holds no content, or one without any labelled control.
        """
        name = f"the form of order {order_id}" if order_id is not None else "the empty form"
        center = answer.get("center")
        pieces = _pieces(center.get("content")) if isinstance(center, Mapping) else []
        if not pieces:
            told = f"; PlanSo says: {to_one_line(answer['error'])}" if answer.get("error") else ""
            raise FormMissing(f"{name} did not arrive: the answer has no center.content{told}")
        try:
            content = "".join(pieces)
            scripts = "\n;".join(str(answer[name]) for name in _SCRIPTS if isinstance(answer.get(name), str))
            page = parse_form_markup(content, scripts, is_whole=len(pieces) > 1)
        except RecursionError as error:
            raise PageChanged(f"{name} is nested too deeply to be one") from error
        if not page.entries and content.strip():
            raise PageChanged(f"{name} holds no labelled control")
        return cls(order_id, page, profile, extract_form_tokens(profile.save, answer, page))

    @cached_property
    def _found(self) -> FieldLocator:
        return FieldLocator(self.markup.entries, self.markup.controls, self.profile)

    def read_fields(self) -> FormReading:
        """The canonical value of every field by path (None where nothing is), and what every label shows."""
        return self._reading

    @cached_property
    def _reading(self) -> FormReading:
        found = self._found
        held = {path: found.value(path) for path in BY_PATH}
        read = {path: value for path, (value, _) in held.items()}
        unreadable: dict[str, UnreadableValue] = {}
        for path, value in held.items():
            doubt = found.doubt(path, value[0])
            if doubt is not None:
                read[path], unreadable[path] = None, doubt
        shown = self._shown()
        for label, text in shown.items():
            if len(text) > MAX_SHOWN_LENGTH:
                shown[label], unreadable[f"{LABEL_PREFIX}{label}"] = "", OversizedText.from_text(text)
        return FormReading(
            values=read,
            fields=shown,
            is_blank=self.is_blank,
            labelled_paths=frozenset(path for path in BY_PATH if found.is_found(path)),
            ambiguous=frozenset(path for path, (_, is_ambiguous) in held.items() if is_ambiguous),
            unreadable=unreadable,
        )

    def _shown(self) -> dict[str, str]:
        """What every label shows; of equal labels the first that is not empty, and not another party's."""
        shown: dict[str, str] = {}
        others = self._found.others
        known = set(map(id, others))
        for entry in self.markup.entries:
            if len(entry.label) <= MAX_LABEL_LENGTH and not shown.get(entry.label):
                shown[entry.label] = "" if id(entry) in known else entry.display_text
        for entry in others:
            if entry.label in shown:
                shown[entry.label] = shown[entry.label] or entry.display_text
        return shown

    @property
    def is_blank(self) -> bool:
        """Whether no label holds anything: what PlanSo shows for an order that does not exist."""
        return all(entry.is_blank for entry in self.markup.entries)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label of the form as a person reads it, in the form's order."""
        return tuple(dict.fromkeys(entry.label for entry in self.markup.entries))

    def write_target(self, path: str) -> FormEntry | None:
        """Where a write to the field goes; None where the form has no label for it."""
        return self._found.target(path)

    def missing_labels(self) -> list[tuple[str, tuple[str, ...]]]:
        """Fields that this form has no label and no column for, with the labels looked for."""
        return [(field.path, self._found.names(field.path)) for field in FIELDS if not self._found.handles(field.path)]

    def field_locations(self) -> dict[str, FieldLocation]:
        """By field path how the field is found, with the doubt that keeps it from being written."""
        found = {path: self._found.handle(path) for path in BY_PATH}
        return {path: handle for path, handle in found.items() if handle is not None}

    def column_hints(self) -> list[tuple[str, str, Control]]:
        """Columns that may be a field's, which is not sure enough to use: field, column, control."""
        return self._found.hints()

    def script_filled_controls(self) -> tuple[Control, ...]:
        """The controls that would be sent and that a script fills: the markup does not hold what a browser sends."""
        style = self.profile.save
        known = {*style.known, *style.unfilled}
        return tuple(
            c for c in self.markup.controls if c.script_value is not None and c.is_sent and c.name not in known
        )

    def plan(self, asked: Mapping[str, Value], *, only_changed: bool | None = None) -> ChangePlan:
        """
        What to change so that the form holds the asked values, by field path; None clears.

        Raises Invalid with all fields that this form can't take: no such label, more than one, not offered, read only;
        and where a script fills controls that the save would blank: all, or with `only_changed`, by default as the
        profile says, those that are asked.
        """
        is_alone = self.profile.save.sends == "changed" if only_changed is None else only_changed
        plan = plan_field_changes(self._found, asked, unknowable=self.script_filled_controls(), only_changed=is_alone)
        problems = self._unsendable(plan)
        if problems:
            raise Invalid(problems)
        return plan

    def names_for_label(self, label: str) -> frozenset[str]:
        """A label as the history names it: by the paths of its fields, and by itself."""
        return frozenset([*self._paths_by_label.get(label, ()), label]) if label else frozenset()

    @cached_property
    def _paths_by_label(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for path in BY_PATH:
            for entry in self._found.entries(path):
                found.setdefault(entry.label, set()).add(path)
        return found

    def plan_controls(self, controls: Mapping[str, Sequence[str]]) -> ChangePlan:
        """
        What to change so that these controls submit these values, by control name. Raises Invalid that names each
        control that is not there or does not offer them.
        """
        return control_plan.plan_control_values(self.markup, controls)

    @property
    def submitted_values(self) -> dict[str, tuple[str, ...]]:
        """What a browser would submit of the form as it stands, by control name."""
        return control_plan.read_submitted_values(self.markup)

    def _unsendable(self, plan: ChangePlan) -> list[Problem]:
        """Where only what changed is sent: controls that have nothing to send, such as an unchecked box."""
        style = self.profile.save
        if style.sends == "whole" or style.unchecked is not None:
            return []
        silent = self.changed_control_names(plan) - {name for name, _ in self.serialise_changed_pairs(plan)}
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

    def serialise_pairs(self, plan: ChangePlan | None = None) -> list[tuple[str, str]]:
        """
        The names and values that jQuery's serialize() makes of the form, with the plan's changes, in the form's order.
        What is not changed goes back as it came: line breaks too, which jQuery would rewrite.
        """
        changed = plan.new_values if plan is not None else {}
        return [
            (control.name, value)
            for control in self.markup.controls
            for value in serialise_control(control, changed.get(control.index), self.profile.save.known)
        ]

    def serialise_changed_pairs(self, plan: ChangePlan) -> list[tuple[str, str]]:
        """All pairs of the names that the plan changes; an unchecked box has none, but where a hidden input has."""
        names = self.changed_control_names(plan)
        return [pair for pair in self.serialise_pairs(plan) if pair[0] in names]

    def changed_control_names(self, plan: ChangePlan) -> frozenset[str]:
        return frozenset(self.markup.controls[index].name for index in plan.new_values)

    def serialise(self, plan: ChangePlan | None = None) -> str:
        """The form as jQuery's serialize() gives it, with the plan's changes."""
        return urlencode(self.serialise_pairs(plan))

    def find_unsaved(self, asked: Mapping[str, Value], saved: Form | None = None) -> list[FieldMismatch]:
        """
        The asked fields that this form, read back after a save, does not hold where they were written: what it holds
        means something else. `saved` is the form that was saved, whose notation decided what was sent.
        """
        kept = []
        for path, value in asked.items():
            if self._agreement(path, value, saved) is not Equivalence.DIFFERENT:
                continue
            handle, entry = self._found.handle(path), self._found.target(path)
            label = handle.entry.label if handle is not None else self._found.names(path)[0]
            sent = values.format_planso_value(BY_PATH[path].kind, value)
            kept.append(
                FieldMismatch(field=path, label=label, sent=sent, kept=entry.display_text if entry is not None else "")
            )
        return kept

    def describe_normalised(self, asked: Mapping[str, Value], saved: Form | None = None) -> tuple[str, ...]:
        """
        Sentences on the asked fields that this form, read back after a save, holds in another notation than they were
        sent: they mean the same. `saved` as above; without it, dates and numbers are told by their value alone.
        """
        notes = []
        for path, value in asked.items():
            entry = self._found.target(path)
            if entry is not None and self._agreement(path, value, saved) is Equivalence.NORMALISED:
                words = values.format_planso_value(BY_PATH[path].kind, value)
                told = f"as '{shorten(entry.display_text)}' (asked '{shorten(words)}')"
                notes.append(RequestNote(f"PlanSo writes {path} ('{entry.label}') {told}."))
        return tuple(notes)

    def _agreement(self, path: str, value: Value, saved: Form | None) -> Equivalence:
        entry = self._found.target(path)
        if entry is None:
            return Equivalence.EQUAL if value is None else Equivalence.DIFFERENT
        if entry.time_control is not None:
            kind = BY_PATH[path].kind
            return Equivalence.EQUAL if values.are_equal(kind, entry.read_value(kind), value) else Equivalence.DIFFERENT
        before = saved.write_target(path) if saved is not None else None
        return control_values.check_equivalence(entry, BY_PATH[path].kind, value, before)

    def find_differences(self, other: Form) -> list[tuple[str, str, str]]:
        """Labels that show different things in two readings: (label, here, there). Hidden tokens don't count."""
        mine, theirs = _by_occurrence(self.markup.entries), _by_occurrence(other.markup.entries)
        differences = []
        for key in mine | theirs:
            one, two = mine.get(key), theirs.get(key)
            if one is None or two is None or _state(one) != _state(two):
                label = (one or two or next(iter(mine.values()))).label
                differences.append((label, one.display_text if one else "", two.display_text if two else ""))
        return differences


def _pieces(content: Any) -> list[str]:
    """The texts of a content: one, or those of its tabs in order, each after its title where that names somebody."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, (Mapping, list)):
        return []
    pieces: list[str] = []
    for title, tab in content.items() if isinstance(content, Mapping) else enumerate(content):
        inner = tab.get("content", tab.get("html")) if isinstance(tab, Mapping) else tab
        named = str(tab.get("title") or title) if isinstance(tab, Mapping) else str(title)
        found = _pieces(inner)
        if found and classify_party(named) is not None:
            found[0] = f"<h1>{html.escape(named)}</h1>{found[0]}"
        pieces += found
    return pieces


def _by_occurrence(entries: Iterable[FormEntry]) -> dict[tuple[str, int], FormEntry]:
    seen: Counter[str] = Counter()
    found = {}
    for entry in entries:
        found[entry.key, seen[entry.key]] = entry
        seen[entry.key] += 1
    return found


def _state(entry: FormEntry) -> object:
    """What two readings are compared by; line breaks count as one, an option by its value and text."""
    if entry.is_choice:
        return [(entry.choices[at].value, entry.choices[at].text) for at in entry.selected_indexes]
    return entry.display_text.replace("\r\n", "\n")


def serialise_control(control: Control, changed: ControlValue | None, known: Collection[str] = ()) -> list[str]:
    """
    The values that a browser sends for one control; none for an unchecked box. `known`: controls of which it was seen
    that a browser sends what a script fills in.
    """
    if not control.is_sent and (changed is None or not control.is_outside):
        return []
    if control.type == "hidden" and isinstance(changed, tuple):
        return [",".join(control.options[at].value for at in changed)]
    if control.type == "select":
        chosen = changed if isinstance(changed, tuple) else control.selected_indexes
        return [control.options[at].value for at in chosen if not control.options[at].disabled]
    if control.type in ("checkbox", "radio"):
        checked = changed if isinstance(changed, bool) else control.checked
        return [control.value] if checked else []
    if changed is None and control.script_value is not None and control.name in known:
        return [control.script_value.value or ""]
    return [changed if isinstance(changed, str) else control.value]
