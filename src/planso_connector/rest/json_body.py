"""JSON bodies as they come in: their size, their type, their text. What they mean is for the schemas."""

from __future__ import annotations

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
from planso_connector.rest.query_parameters import StrictQueryRoute

MAX_BODY_BYTES = 1024 * 1024
BODY_TOO_LARGE = f"The body is too large; accepted: up to {MAX_BODY_BYTES} bytes."

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BEGINNINGS = {b"\x1f\x8b": "gzip", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"{\0": "UTF-16", b"\0{": "UTF-16"}
"""Of bodies that are in other ways encoded than they are announced."""
_MOST_NAMED = 20
MAX_JSON_VALUES = 5_000
"""
Members and entries of a body, those within others too; one that holds all fields has a hundred. Checking 75,000 members
held the event loop for a second, and telling what was wrong with each took 10 MB.
"""
_MARKS = (b",", b"[", b"{")
_TEXT = re.compile(rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?')


class JsonRequest(Request):
    """
    A request whose body is read up to MAX_BODY, and as strict JSON: UTF-8, a byte order mark may stand in front, no
    NaN, no lone surrogates, no member twice.
    """

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            announced = self.headers.get("content-length", "0")
            if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
                raise _too_large()
            chunks: list[bytes] = []
            size = 0
            async for chunk in self.stream():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    raise _too_large()
                chunks.append(chunk)
            self._body = b"".join(chunks)
        return self._body

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = await self._parsed()
        return self._json

    async def _parsed(self) -> Any:
        content = (await self.body()).removeprefix(_BYTE_ORDER_MARK)
        if _values(content) > MAX_JSON_VALUES and _values(_TEXT.sub(b"", content)) > MAX_JSON_VALUES:
            told = f"this JSON holds too much; accepted: up to {MAX_JSON_VALUES} members and entries"
            raise RequestValidationError([{"loc": ("body",), "msg": told, "type": "too_many_values"}])
        try:
            parsed = from_json(content, allow_inf_nan=False)
        except ValueError as error:
            guess = _BEGINNINGS.get(content[:2])
            why = f"it seems to be {guess}" if guess else str(error)
            raise RequestValidationError(
                [{"loc": ("body",), "msg": f"The body can't be read as JSON in UTF-8: {why}", "type": "json_invalid"}]
            ) from None
        if problems := _repeated(content.decode()):
            raise Invalid(problems[:_MOST_NAMED])
        return parsed


class JsonRoute(StrictQueryRoute):
    """A route that takes a JSON body, and says 415 to a body that is announced as anything else."""

    media_types: tuple[str, ...] = ("application/json",)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None
        required = takes_body and self.body_field is not None and self.body_field.field_info.is_required()

        async def handler(request: Request) -> Response:
            strict = JsonRequest(request.scope, request.receive)
            if takes_body and (required or await strict.body()):
                self._check_type(strict)
                # Here, because FastAPI turns whatever goes wrong while it parses into a 400 without a field.
                await strict.json()
            return await handle(strict)

        return handler

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
            told = f"Content-Encoding: '{encoding[:80]}' is not accepted; accepted: the body as it is, not compressed"
            raise HTTPException(415, told, {"Accept-Encoding": "identity"})


class MergePatchRoute(JsonRoute):
    """RFC 7396; plain JSON is understood the same way."""

    media_types = ("application/merge-patch+json", "application/json")


def _values(body: bytes) -> int:
    """At least as many as the body holds; what stands in texts is counted too."""
    return sum(map(body.count, _MARKS))


def _too_large() -> HTTPException:
    return HTTPException(413, BODY_TOO_LARGE)


def _repeated(content: str) -> list[Problem]:
    """The members that stand in one object of valid JSON more than once: readers differ in which of them they take."""
    found: list[tuple[dict[str, Any], dict[str, int]]] = []

    def noted(members: list[tuple[str, Any]]) -> dict[str, Any]:
        by_name = dict(members)
        if len(by_name) < len(members):
            times = Counter(name for name, _ in members)
            found.append((by_name, {name: count for name, count in times.items() if count > 1}))
        return by_name

    whole = json.loads(content, object_pairs_hook=noted, parse_int=str, parse_float=str)
    if not found:
        return []
    paths = {id(one): path for one, path in _objects(whole, ("body",))}
    return [  # what stands within one of two members of the same name is not in the whole any more
        Problem((*paths[id(one)], name), f"is given {count} times; accepted: once", "repeated")
        for one, names in found
        if id(one) in paths
        for name, count in names.items()
    ]


def _objects(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[dict[str, Any], tuple[str | int, ...]]]:
    """Each object within `value`, and its path."""
    if isinstance(value, dict):
        yield value, path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from _objects(member, (*path, name))
