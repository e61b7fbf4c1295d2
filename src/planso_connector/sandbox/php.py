"""Parse form bodies as PHP does, and encode responses as the installation does (protocol, sections 6 and 8)."""

import html
import json
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.responses import Response

from planso_connector.sandbox.installation import Installation

Pairs = list[tuple[str, str]]


def parse_pairs(body: bytes | str) -> Pairs:
    """The pairs of a urlencoded body in their order, in UTF-8 or ISO-8859-1."""
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    split = (pair.partition(b"=") for pair in raw.split(b"&") if pair)
    return [(_decode(name), _decode(value)) for name, _, value in split]


def group_by_name(pairs: Pairs) -> dict[str, list[str]]:
    """The values of each name, in their order."""
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


def _decode(raw: bytes) -> str:
    plain = unquote_to_bytes(raw.replace(b"+", b" "))
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError:
        return plain.decode("iso-8859-1")


def json_response(data: Any, installation: Installation, status: int = 200) -> Response:
    """JSON; in ISO-8859-1 without a charset on installations of that kind."""
    return encoded_json_response(encode_json(data, installation), installation, status)


def encode_json(data: Any, installation: Installation) -> bytes:
    """The body of `json_response`."""
    text = json.dumps(data, ensure_ascii=False)
    if installation.charset == "utf-8":
        return text.encode("utf-8", "backslashreplace")
    return "".join(letter if ord(letter) < 256 else json.dumps(letter)[1:-1] for letter in text).encode("iso-8859-1")


def encoded_json_response(body: bytes, installation: Installation, status: int = 200) -> Response:
    """The response with what `encode_json` returned."""
    charset = "; charset=utf-8" if installation.charset == "utf-8" else ""
    return _make_response(body, f"application/json{charset}", status)


def html_response(page: str, installation: Installation, status: int = 200) -> Response:
    """HTML; in ISO-8859-1 without a charset on installations of that kind."""
    if installation.charset == "utf-8":
        return _make_response(page.encode("utf-8", "xmlcharrefreplace"), "text/html; charset=utf-8", status)
    return _make_response(page.encode("iso-8859-1", "xmlcharrefreplace"), "text/html", status)


def _make_response(body: bytes, media_type: str, status: int) -> Response:
    # Starlette adds a charset to a media type, so the header is set directly.
    return Response(body, status, headers={"content-type": media_type, "cache-control": "no-store, no-cache"})


def escape(text: object) -> str:
    """Escape text for HTML and its attributes."""
    return _escape(str(text))


@lru_cache(4096)  # most texts of a form are labels and options, the same in each
def _escape(text: str) -> str:
    return html.escape(text, quote=True)
