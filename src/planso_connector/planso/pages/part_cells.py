"""What a cell of a parts table shows: its text, its number, the state of its check boxes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from selectolax.lexbor import LexborNode

from planso_connector.domain import german_formats
from planso_connector.domain.fields import MAX_NOTATION_LENGTH
from planso_connector.planso.pages.text import collapse_whitespace

_SILENT = frozenset(
    {"script", "style", "template", "noscript", "svg", "iframe", "object", "head", "title", "button", "table"}
)
"""Elements whose words are not the cell's; a table in a cell is another one."""
_NO_TEXT_INPUTS = frozenset(
    {"hidden", "checkbox", "radio", "button", "submit", "reset", "image", "file", "password", "color", "range"}
)
_DASHES = frozenset({"", "-", "–", "—", "--", "array"})
_HIDDEN_CLASSES = frozenset({"hidden", "hide", "d-none"})
"""Bootstrap's."""
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

_NUMBER = re.compile(r"[^\d+-]{0,6}?([+-]?\d[\d.,'\s]*)\D{0,8}")
_ONE_POINT = re.compile(r"[+-]?\d+\.\d{3}")
"""`1.500`: one and a half, or one thousand and five hundred."""
_POINT_GROUPS = re.compile(r"\d\.\d{3}(\.\d{3}|,)")
_POINT_IS_DECIMAL = re.compile(r"(?<![\d.,])(0\.\d+|\d+\.\d{1,2}|\d+\.\d{4,})(?![\d.,])")


def text_or_none(text: str | None) -> str | None:
    """Collapsed, None for nothing and for a dash."""
    plain = collapse_whitespace(text or "")
    return None if plain.casefold() in _DASHES else plain


def is_visible(node: LexborNode) -> bool:
    """Whether an element's words are shown; a text node's are."""
    if not node.is_element_node:
        return node.is_text_node
    attributes = node.attributes
    if node.tag in _SILENT or "hidden" in attributes or _HIDDEN.search(attributes.get("style") or ""):
        return False
    if not _HIDDEN_CLASSES.isdisjoint((attributes.get("class") or "").split()):
        return False
    return node.tag != "input" or (attributes.get("type") or "text").lower() not in _NO_TEXT_INPUTS


def read_control_value(node: LexborNode) -> str | None:
    """What a control shows, None for what is no control."""
    if node.tag == "input":
        return node.attributes.get("value") or ""
    if node.tag == "textarea":
        return node.text()
    if node.tag == "select":
        chosen = node.css("option[selected]")[-1:] or node.css("option")[:1]
        return chosen[0].text() if chosen else ""
    return None


def read_cell_text(cell: LexborNode | None) -> str | None:
    """
    The cell's own words, else what a control in it shows, else the words of a link that looks like a button. Buttons,
    hidden elements and tables in the cell have none.
    """
    found: dict[str, list[str]] = {"words": [], "value": [], "link": []}
    for kind, text in _pieces(cell) if cell is not None else ():
        found[kind].append(text)
    value = next(filter(None, map(text_or_none, found["value"])), None)
    return text_or_none(" ".join(found["words"])) or value or text_or_none(" ".join(found["link"]))


def _pieces(cell: LexborNode) -> Iterator[tuple[str, str]]:
    """Texts in document order: words, values of controls, and words of links that look like buttons."""
    waiting: list[tuple[LexborNode, bool]] = [(child, False) for child in cell.iter(include_text=True)][::-1]
    while waiting:
        node, in_link = waiting.pop()
        if node.is_text_node:
            yield ("link" if in_link else "words"), node.text_content or ""
        elif is_visible(node):
            value = read_control_value(node)
            if value is not None:
                yield "value", value
                continue
            in_link = in_link or (node.tag == "a" and "btn" in (node.attributes.get("class") or "").split())
            waiting += [(child, in_link) for child in node.iter(include_text=True)][::-1]


def read_number_texts(cell: LexborNode | None) -> list[str]:
    """What may be the number of a cell: its words, the values of its controls, words and values together."""
    if cell is None:
        return []
    pieces = list(_pieces(cell))
    words = collapse_whitespace(" ".join(text for kind, text in pieces if kind != "value"))
    values = [collapse_whitespace(text) for kind, text in pieces if kind == "value"]
    return [text for text in (words, *values, collapse_whitespace(" ".join(text for _, text in pieces))) if text]


def parse_number(texts: Iterable[str], *, point_is_decimal: bool = False) -> float | None:
    """The first text that is one number; `point_is_decimal` decides what `1.500` is."""
    for text in texts:
        match = _NUMBER.fullmatch(text) if len(text) <= MAX_NOTATION_LENGTH else None
        if match is None:
            continue
        digits = re.sub(r"\s", "", match[1]).rstrip(",.")
        if _ONE_POINT.fullmatch(digits):
            is_decimal = point_is_decimal or digits.lstrip("+-").startswith("0")
            digits = digits.replace(".", "," if is_decimal else "")
        try:
            return german_formats.parse_decimal(digits)
        except ValueError:
            continue
    return None


def parse_quantity(texts: list[str], price_each: float | None, price_total: float | None, row: str) -> float | None:
    """
    How many. `1.500` is what fits the prices, else what the point is in the other numbers of the row, else German.
    """
    grouped, decimal = parse_number(texts), parse_number(texts, point_is_decimal=True)
    if grouped == decimal:
        return grouped
    if price_each and price_total is not None:
        for count in (decimal, grouped):
            if count is not None and abs(count * price_each - price_total) < 0.01 * max(1.0, count):
                return count
    return decimal if _POINT_IS_DECIMAL.search(row) and not _POINT_GROUPS.search(row) else grouped


def read_header_text(cell: LexborNode) -> str:
    """The words of a header; where there are none, those of its button or its title."""
    return (
        read_cell_text(cell)
        or collapse_whitespace(cell.text(separator=" "))
        or collapse_whitespace(cell.attributes.get("title") or "")
    )


def read_visible_text(root: LexborNode) -> str:
    """All words that a page shows outside of controls."""
    words = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_text_node:
            words.append(node.text_content or "")
        elif node.mem_id == root.mem_id or node.tag == "table" or is_visible(node):
            waiting += [*node.iter(include_text=True)][::-1]
    return collapse_whitespace(" ".join(words))


def is_inside(node: LexborNode, outer: LexborNode) -> bool:
    """Whether `node` is `outer` or stands in it."""
    at: LexborNode | None = node
    while at is not None:
        if at.mem_id == outer.mem_id:
            return True
        at = at.parent
    return False
