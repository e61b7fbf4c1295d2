"""A router for routes of one kind, and what all of them may answer."""

from __future__ import annotations

from fastapi import APIRouter

from planso_connector.rest.query_parameters import UNKNOWN_PARAMETER, StrictQueryRoute
from planso_connector.rest.schemas.errors import API_KEY_MESSAGES, document_failures
from planso_connector.rest.schemas.examples import Responses, document_headers

_EVERYWHERE: Responses = document_headers(
    document_failures(429, 431, 503), 429, "RateLimit", "RateLimit-Policy", "Retry-After"
)
_UNDER_API = _EVERYWHERE | document_failures(401, 403, 422, invalid=UNKNOWN_PARAMETER, shown=API_KEY_MESSAGES)


def make_router(prefix: str, tag: str, route_class: type[StrictQueryRoute] = StrictQueryRoute) -> APIRouter:
    """
    The application takes its routes out of it: a router that is included stays one, is asked each time which of its
    routes is meant, and makes them all anew. Outside of `/api` a query is nobody's business: load balancers and
    monitoring add their own.
    """
    if not prefix.startswith("/api"):
        return APIRouter(prefix=prefix, tags=[tag], responses=_EVERYWHERE)
    return APIRouter(prefix=prefix, tags=[tag], route_class=route_class, responses=_UNDER_API)
