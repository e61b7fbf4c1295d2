"""
The page of a tab, read in one walk: tables, labels with values, links, and the rest of the text. Scripts, styles,
comments and attributes are never text. Pure, and without recursion: a page may be nested as deeply as it likes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.html_parser import parse_html
from planso_connector.planso.pages.nodes import BLOCK_TAGS
from planso_connector.planso.pages.text import clean_label, collapse_whitespace

MAX_ROWS = 2000
"""Rows of one table."""
MAX_TEXT_LENGTH = 65_536
"""Characters of one text."""

_NO_TEXT = ["script", "style", "template", "noscript", "iframe", "object", "embed", "svg", "math", "title"]
_NO_TEXT += ["xmp", "plaintext", "noembed", "noframes"]
_CONTROLS = frozenset({"input", "select", "textarea"})
_MOST_COLUMNS = 100
_ROWS = re.compile(r"\s*<(tr|td|th|tbody|thead)\b", re.IGNORECASE)
"""What an HTML parser passes over where no table is open."""
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
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return _text(self.words)

    @property
    def is_label(self) -> bool:
        return self.is_header or self.text.endswith(":")


@dataclass(eq=False, slots=True)
class _Row:
    in_head: bool
    cells: list[_Cell] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not any(cell.text for cell in self.cells)

    def pairs(self) -> list[tuple[str, str]] | None:
        """`label value label value ...`; None for another row."""
        labels, values = self.cells[::2], self.cells[1::2]
        if len(labels) != len(values) or not labels:
            return None
        if not all(cell.is_label for cell in labels) or any(cell.is_header for cell in values):
            return None
        return [(clean_label(label.text), value.text) for label, value in zip(labels, values, strict=True)]


@dataclass(eq=False, slots=True)
class _Term:
    """A `dt`, and where its pair is once it has a value."""

    label: str
    at: int | None = None


class TabPage:
    """
    `pairs` hold equal labels as often as they are there; `text` is what stands in neither tables nor pairs; `depth`
    that of the deepest element.
    """

    def __init__(self, content: str) -> None:
        self.pairs: list[tuple[str, str]] = []
        self.links: list[Link] = []
        self.depth = 0
        self._outside: list[str] = []
        self._holders = [self._outside]
        self._tables: list[list[_Row]] = []
        self._open: list[list[_Row]] = []
        self._anchors: list[list[str]] = []
        self._terms: list[_Term | None] = [None]
        self._parser = parse_html(f"<table>{content}</table>" if _ROWS.match(content) else content)
        self._parser.strip_tags(_NO_TEXT)
        root = self._parser.root
        if root is not None:
            self._walk(root)
        self.tables = [table for table in map(self._table, self._tables) if table is not None]
        self.text = _text(self._outside)

    @property
    def form_html(self) -> str:
        """The page without what is no text; empty where it has no control."""
        return (self._parser.html or "") if self._parser.css_first("input,select,textarea") is not None else ""

    def _walk(self, root: LexborNode) -> None:
        depth = 0
        waiting: list[tuple[LexborNode, bool]] = [(root, True)]
        while waiting:
            node, enters = waiting.pop()
            tag = node.tag or ""
            if node.is_text_node:
                self._say(node.text_content or "")
            elif not enters:
                self._leave(node, tag)
                depth -= 1
            elif tag in _CONTROLS:
                self._say(f" {_shown(node, tag)} ")
            elif node.is_element_node and tag != "button":
                depth += 1
                self.depth = max(self.depth, depth)
                self._enter(node, tag)
                waiting.append((node, False))
                waiting += [(child, True) for child in node.iter(include_text=True)][::-1]

    def _say(self, words: str) -> None:
        self._holders[-1].append(words)
        if self._anchors:
            self._anchors[-1].append(words)

    def _enter(self, node: LexborNode, tag: str) -> None:
        if tag in BLOCK_TAGS:
            self._say(" ")
        if tag == "table":
            self._open.append([])
            self._tables.append(self._open[-1])
        elif tag == "tr" and self._open:
            self._open[-1].append(_Row(in_head=node.parent is not None and node.parent.tag == "thead"))
        elif tag in ("td", "th"):
            self._holders.append(self._new_cell(node, tag))
        elif tag in ("dt", "dd"):
            self._holders.append([])
        elif tag == "dl":
            self._terms.append(None)
        elif tag == "a":
            self._anchors.append([])
        elif tag == "img" and self._anchors:
            self._anchors[-1].append(f" {node.attributes.get('alt') or ''} ")

    def _new_cell(self, node: LexborNode, tag: str) -> list[str]:
        """Where the words of the cell go."""
        if not self._open or not self._open[-1]:
            return []
        attributes = node.attributes
        cell = _Cell(tag == "th", _span(attributes.get("colspan")), _span(attributes.get("rowspan")))
        self._open[-1][-1].cells.append(cell)
        return cell.words

    def _leave(self, node: LexborNode, tag: str) -> None:
        if tag in BLOCK_TAGS:
            self._say(" ")
        if tag == "table":
            self._open.pop()
        elif tag in ("td", "th"):
            self._holders.pop()
        elif tag == "dt":
            self._terms[-1] = _Term(clean_label(_text(self._holders.pop())))
        elif tag == "dd":
            self._value(_text(self._holders.pop()))
        elif tag == "dl":
            self._terms.pop()
        elif tag == "a":
            self._link(node, _text(self._anchors.pop()))

    def _value(self, text: str) -> None:
        """A `dd`: further ones of the same `dt` are told with the first."""
        term = self._terms[-1]
        if term is None:
            return
        if term.at is None:
            term.at = len(self.pairs)
            self.pairs.append((term.label, text))
        else:
            before = self.pairs[term.at][1]
            self.pairs[term.at] = (term.label, ", ".join(filter(None, (before, text)))[:MAX_TEXT_LENGTH])

    def _link(self, node: LexborNode, text: str) -> None:
        href = _address(node.attributes.get("href") or "")
        if href:
            self.links.append(
                Link(text or collapse_whitespace(node.attributes.get("title") or "")[:MAX_TEXT_LENGTH], href)
            )

    def _table(self, rows: list[_Row]) -> Table | None:
        """None for a table that holds nothing, or nothing but pairs, which are told as such."""
        header = _header(rows)
        body = [row for row in rows if row is not header and not row.is_empty]
        if header is None:
            told = [row.pairs() for row in body]
            self.pairs += [pair for pairs in told for pair in pairs or ()]
            titles = [row for row, pairs in zip(body, told, strict=True) if pairs is None]
            if all(len(row.cells) == 1 for row in titles) and len(titles) < len(body):
                return None
        if not body:
            return None
        lines = _lines(body[:MAX_ROWS])
        return Table(tuple(_lines([header])[0]) if header is not None else (), tuple(map(tuple, lines)))


def _header(rows: list[_Row]) -> _Row | None:
    """The head's row that says most, else the first row if it is one of header cells."""
    head = [row for row in rows if row.in_head and not row.is_empty]
    if head:
        return max(head, key=lambda row: sum(bool(cell.text) for cell in row.cells))
    first = next((row for row in rows if not row.is_empty), None)
    if first is not None and len(first.cells) > 1 and all(cell.is_header for cell in first.cells):
        return first
    return None


def _lines(rows: list[_Row]) -> list[list[str]]:
    """The texts of rows, each in its column."""
    lines: list[list[str]] = []
    taken: dict[int, int] = {}  # column to how many more rows a cell above reaches down
    for row in rows:
        line: list[str] = []
        for cell in row.cells:
            _skip_taken(line, taken)
            for at in range(min(cell.columns, _MOST_COLUMNS - len(line))):
                taken[len(line)] = cell.rows - 1
                line.append("" if at else cell.text)
        _skip_taken(line, taken)
        lines.append(line)
    return lines


def _skip_taken(line: list[str], taken: dict[int, int]) -> None:
    while taken.get(len(line), 0) > 0:
        taken[len(line)] -= 1
        line.append("")


def _span(given: str | None) -> int:
    return int(given) if given is not None and re.fullmatch(r"[1-9]\d{0,2}", given) else 1


def _text(words: list[str]) -> str:
    return collapse_whitespace("".join(words))[:MAX_TEXT_LENGTH]


def _shown(node: LexborNode, tag: str) -> str:
    """What a control in the middle of text shows; nothing for what a page hides."""
    attributes = node.attributes
    if tag == "textarea":
        return node.text()
    if tag == "select":
        chosen = node.css("option[selected]") or ([] if "multiple" in attributes else node.css("option")[:1])
        return ", ".join(collapse_whitespace(option.text()) for option in chosen)
    kind = (attributes.get("type") or "text").lower()
    if kind == "checkbox":
        return "ja" if "checked" in attributes else "nein"
    hidden = kind in ("hidden", "password", "radio", "button", "submit", "reset", "image", "file")
    return "" if hidden else attributes.get("value") or ""


def _address(href: str) -> str:
    """The address as a browser reads it; empty for those that lead nowhere else or are no addresses."""
    address = _FEED.sub("", href.strip("".join(map(chr, range(33)))))
    scheme = _SCHEME.match(address)
    if scheme is not None and scheme[1].lower() not in ("http", "https"):
        return ""
    return "" if address.startswith("#") or not address.isprintable() or len(address) > 2000 else address
