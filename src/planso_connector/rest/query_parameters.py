"""Refuse query parameters that a route does not declare: an ignored `dryrun=true` would delete the order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi._compat import field_annotation_is_sequence
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from planso_connector.domain.errors import Invalid, Problem

UNKNOWN_PARAMETER = Problem(
    ("query", "dryrun"), "is not a parameter of this route; did you mean dry_run? Accepted: dry_run", "extra_forbidden"
)
"""The example of the OpenAPI document."""

_MOST_NAMED = 20
_LONGEST_NAME = 60
_BEYOND_ASCII = re.compile(rb"%[89a-f]", re.IGNORECASE)
"""In a query, of which the server passes on ASCII alone."""


class StrictQueryRoute(APIRoute):
    """
    A route that answers 422 to a query parameter it does not declare, to one that is given twice where one value is
    meant, and to what is no UTF-8, which would find nothing. What it declares is read off the FastAPI route,
    dependencies and parameter models included.
    """

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        declared = dict(_declared(self.dependant))
        self._names = tuple(declared)
        self._repeatable = {name for name, annotation in declared.items() if field_annotation_is_sequence(annotation)}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if query := scope["query_string"]:
            if _BEYOND_ASCII.search(query) and (undecodable := list(_undecodable(query))):
                raise Invalid(undecodable[:_MOST_NAMED])
            self._check(QueryParams(query))
        await super().handle(scope, receive, send)

    def _check(self, given: QueryParams) -> None:
        """Raises Invalid."""
        times = Counter(name for name, _ in given.multi_items())
        unknown = [name for name in times if name not in self._names][:_MOST_NAMED]
        problems = [
            Problem(("query", name[:_LONGEST_NAME]), _not_declared(name, self._names), "extra_forbidden")
            for name in unknown
        ]
        problems += [
            Problem(("query", name), f"is given {count} times; accepted: once", "repeated")
            for name, count in times.items()
            if count > 1 and name in self._names and name not in self._repeatable
        ]
        if problems:
            raise Invalid(problems[:_MOST_NAMED])


def _undecodable(query: bytes) -> Iterator[Problem]:
    """The parameters that are not UTF-8: Latin-1 mostly, of an old terminal."""
    for pair in query.split(b"&"):
        try:
            unquote_to_bytes(pair).decode()
        except UnicodeDecodeError:
            name = unquote_to_bytes(pair.partition(b"=")[0]).decode("utf-8", "replace")[:_LONGEST_NAME]
            yield Problem(
                ("query", name), "is not UTF-8; accepted: UTF-8, percent-encoded, as %C3%BC for ü", "not_utf8"
            )


def _declared(dependant: Dependant) -> Iterator[tuple[str, Any]]:
    """Each query parameter's name and type; those of a parameter model one by one."""
    for parameter in dependant.query_params:
        annotation = parameter.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, field in annotation.model_fields.items():
                yield field.alias or name, field.annotation
        else:
            yield parameter.alias, annotation
    for dependency in dependant.dependencies:
        yield from _declared(dependency)


def _not_declared(name: str, declared: tuple[str, ...]) -> str:
    if not declared:
        return "is not a parameter of this route; it has none"
    plain = {_plain(one): one for one in declared}
    close = get_close_matches(_plain(name[:_LONGEST_NAME]), plain, n=1)
    meant = f"; did you mean {plain[close[0]]}?" if close else ";"
    return f"is not a parameter of this route{meant} {'A' if close else 'a'}ccepted: {', '.join(declared)}"


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
