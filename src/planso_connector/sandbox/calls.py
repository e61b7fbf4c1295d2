"""Parse and answer the calls to `/do` (protocol, sections 2 to 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planso_connector.sandbox import tabs
from planso_connector.sandbox.forms import SaveRefusedError
from planso_connector.sandbox.orders import SandboxOrder
from planso_connector.sandbox.parts_markup import render_parts
from planso_connector.sandbox.php import Pairs
from planso_connector.sandbox.save_calls import SaveAction, SaveCalls
from planso_connector.sandbox.save_request import parse_body
from planso_connector.sandbox.save_style import SaveStyle
from planso_connector.sandbox.workshop import Workshop, form_response

BOARD = "resourceplanner_get_project_stations"
FORM = "visual_forms_plain"
PARTS = "resourceplanner_shop_view_get_parts"


@dataclass(frozen=True)
class PlansoCall:
    """One request to `/do`, or to another address that saves.

    `pairs`: the submitted form. `fault`: why it can't be saved (German). `tokens`: the session tokens that were sent,
    one for each place where one is required.
    """

    m: str
    table: str
    submode: str
    order_id: int | None
    saves: bool = False
    pairs: Pairs | None = None
    fault: str = ""
    tokens: Sequence[str] = ()


def parse_call(
    style: SaveStyle, templates: SaveCalls, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> PlansoCall:
    """Parse a request on an installation that saves in this style and at these addresses."""
    m, table, submode = query.get("m", ""), query.get("tableID", ""), query.get("submode", "")
    order_id = _order_id(next((query[name] for name in ("dataID", "ID", "projectID", "id") if query.get(name)), ""))
    deletes = templates["delete"].matches(path, query, {}) or submode == "delete"
    is_save = (m == FORM and bool(body or deletes)) or (path, m) in _addresses(templates)
    if not is_save:
        return PlansoCall(m, table, submode, order_id)
    fault, outer, pairs = "", dict[str, str](), None
    try:
        names = {name for template in templates.values() for name in template.outer}
        outer, pairs = parse_body(style, headers.get("content-type", ""), body, names)
    except SaveRefusedError as refusal:
        fault = str(refusal)
    kind = next((kind for kind, template in templates.items() if template.matches(path, query, outer)), None)
    if kind is None:
        return PlansoCall(m, table, submode, order_id, saves=True, fault=fault or "Diese Adresse speichert nicht.")
    if kind != "delete" and pairs is None and not fault:
        fault = "Es kamen keine Formularfelder an."
    template = templates[kind]
    order_id = _order_id(template.order_id(query, outer))
    tokens = template.tokens(query, outer, headers)
    return PlansoCall(m, table, kind, order_id, saves=True, pairs=pairs, fault=fault, tokens=tokens)


def _addresses(templates: SaveCalls) -> set[tuple[str, str]]:
    """Path and `m` of saves that have an address of their own."""
    return {(t.path, t.query.get("m", "")) for t in templates.values()} - {("/do", FORM)}


def _order_id(text: str) -> int | None:
    """The order's id; None where it is missing or no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def answer_read(workshop: Workshop, call: PlansoCall) -> Any:
    """The JSON answer to a call that reads."""
    if call.m == BOARD:
        return _list(workshop)
    if call.m == FORM:
        return _form(workshop, call)
    if call.m == PARTS:
        return _parts(workshop, call.order_id)
    if call.m in tabs.TAB_METHODS:
        with workshop.lock:
            return tabs.tab_response(workshop, call.m, workshop.find_order(call.order_id))
    return {"error": f"Unbekannte Methode: {call.m}"}


def apply_save(workshop: Workshop, call: PlansoCall, token: str) -> tuple[SaveAction, int]:
    """Apply a save; returns the action and the order's id. `token`: the session's. Raises `SaveRefusedError`."""
    if call.table and call.table != str(workshop.installation.table_id):
        raise SaveRefusedError("Die Tabelle wurde nicht gefunden.")
    if call.fault:
        raise SaveRefusedError(call.fault)
    if any(given != token for given in call.tokens):
        raise SaveRefusedError("Das Sicherheitstoken fehlt oder ist abgelaufen. Bitte laden Sie die Seite neu.")
    if call.submode == "insert":
        return "insert", workshop.insert(call.pairs or [])
    if call.order_id is None:
        raise SaveRefusedError("Es wurde kein Auftrag genannt.")
    if call.submode == "delete":
        workshop.remove(call.order_id)
        return "delete", call.order_id
    workshop.save(call.order_id, call.pairs or [])
    return "update", call.order_id


def _list(workshop: Workshop) -> Any:
    with workshop.lock:
        entries = [_entry(workshop, order) for order in workshop.board_orders()]
        for order_id in workshop.knobs.archive_after_next_list:
            if workshop.find_order(order_id) is not None:
                workshop.archive(order_id)
        workshop.knobs.archive_after_next_list = set()
    if workshop.installation.list_shape == "list":
        return entries
    numbered: dict[str, Any] = {str(index): entry for index, entry in enumerate(entries)}
    return {**numbered, "execution_time": 0.34, "memory_usage": "14.2 MB", "filter": {"filterID": "", "name": "Alle"}}


def _entry(workshop: Workshop, order: SandboxOrder) -> dict[str, Any]:
    as_text = workshop.installation.ids_as_text
    number, vehicle = (workshop.field_text(order, label) for label in ("Auftragsnummer", "Fahrzeug"))
    return {
        "ID": str(order.id) if as_text else order.id,
        "short_name": workshop.short_name(order),
        "station": order.station,
        "employeeID": order.employee,
        "theorder": str(order.position) if as_text else order.position,
        "finish_date": workshop.damage_or_date(order),
        "color": "" if order.id % 3 else "#c0392b",
        "locked": "0",
        "parts_count": len(order.parts),
        "project_name": f"{number} {vehicle}".strip(),
    }


def _form(workshop: Workshop, call: PlansoCall) -> dict[str, Any]:
    if call.table != str(workshop.installation.table_id):
        return form_response("")
    return workshop.form_answer(call.order_id)


def _parts(workshop: Workshop, order_id: int | None) -> dict[str, Any]:
    with workshop.lock:
        order = workshop.find_order(order_id)
        words = ("Kennzeichen", "Hersteller", "VIN", "E-Teile Status")
        plate, make, vin, badge = (workshop.field_text(order, label) if order else "" for label in words)
        html = render_parts(workshop.installation, order, plate, make, vin, badge)
    return {"html": html, workshop.installation.parts_script_key: "spare_parts.init();"}
