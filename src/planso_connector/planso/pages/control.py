"""
A form's controls and labels, and what they show. Source: the PlanSo protocol's section 3, and HTML's rules for what a
browser shows and sends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from planso_connector.domain import values
from planso_connector.domain.fields import FieldKind, Value
from planso_connector.domain.saving.snapshot import ControlState
from planso_connector.planso.pages.text import collapse_whitespace, is_placeholder, label_key

NEVER_SENT_TYPES = frozenset({"submit", "button", "image", "reset", "file"})
MACHINE_TYPES = frozenset({"date", "datetime-local", "month", "time", "number", "range"})
"""Inputs whose value is in machine notation (`2025-12-16`, `11.5`), whatever the page's language."""


class Option(NamedTuple):
    """An option of a select, an item of a drop-down, or a radio button. `text` has its white space collapsed."""

    value: str
    text: str
    selected: bool = False
    disabled: bool = False

    def is_nothing(self, *, first: bool) -> bool:
        """Whether choosing it says nothing: no text, `bitte wählen`, or the first one with an empty value."""
        return not label_key(self.text) or (first and self.value == "") or is_placeholder(self.text)


class ScriptValue(NamedTuple):
    """
    What a script puts into a control after the page has loaded: the value sent (None where unknown), the text shown
    (empty where unknown), and where that was found.
    """

    value: str | None
    text: str
    source: str


@dataclass(eq=False, slots=True)  # not frozen: that triples the time it takes to make one
class Control:
    """
    One control of the page. `type`: an input's type in lower case, `select` or `textarea`; `value`: as a
    browser sanitizes it; `disabled` counts a disabled fieldset in; `options`: a select's, or the items of the drop-down
    that a hidden input belongs to.
    """

    index: int
    type: str
    name: str
    value: str = ""
    disabled: bool = False
    checked: bool = False
    multiple: bool = False
    is_list_box: bool = False
    """A select with a `size`: without `selected`, nothing is chosen."""
    options: tuple[Option, ...] = ()
    radio_label: str = ""
    """The text beside a radio button, or beside a check box (`ja`) whose label is elsewhere."""
    id: str = ""
    readonly: bool = False
    """A person can't change it, and a browser sends it."""
    is_outside: bool = False
    """Behind the form's early end, where a browser doesn't send it. It is sent only where it is changed."""
    script_value: ScriptValue | None = None
    label: str = ""
    headings: tuple[str, ...] = ()
    """The section titles above it, the nearest first."""
    is_sent: bool = field(init=False)
    """Whether a browser may send it at all."""
    state: ControlState | None = field(init=False, default=None, compare=False, repr=False)
    """What snapshots say of it (`form_snapshot`), once one was taken: readings of one layout share controls."""
    selected_indexes: tuple[int, ...] = field(init=False, default=())
    """The chosen options as a browser shows them: without `selected` a select's first enabled one."""

    def __post_init__(self) -> None:
        self.is_sent = bool(self.name) and not (self.disabled or self.is_outside or self.type in NEVER_SENT_TYPES)
        if self.options:
            self.selected_indexes = self._find_selected()

    def with_content(self, value: str, options: tuple[Option, ...], *, checked: bool) -> Control:
        """The same control with another content."""
        return Control(
            self.index, self.type, self.name, value, self.disabled, checked, self.multiple, self.is_list_box, options,
            self.radio_label, self.id, self.readonly, self.is_outside, self.script_value, self.label, self.headings,
        )  # fmt: skip

    @property
    def is_editable(self) -> bool:
        """Whether a person may change it."""
        return (self.is_sent or self.is_outside) and not self.disabled and not self.readonly

    def _find_selected(self) -> tuple[int, ...]:
        if self.type != "select":
            chosen = self.value.split(",") if self.multiple else [self.value]
            unique = set(chosen)
            return tuple(i for i, option in enumerate(self.options) if option.value in unique)[: len(chosen)]
        selected = tuple(i for i, option in enumerate(self.options) if option.selected)
        if self.multiple or self.is_list_box:
            return selected if self.multiple else selected[-1:]
        return selected[-1:] or next(((i,) for i, option in enumerate(self.options) if not option.disabled), ())


@dataclass(eq=False, slots=True)
class FormEntry:
    """
    A label of the form and its control; for radio buttons the whole group. `key`: the label's `label_key`.
    `alternatives` are other controls that the label may name, `ambiguity` says why; both are empty where it is certain.
    """

    label: str
    key: str
    controls: tuple[Control, ...]
    full_label: str = ""
    """The label with its remarks, where it has some."""
    alternatives: tuple[Control, ...] = ()
    ambiguity: str = ""
    time_control: Control | None = None
    """The input of the time of day, where date and time are two inputs under one label."""
    control: Control = field(init=False)
    """The first of `controls`."""
    is_choice: bool = field(init=False)
    """A select, a drop-down or a group of radio buttons."""
    choices: tuple[Option, ...] = field(init=False)
    selected_indexes: tuple[int, ...] = field(init=False)
    _values: dict[FieldKind, Value] | None = field(init=False, default=None)
    """What was read of it, by kind: several readings of a form share an entry."""
    _text: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.control = first = self.controls[0]
        self.is_choice = first.type in ("select", "radio") or bool(first.options)
        self.choices, self.selected_indexes = first.options, first.selected_indexes
        if first.type == "radio":
            self.choices = tuple(
                Option(c.value, collapse_whitespace(c.radio_label) or c.value, c.checked, c.disabled)
                for c in self.controls
            )
            self.selected_indexes = tuple(i for i, button in enumerate(self.controls) if button.checked)[-1:]

    @property
    def heading(self) -> str:
        """The nearest section title above it."""
        return self.control.headings[0] if self.control.headings else ""

    @property
    def is_read_only(self) -> bool:
        """Whether a person could not change it in a browser, or the browser would not send the change."""
        return not any(control.is_editable for control in self.controls)

    @property
    def is_sent(self) -> bool:
        return any(control.is_sent for control in self.controls)

    @property
    def _shows_options(self) -> bool:
        """A hidden input whose value is none of its drop-down's items shows its value."""
        return self.is_choice and (bool(self.selected_indexes) or self.control.type != "hidden")

    @property
    def display_text(self) -> str:
        """What a person sees: the chosen options' texts, `ja` or `nein` for a check box, else the value."""
        if self._text is None:
            self._text = self._show()
        return self._text

    def _show(self) -> str:
        control = self.control
        if control.script_value is not None:
            return control.script_value.text
        if self._shows_options:
            return ", ".join(self.choices[i].text for i in self.selected_indexes)
        if control.type == "checkbox":
            return "ja" if control.checked else "nein"
        if self.time_control is not None:
            return f"{control.value} {self.time_control.value}".strip()
        return control.value

    @property
    def is_blank(self) -> bool:
        """Whether nothing was ever put in: no text, the first or a placeholder option, an unchecked box, 0."""
        control = self.control
        if control.script_value is not None:
            return False
        if self.is_choice:
            return all(i == 0 or self.choices[i].is_nothing(first=False) for i in self.selected_indexes)
        if control.type == "checkbox":
            return not control.checked
        return control.value.strip(" \t\r\n\xa0") in ("", "0")

    def read_value(self, kind: FieldKind) -> Value:
        """The canonical value; None for nothing and for what the kind can't hold."""
        known = self._values
        if known is None:
            self._values = known = {}
        if kind not in known:
            known[kind] = self._read_value(kind)
        return known[kind]

    def _read_value(self, kind: FieldKind) -> Value:
        control = self.control
        if control.script_value is not None:
            text = control.script_value.value if kind is FieldKind.ID else control.script_value.text
            return values.parse_planso_value(kind, text or "")
        if self._shows_options:
            return self._read_selected(kind)
        if control.type == "checkbox":
            return _read_check_box(kind, is_checked=control.checked)
        if self.time_control is not None:
            return values.parse_planso_value(kind, self.display_text)
        if control.type in MACHINE_TYPES and kind is FieldKind.NUMBER:
            return parse_machine_number(control.value)
        return _parse(kind, control.value)

    def _read_selected(self, kind: FieldKind) -> Value:
        selected = [self.choices[i] for i in self.selected_indexes if not self.choices[i].is_nothing(first=i == 0)]
        if not selected:
            return None
        if kind is FieldKind.FLAG:
            return parse_flag(selected[0])
        if kind is FieldKind.ID:
            return _parse(kind, selected[0].value)
        return values.parse_planso_value(kind, ", ".join(option.text for option in selected))


def parse_flag(option: Option) -> bool | None:
    """What an option answers to a question of yes or no, by its text, else by its value; None for neither."""
    for word in (option.text, option.value):
        try:
            if word.strip():
                return values.parse_flag(word)
        except ValueError:
            continue
    return None


def parse_machine_number(text: str) -> float | None:
    """`11.5` and `1.234` as an input of type number holds them, with a point and no grouping."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number + 0.0 if math.isfinite(number) else None  # no -0.0


def _read_check_box(kind: FieldKind, *, is_checked: bool) -> Value:
    """A flag; under other fields `ja` or `nein` in words, 1 in numbers."""
    if kind is FieldKind.FLAG:
        return is_checked
    if kind in (FieldKind.NUMBER, FieldKind.ID):
        return 1 if is_checked else None
    return "ja" if is_checked else "nein"


def _parse(kind: FieldKind, text: str) -> Value:
    """PlanSo's id 0 is no choice."""
    value = values.parse_planso_value(kind, text)
    return None if kind is FieldKind.ID and value == 0 else value
