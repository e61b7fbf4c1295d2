"""
The controls of a form and what they show: inputs, selects, text areas, check boxes, groups of radio buttons.

Source: the PlanSo protocol's section 3, and HTML's own rules for what a browser shows and sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from planso_connector.domain import values
from planso_connector.domain.fields import FieldKind, Value
from planso_connector.planso.pages.text import collapse_whitespace, is_placeholder, label_key

NEVER_SENT_TYPES = frozenset({"submit", "button", "image", "reset", "file"})
MACHINE_TYPES = frozenset({"date", "datetime-local", "month", "time", "number", "range"})
"""Inputs whose value is in machine notation (`2025-12-16`, `11.5`), whatever the page's language."""


class Option(NamedTuple):
    """An option of a select, or a radio button. `text` is white-space-collapsed."""

    value: str
    text: str
    selected: bool = False
    disabled: bool = False

    def is_nothing(self, *, first: bool) -> bool:
        """Whether choosing it says nothing: no text, `bitte wählen`, or the first one with an empty value."""
        return not label_key(self.text) or (first and self.value == "") or is_placeholder(self.text)


class ScriptValue(NamedTuple):
    """
    What a script puts into a control that is empty in the markup: the value that a browser would send and what it
    shows, as far as either is known; `by` is where that stands.
    """

    value: str | None
    text: str
    source: str


@dataclass(eq=False, slots=True)  # not frozen: that triples the time it takes to make one
class Control:
    """
    One control as it stands in the page. `type` is the input's type in lower case, `select` or `textarea`; `value` is
    what a browser makes of the markup's; `disabled` counts a disabled fieldset in; `choice` is a radio button's own
    label; `options` are a select's, or the items of the drop-down that a hidden input belongs to.
    """

    index: int
    type: str
    name: str
    value: str = ""
    disabled: bool = False
    checked: bool = False
    multiple: bool = False
    is_list_box: bool = False
    """A select with a `size`: nothing is chosen unless it says so."""
    options: tuple[Option, ...] = ()
    radio_label: str = ""
    id: str = ""
    readonly: bool = False
    """A person can't change it, and a browser sends it."""
    is_outside: bool = False
    """It stands behind the form's early end: a browser doesn't send it. It is sent only where it is changed."""
    script_value: ScriptValue | None = None
    """What a script puts into it; None where the markup holds all."""
    label: str = ""
    headings: tuple[str, ...] = ()
    """The titles that it stands under, the nearest first."""
    is_sent: bool = field(init=False)
    """Whether a browser may send it at all."""
    selected_indexes: tuple[int, ...] = field(init=False, default=())
    """A select's chosen options, as a browser would show it: without `selected` the first enabled one."""

    def __post_init__(self) -> None:
        self.is_sent = (
            bool(self.name) and not self.disabled and self.type not in NEVER_SENT_TYPES and not self.is_outside
        )
        if self.options:
            self.selected_indexes = self._chosen()

    @property
    def is_editable(self) -> bool:
        """Whether a person may change it."""
        return (self.is_sent or self.is_outside) and not self.disabled and not self.readonly

    def _chosen(self) -> tuple[int, ...]:
        if self.type != "select":
            values = self.value.split(",") if self.multiple else [self.value]
            held = set(values)
            return tuple(at for at, option in enumerate(self.options) if option.value in held)[: len(values)]
        selected = tuple(at for at, option in enumerate(self.options) if option.selected)
        if self.multiple:
            return selected
        if selected:
            return selected[-1:]
        if self.is_list_box:
            return ()
        return next(((at,) for at, option in enumerate(self.options) if not option.disabled), ())


@dataclass(eq=False, slots=True)
class FormEntry:
    """
    A label of the form and its control; for a group of radio buttons all of them, else one. `hint` is the label with
    all that stands in it, where that is more. `rivals` are other controls that the label may mean, `doubt` says why;
    both are empty where it is sure.
    """

    label: str
    key: str
    controls: tuple[Control, ...]
    full_label: str = ""
    alternatives: tuple[Control, ...] = ()
    ambiguity: str = ""
    time_control: Control | None = None
    """The input of the time of day, where date and time are two inputs under one label."""
    control: Control = field(init=False)
    is_choice: bool = field(init=False)
    """A select, a drop-down or a group of radio buttons."""
    choices: tuple[Option, ...] = field(init=False)
    selected_indexes: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.control = first = self.controls[0]
        self.is_choice = first.type in ("select", "radio") or bool(first.options)
        self.choices, self.selected_indexes = first.options, first.selected_indexes
        if first.type == "radio":
            self.choices = tuple(
                Option(b.value, collapse_whitespace(b.radio_label) or b.value, b.checked, b.disabled)
                for b in self.controls
            )
            self.selected_indexes = tuple(at for at, button in enumerate(self.controls) if button.checked)[-1:]

    @property
    def heading(self) -> str:
        """The nearest title that it stands under."""
        return self.control.headings[0] if self.control.headings else ""

    @property
    def is_read_only(self) -> bool:
        """Whether a person could not change it in a browser, or the browser would not send the change."""
        return not any(member.is_editable for member in self.controls)

    @property
    def is_sent(self) -> bool:
        return any(member.is_sent for member in self.controls)

    @property
    def display_text(self) -> str:
        """What a person sees: the chosen options' texts, `ja` or `nein` for a check box, else the value."""
        if self.control.script_value is not None:
            return self.control.script_value.text
        if self.is_choice and (self.selected_indexes or self.control.type != "hidden"):
            return ", ".join(self.choices[at].text for at in self.selected_indexes)
        if self.control.type == "checkbox":
            return "ja" if self.control.checked else "nein"
        if self.time_control is not None:
            return f"{self.control.value} {self.time_control.value}".strip()
        return self.control.value

    @property
    def is_blank(self) -> bool:
        """Nothing was ever put in: no text, the first or a placeholder option, an unchecked box, 0."""
        if self.control.script_value is not None:
            return False
        if self.is_choice:
            return all(at == 0 or self.choices[at].is_nothing(first=False) for at in self.selected_indexes)
        if self.control.type == "checkbox":
            return not self.control.checked
        return self.control.value.strip(" \t\r\n\xa0") in ("", "0")

    def read_value(self, kind: FieldKind) -> Value:
        """The canonical value; None for nothing and for what the kind can't hold."""
        control = self.control
        if control.script_value is not None:
            return values.parse_planso_value(
                kind, (control.script_value.value or "") if kind is FieldKind.ID else control.script_value.text
            )
        if self.is_choice and (self.selected_indexes or control.type != "hidden"):
            return self._chosen_value(kind)
        if control.type == "checkbox":
            return control.checked if kind is FieldKind.FLAG else _boxed(kind, control)
        if self.time_control is not None:
            return values.parse_planso_value(kind, self.display_text)
        if control.type in MACHINE_TYPES and kind is FieldKind.NUMBER:
            return parse_machine_number(control.value)
        return _without_zero_id(kind, values.parse_planso_value(kind, control.value))

    def _chosen_value(self, kind: FieldKind) -> Value:
        chosen = [self.choices[at] for at in self.selected_indexes if not self.choices[at].is_nothing(first=at == 0)]
        if not chosen:
            return None
        if kind is FieldKind.ID:
            return _without_zero_id(kind, values.parse_planso_value(kind, chosen[0].value))
        if kind is FieldKind.FLAG:
            return parse_flag(chosen[0])
        return values.parse_planso_value(kind, ", ".join(option.text for option in chosen))


def parse_flag(option: Option) -> bool | None:
    """What an option says to a question of yes or no, by its text, else by its value; None for neither."""
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
    return number + 0.0 if number - number == 0 else None  # no -0.0


def _boxed(kind: FieldKind, control: Control) -> Value:
    """A check box under a field that is no flag: `ja` or `nein` in words, 1 in numbers."""
    if kind in (FieldKind.NUMBER, FieldKind.ID):
        return 1 if control.checked else None
    return "ja" if control.checked else "nein"


def _without_zero_id(kind: FieldKind, value: Value) -> Value:
    return None if value == 0 and kind is FieldKind.ID else value
