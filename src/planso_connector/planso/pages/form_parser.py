"""
One order's form: its fields, what a browser would send of it, and whether it holds what was requested. Source: the
PlanSo protocol's sections 3 and 6.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from planso_connector.domain import values
from planso_connector.domain.errors import FieldMismatch, Invalid, PageChanged, Problem
from planso_connector.domain.fields import BY_PATH, FIELDS, MAX_SHOWN_LENGTH, Value
from planso_connector.domain.messages import MESSAGES
from planso_connector.domain.notes import RequestNote, shorten
from planso_connector.domain.order import LABEL_PREFIX, FormReading, OversizedText
from planso_connector.domain.saving.equivalence import Equivalence
from planso_connector.planso.pages import control_plan, control_values
from planso_connector.planso.pages.change_plan import ChangePlan, plan_field_changes
from planso_connector.planso.pages.control import Control, FormEntry
from planso_connector.planso.pages.field_locator import FieldLocation, FieldLocator
from planso_connector.planso.pages.field_plan import PlannedFields
from planso_connector.planso.pages.form_layout import FormLayouts
from planso_connector.planso.pages.markup import FormMarkup, parse_form_markup
from planso_connector.planso.pages.section_titles import classify_party
from planso_connector.planso.pages.text import to_one_line
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.encoding import urlencode
from planso_connector.planso.saving.form_snapshot import FormColumns
from planso_connector.planso.saving.tokens import extract_form_tokens

_SCRIPT_MEMBERS = ("functions", "js")
"""Members of PlanSo's answer."""


class FormMissing(PageChanged):
    """PlanSo answered as promised, and there is no form in it: some installations do so for unknown orders."""


@dataclass(frozen=True)
class Form:
    """A form as it was read. `order_id` is None for the empty form of an order to be created."""

    order_id: int | None
    markup: FormMarkup
    profile: Profile
    tokens: Mapping[str, str] = field(default_factory=dict)
    """By name the tokens that a save needs (profile, `[save.tokens]`), as far as the answer held them."""
    source: tuple[str, bytes] | None = field(default=None, compare=False, repr=False)
    """The content type and the bytes of the response; None where it was parsed from something else."""

    @classmethod
    def parse(
        cls,
        answer: Mapping[str, Any],
        profile: Profile,
        order_id: int | None,
        layouts: FormLayouts | None = None,
        like: Form | None = None,
    ) -> Form:
        """
        Parse PlanSo's JSON answer `{"center": {"content": "<html>"}, "functions": "<script>"}`; the content may be an
        object or a list of tabs, which are read as one page.

        `layouts`: those of earlier readings with this profile; `like`: an earlier reading of this order. They change
        nothing but the time it takes.

        An empty content is a blank form without labels, as for an order that does not exist. Raises PageChanged where
        the answer holds no content, or one without any labelled control.
        """
        name = f"the form of order {order_id}" if order_id is not None else "the empty form"
        center = answer.get("center")
        pages = _list_pages(center.get("content")) if isinstance(center, Mapping) else []
        if not pages:
            error = f"; PlanSo says: {to_one_line(answer['error'])}" if answer.get("error") else ""
            raise FormMissing(f"{name} did not arrive: the answer has no center.content{error}")
        content = "".join(pages)
        scripts = "\n;".join(answer[key] for key in _SCRIPT_MEMBERS if isinstance(answer.get(key), str))
        try:
            is_whole = len(pages) > 1
            if layouts is None:
                markup = parse_form_markup(content, scripts, is_whole=is_whole)
            else:
                earlier = like.markup if like is not None else None
                markup = layouts.read(content, scripts, is_whole=is_whole, like=earlier)
        except RecursionError as error:
            raise PageChanged(f"{name} is nested too deeply to be one") from error
        if not markup.entries and content.strip():
            raise PageChanged(f"{name} holds no labelled control")
        return cls(order_id, markup, profile, extract_form_tokens(profile.save, answer, markup))

    def is_from(self, source: tuple[str, bytes], profile: Profile, order_id: int | None) -> bool:
        """Whether it is what parsing this response would give."""
        return self.profile is profile and self.order_id == order_id and self.source == source

    # -- reading

    @cached_property
    def _locator(self) -> FieldLocator:
        return FieldLocator(self.markup.entries, self.markup.controls, self.profile)

    def read_fields(self) -> FormReading:
        """The canonical value of every field by path (None where nothing is), and what every label shows."""
        return self._reading

    @cached_property
    def _reading(self) -> FormReading:
        plan = self.markup.field_plan
        locator = self._locator if plan is None else PlannedFields(plan, self.markup, lambda: self._locator)
        found = locator.read_all()
        unreadable = found.unreadable
        texts = locator.read_labels()
        for label, shown in texts.items():
            if len(shown) > MAX_SHOWN_LENGTH:
                texts[label], unreadable[f"{LABEL_PREFIX}{label}"] = "", OversizedText.from_text(shown)
        return FormReading(
            values=found.values,
            fields=texts,
            is_blank=self.is_blank,
            labelled_paths=locator.labelled_paths,
            ambiguous=frozenset(found.ambiguous),
            unreadable=unreadable,
        )

    @property
    def is_blank(self) -> bool:
        """Whether no label holds anything: what PlanSo shows for an order that does not exist."""
        return all(entry.is_blank for entry in self.markup.entries)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label as a person reads it, in the form's order."""
        return tuple(dict.fromkeys(entry.label for entry in self.markup.entries))

    def write_target(self, path: str) -> FormEntry | None:
        """Where a write to the field goes; None where the form has no place for it, or it is ambiguous."""
        return self._locator.write_target(path)

    def missing_labels(self) -> list[tuple[str, tuple[str, ...]]]:
        """Paths of fields that this form has no label and no column for, with the labels looked for."""
        locator = self._locator
        return [(field.path, locator.labels(field.path)) for field in FIELDS if not locator.locations(field.path)]

    def field_locations(self) -> dict[str, FieldLocation]:
        """By field path where a write goes, with the ambiguity that keeps it from being written."""
        found = {path: self._locator.write_location(path) for path in BY_PATH}
        return {path: location for path, location in found.items() if location is not None}

    def column_hints(self) -> list[tuple[str, str, Control]]:
        """Columns that may be a field's, which is not certain enough to use: path, column, control."""
        return self._locator.column_hints()

    def script_filled_controls(self) -> tuple[Control, ...]:
        """Sent controls that a script fills, where it is not known what a browser sends of them."""
        style = self.profile.save
        known = {*style.known, *style.unfilled}
        return tuple(
            control
            for control in self.markup.controls
            if control.script_value is not None and control.is_sent and control.name not in known
        )

    def names_for_label(self, label: str) -> frozenset[str]:
        """A label as the change history names it: the paths of its fields, and itself."""
        return frozenset([*self._paths_by_label.get(label, ()), label]) if label else frozenset()

    @cached_property
    def _paths_by_label(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for path in BY_PATH:
            for location in self._locator.locations(path):
                found.setdefault(location.entry.label, set()).add(path)
        return found

    # -- planning

    def plan(self, requested: Mapping[str, Value], *, only_changed: bool | None = None) -> ChangePlan:
        """
        Plan what to change so that the form holds the requested values, by field path; None clears.

        Raises Invalid with all fields that this form can't take: no such label, more than one, not offered, read only;
        and where a script fills controls that the save would blank: all, or with `only_changed` (by default as the
        profile says) those that are requested.
        """
        if only_changed is None:
            only_changed = self.profile.save.sends == "changed"
        filled = self.script_filled_controls()
        plan = plan_field_changes(self._locator, requested, script_filled=filled, only_changed=only_changed)
        problems = self._find_unsendable(plan)
        if problems:
            raise Invalid(problems)
        return plan

    def plan_controls(self, controls: Mapping[str, Sequence[str]]) -> ChangePlan:
        """
        Plan what to change so that these controls submit these values, by control name. Raises Invalid that names each
        control that is not there or does not offer them.
        """
        return control_plan.plan_control_values(self.markup, controls)

    def _find_unsendable(self, plan: ChangePlan) -> list[Problem]:
        """Where only changes are sent: controls that have nothing to send, such as an unchecked box."""
        style = self.profile.save
        if style.sends == "whole" or style.unchecked is not None:
            return []
        unsent = self.changed_control_names(plan) - {name for name, _ in self.serialise_changed_pairs(plan)}
        return [
            Problem.of(
                ("body", *change.path.split(".")),
                MESSAGES["planso_not_sendable"].format(label=change.label),
                "planso_not_sendable",
            )
            for change in plan.changes
            if (target := self.write_target(change.path)) is not None and target.control.name in unsent
        ]

    # -- serialising

    @property
    def submitted_values(self) -> dict[str, tuple[str, ...]]:
        """What a browser would submit of the unchanged form, by control name."""
        return control_plan.read_submitted_values(self.markup)

    def serialise_pairs(self, plan: ChangePlan | None = None) -> list[tuple[str, str]]:
        """
        The names and values of jQuery's serialize(), with the plan's changes, in the form's order. What is not changed
        goes back as it came: line breaks too, which jQuery would rewrite.
        """
        new_values = plan.new_values if plan is not None else {}
        return [
            (control.name, text)
            for control in self.markup.controls
            for text in control_plan.serialise_control(control, new_values.get(control.index), self.profile.save.known)
        ]

    def serialise_changed_pairs(self, plan: ChangePlan) -> list[tuple[str, str]]:
        """All pairs of the names that the plan changes; an unchecked box has none, but its hidden input has."""
        names = self.changed_control_names(plan)
        return [pair for pair in self.serialise_pairs(plan) if pair[0] in names]

    def changed_control_names(self, plan: ChangePlan) -> frozenset[str]:
        return frozenset(self.markup.controls[index].name for index in plan.new_values)

    def serialise(self, plan: ChangePlan | None = None) -> str:
        """The form as jQuery's serialize() gives it, with the plan's changes."""
        return urlencode(self.serialise_pairs(plan))

    # -- comparing after a save

    def find_unsaved(self, requested: Mapping[str, Value], saved: Form | None = None) -> list[FieldMismatch]:
        """
        The requested fields whose meaning is another in this form, read back after a save. `saved` is the form that was
        saved, whose notation decided what was sent.
        """
        mismatches = []
        for path, value in requested.items():
            if self._check_equivalence(path, value, saved) is not Equivalence.DIFFERENT:
                continue
            location, entry = self._locator.write_location(path), self.write_target(path)
            label = location.entry.label if location is not None else self._locator.labels(path)[0]
            sent = values.format_planso_value(BY_PATH[path].kind, value)
            mismatches.append(FieldMismatch(path, label, sent, entry.display_text if entry is not None else ""))
        return mismatches

    def describe_normalised(self, requested: Mapping[str, Value], saved: Form | None = None) -> tuple[str, ...]:
        """
        Sentences on the requested fields that this form, read back after a save, holds in another notation with the
        same meaning. `saved` as above; without it, only the values of dates and numbers are compared.
        """
        notes = []
        for path, value in requested.items():
            entry = self.write_target(path)
            if entry is not None and self._check_equivalence(path, value, saved) is Equivalence.NORMALISED:
                sent = shorten(values.format_planso_value(BY_PATH[path].kind, value))
                shown = shorten(entry.display_text)
                notes.append(RequestNote(f"PlanSo writes {path} ('{entry.label}') as '{shown}' (asked '{sent}')."))
        return tuple(notes)

    def _check_equivalence(self, path: str, value: Value, saved: Form | None) -> Equivalence:
        entry, kind = self.write_target(path), BY_PATH[path].kind
        if entry is None or entry.time_control is not None:
            is_equal = value is None if entry is None else values.are_equal(kind, entry.read_value(kind), value)
            return Equivalence.EQUAL if is_equal else Equivalence.DIFFERENT
        before = saved.write_target(path) if saved is not None else None
        return control_values.check_equivalence(entry, kind, value, before)

    @cached_property
    def columns(self) -> FormColumns:
        """All controls, as snapshots have them."""
        return FormColumns(self.markup)

    def find_differences(self, other: Form) -> list[tuple[str, str, str]]:
        """Labels that show different things in two readings: label, here, there. Hidden tokens don't count."""
        if other is self:
            return []
        mine, theirs = _number_entries(self.markup.entries), _number_entries(other.markup.entries)
        differences = []
        for key in mine | theirs:
            entries = mine.get(key), theirs.get(key)
            found = [entry for entry in entries if entry is not None]
            if len(found) < 2 or _comparable(found[0]) != _comparable(found[1]):
                here, there = (entry.display_text if entry is not None else "" for entry in entries)
                differences.append((found[0].label, here, there))
        return differences


def _list_pages(content: Any) -> list[str]:
    """The page in a content, or those of its tabs in order, each below its title where that names a party."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, (Mapping, list)):
        return []
    pages: list[str] = []
    for key, tab in content.items() if isinstance(content, Mapping) else enumerate(content):
        inner = tab.get("content", tab.get("html")) if isinstance(tab, Mapping) else tab
        title = str((tab.get("title") if isinstance(tab, Mapping) else None) or key)
        found = _list_pages(inner)
        if found and classify_party(title) is not None:
            found[0] = f"<h1>{html.escape(title)}</h1>{found[0]}"
        pages += found
    return pages


def _number_entries(entries: Iterable[FormEntry]) -> dict[tuple[str, int], FormEntry]:
    """The entries by label key and by how many of the same key precede them."""
    counts: Counter[str] = Counter()
    numbered = {}
    for entry in entries:
        numbered[entry.key, counts[entry.key]] = entry
        counts[entry.key] += 1
    return numbered


def _comparable(entry: FormEntry) -> object:
    """What two readings are compared by; line breaks count as one, an option by its value and text."""
    if entry.is_choice:
        return [(entry.choices[i].value, entry.choices[i].text) for i in entry.selected_indexes]
    return entry.display_text.replace("\r\n", "\n")
