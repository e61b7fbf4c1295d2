"""
The markup of a form: which controls it has, in document order, and which label names which control.

Source: the PlanSo protocol's section 3. Pure; how labels find their controls is in `pairing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from planso_connector.planso.control import Control, Entry, Option
from planso_connector.planso.pairing import Element, Pairing, read_pairing
from planso_connector.planso.words import collapsed, label_key, unescaped_once

_SPACE = re.compile(r"[ \t\r\n\f]+")
_REFERENCE = re.compile(r"&#(?:0*1[02]|x0*[ac])(?![\da-f])|&NewLine;", re.IGNORECASE)
"""To a form feed or a line feed."""
_ROWS = re.compile(r"\s*<(tr|td|th|tbody|thead)\b", re.IGNORECASE)
_MARKUP = re.compile(
    r"<!--.*?-->"
    r"|(?P<area><textarea\b(?:\"[^\"]*\"|'[^']*'|[^\"'>])*>)(?P<first>\r\n|\r|\n)?(?P<text>.*?)(?=</textarea|\Z)"
    r"|(?P<tag><[a-zA-Z/!](?:\"[^\"]*\"|'[^']*'|[^\"'>])*>)"
    r"|(?P<plain>\r)",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True)
class Page:
    """The form of one page: its controls in document order, its labels with theirs."""

    controls: tuple[Control, ...]
    entries: tuple[Entry, ...]


def read_page(content: str) -> Page:
    """
    The form in `content`: the `<form>` with the most labelled controls, or all of it where no form holds them (a
    form that is misnested in a table is closed at once by every HTML parser).
    """
    content = unescaped_once(content)
    if _ROWS.match(content):
        content = f"<table>{content}</table>"
    source, feeds = _without_carriage_returns(content)
    root = LexborHTMLParser(source).root
    if root is None:
        return Page((), ())
    pairing = read_pairing(root)
    scope = _scope(pairing)
    elements = [element for element in pairing.controls if scope is None or element.form == scope]
    controls = {element.id: _control(index, element, pairing.choices, feeds) for index, element in enumerate(elements)}
    return Page(tuple(controls.values()), tuple(_entries(pairing, controls)))


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


def _control(index: int, element: Element, choices: dict[int, str], feeds: bool) -> Control:
    attributes, kind, name = element.attributes, element.type, element.name
    value = attributes.get("value") or ""
    options: tuple[Option, ...] = ()
    if kind == "textarea":
        value = element.node.text()
        if feeds and value.startswith("\f"):
            value = value[2:] if value.startswith("\f\n") else value[1:]
    elif kind == "select":
        value = ""
        options = tuple(_options(element.node, feeds))
    elif kind in ("checkbox", "radio") and "value" not in attributes:
        value = "on"
    if feeds:
        name, value = name.replace("\f", "\r"), value.replace("\f", "\r")
    return Control(
        index,
        kind,
        name,
        value,
        disabled="disabled" in attributes or element.is_locked,
        checked="checked" in attributes and kind in ("checkbox", "radio"),
        multiple="multiple" in attributes and kind == "select",
        listed=kind == "select" and (attributes.get("size") or "1").strip() not in ("", "0", "1"),
        options=options,
        choice=choices.get(element.id, ""),
    )


def _options(select: LexborNode, feeds: bool) -> Iterable[Option]:
    own = select.mem_id
    for node in select.css("option"):
        attributes = node.attributes
        text = node.text()
        value = (attributes["value"] or "") if "value" in attributes else _SPACE.sub(" ", text).strip(" ")
        if feeds:
            value = value.replace("\f", "\r")
        yield Option(
            value,
            collapsed(text) or collapsed(attributes.get("label") or ""),
            "selected" in attributes,
            "disabled" in attributes or _is_group_disabled(node.parent, own),
        )


def _is_group_disabled(parent: LexborNode | None, select: int) -> bool:
    if parent is None or parent.mem_id == select:
        return False
    return parent.tag == "optgroup" and "disabled" in parent.attributes


def _entries(pairing: Pairing, controls: dict[int, Control]) -> Iterable[Entry]:
    groups: dict[str, list[Control]] = {}
    for control in controls.values():
        if control.type == "radio" and control.name:
            groups.setdefault(control.name, []).append(control)
    for pair in pairing.pairs:
        found = controls.get(pair.target.id)
        if found is None:
            continue
        members = groups.get(found.name, [found]) if found.type == "radio" else [found]
        yield Entry(pair.label, label_key(pair.label), tuple(members))
