"""The HTTP server in front of the application: what it believes of who asks, and how long it waits for them."""

from __future__ import annotations

from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from planso_connector.rest.middleware.rate_limits import Limits
from planso_connector.server.connections import KEEP_ALIVE, Connection, ConnectionMonitor
from planso_connector.server.open_files import raise_limit


class ServerConfig(uvicorn.Config):
    """What `uvicorn.Server` is told, and the connections that it has."""

    monitor: ConnectionMonitor


def build_config(app: ASGIApp, limits: Limits, *, proxies: Sequence[str] = ()) -> ServerConfig:
    """`proxies`: addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    if proxies:
        app = ProxyHeadersMiddleware(app, list(proxies))  # type: ignore[arg-type,assignment]
    config = ServerConfig(
        app,
        http=Connection,
        # On by itself it believes every program on this machine, and FORWARDED_ALLOW_IPS of the environment.
        proxy_headers=False,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE,
    )
    config.monitor = ConnectionMonitor(raise_limit(limits.connections), limits.receive_timeout)
    return config
