"""uvicorn with graceful shutdown: requests in flight finish, long polls return early."""

import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, cast

import uvicorn

from planso_connector import signals
from planso_connector.server.config import ServerConfig
from planso_connector.server.listener import Listener

GRACE_PERIOD = 10.0
"""Seconds that requests and writes in flight have after the signal."""

MAX_SHUTDOWN = 60.0
"""Seconds from the first signal until the process ends, whatever it waits for. All grace periods together are less."""


class GracefulServer(uvicorn.Server):
    """
    `drain` is called with the seconds left: at the first signal, and with 0 at the second. Idle connections are closed
    at once, and no new ones accepted. `on_started` is called once connections are accepted.
    """

    def __init__(
        self, config: ServerConfig, drain: Callable[[float], None], on_started: Callable[[], None] = lambda: None
    ) -> None:
        # Longer than the grace period: a request that waited for a write until its end still wants the response.
        config.timeout_graceful_shutdown = round(GRACE_PERIOD) + 2
        super().__init__(config)
        self._drain = drain
        self._on_started = on_started
        # Each accepted connection is a file descriptor before older ones make room.
        self._batch_size = config.monitor.max_connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's for sockets that are already bound, with our Listener."""
        assert sockets is not None, "`serve` is given its sockets"
        config, state = self.config, self.server_state
        protocol_class: Any = config.http_protocol_class

        def create_protocol() -> Any:
            return protocol_class(config=config, server_state=state, app_state=self.lifespan.state)

        listeners = [Listener(sock, create_protocol, config.backlog, self._batch_size) for sock in sockets]
        self.servers = cast("Any", listeners)
        self.started = True
        self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            signals.end_within(MAX_SHUTDOWN)
        self.force_exit = self.should_exit
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._drain(GRACE_PERIOD)
        await super().shutdown(sockets)
        if self.force_exit:
            self._drain(0.0)
