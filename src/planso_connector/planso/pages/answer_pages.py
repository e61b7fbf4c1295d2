"""
Where an answer of PlanSo holds its page, and markup that arrived entity-escaped once more. Pure.

Source: the PlanSo protocol's sections 3 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from planso_connector.domain.character_references import unescape_html

_REAL_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_WRAPPER = re.compile(
    r"</?(?:div|section|article|main|form|fieldset|span|p|pre|html|head|body|center)\b", re.IGNORECASE
)
_ESCAPED = re.compile(
    r"&lt;(?:div|table|thead|tbody|tr|td|th|form|fieldset|label|input|select|textarea|dl|dt|dd|ul|ol|li|p|span|h\d)\b",
    re.IGNORECASE,
)


def unescape_page(content: str) -> str:
    """
    `content` as HTML. Escaped markup is unescaped where no real element but wrappers stands around it: in a page with
    elements of its own, escaped tags are text that somebody entered.
    """
    if "&lt;" not in content:
        return content
    tags = _REAL_TAG.findall(content)
    if not tags:
        return unescape_html(content)
    if any(not _WRAPPER.match(tag) for tag in tags if not tag.startswith("<!")) or len(tags) >= 2 * len(
        _ESCAPED.findall(content)
    ):
        return content
    pieces = _REAL_TAG.split(content)
    return "".join(unescape_html(piece) + tag for piece, tag in zip(pieces, [*tags, ""], strict=True))


def find_pages(answer: Mapping[str, Any]) -> list[str] | None:
    """
    The pages in `{"html": "..."}`, `{"html": {key: {"content": "..."}}}` or `{"center": {"content": "..."}}`. An `html`
    that holds nothing is no page; None for an answer that has none of these.
    """
    if "html" in answer:
        return _contents(answer["html"])
    center = answer.get("center")
    return _contents(center) if isinstance(center, Mapping) and "content" in center else None


def _contents(held: object) -> list[str]:
    """The texts in a page, a list of pages, or an object of them; a member without markup is no page."""
    if isinstance(held, str):
        return [held]
    named: list[object] = []
    if isinstance(held, Mapping):
        named = [held[key] for key in ("content", "html") if key in held]
        members = [each for member in named for each in _members(member)] or _members(held)
    else:
        members = _members(held)
    pages = [member.get("content", member.get("html")) if isinstance(member, Mapping) else member for member in members]
    return [page for page in pages if isinstance(page, str) and (named or "<" in page or "&lt;" in page)]


def _members(held: object) -> list[object]:
    if isinstance(held, Mapping):
        return list(held.values())
    return held if isinstance(held, list) else [held]
