"""Refuse query parameters that a route does not declare: an ignored `dryrun=true` would delete the order."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args
from urllib.parse import unquote_to_bytes

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.messages import MESSAGES, Message
from planso_connector.rest.schemas.document import DocumentedRoute
from planso_connector.rest.similar_names import find_similar

UNKNOWN_PARAMETER = Problem(
    ("query", "dryrun"), "is not a parameter of this route; did you mean dry_run? Accepted: dry_run", "extra_forbidden"
)
"""The example in the OpenAPI document."""

_MAX_PROBLEMS = 20
_MAX_NAME_LENGTH = 60
_NO_NUMBER = re.compile(r"[^!-~]|_")
"""Pydantic takes `1_000`, blanks around a number, and digits of other scripts."""
_ENCODED_NON_ASCII = re.compile(rb"%[89a-f]", re.IGNORECASE)
"""The server passes on queries in ASCII only."""


class StrictQueryRoute(DocumentedRoute):
    """
    Answers 422 to a query parameter that the route does not declare, that comes twice, or that is not UTF-8 and would
    find nothing. Parameters of dependencies and of parameter models count as declared.
    """

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        declared = dict(_iter_parameters(self.dependant))
        self._names = tuple(declared)
        self._numbers = {name: error for name, kind in declared.items() if (error := _get_number_error(kind))}
        """The error of each parameter that is a number."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if query := scope["query_string"]:
            if _ENCODED_NON_ASCII.search(query) and (problems := list(_find_undecodable(query))):
                raise Invalid(problems[:_MAX_PROBLEMS])
            self._check(QueryParams(query))
        await super().handle(scope, receive, send)

    def _check(self, query: QueryParams) -> None:
        """Raises Invalid."""
        counts = Counter(name for name, _ in query.multi_items())
        unknown = [name for name in counts if name not in self._names][:_MAX_PROBLEMS]
        problems = [
            Problem.of(("query", name[:_MAX_NAME_LENGTH]), _describe_unknown(name, self._names), "extra_forbidden")
            for name in unknown
        ]
        problems += [
            Problem.of(("query", name), MESSAGES["repeated"].format(count=count), "repeated")
            for name, count in counts.items()
            if count > 1 and name in self._names
        ]
        problems += [
            Problem.of(("query", name), MESSAGES[self._numbers[name]], self._numbers[name])
            for name, text in query.items()
            if name in self._numbers and _NO_NUMBER.search(text)
        ]
        if problems:
            raise Invalid(problems[:_MAX_PROBLEMS])


def _find_undecodable(query: bytes) -> Iterator[Problem]:
    """The parameters that are not UTF-8: mostly Latin-1, from old terminals."""
    for pair in query.split(b"&"):
        try:
            unquote_to_bytes(pair).decode()
        except UnicodeDecodeError:
            name = unquote_to_bytes(pair.partition(b"=")[0]).decode("utf-8", "replace")[:_MAX_NAME_LENGTH]
            yield Problem.of(("query", name), MESSAGES["not_utf8"], "not_utf8")


def _iter_parameters(dependant: Dependant) -> Iterator[tuple[str, Any]]:
    """The query parameters and their types, those of a parameter model one by one."""
    for parameter in dependant.query_params:
        annotation = parameter.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, field in annotation.model_fields.items():
                yield field.alias or name, field.annotation
        else:
            yield parameter.alias, annotation
    for dependency in dependant.dependencies:
        yield from _iter_parameters(dependency)


def _get_number_error(kind: Any) -> str:
    """The error of a text that is no number of this kind; empty where it is none."""
    kinds = (kind, *get_args(kind))
    return "int_parsing" if int in kinds else "float_parsing" if float in kinds else ""


def _describe_unknown(name: str, declared: tuple[str, ...]) -> Message:
    names, hint = ", ".join(declared), MESSAGES["no_parameters"]
    if declared:
        nearest = find_similar(name[:_MAX_NAME_LENGTH], declared)
        hint = MESSAGES["similar_parameter" if nearest else "parameters"].format(similar=nearest, names=names)
    return MESSAGES["unknown_parameter"].format(hint=hint)
