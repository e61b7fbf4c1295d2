"""
The labels, controls and titles of a page in document order, each with its ancestors.

A browser's form has no control inside `<noscript>` or `<template>`: neither has this.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from planso_connector.domain.errors import PageTooLarge
from planso_connector.planso.pages.control import NEVER_SENT_TYPES
from planso_connector.planso.pages.node_text import read_node_text
from planso_connector.planso.pages.text import clean_label

_NODES = "label,input,select,textarea,script,legend,h1,h2,h3,h4,h5,h6,th,strong,b,td[colspan]"
_HEADS = ",.header,.panel-heading,.card-header"
_CONTROLS = frozenset({"input", "select", "textarea"})
_INERT = frozenset({"noscript", "template"})

MAX_CONTROLS = 5_000
"""Controls of a form, and labels; PHP takes 1,000 values of a form unless told otherwise."""
MAX_ANCESTORS_IN_ALL = 1_000_000
"""Of all trails together: what is nested deeply and everywhere takes memory by the square."""

AncestorIds = tuple[int, ...]
"""The ids of an element's ancestors, from the root down."""


class Ancestry(NamedTuple):
    """
    What all children of one element have in common: their ancestors, the nearest `tr` and `form` among them, and
    whether a disabled fieldset disables them. `is_inert`: no browser that runs scripts shows or sends it.
    """

    trail: AncestorIds
    row: int | None = None
    form: int | None = None
    is_locked: bool = False
    is_inert: bool = False


@dataclass(eq=False, slots=True)
class ControlElement:
    """A control in the tree."""

    node: LexborNode
    id: int
    trail: AncestorIds
    position: int
    row: int | None
    attributes: Mapping[str, str | None]
    type: str
    name: str
    form: int | None
    is_locked: bool
    is_hidden: bool
    can_be_labelled: bool
    is_open: bool
    """Whether a person sees it, and a browser may send it."""


@dataclass(eq=False, slots=True)
class LabelElement:
    """
    `depth`: how many ancestors it shares with the nearer one of its neighbours. The controls before it, up to its
    neighbour, are `controls[since:at]`, those after it `controls[at:until]`. `rivals` are the other controls that it
    may mean as well, `doubt` is why; both are empty where it is sure.
    """

    node: LexborNode
    place: Ancestry
    position: int
    text: str = ""
    full_text: str = ""
    target: ControlElement | None = None
    is_explicit: bool = False
    """Found by `for` or by holding its control."""
    copies: Sequence[ControlElement] = ()
    """All controls with the id that `for` names, where several have it."""
    depth: int = 0
    since: int = 0
    at: int = 0
    until: int = 0
    rivals: tuple[ControlElement, ...] = ()
    doubt: str = ""

    def is_own(self, element: ControlElement) -> bool:
        """Whether it stands in this label's own block: the widest ancestor that holds no other label."""
        trail = self.place.trail
        return (
            self.depth < len(trail)
            and self.depth < len(element.trail)
            and trail[self.depth] == element.trail[self.depth]
        )


class FormTree:
    """Raises PageTooLarge for more controls, labels or nesting than any form has."""

    def __init__(self, root: LexborNode, source: str) -> None:
        self._places: dict[int, Ancestry] = {}
        self._steps = 0
        self._words: dict[int, str] = {}
        self._shown: dict[int, str] = {}
        self._holds: dict[int, bool] = {}
        self.root = root
        self.controls: list[ControlElement] = []
        self.labels: list[LabelElement] = []
        self.titles: list[tuple[int, LexborNode]] = []
        """Nodes that may be titles, with their positions."""
        self.scripts: list[LexborNode] = []
        self.holding: set[int] = set()
        """The ids of all elements that hold a control."""
        self.claimed: set[int] = set()
        """Ids of the controls that a label was found for."""
        self.naming: set[int] = set()
        """Ids of the labels that name fields: not those of single radio buttons, and none without words."""
        self.choices: dict[int, str] = {}
        """A radio button's id to its words."""
        # Each selector takes time on every node of the page.
        self._read(_NODES + _HEADS if "head" in source else _NODES)
        self.positions = [element.position for element in self.controls]
        self.by_id = {element.id: element for element in self.controls}
        if max(len(self.controls), len(self.labels)) > MAX_CONTROLS:
            raise PageTooLarge(f"it has more than {MAX_CONTROLS} controls or labels")

    def _read(self, selector: str) -> None:
        for position, node in enumerate(self.root.css(selector)):
            tag = node.tag
            if tag == "label":
                place = self.place(node.parent)
                if not place.is_inert:
                    self.labels.append(LabelElement(node, place, position))
            elif tag in _CONTROLS:
                place = self.place(node.parent)
                if not place.is_inert:
                    self.controls.append(self._element(node, tag or "", place, position))
                    for ancestor in reversed(place.trail):
                        if ancestor in self.holding:
                            break
                        self.holding.add(ancestor)
            elif tag == "script":
                self.scripts.append(node)
            else:
                self.titles.append((position, node))

    def place(self, parent: LexborNode | None) -> Ancestry:
        """The place of the children of `parent`."""
        if parent is None:
            return _NOWHERE
        own = parent.mem_id
        known = self._places.get(own)
        if known is None:
            around, tag = self.place(parent.parent), parent.tag or ""
            trail, row, form, is_locked, is_inert = around
            if tag == "tr":
                row = own
            elif tag == "form":
                form = own
            elif tag == "fieldset":
                is_locked = is_locked or "disabled" in parent.attributes
            elif tag == "legend" and is_locked:
                is_locked = self._is_legend_locked(parent)
            elif tag in _INERT:
                is_inert = True
            known = self._places[own] = Ancestry((*trail, own), row, form, is_locked, is_inert)
            self._steps += len(trail)
            if self._steps > MAX_ANCESTORS_IN_ALL:
                raise PageTooLarge("it is nested too deeply")
        return known

    def _is_legend_locked(self, legend: LexborNode) -> bool:
        """A fieldset does not disable what stands in its first legend; one around it does."""
        fieldset = legend.parent
        if fieldset is None or fieldset.tag != "fieldset":
            return True
        first = next(child for child in fieldset.iter() if child.tag == "legend")
        return first.mem_id != legend.mem_id or self.place(fieldset.parent).is_locked

    @cached_property
    def _named_forms(self) -> dict[str, int]:
        forms = [(form.attributes.get("id"), form.mem_id) for form in self.root.css("form")]
        return {name: form for name, form in reversed(forms) if name}

    @cached_property
    def _radio_groups(self) -> Mapping[tuple[int | None, str], list[int]]:
        groups: dict[tuple[int | None, str], list[int]] = defaultdict(list)
        for element in self.controls:
            if element.type == "radio":
                groups[radio_group_key(element)].append(element.id)
        return groups

    @cached_property
    def counts(self) -> Counter[int]:
        """How many controls each element holds, by its id."""
        return Counter(ancestor for element in self.controls for ancestor in element.trail)

    @cached_property
    def with_id(self) -> dict[str, LexborNode]:
        """The first element of each `id`."""
        return {node.attributes["id"] or "": node for node in reversed(self.root.css("[id]"))}

    def text(self, node: LexborNode) -> str:
        """What can be read in `node`, not yet collapsed; remembered, since many may look at the same one."""
        own = node.mem_id
        if own not in self._words:
            self._words[own] = read_node_text(node)
        return self._words[own]

    def shown(self, node: LexborNode) -> str:
        """The same as a label."""
        own = node.mem_id
        if own not in self._shown:
            self._shown[own] = clean_label(self.text(node))
        return self._shown[own]

    def holds_fields(self, node: LexborNode) -> bool:
        """Whether a label or a control of any kind stands in it."""
        own = node.mem_id
        if own not in self._holds:
            self._holds[own] = node.css_first("label,input,select,textarea") is not None
        return self._holds[own]

    @cached_property
    def labelling(self) -> frozenset[int]:
        """The ids of all elements that hold a label that names a field."""
        found: set[int] = set()
        for label in self.labels:
            for ancestor in reversed(label.place.trail if label.node.mem_id in self.naming else ()):
                if ancestor in found:
                    break
                found.add(ancestor)
        return frozenset(found)

    def _element(self, node: LexborNode, tag: str, place: Ancestry, position: int) -> ControlElement:
        attributes = node.attributes
        form = self._named_forms.get(attributes["form"] or "") if "form" in attributes else place.form
        kind = (attributes.get("type") or "text").lower() if tag == "input" else tag
        name = attributes.get("name") or ""
        is_hidden, can_be_labelled = kind == "hidden", kind not in NEVER_SENT_TYPES
        return ControlElement(
            node,
            node.mem_id,
            place.trail,
            position,
            place.row,
            attributes,
            kind,
            name,
            form,
            place.is_locked,
            is_hidden,
            can_be_labelled,
            can_be_labelled and not is_hidden and name != "",
        )

    def claim(self, element: ControlElement) -> None:
        """Taken by a label; a radio button stands for its whole group."""
        self.claimed.add(element.id)
        if element.type == "radio":
            self.claimed.update(self._radio_groups[radio_group_key(element)])

    def free_in(self, start: int, end: int, depth: int, block: int) -> list[ControlElement]:
        """The free controls of a span of indexes that stand in `block`, which is the ancestor at `depth`."""
        return [
            element
            for element in self.controls[start:end]
            if element.can_be_labelled
            and element.id not in self.claimed
            and len(element.trail) > depth
            and element.trail[depth] == block
        ]

    def has_free(self, start: int, end: int) -> bool:
        """Whether a span of indexes holds an open control without a label."""
        return any(element.is_open and element.id not in self.claimed for element in self.controls[start:end])

    def is_free(self, element: ControlElement) -> bool:
        return element.can_be_labelled and element.id not in self.claimed


def radio_group_key(element: ControlElement) -> tuple[int | None, str]:
    return element.form, element.name


def count_shared_ancestors(one: AncestorIds, other: AncestorIds) -> int:
    """How many ancestors two trails share; those of siblings are one object."""
    if one is other:
        return len(one)
    shared = min(len(one), len(other))
    while shared and one[shared - 1] != other[shared - 1]:
        shared -= 1
    return shared


_NOWHERE = Ancestry(())
