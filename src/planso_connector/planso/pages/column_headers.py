"""
Heads above controls: a row of heads over rows of controls, in a table or in blocks that are built like one. A control
belongs to the head of its own column.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.form_tree import ControlElement, FormTree, LabelElement
from planso_connector.planso.pages.label_pair import LabelPair
from planso_connector.planso.pages.node_text import read_node_text
from planso_connector.planso.pages.text import clean_label, label_key


class _Cell(NamedTuple):
    node: LexborNode
    column: int
    width: int


def pair_by_column_header(tree: FormTree, labels: Sequence[LabelElement]) -> list[LabelPair]:
    """Pairs of heads that are plain text; heads that are labels are given their target."""
    by_row: dict[int, list[ControlElement]] = defaultdict(list)
    for element in tree.controls:
        if element.row is not None and element.is_open and tree.is_free(element):
            by_row[element.row].append(element)
    unresolved = {label.node.mem_id: label for label in labels if label.target is None}
    pairs: list[LabelPair] = []
    heads = _Heads(tree)
    for row, elements in by_row.items():
        pairs += _pair_row(tree, row, elements, unresolved, heads)
    _pair_blocks(tree, list(unresolved.values()))
    return pairs


def _pair_row(
    tree: FormTree, row: int, elements: list[ControlElement], unresolved: dict[int, LabelElement], known: _Heads
) -> list[LabelPair]:
    node = _ancestor(elements[0].node, row)
    if node is None or row in tree.labelling:
        return []
    cells = _cells(node)
    if not _is_of_controls(tree, cells):
        return []
    heads = known.above(node, has_one_cell=len(cells) == 1)
    by_cell: dict[int, list[ControlElement]] = defaultdict(list)
    for element in elements:
        by_cell[element.trail[element.trail.index(row) + 1] if element.trail[-1] != row else row].append(element)
    pairs = []
    for cell in cells:
        inside = by_cell.get(cell.node.mem_id)
        head = heads.get((cell.column, cell.width))
        if head is None or not inside:
            continue
        label = next((unresolved[n.mem_id] for n in head.css("label") if n.mem_id in unresolved), None)
        if label is not None and label.target is None:
            label.target = inside[0]
        else:
            # Of several rows under one head each has its own pair: the same label twice.
            pairs.append(LabelPair(inside[0].position, clean_label(read_node_text(head)), inside[0]))
        tree.claim(inside[0])
    return pairs


def _ancestor(node: LexborNode, wanted: int) -> LexborNode | None:
    parent = node.parent
    while parent is not None and parent.mem_id != wanted:
        parent = parent.parent
    return parent


def _cells(row: LexborNode) -> list[_Cell]:
    cells, column = [], 0
    for child in row.iter():
        if child.tag in ("td", "th"):
            width = _number(child.attributes.get("colspan"))
            cells.append(_Cell(child, column, width))
            column += width
    return cells


def _number(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"[1-9]\d{0,2}", text) else 1


def _is_of_controls(tree: FormTree, cells: list[_Cell]) -> bool:
    """Whether the row leaves its controls without a name: cells of text before each of them would be one."""
    bare = 0
    text_before = False
    for cell in cells:
        if cell.node.mem_id in tree.holding:
            bare += not text_before
            text_before = False
        else:
            text_before = bool(label_key(read_node_text(cell.node)))
    return bare > 0


_Columns = Mapping[tuple[int, int], LexborNode]
"""Cells by first column and width."""


class _Heads:
    """The cells of the nearest row above a row that names columns, looked up once for all rows below it."""

    def __init__(self, tree: FormTree) -> None:
        self._tree = tree
        self._known: dict[tuple[int, bool], _Columns] = {}

    def above(self, row: LexborNode, *, has_one_cell: bool) -> _Columns:
        passed: list[tuple[int, bool]] = []
        found: _Columns | None = None
        above = _previous_row(row)
        while above is not None and found is None:
            key = above.mem_id, has_one_cell
            found = self._known.get(key)
            if found is None:
                passed.append(key)
                found = self._named(above, has_one_cell=has_one_cell)
                above = _previous_row(above)
        found = found or {}
        self._known |= dict.fromkeys(passed, found)
        return found

    def _named(self, row: LexborNode, *, has_one_cell: bool) -> _Columns | None:
        if row.mem_id in self._tree.holding:
            return None
        cells = [cell for cell in _cells(row) if label_key(read_node_text(cell.node))]
        if len(cells) > 1 or (cells and has_one_cell):
            return {(cell.column, cell.width): cell.node for cell in cells}
        return None


def _previous_row(row: LexborNode) -> LexborNode | None:
    """The row before, also in the section of the table before this one."""
    node = row.prev
    while node is not None and node.tag != "tr":
        node = node.prev
    section = row.parent
    while node is None and section is not None and section.tag in ("tbody", "thead", "tfoot"):
        section = section.prev
        while section is not None and section.tag not in ("tbody", "thead", "tfoot"):
            section = section.prev
        node = section.last_child if section is not None else None
        while node is not None and node.tag != "tr":
            node = node.prev
    return node


def _pair_blocks(tree: FormTree, labels: list[LabelElement]) -> None:
    """A block with nothing but labels, and beside it one with as many controls: in order, as in a table."""
    rows: dict[int, list[LabelElement]] = defaultdict(list)
    nodes: dict[int, LexborNode] = {}
    for label in labels:
        parent = label.node.parent
        for node in (parent, parent.parent if parent is not None else None):
            if node is not None and not label.copies and label.place.row is None and node.tag != "form":
                rows[node.mem_id].append(label)
                nodes[node.mem_id] = node
    for row, heads in rows.items():
        if len(heads) < 2 or row in tree.holding or any(label.target for label in heads):
            continue
        count = len(list(nodes[row].iter()))
        if len(heads) != count:
            continue
        below = nodes[row].next
        while below is not None and not below.is_element_node:
            below = below.next
        blocks = list(below.iter()) if below is not None and below.mem_id not in tree.labelling else []
        controls = [_only_control(tree, block) for block in blocks]
        if len(controls) != count:
            continue
        for label, element in zip(heads, controls, strict=True):
            if element is not None:
                label.target = element
                tree.claim(element)


def _only_control(tree: FormTree, block: LexborNode) -> ControlElement | None:
    """The one open control that a block is or holds."""
    own = tree.by_id.get(block.mem_id)
    if own is not None:
        inside = [own]
    else:
        inside = [tree.by_id[node.mem_id] for node in block.css("input,select,textarea") if node.mem_id in tree.by_id]
    inside = [element for element in inside if element.is_open]
    return inside[0] if len(inside) == 1 and tree.is_free(inside[0]) else None
