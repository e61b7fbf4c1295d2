"""JSON bodies as they come in: their size, their type, their text. What they mean is for the schemas."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import from_json
from starlette.exceptions import HTTPException

from planso_connector.rest.query_parameters import DeclaredQueryRoute

MAX_BODY = 1024 * 1024
"""Bytes."""

MOST_VALUES = 10_000
"""
Members, entries, lists and objects of a body; one that holds all fields has a hundred. Checking 75,000 members held the
event loop for a second, and telling what was wrong with each took 10 MB.
"""
_MARKS = (b",", b":", b"[", b"{")
_TEXT = re.compile(rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?')


class JsonRequest(Request):
    """A request whose body is read up to MAX_BODY, and as strict JSON: UTF-8, no NaN, no lone surrogates."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            announced = self.headers.get("content-length", "0")
            if announced.isdigit() and int(announced) > MAX_BODY:
                raise _too_large()
            chunks: list[bytes] = []
            size = 0
            async for chunk in self.stream():
                size += len(chunk)
                if size > MAX_BODY:
                    raise _too_large()
                chunks.append(chunk)
            self._body = b"".join(chunks)
        return self._body

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = await self._parsed()
        return self._json

    async def _parsed(self) -> Any:
        body = await self.body()
        if _values(body) > MOST_VALUES and _values(_TEXT.sub(b"", body)) > MOST_VALUES:
            told = f"this JSON holds too much; accepted: up to {MOST_VALUES} members and entries"
            raise RequestValidationError([{"loc": ("body",), "msg": told, "type": "too_many_values"}])
        try:
            return from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise RequestValidationError(
                [{"loc": ("body",), "msg": f"The body can't be read as JSON in UTF-8: {error}", "type": "json_invalid"}]
            ) from None


class JsonRoute(DeclaredQueryRoute):
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
        given = request.headers.get("content-type", "")
        media_type, _, parameters = given.partition(";")
        charset = parameters.strip().lower()
        if media_type.strip().lower() not in self.media_types or (
            charset.startswith("charset=") and charset.strip('"') not in ("charset=utf-8", 'charset="utf-8')
        ):
            raise HTTPException(415, f"Content-Type: '{given[:80]}' is not accepted; accepted: {self.media_types[0]}")


class MergePatchRoute(JsonRoute):
    """RFC 7396; plain JSON is understood the same way."""

    media_types = ("application/merge-patch+json", "application/json")


def _values(body: bytes) -> int:
    """At least as many as the body holds; what stands in texts is counted too."""
    return sum(map(body.count, _MARKS))


def _too_large() -> HTTPException:
    return HTTPException(413, f"The body is too large; accepted: up to {MAX_BODY} bytes.")
