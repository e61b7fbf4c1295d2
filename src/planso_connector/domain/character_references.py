"""Unescape HTML character references."""

import html
import re

_DECIMAL_REFERENCE = re.compile(r"&#0*([0-9]{1,8})[0-9]*")
"""Eight digits are more than the last character, U+10FFFF, has: cutting keeps an invalid reference invalid."""


def unescape_html(text: str) -> str:
    """`html.unescape` without its ValueError for a reference of more than 4,300 digits."""
    return html.unescape(_DECIMAL_REFERENCE.sub(r"&#\1", text) if "&#" in text else text)
