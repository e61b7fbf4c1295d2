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
    root = LexborHTMLParser(_with_carriage_returns(content)).root
    if root is None:
        return Page((), ())
    pairing = read_pairing(root)
    scope = _scope(pairing)
    elements = [element for element in pairing.controls if scope is None or element.form == scope]
    locked = _locked(root)
    controls = {element.id: _control(index, element, locked, pairing.choices) for index, element in enumerate(elements)}
    return Page(tuple(controls.values()), tuple(_entries(pairing, controls)))


def _with_carriage_returns(content: str) -> str:
    """
    `content` with the carriage returns of values and texts as character references. HTML parsers turn `\\r\\n` into
    `\\n`; what isn't changed has to go back as it came.
    """
    return _MARKUP.sub(_referenced, content) if "\r" in content else content


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


def _locked(root: LexborNode) -> set[int]:
    """Controls that a disabled fieldset disables: all but those in its first legend."""
    locked: set[int] = set()
    for fieldset in root.css("fieldset[disabled]"):
        legend = next((child for child in fieldset.iter() if child.tag == "legend"), None)
        free = {node.mem_id for node in legend.css("input,select,textarea")} if legend is not None else set()
        locked |= {node.mem_id for node in fieldset.css("input,select,textarea")} - free
    return locked


def _control(index: int, element: Element, locked: set[int], choices: dict[int, str]) -> Control:
    attributes, node, kind = element.attributes, element.node, element.type
    value = attributes.get("value") or ""
    if kind == "textarea":
        value = node.text()
    elif kind == "select":
        value = ""
    elif kind in ("checkbox", "radio") and "value" not in attributes:
        value = "on"
    return Control(
        index=index,
        type=kind,
        name=element.name,
        value=value,
        disabled="disabled" in attributes or element.id in locked,
        checked="checked" in attributes and kind in ("checkbox", "radio"),
        multiple="multiple" in attributes and kind == "select",
        listed=kind == "select" and (attributes.get("size") or "1").strip() not in ("", "0", "1"),
        options=tuple(_options(node)) if kind == "select" else (),
        choice=choices.get(element.id, ""),
    )


def _options(select: LexborNode) -> Iterable[Option]:
    for node in select.css("option"):
        attributes = node.attributes
        text = node.text()
        value = (attributes["value"] or "") if "value" in attributes else _SPACE.sub(" ", text).strip(" ")
        parent = node.parent
        group_disabled = parent is not None and parent.tag == "optgroup" and "disabled" in parent.attributes
        yield Option(
            value=value,
            text=collapsed(text) or collapsed(attributes.get("label") or ""),
            selected="selected" in attributes,
            disabled="disabled" in attributes or group_disabled,
        )


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
