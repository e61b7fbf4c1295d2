"""Replay the installation of a recording with invented values (`planso-connector sandbox --like FILE.har`)."""

import html
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planso_connector.sandbox import invented_people
from planso_connector.sandbox.controls import Control, ControlKind
from planso_connector.sandbox.form_fields import FIELDS, FormField
from planso_connector.sandbox.form_markup import render_options
from planso_connector.sandbox.forms import OrderForm, SaveRefusedError, SentValues
from planso_connector.sandbox.installation import Installation
from planso_connector.sandbox.invented_values import parse_day, to_iso_date
from planso_connector.sandbox.knobs import Knobs
from planso_connector.sandbox.orders import SandboxOrder
from planso_connector.sandbox.php import escape
from planso_connector.sandbox.recorded_form import (
    ControlSlot,
    RecordedField,
    RecordedForm,
    ValueShape,
    parse_recorded_form,
)
from planso_connector.sandbox.recorded_saves import RecordedSaves, parse_recorded_saves
from planso_connector.sandbox.recording import RecordedExchange, RecordingError, read_recording

_WORDS = ("Hof", "Halle", "Büro", "Übergabe", "Regal", "Prüfung", "Lager", "Straße", "Empfang", "Süd")


@dataclass(frozen=True)
class RecordedInstallation:
    """The form of a recording without values, and how it saves."""

    form: RecordedForm
    saves: RecordedSaves


def load_recorded_installation(path: Path) -> Installation:
    """The installation of a recording. Raises `RecordingError`."""
    exchanges = read_recording(path)
    reading, content = _form_reading(exchanges, path)
    is_escaped = "<" not in content
    functions = str(reading.json.get("functions") or "")
    form = parse_recorded_form(
        html.unescape(content) if is_escaped else content, functions, reading.query.get("dataID", "")
    )
    table = reading.query.get("tableID", "")
    table_id = int(table) if table.isdigit() else Installation().table_id
    names = {recorded.name for recorded in form.fields.values()}
    saves = parse_recorded_saves(exchanges, reading, names, table_id)
    boards = [e.json for e in exchanges if e.query.get("m") == "resourceplanner_get_project_stations"]
    entries = [entry for board in boards for entry in (board.values() if isinstance(board, dict) else board or ())]
    return Installation(
        table_id=table_id,
        escaped_markup=is_escaped,
        list_shape="list" if any(isinstance(board, list) for board in boards) else "object",
        ids_as_text=any(isinstance(entry, dict) and isinstance(entry.get("ID"), str) for entry in entries),
        save_style=saves.style,
        recorded=RecordedInstallation(form, saves),
    )


def _form_reading(exchanges: list[RecordedExchange], path: Path) -> tuple[RecordedExchange, str]:
    """The first read of an order's form, and its markup."""
    readings = [e for e in exchanges if e.query.get("m") == "visual_forms_plain" and isinstance(e.json, dict)]
    for reading in sorted(readings, key=lambda e: (not e.query.get("dataID"), bool(e.body))):
        content = (reading.json.get("center") or {}).get("content")
        if isinstance(content, str) and re.search(r"\bname\s*=", html.unescape(content), re.IGNORECASE):
            return reading, content
    raise RecordingError(
        f"{path} holds no order's form. Record it again: log in, open an order, change a field, save; and export the "
        "network log with its contents."
    )


class ReplayedForm(OrderForm):
    """The form of a recording. Fields that the usual form has too get the usual values."""

    def __init__(self, installation: Installation, knobs: Knobs, recorded: RecordedForm) -> None:
        super().__init__(installation, knobs)
        self._recorded = recorded
        self._fields |= {usual_label: recorded.field for usual_label, recorded in recorded.fields.items()}

    def usual_label(self, label: str) -> str:
        for usual_label, recorded in self._recorded.fields.items():
            if label in (usual_label, recorded.field.caption):
                return usual_label
        return super().usual_label(label)

    def known_labels(self) -> set[str]:
        return {
            label
            for usual_label, recorded in self._recorded.fields.items()
            for label in (usual_label, recorded.field.caption or usual_label)
        }

    def control_kind(self, field: FormField) -> ControlKind:
        if field.label not in self._recorded.fields:
            return super().control_kind(field)
        return "text" if field.kind == "date" or field.kind == "datetime" else field.kind

    def invented_to_wire(self, usual_label: str, text: str) -> list[str]:
        recorded = self._recorded.fields.get(usual_label)
        if recorded is not None:
            is_date = FIELDS[usual_label].kind in ("date", "datetime")
            text = _typed(
                recorded, to_iso_date(text).partition(" ")[0] if is_date and recorded.shapes[:1] == ("iso",) else text
            )
        try:
            wire = self.to_wire(usual_label, text)
        except ValueError:
            options = self._fields[usual_label].options
            wire = [options[sum(map(ord, text)) % len(options)].value] if options else []
        return wire * max(1, len(recorded.shapes)) if recorded is not None and not recorded.field.options else wire

    def invent_extra_fields(self, order: SandboxOrder) -> None:
        dice = random.Random(order.id)
        for usual_label, recorded in self._recorded.fields.items():
            if usual_label in FIELDS and not recorded.is_hidden:
                continue
            if recorded.field.options:
                chosen = dice.choice(recorded.field.options).value
                order.values[usual_label] = [chosen] if recorded.field.kind == "select" or dice.random() < 0.5 else []
            elif recorded.is_order_id:
                order.values[usual_label] = [str(order.id)]
            else:
                pairs = zip(recorded.shapes, recorded.lengths, strict=True)
                order.values[usual_label] = [
                    _typed(recorded, _invented(dice, shape, length, recorded)) for shape, length in pairs
                ]

    def stored_values(self, order: SandboxOrder | None, usual_label: str) -> list[str]:
        recorded = self._recorded.fields.get(usual_label)
        if recorded is not None and not recorded.field.options and (order is None or usual_label not in order.values):
            return [str(order.id)] if order is not None and recorded.is_order_id else [""] * len(recorded.shapes)
        return super().stored_values(order, usual_label)

    def to_wire(self, usual_label: str, text: str) -> list[str]:
        recorded = self._recorded.fields.get(usual_label)
        if recorded is not None and recorded.field.kind == "multi" and len(recorded.field.options) == 1:
            return [recorded.field.options[0].value] if text.lower() in ("1", "ja", "true", "x", "on") else []
        return super().to_wire(usual_label, text)

    def groups(self, order: SandboxOrder | None) -> list[tuple[str, list[Control]]]:
        absent = self.knobs.missing_labels
        shown = [
            recorded
            for recorded in self._recorded.fields.values()
            if not {recorded.field.label, recorded.field.caption} & absent
        ]
        return [("", [self._recorded_control(recorded, order) for recorded in shown])]

    def hidden_controls(self, order: SandboxOrder | None) -> list[Control]:
        return []

    def row_controls(self, order: SandboxOrder | None) -> list[Control]:
        return []

    def _recorded_control(self, recorded: RecordedField, order: SandboxOrder | None) -> Control:
        field = recorded.field
        return Control(
            label="" if recorded.is_hidden else field.caption or field.label,
            usual_label=field.label,
            name=recorded.name,
            kind=self.control_kind(field),
            values=tuple(self.stored_values(order, field.label)),
            options=field.options,
            hidden_zero=recorded.hidden_zero,
            script_filled=recorded.script_filled,
            is_date=field.kind in ("date", "datetime"),
        )

    def check_complete(self, order: SandboxOrder | None, sent: SentValues, *, whole: bool) -> None:
        missing = [
            recorded.name
            for recorded in self._recorded.fields.values()
            if recorded.is_hidden and recorded.name not in sent
        ]
        if whole and missing:
            raise SaveRefusedError(f"Das Formular ist unvollständig: {missing[0]} fehlt.")

    def accept_value(self, control: Control, sent: list[str]) -> list[str]:
        if control.kind == "multi" and control.hidden_zero:
            sent = [value for value in sent if value != "0"]
        copies = len(self._recorded.fields[control.usual_label].shapes)
        if not control.options and copies > 1:
            kept = sent if control.name.endswith("]") else sent[-1:] * copies
            return [*kept[:copies], *[""] * (copies - len(kept))]
        return super().accept_value(control, sent)

    def render(self, order: SandboxOrder | None) -> str:
        controls = {control.name: control for control in self.controls(order)}
        return "".join(
            piece if isinstance(piece, str) else _slot(piece, controls.get(piece.name))
            for piece in self._recorded.pieces
        )


def _slot(slot: ControlSlot, control: Control | None) -> str:
    """Render one control in its place."""
    start = f"<{slot.tag}{slot.attributes}"
    if slot.own is not None:
        checked = " checked" if control is not None and slot.own in control.values else ""
        return f'{start} value="{escape(slot.own)}"{checked}>'
    if slot.tag == "select":
        return f"{start}>{render_options(control) if control is not None else ''}</select>"
    value = control.values[slot.at] if control is not None and slot.at < len(control.values) else ""
    if control is not None and control.hidden_zero:
        value = "0"
    if control is not None and control.script_filled:
        start += f' {slot.data}="{escape(value)}"' if slot.data else ""
        value = ""
    if slot.tag == "textarea":
        return f"{start}>\n{escape(value)}</textarea>"
    return f'{start} value="{escape(value)}">'


def _typed(recorded: RecordedField, text: str) -> str:
    """The value for the recorded input type, "" where that does not take it."""
    if recorded.input_type == "date":
        return to_iso_date(text).partition(" ")[0] if parse_day(text) else ""
    if recorded.input_type == "number":
        plain = text.replace(".", "").replace(",", ".")
        return plain if re.fullmatch(r"-?\d+(\.\d+)?", plain) else ""
    return text


def _invented(dice: random.Random, shape: ValueShape, length: int, recorded: RecordedField) -> str:
    """A value of the recorded kind."""
    day, month = dice.randint(1, 28), dice.randint(1, 12)
    words = f"{dice.choice(_WORDS)} {dice.randint(1, 99)}"
    label = recorded.field.label
    if shape == "text" and re.search("Telefon|Mobil|Handy", label):
        return invented_people.invent_phone(dice)
    values: dict[ValueShape, Any] = {
        "empty": "",
        "iso": f"2026-{month:02d}-{day:02d}",
        "iso_time": f"2026-{month:02d}-{day:02d} 08:{day:02d}:00",
        "german": f"{day:02d}.{month:02d}.2026",
        "german_time": f"{day:02d}.{month:02d}.2026 08:{day:02d}:00",
        "time": f"{dice.randint(7, 17):02d}:{dice.choice((0, 15, 30, 45)):02d}",
        "decimal": f"{dice.randint(1, 99)},{dice.randint(0, 99):02d}",
        "number": str(dice.randint(10 ** max(0, min(length, 12) - 1), 10 ** min(length, 12) - 1)) if length else "",
        "email": f"kontakt{dice.randint(100, 999)}@example.de",
        "token": f"{dice.getrandbits(256):064x}"[: min(length, 64)],
        "text": f"{words}\r\n{dice.choice(_WORDS)}" if recorded.field.kind == "long" else words,
    }
    return str(values[shape])
