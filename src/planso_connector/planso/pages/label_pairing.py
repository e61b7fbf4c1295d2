"""
Find the control that each label names. In this order a label finds its control:

1. by `for`, by holding it, by `aria-labelledby`;
2. by coming before it in its own block (the widest ancestor with no other label), or after it;
3. as its column's header (`column_headers`);
4. as the text of the table cell, `dt` or block before the control, where there is no `<label>` at all;
5. by coming before or after it among other labels in one block (`label_sequence`);
6. as `aria-label`, `title`, or the title of a block that holds this control alone (`accessible_names`).

Where the markup leaves several controls to choose from, the pair says so (`ambiguity`, `alternatives`): nothing is
guessed. Labels of single radio buttons are the buttons' text and name no field. Source: the PlanSo protocol's section
3, which promises blocks of a label and a control and no more.
"""

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
    LabelPair,
    count_shared_ancestors,
    radio_group_key,
)
from planso_connector.planso.pages.label_sequence import pair_in_sequence
from planso_connector.planso.pages.nodes import BLOCK_TAGS, CONTROL_SELECTOR, CONTROL_TAGS, read_label
from planso_connector.planso.pages.text import clean_label, label_key

_NO_TEXT_BEYOND = CONTROL_TAGS | {
    "legend", "h1", "h2", "h3", "h4", "h5", "h6", "button", "a", "script", "style", "thead", "label"
}  # fmt: skip
"""Elements beyond which no text belongs to the control."""
_OUTER_BLOCKS = frozenset({"form", "body", "fieldset", "table", "tbody", "html"})
_YES_WORDS = frozenset({"ja", "yes", "aktiv", "an"})
_REMARK_CLASS = re.compile(r"\b(error|invalid|help|hint)\b", re.IGNORECASE)
"""Classes of a second label that remarks on the control, such as on what is wrong with it."""
_MAX_LEVELS = 4
_MAX_SIBLINGS = 200
"""Siblings before a control among which its text is looked for."""


@dataclass(frozen=True)
class Pairing:
    """`pairs` in document order of the labels; `radio_labels`: the text of radio buttons by their ids."""

    pairs: list[LabelPair]
    radio_labels: dict[int, str]
    copied_ids: tuple[str, ...]


def pair_labels(tree: FormTree) -> Pairing:
    by_html_id = _group_by_html_id(tree)
    # Tuples, because many labels can name the same ones.
    labels = _pair_explicit(tree, {key: tuple(e for e in es if e.can_be_labelled) for key, es in by_html_id.items()})
    pairs = pair_by_aria_labelledby(tree)
    _pair_by_block(tree, labels, within_row=True)
    pairs += pair_by_column_header(tree, labels)
    shared = _find_shared_blocks(tree, labels)
    pairs += _pair_by_text(tree, shared)
    _pair_by_block(tree, labels, within_row=False)
    pair_in_sequence(tree, labels)
    if shared:
        pairs += _pair_by_text(tree, frozenset())
    if tree.has_unpaired(0, len(tree.controls)):
        pairs += pair_by_accessible_name(tree)
    pairs += [
        LabelPair(label.position, label.text, label.target, label.full_text, label.alternatives, label.ambiguity)
        for label in labels
        if label.target is not None
    ]
    pairs.sort(key=lambda pair: pair.position)
    copied = sorted(key for (form, key), elements in by_html_id.items() if form is None and len(elements) > 1)
    return Pairing(mark_ambiguities(tree, labels, pairs), tree.radio_labels, tuple(copied))


def _group_by_html_id(tree: FormTree) -> Mapping[tuple[int | None, str], Sequence[ControlElement]]:
    """The controls of each `id`, by form and id, and by None and id for the whole page."""
    groups: dict[tuple[int | None, str], list[ControlElement]] = defaultdict(list)
    for element in tree.controls:
        html_id = element.attributes.get("id")
        if html_id:
            groups[None, html_id].append(element)
            if element.form is not None:
                groups[element.form, html_id].append(element)
    return groups


# By `for` and by nesting ---------------------------------------------------------------------------------------------


def _pair_explicit(
    tree: FormTree, by_html_id: Mapping[tuple[int | None, str], Sequence[ControlElement]]
) -> list[LabelElement]:
    """The labels that name fields, with the targets that `for` and nesting give."""
    for label in tree.labels:
        _read_label(tree, label, by_html_id)
    radio_targets = [label.target for label in tree.labels if label.target is not None and label.target.type == "radio"]
    label_counts = Counter(map(radio_group_key, radio_targets))
    labels = []
    for label in tree.labels:
        target = label.target
        if target is not None and target.type == "radio" and label_counts[radio_group_key(target)] > 1:
            tree.radio_labels[target.id] = label.text
        elif target is not None and target.type == "checkbox" and label_key(label.text) in _YES_WORDS:
            tree.radio_labels[target.id] = label.text
            label.target = None
        elif label_key(label.text):
            labels.append(label)
    tree.field_label_ids = {label.node.mem_id for label in labels}
    _read_bare_radio_labels(tree)
    if any(label.is_explicit for label in labels):
        labels = _drop_remarks(labels)
    _set_neighbours(tree, labels)
    _release_copied_targets(labels)
    for label in labels:
        if label.target is not None:
            tree.mark_paired(label.target)
    return labels


def _read_label(
    tree: FormTree, label: LabelElement, by_html_id: Mapping[tuple[int | None, str], Sequence[ControlElement]]
) -> None:
    """Set the label's text and, where `for` or nesting gives it, its target."""
    node = label.node
    first = node.first_child
    nested: list[ControlElement] = []
    if first is not None and first.next is None and first.is_text_node:
        label.text = label.full_text = clean_label(first.text_content or "")
    else:
        label.text, label.full_text = read_label(node)
        inside = [tree.controls_by_id.get(inner.mem_id) for inner in node.css(CONTROL_SELECTOR)]
        nested = [element for element in inside if element is not None and element.can_be_labelled]
    html_id = node.attributes.get("for")
    if html_id:
        named = by_html_id.get((label.ancestry.form, html_id)) or by_html_id.get((None, html_id)) or ()
        if len(named) == 1:
            label.target, label.is_explicit = named[0], True
        elif not nested:
            label.duplicate_targets = named
    if label.target is None and nested:
        label.target, label.is_explicit = _choose_preferred(nested), True


def _drop_remarks(labels: list[LabelElement]) -> list[LabelElement]:
    """Drop error messages and hints that are labels of controls which other labels name."""
    counts = Counter(label.target.id for label in labels if label.target is not None and label.is_explicit)
    return [
        label
        for label in labels
        if label.target is None
        or counts[label.target.id] < 2
        or not _REMARK_CLASS.search(label.node.attributes.get("class") or "")
    ]


def _set_neighbours(tree: FormTree, labels: list[LabelElement]) -> None:
    """Set the indexes of the controls around each label, and what it shares with its neighbours."""
    index, end = 0, len(tree.controls)
    for label in labels:
        while index < end and tree.control_positions[index] < label.position:
            index += 1
        label.index, label.end = index, end
    for before, after in pairwise(labels):
        before.end, after.start = after.index, before.index
        after.shared_depth = count_shared_ancestors(before.ancestry.ancestors, after.ancestry.ancestors)
        before.shared_depth = max(before.shared_depth, after.shared_depth)


def _release_copied_targets(labels: list[LabelElement]) -> None:
    """Of several labels that name one control, those in other blocks look for another: their `for` was copied."""
    by_target: dict[int, list[LabelElement]] = defaultdict(list)
    for label in labels:
        if label.is_explicit and label.target is not None and label.target.type != "radio":
            by_target[label.target.id].append(label)
    for sharing in by_target.values():
        target = sharing[0].target
        if len(sharing) < 2 or target is None:
            continue
        own = [label for label in sharing if label.has_in_own_block(target) or label.node.mem_id in target.ancestors]
        for label in sharing if len(own) == 1 else ():
            if label is not own[0]:
                label.duplicate_targets, label.target, label.is_explicit = (target,), None, False


def _read_bare_radio_labels(tree: FormTree) -> None:
    """Radio buttons without a label of their own are labelled by the text up to the next element."""
    for element in tree.controls:
        if element.type != "radio" or element.id in tree.radio_labels:
            continue
        texts, node = [], element.node.next
        while node is not None and (node.tag or "") not in CONTROL_TAGS | BLOCK_TAGS | {"label"}:
            if node.is_text_node:
                texts.append(node.text_content or "")
            elif node.is_element_node:
                texts.append(node.text())
            node = node.next
        tree.radio_labels[element.id] = clean_label("".join(texts)) or element.attributes.get("aria-label") or ""


def _choose_preferred(elements: Iterable[ControlElement]) -> ControlElement | None:
    """The first visible one with a name, else the first hidden one with a name, else the first without."""
    return min(elements, key=lambda element: (not element.name, element.is_hidden and element.name != ""), default=None)


# By block ------------------------------------------------------------------------------------------------------------


def _pair_by_block(tree: FormTree, labels: list[LabelElement], *, within_row: bool) -> None:
    """Pair labels whose own block holds a control, after them or else before them."""
    for label in labels:
        if label.target is not None:
            continue
        ancestors, row = label.ancestry.ancestors, label.ancestry.row
        depth = max(label.shared_depth, len(ancestors) - _MAX_LEVELS - 1)
        if depth >= len(ancestors):
            continue
        if within_row and row is not None:
            depth = max(depth, ancestors.index(row))
        block = ancestors[depth]
        after = tree.find_unpaired(label.index, label.end, depth, block) if label.index < label.end else []
        # Most often just the neighbour's control precedes it.
        is_neighbours = label.index - label.start == 1 and tree.controls[label.start].id in tree.paired
        has_before = label.start < label.index and not is_neighbours
        before = tree.find_unpaired(label.start, label.index, depth, block) if has_before else []
        target = _choose_side(tree, label, after, before) if before else _choose_nearest(label, after)
        if target is not None:
            label.target = target
            tree.mark_paired(target)


def _choose_side(
    tree: FormTree, label: LabelElement, after: list[ControlElement], before: list[ControlElement]
) -> ControlElement | None:
    """The control of a block with some before the label too; where both sides are as near, it is ambiguous."""
    depth = max(_find_depth(label, after), _find_depth(label, before))
    nearest_after, nearest_before = (
        [e for e in side if e.is_fillable and _count_shared(label, e) == depth] for side in (after, before)
    )
    if not nearest_before:
        return _choose_nearest(label, after)
    last = nearest_before[-1]
    is_alone = len(nearest_before) == 1 and _find_text_before(tree, last) is None
    if not nearest_after and (is_alone or last.type == "checkbox"):
        return last
    label.ambiguity = (
        "controls come before and after it" if nearest_after else "the control before it has other words too"
    )
    target, *alternatives = (*nearest_after, *nearest_before)
    label.alternatives = tuple(alternatives)
    return target


def _choose_nearest(label: LabelElement, elements: list[ControlElement]) -> ControlElement | None:
    """The preferred control of the narrowest block that holds the label and a fillable control."""
    if len(elements) < 2:
        return elements[0] if elements else None
    depth = _find_depth(label, elements)
    return _choose_preferred(element for element in elements if _count_shared(label, element) >= depth)


def _find_depth(label: LabelElement, elements: list[ControlElement]) -> int:
    """How many ancestors the label shares with the nearest fillable control."""
    return max((_count_shared(label, element) for element in elements if element.is_fillable), default=0)


def _count_shared(label: LabelElement, element: ControlElement) -> int:
    return count_shared_ancestors(label.ancestry.ancestors, element.ancestors)


# By the text before a control ----------------------------------------------------------------------------------------


def _find_shared_blocks(tree: FormTree, labels: list[LabelElement]) -> frozenset[int]:
    """The blocks that have labels without a control next to controls without a label."""
    return frozenset(
        label.ancestry.ancestors[label.shared_depth - 1]
        for label in labels
        if label.target is None and label.shared_depth and tree.has_unpaired(label.start, label.end)
    )


def _pair_by_text(tree: FormTree, shared: frozenset[int]) -> list[LabelPair]:
    """Pairs of a control and the text before it, where no label is at it, nor next to it in a `shared` block."""
    used: set[int] = set()
    pairs: list[LabelPair] = []
    candidates = [
        element
        for element in tree.controls
        if element.name
        and tree.is_unpaired(element)
        and tree.field_label_ids.isdisjoint(element.ancestors)
        and (not shared or shared.isdisjoint(element.ancestors[-2:]))
    ]
    for element in sorted(candidates, key=lambda element: element.is_hidden):
        found = _find_text_before(tree, element) if element.id not in tree.paired else None
        if found is None or found[0] in used or not label_key(found[1]):
            continue
        used.add(found[0])
        tree.mark_paired(element)
        pairs.append(LabelPair(element.position, found[1], element))
    return pairs


def _find_text_before(tree: FormTree, element: ControlElement) -> tuple[int, str] | None:
    """The nearest text before a control, not beyond another control or a label: its node's id, and the text."""
    node: LexborNode | None = _find_outermost_label(tree, element.node)
    for _ in range(3):
        if node is None:
            return None
        texts, text_id, is_end = _read_before(tree, node)
        if texts or is_end:
            return (text_id, clean_label("".join(texts))) if texts else None
        node = node.parent
        if node is None or (node.tag or "") in _OUTER_BLOCKS or node.mem_id in tree.field_label_ids:
            return None
    return None


def _read_before(tree: FormTree, node: LexborNode) -> tuple[list[str], int, bool]:
    """The texts of the siblings before a node, the first one's id, and whether nothing further out may be looked at."""
    texts: list[str] = []
    text_id = 0
    previous = node.prev
    for _ in range(_MAX_SIBLINGS):
        if previous is None:
            break
        tag = previous.tag or ""
        if previous.is_text_node:
            text = previous.text_content or ""
        elif not previous.is_element_node or _is_textless(tree, previous, tag):
            text = ""
        elif tag in _NO_TEXT_BEYOND or tree.contains_fields(previous):
            return ([] if tag == "label" else texts), text_id, True
        else:
            text = tree.read_text(previous)
        if label_key(text):
            texts.insert(0, text)
            text_id = previous.mem_id
        if texts and tag in BLOCK_TAGS:
            break
        previous = previous.prev
    return texts, text_id, False


def _find_outermost_label(tree: FormTree, node: LexborNode) -> LexborNode:
    """The label without own text that holds a control (a switch, a radio button's), else the control."""
    parent, outermost = node.parent, node
    for _ in range(_MAX_LEVELS):
        if parent is not None and parent.tag == "label" and parent.mem_id not in tree.field_label_ids:
            outermost = parent
        parent = parent.parent if parent is not None else None
    return outermost


def _is_textless(tree: FormTree, node: LexborNode, tag: str) -> bool:
    """Whether it is a hidden input that no label names, or a label without text."""
    if tag == "label":
        is_known = node.mem_id in tree.field_label_ids or node.mem_id in tree.control_ancestors
        return not is_known and not label_key(node.text())
    element = tree.controls_by_id.get(node.mem_id)
    return element is not None and element.is_hidden and element.id not in tree.paired
