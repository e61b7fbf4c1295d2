"""Listening sockets for a command: what is wrong with an address is said by the name of its option or setting."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from planso_connector.server import listening_sockets
from planso_connector.settings import SettingsError

MAX_PORT = 65_535


@contextmanager
def listen(host: str, port: int, host_name: str, port_name: str) -> Iterator[list[socket.socket]]:
    """Close them at the end. Raises SettingsError."""
    try:
        sockets = listening_sockets.bind(listening_sockets.resolve(host), port)
    except listening_sockets.HostError as error:
        raise SettingsError(f"{host_name}: {error}") from error
    except listening_sockets.PortError as error:
        raise SettingsError(f"{port_name}: {error}") from error
    try:
        yield sockets
    finally:
        for listening in sockets:
            listening.close()
