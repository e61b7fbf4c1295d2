"""
The markup of a form: which controls it has, in document order, and which label names which control.

Source: the PlanSo protocol's section 3. Pure; how labels find their controls is in `pairing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

from planso_connector.domain.character_references import unescape_html
from planso_connector.domain.errors import PageTooLarge
from planso_connector.planso.pages.control import Control, FormEntry, Option, ScriptValue
from planso_connector.planso.pages.dropdowns import allows_multiple, read_dropdown_options
from planso_connector.planso.pages.form_tree import ControlElement, FormTree, radio_group_key
from planso_connector.planso.pages.html_parser import parse_html
from planso_connector.planso.pages.label_pairing import Pairing, pair_labels
from planso_connector.planso.pages.script_values import read_script_values
from planso_connector.planso.pages.section_titles import SectionTitles
from planso_connector.planso.pages.text import collapse_whitespace, label_key, unescape_markup
from planso_connector.planso.pages.value_sanitization import sanitize_value

_SPACE = re.compile(r"[ \t\r\n\f]+")
_REFERENCE = re.compile(r"&#(?:0*1[02]|x0*[ac])(?![\da-f])|&NewLine;", re.IGNORECASE)
"""To a form feed or a line feed."""
_ROWS = re.compile(r"\s*<(tr|td|th|tbody|thead)\b", re.IGNORECASE)
_SHOWN_CONTROL = re.compile(r"<(?:select|textarea)\b|<input\b(?![^<>]*hidden)", re.IGNORECASE)
_ESCAPED_CONTROL = re.compile(r"&lt;(?:input|select|textarea)\b", re.IGNORECASE)
_TAG_OR_TEXT = re.compile(r"<[a-zA-Z/!](?:\"[^\"]*+\"|'[^']*+'|[^\"'<>])*+>|[^<]++|<")
_ESCAPED_AT_MOST = 3
_FORM = re.compile(r"<form\b", re.IGNORECASE)
MAX_RADIO_BUTTONS = 50_000
"""Radio buttons of all labels together."""
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
    """
    The form of one page: its controls in document order, its labels with theirs, and the ids that several controls
    bear. A control's `index` is its place in `controls`.
    """

    controls: tuple[Control, ...]
    entries: tuple[FormEntry, ...]
    copied_ids: tuple[str, ...] = ()


def parse_form_markup(content: str, functions: str = "", *, is_whole: bool = False) -> FormMarkup:
    """
    The form in `content`: the `<form>` with the most labelled controls, or all of it where no form holds them (a
    form that is misnested in a table is closed at once by every HTML parser) or `is_whole` says so. `functions` is the
    script that comes with it.
    """
    content = _unescaped(content)
    if _ROWS.match(content):
        content = f"<table>{content}</table>"
    source, feeds = _without_carriage_returns(content)
    root = parse_html(source).root
    if root is None:
        return FormMarkup((), ())
    return _read(root, source, functions, feeds=feeds, is_whole=is_whole)


def _read(root: LexborNode, source: str, functions: str, *, feeds: bool, is_whole: bool) -> FormMarkup:
    tree = FormTree(root, source)
    pairing = pair_labels(tree)
    scope = None if is_whole else _scope(pairing)
    outside = _outside(tree, pairing, scope, source) if scope is not None else frozenset()
    elements = [e for e in tree.controls if scope is None or e.form == scope or e.id in outside]
    items = read_dropdown_options(tree) if any(pair.target.is_hidden for pair in pairing.pairs) else {}
    read = _Read(pairing.choices, feeds, SectionTitles(tree, source), items, read_script_values(tree, functions, items))
    # Labels and places are let go before as many controls are made: the garbage collector counts what is alive at once.
    del tree
    controls = {element.id: read.control(index, element) for index, element in enumerate(elements)}
    for own in outside:
        controls[own].is_outside, controls[own].is_sent = True, False
    _uncheck(controls, elements)
    return FormMarkup(tuple(controls.values()), tuple(_entries(pairing, controls)), pairing.copied_ids)


def _unescaped(content: str) -> str:
    """Markup that arrived entity-escaped once more, as markup: where its controls are no tags but text."""
    for _ in range(_ESCAPED_AT_MOST):
        if _SHOWN_CONTROL.search(content) or "&lt;" not in content:
            return content
        if not _ESCAPED_CONTROL.search(content):
            return unescape_markup(content)
        content = "".join(
            part if part.startswith("<") else unescape_html(part) for part in _TAG_OR_TEXT.findall(content)
        )
    return content


def _outside(tree: FormTree, pairing: Pairing, scope: int, source: str) -> frozenset[int]:
    """
    The labelled controls that belong to no form, behind a form that an inner `</form>` closed early: their ids. A
    browser doesn't send them.
    """
    orphans = [pair.target for pair in pairing.pairs if pair.target.form is None]
    if not orphans or len(_FORM.findall(source)) <= len(tree.root.css("form")):
        return frozenset()
    first = next(element.position for element in tree.controls if element.form == scope)
    return frozenset(element.id for element in orphans if element.position > first)


def _without_carriage_returns(content: str) -> tuple[str, bool]:
    """
    `content` for a parser that turns `\\r\\n` into `\\n`, and whether form feeds stand for carriage returns in it. What
    isn't changed has to go back as it came. A form feed is white space wherever a carriage return is, and parsers leave
    it alone; only a content that has some of its own, or refers to line breaks, is taken apart, which takes longer than
    all the rest.
    """
    if "\r" not in content:
        return content, False
    if "\f" in content or _REFERENCE.search(content):
        return _MARKUP.sub(_referenced, content), False
    # A text area's first line break is dropped: of `\n\r\n` the `\n`, so what follows must not look like the first.
    return content.replace(">\n\r", ">\n&#13;").replace("\r", "\f"), True


def _referenced(match: re.Match[str]) -> str:
    if match["plain"]:
        return "&#13;"
    if match["area"]:
        first = "\n" if match["first"] else ""
        return _in_values(match["area"]) + first + match["text"].replace("\r", "&#13;")
    return _in_values(match["tag"]) if match["tag"] else match[0]


def _in_values(tag: str) -> str:
    return re.sub(r"\"[^\"]*\"|'[^']*'", lambda value: value[0].replace("\r", "&#13;"), tag) if "\r" in tag else tag


def _scope(pairing: Pairing) -> int | None:
    """The form that the page is about, None for the whole content."""
    counts: dict[int | None, int] = {}
    for pair in pairing.pairs:
        if pair.target.name:
            counts[pair.target.form] = counts.get(pair.target.form, 0) + 1
    outside = counts.pop(None, 0)
    best = max(counts, key=lambda form: counts[form], default=None)
    return best if best is not None and counts[best] >= outside else None


@dataclass(frozen=True, slots=True)
class _Read:
    """What is needed to make controls of the tree's elements."""

    choices: Mapping[int, str]
    feeds: bool
    titles: SectionTitles
    items: Mapping[int, tuple[Option, ...]]
    filled: Mapping[int, ScriptValue]

    def control(self, index: int, element: ControlElement) -> Control:
        attributes, kind, name, own = element.attributes, element.type, element.name, element.id
        value = attributes.get("value") or ""
        if self.feeds:
            name, value = name.replace("\f", "\r"), value.replace("\f", "\r")
        is_disabled = element.is_locked or "disabled" in attributes
        headings = self.titles.above(element)
        if kind == "select":
            control = self._select(index, element, name, is_disabled=is_disabled)
        elif kind in ("checkbox", "radio"):
            value = value if "value" in attributes else "on"
            checked, choice = "checked" in attributes, self.choices.get(own, "")
            control = Control(index, kind, name, value, is_disabled, checked, radio_label=choice)
        elif kind == "textarea":
            control = Control(index, kind, name, self._area(element), is_disabled)
        elif own in self.items:
            several = allows_multiple(element)
            control = Control(index, kind, name, value, is_disabled, multiple=several, options=self.items[own])
        else:
            control = Control(index, kind, name, sanitize_value(kind, value, attributes), is_disabled)
        control.id, control.headings = attributes.get("id") or "", headings
        control.readonly = "readonly" in attributes and kind not in _NEVER_READ_ONLY
        control.script_value = self.filled.get(own)
        return control

    def _select(self, index: int, element: ControlElement, name: str, *, is_disabled: bool) -> Control:
        attributes = element.attributes
        return Control(
            index,
            "select",
            name,
            disabled=is_disabled,
            multiple="multiple" in attributes,
            is_list_box=(attributes.get("size") or "1").strip() not in ("", "0", "1"),
            options=tuple(_options(element.node, self.feeds)),
        )

    def _area(self, element: ControlElement) -> str:
        value = element.node.text()
        if self.feeds:
            if value.startswith("\f"):
                value = value[2:] if value.startswith("\f\n") else value[1:]
            value = value.replace("\f", "\r")
        return value


def _uncheck(controls: Mapping[int, Control], elements: Sequence[ControlElement]) -> None:
    """Of several checked radio buttons of a group a browser keeps the last."""
    last: dict[tuple[int | None, str], Control] = {}
    for element in elements:
        control = controls[element.id]
        if control.type == "radio" and control.checked and control.name:
            earlier = last.get(radio_group_key(element))
            if earlier is not None:
                earlier.checked = False
            last[radio_group_key(element)] = control


def _options(select: LexborNode, feeds: bool) -> Iterable[Option]:
    has_disabled_group = select.css_first("optgroup[disabled]") is not None
    for node in select.css("option"):
        attributes = node.attributes
        text = node.text()
        value = (attributes["value"] or "") if "value" in attributes else _SPACE.sub(" ", text).strip(" ")
        if feeds:
            value = value.replace("\f", "\r")
        yield Option(
            value,
            collapse_whitespace(text) or collapse_whitespace(attributes.get("label") or ""),
            "selected" in attributes,
            "disabled" in attributes or (has_disabled_group and _is_group_disabled(node.parent)),
        )


def _is_group_disabled(parent: LexborNode | None) -> bool:
    return parent is not None and parent.tag == "optgroup" and "disabled" in parent.attributes


def _entries(pairing: Pairing, controls: dict[int, Control]) -> Iterable[FormEntry]:
    rivals: dict[int, tuple[Control, ...]] = {}
    """By the identity of the pairs' own tuples: many labels can have the same rivals."""
    members_in_all = 0
    groups: dict[str, list[Control]] = {}
    for control in controls.values():
        if control.type == "radio" and control.name:
            groups.setdefault(control.name, []).append(control)
    for pair in pairing.pairs:
        found = controls.get(pair.target.id)
        if found is None:
            continue
        label = pair.label
        found.label = found.label or label
        members: tuple[Control, ...] = (found,)
        if found.type == "radio":
            members = tuple(groups.get(found.name, members))
            members_in_all += len(members)
            if members_in_all > MAX_RADIO_BUTTONS:
                raise PageTooLarge("its groups of radio buttons have too many labels")
            for member in members:
                member.label = found.label
        entry = FormEntry(label, label_key(label), members, ambiguity=pair.doubt)
        if pair.full_text != label:
            entry.full_label = pair.full_text
        if pair.rivals:
            known = id(pair.rivals)
            if known not in rivals:
                rivals[known] = tuple(controls[rival.id] for rival in pair.rivals if rival.id in controls)
            entry.alternatives = rivals[known]
        if pair.clock is not None:
            entry.time_control = controls.get(pair.clock.id)
        yield entry
