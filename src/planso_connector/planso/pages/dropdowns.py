"""
Read drop-downs made of blocks: a hidden input, and items with `data-value` that a script puts into it. Source: Semantic
UI's dropdown, Bootstrap's menus.
"""

from collections import defaultdict
from collections.abc import Mapping
from itertools import islice

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.control import Option
from planso_connector.planso.pages.form_tree import ControlElement, FormTree
from planso_connector.planso.pages.nodes import CONTROL_TAGS, iterate_ancestors, list_classes
from planso_connector.planso.pages.text import collapse_whitespace

_OUTER_BLOCKS = frozenset({"form", "body", "html", "fieldset", "table", "tbody", "tr"})
_MAX_LEVELS = 5


def read_dropdown_options(tree: FormTree) -> dict[int, tuple[Option, ...]]:
    """The options of hidden inputs, by the control's id."""
    options: dict[int, list[Option]] = defaultdict(list)
    named: dict[int, list[ControlElement]] = defaultdict(list)
    for element in tree.controls:
        for ancestor in element.ancestors if element.name else ():
            if len(named[ancestor]) < 2:
                named[ancestor].append(element)
    for node in tree.root.css("[data-value]"):
        owner = _find_owner(tree, node, named) if node.tag not in CONTROL_TAGS | {"option"} else None
        if owner is not None:
            text = node.attributes.get("data-text") or collapse_whitespace(node.text())
            options[owner.id].append(Option(node.attributes.get("data-value") or "", text))
    return {element_id: tuple(items) for element_id, items in options.items()}


def _find_owner(tree: FormTree, item: LexborNode, named: Mapping[int, list[ControlElement]]) -> ControlElement | None:
    """The hidden input that is the only named control (`named`: two at most) of the nearest block with controls."""
    for block in islice(iterate_ancestors(item), _MAX_LEVELS):
        if block.tag in _OUTER_BLOCKS:
            return None
        if block.mem_id in tree.control_ancestors:
            inside = named.get(block.mem_id, [])
            return inside[0] if len(inside) == 1 and inside[0].is_hidden else None
    return None


def allows_multiple(element: ControlElement) -> bool:
    """Whether a drop-down's hidden input holds several values, `7,8`."""
    block = element.node.parent
    return block is not None and "multiple" in list_classes(block)
