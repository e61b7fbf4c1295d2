"""Pages for people who watch writes arrive: the board with the last change on top, and one order."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from planso_connector.sandbox.form_fields import STATIONS
from planso_connector.sandbox.installation import Installation
from planso_connector.sandbox.login_page import SCRIPT_PATH, render_editor, render_script_settings
from planso_connector.sandbox.orders import SandboxOrder
from planso_connector.sandbox.php import escape
from planso_connector.sandbox.workshop import FieldChange, Workshop

_STYLE = """
:root{color-scheme:light}*{box-sizing:border-box}
body{margin:0;font:15px/1.45 system-ui,sans-serif;color:#222c35;background:#eef1f4}
header{background:#21384f;color:#fff;padding:.8rem 1rem}header h1{font-size:1.15rem;margin:0}header a{color:#cfe4ff}
header p{margin:.2rem 0 0;color:#c4d2df;font-size:.85rem}main{padding:1rem;max-width:110rem;margin:auto}
.last{background:#fff8df;border:1px solid #e8cf7a;border-radius:8px;padding:.7rem 1rem;margin-bottom:1rem}
.last h2{margin:0 0 .3rem;font-size:1rem}.last ul{margin:0;padding-left:1.1rem}.last time{color:#6d6340}
del{color:#a33;text-decoration-thickness:1px}ins{color:#17682c;text-decoration:none;font-weight:600}
.board{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));align-items:start}
.station{background:#dfe5eb;border-radius:8px;padding:.6rem}.station h2{font-size:.95rem;margin:.1rem .2rem .5rem}
.station h2 span{color:#5b6b7a;font-weight:400}
.card{display:block;background:#fff;border-radius:6px;padding:.45rem .6rem;margin-top:.4rem;color:inherit;
text-decoration:none;border-left:4px solid #7d99b3}.card:hover{background:#f6faff}.card b{margin-right:.4rem}
.card small{color:#5b6b7a;display:block;overflow-wrap:anywhere}.card.fresh{border-color:#e0a800;background:#fffbec}
table{border-collapse:collapse;width:100%;background:#fff;border-radius:8px}
td,th{padding:.35rem .7rem;text-align:left;vertical-align:top;border-bottom:1px solid #e3e8ed;white-space:pre-wrap;
overflow-wrap:anywhere}th{width:34%;font-weight:600}details{margin-top:1.2rem}code,pre{background:#e1e7ec;border-radius:4px;
padding:.1rem .3rem}pre{padding:.6rem;overflow-x:auto}
#editor label{display:inline-block;width:34%}#editor input[type=text],#editor textarea{width:60%}
"""
_SCRIPT = """
let version = document.body.dataset.version;
setInterval(async () => {
  try {
    const answer = await (await fetch("sandbox/board")).json();
    if (String(answer.version) !== version) {
      version = String(answer.version);
      document.getElementById("live").innerHTML = answer.html;
    }
  } catch (error) { /* the sandbox restarts: the next round finds it */ }
}, 2000);
"""
_HELP = """
<details><summary>Stellschrauben</summary>
<p>Schlechte Tage zum Ausprobieren, von dieser Maschine aus:</p>
<pre>curl {address}/sandbox/knobs
curl -X POST {address}/sandbox/knobs -H 'Content-Type: application/json' -d '{{"latency": 1.5, "fail_next": 3}}'
curl -X POST {address}/sandbox/orders/123 -H 'Content-Type: application/json' \\
     -d '{{"label": "Bemerkungen", "value": "ruft an"}}'
curl {address}/sandbox/orders/123
curl {address}/sandbox/requests</pre></details>
"""


def render_board_page(workshop: Workshop, address: str) -> str:
    """`GET /`: the board, which polls `/sandbox/board` every two seconds. `address`: the sandbox's own."""
    with workshop.lock:
        user, password = workshop.installation.username, workshop.installation.password
        intro = f"Sandkasten, kein echter Betrieb: alle Personen sind erfunden. Anmeldung: {user} / {password}"
        help_text = _HELP.format(address=escape(address))
        body = (
            '<main><p><a href="app">Anmelden und Aufträge bearbeiten</a></p>'
            f'<div id="live">{render_live_part(workshop)}</div>{help_text}</main><script>{_SCRIPT}</script>'
        )
        return _page("Werkstatt-Board", intro, body, workshop.version)


def render_live_part(workshop: Workshop) -> str:
    """The part of the board that changes: the last change, and the stations with their orders."""
    with workshop.lock:
        fresh = workshop.changes[0].order_id if workshop.changes else None
        by_station: dict[int, list[SandboxOrder]] = {number: [] for number in (*STATIONS, 0)}
        for order in workshop.board_orders():
            number = order.station.partition("@")[0]
            by_station.setdefault(int(number) if number.isdigit() else 0, []).append(order)
        stations = "".join(
            _station(workshop, STATIONS.get(number, "ohne Station"), orders, fresh)
            for number, orders in by_station.items()
            if orders
        )
        return f'{_last_change(workshop)}<div class="board">{stations}</div>'


def _station(workshop: Workshop, title: str, orders: list[SandboxOrder], fresh: int | None) -> str:
    cards = "".join(_card(workshop, order, fresh) for order in orders)
    return f'<section class="station"><h2>{escape(title)} <span>{len(orders)}</span></h2>{cards}</section>'


def _card(workshop: Workshop, order: SandboxOrder, fresh: int | None) -> str:
    plate, name, start, finish = (
        escape(workshop.field_text(order, label))
        for label in ("Kennzeichen", "Fahrername", "Werkstattstart", "Termin Fertigstellung")
    )
    name = name or escape(workshop.field_text(order, "Firma"))
    return (
        f'<a class="card{" fresh" if order.id == fresh else ""}" href="orders/{order.id}"><b>{order.id}</b>{plate}'
        f"<small>{name or '–'}</small><small>{start or '–'} → {finish or '–'}</small></a>"
    )


def _last_change(workshop: Workshop) -> str:
    """The order that changed last, with all fields that changed at once."""
    if not workshop.changes:
        return '<div class="last"><h2>Noch keine Änderung</h2>Was eine Anbindung schreibt, erscheint hier.</div>'
    changed_at, order_id = workshop.changes[0].at, workshop.changes[0].order_id
    latest = next(group for _, group in groupby(workshop.changes, key=lambda change: (change.at, change.order_id)))
    order = workshop.find_order(order_id)
    name = escape(workshop.short_name(order)) if order else "gelöscht"
    rows = "".join(f"<li>{_change(change)}</li>" for change in latest)
    return (
        f'<div class="last"><h2>Zuletzt geändert: <a href="orders/{order_id}">{order_id}</a> {name} '
        f"<time>{_clock(changed_at)}</time> · {escape(workshop.changes[0].by)}</h2><ul>{rows}</ul></div>"
    )


def _change(change: FieldChange) -> str:
    before, after = escape(_short(change.before)), escape(_short(change.after))
    return f"{escape(change.label)}: <del>{before or '(leer)'}</del> → <ins>{after or '(leer)'}</ins>"


def _short(text: str) -> str:
    return text if len(text) <= 160 else text[:157] + "…"


def _clock(changed_at: datetime) -> str:
    return f"{changed_at.astimezone():%H:%M:%S}"


def render_order_page(workshop: Workshop, order: SandboxOrder) -> str:
    """`GET /orders/{id}`: the order's labels and values, and its changes since the start."""
    with workshop.lock:
        groups = workshop.form.groups(order)
        rows = "".join(
            f"<tr><th>{escape(control.label)}</th>"
            f"<td>{escape(workshop.field_text(order, control.usual_label))}</td></tr>"
            for _, controls in groups
            for control in controls
        )
        history = "".join(
            f"<li>{_clock(change.at)} {_change(change)}</li>"
            for change in workshop.changes
            if change.order_id == order.id
        )
        past = f'<div class="last"><h2>Änderungen</h2><ul>{history}</ul></div>' if history else ""
        title = f"Auftrag {order.id} · {workshop.short_name(order)}"
        body = (
            f'<main><p><a href="../">zum Board</a></p>{past}<table>{rows}</table>{render_editor(order.id)}</main>'
            f'<script src="../{SCRIPT_PATH}"></script>'
        )
        attributes = render_script_settings(workshop.installation, workshop.knobs.save_style, workshop.save_calls())
        return _page(title, "archiviert" if order.archived else "", body, workshop.version, attributes)


def render_missing_page(order_id: int) -> str:
    """The page for an unknown order."""
    return _page(
        f"Auftrag {order_id}", "", '<main><p>Diesen Auftrag gibt es nicht. <a href="../">Zum Board</a></p></main>', 0
    )


def render_workshops_page(workshops: Sequence[tuple[str, Installation]]) -> str:
    """`GET /` of several workshops: their names, and how to log in to each."""
    rows = "".join(
        f'<tr><th><a href="w/{escape(name)}/">{escape(name)}</a></th>'
        f"<td>{escape(installation.username)} / {escape(installation.password)}</td></tr>"
        for name, installation in workshops
    )
    intro = f"{len(workshops)} Werkstätten, keine echte: alle Personen sind erfunden."
    return _page("Werkstätten", intro, f"<main><table>{rows}</table></main>", 0)


def _page(title: str, intro: str, body: str, version: int, attributes: str = "") -> str:
    return (
        '<!DOCTYPE html><html lang="de"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} – PlanSo-Sandkasten</title><style>{_STYLE}</style></head>"
        f'<body data-version="{version}"{attributes}><header><h1>{escape(title)}</h1><p>{escape(intro)}</p></header>'
        f"{body}</body></html>"
    )
