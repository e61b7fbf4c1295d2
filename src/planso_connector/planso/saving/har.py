"""
Read a browser's network log (HAR 1.2, as Chrome, Firefox and Edge export it) entry by entry, with bounded memory: texts
of more than MAX_TEXT_BYTES are dropped while reading.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from inspect import GEN_CLOSED, getgeneratorstate
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ijson  # type: ignore[import-untyped] # it has no types

from planso_connector.planso.http.decoding import decode_content
from planso_connector.planso.saving.encoding import urlencode

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_TEXT_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 200
_CHUNK_BYTES = 256 * 1024
OMITTED_TEXT = "\ufffe"
"""Replaces a text that was too long. It is no character, so no text of a page equals it."""

_HAR_START = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"log"')
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
_MEDIA_WITHOUT_TEXT = re.compile(r"(image|font|video|audio)/|text/css|javascript", re.IGNORECASE)
_URLENCODED_PART = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()+]|%[0-9A-Fa-f]{2})*")
_UPLOAD_HEADERS = re.compile(r"\A(?:content-(?:type|length):[^\r\n]*\r?\n)+\r?\n", re.IGNORECASE)
"""Firefox writes the headers of the upload stream before the body."""
_EXPORT = "export it in the browser's network tools, see docs/learning.md"


class RecordingError(ValueError):
    """The recording can't be used. The text is a sentence for the person who made it."""


@dataclass(frozen=True)
class HarEntry:
    """One request and its response. `number` counts from 1. Texts are decoded; None where they were not recorded."""

    number: int
    method: str
    origin: str
    """`https://host[:port]`."""
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Of the request, names in lower case."""
    cookies: Mapping[str, str]
    """Of the request, and those that the response set."""
    body_type: str
    body: str | None
    """The request's body; empty where it had none, None where the recording lacks it."""
    status: int
    location: str
    text: str | None

    @property
    def host(self) -> str:
        return urlsplit(self.origin).netloc


def read_har(path: Path) -> Iterator[HarEntry]:
    """The entries of a file in their order. Raises RecordingError."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise RecordingError(
                f"{path} is larger than 256 MB; record only the login, one order and its save, and export that."
            )
        if size == 0:
            raise RecordingError(f"{path} is no network log (HAR); {_EXPORT}.")
        with path.open("rb") as file:
            # Not closed here: an error leaves a search in it open, and then closing raises BufferError.
            yield from _read_entries(path, mmap(file.fileno(), 0, access=ACCESS_READ))
    except OSError as error:
        raise RecordingError(f"{path} can't be read: {error.strerror or error}.") from error


def _read_entries(path: Path, content: mmap) -> Iterator[HarEntry]:
    is_har = _HAR_START.match(content) is not None
    chunks = _shorten_texts(path, content)
    number = 0
    try:
        entries = ijson.items(ijson.from_iter(chunks), "log.entries.item", use_float=True)
        for number, raw in enumerate(entries, 1):
            entry = _parse_entry(number, raw)
            if entry is not None:
                yield entry
    except ijson.JSONError as error:
        if number == 0 and not is_har:
            raise RecordingError(f"{path} is no network log (HAR); {_EXPORT}.") from error
        is_at_end = getgeneratorstate(chunks) == GEN_CLOSED
        fault = "cut off" if is_at_end else "damaged"
        raise RecordingError(f"{path} is {fault} after entry {number}; export it once more.") from error
    if number == 0:
        raise RecordingError(f"{path} {'holds no requests' if is_har else 'is no network log (HAR)'}; {_EXPORT}.")


def _shorten_texts(path: Path, content: mmap) -> Generator[bytes]:
    """
    The file in chunks, for a JSON parser that holds each text in memory: without a byte order mark, and OMITTED_TEXT in
    place of long texts. Refuses deep nesting: the parser's memory grows with the square of the depth.
    """
    position = len(codecs.BOM_UTF8) if content[:3] == codecs.BOM_UTF8 else 0
    depth = 0
    for token in _TOKEN.finditer(content, position):
        start, end = token.span()
        if content[start] in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise RecordingError(f"{path} is no network log: it is nested too deeply.")
        elif content[start] in b"]}":
            depth -= 1
        elif end - start > MAX_TEXT_BYTES:
            yield content[position:start] + f'"{OMITTED_TEXT}"'.encode()
            position = end
        if end - position > _CHUNK_BYTES:
            yield content[position:end]
            position = end
    yield content[position : position + MAX_TEXT_BYTES]  # more is a text that was cut off


def _parse_entry(number: int, raw: Any) -> HarEntry | None:
    """None for what is no HTTP request."""
    request, response = _object(_object(raw).get("request")), _object(_object(raw).get("response"))
    try:
        url = urlsplit(_text(request.get("url")))
        port = url.port
    except ValueError:
        return None
    if url.scheme not in ("http", "https") or not url.hostname:
        return None
    headers = _parse_headers(request)
    body_type, body = _parse_body(request, headers)
    return HarEntry(
        number=number,
        method=_text(request.get("method")).upper(),
        origin=f"{url.scheme}://{url.hostname}" + (f":{port}" if port else ""),
        path=url.path or "/",
        query=tuple(parse_qsl(url.query, keep_blank_values=True)),
        headers=headers,
        cookies=_parse_cookies(request, headers) | _parse_cookies(response, {}),
        body_type=body_type,
        body=body,
        status=_number(response.get("status")),
        location=_parse_headers(response).get("location") or _text(response.get("redirectURL")),
        text=_parse_response_text(response),
    )


def _parse_body(request: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[str, str | None]:
    """The content type, and the body as in HarEntry."""
    posted = _object(request.get("postData"))
    content_type = _text(posted.get("mimeType")) or headers.get("content-type", "")
    text = _text(posted.get("text"))
    if text == OMITTED_TEXT:
        return content_type, None
    if text:
        if "base64" in (_text(posted.get("encoding")), _text(posted.get("_encoding"))):
            text = _decode_base64(text, content_type) or ""
        return content_type, _UPLOAD_HEADERS.sub("", text)
    pairs = [(_text(p.get("name")), _text(p.get("value"))) for p in map(_object, _list(posted.get("params")))]
    if pairs:
        return content_type, _encode_params(pairs)
    has_no_body = _number(request.get("bodySize")) <= 0 and headers.get("content-length", "0") == "0"
    return content_type, "" if has_no_body else None


def _encode_params(pairs: list[tuple[str, str]]) -> str:
    """
    A urlencoded body from the `params` of a browser that left out the text. Chrome writes them encoded, others decoded:
    they were decoded where they contain a character that encoding replaces.
    """
    is_encoded = all(_URLENCODED_PART.fullmatch(part) for pair in pairs for part in pair)
    if is_encoded and any("%" in value for _, value in pairs):
        return "&".join(f"{name}={value}" for name, value in pairs)
    return urlencode(pairs)


def _parse_response_text(response: Mapping[str, Any]) -> str | None:
    content = _object(response.get("content"))
    text, content_type = content.get("text"), _text(content.get("mimeType"))
    if _MEDIA_WITHOUT_TEXT.match(content_type):
        return ""
    if not isinstance(text, str) or text == OMITTED_TEXT:
        is_empty = _number(content.get("size")) <= 0 and text != OMITTED_TEXT
        return "" if is_empty or _number(response.get("status")) in range(300, 400) else None
    if _text(content.get("encoding")) == "base64":
        return _decode_base64(text, content_type)
    return text.removeprefix("\ufeff")


def _decode_base64(text: str, content_type: str) -> str | None:
    try:
        return decode_content(base64.b64decode(text), content_type)
    except (binascii.Error, ValueError):
        return None


def _parse_headers(message: Mapping[str, Any]) -> dict[str, str]:
    """Names in lower case, without the pseudo headers of HTTP/2."""
    headers = {_text(h.get("name")).lower(): _text(h.get("value")) for h in map(_object, _list(message.get("headers")))}
    return {name: value for name, value in headers.items() if name and not name.startswith(":")}


def _parse_cookies(message: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, str]:
    listed = {_text(c.get("name")): _text(c.get("value")) for c in map(_object, _list(message.get("cookies")))}
    sent = (piece.strip().partition("=") for piece in headers.get("cookie", "").split(";"))
    cookies = {name: value for name, _, value in sent} | listed
    return {name: value for name, value in cookies.items() if name}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 else 0
