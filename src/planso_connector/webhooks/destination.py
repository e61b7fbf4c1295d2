"""
Which addresses webhooks may be sent to, so that nobody makes the connector call what only its own network reaches:
`https` to public addresses, and whatever is in networks that the operator allowed.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL = 2000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class DestinationRefused(Exception):
    """The address is not allowed; the message says why, and what is."""


def check_url(url: str, networks: Sequence[Network]) -> None:
    """Raises DestinationRefused for what is wrong whatever the name resolves to."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise DestinationRefused("can't be read as a URL; accepted: https://host/path") from None
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise DestinationRefused(f"accepted: up to {MAX_URL} printable ASCII characters, others percent-encoded")
    if parts.scheme not in ("https", "http") or not host:
        raise DestinationRefused("accepted: https://host/path")
    if parts.username is not None or parts.password is not None:
        raise DestinationRefused("must not have a user name or password; requests are signed instead")
    if parts.fragment:
        raise DestinationRefused("must not have a fragment (#...)")
    literal = _parse_address(host)
    if literal is not None:
        check_address(literal, networks)
    if parts.scheme == "http" and (literal is None or not _is_in(literal, networks)):
        raise DestinationRefused(
            "accepted: https://...; http:// only to an address in CONNECTOR_WEBHOOK_NETWORKS, such as 127.0.0.0/8"
        )


def check_address(address: Address, networks: Sequence[Network]) -> None:
    """Raises DestinationRefused for an address off the public network that no allowed network has."""
    if not _is_in(address, networks) and not _is_public(address):
        raise DestinationRefused(
            f"{address} is not a public address; accepted: public ones, and those in CONNECTOR_WEBHOOK_NETWORKS"
        )


async def resolve(host: str, port: int, networks: Sequence[Network]) -> str:
    """
    The address to connect to, which was checked. Raises DestinationRefused where one of the name's addresses is not
    allowed, and OSError for a name without any.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        check_address(address, networks)
    return str(addresses[0])


def _parse_address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        embedded = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            embedded.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if not all(_is_public(inner) for inner in embedded if inner is not None):
            return False
        if address.ipv4_mapped is not None:
            return True
    return address.is_global and not address.is_multicast
