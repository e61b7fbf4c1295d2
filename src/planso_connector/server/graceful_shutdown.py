"""The server that stops well: what is under way gets its answer, who only waits is told how it stands, then it ends."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, cast

import uvicorn

from planso_connector.server.config import ServerConfig
from planso_connector.server.listener import Listener

GRACE_PERIOD = 10.0
"""Seconds that requests and writes under way have from the signal on."""


class GracefulServer(uvicorn.Server):
    """
    `drain` is called with the seconds that are left, when the first signal came, and with 0 after the second. Idle
    connections are closed at once, and no new ones taken.
    """

    def __init__(self, config: ServerConfig, drain: Callable[[float], None]) -> None:
        # Beyond the grace: who waited for a write until then still wants the answer.
        config.timeout_graceful_shutdown = round(GRACE_PERIOD) + 2
        super().__init__(config)
        self._drain = drain
        # Each is a file descriptor before the connections of before are asked to make room.
        self._at_once = config.monitor.max_connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, for sockets that are open already, but for how their connections are taken."""
        assert sockets is not None, "`serve` is given its sockets"
        config, state = self.config, self.server_state
        make: Any = config.http_protocol_class

        def protocol() -> Any:
            return make(config=config, server_state=state, app_state=self.lifespan.state)

        taking = [Listener(one, protocol, config.backlog, self._at_once) for one in sockets]
        self.servers = cast("Any", taking)
        self.started = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._drain(GRACE_PERIOD)
        await super().shutdown(sockets)
        if self.force_exit:
            self._drain(0.0)
