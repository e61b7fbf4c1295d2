"""
A page's labels, controls, scripts and possible section titles in document order, each with its ancestors. Nodes are
identified by `mem_id`. Controls inside `<noscript>` and `<template>` are left out: a browser's form has none there.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from planso_connector.domain.errors import PageTooLarge
from planso_connector.planso.pages.control import NEVER_SENT_TYPES
from planso_connector.planso.pages.nodes import CONTROL_TAGS, read_node_text
from planso_connector.planso.pages.text import clean_label

_SELECTOR = "label,input,select,textarea,script,legend,h1,h2,h3,h4,h5,h6,th,strong,b,td[colspan]"
_HEADER_CLASSES = ",.header,.panel-heading,.card-header"

MAX_CONTROLS = 5_000
"""Controls of a form, and its labels. PHP's own default is 1,000 values of a form."""
MAX_ANCESTORS_IN_ALL = 1_000_000
"""Ancestor ids of all elements together: deep nesting everywhere takes memory by the square."""

AncestorIds = tuple[int, ...]
"""From the root down."""


class Ancestry(NamedTuple):
    """
    What the children of one element share: their ancestors, the nearest `tr` and `form` among them. `is_inert`: inside
    an element that a browser with scripts neither shows nor sends.
    """

    ancestors: AncestorIds
    row: int | None = None
    form: int | None = None
    is_in_disabled_fieldset: bool = False
    is_inert: bool = False


@dataclass(eq=False, slots=True)
class ControlElement:
    """A control. `type`: an input's type in lower case, `select` or `textarea`; `form`: its form's id."""

    node: LexborNode
    id: int
    ancestors: AncestorIds
    position: int
    row: int | None
    attributes: Mapping[str, str | None]
    type: str
    name: str
    form: int | None
    is_in_disabled_fieldset: bool
    is_hidden: bool
    can_be_labelled: bool
    is_fillable: bool
    """Visible, and with a name: a person fills it in, a browser sends it."""


@dataclass(eq=False, slots=True)
class LabelElement:
    """
    A `<label>`. With the tree's `controls`, those between the previous label and this one are `controls[start:index]`,
    those up to the next label `controls[index:end]`. `alternatives` are other controls that it may name, `ambiguity`
    says why; both are empty where `target` is certain.
    """

    node: LexborNode
    ancestry: Ancestry
    position: int
    text: str = ""
    full_text: str = ""
    """`text` with the remarks in it."""
    target: ControlElement | None = None
    is_explicit: bool = False
    """The target was found by `for`, or is inside the label."""
    duplicate_targets: Sequence[ControlElement] = ()
    """All controls with the id that `for` names, where there are several."""
    shared_depth: int = 0
    """How many ancestors it shares with the nearer one of its neighbour labels."""
    start: int = 0
    index: int = 0
    end: int = 0
    alternatives: tuple[ControlElement, ...] = ()
    ambiguity: str = ""

    def has_in_own_block(self, element: ControlElement) -> bool:
        """Whether the control is in this label's own block: the widest ancestor that holds no other label."""
        ancestors, depth = self.ancestry.ancestors, self.shared_depth
        return depth < min(len(ancestors), len(element.ancestors)) and ancestors[depth] == element.ancestors[depth]


class LabelPair(NamedTuple):
    """A label (or what serves as one) and its control; `position` is the label's. Otherwise as in `LabelElement`."""

    position: int
    label: str
    target: ControlElement
    full_text: str = ""
    alternatives: tuple[ControlElement, ...] = ()
    ambiguity: str = ""
    time_element: ControlElement | None = None
    """The input of the time of day, where `target` is that of the date."""


class FormTree:
    """Raises PageTooLarge for more controls, labels or nesting than any form has."""

    def __init__(self, root: LexborNode, source: str) -> None:
        self._ancestries: dict[int, Ancestry] = {}
        self._ancestor_count = 0
        self._texts: dict[int, str] = {}
        self._label_texts: dict[int, str] = {}
        self._contains_fields: dict[int, bool] = {}
        self.root = root
        self.controls: list[ControlElement] = []
        self.labels: list[LabelElement] = []
        self.titles: list[tuple[int, LexborNode]] = []
        """Possible section titles with their positions."""
        self.scripts: list[LexborNode] = []
        self.control_ancestors: set[int] = set()
        """Ids of all elements that hold a control."""
        self.paired: set[int] = set()
        """Ids of the controls that have a label."""
        self.field_label_ids: set[int] = set()
        """Ids of the labels that name fields: with words, and not of a single radio button."""
        self.radio_labels: dict[int, str] = {}
        """Text beside a radio button, by the button's id."""
        self.consulted: set[int] = set()
        """Ids of the controls whose content, not only their markup around it, decided something (`form_layout`)."""
        # Each selector takes time on every node of the page.
        self._collect(_SELECTOR + _HEADER_CLASSES if "head" in source else _SELECTOR)
        self.control_positions = [element.position for element in self.controls]
        self.controls_by_id = {element.id: element for element in self.controls}
        if max(len(self.controls), len(self.labels)) > MAX_CONTROLS:
            raise PageTooLarge(f"it has more than {MAX_CONTROLS} controls or labels")

    def _collect(self, selector: str) -> None:
        for position, node in enumerate(self.root.css(selector)):
            tag = node.tag or ""
            if tag == "label" or tag in CONTROL_TAGS:
                ancestry = self._find_ancestry(node.parent)
                if ancestry.is_inert:
                    continue
                if tag == "label":
                    self.labels.append(LabelElement(node, ancestry, position))
                else:
                    self.controls.append(self._make_control(node, tag, ancestry, position))
                    _add_ancestors(self.control_ancestors, ancestry.ancestors)
            elif tag == "script":
                self.scripts.append(node)
            else:
                self.titles.append((position, node))

    def _find_ancestry(self, parent: LexborNode | None) -> Ancestry:
        """The ancestry of the children of `parent`."""
        if parent is None:
            return _NO_ANCESTRY
        own_id = parent.mem_id
        found = self._ancestries.get(own_id)
        if found is None:
            outer, tag = self._find_ancestry(parent.parent), parent.tag
            ancestors, row, form, is_disabled, is_inert = outer
            if tag == "tr":
                row = own_id
            elif tag == "form":
                form = own_id
            elif tag == "fieldset":
                is_disabled = is_disabled or "disabled" in parent.attributes
            elif tag == "legend" and is_disabled:
                is_disabled = self._is_legend_disabled(parent)
            elif tag in ("noscript", "template"):
                is_inert = True
            found = self._ancestries[own_id] = Ancestry((*ancestors, own_id), row, form, is_disabled, is_inert)
            self._ancestor_count += len(ancestors)
            if self._ancestor_count > MAX_ANCESTORS_IN_ALL:
                raise PageTooLarge("it is nested too deeply")
        return found

    def _is_legend_disabled(self, legend: LexborNode) -> bool:
        """A fieldset does not disable the content of its first legend; a fieldset around it does."""
        fieldset = legend.parent
        if fieldset is None or fieldset.tag != "fieldset":
            return True
        first = next(child for child in fieldset.iter() if child.tag == "legend")
        return first.mem_id != legend.mem_id or self._find_ancestry(fieldset.parent).is_in_disabled_fieldset

    def _make_control(self, node: LexborNode, tag: str, ancestry: Ancestry, position: int) -> ControlElement:
        attributes = node.attributes
        form = self._forms_by_html_id.get(attributes["form"] or "") if "form" in attributes else ancestry.form
        control_type = (attributes.get("type") or "text").lower() if tag == "input" else tag
        name = attributes.get("name") or ""
        is_hidden, can_be_labelled = control_type == "hidden", control_type not in NEVER_SENT_TYPES
        is_fillable = can_be_labelled and not is_hidden and name != ""
        return ControlElement(
            node, node.mem_id, ancestry.ancestors, position, ancestry.row, attributes, control_type, name, form,
            ancestry.is_in_disabled_fieldset, is_hidden, can_be_labelled, is_fillable,
        )  # fmt: skip

    @cached_property
    def _forms_by_html_id(self) -> dict[str, int]:
        forms = reversed(self.root.css("form"))
        return {html_id: form.mem_id for form in forms if (html_id := form.attributes.get("id"))}

    @cached_property
    def _radio_groups(self) -> Mapping[tuple[int | None, str], list[int]]:
        groups: dict[tuple[int | None, str], list[int]] = defaultdict(list)
        for element in self.controls:
            if element.type == "radio":
                groups[radio_group_key(element)].append(element.id)
        return groups

    @cached_property
    def control_counts(self) -> Counter[int]:
        """How many controls each element holds, by its id."""
        return Counter(ancestor for element in self.controls for ancestor in element.ancestors)

    @cached_property
    def nodes_by_html_id(self) -> dict[str, LexborNode]:
        """The first element of each `id`."""
        return {node.attributes["id"] or "": node for node in reversed(self.root.css("[id]"))}

    @cached_property
    def label_ancestors(self) -> frozenset[int]:
        """Ids of all elements that hold a label that names a field."""
        found: set[int] = set()
        for label in self.labels:
            if label.node.mem_id in self.field_label_ids:
                _add_ancestors(found, label.ancestry.ancestors)
        return frozenset(found)

    def consult(self, element: ControlElement) -> Mapping[str, str | None]:
        """The attributes of a control whose content is about to decide how the form is read."""
        self.consulted.add(element.id)
        return element.attributes

    def read_text(self, node: LexborNode) -> str:
        """`read_node_text`, remembered: several controls look at the same node."""
        own_id = node.mem_id
        if own_id not in self._texts:
            self._texts[own_id] = read_node_text(node)
        return self._texts[own_id]

    def read_title(self, node: LexborNode) -> str:
        """The node's text as a label, remembered."""
        own_id = node.mem_id
        if own_id not in self._label_texts:
            self._label_texts[own_id] = clean_label(self.read_text(node))
        return self._label_texts[own_id]

    def contains_fields(self, node: LexborNode) -> bool:
        """Whether the node has a label or a control; remembered."""
        own_id = node.mem_id
        if own_id not in self._contains_fields:
            self._contains_fields[own_id] = node.css_first("label,input,select,textarea") is not None
        return self._contains_fields[own_id]

    def mark_paired(self, element: ControlElement) -> None:
        """Mark a control as labelled; a radio button stands for its whole group."""
        self.paired.add(element.id)
        if element.type == "radio":
            self.paired.update(self._radio_groups[radio_group_key(element)])

    def is_unpaired(self, element: ControlElement) -> bool:
        return element.can_be_labelled and element.id not in self.paired

    def find_unpaired(self, start: int, end: int, depth: int, block: int) -> list[ControlElement]:
        """The unpaired ones among `controls[start:end]` whose ancestor at `depth` is `block`."""
        return [
            element
            for element in self.controls[start:end]
            if element.can_be_labelled  # no call: this runs for most pairs of labels and controls
            and element.id not in self.paired
            and len(element.ancestors) > depth
            and element.ancestors[depth] == block
        ]

    def has_unpaired(self, start: int, end: int) -> bool:
        """Whether `controls[start:end]` holds a fillable control without a label."""
        return any(element.is_fillable and element.id not in self.paired for element in self.controls[start:end])


def radio_group_key(element: ControlElement) -> tuple[int | None, str]:
    return element.form, element.name


def count_shared_ancestors(left: AncestorIds, right: AncestorIds) -> int:
    if left is right:  # siblings share one tuple
        return len(left)
    shared = min(len(left), len(right))
    while shared and left[shared - 1] != right[shared - 1]:
        shared -= 1
    return shared


def _add_ancestors(found: set[int], ancestors: AncestorIds) -> None:
    """Add from the nearest up; what is known already has its own ancestors there."""
    for ancestor in reversed(ancestors):
        if ancestor in found:
            break
        found.add(ancestor)


_NO_ANCESTRY = Ancestry(())
