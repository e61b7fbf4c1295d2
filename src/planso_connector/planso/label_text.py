"""The words of a label: nested tags are read through, breaks are blanks, controls and scripts have no words."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from planso_connector.planso.words import shown_label

CONTROLS = frozenset({"input", "select", "textarea"})
_SILENT = frozenset({"script", "style", "template", "select", "textarea", "input", "button", "svg"})
BREAKS = frozenset({"br", "div", "p", "li", "tr", "td", "th", "dt", "dd", "h1", "h2", "h3", "h4", "table", "ul"})


def text_around_controls(node: LexborNode) -> tuple[str, str]:
    """A label's words before the first control in it, and those after."""
    texts: list[list[str]] = [[], []]
    at = 0
    for piece in pieces(node):
        if piece is None:
            at = 1
        else:
            texts[at].append(piece)
    return shown_label("".join(texts[0])), shown_label("".join(texts[1]))


def pieces(node: LexborNode) -> Iterator[str | None]:
    """The texts in `node`, breaks as blanks, None for each control."""
    for child in node.iter(include_text=True):
        tag = child.tag or ""
        if child.is_text_node:
            yield child.text_content or ""
        elif tag in CONTROLS:
            yield None
        elif child.is_element_node and tag not in _SILENT:
            yield " " if tag in BREAKS else ""
            yield from pieces(child)
            yield " " if tag in BREAKS else ""
