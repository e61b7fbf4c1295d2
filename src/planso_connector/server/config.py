"""The HTTP server in front of the application: what it believes of who asks, and how long it waits for them."""

from __future__ import annotations

from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from planso_connector.rest.middleware.rate_limits import Limits
from planso_connector.server.connections import KEPT, Connection, Silent
from planso_connector.server.open_files import connections


class Server(uvicorn.Config):
    """What `uvicorn.Server` is told, and the connections that it has."""

    silent: Silent


def configured(app: ASGIApp, limits: Limits, *, proxies: Sequence[str] = ()) -> Server:
    """`proxies`: addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    if proxies:
        app = ProxyHeadersMiddleware(app, list(proxies))  # type: ignore[arg-type,assignment]
    config = Server(
        app,
        http=Connection,
        # On by itself it believes every program on this machine, and FORWARDED_ALLOW_IPS of the environment.
        proxy_headers=False,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_keep_alive=KEPT,
    )
    config.silent = Silent(connections(limits.connections), limits.arrival)
    return config
