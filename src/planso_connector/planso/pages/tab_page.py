"""
Read the page of a tab in one walk: tables, labels with values, links, and the rest of the text. Scripts, styles,
comments and attributes are never text. Without recursion: a page may be nested as deeply as it likes.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.html_parser import parse_html, wrap_bare_rows
from planso_connector.planso.pages.nodes import BLOCK_TAGS, CONTROL_SELECTOR, CONTROL_TAGS, parse_span
from planso_connector.planso.pages.text import clean_label, collapse_whitespace, name_set

MAX_ROWS = 2000
"""Rows of one table."""
MAX_TEXT_LENGTH = 65_536
"""Characters of one text."""

_TEXTLESS_TAGS = name_set(
    "script style template noscript iframe object embed svg math title xmp plaintext noembed noframes"
)
_TEXTLESS_INPUTS = name_set("hidden password radio button submit reset image file")
_MAX_COLUMNS = 100
_MAX_ADDRESS_LENGTH = 2000
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_FEED = re.compile(r"[\t\r\n]")


class Link(NamedTuple):
    """`href` is an http or https address, or relative."""

    text: str
    href: str


class Table(NamedTuple):
    """Rows are as wide as they are; cells that span several columns or rows are followed by empty ones."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(eq=False, slots=True)
class _Cell:
    is_header: bool
    columns: int
    rows: int
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return _join(self.pieces)

    @property
    def is_label(self) -> bool:
        return self.is_header or self.text.endswith(":")


@dataclass(eq=False, slots=True)
class _Row:
    is_in_head: bool
    cells: list[_Cell] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not any(cell.text for cell in self.cells)

    def read_pairs(self) -> list[tuple[str, str]] | None:
        """The pairs of a row `label value label value ...`; None for another row."""
        labels, values = self.cells[::2], self.cells[1::2]
        if len(labels) != len(values) or not labels:
            return None
        if not all(cell.is_label for cell in labels) or any(cell.is_header for cell in values):
            return None
        return [(clean_label(label.text), value.text) for label, value in zip(labels, values, strict=True)]


@dataclass(eq=False, slots=True)
class _Term:
    """A `dt`, and the index of its pair once it has a value."""

    label: str
    index: int | None = None


class TabPage:
    """
    `pairs` hold equal labels as often as they occur; `text` is what is in neither tables nor pairs; `depth` that of
    the deepest element.
    """

    def __init__(self, content: str) -> None:
        self.pairs: list[tuple[str, str]] = []
        self.links: list[Link] = []
        self.depth = 0
        rest: list[str] = []
        self._texts = [rest]
        """Where text goes, innermost last: the page, cells, terms and their values."""
        self._all_tables: list[list[_Row]] = []
        self._open_tables: list[list[_Row]] = []
        self._link_texts: list[list[str]] = []
        self._terms: list[_Term | None] = [None]
        self._parser = parse_html(wrap_bare_rows(content))
        self._parser.strip_tags([*_TEXTLESS_TAGS])
        if self._parser.root is not None:
            self._walk(self._parser.root)
        self.tables = [table for table in map(self._make_table, self._all_tables) if table is not None]
        self.text = _join(rest)

    @property
    def form_html(self) -> str:
        """The page without what is no text; empty where it has no control."""
        return (self._parser.html or "") if self._parser.css_first(CONTROL_SELECTOR) is not None else ""

    def _walk(self, root: LexborNode) -> None:
        depth = 0
        stack: list[tuple[LexborNode, bool]] = [(root, True)]
        while stack:
            node, is_entered = stack.pop()
            tag = node.tag or ""
            if node.is_text_node:
                self._add_text(node.text_content or "")
            elif not is_entered:
                self._leave(node, tag)
                depth -= 1
            elif tag in CONTROL_TAGS:
                self._add_text(f" {_read_control(node, tag)} ")
            elif node.is_element_node and tag != "button":
                depth += 1
                self.depth = max(self.depth, depth)
                self._enter(node, tag)
                stack.append((node, False))
                stack += [(child, True) for child in node.iter(include_text=True)][::-1]

    def _add_text(self, text: str) -> None:
        self._texts[-1].append(text)
        if self._link_texts:
            self._link_texts[-1].append(text)

    def _enter(self, node: LexborNode, tag: str) -> None:
        if tag in BLOCK_TAGS:
            self._add_text(" ")
        if tag == "table":
            self._open_tables.append([])
            self._all_tables.append(self._open_tables[-1])
        elif tag == "tr" and self._open_tables:
            self._open_tables[-1].append(_Row(node.parent is not None and node.parent.tag == "thead"))
        elif tag in ("td", "th"):
            self._texts.append(self._open_cell(node, tag))
        elif tag in ("dt", "dd"):
            self._texts.append([])
        elif tag == "dl":
            self._terms.append(None)
        elif tag == "a":
            self._link_texts.append([])
        elif tag == "img" and self._link_texts:
            self._link_texts[-1].append(f" {node.attributes.get('alt') or ''} ")

    def _open_cell(self, node: LexborNode, tag: str) -> list[str]:
        """Where the cell's text goes."""
        if not self._open_tables or not self._open_tables[-1]:
            return []
        attributes = node.attributes
        cell = _Cell(tag == "th", parse_span(attributes.get("colspan")), parse_span(attributes.get("rowspan")))
        self._open_tables[-1][-1].cells.append(cell)
        return cell.pieces

    def _leave(self, node: LexborNode, tag: str) -> None:
        if tag in BLOCK_TAGS:
            self._add_text(" ")
        if tag == "table":
            self._open_tables.pop()
        elif tag in ("td", "th"):
            self._texts.pop()
        elif tag == "dt":
            self._terms[-1] = _Term(clean_label(_join(self._texts.pop())))
        elif tag == "dd":
            self._add_value(_join(self._texts.pop()))
        elif tag == "dl":
            self._terms.pop()
        elif tag == "a":
            self._add_link(node, _join(self._link_texts.pop()))

    def _add_value(self, text: str) -> None:
        """A `dd`: further ones of the same `dt` are added to the first."""
        term = self._terms[-1]
        if term is None:
            return
        if term.index is None:
            term.index = len(self.pairs)
            self.pairs.append((term.label, text))
        else:
            texts = (self.pairs[term.index][1], text)
            self.pairs[term.index] = (term.label, ", ".join(filter(None, texts))[:MAX_TEXT_LENGTH])

    def _add_link(self, node: LexborNode, text: str) -> None:
        href = _read_address(node.attributes.get("href") or "")
        if href:
            self.links.append(Link(text or _join([node.attributes.get("title") or ""]), href))

    def _make_table(self, rows: list[_Row]) -> Table | None:
        """None for a table that holds nothing, or nothing but pairs, which are added as such."""
        header = _find_header(rows)
        body = [row for row in rows if row is not header and not row.is_empty]
        if header is None:
            pairs_by_row = [row.read_pairs() for row in body]
            self.pairs += [pair for pairs in pairs_by_row for pair in pairs or ()]
            titles = [row for row, pairs in zip(body, pairs_by_row, strict=True) if pairs is None]
            if all(len(row.cells) == 1 for row in titles) and len(titles) < len(body):
                return None
        if not body:
            return None
        headers = _lay_out([header])[0] if header is not None else ()
        return Table(headers, tuple(_lay_out(body[:MAX_ROWS])))


def _find_header(rows: list[_Row]) -> _Row | None:
    """The head's row with the most text cells, else the first row if it is one of header cells."""
    head = [row for row in rows if row.is_in_head and not row.is_empty]
    if head:
        return max(head, key=lambda row: sum(bool(cell.text) for cell in row.cells))
    first = next((row for row in rows if not row.is_empty), None)
    is_header = first is not None and len(first.cells) > 1 and all(cell.is_header for cell in first.cells)
    return first if is_header else None


def _lay_out(rows: list[_Row]) -> list[tuple[str, ...]]:
    """The texts of rows, each in its column."""
    lines: list[tuple[str, ...]] = []
    covered: dict[int, int] = {}
    """By column how many more rows a cell above reaches down."""
    for row in rows:
        line: list[str] = []
        for cell in row.cells:
            _skip_covered(line, covered)
            for i in range(min(cell.columns, _MAX_COLUMNS - len(line))):
                covered[len(line)] = cell.rows - 1
                line.append("" if i else cell.text)
        _skip_covered(line, covered)
        lines.append(tuple(line))
    return lines


def _skip_covered(line: list[str], covered: dict[int, int]) -> None:
    while covered.get(len(line), 0) > 0:
        covered[len(line)] -= 1
        line.append("")


def _join(pieces: list[str]) -> str:
    return collapse_whitespace("".join(pieces))[:MAX_TEXT_LENGTH]


def _read_control(node: LexborNode, tag: str) -> str:
    """What a control in the middle of text shows; nothing for what a page hides."""
    attributes = node.attributes
    if tag == "textarea":
        return node.text()
    if tag == "select":
        chosen = node.css("option[selected]") or ([] if "multiple" in attributes else node.css("option")[:1])
        return ", ".join(collapse_whitespace(option.text()) for option in chosen)
    input_type = (attributes.get("type") or "text").lower()
    if input_type == "checkbox":
        return "ja" if "checked" in attributes else "nein"
    return "" if input_type in _TEXTLESS_INPUTS else attributes.get("value") or ""


def _read_address(href: str) -> str:
    """The address as a browser reads it; empty for one that leads nowhere else, or is no http address."""
    address = _FEED.sub("", href.strip("".join(map(chr, range(33)))))
    scheme = _SCHEME.match(address)
    if scheme is not None and scheme[1].lower() not in ("http", "https"):
        return ""
    is_usable = not address.startswith("#") and address.isprintable() and len(address) <= _MAX_ADDRESS_LENGTH
    return address if is_usable else ""
