"""
One order's form: read by its labels and columns, serialised as a browser would, compared with what was asked.

Source: the PlanSo protocol's sections 3 and 6. Pure.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from planso_connector.domain import values
from planso_connector.domain.errors import Kept, PageChanged
from planso_connector.domain.fields import BY_PATH, FIELDS, Value
from planso_connector.domain.order import FormReading
from planso_connector.planso import writing
from planso_connector.planso.control import Control, Entry
from planso_connector.planso.handles import FieldHandles, Handle
from planso_connector.planso.markup import Page, read_page
from planso_connector.planso.plan import Plan, Wire, make_plan
from planso_connector.planso.profile import Profile
from planso_connector.planso.titles import party
from planso_connector.planso.words import one_line

_UNRESERVED = "-_.!~*'()"
"""What encodeURIComponent leaves alone beside letters and digits."""
_SCRIPTS = ("functions", "js")
"""The members of an answer that are scripts."""
_NEEDS_NO_CODE = re.compile(rf"[A-Za-z0-9{re.escape(_UNRESERVED)}]*")


class NoForm(PageChanged):
    """PlanSo answered as promised, and there is no form in it: some installations do so for unknown orders."""


@dataclass(frozen=True)
class Form:
    """A form as it stood when it was read. `order_id` is None for the empty form of an order to be."""

    order_id: int | None
    page: Page
    profile: Profile

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
            told = f"; PlanSo says: {one_line(answer['error'])}" if answer.get("error") else ""
            raise NoForm(f"{name} did not arrive: the answer has no center.content{told}")
        try:
            content = "".join(pieces)
            scripts = "\n;".join(str(answer[name]) for name in _SCRIPTS if isinstance(answer.get(name), str))
            page = read_page(content, scripts, is_whole=len(pieces) > 1)
        except RecursionError as error:
            raise PageChanged(f"{name} is nested too deeply to be one") from error
        if not page.entries and content.strip():
            raise PageChanged(f"{name} holds no labelled control")
        return cls(order_id, page, profile)

    @cached_property
    def _found(self) -> FieldHandles:
        return FieldHandles(self.page.entries, self.page.controls, self.profile)

    def reading(self) -> FormReading:
        """The canonical value of every field by path (None where nothing is), and what every label shows."""
        return self._reading

    @cached_property
    def _reading(self) -> FormReading:
        found = self._found
        held = {path: found.value(path) for path in BY_PATH}
        read = {path: value for path, (value, _) in held.items()}
        return FormReading(
            values=read,
            fields=self._shown(),
            is_blank=self.is_blank,
            found=frozenset(path for path in BY_PATH if found.is_found(path)),
            ambiguous=frozenset(path for path, (_, is_ambiguous) in held.items() if is_ambiguous),
            unreadable=frozenset(path for path in BY_PATH if read[path] is None and found.unreadable(path) is not None),
        )

    def _shown(self) -> dict[str, str]:
        """What every label shows; of equal labels the first that is not empty, and not another party's."""
        shown: dict[str, str] = {}
        others = self._found.others
        for entry in self.page.entries:
            if not shown.get(entry.label):
                shown[entry.label] = "" if others and entry in others else entry.shown
        for entry in others:
            shown[entry.label] = shown[entry.label] or entry.shown
        return shown

    @property
    def is_blank(self) -> bool:
        """Whether no label holds anything: what PlanSo shows for an order that does not exist."""
        return all(entry.holds_nothing for entry in self.page.entries)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label of the form as a person reads it, in the form's order."""
        return tuple(dict.fromkeys(entry.label for entry in self.page.entries))

    def missing_labels(self) -> list[tuple[str, tuple[str, ...]]]:
        """Fields that this form has no label and no column for, with the labels looked for."""
        return [(field.path, self._found.names(field.path)) for field in FIELDS if not self._found.handles(field.path)]

    def handles(self) -> dict[str, Handle]:
        """By field path how the field is found, with the doubt that keeps it from being written."""
        found = {path: self._found.handle(path) for path in BY_PATH}
        return {path: handle for path, handle in found.items() if handle is not None}

    def hints(self) -> list[tuple[str, str, Control]]:
        """Columns that may be a field's, which is not sure enough to use: field, column, control."""
        return self._found.hints()

    def unknowable(self) -> tuple[Control, ...]:
        """The controls that would be sent and that a script fills: the markup does not hold what a browser sends."""
        known = self.profile.save_known
        return tuple(c for c in self.page.controls if c.filled is not None and c.is_sent and c.name not in known)

    def plan(self, asked: Mapping[str, Value], *, only_changed: bool = False) -> Plan:
        """
        What to change so that the form holds the asked values, by field path; None clears.

        Raises Invalid with all fields that this form can't take: no such label, more than one, not offered, read only;
        and where a script fills controls that the save would blank: all, or with `only_changed` those that are asked.
        """
        return make_plan(self._found, asked, unknowable=self.unknowable(), only_changed=only_changed)

    def pairs(self, plan: Plan | None = None) -> list[tuple[str, str]]:
        """
        The names and values that jQuery's serialize() makes of the form, with the plan's changes, in the form's order.
        What is not changed goes back as it came: line breaks too, which jQuery would rewrite.
        """
        changed = plan.wire if plan is not None else {}
        return [
            (control.name, value)
            for control in self.page.controls
            for value in _sent(control, changed.get(control.index))
        ]

    def changed_pairs(self, plan: Plan) -> list[tuple[str, str]]:
        """Of the form with the plan's changes, all pairs of the names that the plan changes."""
        names = {self.page.controls[index].name for index in plan.wire}
        return [pair for pair in self.pairs(plan) if pair[0] in names]

    def serialised(self, plan: Plan | None = None) -> str:
        """The pairs as one text, blanks as `%20`: every decoder takes that, not every one takes `+`."""
        return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in self.pairs(plan))

    def not_taken_over(self, asked: Mapping[str, Value]) -> list[Kept]:
        """The asked fields that this form, read back after a save, does not hold where they were written."""
        kept = []
        for path, value in asked.items():
            handle, entry = self._found.handle(path), self._found.target(path)
            kind = BY_PATH[path].kind
            if value is None if handle is None else entry is not None and writing.holds(entry, kind, value):
                continue
            label = handle.entry.label if handle is not None else self._found.names(path)[0]
            sent = values.planso_words(kind, value)
            kept.append(Kept(field=path, label=label, sent=sent, kept=entry.shown if entry is not None else ""))
        return kept

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
        if found and party(named) is not None:
            found[0] = f"<h1>{html.escape(named)}</h1>{found[0]}"
        pieces += found
    return pieces


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


def _encoded(text: str) -> str:
    if _NEEDS_NO_CODE.fullmatch(text):
        return text
    return quote(text, safe=_UNRESERVED, errors="replace")


def _sent(control: Control, changed: Wire | None) -> list[str]:
    """The values that a browser sends for one control; none for an unchecked box."""
    if not control.is_sent and (changed is None or not control.is_outside):
        return []
    if control.type == "hidden" and isinstance(changed, tuple):
        return [",".join(control.options[at].value for at in changed)]
    if control.type == "select":
        chosen = changed if isinstance(changed, tuple) else control.chosen
        return [control.options[at].value for at in chosen if not control.options[at].disabled]
    if control.type in ("checkbox", "radio"):
        checked = changed if isinstance(changed, bool) else control.checked
        return [control.value] if checked else []
    return [changed if isinstance(changed, str) else control.value]
