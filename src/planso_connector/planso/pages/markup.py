"""
Parse a form's markup into its controls and labels, in document order. Which label names which control is found in
`label_pairing`. Source: the PlanSo protocol's section 3.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from planso_connector.domain.character_references import unescape_html
from planso_connector.domain.errors import PageTooLarge
from planso_connector.planso.pages.control import Control, FormEntry, Option, ScriptValue
from planso_connector.planso.pages.control_content import read_content
from planso_connector.planso.pages.dropdowns import allows_multiple, read_dropdown_options
from planso_connector.planso.pages.form_tree import ControlElement, FormTree, LabelPair, radio_group_key
from planso_connector.planso.pages.html_parser import parse_html, wrap_bare_rows
from planso_connector.planso.pages.label_pairing import Pairing, pair_labels
from planso_connector.planso.pages.script_values import read_script_values
from planso_connector.planso.pages.section_titles import SectionTitles
from planso_connector.planso.pages.text import label_key, unescape_markup

if TYPE_CHECKING:
    from planso_connector.planso.pages.field_plan import FieldPlan
    from planso_connector.planso.pages.form_layout import LayoutContents

MAX_RADIO_BUTTONS = 50_000
"""Radio buttons of all labels together."""

_LINE_BREAK_REFERENCE = re.compile(r"&#(?:0*1[02]|x0*[ac])(?![\da-f])|&NewLine;", re.IGNORECASE)
"""A character reference to a line feed or a form feed."""
_VISIBLE_CONTROL = re.compile(r"<(?:select|textarea)\b|<input\b(?![^<>]*hidden)", re.IGNORECASE)
_ESCAPED_CONTROL = re.compile(r"&lt;(?:input|select|textarea)\b", re.IGNORECASE)
_TAG_OR_TEXT = re.compile(r"<[a-zA-Z/!](?:\"[^\"]*+\"|'[^']*+'|[^\"'<>])*+>|[^<]++|<")
_MAX_ESCAPES = 3
_FORM = re.compile(r"<form\b", re.IGNORECASE)
_NEVER_READ_ONLY = frozenset({"hidden", "select", "checkbox", "radio", "range", "color"})
"""Types on which `readonly` has no meaning."""
_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|(?P<area><textarea\b(?:\"[^\"]*+\"|'[^']*+'|[^\"'<>])*+>)(?P<first>\r\n|\r|\n)?(?P<text>.*?)(?=</textarea|\Z)"
    r"|(?P<tag><[a-zA-Z/!](?:\"[^\"]*+\"|'[^']*+'|[^\"'<>])*+>)"
    r"|(?P<plain>\r)",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True)
class FormMarkup:
    """A form's controls in document order (a control's `index` is its place), its labels, and ids that occur twice."""

    controls: tuple[Control, ...]
    entries: tuple[FormEntry, ...]
    copied_ids: tuple[str, ...] = ()
    field_plan: FieldPlan | None = None
    """How its fields are read, where its layout is known."""
    contents: LayoutContents | None = None
    """What its layout was filled with, where it is known."""


class FormSource(NamedTuple):
    """
    What the HTML parser is given of a form. `has_form_feeds`: form feeds stand for carriage returns in it. `functions`
    is the script that comes with it; `is_whole`: all of it is the form, whatever `<form>` it holds.
    """

    html: str
    has_form_feeds: bool
    functions: str
    is_whole: bool


class ReadMarkup(NamedTuple):
    """
    A form, the elements of its controls, and the ids of the elements whose content decided how the form is read.
    """

    markup: FormMarkup
    elements: Sequence[ControlElement]
    consulted: Collection[int]


def parse_form_markup(content: str, functions: str = "", *, is_whole: bool = False) -> FormMarkup:
    """
    Parse the form in `content`: the `<form>` with the most labelled controls, or all of the content where no form holds
    them (HTML parsers close a form that is misnested in a table at once) or `is_whole` says so. `functions` is the
    script that comes with it. Raises PageTooLarge.
    """
    return read_markup(prepare_source(content, functions, is_whole=is_whole)).markup


def prepare_source(content: str, functions: str = "", *, is_whole: bool = False) -> FormSource:
    html, has_form_feeds = _protect_carriage_returns(wrap_bare_rows(_unescape(content)))
    return FormSource(html, has_form_feeds, functions, is_whole)


def read_markup(source: FormSource) -> ReadMarkup:
    """Raises PageTooLarge."""
    html = source.html
    root = parse_html(html).root
    if root is None:
        return ReadMarkup(FormMarkup((), ()), (), ())
    tree = FormTree(root, html)
    pairing = pair_labels(tree)
    form = None if source.is_whole else _choose_form(pairing)
    outside = _find_outside(tree, pairing, form, html) if form is not None else frozenset()
    elements = [e for e in tree.controls if form is None or e.form == form or e.id in outside]
    dropdowns = read_dropdown_options(tree) if any(pair.target.is_hidden for pair in pairing.pairs) else {}
    script_values = read_script_values(tree, source.functions, dropdowns)
    factory = _ControlFactory(
        pairing.radio_labels, source.has_form_feeds, SectionTitles(tree, html), dropdowns, script_values
    )
    consulted = tree.consulted
    # Free the tree before as many controls are made: the garbage collector counts what is alive at once.
    del tree
    controls = {element.id: factory.make(index, element) for index, element in enumerate(elements)}
    for element_id in outside:
        controls[element_id].is_outside, controls[element_id].is_sent = True, False
    _uncheck_earlier_radios((element, controls[element.id]) for element in elements)
    markup = FormMarkup(tuple(controls.values()), tuple(_make_entries(pairing.pairs, controls)), pairing.copied_ids)
    return ReadMarkup(markup, elements, consulted)


def _unescape(content: str) -> str:
    """Unescape markup that is entity-escaped once more, where its controls are text and no tags."""
    for _ in range(_MAX_ESCAPES):
        if _VISIBLE_CONTROL.search(content) or "&lt;" not in content:
            return content
        if not _ESCAPED_CONTROL.search(content):
            return unescape_markup(content)
        pieces = _TAG_OR_TEXT.findall(content)
        content = "".join(piece if piece.startswith("<") else unescape_html(piece) for piece in pieces)
    return content


def _choose_form(pairing: Pairing) -> int | None:
    """The id of the form with the most labelled controls; None where more of them are outside of forms."""
    counts: dict[int | None, int] = {}
    for pair in pairing.pairs:
        if pair.target.name:
            counts[pair.target.form] = counts.get(pair.target.form, 0) + 1
    outside = counts.pop(None, 0)
    best = max(counts, key=lambda form: counts[form], default=None)
    return best if best is not None and counts[best] >= outside else None


def _find_outside(tree: FormTree, pairing: Pairing, form: int, source: str) -> frozenset[int]:
    """
    The ids of labelled controls that an inner `</form>` left behind the form's early end; a browser doesn't send them.
    """
    orphans = [pair.target for pair in pairing.pairs if pair.target.form is None]
    if not orphans or len(_FORM.findall(source)) <= len(tree.root.css("form")):
        return frozenset()
    first = next(element.position for element in tree.controls if element.form == form)
    return frozenset(element.id for element in orphans if element.position > first)


def _protect_carriage_returns(content: str) -> tuple[str, bool]:
    """
    Keep carriage returns from the HTML parser, which turns `\\r\\n` into `\\n`: unchanged values go back as they came.

    Returns the markup, and whether form feeds replace carriage returns in it: parsers leave those alone, and both are
    white space. Content with form feeds or references to line breaks is taken apart, which is slower than all the rest.
    """
    if "\r" not in content:
        return content, False
    if "\f" in content or _LINE_BREAK_REFERENCE.search(content):
        return _MARKUP.sub(_escape_carriage_returns, content), False
    # A text area's first line break is dropped: of `\n\r\n` the `\n`, so what follows must not look like the first.
    return content.replace(">\n\r", ">\n&#13;").replace("\r", "\f"), True


def _escape_carriage_returns(match: re.Match[str]) -> str:
    if match["plain"]:
        return "&#13;"
    if match["area"]:
        first = "\n" if match["first"] else ""
        return _escape_in_values(match["area"]) + first + match["text"].replace("\r", "&#13;")
    return _escape_in_values(match["tag"]) if match["tag"] else match[0]


def _escape_in_values(tag: str) -> str:
    return re.sub(r"\"[^\"]*\"|'[^']*'", lambda value: value[0].replace("\r", "&#13;"), tag) if "\r" in tag else tag


@dataclass(frozen=True, slots=True)
class _ControlFactory:
    """Makes controls of a tree's elements. The mappings are by the element's id."""

    radio_labels: Mapping[int, str]
    has_form_feeds: bool
    titles: SectionTitles
    dropdowns: Mapping[int, tuple[Option, ...]]
    script_values: Mapping[int, ScriptValue]

    def make(self, index: int, element: ControlElement) -> Control:
        attributes, control_type, element_id = element.attributes, element.type, element.id
        name = element.name.replace("\f", "\r") if self.has_form_feeds else element.name
        content = read_content(element.node, control_type, attributes, has_form_feeds=self.has_form_feeds)
        multiple, is_list_box, options = False, False, content.options
        if control_type == "select":
            multiple = "multiple" in attributes
            is_list_box = (attributes.get("size") or "1").strip() not in ("", "0", "1")
        elif element_id in self.dropdowns:
            multiple, options = allows_multiple(element), self.dropdowns[element_id]
        is_disabled = element.is_in_disabled_fieldset or "disabled" in attributes
        control = Control(
            index, control_type, name, content.value, is_disabled, content.checked, multiple, is_list_box, options
        )
        control.radio_label = self.radio_labels.get(element_id, "")
        control.id = attributes.get("id") or ""
        control.readonly = "readonly" in attributes and control_type not in _NEVER_READ_ONLY
        control.script_value = self.script_values.get(element_id)
        control.headings = self.titles.find_above(element)
        return control


def _uncheck_earlier_radios(pairs: Iterable[tuple[ControlElement, Control]]) -> None:
    """Of several checked radio buttons of a group a browser keeps the last."""
    last: dict[tuple[int | None, str], Control] = {}
    for element, control in pairs:
        if control.type == "radio" and control.checked and control.name:
            group = radio_group_key(element)
            if group in last:
                last[group].checked = False
            last[group] = control


def _make_entries(pairs: Iterable[LabelPair], controls: Mapping[int, Control]) -> Iterator[FormEntry]:
    groups: dict[str, list[Control]] = {}
    for control in controls.values():
        if control.type == "radio" and control.name:
            groups.setdefault(control.name, []).append(control)
    alternatives: dict[int, tuple[Control, ...]] = {}
    """By the identity of the pair's own tuple, which many pairs can share."""
    radio_count = 0
    for pair in pairs:
        target = controls.get(pair.target.id)
        if target is None:
            continue
        target.label = target.label or pair.label
        members: tuple[Control, ...] = (target,)
        if target.type == "radio":
            members = tuple(groups.get(target.name, members))
            radio_count += len(members)
            _label_radios(members, target.label, radio_count)
        entry = FormEntry(pair.label, label_key(pair.label), members, ambiguity=pair.ambiguity)
        if pair.full_text != pair.label:
            entry.full_label = pair.full_text
        if pair.alternatives:
            if id(pair.alternatives) not in alternatives:
                found = (controls.get(element.id) for element in pair.alternatives)
                alternatives[id(pair.alternatives)] = tuple(control for control in found if control is not None)
            entry.alternatives = alternatives[id(pair.alternatives)]
        if pair.time_element is not None:
            entry.time_control = controls.get(pair.time_element.id)
        yield entry


def _label_radios(radios: Iterable[Control], label: str, count: int) -> None:
    if count > MAX_RADIO_BUTTONS:
        raise PageTooLarge("its groups of radio buttons have too many labels")
    for radio in radios:
        radio.label = label
