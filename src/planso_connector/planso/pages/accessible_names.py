"""
Name controls that no label names: by `aria-labelledby`, `aria-label`, `title`, and the title of a block (a legend, a
heading) that holds the control alone. A placeholder is no name: it vanishes under the value.
"""

from bisect import bisect, bisect_left
from collections.abc import Iterator
from itertools import islice, takewhile

from planso_connector.planso.pages.form_tree import ControlElement, FormTree, LabelPair, radio_group_key
from planso_connector.planso.pages.nodes import read_node_text
from planso_connector.planso.pages.text import clean_label, label_key

_BLOCK_TITLES = frozenset({"legend", "h1", "h2", "h3", "h4", "h5", "h6"})


def pair_by_aria_labelledby(tree: FormTree) -> list[LabelPair]:
    pairs: list[LabelPair] = []
    for element in tree.controls:
        html_ids = element.attributes.get("aria-labelledby")
        if html_ids and element.is_fillable and tree.is_unpaired(element):
            nodes = [node for html_id in html_ids.split() if (node := tree.nodes_by_html_id.get(html_id)) is not None]
            _pair(tree, pairs, element, element.position, clean_label(" ".join(map(read_node_text, nodes))))
    return pairs


def pair_by_accessible_name(tree: FormTree) -> list[LabelPair]:
    """By `aria-label` and `title`, then by block titles."""
    pairs: list[LabelPair] = []
    for element in _iterate_unpaired(tree):
        names = (clean_label(element.attributes.get(name) or "") for name in ("aria-label", "title"))
        if element.type != "radio":
            _pair(tree, pairs, element, element.position, next(filter(None, names), ""))
    if next(_iterate_unpaired(tree), None) is not None:
        _pair_by_block_title(tree, pairs)
    return pairs


def _iterate_unpaired(tree: FormTree) -> Iterator[ControlElement]:
    return (element for element in tree.controls if element.is_fillable and tree.is_unpaired(element))


def _pair(tree: FormTree, pairs: list[LabelPair], element: ControlElement, position: int, name: str) -> None:
    if label_key(name):
        tree.mark_paired(element)
        pairs.append(LabelPair(position, name, element))


def _pair_by_block_title(tree: FormTree, pairs: list[LabelPair]) -> None:
    """Titles of blocks that hold a single control, or a single group of radio buttons."""
    next_title: dict[int, int] = {}
    """By block the position of its title that comes next in the document."""
    titles = []
    for position, node in reversed(tree.titles):
        parent = node.parent
        if node.tag not in _BLOCK_TITLES or parent is None:
            continue
        block = parent.mem_id
        if block in tree.control_ancestors:
            titles.append((position, next_title.get(block, 1 << 60), node, block))
        next_title[block] = position
    for position, end, node, block in reversed(titles):
        below = islice(
            tree.controls, bisect(tree.control_positions, position), bisect_left(tree.control_positions, end)
        )
        inside = [
            element
            for element in takewhile(lambda element: block in element.ancestors, below)  # noqa: B023 - used at once
            if element.can_be_labelled and not element.is_hidden
        ]
        names = {radio_group_key(element) if element.type == "radio" else element.id for element in inside}
        if len(names) == 1 and inside[0].name and tree.is_unpaired(inside[0]):
            _pair(tree, pairs, inside[0], position, clean_label(read_node_text(node)))
