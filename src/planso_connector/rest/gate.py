"""What a request passes before the application sees it: whether it is meant for this service, and nothing forged."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.rest.hosts import Hosts
from planso_connector.rest.problems import failure

LIVE = "/health/live"
"""Asked by whoever watches over the process, by whatever name: no gate."""

_ONCE = (b"host", b"origin", b"content-length", b"content-type", b"authorization", b"x-api-key", b"idempotency-key")
"""Where they come twice, one reader takes the first and another the last."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})

_CORS: dict[str, Any] = {
    "allow_methods": ["GET", "PUT", "PATCH", "POST", "DELETE"],
    "allow_headers": [
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "Prefer",
        "X-API-Key",
    ],
    "expose_headers": [
        "ETag",
        "Location",
        "Operation-Id",
        "Preference-Applied",
        "RateLimit",
        "RateLimit-Policy",
        "Retry-After",
    ],
}

Headers = Mapping[bytes, bytes]


class Gate:
    """`origins`: the other sites whose pages may ask."""

    def __init__(self, app: ASGIApp, *, hosts: Hosts | None = None, origins: Collection[str] = ()) -> None:
        self._app = CORSMiddleware(app, origins, **_CORS) if origins else app
        self._hosts = hosts or Hosts()
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == LIVE:
            await self._app(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await failure(*refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Status and message, where it does not pass."""
        if len(headers) != len(scope["headers"]):
            names = [name for name, _ in scope["headers"]]
            for name in _ONCE:
                if names.count(name) > 1:
                    return 400, f"{name.decode().title()}: sent more than once; accepted: once."
        host = headers.get(b"host")
        if host is None:
            return 400, "Host: is required."
        if not self._hosts.serves(host):
            return (
                421,
                "Host: this name is not served here; the operator names those that are in CONNECTOR_ALLOWED_HOSTS.",
            )
        origin = headers.get(b"origin")
        if origin is not None and scope["method"] not in _READS and not self._is_welcome(origin, host):
            return (
                403,
                "Origin: pages of other sites may not write; the operator names those in CONNECTOR_CORS_ORIGINS.",
            )
        return None

    def _is_welcome(self, origin: bytes, host: bytes) -> bool:
        if origin.lower() in self._origins:
            return True
        try:
            return urlsplit(origin.decode("latin-1")).netloc.lower() == host.decode("latin-1").lower()
        except ValueError:
            return False
