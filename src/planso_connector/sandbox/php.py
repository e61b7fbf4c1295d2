"""How PHP reads a form body and how this installation writes its answers (protocol, sections 6 and 8)."""

import html
import json
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.responses import Response

from planso_connector.sandbox.installation import Installation

Pairs = list[tuple[str, str]]


def parse_pairs(body: bytes | str) -> Pairs:
    """A urlencoded text's pairs in their order. UTF-8, or ISO-8859-1 as old browsers send it."""
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    split = (pair.partition(b"=") for pair in raw.split(b"&") if pair)
    return [(_decoded(name), _decoded(value)) for name, _, value in split]


def group_by_name(pairs: Pairs) -> dict[str, list[str]]:
    """The values of each name, in the order they came."""
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


def _decoded(raw: bytes) -> str:
    plain = unquote_to_bytes(raw.replace(b"+", b" "))
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError:
        return plain.decode("iso-8859-1")


def json_response(data: Any, installation: Installation, status: int = 200) -> Response:
    """JSON; on an undeclared ISO-8859-1 installation with raw umlauts and no charset."""
    text = json.dumps(data, ensure_ascii=False)
    if installation.charset == "utf-8":
        return _answer(text.encode("utf-8", "backslashreplace"), "application/json; charset=utf-8", status)
    escaped = "".join(letter if ord(letter) < 256 else json.dumps(letter)[1:-1] for letter in text)
    return _answer(escaped.encode("iso-8859-1"), "application/json", status)


def html_response(page: str, installation: Installation, status: int = 200) -> Response:
    """A page; on an undeclared ISO-8859-1 installation without a charset."""
    if installation.charset == "utf-8":
        return _answer(page.encode("utf-8", "xmlcharrefreplace"), "text/html; charset=utf-8", status)
    return _answer(page.encode("iso-8859-1", "xmlcharrefreplace"), "text/html", status)


def _answer(body: bytes, media_type: str, status: int) -> Response:
    # Starlette adds a charset to media types of its own accord, so the header is set by hand.
    return Response(body, status, headers={"content-type": media_type, "cache-control": "no-store, no-cache"})


def escape(text: object) -> str:
    """Text for HTML, in attributes too."""
    return html.escape(str(text), quote=True)
