"""
Drop-downs made of blocks: a hidden input, and items with `data-value` that a script puts into it. The items are the
options. Source: Semantic UI's dropdown, Bootstrap's menus.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.control import Option
from planso_connector.planso.pages.form_tree import ControlElement, FormTree
from planso_connector.planso.pages.text import collapse_whitespace

_FENCES = frozenset({"form", "body", "html", "fieldset", "table", "tbody", "tr"})
_LEVELS = 5


def read_dropdown_options(tree: FormTree) -> dict[int, tuple[Option, ...]]:
    """The options of hidden inputs, by the control's id."""
    found: dict[int, list[Option]] = defaultdict(list)
    named: dict[int, list[ControlElement]] = defaultdict(list)
    for element in tree.controls:
        for ancestor in element.ancestors if element.name else ():
            if len(named[ancestor]) < 2:
                named[ancestor].append(element)
    for node in tree.root.css("[data-value]"):
        if node.tag in ("input", "select", "textarea", "option"):
            continue
        owner = _owner(tree, node, named)
        if owner is not None:
            text = node.attributes.get("data-text") or collapse_whitespace(node.text())
            found[owner.id].append(Option(node.attributes.get("data-value") or "", text))
    return {own: tuple(options) for own, options in found.items()}


def _owner(tree: FormTree, node: LexborNode, named: Mapping[int, list[ControlElement]]) -> ControlElement | None:
    """
    The hidden input that is the only named control of the nearest block with controls. `named`: by block the first two.
    """
    block = node.parent
    for _ in range(_LEVELS):
        if block is None or block.tag in _FENCES:
            return None
        if block.mem_id in tree.control_ancestors:
            inside = named.get(block.mem_id, [])
            return inside[0] if len(inside) == 1 and inside[0].is_hidden else None
        block = block.parent
    return None


def allows_multiple(element: ControlElement) -> bool:
    """Whether a drop-down's hidden input holds several values, `7,8`."""
    block = element.node.parent
    return block is not None and "multiple" in (block.attributes.get("class") or "").split()
