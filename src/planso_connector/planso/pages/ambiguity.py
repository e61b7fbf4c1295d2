"""
Mark labels that may name several controls, and controls that have several labels: what the markup leaves open is
refused when it is to be written, unless something else decides (`field_locator`).
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import takewhile

from planso_connector.domain import german_formats
from planso_connector.planso.pages.form_tree import (
    ControlElement,
    FormTree,
    LabelElement,
    LabelPair,
    count_shared_ancestors,
)
from planso_connector.planso.pages.text import label_key
from planso_connector.planso.pages.value_sanitization import sanitize_value

_START_WORDS = frozenset({"von", "ab", "from", "beginn"})
"""The last word of a label that names the first of several controls: `Reparatur von [08:00] - [16:00]`."""
_NOT_ONE_LINE = frozenset({"select", "textarea", "checkbox", "radio"})
_ORIGINAL = re.compile(r"(?:^|[^a-z])(old|orig|original|prev|previous|initial|before|vorher)(?:[^a-z]|$)")
"""Names of hidden copies of the value as the page was made; a browser sends them unchanged along with a change."""
_MIRROR_AFFIX = re.compile(
    r"(?:^|(?<=[^a-z\d]))(show|shown|display|visible|anzeige|text|txt|view|picker|formatted|dummy|fake|hidden|submit"
    r"|real|iso|db|raw|value|val|alt|input|mirror)(?=$|[^a-z\d])"
)
_DAY_NAME = re.compile(r"date|datum|tag|day")
_TIME_NAME = re.compile(r"time|zeit|uhr")
_TIME = re.compile(r"\s*\d?\d:\d\d(:\d\d)?( Uhr)?\s*")
_NOT_ALPHANUMERIC = re.compile(r"[^a-z\d]")
_MAX_QUOTED_LABELS = 5
_MIN_COMPARED_LENGTH = 3
"""Shorter values are equal by chance."""
_COPIED = "its 'for' is copied"


def mark_ambiguities(tree: FormTree, labels: Sequence[LabelElement], pairs: list[LabelPair]) -> list[LabelPair]:
    """The pairs with what is ambiguous about each, and those of labels whose copied `for` could not be resolved."""
    by_position = {label.position: label for label in labels}
    indexes = {element.id: index for index, element in enumerate(tree.controls)}
    marked = [
        pair if pair.ambiguity else _mark(tree, indexes[pair.target.id], pair, by_position.get(pair.position))
        for pair in pairs
    ]
    alternatives: dict[int, tuple[ControlElement, ...]] = {}
    """By the first target's id: labels with one copied `for` share a tuple."""
    for label in labels:
        if label.target is None and label.duplicate_targets:
            first, *others = label.duplicate_targets
            shared = alternatives.setdefault(first.id, tuple(others))
            marked.append(LabelPair(label.position, label.text, first, label.full_text, shared, _COPIED))
    if len(marked) > len(pairs):
        marked.sort(key=lambda pair: pair.position)
    return _mark_shared_controls(marked)


def _mark(tree: FormTree, index: int, pair: LabelPair, label: LabelElement | None) -> LabelPair:
    """Mark one pair; `index` is its control's, `label` its `<label>` where it has one."""
    if label is not None and label.target is not pair.target:
        label = None
    if label is not None and (label.is_explicit or label.duplicate_targets):
        duplicates = label.duplicate_targets
        if duplicates and pair.target not in duplicates and not label.has_in_own_block(pair.target):
            return pair._replace(alternatives=tuple(duplicates), ambiguity=_COPIED)
        passed_over = _find_passed_over(tree, label)
        if passed_over:
            return pair._replace(alternatives=passed_over, ambiguity="its 'for' names a control of another block")
    controls, paired = tree.controls, tree.paired
    is_start, is_end = index == 0, index + 1 == len(controls)
    if (is_start or controls[index - 1].id in paired) and (is_end or controls[index + 1].id in paired):
        return pair
    beside = tuple(_find_beside(tree, index, pair, label))
    if len(beside) == 1 and _may_hold_day(tree, pair.target) and _may_hold_time(tree, beside[0]):
        return pair._replace(time_element=beside[0])
    if beside:
        return pair._replace(alternatives=beside, ambiguity="several controls are next to it")
    mirrors = tuple(_find_mirrors(tree, index, pair, label))
    if mirrors:
        return pair._replace(alternatives=mirrors, ambiguity="a hidden control holds the same")
    return pair


def _find_passed_over(tree: FormTree, label: LabelElement) -> tuple[ControlElement, ...]:
    """The fillable controls of a label's own block, where its `for` names another that is elsewhere."""
    target = label.target
    if not label.is_explicit or target is None or label.has_in_own_block(target):
        return ()
    if label.shared_depth >= len(label.ancestry.ancestors) or label.node.mem_id in target.ancestors:
        return ()
    before = [*takewhile(label.has_in_own_block, reversed(tree.controls[: label.index]))][::-1]
    after = takewhile(label.has_in_own_block, tree.controls[label.index :])
    return tuple(element for element in (*before, *after) if element.is_fillable and tree.is_unpaired(element))


def _find_block_depth(target: ControlElement, label: LabelElement | None) -> int:
    """How many of the control's ancestors its label's surroundings have in common with it."""
    if label is None:
        return len(target.ancestors)
    if label.node.mem_id in target.ancestors:
        return target.ancestors.index(label.node.mem_id) + 1
    if label.is_explicit or label.ancestry.row != target.row:
        return len(target.ancestors)
    if target.row is not None:
        return target.ancestors.index(target.row) + 1
    return count_shared_ancestors(label.ancestry.ancestors, target.ancestors)


def _find_beside(tree: FormTree, index: int, pair: LabelPair, label: LabelElement | None) -> Iterator[ControlElement]:
    """Controls of the same kind right after it in its block, without a label of their own."""
    target = pair.target
    if not target.is_fillable or target.type == "radio":
        return
    if label is not None and label.is_explicit and label.node.mem_id not in target.ancestors:
        return
    if pair.label.casefold().rpartition(" ")[2] in _START_WORDS:
        return
    block = target.ancestors[: _find_block_depth(target, label)]
    end = label.end if label is not None and label.end > index else len(tree.controls)
    for element in tree.controls[index + 1 : end]:
        if element.ancestors[: len(block)] != block:
            return
        if element.is_hidden or not element.can_be_labelled or not element.name:
            continue
        if not tree.is_unpaired(element) or _kind(element) != _kind(target) or element.name == target.name:
            return
        yield element


def _may_hold_day(tree: FormTree, element: ControlElement) -> bool:
    value = tree.consult(element).get("value") or ""
    if not value:
        return element.type == "date" or _DAY_NAME.search(element.name.casefold()) is not None
    day = _parse_date(value)
    return day is not None and "T" not in day


def _may_hold_time(tree: FormTree, element: ControlElement) -> bool:
    value = tree.consult(element).get("value") or ""
    if not value:
        return element.type == "time" or _TIME_NAME.search(element.name.casefold()) is not None
    return _TIME.fullmatch(value) is not None


def _kind(element: ControlElement) -> str:
    return element.type if element.type in _NOT_ONE_LINE else "line"


def _find_mirrors(tree: FormTree, index: int, pair: LabelPair, label: LabelElement | None) -> Iterator[ControlElement]:
    """Hidden controls beside a text input that hold the same: which of the two PlanSo stores can't be known."""
    target = pair.target
    if not target.is_fillable or _kind(target) != "line":
        return
    block = target.ancestors[: _find_block_depth(target, label)]
    for side in (tree.controls[index + 1 :], reversed(tree.controls[:index])):
        for element in side:
            if not element.is_hidden or element.ancestors[: len(block)] != block:
                break
            is_candidate = element.name and element.name != target.name and tree.is_unpaired(element)
            if is_candidate and _is_mirror(tree, target, element):
                yield element


def _is_mirror(tree: FormTree, target: ControlElement, hidden: ControlElement) -> bool:
    name, hidden_name = target.name.casefold(), hidden.name.casefold()
    if _ORIGINAL.search(hidden_name):
        return False
    shown = sanitize_value(target.type, tree.consult(target).get("value") or "", target.attributes)
    value = tree.consult(hidden).get("value") or ""
    if len(shown) >= _MIN_COMPARED_LENGTH:
        day = _parse_date(shown)
        if shown == value or (day is not None and day == _parse_date(value)):
            return True
    stem = _find_stem(name)
    return bool(stem) and stem == _find_stem(hidden_name)


def _find_stem(name: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", _MIRROR_AFFIX.sub("", name))


def _parse_date(text: str) -> str | None:
    try:
        return german_formats.parse_date(text)
    except ValueError:
        return None


def _mark_shared_controls(pairs: list[LabelPair]) -> list[LabelPair]:
    """Mark the controls that several different labels name."""
    if len({pair.target.id for pair in pairs}) == len(pairs):
        return pairs
    labels: dict[int, dict[str, str]] = defaultdict(dict)
    for pair in pairs:
        labels[pair.target.id].setdefault(label_key(pair.label), pair.label)
    reasons = {key: f"the control has the labels {_quote(found)}" for key, found in labels.items() if len(found) > 1}
    return [pair if pair.ambiguity else pair._replace(ambiguity=reasons.get(pair.target.id, "")) for pair in pairs]


def _quote(labels: dict[str, str]) -> str:
    quoted = [f"'{label}'" for label in labels.values()]
    more = len(quoted) - _MAX_QUOTED_LABELS
    return " and ".join(quoted[:_MAX_QUOTED_LABELS]) + (f" and {more} more" if more > 0 else "")
