"""
Labels and controls that share one block: `label input label input`, or `input label input label`. On which side the
labels stand is decided for the whole block, by what comes first; where that doesn't come out even, nothing is decided.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

from selectolax.lexbor import LexborNode

from planso_connector.planso.tree import Element, Label, Tree

_BREAKS = frozenset({"br", "hr"})

_Item = Label | Element | str
"""A label, a control, `T` for words between them, `|` for a line break, `X` for what is settled already."""


def pair_in_sequence(tree: Tree, labels: Sequence[Label]) -> None:
    """Labels that share their block with others."""
    parents: dict[int, None] = {}
    for label in labels:
        if label.target is None and label.depth and not label.doubt and tree.has_free(label.since, label.until):
            parents[label.place.trail[label.depth - 1]] = None
    known = {label.node.mem_id: label for label in labels}
    for parent in parents:
        node = next(_climb(label.node, parent) for label in labels if parent in label.place.trail)
        for segment in _segments(_items(tree, known, node)):
            for line in _lines(segment):
                _pair_line(tree, line)


def _climb(node: LexborNode, wanted: int) -> LexborNode:
    while node.mem_id != wanted and node.parent is not None:
        node = node.parent
    return node


def _items(tree: Tree, known: dict[int, Label], parent: LexborNode) -> Iterable[_Item]:
    for node in parent.iter(include_text=True):
        own = node.mem_id
        if node.is_text_node:
            if any(character.isalnum() for character in node.text_content or ""):
                yield "T"
        elif own in known:
            yield known[own] if known[own].target is None else "X"
        elif own in tree.by_id:
            element = tree.by_id[own]
            if not element.is_hidden and element.can_be_labelled:
                yield element if tree.is_free(element) else "X"
        elif own in tree.holding or own in tree.labelling:
            yield from _items(tree, known, node)
        elif node.tag in _BREAKS:
            yield "|"
        elif node.is_element_node and node.tag != "button" and any(map(str.isalnum, node.text())):
            yield "T"


def _segments(items: Iterable[_Item]) -> list[list[_Item]]:
    segments: list[list[_Item]] = [[]]
    for item in items:
        if item == "X":
            segments.append([])
        else:
            segments[-1].append(item)
    return segments


def _lines(segment: list[_Item]) -> list[list[_Item]]:
    """The segment by its line breaks, as one where they part labels from their controls."""
    lines: list[list[_Item]] = [[]]
    for item in segment:
        if item == "|":
            lines.append([])
        else:
            lines[-1].append(item)
    for line in lines:
        if any(isinstance(item, Label) for item in line) and not any(isinstance(item, Element) for item in line):
            return [[item for item in segment if item != "|"]]
    return lines


def _pair_line(tree: Tree, line: list[_Item]) -> None:
    shape = "".join(item if isinstance(item, str) else "L" if isinstance(item, Label) else "C" for item in line)
    things = [item for item in line if isinstance(item, (Label, Element))]
    plain = shape.replace("T", "")
    if "L" not in plain or "C" not in plain:
        return
    if re.fullmatch("(CL)+", plain):
        _pair(tree, [(label, element) for element, label in zip(things[::2], things[1::2], strict=True)])
    elif plain.startswith("L"):
        _pair(tree, _after(line))
    else:
        _pair(tree, _beside_boxes(line))
        _doubt_neighbours(tree, things)


def _pair(tree: Tree, found: Iterable[tuple[_Item, _Item]]) -> None:
    for label, element in found:
        if isinstance(label, Label) and isinstance(element, Element) and tree.is_free(element):
            label.target = element
            tree.claim(element)


def _after(line: list[_Item]) -> list[tuple[_Item, _Item]]:
    """Each label with the control after it; of several labels in a row, the last where words stand between them."""
    found: list[tuple[_Item, _Item]] = []
    waiting: list[Label] = []
    for at, item in enumerate(line):
        if isinstance(item, Label):
            if line[at - 1] == "T":
                waiting.clear()
            waiting.append(item)
        elif isinstance(item, Element) and waiting:
            if len(waiting) == 1:
                found.append((waiting[0], item))
            else:
                rivals = [later for later in line[at:] if isinstance(later, Element)]
                for label in waiting:
                    label.target, label.rivals = item, tuple(rivals[1:])
                    label.doubt = "several labels stand before it"
            waiting = []
    return found


def _beside_boxes(line: list[_Item]) -> list[tuple[_Item, _Item]]:
    """Labels right after a check box."""
    found: list[tuple[_Item, _Item]] = []
    for before, item in itertools.pairwise(line):
        if isinstance(item, Label) and isinstance(before, Element) and before.type == "checkbox":
            found.append((item, before))
    return found


def _doubt_neighbours(tree: Tree, things: Sequence[Label | Element]) -> None:
    """Labels between controls of which one is left over: each may be named by the label before or after it."""
    for at, label in enumerate(things):
        if not isinstance(label, Label) or label.target is not None:
            continue
        near = [item for item in things[max(0, at - 1) : at + 2] if isinstance(item, Element) and tree.is_free(item)]
        if near:
            label.target, label.rivals, label.doubt = near[0], tuple(near[1:]), "controls stand before and after it"
