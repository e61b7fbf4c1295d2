"""What all routes share: their router, with the responses that each may have, and the body of a success."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic_core import to_json

from planso_connector.rest.query_parameters import UNKNOWN_PARAMETER, StrictQueryRoute
from planso_connector.rest.schemas.document import DocumentedRoute, make_operation_id
from planso_connector.rest.schemas.errors import API_KEY_MESSAGES, document_failures
from planso_connector.rest.schemas.examples import Responses, document_headers

_EVERYWHERE: Responses = document_headers(
    document_failures(429, 431, 503), 429, "RateLimit", "RateLimit-Policy", "Retry-After"
)
_UNDER_API = _EVERYWHERE | document_failures(401, 403, 422, invalid=UNKNOWN_PARAMETER, shown=API_KEY_MESSAGES)


def make_router(prefix: str, tag: str, route_class: type[StrictQueryRoute] = StrictQueryRoute) -> APIRouter:
    """
    A router whose routes the application adds to its own: `include_router` would build each route again, and match in
    two steps. Unknown query parameters are accepted outside of `/api`: load balancers and monitoring add their own.
    """
    is_api = prefix.startswith("/api")
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=route_class if is_api else DocumentedRoute,
        responses=_UNDER_API if is_api else _EVERYWHERE,
        generate_unique_id_function=make_operation_id,
    )


def make_tool_router() -> APIRouter:
    """For `/tools`, whose failures but 401 and 429 are answers with status 200."""
    rate = document_headers(document_failures(429), 429, "RateLimit", "RateLimit-Policy", "Retry-After")
    return APIRouter(
        prefix="/tools",
        tags=["tools"],
        route_class=DocumentedRoute,
        responses=rate | document_failures(401, shown=API_KEY_MESSAGES),
        generate_unique_id_function=make_operation_id,
    )


def success_response(
    message: str = "", *, status_code: int = 200, headers: dict[str, str] | None = None, **members: Any
) -> Response:
    """A success in the envelope, with further members."""
    content = to_json({"success": True, "message": message, **members})
    return Response(content, status_code, headers, "application/json")
