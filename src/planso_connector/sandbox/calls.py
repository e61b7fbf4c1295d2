"""`/do`: one method per call (protocol, sections 2 to 6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planso_connector.sandbox import tabs
from planso_connector.sandbox.forms import SaveRefusedError
from planso_connector.sandbox.orders import Order
from planso_connector.sandbox.parts_markup import parts_html
from planso_connector.sandbox.php import Pairs
from planso_connector.sandbox.save_answer import Done
from planso_connector.sandbox.save_request import read_body
from planso_connector.sandbox.save_style import TOKEN_HEADER, TOKEN_PARAMETER, SaveStyle
from planso_connector.sandbox.workshop import Workshop, form_answer

LIST = "resourceplanner_get_project_stations"
FORM = "visual_forms_plain"
OWN_SAVE = "visual_forms_save"
PARTS = "resourceplanner_shop_view_get_parts"


@dataclass(frozen=True)
class Call:
    """One request to `/do` or `/save`.

    `pairs` is the form that it carries, `fault` why it can't be saved (German), `tokens` the tokens of `/app` that
    came along, by where they came.
    """

    m: str
    table: str
    submode: str
    order_id: int | None
    saves: bool = False
    pairs: Pairs | None = None
    fault: str = ""
    tokens: Mapping[str, str] | None = None


def read_call(style: SaveStyle, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Call:
    """The call that a request makes, on an installation that saves in this style."""
    m, table = query.get("m", ""), query.get("tableID", "")
    if m not in (FORM, OWN_SAVE):
        return Call(m, table, "", _order_id(query, "dataID", "ID", "projectID"))
    is_own = path == "/save" and m == OWN_SAVE
    submode = query.get("mode" if is_own else "submode", "")
    if not (body or is_own or submode == "delete"):
        return Call(m, table, submode, _order_id(query, "dataID"))
    try:
        outer, pairs = read_body(style, headers.get("content-type", ""), body)
    except SaveRefusedError as refusal:
        return Call(m, table, submode, _order_id(query, "dataID", "id"), saves=True, fault=str(refusal))
    where: Mapping[str, str] = outer if style.address == "body" else query
    submode = where.get("mode" if is_own else "submode", "")
    tokens = {
        "meta_header": headers.get(TOKEN_HEADER.lower(), ""),
        "meta_parameter": outer.get(TOKEN_PARAMETER, ""),
        "meta_query": query.get(TOKEN_PARAMETER, ""),
    }
    fault = ""
    if is_own != (style.address == "own"):
        fault = "Diese Adresse speichert nicht."
    elif submode != "delete" and pairs is None:
        fault = "Es kamen keine Formularfelder an."
    order_id = _order_id(where, "id" if is_own else "dataID")
    return Call(m, table, submode, order_id, saves=True, pairs=pairs, fault=fault, tokens=tokens)


def _order_id(given: Mapping[str, str], *names: str) -> int | None:
    """The order that is meant; None without one, or when it isn't a number."""
    text = next((given[name] for name in names if given.get(name)), "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def answer(workshop: Workshop, call: Call) -> Any:
    """The JSON that PlanSo answers a logged-in caller who only reads."""
    if call.m == LIST:
        return _list(workshop)
    if call.m == FORM:
        return _form(workshop, call)
    if call.m == PARTS:
        return _parts(workshop, call.order_id)
    if call.m in tabs.METHODS:
        with workshop.lock:
            return tabs.tab(workshop, call.m, workshop.find(call.order_id))
    return {"error": f"Unbekannte Methode: {call.m}"}


def save(workshop: Workshop, call: Call, token: str) -> tuple[Done, int]:
    """Carry out a save: what was done to which order. `token` is that of the session. Raises `SaveRefusedError`."""
    if call.table != str(workshop.installation.table_id):
        raise SaveRefusedError("Die Tabelle wurde nicht gefunden.")
    if call.fault:
        raise SaveRefusedError(call.fault)
    for place in workshop.knobs.save_style.tokens:
        if place != "form" and (call.tokens or {}).get(place) != token:
            raise SaveRefusedError("Das Sicherheitstoken fehlt oder ist abgelaufen. Bitte laden Sie die Seite neu.")
    if call.submode == "insert":
        return "insert", workshop.insert(call.pairs or [])
    if call.order_id is None:
        raise SaveRefusedError("Es wurde kein Auftrag genannt.")
    if call.submode == "delete":
        workshop.remove(call.order_id)
        return "delete", call.order_id
    if call.submode != "update":
        raise SaveRefusedError(f"Unbekannter Modus: {call.submode}")
    workshop.save(call.order_id, call.pairs or [])
    return "update", call.order_id


def _list(workshop: Workshop) -> Any:
    with workshop.lock:
        entries = [_entry(workshop, order) for order in workshop.board()]
        for order_id in workshop.knobs.archive_after_next_list:
            if workshop.find(order_id) is not None:
                workshop.archive(order_id)
        workshop.knobs.archive_after_next_list = set()
    if workshop.installation.list_shape == "list":
        return entries
    numbered: dict[str, Any] = {str(at): entry for at, entry in enumerate(entries)}
    return {**numbered, "execution_time": 0.34, "memory_usage": "14.2 MB", "filter": {"filterID": "", "name": "Alle"}}


def _entry(workshop: Workshop, order: Order) -> dict[str, Any]:
    as_text = workshop.installation.ids_as_text
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
        "project_name": f"{workshop.text(order, 'Auftragsnummer')} {workshop.text(order, 'Fahrzeug')}".strip(),
    }


def _form(workshop: Workshop, call: Call) -> dict[str, Any]:
    if call.table != str(workshop.installation.table_id):
        return form_answer("")
    return workshop.form_answer(call.order_id)


def _parts(workshop: Workshop, order_id: int | None) -> dict[str, Any]:
    with workshop.lock:
        order = workshop.find(order_id)
        words = ("Kennzeichen", "Hersteller", "VIN", "E-Teile Status")
        plate, make, vin, badge = (workshop.text(order, label) if order else "" for label in words)
        html = parts_html(workshop.installation, order, plate, make, vin, badge)
    return {"html": html, workshop.installation.parts_script_key: "spare_parts.init();"}
