"""
Read forms whose layout is known. The forms of one table differ in what their controls hold and in nothing else; where
everything around that is equal, which label names which control is known from an earlier reading.

A layout is made only where two readings prove it. One with a mark in each control shows which markup becomes which
control; one with other contents must give the same labels, and consult the contents of the same controls. Those
contents belong to the layout. Where any of this does not hold, and wherever a form holds something that may not be
opaque to an HTML parser, the form is read in full. The result is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

from planso_connector.domain.errors import PageTooLarge
from planso_connector.planso.pages.control import Control, FormEntry
from planso_connector.planso.pages.control_content import read_content
from planso_connector.planso.pages.control_groups import ControlGroup, group_controls
from planso_connector.planso.pages.control_markup import (
    MARK,
    find_shape,
    mark_control,
    scramble_control,
    split_controls,
)
from planso_connector.planso.pages.field_locator import FieldLocator
from planso_connector.planso.pages.field_plan import FieldPlan
from planso_connector.planso.pages.html_parser import TagBounds, parse_html
from planso_connector.planso.pages.markup import FormMarkup, FormSource, ReadMarkup, prepare_source, read_markup
from planso_connector.planso.pages.nodes import CONTROL_SELECTOR
from planso_connector.planso.pages.section_titles import may_have_tabs
from planso_connector.planso.profile import Profile

MAX_LAYOUTS = 8
"""Layouts that are remembered; a workshop's table has one, and one for its blank form."""
MAX_CONTENTS = 32
"""Contents of a control that a layout remembers: a select's, dates, flags. Names and numbers hardly occur again."""
_FORGET_AFTER = 1_000
"""New contents of a control after which those that it remembers are taken for outdated."""
_MAX_CONTENT_LENGTH = 2_000
_MAX_SHAPES = 6_000
_MAX_SEEN = 64

_CONTENT_FIELDS = frozenset({"value", "checked", "options", "selected_indexes"})
_CONTROL_FIELDS = tuple(field.name for field in fields(Control) if field.compare)
_STRUCTURE_FIELDS = tuple(name for name in _CONTROL_FIELDS if name not in _CONTENT_FIELDS)

LayoutKey = tuple[str, bool, bool, bool, bool, str]


class FormLayouts:
    """The layouts of one installation's forms. `profile` names the fields."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._layouts: dict[LayoutKey, list[_Layout]] = {}
        """By everything but the contents; several, where contents decide how the form is read. None can be made: []."""
        self._seen: dict[int, None] = {}
        """Hashes of keys that were seen once: a layout is made when a key comes back."""
        self._shapes: dict[str, str] = {}
        """By a control's markup the same without its content."""
        self.hits = self.misses = 0

    def read(
        self, content: str, functions: str = "", *, is_whole: bool = False, like: FormMarkup | None = None
    ) -> FormMarkup:
        """As `parse_form_markup`. `like`: an earlier reading that has most contents, too. Raises PageTooLarge."""
        source = prepare_source(content, functions, is_whole=is_whole)
        split = self._split(source)
        if split is None:
            self.misses += 1
            return read_markup(source).markup
        key, controls = split
        for layout in self._layouts.get(key, ()):
            found = layout.read(controls, source, like)
            if found is not None:
                self.hits += 1
                return found
        self.misses += 1
        return self._read_in_full(source, key)

    def _split(self, source: FormSource) -> tuple[LayoutKey, list[str]] | None:
        """The key of its layout, and the markup of its controls; None where it can't have a layout."""
        pieces = split_controls(source.html)
        if pieces is None:
            return None
        controls = pieces[1::2]
        known = self._shapes
        pieces[1::2] = [known.get(text) or self._find_shape(text) for text in controls]
        html = source.html
        key = (
            source.functions, source.is_whole, source.has_form_feeds, "head" in html, may_have_tabs(html),
            "\0".join(pieces),
        )  # fmt: skip
        return key, controls

    def _find_shape(self, text: str) -> str:
        shape = find_shape(text)
        if len(text) <= _MAX_CONTENT_LENGTH:
            if len(self._shapes) >= _MAX_SHAPES:
                self._shapes.clear()
            self._shapes[text] = shape
        return shape

    def _read_in_full(self, source: FormSource, key: LayoutKey) -> FormMarkup:
        reading = read_markup(source)
        known = self._layouts.get(key)
        if known is None and hash(key) not in self._seen:
            if len(self._seen) >= _MAX_SEEN:
                self._seen.clear()
            self._seen[hash(key)] = None
        elif known is None or 0 < len(known) < MAX_LAYOUTS:
            layout = _make_layout(source, reading, self._profile)
            if len(self._layouts) >= MAX_LAYOUTS:
                self._layouts.clear()
            if layout is not None:
                self._layouts.setdefault(key, []).append(layout)
            else:
                self._layouts.setdefault(key, [])
        return reading.markup


class _Known(NamedTuple):
    """A control with one content, and the labels that name it alone."""

    control: Control
    entries: tuple[FormEntry, ...]


class LayoutContents(NamedTuple):
    """`texts`: the controls' markup in turn; `known`: what was read of it, by the control's index."""

    layout: "_Layout"
    texts: Sequence[str]
    known: Sequence[_Known]


class _EntryPlan(NamedTuple):
    """
    An entry of the layout's form. `control` is the index of its control, `place` its place among the labels that name
    that control alone; -1 where it is made of several controls, those of `controls`, `alternatives` and `time_control`.
    """

    entry: FormEntry
    control: int
    place: int


@dataclass
class _Layout:
    """
    `slots`: by the place of a control's markup the index of its control, None where it becomes none. `fixed`: the
    markup whose content decided how the form is read, by place. `constant`: the controls whose markup is not split off.
    """

    markup: FormMarkup
    slots: Sequence[int | None]
    fixed: Mapping[int, str]
    bounds: TagBounds
    field_plan: FieldPlan
    radio_groups: Sequence[Sequence[int]]

    def __post_init__(self) -> None:
        alone: dict[int, list[FormEntry]] = {}
        self._entries: list[_EntryPlan] = []
        for entry in self.markup.entries:
            index = entry.control.index
            is_alone = len(entry.controls) == 1 and not entry.alternatives and entry.time_control is None
            place = -1
            if is_alone:
                place = len(alone.setdefault(index, []))
                alone[index].append(entry)
            self._entries.append(_EntryPlan(entry, index, place))
        self._first = [_Known(control, tuple(alone.get(control.index, ()))) for control in self.markup.controls]
        self._known: list[dict[str, _Known]] = [{} for _ in self.slots]
        self._unknown_counts = [0] * len(self.slots)

    @cached_property
    def control_groups(self) -> tuple[ControlGroup, ...]:
        return group_controls(self.markup)

    def read(self, controls: Sequence[str], source: FormSource, like: FormMarkup | None = None) -> FormMarkup | None:
        """The form with these contents; None where it has to be read in full."""
        if any(controls[place] != text for place, text in self.fixed.items()) or not self.bounds.hold(source.html):
            return None
        earlier = like.contents if like is not None else None
        if earlier is not None and earlier.layout is not self:
            earlier = None
        by_index = self._first.copy()
        missing: list[int] = []
        for place, (index, known, text) in enumerate(zip(self.slots, self._known, controls, strict=True)):
            if index is None:
                continue
            found = known.get(text)
            if found is not None:
                by_index[index] = found
            elif earlier is not None and earlier.texts[place] == text:
                by_index[index] = earlier.known[index]
            else:
                missing.append(place)
        if missing and not self._read_missing(controls, missing, by_index, has_form_feeds=source.has_form_feeds):
            return None
        for group in self.radio_groups:
            if sum(by_index[index].control.checked for index in group) > 1:
                return None  # a browser unchecks all but the last
        return self._compose(LayoutContents(self, controls, by_index))

    def _compose(self, contents: LayoutContents) -> FormMarkup:
        known = contents.known
        controls = tuple(found.control for found in known)
        entries = tuple(
            known[plan.control].entries[plan.place] if plan.place >= 0 else _copy_entry(plan.entry, controls)
            for plan in self._entries
        )
        return FormMarkup(controls, entries, self.markup.copied_ids, self.field_plan, contents)

    def _read_missing(
        self, controls: Sequence[str], places: Sequence[int], by_index: list[_Known], *, has_form_feeds: bool
    ) -> bool:
        """Read contents that are not known yet; False where they don't come out one by one."""
        root = parse_html("".join([controls[place] for place in places])).root
        nodes = root.css(CONTROL_SELECTOR) if root is not None else []
        if len(nodes) != len(places):
            return False
        for place, node in zip(places, nodes, strict=True):
            index, text = self.slots[place], controls[place]
            assert index is not None, "only contents of controls are missing"
            first = self._first[index]
            content = read_content(node, first.control.type, node.attributes, has_form_feeds=has_form_feeds)
            options = content.options if first.control.type == "select" else first.control.options
            control = first.control.with_content(content.value, options, checked=content.checked)
            by_index[index] = known = _Known(control, tuple(_copy_entry(e, {index: control}) for e in first.entries))
            if len(text) <= _MAX_CONTENT_LENGTH:
                self._remember(place, text, known)
        return True

    def _remember(self, place: int, text: str, known: _Known) -> None:
        contents = self._known[place]
        self._unknown_counts[place] += 1
        if self._unknown_counts[place] > _FORGET_AFTER:
            self._unknown_counts[place] = 0
            contents.clear()
        if len(contents) < MAX_CONTENTS:
            contents[text] = known


def _copy_entry(entry: FormEntry, controls: Sequence[Control] | Mapping[int, Control]) -> FormEntry:
    copy = FormEntry(entry.label, entry.key, tuple(controls[control.index] for control in entry.controls))
    copy.full_label, copy.ambiguity = entry.full_label, entry.ambiguity
    if entry.alternatives:
        copy.alternatives = tuple(controls[control.index] for control in entry.alternatives)
    if entry.time_control is not None:
        copy.time_control = controls[entry.time_control.index]
    return copy


# Proving a layout ----------------------------------------------------------------------------------------------------


def _make_layout(source: FormSource, reading: ReadMarkup, profile: Profile) -> _Layout | None:
    """The layout of a form that was read in full; None where it can't be proved."""
    pieces = split_controls(source.html)
    bounds = TagBounds.of(source.html)
    markup = reading.markup
    if pieces is None or bounds is None or not markup.entries:
        return None
    controls = pieces[1::2]
    marked = _read_variant(source, pieces, [mark_control(text, place) for place, text in enumerate(controls)])
    if marked is None or describe_markup(marked.markup) != describe_markup(markup):
        return None
    slots = _find_slots(marked, len(controls))
    consulted = _find_consulted(marked)
    if slots is None or consulted != _find_consulted(reading):
        return None
    fixed = {
        place: text
        for place, (index, text) in enumerate(zip(slots, controls, strict=True))
        if index is None or index in consulted or find_shape(text) == text
    }
    scrambled = _read_variant(
        source,
        pieces,
        [text if place in fixed else scramble_control(text, place) for place, text in enumerate(controls)],
    )
    if scrambled is None or _find_consulted(scrambled) != consulted:
        return None
    if _describe_structure(scrambled.markup) != _describe_structure(markup):
        return None
    plan = FieldPlan(FieldLocator(markup.entries, markup.controls, profile), markup, profile)
    layout = _Layout(
        markup,
        [None if place in fixed else index for place, index in enumerate(slots)],
        fixed,
        bounds,
        plan,
        _group_radios(reading),
    )
    found = layout.read(controls, source)
    return layout if found is not None and describe_markup(found) == describe_markup(markup) else None


def _read_variant(source: FormSource, pieces: Sequence[str], controls: Sequence[str]) -> ReadMarkup | None:
    variant = list(pieces)
    variant[1::2] = controls
    try:
        return read_markup(source._replace(html="".join(variant)))
    except PageTooLarge:
        return None


def _find_slots(marked: ReadMarkup, count: int) -> list[int | None] | None:
    """By place the index of the control that a mark ended up in; None where a mark is in several."""
    slots: list[int | None] = [None] * count
    for index, element in enumerate(marked.elements):
        mark = element.attributes.get(MARK)
        if mark is not None and mark.isdecimal():
            if slots[int(mark)] is not None:
                return None
            slots[int(mark)] = index
    return slots


def _find_consulted(reading: ReadMarkup) -> frozenset[int]:
    """
    The indexes of controls whose content decided something, and -1 where that of one outside of the form did: all such
    are part of the layout.
    """
    inside = {element.id: index for index, element in enumerate(reading.elements)}
    return frozenset(inside.get(element_id, -1) for element_id in reading.consulted)


def _group_radios(reading: ReadMarkup) -> list[list[int]]:
    groups: dict[tuple[int | None, str], list[int]] = {}
    for index, element in enumerate(reading.elements):
        if element.type == "radio" and element.name:
            groups.setdefault((element.form, element.name), []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def describe_markup(markup: FormMarkup) -> object:
    """All that a form's markup says, for comparing two readings of it."""
    controls = [tuple(getattr(control, name) for name in _CONTROL_FIELDS) for control in markup.controls]
    return controls, [_describe_entry(entry) for entry in markup.entries], markup.copied_ids


def _describe_structure(markup: FormMarkup) -> object:
    """As `describe_markup`, without contents."""
    controls = [tuple(getattr(control, name) for name in _STRUCTURE_FIELDS) for control in markup.controls]
    return controls, [_describe_entry(entry, with_choices=False) for entry in markup.entries], markup.copied_ids


def _describe_entry(entry: FormEntry, *, with_choices: bool = True) -> tuple[Any, ...]:
    choices = (entry.choices, entry.selected_indexes) if with_choices else ()
    return (
        entry.label,
        entry.key,
        entry.full_label,
        entry.ambiguity,
        [control.index for control in entry.controls],
        [control.index for control in entry.alternatives],
        entry.time_control.index if entry.time_control is not None else None,
        entry.is_choice,
        *choices,
    )
