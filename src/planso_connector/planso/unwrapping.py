"""Markup that arrived entity-escaped once more, alone or inside a wrapper of real elements. Pure."""

from __future__ import annotations

import html
import re

from planso_connector.planso.words import unescaped_once

_REAL_TAG = re.compile(r"<!--.*?-->|<[a-zA-Z/!?][^>]*>", re.DOTALL)
_WRAPPER = re.compile(
    r"</?(?:div|section|article|main|form|fieldset|span|p|pre|html|head|body|center)\b", re.IGNORECASE
)
_ESCAPED = re.compile(
    r"&lt;(?:div|table|thead|tbody|tr|td|th|form|fieldset|label|input|select|textarea|dl|dt|dd|ul|ol|li|p|span|h\d)\b",
    re.IGNORECASE,
)


def markup_of(content: str) -> str:
    """
    `content` as HTML. Escaped markup is unescaped where no real element but wrappers stands around it: in a page with
    elements of its own, escaped tags are text that somebody entered.
    """
    if "&lt;" not in content or not _ESCAPED.search(content):
        return unescaped_once(content)
    tags = _REAL_TAG.findall(content)
    if not tags:
        return unescaped_once(content)
    if any(not _WRAPPER.match(tag) for tag in tags if not tag.startswith("<!")) or len(tags) >= 2 * len(
        _ESCAPED.findall(content)
    ):
        return content
    pieces = _REAL_TAG.split(content)
    return "".join(html.unescape(piece) + tag for piece, tag in zip(pieces, [*tags, ""], strict=True))
