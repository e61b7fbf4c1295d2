"""Lead each request to its workshop: by the first label of the host name, or by the path `/w/<name>`."""

import re
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.sandbox.client_processes import ClientProcesses

PATH = "/w/"
_COOKIE_PATH = re.compile(rb"(;\s*path=)/(?=;|$)", re.IGNORECASE)


class WorkshopRouter:
    """The ASGI app in front of several workshops.

    Below a path, a workshop's cookies and redirects get that path, as a reverse proxy in front of PlanSo would do it.
    """

    def __init__(self, names: Collection[str], find_routes: Callable[[str], ASGIApp], overview: ASGIApp) -> None:
        """`find_routes`: the routes of a workshop by name. `overview`: the app for requests to no workshop."""
        self._names = names
        self._find_routes = find_routes
        self._overview = overview
        self._processes = ClientProcesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._overview(scope, receive, send)
            return
        name, prefix = self._find_workshop(scope)
        if name is None:
            await self._overview(scope, receive, send)
        elif name not in self._names:
            await self._refuse(name)(scope, receive, send)
        elif scope["path"] == prefix:
            await RedirectResponse(f"{prefix}/")(scope, receive, send)
        else:
            inner = {**scope, "root_path": prefix, "planso.process": self._processes.find(scope)}
            await self._find_routes(name)(inner, receive, _below(prefix, send) if prefix else send)

    def _find_workshop(self, scope: Scope) -> tuple[str | None, str]:
        """The workshop's name, None for none, and the path prefix by which it is addressed, "" for a host name."""
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        label, _, rest = (urlsplit(f"//{host}").hostname or "").partition(".")
        if rest and label in self._names:
            return label, ""
        if not scope["path"].startswith(PATH):
            return None, ""
        name = scope["path"].removeprefix(PATH).partition("/")[0]
        return name, f"{PATH}{name}"

    def _refuse(self, name: str) -> PlainTextResponse:
        names = list(self._names)
        accepted = ", ".join(names) if len(names) < 4 else f"{names[0]} to {names[-1]}, see /sandbox/workshops"
        return PlainTextResponse(f"There is no workshop {name!r}; accepted: {accepted}.\n", 404)


def _below(prefix: str, send: Send) -> Send:
    """Put the prefix before redirects and into the paths of cookies."""
    path = prefix.encode("latin-1")

    async def send_below(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name, _move(name.lower(), value, path)) for name, value in message.get("headers", ())]
            message = {**message, "headers": headers}
        await send(message)

    return send_below


def _move(name: bytes, value: bytes, path: bytes) -> bytes:
    if name == b"location" and value.startswith(b"/"):
        return path + value
    return _COOKIE_PATH.sub(rb"\1" + path, value) if name == b"set-cookie" else value
