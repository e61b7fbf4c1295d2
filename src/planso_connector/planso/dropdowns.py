"""
Drop-downs made of blocks: a hidden input, and items with `data-value` that a script puts into it. The items are the
options. Source: Semantic UI's dropdown, Bootstrap's menus.
"""

from __future__ import annotations

from collections import defaultdict

from selectolax.lexbor import LexborNode

from planso_connector.planso.control import Option
from planso_connector.planso.tree import Element, Tree
from planso_connector.planso.words import collapsed

_FENCES = frozenset({"form", "body", "html", "fieldset", "table", "tbody", "tr"})
_LEVELS = 5


def read_items(tree: Tree) -> dict[int, tuple[Option, ...]]:
    """The options of hidden inputs, by the control's id."""
    found: dict[int, list[Option]] = defaultdict(list)
    owners: dict[int, list[Element]] = {}
    for node in tree.root.css("[data-value]"):
        if node.tag in ("input", "select", "textarea", "option"):
            continue
        owner = _owner(tree, node, owners)
        if owner is not None:
            text = node.attributes.get("data-text") or collapsed(node.text())
            found[owner.id].append(Option(node.attributes.get("data-value") or "", text))
    return {own: tuple(options) for own, options in found.items()}


def _owner(tree: Tree, node: LexborNode, owners: dict[int, list[Element]]) -> Element | None:
    """The hidden input that is the only named control of the nearest block with controls."""
    block = node.parent
    for _ in range(_LEVELS):
        if block is None or block.tag in _FENCES:
            return None
        if block.mem_id in tree.holding:
            if block.mem_id not in owners:
                owners[block.mem_id] = [e for e in tree.controls if e.name and block.mem_id in e.trail]
            inside = owners[block.mem_id]
            return inside[0] if len(inside) == 1 and inside[0].is_hidden else None
        block = block.parent
    return None


def takes_several(element: Element) -> bool:
    """Whether a drop-down's hidden input holds several values, `7,8`."""
    block = element.node.parent
    return block is not None and "multiple" in (block.attributes.get("class") or "").split()
