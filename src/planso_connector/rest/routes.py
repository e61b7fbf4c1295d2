"""A router for routes of one kind, and what all of them may answer."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.routing import APIRoute

from planso_connector.rest.examples import with_headers
from planso_connector.rest.problems import failures

_EVERYWHERE = with_headers(failures(429, 503), 429, "RateLimit", "RateLimit-Policy", "Retry-After")


def routed(prefix: str, tag: str, route_class: type[APIRoute] = APIRoute) -> APIRouter:
    """
    The application takes its routes out of it: a router that is included stays one, is asked each time which of its
    routes is meant, and makes them all anew.
    """
    return APIRouter(prefix=prefix, tags=[tag], route_class=route_class, responses=_EVERYWHERE)
