"""The sockets that a server listens on: one for each address of a host name."""

import errno
import socket
from collections.abc import Sequence

_NOT_LOCAL = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})
"""Skipped if another address of the name can be bound: `localhost` may resolve to ::1 although IPv6 is off."""


class HostError(Exception):
    """The address or name is not this machine's."""


class PortError(Exception):
    """The address is this machine's, but its port can't be bound."""


def resolve(host: str) -> list[str]:
    """The addresses of a name. Raises HostError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise HostError(f"'{host}' is no address and no name that resolves to one: {_describe(error)}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def bind(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """
    Bind those of the addresses that this machine has to one port; 0 picks a free one. Raises HostError if it has none
    of them, PortError if the port can't be bound on one that it has.
    """
    sockets: list[socket.socket] = []
    not_local: OSError | None = None
    for address in addresses:
        try:
            sockets.append(_bind(address, port, is_only=len(addresses) == 1))
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno in _NOT_LOCAL:
                not_local = error
                continue
            for sock in sockets:
                sock.close()
            raise PortError(f"can't listen on {_format(address, port)}: {_describe(error)}") from error
        port = sockets[0].getsockname()[1]
    if not_local is not None and not sockets:
        raise HostError(f"this machine has no address {', '.join(addresses)}: {_describe(not_local)}") from not_local
    return sockets


def format_urls(sockets: Sequence[socket.socket]) -> str:
    return " and ".join(f"http://{_format(*sock.getsockname()[:2])}" for sock in sockets)


def _format(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _bind(address: str, port: int, *, is_only: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio sets TCP_NODELAY only if the protocol is given; without it each response comes 40 ms late.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and not is_only:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 addresses have sockets of their own
        sock.bind((address, port))
    except (OSError, OverflowError):
        sock.close()
        raise
    return sock


def _describe(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
