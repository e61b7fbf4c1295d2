"""
Pair controls with their columns' headers: a row of headers over rows of controls, in a table or in blocks that are
built like one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.form_tree import ControlElement, FormTree, LabelElement, LabelPair
from planso_connector.planso.pages.nodes import (
    CONTROL_SELECTOR,
    find_ancestor,
    iterate_ancestors,
    iterate_cells,
    read_node_text,
)
from planso_connector.planso.pages.text import clean_label, label_key

_Headers = Mapping[tuple[int, int], LexborNode]
"""Header cells by first column and width."""
_SECTIONS = ("tbody", "thead", "tfoot")


def pair_by_column_header(tree: FormTree, labels: Sequence[LabelElement]) -> list[LabelPair]:
    """Pairs of headers that are plain text; headers that are labels are given their target."""
    rows: dict[int, list[ControlElement]] = defaultdict(list)
    for element in tree.controls:
        if element.row is not None and element.is_fillable and tree.is_unpaired(element):
            rows[element.row].append(element)
    unresolved = {label.node.mem_id: label for label in labels if label.target is None}
    pairs: list[LabelPair] = []
    headers = _HeaderRows(tree)
    for row, elements in rows.items():
        pairs += _pair_row(tree, row, elements, unresolved, headers)
    _pair_blocks(tree, list(unresolved.values()))
    return pairs


def _pair_row(
    tree: FormTree,
    row: int,
    elements: list[ControlElement],
    unresolved: dict[int, LabelElement],
    header_rows: _HeaderRows,
) -> list[LabelPair]:
    node = find_ancestor(elements[0].node, (row,))
    if node is None or row in tree.label_ancestors:
        return []
    cells = list(iterate_cells(node))
    if not _lacks_names(tree, [cell for _, _, cell in cells]):
        return []
    headers = header_rows.find_above(node, has_one_cell=len(cells) == 1)
    by_cell: dict[int, list[ControlElement]] = defaultdict(list)
    for element in elements:
        ancestors = element.ancestors
        by_cell[row if ancestors[-1] == row else ancestors[ancestors.index(row) + 1]].append(element)
    pairs = []
    for column, width, cell in cells:
        inside = by_cell.get(cell.mem_id)
        header = headers.get((column, width))
        if header is None or not inside:
            continue
        label = next((unresolved[n.mem_id] for n in header.css("label") if n.mem_id in unresolved), None)
        if label is not None and label.target is None:
            label.target = inside[0]
        else:
            # Of several rows under one header each has its own pair: the same label twice.
            pairs.append(LabelPair(inside[0].position, clean_label(read_node_text(header)), inside[0]))
        tree.mark_paired(inside[0])
    return pairs


def _lacks_names(tree: FormTree, cells: list[LexborNode]) -> bool:
    """Whether some control of the row has no cell with text before it, which would be its name."""
    has_text_before = False
    for cell in cells:
        if cell.mem_id not in tree.control_ancestors:
            has_text_before = bool(label_key(read_node_text(cell)))
        elif not has_text_before:
            return True
        else:
            has_text_before = False
    return False


class _HeaderRows:
    """The header cells above a row, looked up once for all rows below them."""

    def __init__(self, tree: FormTree) -> None:
        self._tree = tree
        self._found: dict[tuple[int, bool], _Headers] = {}

    def find_above(self, row: LexborNode, *, has_one_cell: bool) -> _Headers:
        """The cells of the nearest row above that holds headers; empty where there is none."""
        passed: list[tuple[int, bool]] = []
        headers: _Headers | None = None
        above = _find_previous_row(row)
        while above is not None and headers is None:
            key = above.mem_id, has_one_cell
            headers = self._found.get(key)
            if headers is None:
                passed.append(key)
                headers = self._read_headers(above, has_one_cell=has_one_cell)
                above = _find_previous_row(above)
        headers = headers or {}
        self._found |= dict.fromkeys(passed, headers)
        return headers

    def _read_headers(self, row: LexborNode, *, has_one_cell: bool) -> _Headers | None:
        if row.mem_id in self._tree.control_ancestors:
            return None
        cells = {(start, width): cell for start, width, cell in iterate_cells(row) if label_key(read_node_text(cell))}
        return cells if len(cells) > 1 or (cells and has_one_cell) else None


def _find_previous_row(row: LexborNode) -> LexborNode | None:
    """The row before, also in the section of the table before this one."""
    node = _skip_back(row.prev, ("tr",))
    section = row.parent
    while node is None and section is not None and section.tag in _SECTIONS:
        section = _skip_back(section.prev, _SECTIONS)
        node = _skip_back(section.last_child, ("tr",)) if section is not None else None
    return node


def _skip_back(node: LexborNode | None, tags: Sequence[str]) -> LexborNode | None:
    """The node, or the nearest sibling before it, that has one of these tags."""
    while node is not None and node.tag not in tags:
        node = node.prev
    return node


def _pair_blocks(tree: FormTree, labels: list[LabelElement]) -> None:
    """A block with nothing but labels, and next to it one with as many controls, pair in order, as in a table."""
    rows: dict[int, tuple[LexborNode, list[LabelElement]]] = {}
    for label in labels:
        if label.duplicate_targets or label.ancestry.row is not None:
            continue
        for node in islice(iterate_ancestors(label.node), 2):
            if node.tag != "form":
                rows.setdefault(node.mem_id, (node, []))[1].append(label)
    for row, headers in rows.values():
        if len(headers) < 2 or row.mem_id in tree.control_ancestors or any(label.target for label in headers):
            continue
        controls = _list_controls_below(tree, row)
        if len(headers) != len(list(row.iter())) or len(headers) != len(controls):
            continue
        for label, element in zip(headers, controls, strict=True):
            if element is not None:
                label.target = element
                tree.mark_paired(element)


def _list_controls_below(tree: FormTree, node: LexborNode) -> list[ControlElement | None]:
    """The control of each block inside the element after `node`, None for a block without a single one."""
    below = node.next
    while below is not None and not below.is_element_node:
        below = below.next
    if below is None or below.mem_id in tree.label_ancestors:
        return []
    return [_find_only_control(tree, block) for block in below.iter()]


def _find_only_control(tree: FormTree, block: LexborNode) -> ControlElement | None:
    """The one unpaired fillable control that a block is or holds."""
    own = tree.controls_by_id.get(block.mem_id)
    inside = [own] if own is not None else [tree.controls_by_id.get(n.mem_id) for n in block.css(CONTROL_SELECTOR)]
    fillable = [element for element in inside if element is not None and element.is_fillable]
    return fillable[0] if len(fillable) == 1 and tree.is_unpaired(fillable[0]) else None
