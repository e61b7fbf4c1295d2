"""
Find the HTML pages in PlanSo's JSON answers, and unescape markup that is entity-escaped once more. Source: the PlanSo
protocol's sections 3 and 5.
"""

import re
from collections.abc import Mapping
from typing import Any

from planso_connector.domain.character_references import unescape_html

_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_WRAPPER = re.compile(
    r"</?(?:div|section|article|main|form|fieldset|span|p|pre|html|head|body|center)\b", re.IGNORECASE
)
_ESCAPED_TAG = re.compile(
    r"&lt;(?:div|table|thead|tbody|tr|td|th|form|fieldset|label|input|select|textarea|dl|dt|dd|ul|ol|li|p|span|h\d)\b",
    re.IGNORECASE,
)


def unescape_page(content: str) -> str:
    """
    `content` as HTML. Escaped markup is unescaped where nothing but wrapper elements are around it: in a page with
    elements of its own, escaped tags are text that somebody entered.
    """
    if "&lt;" not in content:
        return content
    tags = _TAG.findall(content)
    if not all(tag.startswith("<!") or _WRAPPER.match(tag) for tag in tags):
        return content
    if tags and len(tags) >= 2 * len(_ESCAPED_TAG.findall(content)):
        return content
    pieces = _TAG.split(content)
    return "".join(unescape_html(piece) + tag for piece, tag in zip(pieces, [*tags, ""], strict=True))


def find_pages(answer: Mapping[str, Any]) -> list[str] | None:
    """
    The pages in `{"html": "..."}`, `{"html": {key: {"content": "..."}}}` or `{"center": {"content": "..."}}`. An `html`
    that holds nothing is no page; None for an answer that has none of these.
    """
    if "html" in answer:
        return _list_pages(answer["html"])
    center = answer.get("center")
    return _list_pages(center) if isinstance(center, Mapping) and "content" in center else None


def _list_pages(value: object) -> list[str]:
    """The texts in a page, a list of pages, or an object of them; a member without markup is no page."""
    if isinstance(value, str):
        return [value]
    named = [value[key] for key in ("content", "html") if key in value] if isinstance(value, Mapping) else []
    members = [inner for member in named for inner in _list_members(member)] or _list_members(value)
    pages = [member.get("content", member.get("html")) if isinstance(member, Mapping) else member for member in members]
    return [page for page in pages if isinstance(page, str) and (named or "<" in page or "&lt;" in page)]


def _list_members(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else [value]
