"""The parts table of an order, native or plain (protocol, section 4)."""

import random
from collections.abc import Callable

from planso_connector.sandbox.installation import Installation
from planso_connector.sandbox.orders import Order, Part
from planso_connector.sandbox.php import escape

Column = tuple[str, Callable[[Part], str]]
_BOXES: tuple[tuple[str, str, Callable[[Part], bool]], ...] = (
    ("order_parts", "zu bestellen", lambda part: part.to_order),
    ("bestellt", "bestellt", lambda part: part.ordered),
    ("delivered", "geliefert", lambda part: part.delivered),
    ("ruckstand", "Rückstand", lambda part: part.backorder),
    ("mandatory", "Pflicht", lambda part: part.mandatory),
    ("price_checked", "Preis geprüft", lambda part: part.price_checked),
)
_TABLE_CLASSES = ("parts_table", "rsp_parts_table", "psrs_parts_table")


def parts_html(installation: Installation, order: Order | None, plate: str, make: str, vin: str, badge: str) -> str:
    """The page for one order; an unknown order has an empty table. `badge` is its parts status in words."""
    parts = order.parts if order else []
    native = installation.parts_markup == "native"
    columns = _native_columns() if native else _plain_columns()
    if installation.column_order:
        random.Random(installation.column_order).shuffle(columns)
    head = "".join(f"<th>{escape(title)}</th>" for title, _ in columns)
    rows = "\n".join(_row(part, columns, native=native) for part in parts)
    if native:
        kind = _TABLE_CLASSES[order.id % 3] if order else _TABLE_CLASSES[0]
        table = (
            f'<table class="table {kind}" data-vin="{escape(vin)}" data-make="{escape(make)}" '
            f'data-number_plate="{escape(plate)}" data-pnum="{order.id if order else ""}">'
        )
    else:
        table = '<table class="table table-striped">'
    status = _badge(order, badge) if order else ""
    return (
        f'<div class="parts_wrapper">{status}{table}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _badge(order: Order, badge: str) -> str:
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


def _row(part: Part, columns: list[Column], *, native: bool) -> str:
    cells = "".join(cell(part) for _, cell in columns)
    if not native:
        return f"<tr>{cells}</tr>"
    return (
        f'<tr class="parts_single_row" data-id="{part.row_id}" data-partid="{part.part_id}" '
        f'data-status="{escape(part.status_code)}">{cells}</tr>'
    )


def _native_columns() -> list[Column]:
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


def _plain_columns() -> list[Column]:
    return [
        ("Teile-Nr.", lambda part: f"<td>{escape(part.number)}</td>"),
        ("Bezeichnung", lambda part: f"<td>{escape(part.description)}</td>"),
        ("Menge", lambda part: f"<td>{escape(part.quantity)}</td>"),
        ("Status", lambda part: f"<td>{escape(part.status)}</td>"),
        ("Geliefert", lambda part: f"<td>{escape(part.delivered_on or '-')}</td>"),
        ("Liefertermin", lambda part: f"<td>{escape(part.expected_on or '-')}</td>"),
    ]


def _number_cell(part: Part) -> str:
    if part.row_id % 4 == 0:
        return f"<td>{escape(part.number)}</td>"
    return f'<td data-prtnumber="{escape(part.number)}">{escape(part.number[:6])}…</td>'


def _date_cell(part: Part) -> str:
    """One title is a delivery date, two are order and delivery date; a part only ordered has a dash for the second."""
    first, second = escape(part.ordered_on or "-"), escape(part.delivered_on or "-")
    if not (part.ordered_on or part.delivered_on):
        return "<td>-</td>" if part.date_style == "dash" else "<td></td>"
    if not part.ordered_on:
        return f'<td><span title="{second}">{second}</span></td>'
    gap = {"array": " / Array", "spaces": "&nbsp;/&nbsp;"}.get(part.date_style, " / ")
    return f'<td><span title="{first}">{first}</span>{gap}<span title="{second}">{second}</span></td>'


def _boxes_cell(part: Part) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" class="spare_part_status" data-action="{action}"'
        f"{' checked' if is_set(part) else ''}> {title}</label>"
        for action, title, is_set in _BOXES
    )
    return f'<td class="spare_part_boxes">{boxes}</td>'
