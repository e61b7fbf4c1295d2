"""Requests as bytes on a socket, as no well-behaved client sends them."""

from __future__ import annotations

import socket
from contextlib import closing, suppress

PATIENCE = 90.0


def connect(address: str, *, buffer: int | None = None) -> socket.socket:
    """`buffer`: size of the receive buffer in bytes; by default the system decides."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    connection = socket.socket()
    connection.settimeout(PATIENCE)
    if buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.connect((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def until_closed(connection: socket.socket) -> bytes:
    """What is received until the other side closes or resets the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def exchange(address: str, request: bytes) -> bytes:
    """Send these bytes; what is received until the connection is closed."""
    with closing(connect(address)) as connection:
        with suppress(ConnectionError):
            connection.sendall(request)
        return until_closed(connection)


def get(address: str, path: str, *headers: str, host: str = "127.0.0.1") -> bytes:
    head = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    return exchange(address, "\r\n".join(head).encode() + b"\r\n\r\n")


def status(answer: bytes) -> int:
    """The status of the first response; 0 without one."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
