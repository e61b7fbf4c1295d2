"""
The parts page of an order, read: PlanSo's own tables and plain ones, columns by their header. Pure.

Source: the PlanSo protocol's section 4.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from selectolax.lexbor import LexborNode

from planso_connector.domain.errors import PageChanged
from planso_connector.domain.fields import BY_PATH
from planso_connector.domain.folding import fold
from planso_connector.domain.order import PartsReading
from planso_connector.domain.part import MAX_DESCRIPTION_LENGTH, MAX_MEMBER_LENGTH, Part
from planso_connector.domain.progress.status_phrases import says_any
from planso_connector.planso.pages.answer_pages import find_pages, unescape_page
from planso_connector.planso.pages.html_parser import parse_html
from planso_connector.planso.pages.part_cells import (
    is_inside,
    parse_number,
    parse_quantity,
    read_cell_text,
    read_number_texts,
    read_visible_text,
    text_or_none,
)
from planso_connector.planso.pages.part_columns import find_columns, is_parts_table
from planso_connector.planso.pages.part_dates import DateRole, PartDates, read_date, read_dates
from planso_connector.planso.pages.text import label_key
from planso_connector.planso.profile import PartsVocabulary

_ROW = "parts_single_row"
_STATUS_BUTTON = "rsvgp_status_dropdown"
_SUMS = frozenset({"table-striped", "table-bordered"})
_TOTALS = frozenset(
    {"gesamt", "gesamtpreis", "gesamtsumme", "gesamtbetrag", "summe", "zwischensumme", "total", "sum", "subtotal"}
)
_PLACEHOLDERS = frozenset({"status", "teilestatus", "eteilestatus", "auswahlen", "auswählen", "wählen"})

_FLAGS = {
    "order_parts": "is_to_order",
    "bestellt": "is_ordered",
    "delivered": "is_delivered",
    "ruckstand": "is_backorder",
    "rueckstand": "is_backorder",
    "mandatory": "is_mandatory",
    "price_checked": "is_price_checked",
}
"""By the `data-action` of a check box, else by its class."""
_STATES = ("is_to_order", "is_ordered", "is_delivered", "is_backorder")
_NOT_THERE_YET = re.compile(
    r"\?|\b(teilweise|teils|zum teil|partial\w*|partly|unvollst\w*|wird|werden|soll\w*|kann|voraussichtlich|falsch)\b"
)
"""With these, `geliefert` is not said of the part as a whole, not yet, or not of the right one."""

_MARKS = {
    "description": "for_parts_edit",
    "part_no": "teile_nr_fields",
    "price_each": "rsp_price_for_parts",
    "qty": "rsp_menge_for_parts",
    "price_total": "rsp_parts_total_price",
    "order_no": "parts_project_num_td",
    "dates": "rsvgp_bestelldate_td",
}
"""The classes by which the cells of a second installation are known, or what stands in them."""


def parse_parts(answer: Mapping[str, Any], words: PartsVocabulary, order_id: int) -> PartsReading:
    """
    The parts in PlanSo's JSON answer `{"html": ..., "js": ...}`, of all its pages. A page without a table has no parts;
    one that says so in words counts as one with a table.

    Raises PageChanged for an answer without `html`.
    """
    pages = find_pages(answer)
    if pages is None:
        raise PageChanged(f"the parts of order {order_id}: the answer has no html")
    content = "\n".join(map(unescape_page, pages))
    root = parse_html(content).root if content.strip() else None
    if root is None:
        return PartsReading((), has_table=False)
    says_none = _says_none(read_visible_text(root), words)
    tables = list(_tables(root, words, says_none=says_none))
    native = [table for table in tables if table.is_native]
    too_long: set[str] = set()
    parts = [_part(row, table, words, order_id, too_long) for table in native or tables for row in table.rows]
    found = tuple(part for part in parts if part is not None)
    status = _order_status(root, {table.node for table in tables})
    if status is not None and len(status) > BY_PATH["parts_status"].max_length:
        status = None
        too_long.add("parts_status")
    return PartsReading(found, status, has_table=bool(tables) or says_none, too_long=frozenset(too_long))


@dataclass(frozen=True)
class _Table:
    node: int
    is_native: bool
    columns: Mapping[str, int]
    width: int
    rows: list[LexborNode]


def _tables(root: LexborNode, words: PartsVocabulary, *, says_none: bool) -> Iterator[_Table]:
    """The parts tables in the page's order; on a page that says that it has no parts, a plain one is likely of sums."""
    before: _Table | None = None
    for node in root.css("table"):
        rows = [row for row in node.css("tr") if _table_of(row) == node.mem_id]
        classes = set((node.attributes.get("class") or "").split())
        single = [row for row in rows if _ROW in (row.attributes.get("class") or "").split()]
        header = _header(rows, words)
        columns: Mapping[str, int] = find_columns(_cells(header), words) if header is not None else {}
        width = sum(1 for _ in _cells(header)) if header is not None else 0
        is_plain = is_parts_table(columns, is_like_sums=says_none or classes >= _SUMS)
        if single or classes & set(words.table_classes):
            body = single if single or not is_plain else _body(rows, header)
            if not columns and before is not None and _width(body) == _width(before.rows):
                columns = before.columns  # a further table without a header of its own
            before = _Table(node.mem_id, is_native=True, columns=columns, width=0 if single else width, rows=body)
            yield before
        elif is_plain:
            yield _Table(node.mem_id, is_native=False, columns=columns, width=width, rows=_body(rows, header))


def _width(rows: list[LexborNode]) -> int:
    return sum(1 for _ in _cells(rows[0])) if rows else 0


def _table_of(row: LexborNode) -> int | None:
    node = row.parent
    while node is not None and node.tag != "table":
        node = node.parent
    return node.mem_id if node is not None else None


def _body(rows: list[LexborNode], header: LexborNode | None) -> list[LexborNode]:
    """The rows below the header that are neither head nor foot."""
    start = next((at + 1 for at, row in enumerate(rows) if header is not None and row.mem_id == header.mem_id), 0)
    return [row for row in rows[start:] if row.parent is None or row.parent.tag not in ("thead", "tfoot")]


def _header(rows: list[LexborNode], words: PartsVocabulary) -> LexborNode | None:
    """The head's row that names most columns, else the first row of the table that is no part."""
    head = [row for row in rows if row.parent is not None and row.parent.tag == "thead"]
    rest = [row for row in rows if _ROW not in (row.attributes.get("class") or "").split()]
    candidates = head or [row for row in rest if next(_cells(row), None) is not None][:1]
    if len(candidates) < 2:
        return next(iter(candidates), None)
    return max(candidates, key=lambda row: len(find_columns(_cells(row), words)))


def _cells(row: LexborNode) -> Iterator[tuple[int, LexborNode]]:
    """The cells of a row with their columns, those that span several counted."""
    column = 0
    for cell in row.iter():
        if cell.tag in ("td", "th"):
            yield column, cell
            span = cell.attributes.get("colspan") or ""
            column += int(span) if re.fullmatch(r"[1-9]\d{0,2}", span) else 1


def _part(row: LexborNode, table: _Table, words: PartsVocabulary, order_id: int, too_long: set[str]) -> Part | None:
    """
    None for a row that holds no part: without cells, one cell across a plain table, a total, a template. `too_long`
    takes the names of members of which there is more than is kept.
    """
    by_column = dict(_cells(row))
    if not by_column or (table.width > 1 and len(by_column) == 1):
        return None
    cells = _named_cells(row, by_column, table.columns)
    texts = {name: read_cell_text(cell) for name, cell in cells.items()}
    number = _part_number(row, cells.get("part_no"), texts.get("part_no"))
    attributes = row.attributes
    is_nameless = not number and not texts.get("description")
    if is_nameless and (table.width or not text_or_none(attributes.get("data-id"))):
        return None
    if table.width and _is_total(by_column):
        return None
    if not number and _says_none(texts.get("description") or "", words):
        return None

    def kept(name: str, text: str | None, at_most: int = MAX_MEMBER_LENGTH) -> str | None:
        if text is None or len(text) <= at_most:
            return text
        too_long.add(name)
        return None

    status = kept("status", _status(row, cells.get("status"), texts.get("status")))
    dates = _dates(cells)
    prices = read_number_texts(cells.get("price_each")), read_number_texts(cells.get("price_total"))
    each, total = parse_number(prices[0]), parse_number(prices[1])
    return Part(
        order_id=order_id,
        part_no=kept("part_no", number),
        description=kept("description", texts.get("description"), MAX_DESCRIPTION_LENGTH),
        lead_no=kept("lead_no", texts.get("lead_no")),
        order_no=kept("order_no", texts.get("order_no")),
        row_id=kept("row_id", text_or_none(attributes.get("data-id"))),
        part_id=kept("part_id", text_or_none(attributes.get("data-partid"))),
        qty=parse_quantity(read_number_texts(cells.get("qty")), each, total, " ".join((*prices[0], *prices[1]))),
        price_each=each,
        price_total=total,
        status=status,
        status_code=kept("status_code", text_or_none(attributes.get("data-status"))),
        order_date=dates.ordered,
        delivery_date=dates.delivered,
        eta_date=read_date(cells.get("eta_date")),
        **_flags(row, status or "", words),
    )


def _named_cells(
    row: LexborNode, by_column: Mapping[int, LexborNode], columns: Mapping[str, int]
) -> dict[str, LexborNode]:
    """
    By name what holds it: the cell below the header, within it what bears the class of its kind. A class that stands
    once in the row, and elsewhere, wins over the header: the row's cells are shifted.
    """
    cells = {name: by_column[column] for name, column in columns.items() if column in by_column}
    for name, mark in _MARKS.items():
        marked = row.css(f".{mark}")
        cell = cells.get(name)
        inside = [node for node in marked if cell is not None and is_inside(node, cell)]
        if name == "dates":
            if cell is None and len(marked) == 1:
                cells[name] = _cell_of(marked[0], by_column.values()) or marked[0]
        elif len(inside) == 1 and read_cell_text(inside[0]) is not None:
            cells[name] = inside[0]
        elif not inside and len(marked) == 1:
            cells[name] = marked[0]
    return cells


def _cell_of(node: LexborNode, cells: Collection[LexborNode]) -> LexborNode | None:
    return next((cell for cell in cells if is_inside(node, cell)), None)


def _is_total(by_column: Mapping[int, LexborNode]) -> bool:
    """Whether the first cell that holds something is called a total: `Summe`, `Gesamtpreis:`, `Gesamt (netto)`."""
    first = fold(next(filter(None, map(read_cell_text, by_column.values())), ""))
    return re.split(r"[^a-z]", first, maxsplit=1)[0] in _TOTALS


def _says_none(text: str, words: PartsVocabulary) -> bool:
    key = label_key(text)
    return any(label_key(phrase) in key for phrase in words.no_parts)


def _dates(cells: Mapping[str, LexborNode]) -> PartDates:
    """Of a column for both, and of columns for one of them, which win."""
    both = read_dates(cells.get("dates"))
    ordered = read_dates(cells.get("order_date"), DateRole.ORDER)
    delivered = read_dates(cells.get("delivery_date"))
    return PartDates(
        ordered.ordered or both.ordered or delivered.ordered, delivered.delivered or both.delivered or ordered.delivered
    )


def _part_number(row: LexborNode, cell: LexborNode | None, text: str | None) -> str | None:
    marked = [cell] if cell is not None else []
    marked += (cell or row).css("[data-prtnumber]")
    for node in marked:
        number = text_or_none(node.attributes.get("data-prtnumber"))
        if number is not None:
            return number
    return text


def _status(row: LexborNode, cell: LexborNode | None, text: str | None) -> str | None:
    """The status in words; a column of check boxes has none."""
    main = row.css_first(".spare_part_main_status")
    for node in main.css("i, [title]") if main is not None else ():
        title = text_or_none(node.attributes.get("title") or node.attributes.get("data-original-title"))
        if title is not None:
            return title
    words = None
    if main is not None:
        shown = read_cell_text(main) if main.css_first("input[type=checkbox]") is None else None
        words = shown
    if words is None and cell is not None and cell.css_first("input[type=checkbox]") is None:
        return text
    return words


def _flags(row: LexborNode, status: str, words: PartsVocabulary) -> dict[str, bool]:
    """
    By the row's check boxes. Of a row that has none for the part's state, such as one for the price alone, the status
    in words says the state.
    """
    ticked: dict[str, bool] = {}
    for box in row.css("input"):
        attributes = box.attributes
        action = (attributes.get("data-action") or "").strip()
        if not action and (attributes.get("type") or "").lower() not in ("checkbox", "radio"):
            continue
        known = [action, *(attributes.get("class") or "").split()]
        name = next((_FLAGS[word] for word in map(fold, known) if word in _FLAGS), None)
        if name is not None:
            ticked[name] = ticked.get(name, False) or "checked" in attributes
    flags = dict.fromkeys(_FLAGS.values(), False) | ticked
    if ticked.keys().isdisjoint(_STATES):
        flags |= _states_in_words(status, words)
    return flags


def _states_in_words(status: str, words: PartsVocabulary) -> dict[str, bool]:
    """`nicht geliefert`, `teilweise geliefert` and `wird geliefert` do not say delivered."""
    said = {name: says_any(status, phrases) for name, phrases in words.status_words.items()}
    is_sure = _NOT_THERE_YET.search(fold(status)) is None
    return {
        "is_to_order": said["to_order"],
        "is_ordered": said["ordered"],
        "is_delivered": said["delivered"] and is_sure,
        "is_backorder": said["backorder"],
    }


def _order_status(root: LexborNode, tables: Collection[int]) -> str | None:
    """The order's parts status in words: the status button's text, else the selected option of a status select."""
    for button in root.css(f".{_STATUS_BUTTON}, #{_STATUS_BUTTON}"):
        if button.tag in ("select", "ul") or _is_in(button, tables):
            continue
        inner = button.css_first("button") if button.tag != "button" else None
        words = _status_words(read_cell_text(inner or button))
        if words is not None:
            return words
    for select in root.css("select"):
        told = f"{select.attributes.get('class') or ''} {select.attributes.get('name') or ''} {select.id or ''}"
        chosen = select.css("option[selected]")[-1:]
        if "status" not in told.casefold() or not chosen or _is_in(select, tables):
            continue
        words = _status_words(chosen[0].text())
        if words is not None and (chosen[0].attributes.get("value", words) or "") not in ("", "0"):
            return words
    return None


def _status_words(text: str | None) -> str | None:
    """None for what only asks for a status."""
    words = text_or_none(text)
    key = label_key(words or "")
    return None if key in _PLACEHOLDERS or key.startswith(("bitte", "statusw", "statusausw", "statusänd")) else words


def _is_in(node: LexborNode, tables: Collection[int]) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.mem_id in tables:
            return True
        parent = parent.parent
    return False
