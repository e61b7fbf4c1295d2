"""
Names of controls without a label of their own: `aria-label`, `aria-labelledby`, `title`, and the title of a block (a
legend, a heading) that holds this control alone. A placeholder is no name: it vanishes under the value.
"""

from __future__ import annotations

from bisect import bisect, bisect_left
from itertools import islice, takewhile

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.form_tree import ControlElement, FormTree, radio_group_key
from planso_connector.planso.pages.label_pair import LabelPair
from planso_connector.planso.pages.node_text import read_node_text
from planso_connector.planso.pages.text import clean_label, label_key

_BLOCK_TITLES = frozenset({"legend", "h1", "h2", "h3", "h4", "h5", "h6"})


def pair_by_accessible_name(tree: FormTree) -> list[LabelPair]:
    """Pairs for the controls that are still without a name."""
    pairs = []
    for element in tree.controls:
        if not element.is_open or not tree.is_free(element) or element.type == "radio":
            continue
        caption = _caption(element)
        if label_key(caption):
            tree.claim(element)
            pairs.append(LabelPair(element.position, caption, element))
    if any(element.is_open and tree.is_free(element) for element in tree.controls):
        pairs += _titled(tree)
    return pairs


def pair_by_aria_labelledby(tree: FormTree) -> list[LabelPair]:
    """Pairs of controls that name their label themselves, by `aria-labelledby`."""
    pairs = []
    for element in tree.controls:
        if "aria-labelledby" not in element.attributes or not element.is_open or not tree.is_free(element):
            continue
        ids = (element.attributes["aria-labelledby"] or "").split()
        nodes = [tree.with_id.get(own_id) for own_id in ids]
        words = clean_label(" ".join(read_node_text(node) for node in nodes if node is not None))
        if label_key(words):
            tree.claim(element)
            pairs.append(LabelPair(element.position, words, element))
    return pairs


def _caption(element: ControlElement) -> str:
    return clean_label(element.attributes.get("aria-label") or "") or clean_label(element.attributes.get("title") or "")


def _titled(tree: FormTree) -> list[LabelPair]:
    """Titles of blocks that hold a single control, or a single group of radio buttons."""
    pairs = []
    ends: dict[int, int] = {}
    titles: list[tuple[int, int, LexborNode, int]] = []
    for position, node in reversed(tree.titles):
        parent = node.parent
        if node.tag not in _BLOCK_TITLES or parent is None:
            continue
        block = parent.mem_id
        if block in tree.holding:
            titles.append((position, ends.get(block, 1 << 60), node, block))
        ends[block] = position
    for position, end, node, block in reversed(titles):
        later = islice(tree.controls, bisect(tree.positions, position), bisect_left(tree.positions, end))
        inside = [
            element
            for element in takewhile(lambda element: block in element.trail, later)  # noqa: B023 - used at once
            if element.can_be_labelled and not element.is_hidden
        ]
        names = {radio_group_key(element) if element.type == "radio" else element.id for element in inside}
        words = clean_label(read_node_text(node))
        if len(names) == 1 and inside[0].name and tree.is_free(inside[0]) and label_key(words):
            tree.claim(inside[0])
            pairs.append(LabelPair(position, words, inside[0]))
    return pairs
