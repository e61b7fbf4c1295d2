"""Serve the connector under a path prefix, as a proxy does for several services of one host name."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RootPathMiddleware:
    """
    Requests come with the prefix or, from a proxy that removes it, without; `Location` has it. ASGI's `root_path` stays
    empty: the router would look for the prefix in each path again.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._raw_prefix = prefix.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if path == self._prefix or path.startswith(f"{self._prefix}/"):
            # In place: the server reads from this scope what the middleware leaves there.
            scope["path"] = path[len(self._prefix) :] or "/"
            scope["raw_path"] = scope["raw_path"].removeprefix(self._raw_prefix) or b"/"

        async def send_with_prefix(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [self._prefixed(*header) for header in message["headers"]]
            await send(message)

        await self._app(scope, receive, send_with_prefix)

    def _prefixed(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        is_own = name.lower() == b"location" and value.startswith(b"/")
        return name, self._raw_prefix + value if is_own else value
