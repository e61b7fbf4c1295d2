"""What the OpenAPI document has beside the routes, and where generators of clients need it unlike FastAPI's."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from fastapi.routing import APIRoute
from fastapi.utils import create_model_field

from planso_connector.domain.values import MAX_ID
from planso_connector.rest.schemas.examples import Responses

CONTACT = {"name": "Whoever runs this connector"}
LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}

TAGS = [
    {"name": "orders", "description": "Read orders from the connector's database, write them to PlanSo."},
    {"name": "lookup", "description": "Which order a caller means."},
    {"name": "availability", "description": "When there is room, and the workshop's capacity."},
    {"name": "tools", "description": "For phone agents and other language models; also over MCP."},
    {"name": "notices", "description": "What callers want from a person of the workshop."},
    {"name": "changes", "description": "Every change of every order, in order, without gaps."},
    {"name": "webhooks", "description": "Receivers of changes: signed requests to addresses of yours."},
    {"name": "operations", "description": "Writes: what became of them, cancelling, undoing, restoring."},
    {"name": "writes", "description": "Whether writes reach PlanSo, and resuming them after damage."},
    {"name": "sync", "description": "Bring the connector's database up to date with PlanSo."},
    {"name": "auth", "description": "The connector's own login with PlanSo."},
    {"name": "workshops", "description": "The workshops of one installation, for its operator."},
    {"name": "health", "description": "For monitoring: liveness, readiness, metrics."},
]
"""In the order in which /docs shows them."""


class DocumentedRoute(APIRoute):
    """
    Makes FastAPI's fields of the documented responses when the OpenAPI document is made. FastAPI makes them with the
    route, though nothing else uses them: a quarter of the time of building all routes.
    """

    def __init__(self, path: str, endpoint: Any, *, responses: Responses | None = None, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.responses = responses or {}

    @property
    def response_fields(self) -> dict[int | str, Any]:
        return self._response_fields

    @response_fields.setter
    def response_fields(self, _: dict[int | str, Any]) -> None:
        """FastAPI's, of a route without responses."""

    @cached_property
    def _response_fields(self) -> dict[int | str, Any]:
        return {
            status: create_model_field(f"Response_{status}_{self.unique_id}", response["model"], mode="serialization")
            for status, response in self.responses.items()
            if "model" in response
        }


def list_servers(root_path: str) -> list[dict[str, Any]]:
    """Relative to the document: it is right under every name and behind every proxy."""
    return [{"url": root_path or "/", "description": "The connector that answered with this document."}]


def make_operation_id(route: APIRoute) -> str:
    """`update_order` is `updateOrder`: generators name functions by it."""
    first, *others = route.name.split("_")
    return first + "".join(word.capitalize() for word in others)


def iter_operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """`GET /api/orders` and its operation, of each."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def finish(document: dict[str, Any]) -> None:
    """
    No query or header can be null: to leave one out is to not send it. What a path or a query has as an example, /docs
    offers to send; not so for headers, which would be preconditions. Bounds of integers are integers: FastAPI writes
    them as floats, which can't hold the largest id.
    """
    _make_bounds_integers(document["components"]["schemas"])
    for _, operation in iter_operations(document):
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"] = _without_null(parameter["schema"])
            if parameter["in"] in ("path", "query") and "examples" in schema:
                parameter["example"] = schema["examples"][0]


def _make_bounds_integers(value: Any) -> None:
    if isinstance(value, dict):
        if value.get("type") == "integer":
            for name in ("minimum", "maximum"):
                if name in value:
                    value[name] = min(int(value[name]), MAX_ID)
        value = list(value.values())
    if isinstance(value, list):
        for member in value:
            _make_bounds_integers(member)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**choices[0], **rest}
