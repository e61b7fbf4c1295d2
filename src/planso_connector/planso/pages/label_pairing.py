"""
Which label belongs to which control. A label finds its control, in this order:

1. by `for`, by holding it, by `aria-labelledby`;
2. by standing before it in its own block (the widest ancestor with no other label), or after it;
3. as the head of its column in a grid (`grid`);
4. as the text of the table cell, `dt` or block before the control, where there is no `<label>` at all;
5. by standing before or after it among other labels in one common block (`sequence`);
6. as `aria-label`, `title`, or the title of a block that holds this control alone (`captions`).

Where the markup leaves two controls to choose from, the pair says so (`doubt`, `rivals`): nothing is guessed. Labels of
single radio buttons are the buttons' words, not fields. Source: the PlanSo protocol's section 3, which promises blocks
of a label and a control and no more.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.accessible_names import pair_by_accessible_name, pair_by_aria_labelledby
from planso_connector.planso.pages.ambiguity import mark_ambiguities
from planso_connector.planso.pages.column_headers import pair_by_column_header
from planso_connector.planso.pages.form_tree import (
    ControlElement,
    FormTree,
    LabelElement,
    count_shared_ancestors,
    radio_group_key,
)
from planso_connector.planso.pages.label_pair import LabelPair
from planso_connector.planso.pages.label_sequence import pair_in_sequence
from planso_connector.planso.pages.node_text import BREAKS, CONTROLS, read_label
from planso_connector.planso.pages.text import clean_label, label_key

_NO_LABELS = frozenset({"legend", "h1", "h2", "h3", "h4", "h5", "h6", "button", "a", "script", "style", "thead"})
_STOPS = _NO_LABELS | CONTROLS | {"label"}
_FENCES = frozenset({"form", "body", "fieldset", "table", "tbody", "html"})
_YES_WORDS = frozenset({"ja", "yes", "aktiv", "an"})
_REMARK = re.compile(r"\b(error|invalid|help|hint)\b", re.IGNORECASE)
"""Classes of a second label that says something about the control, such as what is wrong with it."""
_LEVELS = 4
_LOOKED_AT = 200
"""Siblings before a control among which its text is looked for."""
_Ids = Mapping[tuple[int | None, str], Sequence[ControlElement]]


@dataclass(frozen=True)
class Pairing:
    """`pairs` in document order of the labels; `choices`: a radio button's id to its words."""

    controls: list[ControlElement]
    pairs: list[LabelPair]
    choices: dict[int, str]
    copied_ids: tuple[str, ...]


def pair_labels(tree: FormTree) -> Pairing:
    ids = _ids(tree)
    # Tuples, because many labels can name the same ones.
    labels = _field_labels(tree, {key: tuple(e for e in held if e.can_be_labelled) for key, held in ids.items()})
    pairs = pair_by_aria_labelledby(tree)
    _by_block(tree, labels, within_row=True)
    pairs += pair_by_column_header(tree, labels)
    shared = _shared_blocks(tree, labels)
    pairs += _by_text(tree, shared)
    _by_block(tree, labels, within_row=False)
    pair_in_sequence(tree, labels)
    if shared:
        pairs += _by_text(tree, frozenset())
    if any(element.is_open and element.id not in tree.claimed for element in tree.controls):
        pairs += pair_by_accessible_name(tree)
    pairs += [
        LabelPair(label.position, label.text, label.target, label.full_text, label.rivals, label.doubt)
        for label in labels
        if label.target is not None
    ]
    pairs.sort(key=lambda pair: pair.position)
    copied = {own_id for (form, own_id), elements in ids.items() if form is None and len(elements) > 1}
    return Pairing(tree.controls, mark_ambiguities(tree, labels, pairs), tree.choices, tuple(sorted(copied)))


def _ids(tree: FormTree) -> _Ids:
    """The controls that bear an id, by form and id, and by id alone."""
    ids: dict[tuple[int | None, str], list[ControlElement]] = defaultdict(list)
    for element in tree.controls:
        own_id = element.attributes.get("id")
        if own_id:
            ids[None, own_id].append(element)
            if element.form is not None:
                ids[element.form, own_id].append(element)
    return ids


def _field_labels(tree: FormTree, ids: _Ids) -> list[LabelElement]:
    """The labels that name fields, with those targets that `for` (by `ids`) and nesting tell."""
    for label in tree.labels:
        _read_label(tree, label, ids)
    targeting = Counter(
        radio_group_key(label.target)
        for label in tree.labels
        if label.target is not None and label.target.type == "radio"
    )
    labels = []
    for label in tree.labels:
        target = label.target
        if target is not None and target.type == "radio" and targeting[radio_group_key(target)] > 1:
            tree.choices[target.id] = label.text
        elif target is not None and target.type == "checkbox" and label_key(label.text) in _YES_WORDS:
            tree.choices[target.id] = label.text
            label.target = None
        elif label_key(label.text):
            labels.append(label)
    tree.naming = {label.node.mem_id for label in labels}
    _bare_choices(tree)
    if any(label.is_explicit for label in labels):
        labels = _without_remarks(labels)
    _meet(tree, labels)
    _release_shared(labels)
    for label in labels:
        if label.target is not None:
            tree.claim(label.target)
    return labels


def _read_label(tree: FormTree, label: LabelElement, ids: _Ids) -> None:
    node = label.node
    first = node.first_child
    nested: list[ControlElement] = []
    if first is not None and first.next is None and first.is_text_node:
        label.text = label.full_text = clean_label(first.text_content or "")
    else:
        label.text, label.full_text = read_label(node)
        inside = [tree.by_id[inner.mem_id] for inner in node.css("input,select,textarea") if inner.mem_id in tree.by_id]
        nested = [element for element in inside if element.can_be_labelled]
    wanted = node.attributes.get("for")
    if wanted:
        named = ids.get((label.place.form, wanted)) or ids.get((None, wanted)) or ()
        if len(named) == 1:
            label.target, label.is_explicit = named[0], True
        elif not nested:
            label.copies = named
    if label.target is None and nested:
        label.target, label.is_explicit = _preferred(nested), True


def _without_remarks(labels: list[LabelElement]) -> list[LabelElement]:
    """Without the error messages and hints that are labels of controls which other labels name."""
    named = Counter(label.target.id for label in labels if label.target is not None and label.is_explicit)
    return [
        label
        for label in labels
        if label.target is None
        or named[label.target.id] < 2
        or not _REMARK.search(label.node.attributes.get("class") or "")
    ]


def _release_shared(labels: list[LabelElement]) -> None:
    """Of several labels that name one control, those in other blocks look for another: the `for` was copied."""
    by_target: dict[int, list[LabelElement]] = defaultdict(list)
    for label in labels:
        if label.is_explicit and label.target is not None and label.target.type != "radio":
            by_target[label.target.id].append(label)
    for sharing in by_target.values():
        target = sharing[0].target
        if len(sharing) < 2 or target is None:
            continue
        own = [label for label in sharing if label.is_own(target) or _is_inside(label, target)]
        for label in sharing if len(own) == 1 else ():
            if label is not own[0]:
                label.copies, label.target, label.is_explicit = (target,), None, False


def _is_inside(label: LabelElement, element: ControlElement) -> bool:
    return label.node.mem_id in element.trail


def _bare_choices(tree: FormTree) -> None:
    """The words of radio buttons without a label of their own: the text that follows up to the next element."""
    for element in tree.controls:
        if element.type != "radio" or element.id in tree.choices:
            continue
        words, node = [], element.node.next
        while node is not None and (node.tag or "") not in CONTROLS | BREAKS | {"label"}:
            if node.is_text_node:
                words.append(node.text_content or "")
            elif node.is_element_node:
                words.append(node.text())
            node = node.next
        tree.choices[element.id] = clean_label("".join(words)) or element.attributes.get("aria-label") or ""


def _preferred(elements: Iterable[ControlElement]) -> ControlElement | None:
    """The first visible one that is sent, else a hidden one that is, else a visible one that is not."""
    hidden = unnamed = None
    for element in elements:
        if element.name and not element.is_hidden:
            return element
        if element.name:
            hidden = hidden or element
        else:
            unnamed = unnamed or element
    return hidden or unnamed


def _meet(tree: FormTree, labels: list[LabelElement]) -> None:
    """Tells neighbours of each other."""
    at, end, positions = 0, len(tree.controls), tree.positions
    for label in labels:
        while at < end and positions[at] < label.position:
            at += 1
        label.at, label.until = at, end
    for one, other in pairwise(labels):
        one.until, other.since = other.at, one.at
        other.depth = count_shared_ancestors(one.place.trail, other.place.trail)
        one.depth = max(one.depth, other.depth)


def _by_block(tree: FormTree, labels: list[LabelElement], *, within_row: bool) -> None:
    """Labels whose own block holds a control, after them or else before them."""
    for label in labels:
        if label.target is not None:
            continue
        trail, row = label.place.trail, label.place.row
        depth = max(label.depth, len(trail) - _LEVELS - 1)
        if depth >= len(trail):
            continue
        if within_row and row is not None:
            depth = max(depth, trail.index(row))
        block = trail[depth]
        after = tree.free_in(label.at, label.until, depth, block) if label.at < label.until else []
        # Most often just the neighbour's control stands before it.
        is_neighbours = label.at - label.since == 1 and tree.controls[label.since].id in tree.claimed
        has_before = label.since < label.at and not is_neighbours
        before = tree.free_in(label.since, label.at, depth, block) if has_before else []
        target = _chosen(tree, label, after, before) if before else _preferred(_nearest(label, after))
        if target is not None:
            label.target = target
            tree.claim(target)


def _chosen(
    tree: FormTree, label: LabelElement, after: list[ControlElement], before: list[ControlElement]
) -> ControlElement | None:
    """The control of a block that has some before its label as well; where both are as near, it can't be told."""
    depth = max(_depth(label, after), _depth(label, before))
    open_after, open_before = (
        [
            element
            for element in side
            if element.is_open and count_shared_ancestors(label.place.trail, element.trail) == depth
        ]
        for side in (after, before)
    )
    if not open_before:
        return _preferred(_nearest(label, after))
    box = open_before[-1]
    is_alone = len(open_before) == 1 and _text_before(tree, box) is None
    if not open_after and (is_alone or box.type == "checkbox"):
        return box
    label.doubt = "controls stand before and after it" if open_after else "the control before it has other words too"
    candidates = [*open_after, *open_before]
    label.rivals = tuple(candidates[1:])
    return candidates[0]


def _nearest(label: LabelElement, elements: list[ControlElement]) -> list[ControlElement]:
    """Those in the narrowest block that holds the label and a control to see."""
    if len(elements) < 2:
        return elements
    depth = _depth(label, elements)
    return [element for element in elements if count_shared_ancestors(label.place.trail, element.trail) >= depth]


def _depth(label: LabelElement, elements: list[ControlElement]) -> int:
    """How many ancestors the label shares with the nearest open control."""
    return max(
        (count_shared_ancestors(label.place.trail, element.trail) for element in elements if element.is_open), default=0
    )


def _shared_blocks(tree: FormTree, labels: list[LabelElement]) -> frozenset[int]:
    """The blocks in which labels without a control stand beside controls without a label."""
    return frozenset(
        label.place.trail[label.depth - 1]
        for label in labels
        if label.target is None and label.depth and tree.has_free(label.since, label.until)
    )


def _by_text(tree: FormTree, shared: frozenset[int]) -> list[LabelPair]:
    """Pairs of a control and the text before it, where no label stands at it, nor beside it in a `shared` block."""
    used: set[int] = set()
    pairs: list[LabelPair] = []
    free = [e for e in tree.controls if e.id not in tree.claimed and e.name and e.can_be_labelled]
    free = [element for element in free if tree.naming.isdisjoint(element.trail)]
    if shared:
        free = [element for element in free if shared.isdisjoint(element.trail[-2:])]
    for element in sorted(free, key=lambda e: e.is_hidden):
        found = _text_before(tree, element) if element.id not in tree.claimed else None
        if found is None or found[0] in used or not label_key(found[1]):
            continue
        used.add(found[0])
        tree.claim(element)
        pairs.append(LabelPair(element.position, found[1], element))
    return pairs


def _text_before(tree: FormTree, element: ControlElement) -> tuple[int, str] | None:
    """The nearest text before a control, not beyond another control or a label: its node's id, and it."""
    node: LexborNode | None = _outermost_label(tree, element.node)
    for _ in range(3):
        words: list[str] = []
        mark = 0
        previous = node.prev if node is not None else None
        for _ in range(_LOOKED_AT):
            if previous is None:
                break
            tag = previous.tag or ""
            if previous.is_text_node:
                text = previous.text_content or ""
            elif not previous.is_element_node or _says_nothing(tree, previous, tag):
                previous = previous.prev
                continue
            elif tag in _STOPS or tree.holds_fields(previous):
                return (mark, clean_label("".join(words))) if words and tag != "label" else None
            else:
                text = tree.text(previous)
            if label_key(text):
                words.insert(0, text)
                mark = previous.mem_id
            if words and tag in BREAKS:
                break
            previous = previous.prev
        if words:
            return mark, clean_label("".join(words))
        node = node.parent if node is not None else None
        if node is None or (node.tag or "") in _FENCES or node.mem_id in tree.naming:
            return None
    return None


def _outermost_label(tree: FormTree, node: LexborNode) -> LexborNode:
    """The label without words of its own that holds a control (a switch, a radio button's), else the control."""
    parent, found = node.parent, node
    for _ in range(_LEVELS):
        if parent is not None and parent.tag == "label" and parent.mem_id not in tree.naming:
            found = parent
        parent = parent.parent if parent is not None else None
    return found


def _says_nothing(tree: FormTree, node: LexborNode, tag: str) -> bool:
    """Whether it is a hidden input that no label names, or a label without words."""
    if tag == "label":
        return node.mem_id not in tree.naming and not label_key(node.text()) and node.mem_id not in tree.holding
    element = tree.by_id.get(node.mem_id)
    return element is not None and element.is_hidden and element.id not in tree.claimed
