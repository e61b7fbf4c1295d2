"""
Read a browser's network log (HAR 1.2, as Chrome, Firefox and Edge export it) entry by entry, with bounded memory: texts
of more than MOST_TEXT bytes are left out while reading.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlsplit

import ijson  # type: ignore[import-untyped] # it has no types

from planso_connector.planso.http.decoding import decode_content

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_TEXT_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 200
_CHUNK = 256 * 1024
OMITTED_TEXT = "\ufffe"
"""Stands in place of a text that was too long. It is no character, so no text of a page is equal to it."""

_STRUCTURE = re.compile(rb'[^"\[\]{}]*+')
_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_NO_TEXT = re.compile(r"(image|font|video|audio)/|text/css|javascript", re.IGNORECASE)


class RecordingError(ValueError):
    """The recording can't be used; the text is a sentence for the person who made it."""


@dataclass(frozen=True)
class HarEntry:
    """One request and its answer. `number` counts from 1. Texts are decoded; None where they are not recorded."""

    number: int
    method: str
    origin: str
    """`https://host[:port]`."""
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """The request's, names in lower case."""
    cookies: Mapping[str, str]
    """The request's, and those that the answer set."""
    body_type: str
    body: str | None
    """The request's body; empty where it had none, None where it had one that is not in the recording."""
    status: int
    location: str
    text: str | None
    """The answer's body; None where it is not in the recording."""

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
        with path.open("rb") as file:
            yield from _entries(path, file)
    except OSError as error:
        raise RecordingError(f"{path} can't be read: {error.strerror or error}.") from error


def _entries(path: Path, file: BinaryIO) -> Iterator[HarEntry]:
    source = _Bounded(file)
    number = 0
    try:
        for raw in ijson.items(source, "log.entries.item", use_float=True):
            number += 1
            entry = _entry(number, raw)
            if entry is not None:
                yield entry
    except _TooDeepError as error:
        raise RecordingError(f"{path} is no network log: it is nested too deeply.") from error
    except ijson.JSONError as error:
        if number == 0 and not source.is_har:
            raise RecordingError(
                f"{path} is no network log (HAR); export it in the browser's network tools, see docs/learning.md."
            ) from error
        if source.is_at_end:
            raise RecordingError(f"{path} is cut off after entry {number}; export it once more.") from error
        raise RecordingError(f"{path} is damaged after entry {number}; export it once more.") from error
    if number == 0:
        what = "holds no requests" if source.is_har else "is no network log (HAR)"
        raise RecordingError(f"{path} {what}; export it in the browser's network tools, see docs/learning.md.")


class _TooDeepError(Exception):
    pass


class _Bounded:
    """
    The file for a JSON parser that keeps each text in memory: long ones are replaced by LEFT_OUT, a byte order mark is
    dropped. Raises _TooDeepError: the parser's memory grows with the square of the depth.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._depth = 0
        self._text: bytearray | None = None
        self._is_long = False
        self._rest = b""
        self._head = b""
        self.is_at_end = False

    @property
    def is_har(self) -> bool:
        """Whether the file begins as one: an object whose first member is `log`."""
        return re.match(rb'\s*\{\s*"log"', self._head) is not None

    def read(self, _size: int = -1) -> bytes:
        if _size == 0:
            return b""
        while not self.is_at_end:
            chunk = self._file.read(_CHUNK)
            if not self._head:
                chunk = chunk.removeprefix(codecs.BOM_UTF8)
                self._head = chunk[:200]
            self.is_at_end = not chunk
            out = self._bounded(chunk)
            if out:
                return out
        return b""

    def _bounded(self, chunk: bytes) -> bytes:
        chunk, self._rest = self._rest + chunk, b""
        out = bytearray()
        at = 0
        while at < len(chunk):
            step = self._structure if self._text is None else self._string
            at = step(chunk, at, out)
        if self.is_at_end and self._text is not None and not self._is_long:
            out += self._text
        return bytes(out)

    def _structure(self, chunk: bytes, at: int, out: bytearray) -> int:
        match = _STRUCTURE.match(chunk, at)
        end = match.end() if match is not None else at
        out += chunk[at : end + 1]
        if end < len(chunk):
            sign = chunk[end : end + 1]
            if sign == b'"':
                self._text, self._is_long = bytearray(), False
            else:
                self._depth += 1 if sign in b"[{" else -1
                if self._depth > MAX_DEPTH:
                    raise _TooDeepError
        return end + 1

    def _string(self, chunk: bytes, at: int, out: bytearray) -> int:
        assert self._text is not None
        match = _STRING.match(chunk, at)
        end = match.end() if match is not None else at
        if not self._is_long:
            self._text += chunk[at:end]
            if len(self._text) > MAX_TEXT_BYTES:
                self._is_long = True
                self._text.clear()
        if end == len(chunk):
            return end
        if chunk[end : end + 1] == b"\\":  # the escape goes on in the next chunk
            self._rest = chunk[end:]
            return len(chunk)
        out += OMITTED_TEXT.encode() if self._is_long else self._text
        out += b'"'
        self._text = None
        return end + 1


def _entry(number: int, raw: Any) -> HarEntry | None:
    """None for what is no HTTP request."""
    request, response = _object(_object(raw).get("request")), _object(_object(raw).get("response"))
    try:
        url = urlsplit(_text(request.get("url")))
        port = url.port
    except ValueError:
        return None
    if url.scheme not in ("http", "https") or not url.hostname:
        return None
    headers, answered = _headers(request), _headers(response)
    body_type, body = _body(request, headers)
    return HarEntry(
        number=number,
        method=_text(request.get("method")).upper(),
        origin=f"{url.scheme}://{url.hostname}" + (f":{port}" if port else ""),
        path=url.path or "/",
        query=tuple(parse_qsl(url.query, keep_blank_values=True)),
        headers=headers,
        cookies=_cookies(request, headers) | _cookies(response, {}),
        body_type=body_type,
        body=body,
        status=_number(response.get("status")),
        location=answered.get("location") or _text(response.get("redirectURL")),
        text=_answer_text(response),
    )


def _body(request: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[str, str | None]:
    posted = _object(request.get("postData"))
    kind = _text(posted.get("mimeType")) or headers.get("content-type", "")
    text = posted.get("text")
    if isinstance(text, str) and text == OMITTED_TEXT:
        return kind, None
    if isinstance(text, str) and text:
        if "base64" in (_text(posted.get("encoding")), _text(posted.get("_encoding"))):
            text = _from_base64(text, kind) or ""
        # Firefox writes the headers of the upload stream before the body.
        head = re.match(r"(?:content-(?:type|length):[^\r\n]*\r?\n)+\r?\n", text, re.IGNORECASE)
        return kind, text[head.end() :] if head is not None else text
    pairs = [(_text(p.get("name")), _text(p.get("value"))) for p in map(_object, _list(posted.get("params")))]
    if pairs:
        return kind, _params_text(pairs)
    return kind, "" if _number(request.get("bodySize")) <= 0 and headers.get("content-length", "0") == "0" else None


def _params_text(pairs: list[tuple[str, str]]) -> str:
    """
    A urlencoded body from the `params` of a browser that left out the text. Chrome writes them encoded, as they were
    sent, others decoded: what holds a character that encoding would have replaced was decoded.
    """
    from planso_connector.planso.saving.encoding import urlencode

    encoded = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()+]|%[0-9A-Fa-f]{2})*")
    if all(encoded.fullmatch(part) for pair in pairs for part in pair) and any("%" in v for _, v in pairs):
        return "&".join(f"{name}={value}" for name, value in pairs)
    return urlencode(pairs)


def _answer_text(response: Mapping[str, Any]) -> str | None:
    content = _object(response.get("content"))
    text, kind = content.get("text"), _text(content.get("mimeType"))
    if _NO_TEXT.match(kind):
        return ""
    if not isinstance(text, str) or text == OMITTED_TEXT:
        is_empty = _number(content.get("size")) <= 0 and text != OMITTED_TEXT
        return "" if is_empty or _number(response.get("status")) in range(300, 400) else None
    if _text(content.get("encoding")) == "base64":
        return _from_base64(text, kind)
    return text.removeprefix("\ufeff")


def _from_base64(text: str, kind: str) -> str | None:
    try:
        content = base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None
    return decode_content(content, kind)


def _headers(message: Mapping[str, Any]) -> dict[str, str]:
    """Names in lower case, without the pseudo headers of HTTP/2."""
    found: dict[str, str] = {}
    for header in map(_object, _list(message.get("headers"))):
        name = _text(header.get("name")).lower()
        if name and not name.startswith(":"):
            found[name] = _text(header.get("value"))
    return found


def _cookies(message: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, str]:
    listed = {_text(c.get("name")): _text(c.get("value")) for c in map(_object, _list(message.get("cookies")))}
    pieces = (piece.strip().partition("=") for piece in headers.get("cookie", "").split(";"))
    return {name: value for name, _, value in pieces if name} | {name: value for name, value in listed.items() if name}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 else 0
