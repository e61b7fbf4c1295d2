"""uvicorn's configuration."""

import uvicorn
from starlette.types import ASGIApp

from planso_connector.rest.middleware.rate_limits import Limits
from planso_connector.server.connections import KEEP_ALIVE, Connection, ConnectionMonitor
from planso_connector.server.open_files import raise_limit


class ServerConfig(uvicorn.Config):
    """uvicorn's configuration and the monitor of the server's connections."""

    monitor: ConnectionMonitor


def build_config(app: ASGIApp, limits: Limits) -> ServerConfig:
    config = ServerConfig(
        app,
        http=Connection,
        proxy_headers=False,  # uvicorn's own trusts every program on this machine, and FORWARDED_ALLOW_IPS
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE,
    )
    config.monitor = ConnectionMonitor(raise_limit(limits.connections), limits.receive_timeout)
    return config
