"""Read JSON bodies: check their size, content type and syntax. The schemas check their members."""

import json
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import from_json
from starlette.exceptions import HTTPException

from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.messages import MESSAGES, InvalidValue, Message
from planso_connector.rest.query_parameters import StrictQueryRoute

MAX_BODY_BYTES = 1024 * 1024
BODY_TOO_LARGE = f"The body is too large; accepted: up to {MAX_BODY_BYTES} bytes."
"""Message of a 413."""
MAX_JSON_VALUES = 5_000
"""
Members and items of a body, nested ones included; one with all fields has a hundred. Checking 75,000 members blocked
the event loop for a second, and reporting a problem with each took 10 MB.
"""
_MAX_REPORTED = 20

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_ENCODINGS = {
    b"\x1f\x8b": "gzip",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"{\0": "UTF-16",
    b"\0{": "UTF-16",
}
"""How bodies begin that are encoded otherwise than their headers say."""
_VALUE_MARKS = (b",", b"[", b"{")
_STRING = re.compile(rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?')


class JsonRequest(Request):
    """
    A request whose body is read up to MAX_BODY_BYTES, and parsed as strict JSON: UTF-8, an optional byte order mark, no
    NaN, no lone surrogates, no repeated members.
    """

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            announced = self.headers.get("content-length", "0")
            if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
                raise HTTPException(413, BODY_TOO_LARGE)
            body = bytearray()
            async for chunk in self.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise HTTPException(413, BODY_TOO_LARGE)
            self._body = bytes(body)
        return self._body

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = _parse((await self.body()).removeprefix(_BYTE_ORDER_MARK))
        return self._json

    def replace_json(self, parsed: Any) -> None:
        """From now on the request has this body."""
        self._json = parsed


class JsonRoute(StrictQueryRoute):
    """A route with a JSON body; 415 for any other content type or encoding."""

    media_types: tuple[str, ...] = ("application/json",)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        body_field = self.body_field
        is_required = body_field is not None and body_field.field_info.is_required()

        async def handler(request: Request) -> Response:
            json_request = JsonRequest(request.scope, request.receive)
            if body_field is not None and (is_required or await json_request.body()):
                self._check_type(json_request)
                await json_request.json()  # FastAPI would turn its errors into a 400 without a field
            try:
                return await handle(json_request)
            except RequestValidationError as error:
                if body_field is None or not await self.amend(json_request, error):
                    raise
            return await handle(json_request)

        return handler

    async def amend(self, request: JsonRequest, error: RequestValidationError) -> bool:
        """Change the parsed body so that it can be taken; whether that was done. The request is handled once more."""
        return False

    def _check_type(self, request: Request) -> None:
        """Raises HTTPException."""
        given = request.headers.get("content-type", "")
        media_type, *parameters = given.split(";")
        if media_type.strip().lower() not in self.media_types:
            what = f"'{given[:80]}' is not accepted" if given else "is missing"
            raise HTTPException(415, f"Content-Type: {what}; accepted: {self.media_types[0]}")
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset" and value.strip(" \t\"'").lower() not in _CHARSETS:
                raise HTTPException(415, f"Content-Type: '{given[:80]}' is not accepted; accepted: charset=utf-8")
        encoding = request.headers.get("content-encoding", "identity")
        if encoding.strip().lower() != "identity":
            message = f"Content-Encoding: '{encoding[:80]}' is not accepted; accepted: a body that is not compressed"
            raise HTTPException(415, message, {"Accept-Encoding": "identity"})


class MergePatchRoute(JsonRoute):
    """JSON merge patch (RFC 7396); plain JSON is treated in the same way."""

    media_types = ("application/merge-patch+json", "application/json")


def _parse(content: bytes) -> Any:
    """Raises RequestValidationError, Invalid."""
    if _count_values(content) > MAX_JSON_VALUES and _count_values(_STRING.sub(b"", content)) > MAX_JSON_VALUES:
        raise _invalid_body("too_many_values", most=MAX_JSON_VALUES)
    try:
        parsed = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        encoding = _OTHER_ENCODINGS.get(content[:2])
        reason = MESSAGES["json_encoding"].format(encoding=encoding) if encoding else _describe_syntax(str(error))
        raise _invalid_body("json_invalid", reason=reason) from None
    if problems := _find_repeated(content.decode()):
        raise Invalid(problems[:_MAX_REPORTED])
    return parsed


_SYNTAX_ERRORS = {
    "EOF": "json_eof",
    "trailing comma": "json_trailing_comma",
    "trailing characters": "json_trailing",
    "expected `:`": "json_colon",
    "expected `,`": "json_comma",
    "key must": "json_key",
    "control character": "json_string",
    "invalid escape": "json_string",
    "lone leading": "json_string",
    "unexpected end of hex": "json_string",
    "invalid unicode": "json_not_utf8",
    "invalid number": "json_number",
    "number out": "json_number",
    "recursion": "json_depth",
}
"""By how the parser's error begins, which ends with ` at line 1 column 2`."""
_PLACE = re.compile(r" at line (\d+) column (\d+)$")


def _describe_syntax(error: str) -> Message:
    reason = MESSAGES[next((key for start, key in _SYNTAX_ERRORS.items() if error.startswith(start)), "json_value")]
    place = _PLACE.search(error)
    return MESSAGES["json_place"].format(reason=reason, line=place[1], column=place[2]) if place else reason


def _invalid_body(error_type: str, **values: object) -> RequestValidationError:
    error = InvalidValue(error_type, **values)
    return RequestValidationError([{"loc": ("body",), "msg": str(error), "type": error_type, "ctx": {"error": error}}])


def _count_values(body: bytes) -> int:
    """At least the number of values in the body: the marks within strings count, too."""
    return sum(map(body.count, _VALUE_MARKS))


def _find_repeated(content: str) -> list[Problem]:
    """The repeated members of objects in valid JSON: parsers differ in which of them they take."""
    repeated: list[tuple[dict[str, Any], dict[str, int]]] = []

    def build_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
        by_name = dict(members)
        if len(by_name) < len(members):
            counts = Counter(name for name, _ in members)
            repeated.append((by_name, {name: count for name, count in counts.items() if count > 1}))
        return by_name

    whole = json.loads(content, object_pairs_hook=build_object, parse_int=str, parse_float=str)
    if not repeated:
        return []
    paths = {id(found): path for found, path in _walk_objects(whole, ("body",))}
    return [  # an object in the first of two members of one name is not in `whole`
        Problem.of((*paths[id(found)], name), MESSAGES["repeated"].format(count=count), "repeated")
        for found, counts in repeated
        if id(found) in paths
        for name, count in counts.items()
    ]


def _walk_objects(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[dict[str, Any], tuple[str | int, ...]]]:
    """Each object within `value`, and its path."""
    if isinstance(value, dict):
        yield value, path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from _walk_objects(member, (*path, name))
