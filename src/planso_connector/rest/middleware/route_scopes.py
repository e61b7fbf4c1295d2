"""The one table of routes and the scopes that they need. What does not stand here is not there for anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path

from planso_connector.domain.caller import Scope
from planso_connector.rest.schemas.errors import EXAMPLE_MESSAGES, STATUS_DESCRIPTIONS
from planso_connector.rest.schemas.examples import build_examples

RequiredScopes = tuple[Scope, ...] | None
"""One of these scopes."""

PUBLIC = None
"""Nobody is asked for a key."""
OPTIONAL_KEY: tuple[Scope, ...] = ()
"""Nobody needs a key, and who has one is told more."""

MONITORING_PATHS = frozenset({"/health/ready", "/metrics"})
"""
Asked by whoever watches over the service: refused for their rate alone, and answered also while the database is silent
and can't say whose key came.
"""

_READ = (Scope.ORDERS_READ,)
_WRITE = (Scope.ORDERS_WRITE,)
_CHANGE = (Scope.ORDERS_WRITE, Scope.APPOINTMENTS_WRITE)
_SYNC = (Scope.SYNC,)
_ADMIN = (Scope.ADMIN,)
_HOW_FRESH = (Scope.SYNC, Scope.ORDERS_READ)

REQUIRED_SCOPES: dict[str, RequiredScopes] = {
    "GET /api/orders": _READ,
    "POST /api/orders": _WRITE,
    "GET /api/orders/{order_id}": _READ,
    "PUT /api/orders/{order_id}": _CHANGE,
    "PATCH /api/orders/{order_id}": _CHANGE,
    "DELETE /api/orders/{order_id}": _WRITE,
    "GET /api/orders/{order_id}/parts": _READ,
    "GET /api/orders/{order_id}/sections": _READ,
    "GET /api/orders/{order_id}/sections/{name}": _READ,
    "GET /api/orders/{order_id}/history": _READ,
    "GET /api/orders/{order_id}/progress": _READ,
    "GET /api/lookup": _READ,
    "GET /api/operations": _READ,
    "GET /api/operations/{operation_id}": (*_READ, *_CHANGE),  # without orders:read the caller's own alone
    "POST /api/operations/{operation_id}/cancel": _WRITE,
    "POST /api/operations/{operation_id}/undo": _WRITE,
    "POST /api/operations/{operation_id}/restore": _ADMIN,
    "GET /api/writes": (*_READ, *_CHANGE),
    "POST /api/writes/resume": _ADMIN,
    "POST /api/sync": _SYNC,
    "GET /api/sync/status": _HOW_FRESH,
    "GET /api/sync/runs": _HOW_FRESH,
    "POST /api/auth/login": _ADMIN,
    "GET /api/auth/status": _SYNC,
    "GET /health/live": PUBLIC,
    "GET /health/ready": OPTIONAL_KEY,
    "GET /metrics": (Scope.METRICS,),
    "GET /openapi.json": PUBLIC,
    "HEAD /openapi.json": PUBLIC,
    "GET /docs": PUBLIC,
    "GET /docs/start.js": PUBLIC,
    "GET /docs/swagger-ui-bundle.js": PUBLIC,
    "GET /docs/swagger-ui.css": PUBLIC,
    "GET /docs/favicon-32x32.png": PUBLIC,
}


@dataclass(frozen=True, slots=True)
class MatchedRoute:
    """An address that there is: its template, what each method needs, what stands in it."""

    template: str
    scopes_by_method: dict[str, RequiredScopes]
    path_parameters: dict[str, str]

    @property
    def order_id(self) -> int | None:
        """The order that the address names; None for none, and for what is no order's id."""
        text = self.path_parameters.get("order_id", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _by_template() -> dict[str, dict[str, RequiredScopes]]:
    found: dict[str, dict[str, RequiredScopes]] = {}
    for route, need in REQUIRED_SCOPES.items():
        method, _, template = route.partition(" ")
        found.setdefault(template, {})[method] = need
    return found


_PLAIN = {
    template: MatchedRoute(template, needs, {}) for template, needs in _by_template().items() if "{" not in template
}
# Compiled as the router does, so that none of the two takes an address for another than the other does.
_PATTERNS: list[tuple[re.Pattern[str], str, dict[str, RequiredScopes]]] = [
    (compile_path(template)[0], template, needs) for template, needs in _by_template().items() if "{" in template
]


def match_route(path: str) -> MatchedRoute | None:
    """Which address it is; None: there is nothing."""
    if path in _PLAIN:
        return _PLAIN[path]
    for pattern, template, needs in _PATTERNS:
        match = pattern.match(path)
        if match is not None:
            return MatchedRoute(template, needs, match.groupdict())
    return None


_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, `pc_...`, in `Authorization: Bearer`. `planso-connector keys create` makes one. "
        "As long as there is none, the connector serves this machine alone, without a key.",
    },
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key, for clients that can't set `Authorization`.",
    },
}


def check_complete(routes: Sequence[BaseRoute]) -> None:
    """Raises LookupError where a route has no entry, or an entry no route."""
    there = {f"{method} {one.path}" for one in iter_route_contexts(routes) for method in one.methods or ("?",)}
    if odd := there ^ REQUIRED_SCOPES.keys():
        raise LookupError(f"rest/scopes.py and the routes differ in: {', '.join(sorted(odd))}")


def add_to_openapi(document: dict[str, Any]) -> None:
    """Adds to the OpenAPI document the schemes, and each operation's scopes and refusals."""
    document["components"]["securitySchemes"] = _SCHEMES
    for route, operation in _operations(document):
        need = REQUIRED_SCOPES[route]
        if need is None:
            operation["security"] = []
            continue
        nobody = [{}, *({scheme: list[str]()} for scheme in _SCHEMES)]
        operation["security"] = [{scheme: [scope.value]} for scope in need for scheme in _SCHEMES] or nobody
        if need:
            told = " or ".join(f"`{scope}`" for scope in need)
            operation["description"] = f"{operation.get('description', '')}\n\nScope: {told}.".strip()
            for status in (401, 403, 503):
                _add(operation["responses"], status)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def _add(responses: dict[str, Any], status: int) -> None:
    """`problems.failures` for what the guard says, to a document that is made already."""
    examples = build_examples(
        **{
            name: {"success": False, "message": message}
            for name, message in EXAMPLE_MESSAGES[status].items()
            if name in _OURS
        }
    )
    responses.setdefault(
        str(status),
        {
            "description": STATUS_DESCRIPTIONS[status],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}, "examples": {}}},
        },
    )["content"]["application/json"]["examples"].update(examples)


_OURS = ("no_key", "not_valid", "scope", "full")
