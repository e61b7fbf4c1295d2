"""`/do`: one method per call (protocol, sections 2 to 6)."""

from dataclasses import dataclass
from typing import Any

from planso_connector.sandbox import tabs
from planso_connector.sandbox.forms import SaveRefusedError
from planso_connector.sandbox.orders import Order
from planso_connector.sandbox.parts_markup import parts_html
from planso_connector.sandbox.php import read_form
from planso_connector.sandbox.workshop import Workshop

LIST = "resourceplanner_get_project_stations"
FORM = "visual_forms_plain"
PARTS = "resourceplanner_shop_view_get_parts"


@dataclass(frozen=True)
class Call:
    """One `/do` request: the query's members, and the body by name."""

    query: dict[str, str]
    form: dict[str, list[str]]

    @property
    def m(self) -> str:
        """The method that is called."""
        return self.query.get("m", "")

    @property
    def submode(self) -> str:
        """`update`, `insert`, `delete`; empty where there is none."""
        return self.query.get("submode", "")

    @property
    def order_id(self) -> int | None:
        """The order that is meant; None without one, or when it isn't a number."""
        given = self.query.get("dataID") or self.query.get("ID") or self.query.get("projectID") or ""
        return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None

    @property
    def saves(self) -> bool:
        """Whether this call would change something."""
        return self.m == FORM and ("fields" in self.form or self.submode == "delete")


def answer(workshop: Workshop, call: Call) -> Any:
    """The JSON that PlanSo answers a logged-in caller."""
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
    if call.query.get("tableID") != str(workshop.installation.table_id):
        return {"error": "Die Tabelle wurde nicht gefunden."} if call.saves else _content("")
    if not call.saves:
        return _content(workshop.form_markup(call.order_id))
    sent = read_form(call.form["fields"][-1]) if "fields" in call.form else {}
    try:
        return _saved(workshop, call, sent)
    except SaveRefusedError as refusal:
        return {"error": str(refusal), "functions": ""}


def _content(markup: str) -> dict[str, Any]:
    return {"center": {"content": markup}, "functions": "visual_forms.init();"}


def _saved(workshop: Workshop, call: Call, sent: dict[str, list[str]]) -> dict[str, Any]:
    if call.submode == "insert":
        new_id = workshop.insert(sent)
        data_id = str(new_id) if workshop.installation.ids_as_text else new_id
        return {"saved": 1, "dataID": data_id, "functions": "visual_forms.saved();"}
    if call.order_id is None:
        raise SaveRefusedError("Es wurde kein Auftrag genannt.")
    if call.submode == "delete":
        workshop.remove(call.order_id)
        return {"deleted": 1, "functions": "visual_forms.removed();"}
    if call.submode != "update":
        raise SaveRefusedError(f"Unbekannter Modus: {call.submode}")
    workshop.save(call.order_id, sent)
    return {"saved": 1, "message": "Gespeichert", "functions": "visual_forms.saved();"}


def _parts(workshop: Workshop, order_id: int | None) -> dict[str, Any]:
    with workshop.lock:
        order = workshop.find(order_id)
        words = ("Kennzeichen", "Hersteller", "VIN", "E-Teile Status")
        plate, make, vin, badge = (workshop.text(order, label) if order else "" for label in words)
        html = parts_html(workshop.installation, order, plate, make, vin, badge)
    return {"html": html, workshop.installation.parts_script_key: "spare_parts.init();"}
