"""Who may ask the sandbox: programs, and its own pages. Pages of other sites that a browser has open may not."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = (
    "The sandbox is not served by this host name; accepted: localhost, addresses, and the names of --allowed-host. A "
    "page of another site may have pointed a name at this machine (DNS rebinding).\n"
)
_ORIGIN = (
    "Pages of other sites can't change anything in the sandbox; open its own page, or use a program such as curl.\n"
)


class SameOriginMiddleware:
    """Refuses other host names (421), and requests that change something and come from another site's page (403)."""

    def __init__(self, app: ASGIApp, allowed_hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower() for name in allowed_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is not None:
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if not self._is_own(host):
            return PlainTextResponse(_HOST, 421)
        if scope["method"] in _READING:
            return None
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", "none")
        if (origin is not None and origin.lower().partition("://")[2] != host.lower()) or site.endswith("-site"):
            return PlainTextResponse(_ORIGIN, 403)
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
            if name in self._names:
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
