"""The words of a label: nested tags are read through, breaks are blanks, controls and scripts have no words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.text import clean_label, label_key

CONTROLS = frozenset({"input", "select", "textarea"})
_SILENT = frozenset({"script", "style", "template", "noscript", "select", "textarea", "input", "button", "svg"})
BREAKS = frozenset({"br", "div", "p", "li", "tr", "td", "th", "dt", "dd", "h1", "h2", "h3", "h4", "table", "ul"})
_ASIDES = frozenset({"a", "small", "sup"})
_ASIDE = re.compile(r"\b(help|hint|hilfe|hinweis|tooltip|info|muted|badge)\b", re.IGNORECASE)
"""Classes of elements that explain a label and are no part of its name."""


def read_label(node: LexborNode) -> tuple[str, str]:
    """A label's name, and all that stands in it: `Telefon` of `Telefon <small>(bitte prüfen)</small>`."""
    texts: list[list[str]] = [[], []]
    names: list[list[str]] = [[], []]
    at = 0
    for piece, is_aside in _pieces(node):
        if piece is None:
            at = 1
            continue
        texts[at].append(piece)
        if not is_aside:
            names[at].append(piece)
    full = _first(texts)
    return _first(names) or full, full


def _first(texts: list[list[str]]) -> str:
    """The words before the first control, else those after it."""
    before = clean_label("".join(texts[0]))
    return before if label_key(before) else clean_label("".join(texts[1]))


def read_node_text(node: LexborNode) -> str:
    """What can be read in `node`, not yet collapsed."""
    return "".join(piece or "" for piece, _ in _pieces(node))


def _pieces(node: LexborNode, *, is_aside: bool = False) -> Iterator[tuple[str | None, bool]]:
    """The texts in `node`, breaks as blanks, None for each control; and whether each stands in an aside."""
    for child in node.iter(include_text=True):
        tag = child.tag or ""
        if child.is_text_node:
            yield child.text_content or "", is_aside
        elif tag in CONTROLS:
            yield None, is_aside
        elif child.is_element_node and tag not in _SILENT:
            yield " " if tag in BREAKS else "", is_aside
            yield from _pieces(child, is_aside=is_aside or _explains(child, tag))
            yield " " if tag in BREAKS else "", is_aside


def _explains(node: LexborNode, tag: str) -> bool:
    if tag in _ASIDES:
        return True
    classes = node.attributes.get("class")
    return classes is not None and _ASIDE.search(classes) is not None
