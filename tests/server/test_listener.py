"""Listener: connections are accepted in batches."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, closing

import uvloop

from planso_connector.server.listener import Listener

CROWD = 100


class _Counted(asyncio.Protocol):
    made = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        type(self).made += 1
        transport.close()


def test_a_crowd_is_not_taken_in_one_by_one() -> None:
    """Waiting connections are accepted within a few loop iterations, not one in each."""

    async def turns_until_all_are_in(listening: socket.socket) -> int:
        accepting = Listener(listening, _Counted, 2048)
        with ExitStack() as crowd:
            for _ in range(CROWD):
                crowd.enter_context(closing(socket.create_connection(listening.getsockname())))
            turns = 0
            while _Counted.made < CROWD:
                await asyncio.sleep(0)
                turns += 1
        accepting.close()
        await accepting.wait_closed()
        return turns

    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    assert uvloop.run(turns_until_all_are_in(listening)) < CROWD // 2
