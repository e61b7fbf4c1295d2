"""The form of an order: its controls, their submitted values, and the values that a save stores.

Source: the protocol, sections 3 and 6.
"""

import itertools
import random
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from planso_connector.sandbox.controls import Control, ControlKind
from planso_connector.sandbox.form_fields import (
    COPY_FIELD,
    FIELD_GROUPS,
    FIELDS,
    TWIN_BLOCK,
    TWIN_FIELDS,
    WEEK_FIELD,
    FormField,
)
from planso_connector.sandbox.form_markup import render_form
from planso_connector.sandbox.installation import OPTIONAL_SELECTS, Installation
from planso_connector.sandbox.invented_values import invent_twin_text, iso_week, to_iso_date
from planso_connector.sandbox.knobs import Knobs
from planso_connector.sandbox.orders import SandboxOrder, WireValues

SentValues = Mapping[str, list[str]]
"""The submitted values by `name` attribute, in their order."""
_ROW_NAME = re.compile(r"pos\[(\w+)\]\[(text|menge)\]")
_NEW_ROW = "new_1"


class SaveRefusedError(Exception):
    """PlanSo refuses a save. The message is German, for a person."""


@dataclass(frozen=True)
class AcceptedSave:
    """A parsed save: all values after it, the fields that it sets, and the child rows."""

    values: WireValues
    arrived: AbstractSet[str]
    rows: list[list[str]] | None


class OrderForm:
    """The form of one installation: its fields, their labels and names."""

    def __init__(self, installation: Installation, knobs: Knobs) -> None:
        self.installation = installation
        self.knobs = knobs
        self.read_count = 0
        self._row_ids = itertools.count(17)
        self._fields: dict[str, FormField] = {
            **FIELDS,
            **{field.label: field for field in (WEEK_FIELD, COPY_FIELD, *TWIN_FIELDS.values())},
        }
        dice = random.Random(installation.field_names)
        number = 1000 * (7 + installation.field_names % 89) + dice.randint(1, 400)
        self._names: dict[str, str] = {}
        for label in FIELDS:
            number += dice.randint(1, 9)
            self._names[label] = f"f_{number}"
            self._names[TWIN_FIELDS[label].label] = f"f_{number + 2000}"
        self._names |= {WEEK_FIELD.label: f"f_{number + 11}", COPY_FIELD.label: f"f_{number + 12}"}

    def field(self, usual_label: str) -> FormField:
        """The field of a usual label. Raises KeyError."""
        return self._fields[usual_label]

    def shown_label(self, field: FormField) -> str:
        """The label that the form shows."""
        return self.installation.shown_label(field.caption or field.label)

    def known_labels(self) -> set[str]:
        """Every label that `usual_label` accepts."""
        return self._fields.keys() | {self.installation.shown_label(usual_label) for usual_label in FIELDS}

    def usual_label(self, label: str) -> str:
        """The usual label for a shown or a usual one. Raises KeyError."""
        for usual_label in FIELDS:
            if self.installation.shown_label(usual_label) == label:
                return usual_label
        if label in self._fields:
            return label
        raise KeyError(f"This PlanSo has no field {label!r}")

    def control_kind(self, field: FormField) -> ControlKind:
        """The field's kind of control on this installation."""
        if field.kind == "date" or field.kind == "datetime":
            return "text"
        usual_label = field.caption or field.label
        if usual_label in OPTIONAL_SELECTS and not self.installation.is_select(usual_label):
            return "text"
        return field.kind

    def to_wire(self, usual_label: str, text: str) -> list[str]:
        """The submitted values for a text that a person enters. Raises ValueError where a select does not offer it."""
        field = self._fields[usual_label]
        kind = self.control_kind(field)
        if kind == "checkbox":
            return ["1"] if text.lower() in ("1", "ja", "true", "x", "on") else []
        if kind not in ("select", "multi", "radio"):
            return [text]
        if text == "":
            return [field.options[0].value] if kind == "select" else []
        if kind == "multi":
            return [_choice(field, part.strip()) for part in text.split(",")]
        return [_choice(field, text)]

    def stored_values(self, order: SandboxOrder | None, usual_label: str) -> list[str]:
        """The order's values as they are submitted; without an order, those of an empty field."""
        if order is None:
            return self.to_wire(usual_label, "")
        kept = order.values.get(usual_label)
        if kept is not None:
            return kept
        if usual_label == WEEK_FIELD.label:
            return [iso_week(self.to_text("Werkstattstart", self.stored_values(order, "Werkstattstart")))]
        if usual_label == COPY_FIELD.label:
            return self.stored_values(order, "Fahrername")
        field = self._fields[usual_label]
        is_twin_text = field.caption and field.kind in ("text", "long")
        return [invent_twin_text(order.id, field.caption)] if is_twin_text else self.to_wire(usual_label, "")

    def invented_to_wire(self, usual_label: str, text: str) -> list[str]:
        """The submitted values for an invented text; dates become ISO with `iso_dates`."""
        is_date = FIELDS[usual_label].kind in ("date", "datetime")
        return self.to_wire(usual_label, to_iso_date(text) if is_date and self.installation.iso_dates else text)

    def invent_extra_fields(self, order: SandboxOrder) -> None:
        """Invent values for the fields that only this form has."""

    def to_text(self, usual_label: str, wire: list[str]) -> str:
        """The text a person reads: of options their texts, "" for "bitte wählen", "1" for a checked box."""
        field = self._fields[usual_label]
        if self.control_kind(field) not in ("select", "multi", "radio"):
            return wire[0] if wire else ""
        shown = {option.value: option.text for option in field.options if option.value not in ("", "0")}
        return ", ".join(shown[value] for value in wire if value in shown)

    def groups(self, order: SandboxOrder | None) -> list[tuple[str, list[Control]]]:
        """The labelled controls by group, without missing labels; without an order, empty controls."""
        absent = self.knobs.missing_labels | self.installation.missing_labels
        groups = []
        for title, fields in self._shown():
            shown = [f for f in fields if not {f.label, self.shown_label(f)} & absent]
            groups.append((title, [self._control(field, order) for field in shown]))
        return groups

    def _shown(self) -> Iterator[tuple[str, list[FormField]]]:
        """The groups of fields, those of knobs included."""
        usual_label = [self.usual_label(label) for label in sorted(self.knobs.twin_labels)]
        twins = [TWIN_FIELDS[label] for label in FIELDS if label in usual_label]
        if twins and self.knobs.twin_first:
            yield TWIN_BLOCK, twins
        for title, fields in FIELD_GROUPS:
            yield title, [shown for field in fields for shown in (field, *self._followers(field))]
        if twins and not self.knobs.twin_first:
            yield TWIN_BLOCK, twins

    def _followers(self, field: FormField) -> Iterator[FormField]:
        if field.label == "Werkstattstart" and "week" in self.knobs.derive:
            yield WEEK_FIELD
        if field.label == "Fahrername" and "copy" in self.knobs.derive:
            yield COPY_FIELD

    def hidden_controls(self, order: SandboxOrder | None) -> list[Control]:
        """The hidden inputs: the row's id, which a whole save must send, a token, and those of `change_per_read`."""
        row_id, token = (order.row_id, order.token) if order else ("", "neu")
        hidden = {"rowID": row_id, "form_token": token, "call_back_class": "resourceplanner_single_project_wrapper"}
        if self.knobs.change_per_read:
            person = ("KV", "TB", "MH", "SÖ")[self.read_count % 4]
            hidden |= {"form_age": str(1_790_000_000 + self.read_count), "geaendert_von": person}
        return [Control("", "", name, "hidden", (value,)) for name, value in hidden.items()]

    def row_controls(self, order: SandboxOrder | None) -> list[Control]:
        """The cells of the child rows, and of one empty row."""
        if not self.knobs.child_rows:
            return []
        cells = [
            Control("", "", f"pos[{row_id}][{part}]", "text", (value,))
            for row_id, *values in self._rows_of(order)
            for part, value in zip(("text", "menge"), values, strict=True)
        ]
        return [*cells, *(Control("", "", f"pos[{_NEW_ROW}][{part}]", "text", ("",)) for part in ("text", "menge"))]

    def _rows_of(self, order: SandboxOrder | None) -> list[list[str]]:
        if order is None:
            return []
        if order.rows is None:
            kinds = ("Verbringung", "Reinigung", "Achsvermessung", "Kleinteile")
            amounts = range(1, self.knobs.child_rows + 1)
            return [[str(order.id * 100 + at), kinds[at % 4], f"{at},00"] for at in amounts]
        return order.rows

    def controls(self, order: SandboxOrder | None) -> list[Control]:
        """All controls in the form's order: hidden, labelled, child rows."""
        labelled = [control for _, group in self.groups(order) for control in group]
        return [*self.hidden_controls(order), *labelled, *self.row_controls(order)]

    def _control(self, field: FormField, order: SandboxOrder | None) -> Control:
        kind, label = self.control_kind(field), self.shown_label(field)
        return Control(
            label=label,
            usual_label=field.label,
            name=self._names[field.label] + ("[]" if kind == "multi" else ""),
            kind=kind,
            values=tuple(self.stored_values(order, field.label)),
            options=field.options if kind in ("select", "multi", "radio") else (),
            hidden_zero=kind == "checkbox" and bool({field.label} & self.installation.hidden_zero),
            script_filled=self._filled_by(kind) if {field.label, label} & self.knobs.script_filled else "",
            is_date=field.kind in ("date", "datetime"),
        )

    def _filled_by(self, kind: ControlKind) -> Literal["", "data", "functions"]:
        by = self.knobs.script_filled_by
        return by if kind in ("text", "long") or (kind == "select" and by == "functions") else ""

    def accept(self, order: SandboxOrder | None, sent: SentValues, *, whole: bool = True) -> AcceptedSave:
        """Parse a save. In a whole form a control that was not sent is cleared. Raises `SaveRefusedError`."""
        self.check_complete(order, sent, whole=whole)
        values = dict(order.values) if order else {}
        arrived = set()
        for control in self.controls(order):
            if control.usual_label and control.kind not in ("file", "locked") and (whole or control.name in sent):
                values[control.usual_label] = self.accept_value(control, sent.get(control.name, []))
                arrived.add(control.usual_label)
        return AcceptedSave(values, arrived, self._taken_rows(order, sent, whole=whole))

    def check_complete(self, order: SandboxOrder | None, sent: SentValues, *, whole: bool) -> None:
        """Raises `SaveRefusedError` where the row's id is missing or wrong."""
        row_id = sent.get("rowID")
        if (row_id is None and whole) or (row_id is not None and row_id[-1] != (order.row_id if order else "")):
            raise SaveRefusedError("Das Formular ist unvollständig: Die Zeilennummer (rowID) fehlt.")

    def accept_value(self, control: Control, sent: list[str]) -> list[str]:
        """The stored values for the values sent under the control's name."""
        return _taken(control, sent)

    def render(self, order: SandboxOrder | None) -> str:
        """The form's HTML."""
        groups, hidden, rows = self.groups(order), self.hidden_controls(order), self.row_controls(order)
        return render_form(self.installation.markup, self.installation.table_id, groups, hidden, rows)

    def _taken_rows(self, order: SandboxOrder | None, sent: SentValues, *, whole: bool) -> list[list[str]] | None:
        """The child rows after a save, each with a new id."""
        if not self.knobs.child_rows:
            return order.rows if order else None
        rows: dict[str, dict[str, str]] = {}
        if not whole:
            rows = {row_id: {"text": text, "menge": amount} for row_id, text, amount in self._rows_of(order)}
        for name, values in sent.items():
            cell = _ROW_NAME.fullmatch(name)
            if cell is not None:
                rows.setdefault(cell[1], {})[cell[2]] = values[-1]
        kept = [[row.get("text", ""), row.get("menge", "")] for row in rows.values()]
        return [[f"9{next(self._row_ids)}", *cells] for cells in kept if any(cells)]


def _choice(field: FormField, text: str) -> str:
    for option in field.options:
        if text == option.text:
            return option.value
    if any(text == option.value for option in field.options):
        return text
    raise ValueError(f"{field.label} does not offer {text!r}")


def _taken(control: Control, sent: list[str]) -> list[str]:
    """As PHP reads them: the last value of a name, or all where the name ends in `[]`."""
    offered = [option.value for option in control.options]
    match control.kind:
        case "checkbox":
            return ["1"] if sent[-1:] == ["1"] else []
        case "select" if not sent or sent[-1] == "":
            return offered[:1]
        case "select" | "radio" | "multi":
            chosen = [value for value in sent if value] if control.kind == "multi" else sent[-1:]
            if control.kind == "radio" and chosen == [""]:
                return []
            for value in chosen:
                if value not in offered:
                    raise SaveRefusedError(f"{control.label}: Der Wert „{value}“ steht nicht zur Auswahl.")
            return list(chosen)
        case _:
            return [sent[-1] if sent else ""]
