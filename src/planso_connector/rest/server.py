"""The HTTP server in front of the application: what it believes of who asks."""

from __future__ import annotations

from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


def configured(app: ASGIApp, *, proxies: Sequence[str] = ()) -> uvicorn.Config:
    """`proxies`: addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    if proxies:
        app = ProxyHeadersMiddleware(app, list(proxies))  # type: ignore[arg-type,assignment]
    return uvicorn.Config(
        app,
        # On by itself it believes every program on this machine, and FORWARDED_ALLOW_IPS of the environment.
        proxy_headers=False,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=30,
        lifespan="off",
    )
