"""Read what a cell of a parts table shows: its text, its number, a control's value."""

import re
from collections.abc import Iterable, Iterator

from selectolax.lexbor import LexborNode

from planso_connector.domain import german_formats
from planso_connector.domain.fields import MAX_NOTATION_LENGTH
from planso_connector.planso.pages.nodes import list_classes
from planso_connector.planso.pages.text import collapse_whitespace, name_set

_TEXTLESS_TAGS = name_set("script style template noscript svg iframe object head title button table")
"""Elements whose text is not the cell's; a table in a cell is another one."""
_TEXTLESS_INPUTS = name_set("hidden checkbox radio button submit reset image file password color range")
_DASHES = frozenset({"", "-", "–", "—", "--", "array"})
_HIDDEN_CLASSES = frozenset({"hidden", "hide", "d-none"})
"""Bootstrap's."""
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

_NUMBER = re.compile(r"[^\d+-]{0,6}?([+-]?\d[\d.,'\s]*)\D{0,8}")
_ONE_POINT = re.compile(r"[+-]?\d+\.\d{3}")
"""`1.500`: one and a half, or one thousand and five hundred."""
_POINT_GROUPS = re.compile(r"\d\.\d{3}(\.\d{3}|,)")
_POINT_IS_DECIMAL = re.compile(r"(?<![\d.,])(0\.\d+|\d+\.\d{1,2}|\d+\.\d{4,})(?![\d.,])")


def text_or_none(text: str | None) -> str | None:
    """The text with its white space collapsed; None for nothing and for a dash."""
    collapsed = collapse_whitespace(text or "")
    return None if collapsed.casefold() in _DASHES else collapsed


def is_visible(node: LexborNode) -> bool:
    """Whether an element's text is shown; a text node's is."""
    if not node.is_element_node:
        return node.is_text_node
    tag = node.tag
    if tag in _TEXTLESS_TAGS:
        return False
    attributes = node.attributes
    if not attributes:
        return True
    if "hidden" in attributes or _HIDDEN_STYLE.search(attributes.get("style") or ""):
        return False
    if not _HIDDEN_CLASSES.isdisjoint((attributes.get("class") or "").split()):
        return False
    return tag != "input" or (attributes.get("type") or "text").lower() not in _TEXTLESS_INPUTS


def read_control_value(node: LexborNode) -> str | None:
    """What a control shows; None for a node that is no control."""
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
    The cell's own text, else what a control in it shows, else the text of a link that looks like a button. Buttons,
    hidden elements and tables in the cell have none.
    """
    found: dict[str, list[str]] = {"text": [], "value": [], "link": []}
    for kind, text in _iterate_texts(cell) if cell is not None else ():
        found[kind].append(text)
    value = next(filter(None, map(text_or_none, found["value"])), None)
    return text_or_none(" ".join(found["text"])) or value or text_or_none(" ".join(found["link"]))


def _iterate_texts(cell: LexborNode) -> Iterator[tuple[str, str]]:
    """In document order `text`, the `value` of a control, or the text of a `link` that looks like a button."""
    stack: list[tuple[LexborNode, bool]] = [(child, False) for child in cell.iter(include_text=True)][::-1]
    while stack:
        node, in_link = stack.pop()
        if node.is_text_node:
            yield ("link" if in_link else "text"), node.text_content or ""
        elif is_visible(node):
            value = read_control_value(node)
            if value is not None:
                yield "value", value
                continue
            in_link = in_link or (node.tag == "a" and "btn" in list_classes(node))
            stack += [(child, in_link) for child in node.iter(include_text=True)][::-1]


def read_number_texts(cell: LexborNode | None) -> list[str]:
    """What may be the number of a cell: its text, the values of its controls, text and values together."""
    pieces = list(_iterate_texts(cell)) if cell is not None else []
    text = " ".join(text for kind, text in pieces if kind != "value")
    values = [text for kind, text in pieces if kind == "value"]
    return [*filter(None, map(collapse_whitespace, (text, *values, " ".join(text for _, text in pieces))))]


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


def parse_quantity(texts: list[str], price_each: float | None, price_total: float | None, prices: str) -> float | None:
    """`1.500` is what fits the prices, else what the point is in the row's `prices`, else German."""
    grouped, decimal = parse_number(texts), parse_number(texts, point_is_decimal=True)
    if grouped == decimal:
        return grouped
    if price_each and price_total is not None:
        for count in (decimal, grouped):
            if count is not None and abs(count * price_each - price_total) < 0.01 * max(1.0, count):
                return count
    return decimal if _POINT_IS_DECIMAL.search(prices) and not _POINT_GROUPS.search(prices) else grouped


def read_header_text(cell: LexborNode) -> str:
    """The text of a header, else of its button, else its title."""
    texts = (cell.text(separator=" "), cell.attributes.get("title") or "")
    return read_cell_text(cell) or next(filter(None, map(collapse_whitespace, texts)), "")


def read_visible_text(root: LexborNode) -> str:
    """All text that a page shows outside of controls."""
    texts = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_text_node:
            texts.append(node.text_content or "")
        elif node.mem_id == root.mem_id or node.tag == "table" or is_visible(node):
            stack += [*node.iter(include_text=True)][::-1]
    return collapse_whitespace(" ".join(texts))
