"""
The controls of a form and what they show: inputs, selects, text areas, check boxes, groups of radio buttons.

Source: the PlanSo protocol's section 3, and HTML's own rules for what a browser shows and sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from planso_connector.domain import values
from planso_connector.domain.fields import Kind, Value
from planso_connector.planso.pages.text import collapsed, is_invitation, label_key

NEVER_SENT = frozenset({"submit", "button", "image", "reset", "file"})
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
        return not label_key(self.text) or (first and self.value == "") or is_invitation(self.text)


class Filled(NamedTuple):
    """
    What a script puts into a control that is empty in the markup: the value that a browser would send and what it
    shows, as far as either is known; `by` is where that stands.
    """

    value: str | None
    text: str
    by: str


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
    listed: bool = False
    """A select with a `size`: nothing is chosen unless it says so."""
    options: tuple[Option, ...] = ()
    choice: str = ""
    id: str = ""
    readonly: bool = False
    """A person can't change it, and a browser sends it."""
    is_outside: bool = False
    """It stands behind the form's early end: a browser doesn't send it. It is sent only where it is changed."""
    filled: Filled | None = None
    """What a script puts into it; None where the markup holds all."""
    label: str = ""
    headings: tuple[str, ...] = ()
    """The titles that it stands under, the nearest first."""
    is_sent: bool = field(init=False)
    """Whether a browser may send it at all."""
    chosen: tuple[int, ...] = field(init=False, default=())
    """A select's chosen options, as a browser would show it: without `selected` the first enabled one."""

    def __post_init__(self) -> None:
        self.is_sent = bool(self.name) and not self.disabled and self.type not in NEVER_SENT and not self.is_outside
        if self.options:
            self.chosen = self._chosen()

    @property
    def is_open(self) -> bool:
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
        if self.listed:
            return ()
        return next(((at,) for at, option in enumerate(self.options) if not option.disabled), ())


@dataclass(eq=False, slots=True)
class Entry:
    """
    A label of the form and its control; for a group of radio buttons all of them, else one. `hint` is the label with
    all that stands in it, where that is more. `rivals` are other controls that the label may mean, `doubt` says why;
    both are empty where it is sure.
    """

    label: str
    key: str
    members: tuple[Control, ...]
    hint: str = ""
    rivals: tuple[Control, ...] = ()
    doubt: str = ""
    clock: Control | None = None
    """The input of the time of day, where date and time are two inputs under one label."""
    control: Control = field(init=False)
    is_choice: bool = field(init=False)
    """A select, a drop-down or a group of radio buttons."""
    choices: tuple[Option, ...] = field(init=False)
    chosen: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.control = first = self.members[0]
        self.is_choice = first.type in ("select", "radio") or bool(first.options)
        self.choices, self.chosen = first.options, first.chosen
        if first.type == "radio":
            self.choices = tuple(
                Option(b.value, collapsed(b.choice) or b.value, b.checked, b.disabled) for b in self.members
            )
            self.chosen = tuple(at for at, button in enumerate(self.members) if button.checked)[-1:]

    @property
    def heading(self) -> str:
        """The nearest title that it stands under."""
        return self.control.headings[0] if self.control.headings else ""

    @property
    def is_locked(self) -> bool:
        """Whether a person could not change it in a browser, or the browser would not send the change."""
        return not any(member.is_open for member in self.members)

    @property
    def is_sent(self) -> bool:
        return any(member.is_sent for member in self.members)

    @property
    def shown(self) -> str:
        """What a person sees: the chosen options' texts, `ja` or `nein` for a check box, else the value."""
        if self.control.filled is not None:
            return self.control.filled.text
        if self.is_choice and (self.chosen or self.control.type != "hidden"):
            return ", ".join(self.choices[at].text for at in self.chosen)
        if self.control.type == "checkbox":
            return "ja" if self.control.checked else "nein"
        if self.clock is not None:
            return f"{self.control.value} {self.clock.value}".strip()
        return self.control.value

    @property
    def holds_nothing(self) -> bool:
        """Nothing was ever put in: no text, the first or a placeholder option, an unchecked box, 0."""
        if self.control.filled is not None:
            return False
        if self.is_choice:
            return all(at == 0 or self.choices[at].is_nothing(first=False) for at in self.chosen)
        if self.control.type == "checkbox":
            return not self.control.checked
        return self.control.value.strip(" \t\r\n\xa0") in ("", "0")

    def value(self, kind: Kind) -> Value:
        """The canonical value; None for nothing and for what the kind can't hold."""
        control = self.control
        if control.filled is not None:
            return values.read(kind, (control.filled.value or "") if kind is Kind.ID else control.filled.text)
        if self.is_choice and (self.chosen or control.type != "hidden"):
            return self._chosen_value(kind)
        if control.type == "checkbox":
            return control.checked if kind is Kind.FLAG else _boxed(kind, control)
        if self.clock is not None:
            return values.read(kind, self.shown)
        if control.type in MACHINE_TYPES and kind is Kind.NUMBER:
            return machine_number(control.value)
        return _without_zero_id(kind, values.read(kind, control.value))

    def _chosen_value(self, kind: Kind) -> Value:
        chosen = [self.choices[at] for at in self.chosen if not self.choices[at].is_nothing(first=at == 0)]
        if not chosen:
            return None
        if kind is Kind.ID:
            return _without_zero_id(kind, values.read(kind, chosen[0].value))
        if kind is Kind.FLAG:
            return flag_of(chosen[0])
        return values.read(kind, ", ".join(option.text for option in chosen))


def flag_of(option: Option) -> bool | None:
    """What an option says to a question of yes or no, by its text, else by its value; None for neither."""
    for word in (option.text, option.value):
        try:
            if word.strip():
                return values.is_yes(word)
        except ValueError:
            continue
    return None


def machine_number(text: str) -> float | None:
    """`11.5` and `1.234` as an input of type number holds them, with a point and no grouping."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number + 0.0 if number - number == 0 else None  # no -0.0


def _boxed(kind: Kind, control: Control) -> Value:
    """A check box under a field that is no flag: `ja` or `nein` in words, 1 in numbers."""
    if kind in (Kind.NUMBER, Kind.ID):
        return 1 if control.checked else None
    return "ja" if control.checked else "nein"


def _without_zero_id(kind: Kind, value: Value) -> Value:
    return None if value == 0 and kind is Kind.ID else value
