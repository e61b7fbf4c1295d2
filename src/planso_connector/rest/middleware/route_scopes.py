"""The scopes that each route needs. A route missing here is 404 for everybody."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path

from planso_connector.domain.scopes import Scope
from planso_connector.rest.schemas.document import iter_operations

RequiredScopes = tuple[Scope, ...] | None
"""One of these scopes; see also PUBLIC and OPTIONAL_KEY."""

PUBLIC = None
"""No key is asked for."""
OPTIONAL_KEY: tuple[Scope, ...] = ()
"""No key is needed; a caller with one gets more detail."""

LIVENESS_PATH = "/health/live"
"""Admitted under any host name and at any rate."""
MONITORING_PATHS = frozenset({"/health/ready", "/metrics"})
"""Refused for their rate alone, and answered also while the database is silent and can't verify keys."""

_READ = (Scope.ORDERS_READ,)
_WRITE = (Scope.ORDERS_WRITE,)
_CHANGE = (Scope.ORDERS_WRITE, Scope.APPOINTMENTS_WRITE)
_SYNC = (Scope.SYNC,)
_ADMIN = (Scope.ADMIN,)
_INSTALLATION = (Scope.INSTALLATION,)
_HOW_FRESH = (Scope.SYNC, Scope.ORDERS_READ)

REQUIRED_SCOPES: dict[str, RequiredScopes] = {
    "GET /api/orders": _READ,
    "GET /api/orders.csv": _READ,
    "GET /api/orders.xlsx": _READ,
    "POST /api/orders": _WRITE,
    "GET /api/orders/{order_id}": _READ,
    "PUT /api/orders/{order_id}": _CHANGE,
    "PATCH /api/orders/{order_id}": _CHANGE,
    "DELETE /api/orders/{order_id}": _WRITE,
    "GET /api/orders/{order_id}/parts": _READ,
    "GET /api/orders/{order_id}/parts.csv": _READ,
    "GET /api/orders/{order_id}/parts.xlsx": _READ,
    "GET /api/orders/{order_id}/sections": _READ,
    "GET /api/orders/{order_id}/sections/{name}": _READ,
    "GET /api/orders/{order_id}/history": _READ,
    "GET /api/orders/{order_id}/history.csv": _READ,
    "GET /api/orders/{order_id}/history.xlsx": _READ,
    "GET /api/orders/{order_id}/progress": _READ,
    "GET /api/orders/{order_id}/timeline": _READ,
    "GET /api/orders/{order_id}/timeline.html": _READ,
    "GET /api/lookup": _READ,
    "GET /api/availability": (*_READ, *_CHANGE),
    "POST /api/availability/holds": _CHANGE,
    "DELETE /api/availability/holds/{hold_id}": _CHANGE,
    "GET /api/capacity": (*_READ, *_CHANGE),
    "PUT /api/capacity": _ADMIN,
    "GET /api/notices": _READ,
    "POST /api/notices/{notice_id}/done": _WRITE,
    "GET /api/changes": _READ,
    "GET /api/changes/stream": _READ,
    "GET /api/webhooks": _ADMIN,
    "POST /api/webhooks": _ADMIN,
    "GET /api/webhooks/{webhook_id}": _ADMIN,
    "PATCH /api/webhooks/{webhook_id}": _ADMIN,
    "DELETE /api/webhooks/{webhook_id}": _ADMIN,
    "GET /api/webhooks/{webhook_id}/attempts": _ADMIN,
    "POST /api/webhooks/{webhook_id}/attempts/{attempt_id}/resend": _ADMIN,
    "POST /api/webhooks/{webhook_id}/expunge": _ADMIN,
    "POST /api/webhooks/{webhook_id}/recover": _ADMIN,
    "POST /api/webhooks/{webhook_id}/secret/rotate": _ADMIN,
    "POST /api/webhooks/{webhook_id}/send-example": _ADMIN,
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
    "GET /api/workshops": _INSTALLATION,
    "POST /api/workshops": _INSTALLATION,
    "GET /api/workshops/{name}": _INSTALLATION,
    "PATCH /api/workshops/{name}": _INSTALLATION,
    "DELETE /api/workshops/{name}": _INSTALLATION,
    "POST /api/workshops/{name}/pause": _INSTALLATION,
    "POST /api/workshops/{name}/resume": _INSTALLATION,
    "POST /tools/{name}": (*_READ, *_CHANGE),  # each tool checks its own
    "POST /mcp": (*_READ, *_CHANGE),
    "GET /health/live": PUBLIC,
    "GET /health/ready": OPTIONAL_KEY,
    "GET /metrics": (Scope.METRICS,),
    "GET /": PUBLIC,
    "GET /favicon.ico": PUBLIC,
    "GET /openapi.json": PUBLIC,
    "HEAD /openapi.json": PUBLIC,
    "GET /docs": PUBLIC,
    "GET /docs/": PUBLIC,
    "GET /docs/start.js": PUBLIC,
    "GET /docs/swagger-ui-bundle.js": PUBLIC,
    "GET /docs/swagger-ui.css": PUBLIC,
    "GET /docs/favicon-32x32.png": PUBLIC,
}


@dataclass(frozen=True, slots=True)
class MatchedRoute:
    """The route template a path matches, the scopes that each of its methods needs, and the path's parameters."""

    template: str
    scopes_by_method: dict[str, RequiredScopes]
    path_parameters: dict[str, str]

    @property
    def order_id(self) -> int | None:
        """The order that the path names; None without one, and for text that is not an order's id."""
        text = self.path_parameters.get("order_id", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _group_by_template() -> dict[str, dict[str, RequiredScopes]]:
    templates: dict[str, dict[str, RequiredScopes]] = {}
    for route, required in REQUIRED_SCOPES.items():
        method, _, template = route.partition(" ")
        templates.setdefault(template, {})[method] = required
    return templates


_EXACT = {
    template: MatchedRoute(template, methods, {})
    for template, methods in _group_by_template().items()
    if "{" not in template
}
# Compiled by the router's own function, so that both match the same paths.
_PATTERNS: list[tuple[re.Pattern[str], str, dict[str, RequiredScopes]]] = [
    (compile_path(template)[0], template, methods)
    for template, methods in _group_by_template().items()
    if "{" in template
]


def match_route(path: str) -> MatchedRoute | None:
    if path in _EXACT:
        return _EXACT[path]
    for pattern, template, methods in _PATTERNS:
        match = pattern.match(path)
        if match is not None:
            return MatchedRoute(template, methods, match.groupdict())
    return None


def check_complete(routes: Sequence[BaseRoute]) -> None:
    """Raises LookupError for a route without scopes, and for scopes without a route."""
    existing = {f"{method} {route.path}" for route in iter_route_contexts(routes) for method in route.methods or ("?",)}
    if different := existing ^ REQUIRED_SCOPES.keys():
        raise LookupError(f"REQUIRED_SCOPES and the routes differ in: {', '.join(sorted(different))}")


_SECURITY_SCHEMES = {
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


def add_to_openapi(document: dict[str, Any]) -> None:
    """Add the security schemes, and to each operation its scopes."""
    document["components"]["securitySchemes"] = _SECURITY_SCHEMES
    for route, operation in iter_operations(document):
        required = REQUIRED_SCOPES[route]
        if required is None:
            operation["security"] = []
            continue
        schemes: list[dict[str, list[str]]] = [{scheme: []} for scheme in _SECURITY_SCHEMES]
        operation["security"] = schemes if required else [{}, *schemes]
        if required:
            operation["x-scopes"] = [
                scope.value for scope in required
            ]  # linters accept scopes of OAuth alone beside a scheme
            scopes = " or ".join(f"`{scope}`" for scope in required)
            operation["description"] = f"{operation.get('description', '')}\n\nScope: {scopes}.".strip()
