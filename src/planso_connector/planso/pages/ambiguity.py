"""
Where a label may mean several controls, or a control has several labels: which of them the markup leaves open. What is
found here is refused when it is to be written, unless something else decides (`handles`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile

from planso_connector.domain import german_formats
from planso_connector.planso.pages.form_tree import ControlElement, FormTree, LabelElement, count_shared_ancestors
from planso_connector.planso.pages.label_pair import LabelPair
from planso_connector.planso.pages.text import label_key
from planso_connector.planso.pages.value_sanitization import sanitize_value

_BEGINNINGS = frozenset({"von", "ab", "from", "beginn"})
"""The last word of a label whose first control is meant: `Reparatur von [08:00] - [16:00]`."""
_OTHER_FAMILIES = frozenset({"select", "textarea", "checkbox", "radio"})
_ORIGINAL = re.compile(r"(?:^|[^a-z])(old|orig|original|prev|previous|initial|before|vorher)(?:[^a-z]|$)")
"""A hidden copy of what stood there when the page was made; a browser sends it unchanged beside a change."""
_AFFIX = re.compile(
    r"(?:^|(?<=[^a-z\d]))(show|shown|display|visible|anzeige|text|txt|view|picker|formatted|dummy|fake|hidden|submit"
    r"|real|iso|db|raw|value|val|alt|input|mirror)(?=$|[^a-z\d])"
)
_DAY_NAME = re.compile(r"date|datum|tag|day")
_CLOCK_NAME = re.compile(r"time|zeit|uhr")
_CLOCK = re.compile(r"\s*\d?\d:\d\d(:\d\d)?( Uhr)?\s*")
_SIGNS = re.compile(r"[^a-z\d]")
_NAMED = 5
"""Labels of one control that a doubt names."""
_LEAST = 3
"""Shorter values are equal by chance."""


def mark_ambiguities(tree: FormTree, labels: Sequence[LabelElement], pairs: list[LabelPair]) -> list[LabelPair]:
    """The pairs with what is doubtful about each, and those of labels that could not be resolved at all."""
    by_position = {label.position: label for label in labels}
    copies: dict[int, tuple[ControlElement, ...]] = {}
    index = {element.id: at for at, element in enumerate(tree.controls)}
    settled = [
        pair if pair.doubt else _settled(tree, index[pair.target.id], pair, by_position.get(pair.position))
        for pair in pairs
    ]
    for label in labels:
        if label.target is None and label.copies:
            rivals = copies.setdefault(label.copies[0].id, tuple(label.copies[1:]))
            pair = LabelPair(label.position, label.text, label.copies[0], label.full_text, rivals, _COPIED)
            settled.append(pair)
    if len(settled) > len(pairs):
        settled.sort(key=lambda pair: pair.position)
    return _with_shared(settled)


_COPIED = "its 'for' is copied"


def _settled(tree: FormTree, at: int, pair: LabelPair, label: LabelElement | None) -> LabelPair:
    """The pair of the control at an index, and of its label in the tree where it has one."""
    if label is not None and label.target is not pair.target:
        label = None
    if label is not None and (label.is_explicit or label.copies):
        if label.copies and pair.target not in label.copies and not label.is_own(pair.target):
            return pair._replace(rivals=tuple(label.copies), doubt=_COPIED)
        others = _passed_over(tree, label)
        if others:
            return pair._replace(rivals=others, doubt="its 'for' names a control of another block")
    if not _has_free_neighbour(tree, at):
        return pair
    beside = tuple(_beside(tree, at, pair, label))
    if len(beside) == 1 and _is_day(pair.target) and _is_clock(beside[0]):
        return pair._replace(clock=beside[0])
    if beside:
        return pair._replace(rivals=beside, doubt="several controls stand beside it")
    mirrors = tuple(_mirrors(tree, at, pair, label))
    if mirrors:
        return pair._replace(rivals=mirrors, doubt="a hidden control holds the same")
    return pair


def _has_free_neighbour(tree: FormTree, at: int) -> bool:
    """Whether the control before or after it has no label."""
    controls, claimed = tree.controls, tree.claimed
    if at and controls[at - 1].id not in claimed:
        return True
    return at + 1 < len(controls) and controls[at + 1].id not in claimed


def _passed_over(tree: FormTree, label: LabelElement) -> tuple[ControlElement, ...]:
    """The controls of a label's own block, where its `for` names another that stands elsewhere."""
    target, trail = label.target, label.place.trail
    if not label.is_explicit or target is None or label.is_own(target) or label.depth >= len(trail):
        return ()
    if label.node.mem_id in target.trail:
        return ()
    before = takewhile(label.is_own, (tree.controls[at] for at in range(label.at - 1, -1, -1)))
    after = takewhile(label.is_own, (tree.controls[at] for at in range(label.at, len(tree.controls))))
    return tuple(e for e in (*[*before][::-1], *after) if e.is_open and tree.is_free(e))


def _block(target: ControlElement, label: LabelElement | None) -> int:
    """How many ancestors of the control belong to what surrounds its label as well."""
    if label is None:
        return len(target.trail)
    if label.node.mem_id in target.trail:
        return target.trail.index(label.node.mem_id) + 1
    if label.is_explicit or label.place.row != target.row:
        return len(target.trail)
    if target.row is not None:
        return target.trail.index(target.row) + 1
    return count_shared_ancestors(label.place.trail, target.trail)


def _beside(tree: FormTree, at: int, pair: LabelPair, label: LabelElement | None) -> Iterator[ControlElement]:
    """Controls of the same family right after it in its block, without words of their own."""
    target = pair.target
    if not target.is_open or target.type == "radio":
        return
    if label is not None and label.is_explicit and label.node.mem_id not in target.trail:
        return
    if pair.label.casefold().rpartition(" ")[2] in _BEGINNINGS:
        return
    depth = _block(target, label)
    end = label.until if label is not None and label.until > at else len(tree.controls)
    for element in tree.controls[at + 1 : end]:
        if element.trail[:depth] != target.trail[:depth]:
            return
        if element.is_hidden or not element.can_be_labelled or not element.name:
            continue
        if not tree.is_free(element) or _family(element) != _family(target) or element.name == target.name:
            return
        yield element


def _is_day(element: ControlElement) -> bool:
    value = element.attributes.get("value") or ""
    if not value:
        return element.type == "date" or _DAY_NAME.search(element.name.casefold()) is not None
    try:
        return "T" not in german_formats.parse_date(value)
    except ValueError:
        return False


def _is_clock(element: ControlElement) -> bool:
    value = element.attributes.get("value") or ""
    if not value:
        return element.type == "time" or _CLOCK_NAME.search(element.name.casefold()) is not None
    return _CLOCK.fullmatch(value) is not None


def _family(element: ControlElement) -> str:
    return element.type if element.type in _OTHER_FAMILIES else "line"


def _mirrors(tree: FormTree, at: int, pair: LabelPair, label: LabelElement | None) -> Iterator[ControlElement]:
    """Hidden controls beside a text input that hold the same as it: which of the two PlanSo stores can't be told."""
    target = pair.target
    if not target.is_open or _family(target) != "line":
        return
    depth = _block(target, label)
    for step in (1, -1):
        near = at + step
        while 0 <= near < len(tree.controls):
            element = tree.controls[near]
            if not element.is_hidden or element.trail[:depth] != target.trail[:depth]:
                break
            if element.name and element.name != target.name and tree.is_free(element) and _is_mirror(target, element):
                yield element
            near += step


def _is_mirror(target: ControlElement, hidden: ControlElement) -> bool:
    name, other = target.name.casefold(), hidden.name.casefold()
    if _ORIGINAL.search(other):
        return False
    shown = sanitize_value(target.type, target.attributes.get("value") or "", target.attributes)
    held = hidden.attributes.get("value") or ""
    if len(shown) >= _LEAST and (shown == held or _is_same_day(shown, held)):
        return True
    stem = _stem(name)
    return bool(stem) and stem == _stem(other)


def _stem(name: str) -> str:
    return _SIGNS.sub("", _AFFIX.sub("", name))


def _is_same_day(one: str, other: str) -> bool:
    try:
        return german_formats.parse_date(one) == german_formats.parse_date(other)
    except ValueError:
        return False


def _with_shared(pairs: list[LabelPair]) -> list[LabelPair]:
    """Doubts about the controls that several different labels name."""
    if len({pair.target.id for pair in pairs}) == len(pairs):
        return pairs
    names: dict[int, dict[str, str]] = defaultdict(dict)
    for pair in pairs:
        names[pair.target.id].setdefault(label_key(pair.label), pair.label)
    doubts = {own: f"the control has the labels {_quoted(held)}" for own, held in names.items() if len(held) > 1}
    return [
        pair._replace(doubt=doubts[pair.target.id]) if pair.target.id in doubts and not pair.doubt else pair
        for pair in pairs
    ]


def _quoted(names: dict[str, str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return " and ".join(f"'{name}'" for name in islice(names.values(), _NAMED)) + more
