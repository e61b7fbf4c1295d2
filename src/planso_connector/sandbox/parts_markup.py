"""Render the parts tables of an order (protocol, section 4)."""

import random
from collections.abc import Callable

from planso_connector.sandbox.installation import Installation
from planso_connector.sandbox.orders import SandboxOrder, SandboxPart
from planso_connector.sandbox.php import escape

PartsColumn = tuple[str, Callable[[SandboxPart], str]]
_BOXES: tuple[tuple[str, str, Callable[[SandboxPart], bool]], ...] = (
    ("order_parts", "zu bestellen", lambda part: part.to_order),
    ("bestellt", "bestellt", lambda part: part.ordered),
    ("delivered", "geliefert", lambda part: part.delivered),
    ("ruckstand", "Rückstand", lambda part: part.backorder),
    ("mandatory", "Pflicht", lambda part: part.mandatory),
    ("price_checked", "Preis geprüft", lambda part: part.price_checked),
)
_TABLE_CLASSES = ("parts_table", "rsp_parts_table", "psrs_parts_table")


def render_parts(
    installation: Installation, order: SandboxOrder | None, plate: str, make: str, vin: str, badge: str
) -> str:
    """The parts page; an unknown order has an empty table. `badge`: the parts status in words."""
    status = _badge(order, badge) if order else ""
    parts = order.parts if order else []
    columns = _COLUMNS[installation.parts_markup]()
    if installation.column_order:
        random.Random(installation.column_order).shuffle(columns)
    if installation.parts_markup == "plain":
        tables = _table('<table class="table table-striped">', columns, parts, native=False)
    else:
        kind = _TABLE_CLASSES[order.id % 3] if order else _TABLE_CLASSES[0]
        start = (
            f'<table class="table {kind}" data-vin="{escape(vin)}" data-make="{escape(make)}" '
            f'data-number_plate="{escape(plate)}" data-pnum="{order.id if order else ""}">'
        )
        # A second installation has a table for each calculation, and none for an order without parts.
        groups = [parts[index : index + 3] for index in range(0, len(parts), 3)]
        shown = groups if installation.parts_markup == "second" else [parts]
        tables = "".join(_table(start, columns, group, native=True) for group in shown)
        if installation.parts_markup == "second":
            tables += ("" if parts else "<p>Keine Ersatzteile bekannt</p>") + _sums(order)
    return f'<div class="parts_wrapper">{status}{tables}</div>'


def _table(start: str, columns: list[PartsColumn], parts: list[SandboxPart], *, native: bool) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title, _ in columns)
    rows = "\n".join(_row(part, columns, native=native) for part in parts)
    return f"{start}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _sums(order: SandboxOrder | None) -> str:
    """The table of sums, the total last."""
    prices = [part.price_total.replace(".", "").replace(",", ".") for part in order.parts] if order else []
    total = f"{sum(map(float, prices)):.2f}".replace(".", ",")
    return (
        '<table class="table table-striped table-bordered"><thead><tr><th>Auftragsnummer</th><th>Ersatzteile Summe</th>'
        f"</tr></thead><tbody><tr><td>{order.id if order else ''}</td><td>{total} €</td></tr>"
        f"<tr><td>Gesamtpreis</td><td><b>{total} €</b></td></tr></tbody></table>"
    )


def _badge(order: SandboxOrder, badge: str) -> str:
    text = escape(badge)
    if order.parts_badge == "button" and badge:
        return (
            f'<button class="btn btn-default rsvgp_status_dropdown" type="button">{text} <i class="caret"></i></button>'
        )
    if order.parts_badge == "select" and badge:
        return (
            f'<select class="rsvgp_status"><option value="">bitte wählen</option>'
            f'<option value="7" selected="selected">{text}</option></select>'
        )
    return ""


def _row(part: SandboxPart, columns: list[PartsColumn], *, native: bool) -> str:
    cells = "".join(cell(part) for _, cell in columns)
    if not native:
        return f"<tr>{cells}</tr>"
    return (
        f'<tr class="parts_single_row" data-id="{part.row_id}" data-partid="{part.part_id}" '
        f'data-status="{escape(part.status_code)}">{cells}</tr>'
    )


def _native_columns() -> list[PartsColumn]:
    return [
        ("", lambda part: f'<td class="spare_part_main_status"><i class="fa" title="{escape(part.status)}"></i></td>'),
        ("Teil", lambda part: f"<td>{escape(part.description)}</td>"),
        ("Teile Nr", _number_cell),
        ("Leit Nr", lambda part: f"<td>{escape(part.lead)}</td>"),
        ("E.Preis", lambda part: f"<td>{escape(part.price_each)}&nbsp;€</td>"),
        ("Menge", lambda part: f"<td>{escape(part.quantity)}</td>"),
        ("G.Preis", lambda part: f"<td>{escape(part.price_total)}&nbsp;€</td>"),
        ("Datum", _date_cell),
        ("A.Nummer", lambda part: f"<td>{escape(part.supplier_order)}</td>"),
        ("Status", _boxes_cell),
    ]


def _plain_columns() -> list[PartsColumn]:
    return [
        ("Teile-Nr.", lambda part: f"<td>{escape(part.number)}</td>"),
        ("Bezeichnung", lambda part: f"<td>{escape(part.description)}</td>"),
        ("Menge", lambda part: f"<td>{escape(part.quantity)}</td>"),
        ("Status", lambda part: f"<td>{escape(part.status)}</td>"),
        ("Geliefert", lambda part: f"<td>{escape(part.delivered_on or '-')}</td>"),
        ("Liefertermin", lambda part: f"<td>{escape(part.expected_on or '-')}</td>"),
    ]


def _number_cell(part: SandboxPart) -> str:
    if part.row_id % 4 == 0:
        return f"<td>{escape(part.number)}</td>"
    return f'<td data-prtnumber="{escape(part.number)}">{escape(part.number[:6])}…</td>'


def _date_cell(part: SandboxPart) -> str:
    """One title is the delivery date, two are order and delivery date, with a dash for none."""
    first, second = escape(part.ordered_on or "-"), escape(part.delivered_on or "-")
    if not (part.ordered_on or part.delivered_on):
        return "<td>-</td>" if part.date_style == "dash" else "<td></td>"
    if not part.ordered_on:
        return f'<td><span title="{second}">{second}</span></td>'
    gap = {"array": " / Array", "spaces": "&nbsp;/&nbsp;"}.get(part.date_style, " / ")
    return f'<td><span title="{first}">{first}</span>{gap}<span title="{second}">{second}</span></td>'


def _boxes_cell(part: SandboxPart) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" class="spare_part_status" data-action="{action}"'
        f"{' checked' if is_set(part) else ''}> {title}</label>"
        for action, title, is_set in _BOXES
    )
    return f'<td class="spare_part_boxes">{boxes}</td>'


def _second_columns() -> list[PartsColumn]:
    """The columns of a second installation, with the boxes beside the status."""
    return [
        ("", _second_status_cell),
        (
            "Teil",
            lambda part: f'<td class="for_parts_edit">{escape(part.description)} <button>Bearbeiten</button></td>',
        ),
        (
            "Teile Nr",
            lambda part: (
                f'<td class="teile_nr_fields" data-prtnumber="{escape(part.number)}">{escape(part.number)}</td>'
            ),
        ),
        ("Leit Nr", lambda part: f"<td>{escape(part.lead)}</td>"),
        ("E.Preis", lambda part: f'<td><span class="rsp_price_for_parts">{escape(part.price_each)}</span>&nbsp;€</td>'),
        ("Menge", lambda part: f'<td><span class="rsp_menge_for_parts">{escape(part.quantity)}</span></td>'),
        ("G.Preis", lambda part: f'<td class="rsp_parts_total_price">{escape(part.price_total)}&nbsp;€</td>'),
        ("Bestelldatum /\nLieferdatum", _second_date_cell),
        ("A.Nummer", lambda part: f'<td class="parts_project_num_td">{escape(part.supplier_order)}</td>'),
    ]


def _second_status_cell(part: SandboxPart) -> str:
    """Boxes whose action is a class."""
    boxes = "".join(
        f'<input type="checkbox" class="{action} spare_part_status"{" checked" if is_set(part) else ""}>'
        for action, _, is_set in _BOXES
    )
    return f'<td class="spare_part_main_status"><i class="fa" title="{escape(part.status)}"></i>{boxes}</td>'


def _second_date_cell(part: SandboxPart) -> str:
    """`<order date> / <delivery date>` in each way that section 4 names."""
    ordered, delivered = escape(part.ordered_on), escape(part.delivered_on)
    style = part.row_id % 5
    if style == 0 and ordered and not delivered:
        return f'<td><span class="rsvgp_bestelldate_td" title="{ordered}">{ordered}</span></td>'
    if style == 1:
        return f"<td>{ordered or '-'}&nbsp;/&nbsp;{delivered or '-'}</td>"
    if style == 2:
        first = f'<span title="Bestellt am {ordered}">{ordered[:6]}</span>' if ordered else "Array"
        second = f'<span title="geliefert am {delivered}">{delivered[:6]}</span>' if delivered else "-"
        return f"<td>{first} / {second}</td>"
    if style == 3:
        return f'<td><span title="Werkstatt">{ordered or "-"}</span> / <span title="">{delivered or "-"}</span></td>'
    first = f'<span class="rsvgp_bestelldate_td" title="{ordered}">{ordered}</span>' if ordered else "-"
    return f"<td>{first} / " + (f'<span title="{delivered}">{delivered}</span>' if delivered else "-") + "</td>"


_COLUMNS: dict[str, Callable[[], list[PartsColumn]]] = {
    "native": _native_columns,
    "second": _second_columns,
    "plain": _plain_columns,
}
