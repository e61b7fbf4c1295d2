"""
The parts page of an order, read: PlanSo's own table and plain ones, columns by their header. Pure.

Source: the PlanSo protocol's section 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from planso_connector.domain import german
from planso_connector.domain.errors import PageChanged
from planso_connector.domain.fold import fold
from planso_connector.domain.order import PartsReading
from planso_connector.domain.part import Part
from planso_connector.planso.profile import PartsWords
from planso_connector.planso.words import collapsed, label_key, unescaped_once

_ROW = "parts_single_row"
_STATUS_BUTTON = "rsvgp_status_dropdown"
_NUMBER = re.compile(r"[^\d+-]{0,6}?([+-]?\d[\d.,'\s]*)\D{0,8}")
_DASHES = frozenset({"", "-", "–", "—", "--", "array"})
_WHOLE_WORDS = 3
"""Header words of up to so many letters must be the whole header: `ETA` is in `Details` too."""

_FLAGS = {
    "order_parts": "is_to_order",
    "bestellt": "is_ordered",
    "delivered": "is_delivered",
    "ruckstand": "is_backorder",
    "mandatory": "is_mandatory",
    "price_checked": "is_price_checked",
}


def parse_parts(answer: Mapping[str, Any], words: PartsWords, order_id: int) -> PartsReading:
    """
    The parts in PlanSo's JSON answer `{"html": ..., "js": ...}`. A page without a table has no parts.

    Raises PageChanged for an answer without `html`.
    """
    if "html" not in answer:
        raise PageChanged(f"the parts of order {order_id}: the answer has no html")
    content = answer["html"]
    root = LexborHTMLParser(unescaped_once(content)).root if isinstance(content, str) and content.strip() else None
    if root is None:
        return PartsReading((), has_table=False)
    tables = list(_tables(root, words))
    native = [table for table in tables if table.is_native]
    parts = [_part(row, table, words, order_id) for table in native or tables for row in table.rows]
    found = tuple(part for part in parts if part is not None)
    return PartsReading(found, _order_status(root), has_table=bool(tables))


@dataclass(frozen=True)
class _Table:
    is_native: bool
    columns: Mapping[str, int]
    width: int
    rows: list[LexborNode]


def _tables(root: LexborNode, words: PartsWords) -> Iterator[_Table]:
    for node in root.css("table"):
        rows = [row for row in node.css("tr") if _table_of(row) == node.mem_id]
        classes = set((node.attributes.get("class") or "").split())
        single = [row for row in rows if _ROW in (row.attributes.get("class") or "").split()]
        header = _header(rows, words)
        columns = _columns(header, words) if header is not None else {}
        width = sum(1 for _ in _cells(header)) if header is not None else 0
        if single or classes & set(words.table_classes):
            named = bool(single) or not _is_plain(columns)
            body = single if named else _body(rows, header)
            yield _Table(is_native=True, columns=columns, width=0 if single else width, rows=body)
        elif _is_plain(columns):
            yield _Table(is_native=False, columns=columns, width=width, rows=_body(rows, header))


def _is_plain(columns: Mapping[str, int]) -> bool:
    return len(columns) > 1 and bool({"part_no", "description"} & columns.keys())


def _table_of(row: LexborNode) -> int | None:
    node = row.parent
    while node is not None and node.tag != "table":
        node = node.parent
    return node.mem_id if node is not None else None


def _body(rows: list[LexborNode], header: LexborNode | None) -> list[LexborNode]:
    """The rows below the header that are neither head nor foot."""
    start = next((at + 1 for at, row in enumerate(rows) if header is not None and row.mem_id == header.mem_id), 0)
    return [row for row in rows[start:] if row.parent is None or row.parent.tag not in ("thead", "tfoot")]


def _header(rows: list[LexborNode], words: PartsWords) -> LexborNode | None:
    """The head's row that names most columns, else the first row of the table."""
    head = [row for row in rows if row.parent is not None and row.parent.tag == "thead"]
    candidates = head or [row for row in rows if next(_cells(row), None) is not None][:1]
    return max(candidates, key=lambda row: len(_columns(row, words)), default=None)


def _cells(row: LexborNode) -> Iterator[tuple[int, LexborNode]]:
    """The cells of a row with their columns, those that span several counted."""
    column = 0
    for cell in row.iter():
        if cell.tag in ("td", "th"):
            yield column, cell
            span = cell.attributes.get("colspan") or ""
            column += int(span) if re.fullmatch(r"[1-9]\d{0,2}", span) else 1


def _columns(header: LexborNode, words: PartsWords) -> dict[str, int]:
    """What each column is, by the longest word that its header contains; an exact header comes before a longer one."""
    found: dict[str, tuple[bool, int]] = {}
    for column, cell in _cells(header):
        key = label_key(cell.text(separator=" "))
        best: tuple[int, str] | None = None
        for name, headers in words.headers.items():
            for word in map(label_key, headers):
                fits = word == key if len(word) <= _WHOLE_WORDS else word in key
                if fits and (best is None or len(word) > best[0]):
                    best = (len(word), name)
        if best is not None:
            exact = best[0] == len(key)
            if best[1] not in found or (exact and not found[best[1]][0]):
                found[best[1]] = (exact, column)
    return {name: column for name, (_, column) in found.items()}


def _part(row: LexborNode, table: _Table, words: PartsWords, order_id: int) -> Part | None:
    """None for a row without cells; in a plain table for one cell across it, and without number and description."""
    by_column = dict(_cells(row))
    if not by_column or (table.width > 1 and len(by_column) == 1):
        return None
    cells = {name: by_column[column] for name, column in table.columns.items() if column in by_column}
    texts = {name: _cell_text(cell) for name, cell in cells.items()}
    number = _part_number(row, cells.get("part_no"), texts.get("part_no"))
    if table.width and not number and not texts.get("description"):
        return None
    status = _status(row, cells.get("status"), texts.get("status"))
    flags = _boxes(row)
    if flags is None:
        flags = _flags_in_words(status or "", words)
    ordered_on, delivered_on = _dates(cells.get("dates"))
    attributes = row.attributes
    return Part(
        order_id=order_id,
        part_no=number,
        description=texts.get("description"),
        lead_no=texts.get("lead_no"),
        order_no=texts.get("order_no"),
        row_id=_text(attributes.get("data-id")),
        part_id=_text(attributes.get("data-partid")),
        qty=_number(texts.get("qty")),
        price_each=_number(texts.get("price_each")),
        price_total=_number(texts.get("price_total")),
        status=status,
        status_code=_text(attributes.get("data-status")),
        order_date=_cell_date(cells.get("order_date")) or ordered_on,
        delivery_date=_cell_date(cells.get("delivery_date")) or delivered_on,
        eta_date=_cell_date(cells.get("eta_date")),
        **flags,
    )


def _text(text: str | None) -> str | None:
    """Collapsed, None for nothing and for a dash."""
    plain = collapsed(text or "")
    return None if plain.casefold() in _DASHES else plain


def _cell_text(cell: LexborNode) -> str | None:
    """The cell's text, else the value of the first input that it shows."""
    words = _text(cell.text(separator=" "))
    if words is not None:
        return words
    for control in cell.css("input"):
        attributes = control.attributes
        if (attributes.get("type") or "text").lower() not in ("hidden", "checkbox", "radio", "button", "submit"):
            return _text(attributes.get("value"))
    return None


def _part_number(row: LexborNode, cell: LexborNode | None, text: str | None) -> str | None:
    marked = [cell] if cell is not None else []
    marked += (cell or row).css("[data-prtnumber]")
    for node in marked:
        number = _text(node.attributes.get("data-prtnumber"))
        if number is not None:
            return number
    return text


def _status(row: LexborNode, cell: LexborNode | None, text: str | None) -> str | None:
    """The status in words; a column of check boxes has none."""
    for node in row.css(".spare_part_main_status i[title], .spare_part_main_status [title]"):
        title = _text(node.attributes.get("title"))
        if title is not None:
            return title
    main = row.css_first(".spare_part_main_status")
    words = _text(main.attributes.get("title") or main.text(separator=" ")) if main is not None else None
    if words is None and cell is not None and cell.css_first("input[type=checkbox]") is None:
        return text
    return words


def _boxes(row: LexborNode) -> dict[str, bool] | None:
    """The row's check boxes, None where it has none."""
    boxes = row.css("input.spare_part_status[data-action]")
    if not boxes:
        return None
    flags = dict.fromkeys(_FLAGS.values(), False)
    for box in boxes:
        name = _FLAGS.get((box.attributes["data-action"] or "").strip().casefold())
        if name is not None:
            flags[name] = "checked" in box.attributes
    return flags


def _flags_in_words(status: str, words: PartsWords) -> dict[str, bool]:
    """What a status in words says; `nicht geliefert` and `teilweise geliefert` do not say delivered."""
    said = f" {' '.join(re.findall(r'[a-z0-9]+', fold(status)))}"

    def says(name: str) -> bool:
        phrases = (" ".join(re.findall(r"[a-z0-9]+", fold(word))) for word in words.status_words[name])
        return any(re.search(rf"(?<! nicht)(?<! nie)(?<! teilweise) {re.escape(phrase)}", said) for phrase in phrases)

    return {
        "is_to_order": says("to_order"),
        "is_ordered": says("ordered"),
        "is_delivered": says("delivered"),
        "is_backorder": says("backorder"),
    }


def _date(text: str | None) -> str | None:
    """The canonical day (and time) of a text that begins with a date; None for none."""
    plain = _text(re.sub(r"\bArray\b", " ", text or ""))
    if plain is None:
        return None
    for words in (plain, plain.split(" ", 1)[0]):
        try:
            return german.parse_date(words)
        except ValueError:
            continue
    return None


def _cell_date(cell: LexborNode | None) -> str | None:
    if cell is None:
        return None
    titled = cell.css_first("[title]")
    return _date(_cell_text(cell)) or (_date(titled.attributes.get("title")) if titled is not None else None)


def _dates(cell: LexborNode | None) -> tuple[str | None, str | None]:
    """Order date and delivery date of a cell that holds both, or the delivery date alone."""
    if cell is None:
        return None, None
    titled = [_date(span.attributes.get("title")) or _date(span.text()) for span in cell.css("span[title]")]
    text = re.sub(r"\bArray\b", " ", cell.text(separator=" "))
    written = [_date(half) for half in text.split("/")]
    if len(titled) > 1:
        return titled[0], titled[1]
    delivered = titled[0] if titled else None
    if len(written) > 1:
        return written[0], delivered or written[1]
    return None, delivered or written[0]


def _number(text: str | None) -> float | None:
    match = _NUMBER.fullmatch(text or "")
    if match is None:
        return None
    try:
        return german.parse_decimal(match[1].rstrip(",. "))
    except ValueError:
        return None


def _order_status(root: LexborNode) -> str | None:
    """The order's parts status in words: the status button's text, else the selected option of a status select."""
    for button in root.css(f".{_STATUS_BUTTON}, #{_STATUS_BUTTON}"):
        inner = button.css_first("button") if button.tag != "button" else None
        words = _text((inner or button).text(separator=" "))
        if words is not None and button.tag != "select":
            return words
    for select in root.css("select"):
        told = f"{select.attributes.get('class') or ''} {select.attributes.get('name') or ''} {select.id or ''}"
        option = select.css_first("option[selected]")
        if "status" not in told.casefold() or option is None or _in_table(select):
            continue
        words = _text(option.text())
        if words is not None and (option.attributes.get("value", words) or "") not in ("", "0"):
            return words
    return None


def _in_table(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None and parent.tag != "tr":
        parent = parent.parent
    return parent is not None and _ROW in (parent.attributes.get("class") or "")
