"""Keep pages of other sites, open in a browser, from using the sandbox; programs and its own pages may."""

import ipaddress
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST_REFUSED = (
    "The sandbox is not served by this host name; accepted: localhost, addresses, and the names of --allowed-host. A "
    "page of another site may have pointed a name at this machine (DNS rebinding).\n"
)
_ORIGIN_REFUSED = (
    "Pages of other sites can't change anything in the sandbox; open its own page, or use a program such as curl.\n"
)


class SameOriginMiddleware:
    """Answer 421 for other host names, and 403 for changes requested by another site's page."""

    def __init__(
        self, app: ASGIApp, allowed_hosts: Iterable[str] = (), allowed_first_labels: Collection[str] = ()
    ) -> None:
        """`allowed_first_labels`: with one of these before it an allowed host name is allowed too."""
        self._app = app
        self._first_labels = allowed_first_labels
        self._allowed_names = {"localhost", *(name.lower() for name in allowed_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._find_refusal(scope) if scope["type"] == "http" else None
        if refusal is not None:
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _find_refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if not self._is_allowed_host(host):
            return PlainTextResponse(_HOST_REFUSED, 421)
        if scope["method"] in _SAFE_METHODS:
            return None
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", "none")
        if (origin is not None and origin.lower().partition("://")[2] != host.lower()) or site.endswith("-site"):
            return PlainTextResponse(_ORIGIN_REFUSED, 403)
        return None

    def _is_allowed_host(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
            label, _, rest = name.partition(".")
            if name in self._allowed_names or (label in self._first_labels and rest in self._allowed_names):
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
