"""From an answer's bytes to text and JSON. Source: the PlanSo protocol's section 8 (umlauts without a charset)."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

import httpx2

LOGIN_FIELD = "system_login_username"
"""The input by which the login page is known: it is a 200 like any other."""

_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_META = re.compile(rb"<meta\b[^>]*?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_LATIN = frozenset({"iso8859-1", "cp1252", "ascii"})
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})
"""Codecs of Python that no page is in; punycode takes time by the square of the length."""
_WINDOWS = "".join(bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(256))
MAX_JSON_VALUES, MAX_BOARD_JSON_VALUES = 200_000, 500_000
"""
Members and items of a JSON answer, and of the list of orders: 50,000 have 400,000. Each takes up to 100 bytes,
and Python's parser lets nobody else go on meanwhile.
"""


class NotJson(ValueError):
    """The answer is not the JSON that was promised."""


class TooManyJsonValues(NotJson):
    """The answer holds more values than are read."""


def decode_response(response: httpx2.Response) -> str:
    """By the declared charset, else as UTF-8, else as Windows-1252, which holds all of ISO-8859-1's letters."""
    return decode_content(response.content, response.headers.get("content-type", ""))


def decode_content(content: bytes, content_type: str) -> str:
    """As `text_of`, of an answer that is at hand as bytes."""
    content = content.removeprefix(codecs.BOM_UTF8)
    match = _CHARSET.search(content_type)
    declared = _known(match[1] if match else None)
    for charset in (declared, "utf-8"):
        if charset is None or charset in _LATIN:
            continue
        try:
            return content.decode(charset)
        except (UnicodeError, LookupError):
            continue
    return codecs.charmap_decode(content, "strict", _WINDOWS)[0]


def parse_json(response: httpx2.Response, most: int = MAX_JSON_VALUES) -> Any:
    """Raises NotJson; TooManyValues for more than `most`."""
    text = decode_response(response)
    values = text.count(",") + text.count("[") + text.count("{")  # counts those in texts too
    if values > most:
        raise TooManyJsonValues(f"it holds more than {most} values")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotJson("the answer is not JSON") from error


def is_login_page(response: httpx2.Response) -> bool:
    """Whether the login form came instead of what was asked for. JSON may quote it and is none."""
    content = response.content.removeprefix(codecs.BOM_UTF8).lstrip()
    return LOGIN_FIELD.encode() in content and not content.startswith((b"{", b"["))


def form_charset(page: httpx2.Response) -> str:
    """The charset that a browser would use for this page's forms: the header's, else the page's `meta`, else UTF-8."""
    meta = _META.search(page.content[:4096])
    declared = _known(_header_charset(page)) or _known(meta[1].decode("ascii", "ignore") if meta else None)
    return "cp1252" if declared in _LATIN else "utf-8"


def _header_charset(response: httpx2.Response) -> str | None:
    match = _CHARSET.search(response.headers.get("content-type", ""))
    return match[1] if match else None


def _known(charset: str | None) -> str | None:
    try:
        name = codecs.lookup(charset).name if charset else None
    except (LookupError, ValueError):
        return None
    return None if name in _NO_CHARSETS else name
