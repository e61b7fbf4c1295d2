"""The examples of the OpenAPI document, made from the examples that each property has."""

from typing import Any, get_args

from fastapi import FastAPI
from pydantic import BaseModel, Field

Responses = dict[int | str, dict[str, Any]]
"""What a route's `responses` takes."""


def described(description: str, example: object, **options: Any) -> Any:
    """A member of a model, with its one example."""
    return Field(description=description, examples=[example], **options)


def build_example(model: type[BaseModel], **changes: Any) -> dict[str, Any]:
    """An example of the whole: each property's own first one, or that of the model that it holds. `changes` win."""
    return {name: _member(field) for name, field in model.model_fields.items() if name not in changes} | changes


def _member(field: Any) -> Any:
    if field.examples:
        return field.examples[0]
    (model,) = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)]
    return [build_example(model)] if getattr(field.annotation, "__origin__", None) is list else build_example(model)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def build_examples(**values: Any) -> dict[str, Any]:
    """OpenAPI's `examples`, for a Documented app: `not_known="..."` is shown as `Not known`."""
    return {
        name: {"summary": name.replace("_", " ").capitalize(), "value": _swapped(value, None, _NULL)}
        for name, value in values.items()
    }


_NULL = "\0null"
"""Stands for null in examples until the document is made."""


class DocumentedFastAPI(FastAPI):
    """FastAPI leaves every null out of its document; here examples keep theirs, because null clears."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = _swapped(super().openapi(), _NULL, None)
        return self.openapi_schema


def _swapped(value: Any, old: object, new: object) -> Any:
    if isinstance(value, dict):
        return {name: _swapped(member, old, new) for name, member in value.items()}
    if isinstance(value, list):
        return [_swapped(member, old, new) for member in value]
    return new if value == old else value


def document_success(status: int = 200, /, **values: Any) -> Responses:
    """The examples of a success."""
    return {status: {"content": {"application/json": {"examples": build_examples(**values)}}}}


_HEADERS = {
    "Idempotency-Replayed": "`true` where this answers a repeated request: nothing new was recorded.",
    "ETag": "The order's version, and its pending writes.",
    "Location": "URL of the operation.",
    "Operation-Id": "The write's operation.",
    "RateLimit": "What is left of the caller's rate: `r` requests, all of them again in `t` seconds.",
    "RateLimit-Policy": "The rate: `q` requests in `w` seconds.",
    "Retry-After": "Seconds to wait before the next request.",
    "Preference-Applied": "The preferences of `Prefer` that were applied.",
}


def document_headers(responses: Responses, status: int, *names: str) -> Responses:
    """The same, with the headers that this status comes with."""
    headers = {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names}
    return responses | {status: {**responses.get(status, {}), "headers": headers}}
