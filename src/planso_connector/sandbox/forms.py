"""One order's form: its controls, what a browser would send of them, and what PlanSo takes from what was sent.

Protocol, sections 3 and 6.
"""

import itertools
import random
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from planso_connector.sandbox.catalogue import COPY, FIELDS, GROUPS, TWIN_BLOCK, TWINS, WEEK, Field
from planso_connector.sandbox.controls import Control, ControlKind
from planso_connector.sandbox.form_markup import form_html
from planso_connector.sandbox.installation import CHOICES, Installation
from planso_connector.sandbox.invented import iso, twin_text, week_of
from planso_connector.sandbox.knobs import Knobs
from planso_connector.sandbox.orders import Order, Wire

Sent = Mapping[str, list[str]]
"""By `name` attribute the values that arrived, in their order."""
_ROW_NAME = re.compile(r"pos\[(\w+)\]\[(text|menge)\]")
_NEW_ROW = "new_1"


class SaveRefusedError(Exception):
    """PlanSo refuses a save; the text is German, for a person."""


@dataclass(frozen=True)
class Taken:
    """What a save means: all values after it, the fields that it says something about, and the child rows."""

    values: Wire
    arrived: AbstractSet[str]
    rows: list[list[str]] | None


class Form:
    """The form as one installation has it: which fields, under which labels and names."""

    def __init__(self, installation: Installation, knobs: Knobs) -> None:
        self.installation = installation
        self.knobs = knobs
        self.readings = 0
        self._row_ids = itertools.count(17)
        self._fields: dict[str, Field] = {
            **FIELDS,
            **{field.label: field for field in (WEEK, COPY, *TWINS.values())},
        }
        dice = random.Random(installation.field_names)
        number = 1000 * (7 + installation.field_names % 89) + dice.randint(1, 400)
        self._names: dict[str, str] = {}
        for label in FIELDS:
            number += dice.randint(1, 9)
            self._names[label] = f"f_{number}"
            self._names[TWINS[label].label] = f"f_{number + 2000}"
        self._names |= {WEEK.label: f"f_{number + 11}", COPY.label: f"f_{number + 12}"}

    def field(self, usual: str) -> Field:
        """The field of a usual label. Raises KeyError."""
        return self._fields[usual]

    def label(self, field: Field) -> str:
        """What the form shows above the field."""
        return self.installation.label(field.caption or field.label)

    def labels(self) -> set[str]:
        """Every label that `usual` knows."""
        return self._fields.keys() | {self.installation.label(usual) for usual in FIELDS}

    def usual(self, label: str) -> str:
        """The usual label behind a shown one (or behind itself). Raises KeyError."""
        for usual in FIELDS:
            if self.installation.label(usual) == label:
                return usual
        if label in self._fields:
            return label
        raise KeyError(f"This PlanSo has no field {label!r}")

    def kind(self, field: Field) -> ControlKind:
        """The control that the field has on this installation."""
        if field.kind == "date" or field.kind == "datetime":
            return "text"
        usual = field.caption or field.label
        if usual in CHOICES and not self.installation.is_select(usual):
            return "text"
        return field.kind

    def wire(self, usual: str, text: str) -> list[str]:
        """What goes over the wire for what a person means. Raises ValueError when the select doesn't offer it."""
        field = self._fields[usual]
        kind = self.kind(field)
        if kind == "checkbox":
            return ["1"] if text.lower() in ("1", "ja", "true", "x", "on") else []
        if kind not in ("select", "multi", "radio"):
            return [text]
        if text == "":
            return [field.options[0].value] if kind == "select" else []
        if kind == "multi":
            return [_choice(field, part.strip()) for part in text.split(",")]
        return [_choice(field, text)]

    def stored(self, order: Order | None, usual: str) -> list[str]:
        """What the order holds under a usual label, as it goes over the wire; without an order, nothing."""
        if order is None:
            return self.wire(usual, "")
        kept = order.values.get(usual)
        if kept is not None:
            return kept
        if usual == WEEK.label:
            return [week_of(self.text("Werkstattstart", self.stored(order, "Werkstattstart")))]
        if usual == COPY.label:
            return self.stored(order, "Fahrername")
        field = self._fields[usual]
        is_twin_text = field.caption and field.kind in ("text", "long")
        return [twin_text(order.id, field.caption)] if is_twin_text else self.wire(usual, "")

    def invented(self, usual: str, text: str) -> list[str]:
        """What goes over the wire for an invented text. Dates become ISO where the installation holds them so."""
        is_date = FIELDS[usual].kind in ("date", "datetime")
        return self.wire(usual, iso(text) if is_date and self.installation.iso_dates else text)

    def complete(self, order: Order) -> None:
        """Invent what the form has beyond the usual fields."""

    def text(self, usual: str, wire: list[str]) -> str:
        """What a person sees: the option's text, not its id; nothing for "bitte wählen"; 1 for a checked box."""
        field = self._fields[usual]
        if self.kind(field) not in ("select", "multi", "radio"):
            return wire[0] if wire else ""
        shown = {option.value: option.text for option in field.options if option.value not in ("", "0")}
        return ", ".join(shown[value] for value in wire if value in shown)

    def groups(self, order: Order | None) -> list[tuple[str, list[Control]]]:
        """The labelled controls, group by group, without the labels that are missing now; without an order, empty."""
        absent = self.knobs.missing_labels | self.installation.missing_labels
        groups = []
        for title, fields in self._shown():
            shown = [f for f in fields if not {f.label, self.label(f)} & absent]
            groups.append((title, [self._control(field, order) for field in shown]))
        return groups

    def _shown(self) -> Iterator[tuple[str, list[Field]]]:
        """The groups of fields, with those that knobs add."""
        usual = [self.usual(label) for label in sorted(self.knobs.twin_labels)]
        twins = [TWINS[label] for label in FIELDS if label in usual]
        if twins and self.knobs.twin_first:
            yield TWIN_BLOCK, twins
        for title, fields in GROUPS:
            yield title, [shown for field in fields for shown in (field, *self._followers(field))]
        if twins and not self.knobs.twin_first:
            yield TWIN_BLOCK, twins

    def _followers(self, field: Field) -> Iterator[Field]:
        if field.label == "Werkstattstart" and "week" in self.knobs.derive:
            yield WEEK
        if field.label == "Fahrername" and "copy" in self.knobs.derive:
            yield COPY

    def hidden(self, order: Order | None) -> list[Control]:
        """The hidden inputs: the row's id, which a whole save must name, a token, and what differs at each reading."""
        row_id, token = (order.row_id, order.token) if order else ("", "neu")
        hidden = {"rowID": row_id, "form_token": token, "call_back_class": "resourceplanner_single_project_wrapper"}
        if self.knobs.change_per_read:
            person = ("KV", "TB", "MH", "SÖ")[self.readings % 4]
            hidden |= {"form_age": str(1_790_000_000 + self.readings), "geaendert_von": person}
        return [Control("", "", name, "hidden", (value,)) for name, value in hidden.items()]

    def rows(self, order: Order | None) -> list[Control]:
        """The cells of the child rows, and those of an empty one to fill in."""
        if not self.knobs.child_rows:
            return []
        cells = [
            Control("", "", f"pos[{row_id}][{part}]", "text", (value,))
            for row_id, *values in self._rows_of(order)
            for part, value in zip(("text", "menge"), values, strict=True)
        ]
        return [*cells, *(Control("", "", f"pos[{_NEW_ROW}][{part}]", "text", ("",)) for part in ("text", "menge"))]

    def _rows_of(self, order: Order | None) -> list[list[str]]:
        if order is None:
            return []
        if order.rows is None:
            kinds = ("Verbringung", "Reinigung", "Achsvermessung", "Kleinteile")
            amounts = range(1, self.knobs.child_rows + 1)
            return [[str(order.id * 100 + at), kinds[at % 4], f"{at},00"] for at in amounts]
        return order.rows

    def controls(self, order: Order | None) -> list[Control]:
        """All controls in the order of the form: hidden ones, labelled ones, child rows."""
        labelled = [control for _, group in self.groups(order) for control in group]
        return [*self.hidden(order), *labelled, *self.rows(order)]

    def _control(self, field: Field, order: Order | None) -> Control:
        kind, label = self.kind(field), self.label(field)
        return Control(
            label=label,
            usual=field.label,
            name=self._names[field.label] + ("[]" if kind == "multi" else ""),
            kind=kind,
            values=tuple(self.stored(order, field.label)),
            options=field.options if kind in ("select", "multi", "radio") else (),
            hidden_zero=kind == "checkbox" and bool({field.label} & self.installation.hidden_zero),
            script_filled=self._filled_by(kind) if {field.label, label} & self.knobs.script_filled else "",
            is_date=field.kind in ("date", "datetime"),
        )

    def _filled_by(self, kind: ControlKind) -> Literal["", "data", "functions"]:
        by = self.knobs.script_filled_by
        return by if kind in ("text", "long") or (kind == "select" and by == "functions") else ""

    def taken(self, order: Order | None, sent: Sent, *, whole: bool = True) -> Taken:
        """What a save means. In a whole form, a control that wasn't sent is cleared. Raises `SaveRefusedError`."""
        self.check_complete(order, sent, whole=whole)
        values = dict(order.values) if order else {}
        arrived = set()
        for control in self.controls(order):
            if control.usual and control.kind not in ("file", "locked") and (whole or control.name in sent):
                values[control.usual] = self.value_taken(control, sent.get(control.name, []))
                arrived.add(control.usual)
        return Taken(values, arrived, self._taken_rows(order, sent, whole=whole))

    def check_complete(self, order: Order | None, sent: Sent, *, whole: bool) -> None:
        """Raises `SaveRefusedError` where a save lacks what tells its row, or names another."""
        row_id = sent.get("rowID")
        if (row_id is None and whole) or (row_id is not None and row_id[-1] != (order.row_id if order else "")):
            raise SaveRefusedError("Das Formular ist unvollständig: Die Zeilennummer (rowID) fehlt.")

    def value_taken(self, control: Control, sent: list[str]) -> list[str]:
        """What is stored of the values that arrived under a control's name."""
        return _taken(control, sent)

    def markup(self, order: Order | None) -> str:
        """The form's HTML."""
        groups, hidden, rows = self.groups(order), self.hidden(order), self.rows(order)
        return form_html(self.installation.markup, self.installation.table_id, groups, hidden, rows)

    def _taken_rows(self, order: Order | None, sent: Sent, *, whole: bool) -> list[list[str]] | None:
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


def _choice(field: Field, text: str) -> str:
    for option in field.options:
        if text == option.text:
            return option.value
    if any(text == option.value for option in field.options):
        return text
    raise ValueError(f"{field.label} does not offer {text!r}")


def _taken(control: Control, sent: list[str]) -> list[str]:
    """PHP's view of one control: the last value of a name counts, all of them where the name ends in `[]`."""
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
