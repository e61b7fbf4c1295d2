"""
Pair labels and controls that share one block: `label input label input`, or `input label input label`. On which side
the labels are is decided for the whole block, by what comes first; where that doesn't come out even, it is ambiguous.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, takewhile

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.form_tree import ControlElement, FormTree, LabelElement
from planso_connector.planso.pages.nodes import find_ancestor

_TEXT, _LINE_BREAK, _SETTLED = "T", "|", "X"
_Item = LabelElement | ControlElement | str
"""A label, a control, or one of these: text between them, a line break, something that is paired already."""
_EVEN = {"label first": re.compile("(LC)+"), "control first": re.compile("(CL)+")}


def pair_in_sequence(tree: FormTree, labels: Sequence[LabelElement]) -> None:
    """Set the targets of labels that share their block with others."""
    blocks: dict[int, LabelElement] = {}
    for label in labels:
        is_open = label.target is None and label.shared_depth and not label.ambiguity
        if is_open and tree.has_unpaired(label.start, label.end):
            blocks.setdefault(label.ancestry.ancestors[label.shared_depth - 1], label)
    by_id = {label.node.mem_id: label for label in labels}
    for block_id, label in blocks.items():
        block = find_ancestor(label.node, (block_id,))
        for segment in _split(_list_items(tree, by_id, block), _SETTLED) if block is not None else ():
            _pair_segment(tree, segment)


def _list_items(tree: FormTree, labels: dict[int, LabelElement], block: LexborNode) -> Iterator[_Item]:
    for node in block.iter(include_text=True):
        node_id = node.mem_id
        if node.is_text_node:
            if any(map(str.isalnum, node.text_content or "")):
                yield _TEXT
        elif node_id in labels:
            yield labels[node_id] if labels[node_id].target is None else _SETTLED
        elif node_id in tree.controls_by_id:
            element = tree.controls_by_id[node_id]
            if not element.is_hidden and element.can_be_labelled:
                yield element if tree.is_unpaired(element) else _SETTLED
        elif node_id in tree.control_ancestors or node_id in tree.label_ancestors:
            yield from _list_items(tree, labels, node)
        elif node.tag in ("br", "hr"):
            yield _LINE_BREAK
        elif node.is_element_node and node.tag != "button" and any(map(str.isalnum, node.text())):
            yield _TEXT


def _split(items: Iterable[_Item], separator: str) -> list[list[_Item]]:
    parts: list[list[_Item]] = [[]]
    for item in items:
        if item == separator:
            parts.append([])
        else:
            parts[-1].append(item)
    return parts


def _pair_segment(tree: FormTree, segment: list[_Item]) -> None:
    """Where the whole comes out even, and its lines too, both must say the same."""
    as_whole = _pair_evenly(segment)
    as_lines = _pair_lines(segment)
    pairs = as_whole if as_lines is None else as_lines
    if pairs is not None and (as_whole is None or as_lines is None or as_whole == as_lines):
        for label, element in pairs:
            _set_target(tree, label, element)
    elif as_whole is None:
        _pair_unevenly(tree, segment)
    else:
        _mark_neighbours(tree, segment)


def _set_target(tree: FormTree, label: LabelElement, element: ControlElement) -> None:
    label.target = element
    tree.mark_paired(element)


def _pair_evenly(items: Sequence[_Item]) -> list[tuple[LabelElement, ControlElement]] | None:
    """The pairs where labels and controls alternate; controls without a name count only if it comes out even so."""
    elements = [item for item in items if not isinstance(item, str)]
    named = [item for item in elements if isinstance(item, LabelElement) or item.name]
    for sequence, order in ((named, "label first"), (named, "control first"), (elements, "label first")):
        shape = "".join("L" if isinstance(item, LabelElement) else "C" for item in sequence)
        if _EVEN[order].fullmatch(shape):
            labels = [item for item in sequence if isinstance(item, LabelElement)]
            controls = [item for item in sequence if isinstance(item, ControlElement)]
            return list(zip(labels, controls, strict=True))
    return None


def _pair_lines(segment: list[_Item]) -> list[tuple[LabelElement, ControlElement]] | None:
    """
    The pairs of all lines, where several have labels, all on one side. Lines without a label, or with a label and text
    alone, have none.
    """
    pairs: list[tuple[LabelElement, ControlElement]] = []
    label_first: list[bool] = []
    for line in _split(segment, _LINE_BREAK):
        if not any(isinstance(item, LabelElement) for item in line):
            continue
        if not any(isinstance(item, ControlElement) for item in line) and line[-1] == _TEXT:
            continue
        found = _pair_evenly(line)
        if found is None:
            return None
        label_first.append(found[0][0].position < found[0][1].position)
        pairs += found
    return pairs if len(label_first) > 1 and len(set(label_first)) == 1 else None


def _pair_unevenly(tree: FormTree, segment: list[_Item]) -> None:
    """Pair check boxes right before their labels, and labels that come first with something left over."""
    items = [item for item in segment if item != _LINE_BREAK]
    first = next((item for item in items if item != _TEXT), None)
    if not isinstance(first, LabelElement):
        for before, item in pairwise(items):
            is_box = isinstance(before, ControlElement) and before.type == "checkbox" and tree.is_unpaired(before)
            if is_box and isinstance(item, LabelElement) and isinstance(before, ControlElement):
                _set_target(tree, item, before)
        _mark_neighbours(tree, segment)
        return
    waiting: list[LabelElement] = []
    for index, item in enumerate(items):
        if isinstance(item, LabelElement):
            if index and items[index - 1] == _TEXT:
                waiting.clear()  # a label with text after it shows a value, and has no control
            waiting.append(item)
        elif isinstance(item, ControlElement) and waiting:
            _pair_run(tree, waiting, items[index:])
            waiting = []


def _pair_run(tree: FormTree, labels: list[LabelElement], items: Sequence[_Item]) -> None:
    """One label before a run of controls has the first that is sent, else the first; several are ambiguous."""
    run = takewhile(lambda item: not isinstance(item, LabelElement), items)
    controls = [item for item in run if isinstance(item, ControlElement)]
    if len(labels) == 1:
        _set_target(tree, labels[0], next((element for element in controls if element.name), controls[0]))
        return
    alternatives = tuple(controls[1:])
    for label in labels:
        label.target, label.alternatives = controls[0], alternatives
        label.ambiguity = "several labels come before it"


def _mark_neighbours(tree: FormTree, segment: Sequence[_Item]) -> None:
    """Mark labels between controls of which one is left over: each may name the control before or after it."""
    elements = [item for item in segment if not isinstance(item, str)]
    for index, label in enumerate(elements):
        if not isinstance(label, LabelElement) or label.target is not None:
            continue
        before = takewhile(lambda item: isinstance(item, ControlElement), reversed(elements[:index]))
        after = takewhile(lambda item: isinstance(item, ControlElement), elements[index + 1 :])
        near = [item for item in (*before, *after) if isinstance(item, ControlElement) and tree.is_unpaired(item)]
        if near:
            label.target, label.alternatives = near[0], tuple(near[1:])
            label.ambiguity = "controls come before and after it"
