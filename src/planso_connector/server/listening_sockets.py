"""The sockets that a server listens on: one for each address of a name."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})
"""An address that this machine has not: `localhost` may have ::1 beside it where IPv6 is switched off."""


class HostError(Exception):
    """The address or name is not this machine's."""


class PortError(Exception):
    """The address is, and the port can't be had."""


def resolve(host: str) -> list[str]:
    """Those of a name, or the address itself. Raises HostError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise HostError(f"'{host}' is no address and no name that resolves to one: {_reason(error)}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def bind(wanted: Sequence[str], port: int) -> list[socket.socket]:
    """
    Those of the addresses that this machine has, on one port; 0 takes a free one. Raises HostError where it has none of
    them, PortError where the port can't be had on each that it has.
    """
    found: list[socket.socket] = []
    missing: OSError | None = None
    for address in wanted:
        try:
            found.append(_bound(address, port, alone=len(wanted) == 1))
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno in _NOT_HERE:
                missing = error
                continue
            for one in found:
                one.close()
            raise PortError(f"can't listen on {_place(address, port)}: {_reason(error)}") from error
        port = found[0].getsockname()[1]
    if missing is not None and not found:
        raise HostError(f"this machine has no address {', '.join(wanted)}: {_reason(missing)}") from missing
    return found


def format_urls(listening: Sequence[socket.socket]) -> str:
    """Where it can be reached, for a person."""
    return " and ".join(f"http://{_place(*one.getsockname()[:2])}" for one in listening)


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _bound(address: str, port: int, *, alone: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio lets only a socket that says it is TCP send at once; each answer would come 40 ms late.
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and not alone:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # the name's IPv4 addresses have their own
        one.bind((address, port))
    except (OSError, OverflowError):
        one.close()
        raise
    return one


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
