"""HTML's character references as the characters that they stand for."""

from __future__ import annotations

import html
import re

_NUMBERED = re.compile(r"&#0*([0-9]*)")
_MOST_DIGITS = 7
"""Of U+10FFFF, the last character."""


def unescape_html(text: str) -> str:
    """As `html.unescape`, which raises ValueError for a reference of more than 4,300 digits."""
    return html.unescape(_NUMBERED.sub(_bounded, text) if "&#" in text else text)


def _bounded(reference: re.Match[str]) -> str:
    digits = reference[1]
    if not digits:
        return "&#0" if reference[0].endswith("0") else reference[0]
    return f"&#{digits}" if len(digits) <= _MOST_DIGITS else "&#9999999"
