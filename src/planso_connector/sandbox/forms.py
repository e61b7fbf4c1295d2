"""One order's form: its controls, what a browser would send of them, and what PlanSo takes from what was sent.

Protocol, sections 3 and 6.
"""

import random
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from planso_connector.sandbox.catalogue import FIELDS, GROUPS, Field, Option
from planso_connector.sandbox.installation import CHOICES, Installation
from planso_connector.sandbox.orders import Order, Wire

ControlKind = Literal["text", "long", "select", "multi", "checkbox", "radio", "file", "locked", "hidden"]
Sent = Mapping[str, list[str]]
"""By `name` attribute the values that arrived, in their order."""


class SaveRefusedError(Exception):
    """PlanSo refuses a save; the text is German, for a person."""


@dataclass(frozen=True)
class Control:
    """One labelled control of a rendered form, or a hidden input (`label` empty)."""

    label: str
    usual: str
    name: str
    kind: ControlKind
    values: tuple[str, ...]
    options: tuple[Option, ...] = ()
    hidden_zero: bool = False

    @property
    def value(self) -> str:
        """The value of a control that has one; `""` otherwise."""
        return self.values[0] if self.values else ""

    def sends(self) -> Iterator[tuple[str, str]]:
        """The pairs that jQuery's `serialize()` makes of it; line breaks become CR LF."""
        if self.kind in ("file", "locked"):
            return
        if self.hidden_zero:
            yield self.name, "0"
        for value in self.values:
            yield self.name, value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


class Form:
    """The form as one installation has it: which fields, under which labels and names."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        dice = random.Random(installation.field_names)
        number = 1000 * (7 + installation.field_names % 89) + dice.randint(1, 400)
        self._names: dict[str, str] = {}
        for label in FIELDS:
            number += dice.randint(1, 9)
            self._names[label] = f"f_{number}"

    def usual(self, label: str) -> str:
        """The usual label behind a shown one (or behind itself). Raises KeyError."""
        for usual in FIELDS:
            if self.installation.label(usual) == label:
                return usual
        if label in FIELDS:
            return label
        raise KeyError(f"This PlanSo has no field {label!r}")

    def kind(self, field: Field) -> ControlKind:
        """The control that the field has on this installation."""
        if field.kind == "date" or field.kind == "datetime":
            return "text"
        if field.label in CHOICES and not self.installation.is_select(field.label):
            return "text"
        return field.kind

    def wire(self, usual: str, text: str) -> list[str]:
        """What goes over the wire for what a person means. Raises ValueError when the select doesn't offer it."""
        field = FIELDS[usual]
        kind = self.kind(field)
        if kind == "checkbox":
            return ["1"] if text.lower() in ("1", "ja", "true", "x", "on") else []
        if kind not in ("select", "multi", "radio"):
            return [text]
        if text == "":
            return [field.options[0].value] if kind == "select" else []
        if kind == "multi":
            return [self._choice(field, part.strip()) for part in text.split(",")]
        return [self._choice(field, text)]

    def _choice(self, field: Field, text: str) -> str:
        for option in field.options:
            if text == option.text:
                return option.value
        if any(text == option.value for option in field.options):
            return text
        raise ValueError(f"{field.label} does not offer {text!r}")

    def text(self, usual: str, wire: list[str]) -> str:
        """What a person sees: the option's text, not its id; nothing for "bitte wählen"; 1 for a checked box."""
        field = FIELDS[usual]
        if self.kind(field) not in ("select", "multi", "radio"):
            return wire[0] if wire else ""
        shown = {option.value: option.text for option in field.options if option.value not in ("", "0")}
        return ", ".join(shown[value] for value in wire if value in shown)

    def groups(self, order: Order | None, missing: AbstractSet[str]) -> list[tuple[str, list[Control]]]:
        """The labelled controls, group by group, without the labels that are missing now; without an order, empty."""
        absent = missing | self.installation.missing_labels
        groups = []
        for title, fields in GROUPS:
            shown = [f for f in fields if not {f.label, self.installation.label(f.label)} & absent]
            groups.append((title, [self._control(field, order) for field in shown]))
        return groups

    def hidden(self, order: Order | None) -> list[Control]:
        """The form's hidden inputs: the row's id, which a save must name, and a token that stays the same."""
        row_id, token = (order.row_id, order.token) if order else ("", "neu")
        return [
            Control("", "", "rowID", "hidden", (row_id,)),
            Control("", "", "form_token", "hidden", (token,)),
            Control("", "", "call_back_class", "hidden", ("resourceplanner_single_project_wrapper",)),
        ]

    def controls(self, order: Order | None, missing: AbstractSet[str]) -> list[Control]:
        """All controls in the order of the form, the hidden ones first."""
        return self.hidden(order) + [control for _, group in self.groups(order, missing) for control in group]

    def _control(self, field: Field, order: Order | None) -> Control:
        kind = self.kind(field)
        wire = order.values.get(field.label) if order else None
        return Control(
            label=self.installation.label(field.label),
            usual=field.label,
            name=self._names[field.label] + ("[]" if kind == "multi" else ""),
            kind=kind,
            values=tuple(self.wire(field.label, "") if wire is None else wire),
            options=field.options if kind in ("select", "multi", "radio") else (),
            hidden_zero=kind == "checkbox" and bool({field.label} & self.installation.hidden_zero),
        )

    def taken(self, order: Order | None, missing: AbstractSet[str], sent: Sent) -> Wire:
        """The order's values after a save: a control that wasn't sent is cleared. Raises `SaveRefusedError`."""
        row_id = sent.get("rowID")
        if row_id is None or row_id[-1] != (order.row_id if order else ""):
            raise SaveRefusedError("Das Formular ist unvollständig: Die Zeilennummer (rowID) fehlt.")
        values = dict(order.values) if order else {}
        for control in self.controls(order, missing):
            if control.usual and control.kind not in ("file", "locked"):
                values[control.usual] = _taken(control, sent.get(control.name, []))
        return values


def _taken(control: Control, sent: list[str]) -> list[str]:
    """PHP's view of one control: the last value of a name counts, all of them where the name ends in `[]`."""
    offered = [option.value for option in control.options]
    match control.kind:
        case "checkbox":
            return ["1"] if sent[-1:] == ["1"] else []
        case "select" if not sent or sent[-1] == "":
            return offered[:1]
        case "select" | "radio" | "multi":
            chosen = sent if control.kind == "multi" else sent[-1:]
            for value in chosen:
                if value not in offered:
                    raise SaveRefusedError(f"{control.label}: Der Wert „{value}“ steht nicht zur Auswahl.")
            return list(chosen)
        case _:
            return [sent[-1] if sent else ""]
