"""
Parse the parts page of an order: PlanSo's own tables and plain ones, columns by their header. Source: the PlanSo
protocol's section 4.
"""

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
from planso_connector.domain.phrase_search import contains_any_phrase
from planso_connector.planso.pages.answer_pages import find_pages, unescape_page
from planso_connector.planso.pages.html_parser import parse_html
from planso_connector.planso.pages.nodes import find_ancestor, iterate_ancestors, iterate_cells, list_classes
from planso_connector.planso.pages.part_cells import (
    parse_number,
    parse_quantity,
    read_cell_text,
    read_number_texts,
    read_visible_text,
    text_or_none,
)
from planso_connector.planso.pages.part_columns import find_columns, is_parts_table
from planso_connector.planso.pages.part_dates import DateRole, PartDates, read_date, read_dates
from planso_connector.planso.pages.text import label_key, name_set
from planso_connector.planso.profile import PartsVocabulary

_ROW_CLASS = "parts_single_row"
_STATUS_BUTTON = "rsvgp_status_dropdown"
_SUMS_CLASSES = frozenset({"table-striped", "table-bordered"})
_TOTALS = name_set("gesamt gesamtpreis gesamtsumme gesamtbetrag summe zwischensumme total sum subtotal")
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
_NOT_YET = re.compile(
    r"\?|\b(teilweise|teils|zum teil|partial\w*|partly|unvollst\w*|wird|werden|soll\w*|kann|voraussichtlich|falsch)\b"
)
"""With these, `geliefert` is not said of the part as a whole, not yet, or not of the right one."""

_CELL_CLASSES = {
    "description": "for_parts_edit",
    "part_no": "teile_nr_fields",
    "price_each": "rsp_price_for_parts",
    "qty": "rsp_menge_for_parts",
    "price_total": "rsp_parts_total_price",
    "order_no": "parts_project_num_td",
    "dates": "rsvgp_bestelldate_td",
}
"""The classes of a second installation's cells, or of their content."""


def parse_parts(answer: Mapping[str, Any], words: PartsVocabulary, order_id: int) -> PartsReading:
    """
    Parse the parts in PlanSo's JSON answer `{"html": ..., "js": ...}`, of all its pages. A page without a table has no
    parts; one that says so in words counts as one with a table. Raises PageChanged for an answer without `html`.
    """
    pages = find_pages(answer)
    if pages is None:
        raise PageChanged(f"the parts of order {order_id}: the answer has no html")
    content = "\n".join(map(unescape_page, pages))
    root = parse_html(content).root if content.strip() else None
    if root is None:
        return PartsReading((), has_table=False)
    says_none = _says_none(read_visible_text(root), words)
    tables = list(_find_tables(root, words, says_none=says_none))
    native = [table for table in tables if table.is_native]
    too_long: set[str] = set()
    parts = [_parse_part(row, table, words, order_id, too_long) for table in native or tables for row in table.rows]
    status = _find_order_status(root, {table.node for table in tables})
    if status is not None and len(status) > BY_PATH["parts_status"].max_length:
        status = None
        too_long.add("parts_status")
    found = tuple(part for part in parts if part is not None)
    return PartsReading(found, status, has_table=bool(tables) or says_none, too_long=frozenset(too_long))


# Tables --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Table:
    """`width`: how many cells the header has; 0 without a header, and for rows that are marked as parts."""

    node: int
    is_native: bool
    columns: Mapping[str, int]
    width: int
    rows: list[LexborNode]


def _find_tables(root: LexborNode, words: PartsVocabulary, *, says_none: bool) -> Iterator[_Table]:
    """The parts tables in document order; on a page that says it has no parts, a plain table is likely one of sums."""
    previous: _Table | None = None
    for node in root.css("table"):
        rows = [row for row in node.css("tr") if _find_table_id(row) == node.mem_id]
        classes = set(list_classes(node))
        marked = [row for row in rows if _ROW_CLASS in list_classes(row)]
        header = _find_header(rows, words)
        columns: Mapping[str, int] = find_columns(_cells(header), words) if header is not None else {}
        width = _count_cells([header]) if header is not None else 0
        is_plain = is_parts_table(columns, is_like_sums=says_none or classes >= _SUMS_CLASSES)
        if marked or classes & set(words.table_classes):
            body = marked if marked or not is_plain else _find_body(rows, header)
            if not columns and previous is not None and _count_cells(body) == _count_cells(previous.rows):
                columns = previous.columns  # a further table without a header of its own
            previous = _Table(node.mem_id, is_native=True, columns=columns, width=0 if marked else width, rows=body)
            yield previous
        elif is_plain:
            body = _find_body(rows, header)
            yield _Table(node.mem_id, is_native=False, columns=columns, width=width, rows=body)


def _find_table_id(row: LexborNode) -> int | None:
    return next((ancestor.mem_id for ancestor in iterate_ancestors(row) if ancestor.tag == "table"), None)


def _cells(row: LexborNode) -> Iterator[tuple[int, LexborNode]]:
    return ((column, cell) for column, _, cell in iterate_cells(row))


def _count_cells(rows: list[LexborNode]) -> int:
    """The cells of the first row."""
    return sum(1 for _ in _cells(rows[0])) if rows else 0


def _find_body(rows: list[LexborNode], header: LexborNode | None) -> list[LexborNode]:
    """The rows below the header that are neither head nor foot."""
    start = next((index for index, row in enumerate(rows, 1) if header is not None and row.mem_id == header.mem_id), 0)
    return [row for row in rows[start:] if row.parent is None or row.parent.tag not in ("thead", "tfoot")]


def _find_header(rows: list[LexborNode], words: PartsVocabulary) -> LexborNode | None:
    """The head's row that names most columns, else the first row of the table that is no part."""
    head = [row for row in rows if row.parent is not None and row.parent.tag == "thead"]
    others = (row for row in rows if _ROW_CLASS not in list_classes(row) and _count_cells([row]))
    candidates = head or [row for row in [next(others, None)] if row is not None]
    if len(candidates) < 2:
        return next(iter(candidates), None)
    return max(candidates, key=lambda row: len(find_columns(_cells(row), words)))


# Rows ----------------------------------------------------------------------------------------------------------------


def _parse_part(
    row: LexborNode, table: _Table, words: PartsVocabulary, order_id: int, too_long: set[str]
) -> Part | None:
    """
    None for a row that holds no part: without cells, one cell across a plain table, a total, a template. Adds the names
    of members that are longer than what is stored to `too_long`.
    """
    by_column = dict(_cells(row))
    if not by_column or (table.width > 1 and len(by_column) == 1):
        return None
    cells = _name_cells(row, by_column, table.columns)
    texts = {name: read_cell_text(cell) for name, cell in cells.items()}
    number = _find_part_number(row, cells.get("part_no"), texts.get("part_no"))
    attributes = row.attributes
    is_nameless = not number and not texts.get("description")
    if is_nameless and (table.width or not text_or_none(attributes.get("data-id"))):
        return None
    if table.width and _is_total(by_column):
        return None
    if not number and _says_none(texts.get("description") or "", words):
        return None

    def limit(name: str, text: str | None, max_length: int = MAX_MEMBER_LENGTH) -> str | None:
        if text is None or len(text) <= max_length:
            return text
        too_long.add(name)
        return None

    status = limit("status", _find_status(row, cells.get("status"), texts.get("status")))
    dates = _read_all_dates(cells)
    price_texts = read_number_texts(cells.get("price_each")), read_number_texts(cells.get("price_total"))
    each, total = map(parse_number, price_texts)
    return Part(
        order_id=order_id,
        part_no=limit("part_no", number),
        description=limit("description", texts.get("description"), MAX_DESCRIPTION_LENGTH),
        lead_no=limit("lead_no", texts.get("lead_no")),
        order_no=limit("order_no", texts.get("order_no")),
        row_id=limit("row_id", text_or_none(attributes.get("data-id"))),
        part_id=limit("part_id", text_or_none(attributes.get("data-partid"))),
        qty=parse_quantity(
            read_number_texts(cells.get("qty")), each, total, " ".join((*price_texts[0], *price_texts[1]))
        ),
        price_each=each,
        price_total=total,
        status=status,
        status_code=limit("status_code", text_or_none(attributes.get("data-status"))),
        order_date=dates.ordered,
        delivery_date=dates.delivered,
        eta_date=read_date(cells.get("eta_date")),
        **_read_flags(row, status or "", words),
    )


def _name_cells(
    row: LexborNode, by_column: Mapping[int, LexborNode], columns: Mapping[str, int]
) -> dict[str, LexborNode]:
    """
    By name what holds it: the cell below the header, within it what has the class of its kind. A class that occurs once
    in the row, and elsewhere, wins over the header: the row's cells are shifted.
    """
    cells = {name: by_column[column] for name, column in columns.items() if column in by_column}
    cell_ids = {cell.mem_id for cell in by_column.values()}
    for name, cell_class in _CELL_CLASSES.items():
        marked = row.css(f".{cell_class}")
        cell = cells.get(name)
        inside = [node for node in marked if cell is not None and _find_in({cell.mem_id}, node) is not None]
        if name == "dates":
            if cell is None and len(marked) == 1:
                cells[name] = _find_in(cell_ids, marked[0]) or marked[0]
        elif len(inside) == 1 and read_cell_text(inside[0]) is not None:
            cells[name] = inside[0]
        elif not inside and len(marked) == 1:
            cells[name] = marked[0]
    return cells


def _find_in(ids: Collection[int], node: LexborNode) -> LexborNode | None:
    """The node, or its nearest ancestor, with one of these ids."""
    return node if node.mem_id in ids else find_ancestor(node, ids)


def _is_total(by_column: Mapping[int, LexborNode]) -> bool:
    """Whether the first cell that holds something is called a total: `Summe`, `Gesamtpreis:`, `Gesamt (netto)`."""
    first = fold(next(filter(None, map(read_cell_text, by_column.values())), ""))
    return re.split(r"[^a-z]", first, maxsplit=1)[0] in _TOTALS


def _says_none(text: str, words: PartsVocabulary) -> bool:
    key = label_key(text)
    return any(label_key(phrase) in key for phrase in words.no_parts)


def _read_all_dates(cells: Mapping[str, LexborNode]) -> PartDates:
    """Of a column for both, and of columns for one of them, which win."""
    both = read_dates(cells.get("dates"))
    ordered = read_dates(cells.get("order_date"), DateRole.ORDER)
    delivered = read_dates(cells.get("delivery_date"))
    return PartDates(
        ordered.ordered or both.ordered or delivered.ordered, delivered.delivered or both.delivered or ordered.delivered
    )


def _find_part_number(row: LexborNode, cell: LexborNode | None, text: str | None) -> str | None:
    """The whole number in `data-prtnumber`, which the cell's text may shorten; else that text."""
    nodes = [*([cell] if cell is not None else []), *(cell or row).css("[data-prtnumber]")]
    numbers = (text_or_none(node.attributes.get("data-prtnumber")) for node in nodes)
    return next((number for number in numbers if number is not None), text)


def _find_status(row: LexborNode, cell: LexborNode | None, text: str | None) -> str | None:
    """The status in words; a column of check boxes has none."""
    main = row.css_first(".spare_part_main_status")
    for node in main.css("i, [title]") if main is not None else ():
        title = text_or_none(node.attributes.get("title") or node.attributes.get("data-original-title"))
        if title is not None:
            return title
    shown = read_cell_text(main) if main is not None and not _has_check_box(main) else None
    return text if shown is None and cell is not None and not _has_check_box(cell) else shown


def _has_check_box(node: LexborNode) -> bool:
    return node.css_first("input[type=checkbox]") is not None


def _read_flags(row: LexborNode, status: str, words: PartsVocabulary) -> dict[str, bool]:
    """
    By the row's check boxes. Where none of them is for the part's state, as where one is for the price alone, the
    status in words decides.
    """
    ticked: dict[str, bool] = {}
    for box in row.css("input"):
        attributes = box.attributes
        action = (attributes.get("data-action") or "").strip()
        if not action and (attributes.get("type") or "").lower() not in ("checkbox", "radio"):
            continue
        name = next((_FLAGS[word] for word in map(fold, [action, *list_classes(box)]) if word in _FLAGS), None)
        if name is not None:
            ticked[name] = ticked.get(name, False) or "checked" in attributes
    flags = dict.fromkeys(_FLAGS.values(), False) | ticked
    return flags | _read_states(status, words) if ticked.keys().isdisjoint(_STATES) else flags


def _read_states(status: str, words: PartsVocabulary) -> dict[str, bool]:
    """`nicht geliefert`, `teilweise geliefert` and `wird geliefert` do not say delivered."""
    states = {name: contains_any_phrase(status, words.status_words[name.removeprefix("is_")]) for name in _STATES}
    states["is_delivered"] = states["is_delivered"] and _NOT_YET.search(fold(status)) is None
    return states


# The order's status --------------------------------------------------------------------------------------------------


def _find_order_status(root: LexborNode, tables: Collection[int]) -> str | None:
    """The order's parts status in words: the status button's text, else the selected option of a status select."""
    for button in root.css(f".{_STATUS_BUTTON}, #{_STATUS_BUTTON}"):
        if button.tag in ("select", "ul") or find_ancestor(button, tables) is not None:
            continue
        inner = button.css_first("button") if button.tag != "button" else None
        words = _status_words(read_cell_text(inner or button))
        if words is not None:
            return words
    for select in root.css("select"):
        names = f"{select.attributes.get('class') or ''} {select.attributes.get('name') or ''} {select.id or ''}"
        chosen = select.css("option[selected]")[-1:]
        if "status" not in names.casefold() or not chosen or find_ancestor(select, tables) is not None:
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
