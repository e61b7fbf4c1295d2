"""
Read what a control's element holds: value, check mark, options. What a browser makes of it is HTML's rules; everything
else about a control comes from the markup around its content.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from planso_connector.planso.pages.control import Option
from planso_connector.planso.pages.text import collapse_whitespace
from planso_connector.planso.pages.value_sanitization import sanitize_value

_HTML_SPACE = re.compile(r"[ \t\r\n\f]+")


class ControlContent(NamedTuple):
    value: str
    checked: bool = False
    options: tuple[Option, ...] = ()
    """A select's."""


def read_content(
    node: LexborNode, control_type: str, attributes: Mapping[str, str | None], *, has_form_feeds: bool
) -> ControlContent:
    """`control_type` as in Control. `has_form_feeds`: form feeds stand for carriage returns in the markup."""
    if control_type == "select":
        return ControlContent("", options=tuple(_read_options(node, has_form_feeds=has_form_feeds)))
    if control_type == "textarea":
        return ControlContent(_read_text_area(node, has_form_feeds=has_form_feeds))
    value = attributes.get("value") or ""
    if has_form_feeds:
        value = value.replace("\f", "\r")
    if control_type in ("checkbox", "radio"):
        return ControlContent(value if "value" in attributes else "on", "checked" in attributes)
    return ControlContent(sanitize_value(control_type, value, attributes))


def _read_text_area(node: LexborNode, *, has_form_feeds: bool) -> str:
    value = node.text()
    if not has_form_feeds:
        return value
    if value.startswith("\f"):
        value = value[2:] if value.startswith("\f\n") else value[1:]
    return value.replace("\f", "\r")


def _read_options(select: LexborNode, *, has_form_feeds: bool) -> Iterator[Option]:
    has_disabled_group = select.css_first("optgroup[disabled]") is not None
    for node in select.css("option"):
        attributes, text = node.attributes, node.text()
        value = (attributes["value"] or "") if "value" in attributes else _HTML_SPACE.sub(" ", text).strip(" ")
        yield Option(
            value.replace("\f", "\r") if has_form_feeds else value,
            collapse_whitespace(text) or collapse_whitespace(attributes.get("label") or ""),
            "selected" in attributes,
            "disabled" in attributes or (has_disabled_group and _is_in_disabled_group(node)),
        )


def _is_in_disabled_group(option: LexborNode) -> bool:
    parent = option.parent
    return parent is not None and parent.tag == "optgroup" and "disabled" in parent.attributes
