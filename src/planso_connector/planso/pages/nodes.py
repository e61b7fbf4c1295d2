"""Read parsed HTML nodes: their ancestors, their text, the cells of a table row."""

import re
from collections.abc import Collection, Iterator

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.text import clean_label, label_key

CONTROL_TAGS = frozenset({"input", "select", "textarea"})
CONTROL_SELECTOR = "input,select,textarea"
BLOCK_TAGS = frozenset({"br", "div", "p", "li", "tr", "td", "th", "dt", "dd", "h1", "h2", "h3", "h4", "table", "ul"})
"""Elements that separate words as a blank does."""
_TEXTLESS_TAGS = CONTROL_TAGS | {"script", "style", "template", "noscript", "button", "svg"}
_REMARK_TAGS = frozenset({"a", "small", "sup"})
_REMARK_CLASS = re.compile(r"\b(help|hint|hilfe|hinweis|tooltip|info|muted|badge)\b", re.IGNORECASE)
"""Classes of elements that explain a label and are no part of its name."""
_SPAN = re.compile(r"[1-9]\d{0,2}")


def iterate_ancestors(node: LexborNode) -> Iterator[LexborNode]:
    """The node's ancestors, the nearest first."""
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def find_ancestor(node: LexborNode, ids: Collection[int]) -> LexborNode | None:
    """The nearest ancestor with one of these ids (`mem_id`)."""
    return next((ancestor for ancestor in iterate_ancestors(node) if ancestor.mem_id in ids), None)


def list_classes(node: LexborNode) -> list[str]:
    return (node.attributes.get("class") or "").split()


def parse_span(attribute: str | None) -> int:
    """The value of `colspan` or `rowspan`; 1 for anything but 1 to 999."""
    return int(attribute) if attribute and _SPAN.fullmatch(attribute) else 1


def iterate_cells(row: LexborNode) -> Iterator[tuple[int, int, LexborNode]]:
    """The cells of a table row: first column, width in columns, cell."""
    column = 0
    for child in row.iter():
        if child.tag in ("td", "th"):
            width = parse_span(child.attributes.get("colspan"))
            yield column, width, child
            column += width


def read_node_text(node: LexborNode) -> str:
    """The visible text, white space unchanged; controls, buttons and scripts have none."""
    return "".join(piece or "" for piece, _ in _iterate_text(node))


def read_label(node: LexborNode) -> tuple[str, str]:
    """A label's name without remarks, and its full text: `Telefon`, `Telefon (bitte prüfen)`."""
    texts: tuple[list[str], list[str]] = ([], [])
    names: tuple[list[str], list[str]] = ([], [])
    side = 0  # before the first control, then after it
    for piece, is_remark in _iterate_text(node):
        if piece is None:
            side = 1
            continue
        texts[side].append(piece)
        if not is_remark:
            names[side].append(piece)
    full_text = _join_label(*texts)
    return _join_label(*names) or full_text, full_text


def _join_label(before: list[str], after: list[str]) -> str:
    """The words before the first control, else those after it."""
    text = clean_label("".join(before))
    return text if label_key(text) else clean_label("".join(after))


def _iterate_text(node: LexborNode, *, is_remark: bool = False) -> Iterator[tuple[str | None, bool]]:
    """Texts in document order, block elements as blanks, None for a control; and whether each is in a remark."""
    for child in node.iter(include_text=True):
        tag = child.tag or ""
        if child.is_text_node:
            yield child.text_content or "", is_remark
        elif tag in CONTROL_TAGS:
            yield None, is_remark
        elif child.is_element_node and tag not in _TEXTLESS_TAGS:
            separator = " " if tag in BLOCK_TAGS else ""
            yield separator, is_remark
            yield from _iterate_text(child, is_remark=is_remark or _is_remark(child, tag))
            yield separator, is_remark


def _is_remark(node: LexborNode, tag: str) -> bool:
    classes = None if tag in _REMARK_TAGS else node.attributes.get("class")
    return tag in _REMARK_TAGS or (classes is not None and _REMARK_CLASS.search(classes) is not None)
