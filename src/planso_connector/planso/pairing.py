"""
Which label belongs to which control. A label finds its control, in this order:

1. by `for`;
2. by holding it;
3. by standing before it in its own block (the widest ancestor with no other label), or after it (check boxes);
4. as the text of the table cell, `dt` or block before the control, where there is no `<label>` at all;
5. by standing before it among other labels in one common block.

Labels of single radio buttons are the buttons' words, not fields. Source: the PlanSo protocol's section 3, which
promises blocks of a label and a control and no more.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from planso_connector.planso.control import NEVER_SENT
from planso_connector.planso.label_text import BREAKS, CONTROLS, pieces, text_around_controls
from planso_connector.planso.words import label_key, shown_label

_NO_LABELS = frozenset({"legend", "h1", "h2", "h3", "h4", "h5", "h6", "button", "a", "script", "style", "thead"})
_FENCES = frozenset({"form", "body", "fieldset", "table", "tbody", "html"})
_YES_WORDS = frozenset({"ja", "yes", "aktiv", "an"})
_LEVELS = 4

Trail = tuple[int, ...]
"""The ids of an element's ancestors, from the root down."""


class Place(NamedTuple):
    """
    What all children of one element have in common: their ancestors, the nearest `tr` and `form` among them, and
    whether a disabled fieldset disables them.
    """

    trail: Trail
    row: int | None = None
    form: int | None = None
    is_locked: bool = False


@dataclass(eq=False, slots=True)
class Element:
    """A control in the tree."""

    node: LexborNode
    id: int
    trail: Trail
    position: int
    attributes: Mapping[str, str | None]
    type: str
    name: str
    form: int | None
    is_locked: bool
    is_hidden: bool
    can_be_labelled: bool


@dataclass(eq=False, slots=True)
class Label:
    """`before` and `after`: where its neighbours stand; `depth`: how many ancestors it shares with one of them."""

    node: LexborNode
    place: Place
    position: int
    text: str = ""
    target: Element | None = None
    nested: Sequence[Element] = ()
    before: int = -1
    after: int = 1 << 60
    depth: int = 0


class Pair(NamedTuple):
    label: str
    target: Element


@dataclass(frozen=True)
class Pairing:
    """`pairs` in document order of the labels; `choices`: a radio button's id to its words."""

    controls: list[Element]
    pairs: list[Pair]
    choices: dict[int, str]


def read_pairing(root: LexborNode) -> Pairing:
    tree = _Tree(root)
    labels = _field_labels(tree)
    _by_block(tree, labels, within_row=True)
    texts = _by_text(tree)
    _by_block(tree, labels, within_row=False)
    _by_neighbour(tree, labels)
    found = [(label.position, Pair(label.text, label.target)) for label in labels if label.target is not None]
    found += texts
    found.sort(key=lambda entry: entry[0])
    return Pairing(tree.controls, [pair for _, pair in found], tree.choices)


_NOWHERE = Place(())


class _Tree:
    """The labels and controls of a page in document order, with their ancestors."""

    def __init__(self, root: LexborNode) -> None:
        self._places: dict[int, Place] = {}
        self.controls: list[Element] = []
        self.labels: list[Label] = []
        self.claimed: set[int] = set()
        self.choices: dict[int, str] = {}
        self._root = root
        for position, node in enumerate(root.css("label,input,select,textarea")):
            tag, place = node.tag or "", self._place(node.parent)
            if tag == "label":
                self.labels.append(Label(node, place, position))
            else:
                self.controls.append(self._element(node, tag, place, position))
        self.positions = [element.position for element in self.controls]
        self.by_id = {element.id: element for element in self.controls}

    def _place(self, parent: LexborNode | None) -> Place:
        if parent is None:
            return _NOWHERE
        own = parent.mem_id
        known = self._places.get(own)
        if known is None:
            around, tag = self._place(parent.parent), parent.tag
            trail, row, form, is_locked = around
            if tag == "tr":
                row = own
            elif tag == "form":
                form = own
            elif tag == "fieldset":
                is_locked = is_locked or "disabled" in parent.attributes
            elif tag == "legend" and is_locked:
                is_locked = self._is_legend_locked(parent)
            known = self._places[own] = Place((*trail, own), row, form, is_locked)
        return known

    def _is_legend_locked(self, legend: LexborNode) -> bool:
        """A fieldset does not disable what stands in its first legend; one around it does."""
        fieldset = legend.parent
        if fieldset is None or fieldset.tag != "fieldset":
            return True
        first = next(child for child in fieldset.iter() if child.tag == "legend")
        return first.mem_id != legend.mem_id or self._place(fieldset.parent).is_locked

    @cached_property
    def _named_forms(self) -> dict[str, int]:
        forms = [(form.attributes.get("id"), form.mem_id) for form in self._root.css("form")]
        return {name: form for name, form in reversed(forms) if name}

    def _element(self, node: LexborNode, tag: str, place: Place, position: int) -> Element:
        attributes = node.attributes
        form = self._named_forms.get(attributes["form"] or "") if "form" in attributes else place.form
        kind = (attributes.get("type") or "text").strip().lower() if tag == "input" else tag
        return Element(
            node,
            node.mem_id,
            place.trail,
            position,
            attributes,
            kind,
            attributes.get("name") or "",
            form,
            place.is_locked,
            kind == "hidden",
            kind not in NEVER_SENT,
        )

    def claim(self, element: Element) -> None:
        """Taken by a label; a radio button stands for its whole group."""
        self.claimed.add(element.id)
        if element.type == "radio":
            self.claimed |= {
                e.id for e in self.controls if e.type == "radio" and _radio_group(e) == _radio_group(element)
            }


def _common(one: Trail, other: Trail) -> int:
    """How many ancestors two trails share; those of siblings are one object."""
    if one is other:
        return len(one)
    shared = min(len(one), len(other))
    while shared and one[shared - 1] != other[shared - 1]:
        shared -= 1
    return shared


def _field_labels(tree: _Tree) -> list[Label]:
    """The labels that name fields, with those targets that `for` and nesting tell."""
    ids: dict[tuple[int | None, str], Element] = {}
    for element in tree.controls:
        own_id = element.attributes.get("id")
        if own_id:
            ids.setdefault((element.form, own_id), element)
            ids.setdefault((None, own_id), element)
    for label in tree.labels:
        _read_label(tree, label, ids)
    targeting = Counter(
        _radio_group(label.target) for label in tree.labels if label.target is not None and label.target.type == "radio"
    )
    labels = []
    for label in tree.labels:
        target = label.target
        if target is not None and target.type == "radio" and targeting[_radio_group(target)] > 1:
            tree.choices[target.id] = label.text
        elif target is not None and target.type == "checkbox" and label_key(label.text) in _YES_WORDS:
            tree.choices[target.id] = label.text
            label.target = None
        elif label_key(label.text):
            labels.append(label)
            if target is not None:
                tree.claim(target)
    _bare_choices(tree)
    _meet(labels)
    return labels


def _radio_group(element: Element) -> tuple[int | None, str]:
    return element.form, element.name


def _read_label(tree: _Tree, label: Label, ids: Mapping[tuple[int | None, str], Element]) -> None:
    node = label.node
    first = node.first_child
    if first is not None and first.next is None and first.is_text_node:
        label.text = shown_label(first.text_content or "")
    else:
        before, after = text_around_controls(node)
        label.text = before if label_key(before) else after
        inside = [tree.by_id[inner.mem_id] for inner in node.css("input,select,textarea")]
        label.nested = [element for element in inside if element.can_be_labelled]
    wanted = node.attributes.get("for")
    if wanted:
        target = ids.get((label.place.form, wanted)) or ids.get((None, wanted))
        label.target = target if target is not None and target.can_be_labelled else None
    if label.target is None and label.nested:
        label.target = _preferred(label.nested)


def _bare_choices(tree: _Tree) -> None:
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
        tree.choices[element.id] = shown_label("".join(words))


def _preferred(elements: Iterable[Element]) -> Element | None:
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


def _meet(labels: list[Label]) -> None:
    """Tells neighbours of each other."""
    for one, other in pairwise(labels):
        one.after, other.before = other.position, one.position
        other.depth = _common(one.place.trail, other.place.trail)
        one.depth = max(one.depth, other.depth)


def _free_between(tree: _Tree, start: int, end: int) -> list[Element]:
    first, last = bisect_right(tree.positions, start), bisect_left(tree.positions, end)
    return [e for e in tree.controls[first:last] if e.can_be_labelled and e.id not in tree.claimed]


def _by_block(tree: _Tree, labels: list[Label], *, within_row: bool) -> None:
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
        target = _preferred(_within(tree, label.position, label.after, depth, trail[depth]))
        if target is None or target.is_hidden:
            boxes = _within(tree, label.before, label.position, depth, trail[depth])
            target = next((box for box in boxes if box.name and not box.is_hidden), target)
        if target is not None:
            label.target = target
            tree.claim(target)


def _within(tree: _Tree, start: int, end: int, depth: int, block: int) -> list[Element]:
    """The free controls of a span that stand in `block`, which is the ancestor at `depth`."""
    return [e for e in _free_between(tree, start, end) if len(e.trail) > depth and e.trail[depth] == block]


def _by_neighbour(tree: _Tree, labels: list[Label]) -> None:
    """Labels that share their block with others: `label input label input`, or check boxes before their labels."""
    for label in labels:
        if label.target is not None:
            continue
        near = [
            e
            for e in _free_between(tree, label.position, label.after)
            if _common(label.place.trail, e.trail) == label.depth and e.name and not e.is_hidden
        ]
        previous = _previous_element(label.node)
        box = tree.by_id.get(previous.mem_id) if previous is not None else None
        if box is not None and box.type == "checkbox" and box.id not in tree.claimed:
            near = [box]
        if near:
            label.target = near[0]
            tree.claim(near[0])


def _previous_element(node: LexborNode) -> LexborNode | None:
    previous = node.prev
    while previous is not None and not previous.is_element_node:
        if previous.is_text_node and (previous.text_content or "").strip():
            return None
        previous = previous.prev
    return previous


def _by_text(tree: _Tree) -> list[tuple[int, Pair]]:
    """Pairs of a control and the text before it, for controls that no label stands at."""
    used: set[int] = set()
    pairs: list[tuple[int, Pair]] = []
    free = [e for e in tree.controls if e.name and e.can_be_labelled and e.id not in tree.claimed]
    for element in sorted(free, key=lambda e: e.is_hidden):
        found = _text_before(tree, element) if element.id not in tree.claimed else None
        if found is None or found[0] in used or not label_key(found[1]):
            continue
        used.add(found[0])
        tree.claim(element)
        pairs.append((element.position, Pair(found[1], element)))
    return pairs


def _text_before(tree: _Tree, element: Element) -> tuple[int, str] | None:
    """The nearest text before a control, not beyond another control or a label: its node's id, and it."""
    node: LexborNode | None = _outermost_label(element.node)
    for _ in range(3):
        words: list[str] = []
        mark = 0
        previous = node.prev if node is not None else None
        while previous is not None:
            tag = previous.tag or ""
            if previous.is_text_node:
                text = previous.text_content or ""
            elif not previous.is_element_node or (tag == "input" and _is_free_hidden(tree, previous)):
                previous = previous.prev
                continue
            elif tag in _NO_LABELS | CONTROLS | {"label"} or previous.css_first("label,input,select,textarea"):
                return (mark, shown_label("".join(words))) if words and tag != "label" else None
            else:
                text = "".join(piece or "" for piece in pieces(previous))
            if label_key(text):
                words.insert(0, text)
                mark = previous.mem_id
            if words and tag in BREAKS:
                break
            previous = previous.prev
        if words:
            return mark, shown_label("".join(words))
        node = node.parent if node is not None else None
        if node is None or (node.tag or "") in _FENCES:
            return None
    return None


def _outermost_label(node: LexborNode) -> LexborNode:
    """The label without words of its own that holds a control (a switch, a radio button's), else the control."""
    parent, found = node.parent, node
    for _ in range(_LEVELS):
        if parent is not None and parent.tag == "label":
            found = parent
        parent = parent.parent if parent is not None else None
    return found


def _is_free_hidden(tree: _Tree, node: LexborNode) -> bool:
    element = tree.by_id.get(node.mem_id)
    return element is not None and element.is_hidden and element.id not in tree.claimed
