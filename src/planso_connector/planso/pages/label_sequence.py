"""
Labels and controls that share one block: `label input label input`, or `input label input label`. On which side the
labels stand is decided for the whole block, by what comes first; where that doesn't come out even, nothing is decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise, takewhile

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.form_tree import ControlElement, FormTree, LabelElement

_BREAKS = frozenset({"br", "hr"})

_LABEL_FIRST = re.compile("(LC)+")
_CONTROL_FIRST = re.compile("(CL)+")

_Item = LabelElement | ControlElement | str
"""A label, a control, `T` for words between them, `|` for a line break, `X` for what is settled already."""


def pair_in_sequence(tree: FormTree, labels: Sequence[LabelElement]) -> None:
    """Labels that share their block with others."""
    parents: dict[int, LabelElement] = {}
    for label in labels:
        if label.target is None and label.depth and not label.doubt and tree.has_free(label.since, label.until):
            parents.setdefault(label.place.trail[label.depth - 1], label)
    known = {label.node.mem_id: label for label in labels}
    for parent, inner in parents.items():
        for segment in _segments(_items(tree, known, _climb(inner.node, parent))):
            _pair_segment(tree, segment)


def _climb(node: LexborNode, wanted: int) -> LexborNode:
    while node.mem_id != wanted and node.parent is not None:
        node = node.parent
    return node


def _items(tree: FormTree, known: dict[int, LabelElement], parent: LexborNode) -> Iterable[_Item]:
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


def _pair_segment(tree: FormTree, segment: list[_Item]) -> None:
    """Where the whole comes out even, and its lines too, both must say the same."""
    as_whole = _even([item for item in segment if item not in ("|", "T")])
    as_lines = _even_lines(segment)
    found = as_whole if as_lines is None else as_lines
    if found is not None and (as_whole is None or as_lines is None or as_whole == as_lines):
        for label, element in found:
            label.target = element
            tree.claim(element)
    elif as_whole is None:
        _pair_unevenly(tree, segment)
    else:
        _doubt_neighbours(tree, segment)


def _even(items: Sequence[_Item]) -> list[tuple[LabelElement, ControlElement]] | None:
    """Pairs of `label control label control`, or of `control label control label`; unnamed controls don't count."""
    things = [
        item for item in items if isinstance(item, LabelElement) or (isinstance(item, ControlElement) and item.name)
    ]
    shape = "".join("L" if isinstance(item, LabelElement) else "C" for item in things)
    if _LABEL_FIRST.fullmatch(shape):
        labels, elements = things[::2], things[1::2]
    elif _CONTROL_FIRST.fullmatch(shape):
        labels, elements = things[1::2], things[::2]
    else:
        things = [item for item in items if not isinstance(item, str)]
        shape = "".join("L" if isinstance(item, LabelElement) else "C" for item in things)
        if not _LABEL_FIRST.fullmatch(shape):
            return None
        labels, elements = things[::2], things[1::2]
    return [
        (label, element)
        for label, element in zip(labels, elements, strict=True)
        if isinstance(label, LabelElement) and isinstance(element, ControlElement)
    ]


def _even_lines(segment: list[_Item]) -> list[tuple[LabelElement, ControlElement]] | None:
    """
    The pairs of all lines, where several have labels, all on one side. Lines without a label, or with a label and
    words, have none.
    """
    lines: list[list[_Item]] = [[]]
    for item in segment:
        if item == "|":
            lines.append([])
        else:
            lines[-1].append(item)
    if len(lines) < 2:
        return None
    found: list[tuple[LabelElement, ControlElement]] = []
    is_first: list[bool] = []
    for line in lines:
        if not any(isinstance(item, LabelElement) for item in line):
            continue
        if not any(isinstance(item, ControlElement) for item in line) and line[-1] == "T":
            continue
        pairs = _even(line)
        if pairs is None:
            return None
        is_first.append(pairs[0][0].position < pairs[0][1].position)
        found += pairs
    return found if len(is_first) > 1 and len(set(is_first)) == 1 else None


def _pair_unevenly(tree: FormTree, segment: list[_Item]) -> None:
    """What does not come out even: check boxes right before their labels, and labels first with something left over."""
    things = [item for item in segment if item not in ("|", "T")]
    if not things or not isinstance(things[0], LabelElement):
        for before, item in pairwise(item for item in segment if item != "|"):
            is_box = isinstance(before, ControlElement) and before.type == "checkbox" and tree.is_free(before)
            if is_box and isinstance(item, LabelElement) and isinstance(before, ControlElement):
                item.target = before
                tree.claim(before)
        _doubt_neighbours(tree, segment)
        return
    waiting: list[LabelElement] = []
    items = [item for item in segment if item != "|"]
    for at, item in enumerate(items):
        if isinstance(item, LabelElement):
            if at and items[at - 1] == "T":
                # A label with words after it shows a value, and has no control.
                waiting.clear()
            waiting.append(item)
        elif isinstance(item, ControlElement) and waiting:
            _pair_run(tree, waiting, items[at:])
            waiting = []


def _pair_run(tree: FormTree, labels: list[LabelElement], items: Sequence[_Item]) -> None:
    """A label and the controls up to the next label: the first that is sent, else the first; several are doubtful."""
    run = [
        item
        for item in takewhile(lambda item: not isinstance(item, LabelElement), items)
        if isinstance(item, ControlElement)
    ]
    target = next((element for element in run if element.name), run[0])
    if len(labels) == 1:
        labels[0].target = target
        tree.claim(target)
        return
    rivals = tuple(run[1:])
    for label in labels:
        label.target, label.rivals = run[0], rivals
        label.doubt = "several labels stand before it"


def _doubt_neighbours(tree: FormTree, segment: Sequence[_Item]) -> None:
    """Labels between controls of which one is left over: each may be named by the label before or after it."""
    things = [item for item in segment if not isinstance(item, str)]
    for at, label in enumerate(things):
        if not isinstance(label, LabelElement) or label.target is not None:
            continue
        before = takewhile(lambda item: isinstance(item, ControlElement), reversed(things[:at]))
        after = takewhile(lambda item: isinstance(item, ControlElement), things[at + 1 :])
        near = [item for item in (*before, *after) if isinstance(item, ControlElement) and tree.is_free(item)]
        if near:
            label.target, label.rivals, label.doubt = near[0], tuple(near[1:]), "controls stand before and after it"
