"""
Decode response bytes to text and JSON. PlanSo sends umlauts in ISO-8859-1 without a charset (protocol, section 8).
"""

import codecs
import json
import re
from typing import Any

import httpx2

LOGIN_FIELD = "system_login_username"
"""The input that marks the login page, which is a 200 like any other page."""

_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_META_CHARSET = re.compile(rb"<meta\b[^>]*?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_LATIN = frozenset({"iso8859-1", "cp1252", "ascii"})
_REFUSED_CODECS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})
"""Python codecs that no page is encoded in; punycode takes quadratic time."""
_WINDOWS_1252 = "".join(bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(256))
MAX_JSON_VALUES, MAX_BOARD_JSON_VALUES = 200_000, 500_000
"""
Members and items of a JSON response; the board of 50,000 orders has 400,000. Each takes up to 100 bytes, and Python's
parser holds the interpreter's lock throughout.
"""


class NotJson(ValueError):
    """The response is not JSON."""


class TooManyJsonValues(NotJson):
    """The response has more JSON values than are parsed."""


def decode_response(response: httpx2.Response) -> str:
    return decode_content(response.content, response.headers.get("content-type", ""))


def decode_content(content: bytes, content_type: str) -> str:
    """By the declared charset, else as UTF-8, else as Windows-1252, which never fails and has all of ISO-8859-1."""
    content = content.removeprefix(codecs.BOM_UTF8)
    declared = _header_charset(content_type)
    for charset in (declared, "utf-8"):
        if charset is None or charset in _LATIN:
            continue
        try:
            return content.decode(charset)
        except (UnicodeError, LookupError):
            continue
    return codecs.charmap_decode(content, "strict", _WINDOWS_1252)[0]


def parse_json(response: httpx2.Response, max_values: int = MAX_JSON_VALUES) -> Any:
    """Raises NotJson; TooManyJsonValues for more than `max_values`."""
    text = decode_response(response)
    values = text.count(",") + text.count("[") + text.count("{")  # an upper bound: those in strings count too
    if values > max_values:
        raise TooManyJsonValues(f"it holds more than {max_values} values")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotJson("the answer is not JSON") from error


def is_login_page(response: httpx2.Response) -> bool:
    """Whether the response is the login form. JSON that quotes the form's field is not."""
    content = response.content.removeprefix(codecs.BOM_UTF8).lstrip()
    return LOGIN_FIELD.encode() in content and not content.startswith((b"{", b"["))


def form_charset(page: httpx2.Response) -> str:
    """The charset in which a browser submits this page's forms: the header's, else that of `<meta>`, else UTF-8."""
    meta = _META_CHARSET.search(page.content[:4096])
    declared = _header_charset(page.headers.get("content-type", ""))
    declared = declared or (_codec_name(meta[1].decode("ascii", "ignore")) if meta else None)
    return "cp1252" if declared in _LATIN else "utf-8"


def _header_charset(content_type: str) -> str | None:
    match = _CHARSET.search(content_type)
    return _codec_name(match[1]) if match else None


def _codec_name(charset: str) -> str | None:
    """Python's name of the codec; None for an unknown or a refused one."""
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return None
    return None if name in _REFUSED_CODECS else name
