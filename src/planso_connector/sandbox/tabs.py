"""Render the order's other tabs (protocol, section 5)."""

from planso_connector.sandbox.orders import SandboxOrder
from planso_connector.sandbox.php import escape
from planso_connector.sandbox.workshop import Workshop

EMPLOYEES = {"161": "Karin Vollmer", "162": "Tobias Böhm", "163": "Miriam Höß", "166": "Sören Östlund"}
_SHOP_VIEW = "resourceplanner_shop_view_get_"
_TITLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "damagedareas": ("Schadenbereiche", ("Schadenbeschreibung", "Kategorie", "Gewerke")),
    "details": ("Details", ("Fahrername", "Telefon", "Kennzeichen", "VIN", "Farbton", "Kilometerstand")),
    "documents": ("Dokumente", ("Auftragsnummer", "Schadennummer")),
    "images": ("Bilder", ("Kennzeichen",)),
    "invoice": ("Rechnung", ("Kostenträger", "Versicherung", "Schadennummer", "Selbstbeteiligung")),
    "planung": ("Planung", ("Werkstattstart", "Lackiertermin", "Termin Fertigstellung", "Plan Auslieferung")),
    "projects": ("Projekte", ("Auftragsnummer", "Projekt-Status")),
    "rental_car": ("Mietwagen", ("Mietwagen Typ", "Mietwagen Getriebe", "Mietwagen Selbstbeteiligung")),
    "rental_car_data": ("Mietwagendaten", ("Mietwagen Typ",)),
    "setting": ("Einstellungen", ("Serviceberater", "Werkstattverteilung")),
    "stamped_timings": ("Gestempelte Zeiten", ("Sollstunden Karo", "Sollstunden Lack", "Sollstunden Mech")),
    "stats": ("Statistik", ("Kategorie", "Sollstunden Karo")),
    "todo_list": ("Aufgaben", ("Bemerkungen", "Notiz intern")),
    "work": ("Arbeiten", ("Gewerke", "Sollstunden Karo", "Sollstunden Lack")),
    "zusammenfassung": ("Zusammenfassung", ("Fahrername", "Fahrzeug", "Projekt-Status", "Plan Auslieferung")),
    "dist_html": ("Verteilung", ("Werkstattverteilung", "Werkstattstart")),
}
TAB_METHODS = {_SHOP_VIEW + name: name for name in _TITLES} | {
    "resourceplanner_get_shop_view": "details",
    "resourceplanner_shop_view_single": "single",
}
"""The tab by the call of section 5."""
_AS_PAIRS = frozenset({"details", "setting", "zusammenfassung", "planung"})
_AS_JSON = frozenset({"stats", "rental_car_data"})


def tab_response(workshop: Workshop, method: str, order: SandboxOrder | None) -> dict[str, object]:
    """The answer to one of TAB_METHODS: `{"html": ...}`, or plain members for some."""
    name = TAB_METHODS[method]
    if order is None:
        return {"html": '<div class="alert">Der Auftrag wurde nicht gefunden.</div>'}
    if name in _AS_JSON:
        labels = _TITLES[name][1]
        return {"projectID": order.id, "data": {label: workshop.field_text(order, label) for label in labels}}
    if name == "single":
        return {"html": _single(workshop, order)}
    return {"html": _tab(workshop, name, order)}


def _tab(workshop: Workshop, name: str, order: SandboxOrder) -> str:
    title, labels = _TITLES[name]
    pairs = [(workshop.installation.shown_label(label), workshop.field_text(order, label)) for label in labels]
    if name in _AS_PAIRS:
        rows = "".join(f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in pairs)
        body = f'<dl class="dl-horizontal">{rows}</dl>'
    else:
        rows = "".join(f"<tr><th>{escape(label)}</th><td>{escape(text)}</td></tr>" for label, text in pairs)
        body = f'<table class="table"><tbody>{rows}</tbody></table>'
    links = ""
    if name in ("documents", "images"):
        links = "".join(
            f'<li><a href="/files/{order.id}/{name}_{index}.{"pdf" if name == "documents" else "jpg"}" target="_blank">'
            f"{escape(title)} {index}</a></li>"
            for index in range(1, 2 + order.id % 3)
        )
        links = f'<ul class="files">{links}</ul>'
    return (
        f'<div class="rspSv_tab" data-project="{order.id}"><h3>{escape(title)}</h3>{body}{links}'
        f'<script type="text/javascript">rspSv.opened("{name}", {order.id}); var t = "<b>Skript</b>";</script></div>'
    )


def _single(workshop: Workshop, order: SandboxOrder) -> str:
    """The whole page: some tabs, and the employees who can be given a task."""
    employees = "".join(
        f'<div class="option"><input type="checkbox" class="rspSv_todo_list_employee_option" value="{number}">'
        f"<small>{escape(name)}</small></div>"
        for number, name in EMPLOYEES.items()
    )
    tabs = "".join(_tab(workshop, name, order) for name in ("details", "planung", "todo_list"))
    return (
        f'<div class="rspSv_single"><h2>{escape(workshop.short_name(order))}</h2>'
        f'<a href="/app?order={order.id}">Auftrag öffnen</a>{tabs}<div class="employees">{employees}</div></div>'
    )
